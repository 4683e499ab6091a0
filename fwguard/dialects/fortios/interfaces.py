"""Interfaces and zones of a FortiGate: a policy names either, a packet comes in by an interface.

A zone stands for its interfaces, and for its own name, so that a person may ask by either.
Source: FortiOS CLI reference, `system interface`, `system zone`, `system sdwan`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fwguard.dialects.bounds import join
from fwguard.dialects.fortios.objects import Book, subnet
from fwguard.dialects.fortios.tree import Entry, Setting
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet


@dataclass(slots=True)
class Zone:
    """A zone with its members; `passes` where traffic between them needs no policy."""

    name: str
    line: int
    members: list[str]
    passes: bool = False


@dataclass(slots=True)
class Interfaces:
    """What a virtual domain knows of its interfaces; `known` is empty where the text lists none."""

    known: dict[str, Entry] = field(default_factory=dict)
    zones: dict[str, Zone] = field(default_factory=dict)
    own: dict[str, AddressSet] = field(default_factory=dict)
    connected: dict[str, list[str]] = field(default_factory=dict)

    def of(self, setting: Setting | None, book: Book) -> tuple[InterfaceSet, str]:
        """Return the interfaces that a setting names, and a doubt or ""."""
        if setting is None or not setting.values:
            return ANY_INTERFACE, "no interface is named"
        if setting.values == ["any"]:
            return ANY_INTERFACE, ""
        names: list[str] = []
        doubt = ""
        for name in setting.values:
            zone = self.zones.get(name)
            names += [name, *(zone.members if zone else ())]
            if name == "any":
                doubt = join(doubt, "any beside others")
            elif zone is None and self.known and name not in self.known:
                doubt = join(doubt, f"interface {name[:60]} does not exist")
        if doubt:
            book.note(setting.line, setting.text, doubt)
        return (ANY_INTERFACE if "any" in names else InterfaceSet.of(*names)), doubt

    def zone_of(self, interface: str) -> str:
        """Return the name that policies must use for an interface: its zone's, where it is in one."""
        return next((zone.name for zone in self.zones.values() if interface in zone.members), interface)


def read_interfaces(name: str, domain: Entry, shared: Entry, only: bool, book: Book) -> Interfaces:
    """Read the interfaces of one domain, from its own tables and those for all; `only` one domain exists."""
    found = Interfaces()
    for table in (shared.table("system interface"), domain.table("system interface")):
        for entry in table.values():
            if only or entry.value("vdom", "root") == name:
                found.known[entry.name] = entry
    for entry in domain.table("system zone").values():
        passes = entry.value("intrazone") == "allow"
        found.zones[entry.name] = Zone(entry.name, entry.line, entry.values("interface"), passes)
    for path in ("system sdwan", "system virtual-wan-link"):
        whole = domain.of(path)
        for zone in ("virtual-wan-link", *whole.table("zone")):
            members = [
                one.value("interface")
                for one in whole.table("members").values()
                if one.value("zone", "virtual-wan-link") == zone and one.value("interface")
            ]
            if members:
                found.zones[zone] = Zone(zone, 0, members)
    for entry in found.known.values():
        _addresses(entry, found, book)
    return found


def _addresses(entry: Entry, found: Interfaces, book: Book) -> None:
    """Read the interface's own addresses, of both IP versions, primary and secondary."""
    own = AddressSet()
    texts: list[list[str]] = [entry.values("ip")]
    texts += [one.values("ip") for one in entry.table("secondaryip").values()]
    six = entry.of("ipv6")
    texts.append([six.value("ip6-address")])
    texts += [[one.name] for one in six.table("ip6-extra-addr").values()]
    for values in texts:
        if not values or values[0] in ("", "0.0.0.0", "::/0"):  # noqa: S104 - "not set"
            continue
        try:
            prefix = subnet(values)
            address = AddressSet.parse(values[0].partition("/")[0])
        except InputError as error:
            book.note(entry.line, f"edit {entry.name}", str(error))
            continue
        own |= address
        found.connected.setdefault(entry.name, []).extend(prefix.texts())
    if own and entry.value("mode", "static") == "static":
        found.own[entry.name] = own
