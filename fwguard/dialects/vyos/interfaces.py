"""The interfaces of a configuration: their names, addresses, VRFs, and the rule sets bound to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.vyos.tree import Node

MAX_NESTED: Final = 4


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface; `node` holds what is configured on it."""

    name: str
    node: Node

    @property
    def addresses(self) -> list[str]:
        """Return its addresses with prefix length; "dhcp" and the like left out."""
        return [word for word in self.node.values("address") if "/" in word]

    @property
    def is_dynamic(self) -> bool:
        """Tell whether it learns its address and its default route from the other side."""
        words = self.node.values("address")
        return "dhcp" in words or self.name.startswith(("pppoe", "wwan", "sstpc"))


def read_interfaces_of(root: Node) -> list[Interface]:
    """Return every interface, VLANs and PPPoE on it included, by the name that rules use."""
    found: list[Interface] = []
    for kind in root.nodes("interfaces"):
        for node in kind.children.values():
            found.extend(_with_children(node.name, node, 0))
    return found


def _with_children(name: str, node: Node, depth: int) -> Iterator[Interface]:
    yield Interface(name, node)
    if depth >= MAX_NESTED:
        return
    for word in ("vif", "vif-s", "vif-c"):
        for child in node.nodes(word):
            yield from _with_children(f"{name}.{child.name}", child, depth + 1)
    for child in node.nodes("pppoe"):
        if child.name.isdecimal():  # 1.2: below the Ethernet interface
            yield from _with_children(f"pppoe{child.name}", child, depth + 1)


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule set at an interface: `direction` is in, out or local."""

    interface: str
    direction: str
    family: str
    ruleset: str
    node: Node


def bindings(root: Node, interfaces: list[Interface]) -> Iterator[Binding]:
    """Yield what 1.2 and 1.3 write below an interface, and early 1.4 below `firewall interface`."""
    holders = [(one.name, one.node.child("firewall")) for one in interfaces]
    holders += [(node.name, node) for node in root.nodes("firewall", "interface")]
    for name, holder in holders:
        for direction in holder.children.values() if holder else ():
            for word, family in (("name", "ipv4"), ("ipv6-name", "ipv6")):
                for ruleset in direction.nodes(word):
                    yield Binding(name, direction.name, family, ruleset.name, ruleset)
