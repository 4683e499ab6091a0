"""What one rule matches, as products of sets: for each direction, a known part and what may be besides.

Source: `filter_generate_user_rule` of pfSense, `FilterRule` and `Rule::convertAddress` of OPNsense, pf.conf(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.pf.alias import Aliases
from fwguard.dialects.pf.bounds import ANYWHERE, EVERY_PORT, Addresses, Ports
from fwguard.dialects.pf.icmp import icmp_list
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, TCP, UDP

MAX_UNKNOWN: Final = 512
FAMILIES: Final = {"inet": Family.V4, "inet6": Family.V6, "inet46": Family.BOTH}
PROTOCOLS: Final = {"carp": 112, "pfsync": 240, "ipv6": 41, "ipencap": 4, "tp++": 39, "a/n": 107}
PORTED: Final = Intervals.single(TCP, UDP)


@dataclass(slots=True)
class Conditions:
    """The parts of a rule as read."""

    families: Family = Family.BOTH
    source: Addresses = ANYWHERE
    target: Addresses = ANYWHERE
    protocol: Intervals = ANY_PROTOCOL
    is_icmp: bool = False
    icmp: dict[Family, Intervals] = field(default_factory=dict)
    sport: Ports = EVERY_PORT
    dport: Ports = EVERY_PORT
    interfaces: InterfaceSet = field(default_factory=InterfaceSet)
    unknown: list[str] = field(default_factory=list)
    never: bool = False  # for a first packet

    def matches(self, *, out: bool = False) -> tuple[Match, ...]:
        """Return the matches where packets come in, or where they go out."""
        if self.never:
            return ()
        return tuple(match for family in self._families() for match in self._of(family, out))

    def _families(self) -> tuple[Family, ...]:
        apart = self.is_icmp and self.families is Family.BOTH
        return (Family.V4, Family.V6) if apart else (self.families,)

    def _of(self, family: Family, out: bool) -> Iterator[Match]:
        source, target = self.source.of_family(family), self.target.of_family(family)
        protocol, keys = self.protocol, ANY_PORT
        if self.is_icmp:
            protocol = Intervals.single(ICMPV6 if family is Family.V6 else ICMP)
            keys = self.icmp.get(family, ANY_PORT)
        exact = source.is_exact and target.is_exact and self.sport.is_exact and self.dport.is_exact
        base = Match(protocol=protocol, **{"egress" if out else "ingress": self.interfaces})  # type: ignore[arg-type]
        if not self.unknown:
            sure = replace(
                base,
                source=source.sure,
                target=target.sure,
                sport=self.sport.sure,
                dport=self.dport.sure & keys,
            )
            if _is_filled(sure):
                yield sure
        if self.unknown or not exact:
            doubts = [
                *self.unknown,
                *(part.why for part in (source, target, self.sport, self.dport) if part.why),
            ]
            unknown = "; ".join(dict.fromkeys(doubts))[:MAX_UNKNOWN] or "not known"
            maybe = replace(
                base, source=source.maybe, target=target.maybe, sport=self.sport.maybe,
                dport=self.dport.maybe & keys, unknown=unknown,
            )  # fmt: skip
            if _is_filled(maybe):
                yield maybe


def _is_filled(match: Match) -> bool:
    return bool(match.source.families & match.target.families and match.sport and match.dport)


class Reader:
    """Reads the conditions that rules of every kind share."""

    def __init__(self, aliases: Aliases, notes: Notes) -> None:
        self.aliases = aliases
        self.interfaces = aliases.interfaces
        self.notes = notes

    def is_off(self, rule: Node) -> bool:
        """Tell whether a rule surely does nothing: disabled, or a line of the page that is no rule."""
        if rule.has("separator") or rule.value("enabled") == "0":
            return True
        disabled = rule.child("disabled")
        if disabled is None or disabled.text == "0":
            return False
        return bool(disabled.text) or not self.notes.is_opnsense

    def doubt_disabled(self, rule: Node, into: Conditions) -> None:
        """OPNsense writes 1, and takes an empty element for no in one place and for yes in another."""
        disabled = rule.child("disabled")
        if disabled is not None and not disabled.text and self.notes.is_opnsense:
            into.unknown.append("disabled without a value")

    def family(self, rule: Node, into: Conditions) -> None:
        """Read `ipprotocol`; without it pfSense means IPv4, OPNsense both."""
        text = rule.value("ipprotocol")
        default = Family.BOTH if self.notes.is_opnsense else Family.V4
        into.families = FAMILIES.get(text, default)
        if text and text not in FAMILIES:
            into.families = Family.BOTH
            into.unknown.append(self.notes.add(rule, f"ipprotocol {text[:20]}"))

    def protocol(self, rule: Node, into: Conditions) -> None:
        """Read `protocol`."""
        text = rule.value("protocol").lower()
        if text in ("", "any"):
            return
        if text == "tcp/udp":
            into.protocol = PORTED
        elif text == "icmp":
            into.is_icmp = True
        elif text in PROTOCOLS:
            into.protocol = Intervals.single(PROTOCOLS[text])
        else:
            try:
                number = names.protocol_number(text)
            except InputError as error:
                into.unknown.append(self.notes.add(rule, str(error)))
                return
            into.protocol = ANY_PROTOCOL if number is None else Intervals.single(number)
            if number == ICMPV6:
                into.families &= Family.V6
                into.never = not into.families

    def icmp(self, rule: Node, into: Conditions) -> None:
        """Read the ICMP types."""
        for family, words in (
            (Family.V4, ("icmptype",)),
            (Family.V6, ("icmp6-type", "icmp6type", "icmptype")),
        ):
            text = next((rule.value(word) for word in words if rule.value(word)), "")
            if not text or text == "any" or not (into.is_icmp or into.protocol == Intervals.single(ICMPV6)):
                continue
            try:
                into.icmp[family] = icmp_list(text, family)
            except InputError as error:
                into.unknown.append(self.notes.add(rule, str(error)))
        if into.protocol == Intervals.single(ICMPV6) and Family.V6 in into.icmp:
            into.dport = Ports.exactly(into.icmp[Family.V6])

    def flags(self, rule: Node, into: Conditions) -> None:
        """A connection's first TCP packet is a SYN without ACK, FIN and RST; of the others nobody knows."""
        if (
            rule.value("protocol").lower() != "tcp"
            or rule.says("tcpflags_any")
            or not rule.value("tcpflags2")
        ):
            return
        wanted = [word for word in rule.value("tcpflags1").upper().split(",") if word]
        try:
            mask = names.flag_bits(rule.value("tcpflags2"))
            bits = names.flag_bits(",".join(wanted)) if wanted else 0
        except InputError as error:
            into.unknown.append(self.notes.add(rule, str(error)))
            return
        if bits & ~mask or (bits & names.SYN_MASK) != (names.SYN & mask):
            into.never = True
        elif mask & ~names.SYN_MASK:
            into.unknown.append(f"flags {rule.value('tcpflags1')}/{rule.value('tcpflags2')}")

    def interface_set(self, rule: Node, words: list[str], into: Conditions, *, negated: bool = False) -> None:
        """Read the interfaces of a rule; an unknown one makes the rule unknown, on any interface."""
        listed: set[str] = set()
        for word in words:
            found = self.interfaces.names(word)
            if found is None:
                into.unknown.append(self.notes.add(rule, f"interface {word[:40]} does not exist"))
                into.interfaces = InterfaceSet()
                return
            listed |= found
        if words:
            into.interfaces = InterfaceSet(frozenset(listed), negated)

    def legacy_side(self, rule: Node, tag: str, into: Conditions) -> Addresses:
        """Read `source` or `destination` as both products have written them from the start."""
        side = rule.child(tag)
        if side is None or (self.notes.is_opnsense and not side.children):
            return ANYWHERE
        if side.has("any"):
            return ANYWHERE
        word = side.value("network") or side.value("address")
        if not word:
            return Addresses.unknown(self.notes.add(rule, f"{tag} without network or address"))
        found = self.aliases.word(word, negated=side.says("not") and word != "any")
        if found.missing:
            self.notes.add(rule, found.why)
        return found

    def ports(self, rule: Node, text: str, into: Conditions) -> Ports:
        """Read the ports of one side; they count only where the protocol has ports."""
        if not text or text == "any":
            return EVERY_PORT
        if not into.protocol <= PORTED:
            if into.protocol == ANY_PROTOCOL and not into.is_icmp:
                into.unknown.append(self.notes.add(rule, "ports without a protocol"))
            return EVERY_PORT
        try:
            return self.aliases.ports(text)
        except InputError as error:
            return Ports(Intervals(), ANY_PORT, self.notes.add(rule, str(error)))
