"""Which rule sets the traffic of an opening meets: by the interfaces' own prefixes and the routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.vyos.reader import Configuration
from fwguard.dialects.vyos.rulesets import name_key
from fwguard.dialects.vyos.zones import Zone
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Opening
from fwguard.model.policy import Hook

DEFAULT_ROUTES: Final = ("0.0.0.0/0", "::/0")
Container = tuple[str, ...]  # the words before `rule`


@dataclass(frozen=True, slots=True)
class Place:
    """A rule set on the way: its chain, and the words of its rules."""

    key: str
    container: Container


def places_on_the_way(config: Configuration, opening: Opening, family: Family) -> list[Place]:
    """Return the rule sets that judge an opening, in the order of the packet.

    Raises InputError where zones leave no rule set for it.
    """
    word = "ipv4" if family is Family.V4 else "ipv6"
    table = _Table(config, family)
    inner = table.towards(opening.target)
    outer = table.towards(opening.source) - inner or table.others(inner)
    found: dict[str, Place] = {}
    for binding in config.bindings:
        if binding.family == word and binding.interface in {"in": outer, "out": inner}.get(
            binding.direction, ()
        ):
            found[name_key(word, binding.ruleset)] = named(config, word, binding.ruleset)
    base = f"{word} forward filter"
    if base in config.policy.hooks.get(Hook.FORWARD, ()):
        found[base] = Place(base, ("firewall", word, "forward", "filter"))
    for place in _between_zones(config, word, outer, inner):
        found[place.key] = place
    return list(found.values())


def named(config: Configuration, word: str, name: str) -> Place:
    """Return the place of a named rule set, as its layout writes it."""
    old = "name" if word == "ipv4" else "ipv6-name"
    container = ("firewall", old, name) if config.is_legacy else ("firewall", word, "name", name)
    return Place(name_key(word, name), container)


def _between_zones(config: Configuration, word: str, outer: set[str], inner: set[str]) -> list[Place]:
    places: list[Place] = []
    for target in _zones(config, inner):
        for source in _zones(config, outer):
            if source is target:
                continue
            ruleset = target.ruleset(source.name, word)
            if ruleset is None:
                raise InputError(
                    f"zone {target.name} has no {word} rule set for what comes from zone {source.name}",
                    where=f"line {target.node.line}", expected=f"from {source.name} firewall …",
                )  # fmt: skip
            places.append(named(config, word, ruleset.name))
        if outer and not _zones(config, outer):
            raise InputError(
                f"zone {target.name} drops what comes from an interface in no zone",
                where=f"line {target.node.line}", expected="a zone for " + ", ".join(sorted(outer)),
            )  # fmt: skip
    return places


def _zones(config: Configuration, interfaces: set[str]) -> list[Zone]:
    return [zone for zone in config.zones if not zone.is_local and interfaces & set(zone.members)]


class _Table:
    """Prefixes and the interfaces behind which they lie, of one IP version."""

    def __init__(self, config: Configuration, family: Family) -> None:
        self.version = 4 if family is Family.V4 else 6
        self.rows: list[tuple[int, int, str]] = []
        self.outside = {one.name for one in config.interfaces if one.is_dynamic}
        self.names = {one.name for one in config.interfaces if one.addresses or one.is_dynamic}
        self.names |= {binding.interface for binding in config.bindings}
        self.names |= {name for zone in config.zones for name in zone.members}
        for one in config.interfaces:
            for address in one.addresses:
                self._add(address, one.name)
        connected = list(self.rows)
        for route in config.policy.routes:
            if route.table != "main" or route.kind != "unicast":
                continue
            hop = _span(route.via, self.version) if route.via else None
            interface = route.interface or (_longest(connected, *hop) if hop else "")
            if interface and route.prefix in DEFAULT_ROUTES and _span(route.prefix, self.version):
                self.outside.add(interface)
            elif interface:
                self._add(route.prefix, interface)

    def _add(self, prefix: str, interface: str) -> None:
        span = _span(prefix, self.version)
        if span is not None:
            self.rows.append((*span, interface))

    def towards(self, addresses: AddressSet) -> set[str]:
        """Return the interfaces behind which the addresses lie; what is not routed inside lies outside."""
        spans = addresses.v4 if self.version == 4 else addresses.v6
        found: set[str] = set()
        for low, high in spans:
            name = _longest(self.rows, low, high)
            found |= {name} if name else self.outside
        return found

    def others(self, inner: set[str]) -> set[str]:
        """Return all other interfaces: where nobody can say which one it is."""
        return self.names - inner - {"lo"}


def _span(text: str, version: int) -> tuple[int, int] | None:
    try:
        found, low, high = parse_span(text)
    except InputError:
        return None
    return (low, high) if found == version else None


def _longest(rows: list[tuple[int, int, str]], low: int, high: int) -> str:
    holding = [(end - start, name) for start, end, name in rows if start <= low and high <= end]
    return min(holding)[1] if holding else ""
