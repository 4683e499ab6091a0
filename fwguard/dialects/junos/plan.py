"""What a change needs on an SRX: address and application objects, policies in their place, NAT rules.

Everything a change makes is named `fw_TAG`, or `fw_TAG_…`: no tag holds an underscore, so no name of one
is a name of another. Names of NAT rules hold 31 characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos import predefined
from fwguard.dialects.junos.policies import HOST, Entry
from fwguard.dialects.junos.reader import Reading
from fwguard.dialects.junos.zones import MANAGEMENT
from fwguard.dialects.placement import place
from fwguard.dialects.statements import Addition, Statement, Words, say
from fwguard.dialects.towards import Towards
from fwguard.errors import InputError
from fwguard.model.address import (
    ANY_ADDRESS,
    ANY_V4,
    ANY_V6,
    AddressSet,
    Family,
    parse_span,
    show_address,
    show_span,
)
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.matching import shared_interfaces
from fwguard.model.policy import ANY_INTERFACE, Action, Chain, InterfaceSet, Policy, Rule
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, WITH_PORTS

MAX_OBJECTS: Final = 1024
POLICIES: Final[tuple[Words, ...]] = (("security",), ("policies",))
DEFAULT_ROUTES: Final = ("0.0.0.0/0", "::/0")
EVERYWHERE: Final = ("", "")  # a global policy
_NAMES: Final = {number: name for name, number in predefined.PROTOCOLS.items() if name != "icmpv6"}


def ours(tag: str) -> Callable[[str], bool]:
    """Return the test whether a name is of this change."""
    pattern = re.compile(rf"fw_{re.escape(tag)}(?:_[a-z0-9]+)?")
    return lambda name: pattern.fullmatch(name) is not None


@dataclass(slots=True)
class Plan:
    """Collects what to add; `root` is the configuration as it is resolved."""

    change: Change
    reading: Reading
    root: Node
    additions: list[Addition] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    made: dict[tuple[tuple[Words, ...], str], str] = field(default_factory=dict)
    towards: Towards = field(init=False)

    def __post_init__(self) -> None:
        self.towards = Towards(self._table())

    def make(self) -> list[Addition]:
        """Return every addition. Raises InputError where the change has no place."""
        several = len(self.change.openings) > 1
        for number, opening in enumerate(self.change.openings, 1):
            self._open(opening, f"fw_{self.change.tag}_{number}" if several else f"fw_{self.change.tag}")
        for redirection in self.change.redirections:
            self._redirect(redirection)
        if not self.additions:
            raise InputError(f"change {self.change.tag} holds nothing to write")
        if len(self.additions) > MAX_OBJECTS:
            raise InputError(f"the change takes more than {MAX_OBJECTS} objects", expected="fewer prefixes")
        return self.additions

    def _table(self) -> Iterator[tuple[str, str]]:
        zones = self.reading.zones
        for interface, prefix in zones.connected:
            if zones.name(interface) in zones.members:
                yield prefix, zones.name(interface)
        for route in self.reading.policy.routes:
            if route.interface in zones.members:
                yield route.prefix, route.interface

    def _name(self, kind: str) -> str:
        self.counted[kind] = self.counted.get(kind, 0) + 1
        return f"fw_{self.change.tag}_{kind}{self.counted[kind]}"

    def _open(self, opening: Opening, name: str) -> None:
        applications = self._applications(opening)
        for (start, end), target in self._ways(opening):
            part = replace(opening, target=target)
            if not part.families:
                continue
            before = self._before(start, end, part)
            match = [
                *(say("source-address", word) for word in self._addresses(opening.source, start, "s")),
                *(say("destination-address", word) for word in self._addresses(target, end, "d")),
                *(say("application", word) for word in applications),
            ]
            policy = Statement(
                ("policy", name), [say("match", inside=match), say("then", inside=[say("permit")])], before
            )
            context: Words = ("from-zone", start, "to-zone", end) if start else ("global",)
            self.additions.append(Addition((*POLICIES, context), policy))

    def _ways(self, opening: Opening) -> list[tuple[tuple[str, str], AddressSet]]:
        """Return the zone pairs that the opening goes through, each with its targets.

        Where neither interfaces nor routes tell, it is a global policy, and one of each pair that
        would deny it before.
        """
        targets, lost = self.towards.of(opening.target)
        sources, elsewhere = self.towards.of(opening.source)
        zones = [name for name in self.reading.zones.members if name != MANAGEMENT]
        if lost or not targets:
            pairs = {(e.from_zone, e.to_zone): None for e in self.reading.policies.entries if not e.is_global}
            denied = [pair for pair in pairs if HOST not in pair and self._denied(pair, opening)]
            return [(pair, opening.target) for pair in [*denied, EVERYWHERE]]
        starts = [zone for zone in zones if zone in sources or elsewhere]
        found = []
        for end, part in targets.items():
            for start in starts:
                inside = len(self.reading.zones.members.get(end, ())) > 1 or starts == [end]
                if start != end or inside:
                    found.append(((start, end), part))
        return found

    def _denied(self, pair: tuple[str, str], opening: Opening) -> bool:
        entries = self._entries(pair)
        index = _index(entries, opening, self.reading.policies.default[0])
        return index is not None and index < len(entries) and not entries[index].is_global

    def _entries(self, pair: tuple[str, str]) -> list[Entry]:
        """Return the policies that a packet between two zones meets, zones taken out of them."""
        found = []
        for entry in self.reading.policies.entries:
            if not entry.is_global and (entry.from_zone, entry.to_zone) != pair:
                continue
            kept = tuple(
                replace(match, ingress=ANY_INTERFACE, egress=ANY_INTERFACE)
                for match in entry.rule.matches
                if pair == EVERYWHERE or (_holds(match.ingress, pair[0]) and _holds(match.egress, pair[1]))
            )
            if kept and (pair != EVERYWHERE or entry.is_global):
                found.append(replace(entry, rule=replace(entry.rule, matches=kept)))
        return found

    def _before(self, start: str, end: str, opening: Opening) -> str:
        """Return the policy of the same list that the new one must stand before, empty for its end."""
        entries = self._entries((start, end))
        own = [entry for entry in entries if entry.is_global == (not start)]
        index = _index(entries, opening, self.reading.policies.default[0])
        if index is None:  # nothing denies it today: first, before what may be added later
            return own[0].node.word if own else ""
        if index < len(entries) and entries[index] in own:
            return entries[index].node.word
        return ""

    def _addresses(self, addresses: AddressSet, zone: str, kind: str) -> list[str]:
        if addresses == ANY_ADDRESS:
            return ["any"]
        words = []
        for all_of, word in ((ANY_V4, "any-ipv4"), (ANY_V6, "any-ipv6")):
            if all_of <= addresses:
                words.append(word)
                addresses = addresses - all_of
        for version, spans in ((4, addresses.v4), (6, addresses.v6)):
            for low, high in spans:
                words.append(self._address(version, low, high, zone, kind))
        return words

    def _address(self, version: int, low: int, high: int, zone: str, kind: str) -> str:
        way: tuple[Words, ...] = (("security",), ("address-book",), ("global",))
        if any(node.at("address-book") for node in self.root.below("security", "zones", "security-zone")):
            if not zone:
                raise InputError(
                    "addresses stand in the zones, and the zone of the target is not known",
                    expected="an interface address or a static route that leads to it",
                )
            way = (("security",), ("zones",), ("security-zone", zone), ("address-book",))
        if len(self.additions) > MAX_OBJECTS:
            raise InputError(f"the change takes more than {MAX_OBJECTS} objects", expected="fewer prefixes")
        span = show_span(version, low, high)
        if (way, span) in self.made:
            return self.made[way, span]
        name = self.made[way, span] = self._name(kind)
        if "-" in span:
            ends = (show_address(version, low), show_address(version, high))
            inner = Statement(("address", name), [say("range-address", ends[0], "to", ends[1])])
        else:
            bits = 32 if version == 4 else 128
            inner = say("address", name, span if "/" in span else f"{span}/{bits}")
        self.additions.append(Addition(way, inner))
        return name

    def _applications(self, opening: Opening) -> list[str]:
        names: list[str] = []
        for inside in _services(opening):
            if len(names) > MAX_OBJECTS:
                raise InputError(f"more than {MAX_OBJECTS} applications", expected="fewer port ranges")
            name = self._name("p")
            self.additions.append(Addition((("applications",),), Statement(("application", name), inside)))
            names.append(name)
        return names

    def _redirect(self, redirection: Redirection) -> None:
        version, public, _ = parse_span(redirection.public)
        other, inner, _ = parse_span(redirection.inner)
        if version != other:
            raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
        if redirection.protocol not in WITH_PORTS:
            raise InputError(f"a redirection of protocol {redirection.protocol}", expected="tcp or udp")
        bits = 32 if version == 4 else 128
        nat: tuple[Words, ...] = (("security",), ("nat",), ("destination",))
        pool = self._name("n")
        address = say(
            "address", f"{show_address(version, inner)}/{bits}", "port", str(redirection.inner_port)
        )
        self.additions.append(Addition(nat, Statement(("pool", pool), [address])))
        rule = [
            say(
                "match",
                inside=[
                    say("destination-address", f"{show_address(version, public)}/{bits}"),
                    say("destination-port", str(redirection.public_port)),
                    say("protocol", _protocol(redirection.protocol)),
                ],
            ),
            say("then", inside=[say("destination-nat", inside=[say("pool", pool)])]),
        ]
        for rule_set, before in self._rule_sets(redirection, nat):
            name = self._name("n")
            self.additions.append(
                Addition((*nat, ("rule-set", rule_set)), Statement(("rule", name), rule, before))
            )

    def _rule_sets(self, redirection: Redirection, nat: tuple[Words, ...]) -> list[tuple[str, str]]:
        """Return the rule sets to stand in, each with the rule to stand before; a new one for zones without."""
        sets = self.root.below("security", "nat", "destination", "rule-set")
        wanted = self._facing(redirection)
        found = []
        for rule_set in sets:
            zones = set(rule_set.words("from", "zone"))
            zones |= {self.reading.zones.name(one) for one in rule_set.words("from", "interface")}
            if zones & set(wanted):
                rules = rule_set.words("rule")
                found.append((rule_set.word, rules[0] if rules else ""))
                wanted = [zone for zone in wanted if zone not in rule_set.words("from", "zone")]
        if wanted:
            name = f"fw_{self.change.tag}"
            if not any(addition.way == (*nat, ("rule-set", name)) for addition in self.additions):
                self.additions.append(
                    Addition(
                        (*nat, ("rule-set", name)), say("from", inside=[say("zone", zone) for zone in wanted])
                    )
                )
            found.append((name, ""))
        return found

    def _facing(self, redirection: Redirection) -> list[str]:
        """Return the zones that connections to the public address come in by: the outside, where it is known."""
        zones = [name for name in self.reading.zones.members if name != MANAGEMENT]
        outside = [
            route.interface
            for route in self.reading.policy.routes
            if route.prefix in DEFAULT_ROUTES and route.interface in zones
        ]
        holding, _ = self.towards.of(AddressSet.parse(redirection.public))
        found = list(dict.fromkeys([*outside, *(zone for zone in holding if zone in zones)]))
        if not found and not zones:
            raise InputError("no zone to redirect from", expected="set security zones security-zone NAME")
        return found or zones


def _holds(interfaces: InterfaceSet, zone: str) -> bool:
    both, _ = shared_interfaces(interfaces, InterfaceSet.of(zone))
    return bool(both.names)


def _index(entries: list[Entry], opening: Opening, default: Action) -> int | None:
    rules: tuple[Rule, ...] = tuple(entry.rule for entry in entries)
    chain = Chain(name="policies", families=Family.BOTH, rules=rules, default=default)
    return place(Policy(dialect="junos", chains={"policies": chain}), "policies", opening, Family.BOTH)


def _protocol(number: int) -> str:
    return _NAMES.get(number, str(number))


def _services(opening: Opening) -> Iterator[list[Statement]]:
    """Yield the statements of each application: it holds one range of ports, or one ICMP type and code."""
    protocol = say("protocol", _protocol(opening.protocol))
    ports = opening.ports
    if not ports or ports == ANY_PORT:
        yield [protocol]
        return
    if opening.protocol in (ICMP, ICMPV6):
        word = "icmp" if opening.protocol == ICMP else "icmp6"
        for low, high in ports:
            key = low
            while key <= high:
                kind = say(f"{word}-type", str(key >> 8))
                whole = key & 0xFF == 0 and key + 255 <= high
                yield [protocol, kind] if whole else [protocol, kind, say(f"{word}-code", str(key & 0xFF))]
                key += 256 if whole else 1
        return
    if opening.protocol not in WITH_PORTS:
        raise InputError(f"ports of protocol {opening.protocol}", expected="tcp, udp or sctp")
    for low, high in ports:
        yield [protocol, say("destination-port", str(low) if low == high else f"{low}-{high}")]
