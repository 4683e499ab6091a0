"""Groups of addresses, networks, ports and interfaces, with the groups that they include.

A group that includes one that does not exist has no value: who asks for it gets InputError, and makes the
rule unknown. One that includes itself is refused, as the device does. Source: VyOS user guide,
Firewall Groups; `verify_nested_group`.
"""

from __future__ import annotations

from typing import Final, TypeVar

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.loops import refuse_loops
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
    """The `firewall group` subtree; every group is resolved once.

    Raises UnreadableError for a group that includes itself.
    """

    def __init__(self, tree: Node | None) -> None:
        self.tree = tree or Node("group")
        self._addresses: dict[tuple[str, str], AddressSet] = {}
        self._ports: dict[str, Intervals] = {}
        for kind in self.tree.children:
            self._refuse_loops(kind)

    def _refuse_loops(self, kind: str) -> None:
        holder = self.tree.children[kind]
        refuse_loops(
            holder.children,
            lambda name: (one for one in holder.children[name].values("include") if one in holder.children),
            kind=kind,
            line_of=lambda name: holder.children[name].line,
        )

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
        waiting = [name]
        while waiting:
            current = waiting.pop()
            group = self.tree.child(kind, current)
            if group is None:
                raise InputError(f"{kind} {current!r} does not exist")
            found.update(dict.fromkeys(group.values(MEMBERS[kind])))
            for included in group.values("include"):
                if included in seen:
                    continue
                seen.add(included)
                if len(seen) > MAX_INCLUDED:
                    raise InputError(f"{kind} {name!r} includes more than {MAX_INCLUDED} groups")
                waiting.append(included)
        return list(found)


def port_words(text: str) -> Intervals:
    """Read "443", "8000-8010" or "ssh"."""
    low, dash, high = text.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return Intervals.of((names.port_number(low), names.port_number(high)))
    if text in names.SERVICES or not dash:
        return Intervals.single(names.port_number(text))
    raise InputError(f"port {text[:40]!r}", expected="a number, a range 8000-8010, or a service name")
