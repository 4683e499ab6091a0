"""The table of transports."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from fwguard.devices.open import DEVICES, DEVICES_OF, WATCHERS, open_watcher
from fwguard.devices.protocol import Endpoint
from fwguard.devices.ssh_watcher import SshWatcher
from fwguard.errors import InputError
from fwguard.model.inventory import Firewall, Platform, Transport


def test_every_transport_has_its_device_and_watcher() -> None:
    """A new one is a line in each table; a command line and a file stream nothing, and are polled."""
    polled = {Transport.COMMAND_LINE, Transport.CONFIG_XML}
    assert set(Transport) == set(DEVICES) == set(WATCHERS) | polled


@pytest.mark.parametrize("name", [*DEVICES.values(), *DEVICES_OF.values(), *WATCHERS.values()])
def test_every_name_in_the_tables_is_a_class(name: str) -> None:
    """They are loaded only when a firewall needs them, which must not be the first time."""
    module, _, attribute = name.partition(":")
    assert isinstance(getattr(import_module(module), attribute), type)


def test_a_watcher_connects_only_when_it_runs() -> None:
    """So that a firewall that is off costs nothing to list."""
    firewall = Firewall(
        name="fw1",
        client="acme",
        platform=Platform.LINUX,
        transport=Transport.SSH,
        address="127.0.0.1",
        port=1,
        username="root",
    )
    assert isinstance(open_watcher(Endpoint(firewall=firewall, private_key="", host_key="")), SshWatcher)


def test_junos_goes_over_netconf_too_in_its_own_words() -> None:
    """It has its own class there, and none of RFC 8519's watchers; no other platform has a choice."""
    assert {(Transport.NETCONF, Platform.JUNOS)} == set(DEVICES_OF)
    for transport in (Transport.COMMAND_LINE, Transport.NETCONF):
        firewall = Firewall(
            name="fw1", client="acme", platform=Platform.JUNOS, transport=transport, address="127.0.0.1", port=1,
            username="root",
        )  # fmt: skip
        assert open_watcher(Endpoint(firewall=firewall, private_key="", host_key="")) is None
    with pytest.raises(InputError, match="panos over netconf"):
        replace(firewall, platform=Platform.PANOS)
