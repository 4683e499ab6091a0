"""Which class talks over which transport."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final, cast

from fwguard.devices.protocol import Device, Endpoint, Watcher
from fwguard.model.inventory import Platform, Transport

# Modules are named, not imported: a controller that has no NETCONF device loads no ncclient, and no netmiko
# where no firewall has a command line of its own.
DEVICES: Final[Mapping[Transport, str]] = {
    Transport.SSH: "fwguard.devices.ssh:SshDevice",
    Transport.NETCONF: "fwguard.devices.netconf:NetconfDevice",
    Transport.COMMAND_LINE: "fwguard.devices.command_line.device:CommandLineDevice",
    Transport.CONFIG_XML: "fwguard.devices.config_xml:ConfigXmlDevice",
}
# Platforms that speak a language of their own over a transport; they stream nothing that we know.
DEVICES_OF: Final[Mapping[tuple[Transport, Platform], str]] = {
    (Transport.NETCONF, Platform.JUNOS): "fwguard.devices.junos_netconf:JunosNetconfDevice",
}
WATCHERS: Final[Mapping[Transport, str]] = {
    Transport.SSH: "fwguard.devices.ssh_watcher:SshWatcher",
    Transport.NETCONF: "fwguard.devices.watch_netconf:NetconfWatcher",
}


def open_device(endpoint: Endpoint) -> Device:
    """Connect to a firewall. Raises DeviceError as the class of its transport says."""
    firewall = endpoint.firewall
    name = DEVICES_OF.get((firewall.transport, firewall.platform), DEVICES[firewall.transport])
    return cast(Device, _load(name)(endpoint))


def open_watcher(endpoint: Endpoint) -> Watcher | None:
    """Return what streams its changes (`run` connects), or None where nothing does."""
    firewall = endpoint.firewall
    if (firewall.transport, firewall.platform) in DEVICES_OF:
        return None
    name = WATCHERS.get(firewall.transport)
    return cast(Watcher, _load(name)(endpoint)) if name else None


def _load(name: str) -> type:
    module, _, attribute = name.partition(":")
    return cast(type, getattr(import_module(module), attribute))
