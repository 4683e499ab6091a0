"""The far side: sessions to client firewalls over SSH and NETCONF. A device's failure is a DeviceError."""
