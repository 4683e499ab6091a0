"""Zones: which interfaces belong to them, what addresses stand behind them by interfaces and routes.

Source: Junos Security User Guide, "Security Zones".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.errors import InputError
from fwguard.model.address import parse_span
from fwguard.model.policy import InterfaceSet

MANAGEMENT: Final = "management"  # the functional zone


@dataclass(slots=True)
class Zones:
    """`members` are logical interfaces by zone; `of` the reverse; `connected` prefixes by interface."""

    members: dict[str, list[Node]] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)
    connected: list[tuple[str, str]] = field(default_factory=list)

    def only(self, interface: str) -> tuple[InterfaceSet, str]:
        """Return the zone of an interface as a set, and why that is not exactly the interface."""
        zone = self.of.get(logical(interface))
        if zone is None:
            return InterfaceSet.of(interface), ""
        others = [node for node in self.members[zone] if logical(node.word) != logical(interface)]
        return InterfaceSet.of(zone), f"only by {interface}" if others else ""

    def name(self, interface: str) -> str:
        """Return the zone of an interface, or the interface itself where it is in none."""
        return self.of.get(logical(interface), interface) if interface else ""


def logical(interface: str) -> str:
    """Return the name with its unit: `ge-0/0/0` in a zone means `ge-0/0/0.0`."""
    return interface if "." in interface else f"{interface}.0"


def read_zones(root: Node) -> Zones:
    """Return the zones of a configuration."""
    zones = Zones()
    for zone in root.below("security", "zones", "security-zone"):
        zones.members[zone.word] = zone.below("interfaces")
    management = root.at("security", "zones", "functional-zone", "management")
    if management is not None:
        zones.members[MANAGEMENT] = management.below("interfaces")
    for name, members in zones.members.items():
        for member in members:
            zones.of[logical(member.word)] = name
    for interface, _, family in families(root):
        for prefix in family.words("address"):
            zones.connected.append((interface, prefix))
    return zones


def families(root: Node) -> Iterator[tuple[str, Node, Node]]:
    """Yield (logical interface, its unit, address family) of every interface."""
    for physical in root.below("interfaces"):
        for unit in physical.below("unit"):
            for family in unit.below("family"):
                yield f"{physical.word}.{unit.word}", unit, family


def prefix_span(text: str) -> tuple[int, int, int] | None:
    """Return (version, first, last) of a prefix, None for what is none."""
    try:
        return parse_span(text)
    except InputError:
        return None
