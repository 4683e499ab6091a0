"""One entry of a standard, extended or IPv6 access list of IOS: what it matches, and what it does.

Lists of IOS keep no state. The model answers for the first packet of a connection: what only later packets
can match (`established`, `fragments`, TCP flags without SYN) matches no new one.
Source: IOS security command reference, `permit (IP)`, `permit (IPv6)`, `object-group`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from fwguard.dialects.bounds import ALL_SERVICES, EVERYWHERE, Addresses, Services, crossed, join, matches
from fwguard.dialects.bounds import Service as Plain
from fwguard.dialects.cisco.addresses import is_v4, is_v6, with_wildcard
from fwguard.dialects.cisco.groups import known_addresses, known_services, numbers
from fwguard.dialects.cisco.lines import Line, Words
from fwguard.dialects.cisco.names import IOS_PORTS, icmp_keys, is_icmp_type, port, protocols
from fwguard.dialects.ios.objects import Book
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_STATE, Action, CtState, Match, Rule, Unread
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, TCP

NOT_NEW: Final = ANY_STATE - {CtState.NEW}
ACTIONS: Final = {"permit": Action.ACCEPT, "deny": Action.DROP}
PORT_WORDS: Final = frozenset({"eq", "neq", "lt", "gt", "range"})
_FLAGS: Final = frozenset({"ack", "fin", "psh", "rst", "syn", "urg"})
# Conditions on fields that the model does not hold: words that follow each.
_UNDECIDED: Final = {
    "precedence": 1, "tos": 1, "dscp": 1, "time-range": 1, "option": 1, "flow-label": 1, "routing": 0,
    "dest-option": 0, "dest-option-type": 1, "hbh": 0, "mobility": 0, "mobility-type": 1, "auth": 0,
    "routing-type": 1, "undetermined-transport": 0,
}  # fmt: skip
_IGMP: Final = 2


@dataclass(slots=True)
class Entries:
    """Reads the entries of a configuration's lists; what is not understood goes to `unread`."""

    book: Book
    unread: list[Unread] = field(default_factory=list)

    def rule(self, line: Line, start: int, kind: str) -> Rule | None:
        """Read the entry that begins at word `start`; None for a remark. Never raises."""
        words = Words(line.words, start)
        if words.peek() == "sequence" or words.peek().isdecimal():
            words.take("sequence")
            words.next("a number")
        if words.peek() == "remark":
            return None
        doubts: list[str] = []
        if words.take("dynamic"):
            doubts.append(f"dynamic {words.peek()}: once a user has logged in")
            words.next("a name")
            if words.take("timeout"):
                words.next("minutes")
        if words.peek() == "evaluate":
            # What the list of the other direction let out comes back: no first packet.
            family = ANY_V6 if kind == "ipv6" else ANY_V4
            match = Match(source=family, target=family, states=NOT_NEW)
            return Rule(matches=(match,), action=Action.ACCEPT, line=line.number, text=line.text)
        action = ACTIONS.get(words.peek(), Action.UNKNOWN)
        whole = ANY_V6 if kind == "ipv6" else ANY_V4
        try:
            if action is Action.UNKNOWN:
                raise InputError(f"{words.peek()[:40]!r}", expected="permit or deny")
            words.next("permit or deny")
            read: Callable[[Words, list[str]], tuple[Match, ...]]
            read = self._standard if kind == "standard" else partial(self._matches, kind=kind)
            found = read(words, doubts)
            why = next((match.unknown for match in found if match.unknown), "")
            if any(text in why for text in ("does not exist", "itself", "too deep", "is empty")):
                self._note(line, why)
        except InputError as error:
            self._note(line, str(error))
            found = (Match(source=whole, target=whole, unknown=str(error)[:300]),)
        return Rule(matches=found, action=action, line=line.number, text=line.text)

    def _note(self, line: Line, why: str) -> None:
        self.unread.append(Unread(line=line.number, text=line.text, why=why))

    def _standard(self, words: Words, doubts: list[str]) -> tuple[Match, ...]:
        word = words.peek()
        if is_v4(word) and not is_v4(words.peek(1)):
            words.next("an address")
            source = Addresses(AddressSet.parse(word))
        else:
            source = self._address(words, "standard")
        if words.left:
            self._tail(words, doubts, Intervals(), "standard")
        return matches(EVERYWHERE, source, Addresses(ANY_V4), ALL_SERVICES, join(*doubts))

    def _matches(self, words: Words, doubts: list[str], *, kind: str) -> tuple[Match, ...]:
        services = self._services(words, kind)
        source = self._address(words, kind)
        sport = self._ports(words)
        target = self._address(words, kind)
        dport = self._ports(words)
        protocol = numbers(tuple(service.protocol for service in services.most))
        states, keys = self._tail(words, doubts, protocol, kind)
        on_ports = Services((Plain(dport=dport & keys, sport=sport, states=states),))
        return matches(EVERYWHERE, source, target, crossed(services, on_ports), join(*doubts))

    def _services(self, words: Words, kind: str) -> Services:
        word = words.next("a protocol")
        if word == "object-group":
            return known_services(*self.book.services.resolve(words.next("a name")))
        if kind == "ipv6" and word == "icmp":
            return Services((Plain(Intervals.single(ICMPV6)),))
        if kind == "ipv6" and word == "hbh":
            raise InputError("a hop-by-hop header")
        return Services((Plain(protocols(word)),))

    def _address(self, words: Words, kind: str) -> Addresses:
        word = words.next("an address")
        whole = ANY_V6 if kind == "ipv6" else ANY_V4
        if word == "any":
            return Addresses(whole)
        if word == "host":
            plain = words.next("an address")
            if "/" in plain or is_v6(plain) != (kind == "ipv6"):
                raise InputError(f"address {plain[:40]!r}", expected="one address of the list's IP version")
            return Addresses(AddressSet.parse(plain))
        if word == "object-group":
            return known_addresses(*self.book.networks.resolve(words.next("a name")), whole)
        if kind == "ipv6":
            if not is_v6(word) or "/" not in word:
                raise InputError(f"address {word[:40]!r}", expected="an IPv6 prefix, host or any")
            base, _, rest = word.partition("/")
            if "." in rest or ":" in rest:
                raise InputError(f"address {word[:40]!r}", expected="a prefix length")
            return Addresses(AddressSet.parse(f"{base}/{rest}"))
        addresses, exact = with_wildcard(word, words.next("a wildcard mask"))
        why = "a wildcard with very many holes"
        return Addresses(addresses) if exact else Addresses(AddressSet(), addresses, why)

    def _ports(self, words: Words) -> Intervals:
        how = words.take(*PORT_WORDS)
        if not how:
            return ANY_PORT
        first = port(words.next("a port"), IOS_PORTS)
        if how == "range":
            last = port(words.next("a port"), IOS_PORTS)
            return Intervals.of((first.first, last.first))
        if how == "lt":
            return Intervals.of((0, first.first - 1)) if first.first else Intervals()
        if how == "gt":
            return Intervals.of((first.first + 1, 65535)) if first.first < 65535 else Intervals()
        while words.peek().isdecimal() or words.peek() in IOS_PORTS:
            first |= port(words.next("a port"), IOS_PORTS)
        return ANY_PORT - first if how == "neq" else first

    def _tail(
        self, words: Words, doubts: list[str], protocol: Intervals, kind: str
    ) -> tuple[frozenset[CtState], Intervals]:
        """Read what follows the addresses: states of a new packet, ICMP type, and what stays in doubt."""
        states, keys = ANY_STATE, ANY_PORT
        version = 6 if kind == "ipv6" else 4
        is_icmp = protocol == Intervals.single(ICMPV6 if version == 6 else ICMP)
        while words.left:
            word = words.next("")
            if is_icmp and keys == ANY_PORT and is_icmp_type(word, version):
                code = words.next("a code") if word.isdecimal() and words.peek().isdecimal() else ""
                keys = icmp_keys(word, code, version)
            elif word in ("established", "fragments"):
                states = NOT_NEW
            elif word in ("match-any", "match-all"):
                flags = []
                while words.peek()[:1] in ("+", "-") and words.peek()[1:] in _FLAGS:
                    flags.append(words.next("a flag"))
                if not flags:
                    raise InputError(f"{word} without flags", expected="+syn, -ack, …")
                states = _with_flags(flags, word == "match-all", states, doubts)
            elif word in _FLAGS and protocol == Intervals.single(TCP):
                flags = [f"+{word}"]
                while words.peek() in _FLAGS:
                    flags.append(f"+{words.next('a flag')}")
                states = _with_flags(flags, False, states, doubts)
            elif word in ("log", "log-input"):
                if (
                    words.left
                    and words.peek() not in _UNDECIDED
                    and words.peek() not in ("sequence", "reflect")
                ):
                    words.next("a cookie")
            elif word == "sequence":
                words.next("a number")
            elif word == "reflect":
                words.next("a name")  # the entry itself matches as it stands
                if words.take("timeout"):
                    words.next("seconds")
            elif word == "ttl":
                how = words.next("eq, gt, lt, neq or range")
                values = [words.next("a value") for _ in range(2 if how == "range" else 1)]
                doubts.append(" ".join(("ttl", how, *values)))
            elif word in _UNDECIDED:
                named = words.next("a value") if _UNDECIDED[word] and words.left else ""
                doubts.append(f"{word} {named}".strip())
            elif protocol == Intervals.single(_IGMP):
                doubts.append(f"IGMP {word}")
            else:
                raise InputError(f"{word[:40]!r} after the addresses", expected="established, log, …")
        return states, keys


def _with_flags(
    flags: list[str], every: bool, states: frozenset[CtState], doubts: list[str]
) -> frozenset[CtState]:
    """A connection's first TCP packet has SYN, and neither ACK, RST nor FIN; of the others nobody knows."""
    sure = {"syn": True, "ack": False, "rst": False, "fin": False}
    known = [(flag[0] == "+") == sure[flag[1:]] for flag in flags if flag[1:] in sure]
    unsure = [flag for flag in flags if flag[1:] not in sure]
    if every:
        if not all(known):
            return NOT_NEW
    elif any(known):
        return states
    elif not unsure:
        return NOT_NEW
    if unsure:
        doubts.append("TCP flags " + " ".join(flags))
    return states


def families_of(kind: str) -> Family:
    """Return the IP version that a list judges."""
    return Family.V6 if kind == "ipv6" else Family.V4


def anything(kind: str) -> Match:
    """Return a match of every packet that a list of this kind judges."""
    whole = ANY_V6 if kind == "ipv6" else ANY_V4
    return Match(source=whole, target=whole, protocol=ANY_PROTOCOL)
