"""Address translation of IOS: static and dynamic, of sources inside, of sources outside, and load sharing.

Destination NAT comes before the filter and source NAT after in the model. IOS's lists see packets as they
are on their interface: `ios/seen.py` says what they see in the model's terms.
Source: IOS IP addressing command reference, `ip nat inside source`, `ip nat outside source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.cisco.addresses import host, prefix_of
from fwguard.dialects.cisco.groups import doubted
from fwguard.dialects.cisco.lines import Line, Words
from fwguard.dialects.cisco.names import IOS_PORTS, port
from fwguard.dialects.ios.configuration import Configuration, list_key
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.matching import without
from fwguard.model.policy import Action, InterfaceSet, Match, NatKind, NatRule, Rule
from fwguard.model.ports import ANY_PORT, TCP, UDP

MAX_LIST: Final = 64  # entries of a list that chooses what is translated
MAX_BOXES: Final = 512
_OPTIONS: Final = frozenset({"extendable", "no-alias", "no-payload", "forced", "overload", "match-in-vrf"})
_WITH_NAME: Final = frozenset({"route-map", "vrf", "redundancy", "mapping-id", "pool", "interface"})


@dataclass(frozen=True, slots=True)
class SourceChange:
    """Packets that match leave with a source in `to` (empty: nobody knows which); `one_to_one`: each its own."""

    match: Match
    to: AddressSet
    one_to_one: bool = False


class NatReader:
    """Reads the translations into rules, and into the changes of sources that outbound lists see."""

    def __init__(self, found: Configuration, lists: Mapping[str, tuple[Rule, ...]]) -> None:
        self.found = found
        self.lists = lists
        self.changes: list[SourceChange] = []
        self.inside = self._side("inside")
        self.outside = self._side("outside")

    def _side(self, side: str) -> InterfaceSet:
        return InterfaceSet.of(*(one.name for one in self.found.interfaces.values() if one.nat == side))

    def read(self) -> tuple[NatRule, ...]:
        """Return the rules: destination kinds first, those with ports before those without."""
        before: list[tuple[int, NatRule]] = []
        after: list[NatRule] = []
        for line in self.found.nat:
            try:
                rank, rule = self._rule(line)
            except InputError as error:
                self.found.note(line, str(error))
                match = Match(unknown=str(error)[:300])
                rank, rule = (
                    0,
                    NatRule(kind=NatKind.UNKNOWN, matches=(match,), line=line.number, text=line.text),
                )
            if rule.kind in (NatKind.SNAT, NatKind.MASQUERADE):
                after.append(rule)
            else:
                before.append((rank, rule))
        self.changes.sort(key=lambda change: not change.one_to_one)
        return (*(rule for _, rule in sorted(before, key=lambda one: one[0])), *after)

    def _rule(self, line: Line) -> tuple[int, NatRule]:
        words = Words(line.words, 2)
        side, what = words.next("inside or outside"), words.next("source or destination")
        how = words.next("static or list")
        if side not in ("inside", "outside") or what not in ("source", "destination"):
            raise InputError(f"{side[:40]} {what[:40]}", expected="inside source, outside source")
        if how == "static" and what == "source":
            return self._static(words, side, line)
        if how in ("list", "route-map") and (side, what) == ("inside", "source"):
            return 9, self._dynamic(words, how, line)
        if how == "list" and (side, what) == ("inside", "destination"):
            return 1, self._shared(words, line)
        raise InputError(f"{side} {what} {how[:40]}", expected="a static translation, or a list of sources")

    def _static(self, words: Words, side: str, line: Line) -> tuple[int, NatRule]:
        """Read `static [tcp|udp|network] LOCAL [PORT] GLOBAL [PORT]` (for `outside`, global before local)."""
        protocol = {"tcp": TCP, "udp": UDP}.get(words.peek())
        network = words.take("network")
        if protocol:
            words.next("a protocol")
        elif words.peek().isalpha() and not network:
            raise InputError(f"{words.peek()[:40]!r}", expected="an address, tcp, udp or network")
        own = host(words.next("an address"))
        own_port = port(words.next("a port"), IOS_PORTS) if protocol else ANY_PORT
        doubts: list[str] = []
        if words.take("interface"):
            seen_as = self._address_of(words.next("an interface"), doubts)
        else:
            seen_as = host(words.next("an address"))
        seen_port = port(words.next("a port"), IOS_PORTS) if protocol and words.left else own_port
        if network:
            mask = words.next("a mask or length")
            own, seen_as = (_network(one, mask) for one in (own, seen_as))
        self._options(words, doubts)
        doubt = "; ".join(doubts)
        come_in, go_out = (self.outside, self.inside) if side == "inside" else (self.inside, self.outside)
        of_protocol = Match().protocol if protocol is None else Intervals.single(protocol)
        match = doubted(Match(ingress=come_in, target=seen_as, protocol=of_protocol, dport=seen_port), doubt)
        change = Match(ingress=go_out, egress=come_in, source=own, protocol=of_protocol, sport=own_port)
        self.changes.append(
            SourceChange(doubted(change, doubt), seen_as if not doubt else AddressSet(), True)
        )
        kind = NatKind.DNAT if protocol else NatKind.STATIC
        return (0 if protocol else 2), NatRule(
            kind=kind if side == "inside" else NatKind.STATIC, matches=(match,), to=own,
            to_ports=own_port if protocol and own_port != seen_port else Intervals(),
            line=line.number, text=line.text,
        )  # fmt: skip

    def _address_of(self, name: str, doubts: list[str]) -> AddressSet:
        interface = self.found.interfaces.get(name)
        own = [address for address in interface.own if ":" not in address] if interface else []
        if not own or (interface and interface.dynamic):
            doubts.append(f"the address of {name} is not in the text")
            return Match().target
        return AddressSet.parse(*own[:1])

    def _options(self, words: Words, doubts: list[str]) -> None:
        while words.left:
            word = words.next("")
            if word in _WITH_NAME:
                doubts.append(f"{word} {words.next('a name')}")
            elif word not in _OPTIONS and word != "reversible":
                raise InputError(f"{word[:40]!r}", expected="extendable, route-map or vrf")

    def _dynamic(self, words: Words, how: str, line: Line) -> NatRule:
        """Read `list NAME|route-map NAME pool POOL|interface IF [overload]`."""
        name = words.next("a name")
        doubts: list[str] = []
        matches = self._chosen(name, doubts) if how == "list" else (Match(),)
        if how == "route-map":
            doubts.append(f"route-map {name}")
        kind, to = NatKind.SNAT, AddressSet()
        if words.take("interface"):
            kind = NatKind.MASQUERADE
            missing: list[str] = []
            seen = self._address_of(words.next("an interface"), missing)
            change_to = AddressSet() if missing else seen
        elif words.take("pool"):
            to = change_to = self._pool(words.next("a name"))
        else:
            raise InputError(f"{words.peek()[:40]!r}", expected="pool or interface")
        self._options(words, doubts)
        doubt = "; ".join(doubts)
        ready = tuple(
            doubted(replace(match, ingress=self.inside, egress=self.outside), doubt) for match in matches
        )
        self.changes += [SourceChange(match, change_to) for match in ready]
        return NatRule(kind=kind, matches=ready, to=to, line=line.number, text=line.text)

    def _shared(self, words: Words, line: Line) -> NatRule:
        """Read `inside destination list NAME pool POOL`: connections shared among servers."""
        doubts: list[str] = []
        matches = self._chosen(words.next("a name"), doubts)
        if words.next("pool") != "pool":
            raise InputError("no pool", expected="pool NAME")
        to = self._pool(words.next("a name"))
        doubt = "; ".join(doubts)
        tcp = Intervals.single(TCP)
        turned = []
        for match in matches:
            # A standard list names here what is asked for, not who asks.
            swap = match.target.v4.size == 1 << 32
            source, target = (match.target, match.source) if swap else (match.source, match.target)
            turned.append(
                doubted(
                    replace(match, ingress=self.outside, protocol=tcp, source=source, target=target), doubt
                )
            )
        return NatRule(kind=NatKind.DNAT, matches=tuple(turned), to=to, line=line.number, text=line.text)

    def _chosen(self, name: str, doubts: list[str]) -> tuple[Match, ...]:
        """Return what a list permits."""
        rules = self.lists.get(list_key("extended", name))
        if not rules:
            doubts.append(f"access-list {name} does not exist")
            return (Match(),)
        if len(rules) > MAX_LIST:
            doubts.append(f"access-list {name} is long")
            return (Match(),)
        denied: list[Match] = []
        chosen: list[Match] = []
        for rule in rules:
            if rule.action is Action.DROP:
                denied += [match for match in rule.matches if not match.unknown]
                continue
            chosen += without(rule.matches, denied)
            if len(chosen) > MAX_BOXES:
                doubts.append(f"access-list {name} has very many boxes")
                return (Match(),)
        return tuple(chosen)

    def _pool(self, name: str) -> AddressSet:
        line = self.found.pools.get(name)
        if line is None:
            raise InputError(f"pool {name[:40]!r} does not exist")
        return AddressSet.parse(f"{line.words[4]}-{line.words[5]}")


def _network(base: AddressSet, mask: str) -> AddressSet:
    number = base.v4.first
    text = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    if mask.startswith("/"):
        return AddressSet.parse(text + mask)
    return AddressSet.parse(prefix_of(text, mask))
