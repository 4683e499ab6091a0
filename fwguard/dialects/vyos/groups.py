"""Groups of addresses, networks, ports and interfaces, with the groups that they include.

A group that includes itself or one that does not exist has no value: who asks for it gets InputError, and
makes the rule unknown. Source: VyOS user guide, Firewall Groups; `verify_nested_group`.
"""

from __future__ import annotations

from typing import Final, TypeVar

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.vyos.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals

MAX_INCLUDED: Final = 4096
# What each kind calls its members.
MEMBERS: Final = {
    "address-group": "address", "ipv6-address-group": "address", "network-group": "network",
    "ipv6-network-group": "network", "port-group": "port", "interface-group": "interface",
    "mac-group": "mac-address", "domain-group": "address",
}  # fmt: skip
KNOWN_KINDS: Final = frozenset({*MEMBERS, "dynamic-group", "remote-group", "flow-group"})
Value = TypeVar("Value")


class Groups:
    """The `firewall group` subtree; every group is resolved once."""

    def __init__(self, tree: Node | None) -> None:
        self.tree = tree or Node("group")
        self._addresses: dict[tuple[str, str], AddressSet] = {}
        self._ports: dict[str, Intervals] = {}

    def addresses(self, kind: str, name: str, family: Family) -> AddressSet:
        """Return the members of an address or network group of one IP version. Raises InputError."""
        own = f"ipv6-{kind}" if family is Family.V6 and not kind.startswith("ipv6-") else kind
        key = (own, name)
        if key not in self._addresses:
            v4: list[tuple[int, int]] = []
            v6: list[tuple[int, int]] = []
            for word in self._members(own, name):
                version, low, high = parse_span(word)
                (v4 if version == 4 else v6).append((low, high))
            self._addresses[key] = AddressSet(Intervals.of(*v4), Intervals.of(*v6))
        found = self._addresses[key]
        if found.of_family(family) != found:
            raise InputError(f"{own} {name!r} holds the other IP version")
        return found

    def ports(self, name: str) -> Intervals:
        """Return the ports of a group. Raises InputError."""
        if name not in self._ports:
            spans = [port_words(word) for word in self._members("port-group", name)]
            self._ports[name] = Intervals.of(*(pair for span in spans for pair in span))
        return self._ports[name]

    def interfaces(self, name: str) -> list[str]:
        """Return the interfaces of a group; a name may end in `*`. Raises InputError."""
        return self._members("interface-group", name)

    def _members(self, kind: str, name: str) -> list[str]:
        found: dict[str, None] = {}
        seen = {name}
        waiting = [(name, 0)]
        while waiting:
            current, depth = waiting.pop()
            group = self.tree.child(kind, current)
            if group is None:
                raise InputError(f"{kind} {current!r} does not exist")
            found.update(dict.fromkeys(group.values(MEMBERS[kind])))
            for included in group.values("include"):
                if included in seen:
                    if self._leads_back(kind, included, current):
                        raise InputError(f"{kind} {included!r} includes itself")
                    continue
                seen.add(included)
                if len(seen) > MAX_INCLUDED:
                    raise InputError(f"{kind} {name!r} includes more than {MAX_INCLUDED} groups")
                waiting.append((included, depth + 1))
        return list(found)

    def _leads_back(self, kind: str, start: str, goal: str) -> bool:
        """Tell whether `goal` is among what `start` includes: then the two include each other."""
        seen = {start}
        waiting = [start]
        while waiting:
            current = waiting.pop()
            if current == goal:
                return True
            group = self.tree.child(kind, current)
            fresh = [one for one in (group.values("include") if group else []) if one not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        return False


def port_words(text: str) -> Intervals:
    """Read "443", "8000-8010" or "ssh"."""
    low, dash, high = text.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return Intervals.of((names.port_number(low), names.port_number(high)))
    if text in names.SERVICES or not dash:
        return Intervals.single(names.port_number(text))
    raise InputError(f"port {text[:40]!r}", expected="a number, a range 8000-8010, or a service name")
