"""What an IOS list sees, said in the addresses of the model: after destination NAT, before source NAT.

An inbound list sees a packet before its destination is translated, an outbound one after its source is. So
where translation happens on an interface, its lists are rewritten: an entry for a public address becomes
one for the server behind it. A packet that bears the server's own address from the start looks like that
afterwards, too; what an entry permits of such packets is kept in doubt, and what it denies of them is left
to the entries for the public address, so that no permit is ever lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fwguard.dialects.ios.configuration import Interface
from fwguard.dialects.ios.nat import NatReader, SourceChange
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region, intersect, share, without
from fwguard.model.policy import Action, Match, NatKind, NatRule, Rule
from fwguard.model.ports import ANY_PORT

DIRECT: Final = "when it bears that address from the start, and is not redirected to it"
MAX_BOXES: Final = 256


class Seen:
    """Rewrites lists for the interfaces that translate."""

    def __init__(self, nat: tuple[NatRule, ...], reader: NatReader) -> None:
        self.inward = [rule for rule in nat if rule.kind not in (NatKind.SNAT, NatKind.MASQUERADE)]
        self.changes = reader.changes

    def rules(self, rules: tuple[Rule, ...], one: Interface, direction: str) -> tuple[Rule, ...]:
        """Return the rules of a list as they act on the interface; the same object where nothing differs."""
        if direction == "in":
            pairs = [
                (match, rule) for rule in self.inward for match in rule.matches if one.name in match.ingress
            ]
            if not pairs:
                return rules
            return tuple(replace(rule, matches=_before(rule, pairs)) for rule in rules)
        changes = [change for change in self.changes if one.name in change.match.egress]
        if not changes:
            return rules
        return tuple(
            replace(rule, matches=tuple(new for match in rule.matches for new in _after(match, changes)))
            for rule in rules
        )


def _before(rule: Rule, pairs: list[tuple[Match, NatRule]]) -> tuple[Match, ...]:
    """Return an inbound entry in the addresses after destination NAT."""
    out: list[Match] = []
    rest: Region = rule.matches
    arrivals: list[Match] = []
    for condition, nat in pairs:
        asked = replace(condition, ingress=Match().ingress)
        if nat.kind is NatKind.UNKNOWN:
            why = f"line {nat.line} may redirect it"
            rest = tuple(
                match if _asks_nothing(match) else replace(match, unknown=match.unknown or why)
                for match in rest
            )
            continue
        arrivals.append(replace(asked, target=nat.to, dport=nat.to_ports or asked.dport, unknown=""))
        for hit in share(rest, [asked]):
            target, sure = _moved(hit.target, asked.target, nat.to)
            unknown = hit.unknown if sure else hit.unknown or f"line {nat.line} redirects it"
            out.append(replace(hit, target=target, dport=nat.to_ports or hit.dport, unknown=unknown))
        rest = without(rest, [asked])
    if len(rest) > MAX_BOXES:
        return tuple(replace(match, unknown=match.unknown or "it is redirected") for match in rule.matches)
    clear = without(rest, arrivals)
    direct = share(rest, arrivals) if rule.action is not Action.DROP else ()
    return (*out, *clear, *(replace(match, unknown=match.unknown or DIRECT) for match in direct))


def _asks_nothing(match: Match) -> bool:
    """Tell whether a match says nothing of the target, so that no redirection makes a difference to it."""
    return match.dport == ANY_PORT and match.target.v4.size == 1 << 32


def _moved(hit: AddressSet, asked: AddressSet, to: AddressSet) -> tuple[AddressSet, bool]:
    """Return where some of the asked addresses go, and whether that is exact."""
    if hit == asked or to.v4.size == 1:
        return to, True
    if len(asked.v4.pairs) == len(to.v4.pairs) == 1 and asked.v4.size == to.v4.size:
        shift = to.v4.first - asked.v4.first
        return AddressSet(Intervals.of(*((low + shift, high + shift) for low, high in hit.v4))), True
    return to, False


def _after(match: Match, changes: list[SourceChange]) -> tuple[Match, ...]:
    """Return an outbound entry in the addresses before source NAT."""
    out: list[Match] = []
    done: list[Match] = []
    for change in changes:
        asked = replace(change.match, ingress=Match().ingress, egress=Match().egress)
        wide = replace(match, source=asked.source, sport=ANY_PORT)
        if (before := intersect(wide, replace(asked, unknown=""))) is None:
            continue
        for part in without([before], done):
            out += _translated(part, match, change)
        if not asked.unknown:
            done.append(asked)
    return (*out, *without([match], done))


def _translated(part: Match, match: Match, change: SourceChange) -> tuple[Match, ...]:
    """Return what of a translated part an entry matches, by the source that it leaves with."""
    unknown = part.unknown or change.match.unknown
    if not change.to:
        return (replace(part, unknown=unknown or "its source is translated to what is not in the text"),)
    common = change.to & match.source
    if not common:
        return ()
    if match.sport != ANY_PORT:
        unknown = unknown or "its source port is translated"
    if common == change.to:
        return (replace(part, unknown=unknown),)
    own = change.match.source
    if (
        change.one_to_one
        and len(own.v4.pairs) == len(change.to.v4.pairs) == 1
        and own.v4.size == change.to.v4.size
    ):
        shift = own.v4.first - change.to.v4.first
        source = AddressSet(Intervals.of(*((low + shift, high + shift) for low, high in common.v4)))
        source &= part.source
        return (replace(part, source=source, unknown=unknown),) if source else ()
    return (replace(part, unknown=unknown or "its source is translated to one of several"),)
