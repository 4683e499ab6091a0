"""What a change needs on PAN-OS: service objects, security rules in their place, NAT rules before all others.

Everything a change makes is named `fw_TAG`, or `fw_TAG_…`: no tag holds an underscore, so no name of one
is a name of another. A security rule names the address as the connection comes, so that what a redirection
of the same change leads inwards gets a rule for its public address too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import ANY, Firewall
from fwguard.dialects.panos.forms import DEFAULT_VSYS
from fwguard.dialects.panos.reader import Reading
from fwguard.dialects.panos.security import Entry, Security
from fwguard.dialects.placement import place
from fwguard.dialects.statements import Addition, Statement, Words, say
from fwguard.dialects.towards import Towards
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family, parse_span, show_address, show_span
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.matching import shared_interfaces
from fwguard.model.policy import ANY_INTERFACE, Chain, InterfaceSet, NatKind, Policy
from fwguard.model.ports import (
    AH,
    ANY_PORT,
    ESP,
    GRE,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    icmp_types,
    show_ports,
    show_protocol,
)

MAX_MEMBERS: Final = 1024
PORTS: Final = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}
# Protocols that an application of PAN-OS is, exactly.
BY_APPLICATION: Final = {GRE: "gre", ESP: "ipsec-esp", AH: "ipsec-ah", ICMP: "icmp", ICMPV6: "ipv6-icmp"}
ECHO: Final = {ICMP: ("ping", icmp_types(8, 8)), ICMPV6: ("ping6", icmp_types(128, 128))}
OWN_RULES: Final = ("rulebase", "pre-rulebase")


def ours(tag: str) -> Callable[[str], bool]:
    """Return the test whether a name is of this change."""
    pattern = re.compile(rf"fw_{re.escape(tag)}(?:_[a-z0-9]+)?")
    return lambda name: pattern.fullmatch(name) is not None


@dataclass(slots=True)
class Plan:
    """Collects what to add below the own rule base of the one firewall that the text is of."""

    change: Change
    reading: Reading
    prefix: tuple[Words, ...]  # where the virtual system or device group stands in the text
    additions: list[Addition] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    security: Security = field(init=False)
    towards: Towards = field(init=False)

    def __post_init__(self) -> None:
        if len(self.reading.security) != 1:
            names = ", ".join(one.firewall.name for one in self.reading.security)
            raise InputError(f"the text is of several firewalls: {names[:200]}", expected="one of them")
        self.security = self.reading.security[0]
        zones = set(self.firewall.names())
        network = self.reading.network
        table = [*network.connected()]
        table += [(route.prefix, route.interface) for route in self.reading.policy.routes]
        self.towards = Towards((prefix, zone) for prefix, zone in table if zone in zones)

    @property
    def firewall(self) -> Firewall:
        """Return the firewall that is changed."""
        return self.security.firewall

    def make(self) -> list[Addition]:
        """Return every addition. Raises InputError where the change has no place."""
        openings = list(self._openings())
        for number, opening in enumerate(openings, 1):
            self._open(
                opening, f"fw_{self.change.tag}_{number}" if len(openings) > 1 else f"fw_{self.change.tag}"
            )
        for redirection in self.change.redirections:
            self._redirect(redirection)
        if not self.additions:
            raise InputError(f"change {self.change.tag} holds nothing to write")
        return self.additions

    def _openings(self) -> Iterator[tuple[Opening, AddressSet]]:
        """Yield each opening with what its target is behind NAT: itself, or the inner end of a redirection."""
        for opening in self.change.openings:
            yield from self._behind_nat(opening)
            for redirection in self.change.redirections:
                inner, public = AddressSet.parse(redirection.inner), AddressSet.parse(redirection.public)
                same = redirection.protocol == opening.protocol and inner <= opening.target
                if same and redirection.inner_port in (opening.ports or ANY_PORT):
                    ports = Intervals.single(redirection.public_port)
                    source = opening.source.of_family(public.families)
                    yield replace(opening, target=public, source=source, ports=ports), inner

    def _behind_nat(self, opening: Opening) -> Iterator[tuple[Opening, AddressSet]]:
        """The zone that a connection leaves by is the one behind the firewall's own destination NAT."""
        left = opening.target
        for rule in self.reading.policy.nat:
            if rule.kind is not NatKind.DNAT or not rule.to:
                continue
            for match in rule.matches:
                hit = left & match.target
                ports = opening.ports or ANY_PORT
                if hit and opening.protocol in match.protocol and ports.overlaps(match.dport):
                    yield replace(opening, target=hit, source=opening.source.of_family(hit.families)), rule.to
                    left = left - match.target
        if left:
            yield replace(opening, target=left, source=opening.source.of_family(left.families)), left

    def _name(self, kind: str) -> str:
        self.counted[kind] = self.counted.get(kind, 0) + 1
        return f"fw_{self.change.tag}_{kind}{self.counted[kind]}"

    def _add(self, way: Words, statement: Statement) -> None:
        self.additions.append(Addition((*self.prefix, *((word,) for word in way)), statement))

    def _open(self, asked: tuple[Opening, AddressSet], name: str) -> None:
        opening, behind = asked
        starts, ends = self._zones(opening.source, elsewhere=True), self._zones(behind, elsewhere=False)
        families = opening.families
        applications, services = self._service(opening)
        base, before = self._place(opening, starts, ends)
        rule = [
            *(say("from", zone) for zone in starts),
            *(say("to", zone) for zone in ends),
            *(say("source", word) for word in self._addresses(opening.source, families)),
            *(say("destination", word) for word in self._addresses(opening.target, families)),
            *(say("application", word) for word in applications),
            *(say("service", word) for word in services),
            say("action", "allow"),
        ]
        self._add((base, "security", "rules"), Statement((name,), rule, before))

    def _zones(self, addresses: AddressSet, *, elsewhere: bool) -> list[str]:
        """Return the zones that addresses lie behind, as the text calls them; any where that is not known."""
        found, left = self.towards.of(addresses)
        if not found or (left and not elsewhere):
            return [ANY]
        written = {model: word for word, model in self.firewall.zones.items()}
        if left:
            return [written[zone] for zone in self.firewall.names()]
        return [written[zone] for zone in found]

    def _place(self, opening: Opening, starts: list[str], ends: list[str]) -> tuple[str, str]:
        """Return the own rule base, and the rule to stand before (empty: at its end)."""
        own = [entry for entry in self.security.entries if entry.base.is_own]
        base = next((entry.base.where.rpartition(" ")[2] for entry in own), "")
        if not base:
            of_group = self.reading.found.choices
            base = "pre-rulebase" if of_group else "rulebase"
        first = len(self.security.entries)
        nothing = True
        for start in self._each(starts):
            for end in self._each(ends):
                kept = self._between(start, end)
                index = self._index([entry for _, entry in kept], opening, start == end)
                if index is not None:
                    nothing = False
                    first = min(first, kept[index][0] if index < len(kept) else first)
        if nothing:  # nothing denies it today: first, before what may be added later
            return base, own[0].node.word if own else ""
        if first == len(self.security.entries):
            return base, ""
        entry = self.security.entries[first]
        if entry.base.is_own:
            return base, entry.node.word
        later = [number for number, one in enumerate(self.security.entries) if one.base.is_own]
        if not later or later[-1] < first:
            if any(one.base.where.endswith("pre-rulebase") for one in self.security.entries[: first + 1]):
                raise InputError(
                    f"{entry.base.where} rule {entry.node.word[:60]} denies it before any rule of the firewall",
                    expected="a change of those rules",
                )
            return base, ""
        raise InputError(
            f"{entry.base.where} rule {entry.node.word[:60]} denies it before any rule of the firewall",
            expected="a change of those rules",
        )

    def _each(self, zones: list[str]) -> list[str]:
        names = self.firewall.names() or [""]
        return names if ANY in zones else [self.firewall.zones.get(zone, zone) for zone in zones]

    def _between(self, start: str, end: str) -> list[tuple[int, Entry]]:
        """Return the rules that a packet between two zones meets, zones taken out of them."""
        found = []
        for number, entry in enumerate(self.security.entries):
            kept = tuple(
                replace(match, ingress=ANY_INTERFACE, egress=ANY_INTERFACE)
                for match in entry.rule.matches
                if _holds(match.ingress, start) and _holds(match.egress, end)
            )
            if kept:
                found.append((number, replace(entry, rule=replace(entry.rule, matches=kept))))
        return found

    def _index(self, entries: list[Entry], opening: Opening, within: bool) -> int | None:
        inner, _, between, _ = self.security.defaults()
        chain = Chain(
            name="security", families=Family.BOTH, rules=tuple(entry.rule for entry in entries),
            default=inner if within else between,
        )  # fmt: skip
        return place(Policy(dialect="panos", chains={"security": chain}), "security", opening, Family.BOTH)

    def _addresses(self, addresses: AddressSet, families: Family) -> list[str]:
        if ANY_ADDRESS.of_family(families) <= addresses:
            return [ANY]
        words = []
        for version, spans in ((4, addresses.v4), (6, addresses.v6)):
            for low, high in spans:
                word = show_span(version, low, high)
                if version == 6 and low == 0:
                    raise InputError(
                        f"{word}: PAN-OS takes IPv4 for a part of it", expected="a narrower prefix"
                    )
                words.append(self._address(word, version))
        if len(words) > MAX_MEMBERS:
            raise InputError(f"more than {MAX_MEMBERS} addresses", expected="fewer prefixes")
        return words

    def _address(self, word: str, version: int) -> str:
        """A rule may say an address itself, unless an object has just that name."""
        objects = self.firewall.bases[0].objects if self.firewall.bases else None
        if objects is None or not any(objects.find(kind, word) for kind in ("address", "address-group")):
            return word
        name = self._name("a")
        kind = "ip-range" if "-" in word else "ip-netmask"
        self._add(("address",), Statement((name,), [say(kind, word)]))
        return name

    def _service(self, opening: Opening) -> tuple[list[str], list[str]]:
        """Return the words for application and service."""
        protocol, ports = opening.protocol, opening.ports
        if protocol in PORTS:
            name = self._name("p")
            said = "1-65535" if not ports or ports == ANY_PORT else show_ports(ports)
            inner = Statement((PORTS[protocol],), [say("port", said)])
            self._add(("service",), Statement((name,), [Statement(("protocol",), [inner])]))
            return [ANY], [name]
        if not ports or ports == ANY_PORT:
            if protocol in BY_APPLICATION:
                return [BY_APPLICATION[protocol]], [ANY]
        elif protocol in ECHO and ports == ECHO[protocol][1]:
            return [ECHO[protocol][0]], [ANY]
        raise InputError(
            f"{show_protocol(protocol)} {show_ports(ports) if ports else ''}".strip(),
            expected="tcp, udp, sctp, icmp or an echo request: PAN-OS has rules for no others",
        )

    def _redirect(self, redirection: Redirection) -> None:
        version, public, _ = parse_span(redirection.public)
        other, inner, _ = parse_span(redirection.inner)
        if version != other or version == 6:
            raise InputError(
                f"{redirection.public} to {redirection.inner}",
                expected="IPv4: PAN-OS redirects no IPv6 ports",
            )
        if redirection.protocol not in PORTS:
            raise InputError(f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp or udp")
        service = self._name("p")
        port = Statement((PORTS[redirection.protocol],), [say("port", str(redirection.public_port))])
        self._add(("service",), Statement((service,), [Statement(("protocol",), [port])]))
        facing = self._zones(AddressSet.parse(redirection.public), elsewhere=False)
        own = [base for base in self.firewall.bases if base.is_own]
        rules = own[0].node.words("nat", "rules") if own else []
        base = "pre-rulebase" if self.reading.found.choices else "rulebase"
        rule = [
            say("from", ANY),
            *(say("to", zone) for zone in facing),
            say("source", ANY),
            say("destination", show_address(version, public)),
            say("service", service),
            say(
                "destination-translation",
                inside=[
                    say("translated-address", show_address(version, inner)),
                    say("translated-port", str(redirection.inner_port)),
                ],
            ),
        ]
        self._add((base, "nat", "rules"), Statement((self._name("n"),), rule, rules[0] if rules else ""))


def _holds(interfaces: InterfaceSet, zone: str) -> bool:
    if interfaces.is_any:
        return True
    both, _ = shared_interfaces(interfaces, InterfaceSet.of(zone))
    return bool(both.names)


def prefix_of(raw: Node, firewall: Firewall, *, of_group: bool) -> tuple[Words, ...]:
    """Return where the virtual system or device group stands in a text as it is written."""
    kind = "device-group" if of_group else "vsys"
    if not of_group and firewall.name == DEFAULT_VSYS and raw.at("rulebase") is not None:
        return ()
    heads: list[tuple[str, ...]] = [(), ("config",)]
    heads += [("devices", device) for device in raw.words("devices")]
    heads += [("config", "devices", device) for device in raw.words("config", "devices")]
    for head in heads:
        path = (*head, kind, firewall.name)
        if raw.at(*path) is not None:
            return tuple((word,) for word in path)
    return () if not of_group else (("device-group",), (firewall.name,))
