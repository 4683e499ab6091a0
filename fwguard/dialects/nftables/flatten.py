"""NAT chains as one ordered list: what a jump, a return or an accept on the way means for each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.nftables.translate import Piece
from fwguard.model.matching import Region, share, without
from fwguard.model.policy import Action, Match, NatKind, NatRule

MAX_BOXES: Final = 256
MAX_RULES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of a NAT chain: its pieces, and the words that messages show."""

    pieces: tuple[Piece, ...]
    line: int
    text: str
    comment: str


def flatten(
    chains: Mapping[str, tuple[Step, ...]], base: str, region: Region, *, is_last: bool
) -> list[NatRule]:
    """Return the NAT rules of a base chain, first match first.

    `region` is what passes the chain at all. Where another NAT chain follows on the same hook
    (`is_last` false), `accept` ends this chain only and exempts from nothing.
    """
    walk = _Flattening(chains, is_last)
    walk.chain(base, region)
    return walk.out


class _Flattening:
    def __init__(self, chains: Mapping[str, tuple[Step, ...]], is_last: bool) -> None:
        self.chains = chains
        self.is_last = is_last
        self.out: list[NatRule] = []

    def chain(self, key: str, region: Region) -> Region:
        """Emit the rules of a chain for a region; return what ended there without being translated.

        The list is read first match first, so what a rule decides need not be taken from the region:
        only what leaves the chain undecided must.
        """
        ended: Region = ()
        for step in self.chains[key]:
            for piece in step.pieces:
                if not region or len(self.out) > MAX_RULES:
                    return ended
                taken = share(region, piece.region)
                if not taken or piece.action is Action.CONTINUE:
                    continue
                if piece.action in (Action.JUMP, Action.GOTO):
                    gone = self.chain(piece.jump, taken)
                    ended += gone
                    region = _leave(region, gone)
                if piece.action in (Action.GOTO, Action.RETURN):
                    region = _leave(region, taken)
                elif piece.nat:
                    for one in piece.nat:
                        self.emit(step, one.kind, share(region, one.region), one.to, one.to_ports)
                elif piece.action is Action.UNKNOWN:
                    self.emit(step, NatKind.UNKNOWN, taken)
                elif piece.action in (Action.ACCEPT, Action.DROP, Action.REJECT):
                    if self.is_last:
                        self.emit(step, NatKind.EXEMPT, taken)
                    else:
                        ended += taken
                        region = _leave(region, taken)
        return ended

    def emit(self, step: Step, kind: NatKind, matches: Region, *to: object) -> None:
        if matches:
            rule = NatRule(kind=kind, matches=matches, line=step.line, text=step.text, comment=step.comment)
            if to:
                rule = replace(rule, to=to[0], to_ports=to[1])  # type: ignore[arg-type]
            self.out.append(rule)


def _leave(region: Region, gone: Region) -> Region:
    """Return what stays: surely, where nothing left; unknown, where nobody knows what left."""
    if not gone:
        return region
    rest = without(region, (replace(one, unknown="") for one in gone))
    rest += share(region, (one for one in gone if one.unknown))
    if len(rest) > MAX_BOXES:
        return tuple(_doubted(one) for one in region)
    return rest


def _doubted(match: Match) -> Match:
    return replace(match, unknown=match.unknown or "too many returns before this rule")
