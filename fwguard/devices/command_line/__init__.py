"""Firewalls with a command line of their own, over SSH: netmiko's drivers, our keys, bounds and deadlines."""
