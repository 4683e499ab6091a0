"""The management bridge's rules."""

from __future__ import annotations

from ipaddress import IPv6Address

from fwguard.lab.management import batch, bridge_ruleset
from fwguard.lab.plan import plan

PLAN = plan("t", firewalls=2, kinds=frozenset({"nftables", "iptables"}))


def test_only_the_controllers_port_is_not_isolated() -> None:
    """Isolated ports talk to it alone."""
    isolated = [line.split()[2] for line in batch(PLAN) if "isolated on" in line]
    assert ["mail", "fw-acme", "fw-globex"] == isolated


def test_a_firewall_has_its_own_addresses_on_the_bridge_and_no_other() -> None:
    """The one given to it, the one that the kernel makes of its MAC address, and none."""
    mac = PLAN.firewalls[0].mac("mgmt")
    lines = bridge_ruleset(PLAN).splitlines()
    elements = next(line for line in lines if "elements" in line and "::" in line).split("{ ")[1].split(", ")
    octets = [int(octet, 16) for octet in mac.split(":")]
    interface = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])  # RFC 4291 appendix A
    own = {
        IPv6Address(bytes.fromhex("fe80") + bytes(6) + interface),
        IPv6Address("fd30::1:1"),
        IPv6Address(0),
    }
    assert own == {
        IPv6Address(element.split(" . ")[2])
        for element in elements
        if element.startswith(f'"fw-acme" . {mac}')
    }
