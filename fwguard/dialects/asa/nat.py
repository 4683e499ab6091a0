"""Address translation of an ASA from 8.3 on, in the order of its table.

Section 1 holds twice NAT as written, section 2 the rules of objects (static before dynamic, few real
addresses before many, low before high, then by name), section 3 what says `after-auto`. Access lists see
real addresses on both sides: a packet's destination after it was translated back, its source before it is
translated. That is the generic order, destination NAT before the filter and source NAT after.

Source: ASA firewall configuration guide, "NAT rule order", "Network object NAT", "Twice NAT".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from fwguard.dialects.asa.configuration import Configuration
from fwguard.dialects.cisco.addresses import host, is_v4, is_v6
from fwguard.dialects.cisco.groups import Service, union
from fwguard.dialects.cisco.lines import Line, Words
from fwguard.dialects.cisco.names import ASA_PORTS, port, protocols
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet, Match, NatKind, NatRule
from fwguard.model.ports import ANY_PORT

AFTER_FILTER: Final = (NatKind.SNAT, NatKind.MASQUERADE)
_SILENT: Final = frozenset(
    {"dns", "net-to-net", "no-proxy-arp", "route-lookup", "round-robin", "extended", "flat",
     "include-reserve", "block-allocation", "interface", "ipv6"}
)  # fmt: skip
_AFTER_SIDES: Final = _SILENT | {"service", "unidirectional", "inactive", "description"}
Order = tuple[int, int, int, int, str, int]


@dataclass(slots=True)
class _Ends:
    """The two interfaces of a rule, by name; "any" for every."""

    real: str = "any"
    mapped: str = "any"

    def of(self, name: str) -> InterfaceSet:
        return ANY_INTERFACE if name == "any" else InterfaceSet.of(name)


@dataclass(slots=True)
class _Side:
    """One address word of a rule: the addresses, or the interface's own, and what is not sure of it."""

    addresses: AddressSet = ANY_ADDRESS
    interface: bool = False
    doubt: str = ""


@dataclass(slots=True)
class _Twice:
    """The words of one twice NAT rule."""

    ends: _Ends
    static: bool = True
    real: _Side = field(default_factory=_Side)
    mapped: _Side | None = None
    mapped_target: _Side | None = None
    real_target: _Side | None = None
    before: Service | None = None
    after: Service | None = None
    unidirectional: bool = False
    inactive: bool = False


class NatReader:
    """Reads all translations of a configuration into `rules`, in the order in which they are tried."""

    def __init__(self, found: Configuration) -> None:
        self.found = found
        self.own = {name: AddressSet.parse(*one.own) for name, one in found.interfaces.items()}
        self.ordered: list[tuple[Order, list[NatRule]]] = []

    def read(self) -> tuple[NatRule, ...]:
        """Return the rules: destination kinds first, each kind in its order."""
        for place, line in enumerate(self.found.twice_nat):
            after_auto = "after-auto" in line.words[:3]
            self._keep((3 if after_auto else 1, 0, 0, 0, "", place), line, partial(self._twice, line))
        for name, line in self.found.object_nat:
            self._keep(self._order(name, line), line, partial(self._object, name, line))
        for line in self.found.old_nat:
            self.found.note(line, "address translation as before 8.3")
            self.ordered.append(((0, 0, 0, 0, "", line.number), [_unknown(line, "translation before 8.3")]))
        rules = [rule for _, some in sorted(self.ordered, key=lambda one: one[0]) for rule in some]
        return (
            *(rule for rule in rules if rule.kind not in AFTER_FILTER),
            *(rule for rule in rules if rule.kind in AFTER_FILTER),
        )

    def _keep(self, order: Order, line: Line, read: Callable[[], list[NatRule]]) -> None:
        try:
            rules = read()
        except InputError as error:
            self.found.note(line, str(error))
            rules = [_unknown(line, str(error))]
        self.ordered.append((order, rules))

    def _order(self, name: str, line: Line) -> Order:
        parts, _ = self.found.book.networks.resolve(name)
        real = union(parts)
        size = real.v4.size + real.v6.size
        lowest = min((pair[0] for pair in (*real.v4.pairs, *real.v6.pairs)), default=0)
        return 2, "dynamic" in line.words[:4], size, lowest, name, line.number

    def _ends(self, words: Words) -> _Ends:
        word = words.peek()
        if not word.startswith("("):
            return _Ends()
        words.next("interfaces")
        real, comma, mapped = word.strip("()").partition(",")
        if not (comma and real and mapped and word.endswith(")")):
            raise InputError(f"{word[:60]!r}", expected="(real,mapped)")
        for name in (real, mapped):
            if name != "any" and self.found.lacks(name):
                raise InputError(f"interface {name[:40]!r} does not exist")
        return _Ends(real, mapped)

    def _object(self, name: str, line: Line) -> list[NatRule]:
        words = Words(line.words, 1)
        ends = self._ends(words)
        real = self._named(name)
        how = words.next("static or dynamic")
        if how == "dynamic":
            return self._dynamic(words, ends, Match(source=real.addresses), real.doubt, line, name)
        if how != "static":
            raise InputError(f"{how[:40]!r}", expected="static or dynamic")
        mapped = self._side(words, ends.mapped, like=real.addresses)
        protocol, outer, inner = Match().protocol, ANY_PORT, Intervals()
        while words.left:
            word = words.next("")
            if word == "service":
                protocol = protocols(words.next("a protocol"))
                inner = port(words.next("the real port"), ASA_PORTS)
                outer = port(words.next("the mapped port"), ASA_PORTS)
            elif word not in _SILENT:
                raise InputError(f"{word[:40]!r}", expected="service, dns, no-proxy-arp or route-lookup")
        match = Match(ingress=ends.of(ends.mapped), target=mapped.addresses, protocol=protocol, dport=outer)
        return [self._inward(match, mapped, real, inner if inner != outer else Intervals(), line, name)]

    def _inward(
        self,
        match: Match,
        mapped: _Side,
        real: _Side,
        ports: Intervals,
        line: Line,
        comment: str,
        with_ports: NatKind = NatKind.DNAT,
    ) -> NatRule:
        """Return the rule that takes what comes for the mapped addresses to the real ones."""
        doubt = mapped.doubt or real.doubt or _uneven(mapped.addresses, real.addresses)
        if doubt:
            match = _with_doubt(match, doubt)
        kind, to = NatKind.STATIC, real.addresses
        if mapped.addresses == real.addresses and not ports:
            kind, to = NatKind.EXEMPT, AddressSet()
        elif match.dport != ANY_PORT:
            kind = with_ports
        return NatRule(
            kind=kind, matches=(match,), to=to, to_ports=ports, line=line.number, text=line.text,
            comment=comment,
        )  # fmt: skip

    def _dynamic(
        self, words: Words, ends: _Ends, match: Match, doubt: str, line: Line, comment: str
    ) -> list[NatRule]:
        kind, to = NatKind.SNAT, AddressSet()
        word = words.peek()
        if words.take("interface"):
            kind = NatKind.MASQUERADE
        else:
            words.take("pat-pool")
            if word not in ("destination", "service", ""):
                side = self._side(words, ends.mapped)
                to, doubt = side.addresses, doubt or side.doubt
        while words.left:
            word = words.next("")
            if word == "pat-pool":
                side = self._side(words, ends.mapped)
                to, doubt, kind = to | side.addresses, doubt or side.doubt, NatKind.SNAT
            elif word not in _SILENT:
                raise InputError(f"{word[:40]!r}", expected="interface, pat-pool or dns")
        ready = Match(
            ingress=ends.of(ends.real), egress=ends.of(ends.mapped), source=match.source, target=match.target,
            protocol=match.protocol, sport=match.sport, dport=match.dport, unknown=doubt,
        )  # fmt: skip
        return [
            NatRule(kind=kind, matches=(ready,), to=to, line=line.number, text=line.text, comment=comment)
        ]

    def _named(self, name: str) -> _Side:
        parts, doubt = self.found.book.networks.resolve(name)
        if not parts and "does not exist" in doubt:
            raise InputError(doubt)
        return _Side(union(parts) if parts and not doubt else ANY_ADDRESS, doubt=doubt)

    def _side(self, words: Words, interface: str, like: AddressSet | None = None) -> _Side:
        """Take an address word: a name, an inline address that is as large as `like`, or `interface`."""
        word = words.next("an address, object or interface")
        if word == "any":
            return _Side()
        if word == "interface":
            family = Family.V6 if words.take("ipv6") else Family.V4
            own = self.own.get(interface, AddressSet()).of_family(family)
            if not own:
                return _Side(interface=True, doubt=f"the address of {interface} is not in the text")
            return _Side(own, interface=True)
        if word in self.found.book.networks:
            return self._named(word)
        word = self.found.book.plain(word)
        if not (is_v4(word) or is_v6(word)):
            raise InputError(f"object {word[:60]!r} does not exist")
        if "/" in word:
            return _Side(AddressSet.parse(word))
        return _shaped(host(word), like)

    def _twice(self, line: Line) -> list[NatRule]:
        rule = self._parse(Words(line.words, 1))
        if rule.inactive:
            text = line.text
            return [NatRule(kind=NatKind.EXEMPT, matches=(), line=line.number, text=text, comment="inactive")]
        real_if, mapped_if = rule.ends.of(rule.ends.real), rule.ends.of(rule.ends.mapped)
        before, after = rule.before or Service(), rule.after or rule.before or Service()
        mapped = rule.mapped or rule.real
        doubt = rule.real.doubt or before.doubt or after.doubt
        rules: list[NatRule] = []
        outer = rule.mapped_target or _Side()
        inner = rule.real_target or outer
        forward = Match(
            ingress=real_if, source=rule.real.addresses, target=outer.addresses, protocol=before.protocol,
            sport=before.sport, dport=before.dport, unknown=doubt,
        )  # fmt: skip
        if rule.mapped_target is not None:
            ports = after.dport if after.dport != before.dport else Intervals()
            # No redirection of what comes from outside: it is the real side that asks for these targets.
            rules.append(self._inward(forward, outer, inner, ports, line, "", NatKind.NETMAP))
        if rule.static and not rule.unidirectional:
            back = Match(
                ingress=mapped_if, source=inner.addresses, target=mapped.addresses, protocol=after.protocol,
                sport=after.dport, dport=after.sport, unknown=doubt,
            )  # fmt: skip
            ports = before.sport if before.sport != after.sport else Intervals()
            rules.append(self._inward(back, mapped, rule.real, ports, line, ""))
        if not rule.static or rule.unidirectional:
            kind = NatKind.MASQUERADE if mapped.interface else NatKind.SNAT
            if mapped.addresses == rule.real.addresses and not mapped.interface:
                return rules
            rules.append(
                NatRule(
                    kind=kind, to=AddressSet() if mapped.interface else mapped.addresses, line=line.number,
                    text=line.text, matches=(
                        Match(
                            ingress=real_if, egress=mapped_if, source=rule.real.addresses,
                            target=inner.addresses, protocol=before.protocol, sport=before.sport,
                            dport=after.dport, unknown=doubt or mapped.doubt,
                        ),
                    ),
                )
            )  # fmt: skip
        return rules

    def _parse(self, words: Words) -> _Twice:
        rule = _Twice(self._ends(words))
        words.take("after-auto")
        if words.peek().isdecimal():
            words.next("a place")
        if words.next("source") != "source":
            raise InputError("no source", expected="source static or source dynamic")
        how = words.next("static or dynamic")
        if how not in ("static", "dynamic"):
            raise InputError(f"{how[:40]!r}", expected="static or dynamic")
        rule.static = how == "static"
        rule.real = self._side(words, rule.ends.real)
        if words.peek() not in ("destination", "service", ""):
            words.take("pat-pool")
            rule.mapped = self._side(words, rule.ends.mapped)
        while words.left:
            word = words.next("")
            if word == "destination":
                if words.next("static") != "static":
                    raise InputError("a destination that is not static", expected="destination static")
                rule.mapped_target = self._side(words, rule.ends.real)
                if words.peek() and words.peek() not in _AFTER_SIDES:
                    rule.real_target = self._side(words, rule.ends.mapped)
            elif word == "service":
                if words.take("any"):
                    words.take("any")
                    continue
                rule.before = self._service(words.next("a service object"))
                rule.after = self._service(words.next("a service object")) if words.left else None
            elif word == "pat-pool":
                rule.mapped = self._side(words, rule.ends.mapped)
            elif word in ("unidirectional", "inactive"):
                rule.unidirectional |= word == "unidirectional"
                rule.inactive |= word == "inactive"
            elif word == "description":
                break
            elif word not in _SILENT:
                raise InputError(f"{word[:40]!r}", expected="destination, service, dns or inactive")
        return rule

    def _service(self, name: str) -> Service:
        parts, doubt = self.found.book.services.resolve(name)
        if doubt or len(parts) != 1:
            raise InputError(doubt or f"{name} is more than one service")
        return parts[0]


def _shaped(base: AddressSet, like: AddressSet | None) -> _Side:
    """Return an inline mapped address as a range of the size of what it stands for."""
    wanted = (like.v4 if base.v4 else like.v6) if like is not None else Intervals()
    if like is None or like == ANY_ADDRESS or len(wanted.pairs) != 1 or wanted.size == 1:
        return _Side(base)
    first = (base.v4 or base.v6).first
    size = wanted.size
    doubt = ""
    if size & (size - 1) == 0 and wanted.first % size == 0:
        doubt = "" if first % size == 0 else "a mapped address inside its subnet"
        first -= first % size
    span = Intervals.of((first, first + size - 1))
    return _Side(AddressSet(v4=span) if base.v4 else AddressSet(v6=span), doubt=doubt)


def _uneven(mapped: AddressSet, real: AddressSet) -> str:
    """Say why nobody knows which address becomes which, or ""."""
    if mapped == real:
        return ""
    for outer, inner in ((mapped.v4, real.v4), (mapped.v6, real.v6)):
        if not outer and not inner:
            continue
        if not outer or not inner:
            return "one IP version becomes another"
        if inner.size > 1 and (len(inner.pairs) > 1 or len(outer.pairs) > 1 or inner.size < outer.size):
            return "several addresses become several"
    return ""


def _with_doubt(match: Match, doubt: str) -> Match:
    return Match(
        ingress=match.ingress, source=match.source, target=match.target, protocol=match.protocol,
        sport=match.sport, dport=match.dport, unknown=match.unknown or doubt,
    )  # fmt: skip


def _unknown(line: Line, why: str) -> NatRule:
    return NatRule(
        kind=NatKind.UNKNOWN, matches=(Match(unknown=why[:300]),), line=line.number, text=line.text
    )
