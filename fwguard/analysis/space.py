"""Header space: seven dimensions of numbers (eight with the connection state), each with its universe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fwguard.analysis.interfaces import InterfaceTable
from fwguard.model.address import ALL_V4, ALL_V6, AddressSet, Family
from fwguard.model.intervals import Pairs, meet
from fwguard.model.policy import CtState, Hook, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL


class Dim(IntEnum):
    """What a packet is told apart by, in the order that regions are split.

    Interfaces come first because chains hang on them; the outer one, since real lists are longest by the
    server they protect. Measured on lists of 4 000 rules; other orders cost up to five times more.
    """

    EGRESS = 0
    INGRESS = 1
    SOURCE = 2
    TARGET = 3
    PROTOCOL = 4
    DPORT = 5
    SPORT = 6
    STATE = 7


DIMS: Final = len(Dim)
STATES: Final = tuple(CtState)
NEW: Final[Pairs] = ((STATES.index(CtState.NEW), STATES.index(CtState.NEW)),)
ALL_STATES: Final[Pairs] = ((0, len(STATES) - 1),)
WHOLE: Final = 0
NOTHING: Final = -1


class SetTable:
    """Every distinct set of one dimension, cut to the universe and numbered; 0 is the whole universe."""

    def __init__(self, universe: Pairs) -> None:
        self.universe = universe
        self.pairs: list[Pairs] = [universe]
        self._number: dict[Pairs, int] = {universe: WHOLE, (): NOTHING}
        self._meets: dict[tuple[int, int], int] = {}

    def number(self, pairs: Pairs) -> int:
        """Return the number of a set, or NOTHING when none of it is in the universe."""
        known = self._number.get(pairs)
        if known is None:
            cut = meet(pairs, self.universe)
            known = self._number.get(cut)
            if known is None:
                known = len(self.pairs)
                self.pairs.append(cut)
                self._number[cut] = known
            self._number[pairs] = known
        return known

    def meet(self, left: int, right: int) -> int:
        """Return the number of what two numbered sets share."""
        if left in (WHOLE, right):
            return right
        if right == WHOLE:
            return left
        key = (left, right)
        known = self._meets.get(key)
        if known is None:
            known = self._meets[key] = self.number(meet(self.pairs[left], self.pairs[right]))
        return known


Universe = Mapping[Dim, Pairs]


@dataclass(slots=True)
class Space:
    """The space of one hook and one IP version: its interface classes and its numbered sets."""

    hook: Hook
    family: Family  # V4 or V6, never both
    interfaces: InterfaceTable
    tables: tuple[SetTable, ...]

    @classmethod
    def of(
        cls, hook: Hook, family: Family, interfaces: InterfaceTable, universe: Universe | None = None
    ) -> Space:
        """Return the space, cut to `universe` in the dimensions it names (see `is_empty`).

        A packet to the firewall leaves by no interface and one from it comes by none: both are the class
        that no rule names.
        """
        nowhere = ((interfaces.unnamed, interfaces.unnamed),)
        whole: dict[Dim, Pairs] = {
            Dim.INGRESS: nowhere if hook is Hook.OUTPUT else interfaces.everything,
            Dim.EGRESS: nowhere if hook is Hook.INPUT else interfaces.everything,
            Dim.SOURCE: addresses_of(family),
            Dim.TARGET: addresses_of(family),
            Dim.PROTOCOL: ANY_PROTOCOL.pairs,
            Dim.DPORT: ANY_PORT.pairs,
            Dim.SPORT: ANY_PORT.pairs,
            Dim.STATE: NEW,
        }
        for dim, pairs in (universe or {}).items():
            whole[dim] = pairs if dim is Dim.STATE else meet(whole[dim], pairs)
        return cls(hook, family, interfaces, tuple(SetTable(whole[dim]) for dim in Dim))

    @property
    def is_empty(self) -> bool:
        """Tell whether no packet is in the space."""
        return not all(table.universe for table in self.tables)

    def numbers(self, match: Match, context: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the numbered sets of a match within a context, or None when they share nothing."""
        v4 = self.family is Family.V4
        tables = self.tables
        target = tables[3].number((match.target.v4 if v4 else match.target.v6).pairs)
        if target < 0 or (target := tables[3].meet(context[3], target)) < 0:
            return None
        source = tables[2].number((match.source.v4 if v4 else match.source.v6).pairs)
        if source < 0 or (source := tables[2].meet(context[2], source)) < 0:
            return None
        protocol = tables[4].number(match.protocol.pairs)
        if protocol < 0 or (protocol := tables[4].meet(context[4], protocol)) < 0:
            return None
        dport = tables[5].number(match.dport.pairs)
        if dport < 0 or (dport := tables[5].meet(context[5], dport)) < 0:
            return None
        sport = tables[6].number(match.sport.pairs)
        if sport < 0 or (sport := tables[6].meet(context[6], sport)) < 0:
            return None
        egress = tables[0].number(self.interfaces.pairs(match.egress))
        if egress < 0 or (egress := tables[0].meet(context[0], egress)) < 0:
            return None
        ingress = tables[1].number(self.interfaces.pairs(match.ingress))
        if ingress < 0 or (ingress := tables[1].meet(context[1], ingress)) < 0:
            return None
        state = tables[7].number(state_pairs(match.states))
        if state < 0 or (state := tables[7].meet(context[7], state)) < 0:
            return None
        return (egress, ingress, source, target, protocol, dport, sport, state)


ANYWHERE: Final = (WHOLE,) * DIMS
_STATE_PAIRS: Final[dict[frozenset[CtState], Pairs]] = {}


def state_pairs(states: frozenset[CtState]) -> Pairs:
    """Return connection states as numbers."""
    known = _STATE_PAIRS.get(states)
    if known is None:
        numbers = sorted(STATES.index(state) for state in states)
        runs: list[tuple[int, int]] = []
        for number in numbers:
            if runs and number == runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
        known = _STATE_PAIRS[states] = tuple(runs)
    return known


def addresses_of(family: Family) -> Pairs:
    """Return every address of one IP version."""
    return ALL_V4.pairs if family is Family.V4 else ALL_V6.pairs


def address_pairs(addresses: AddressSet, family: Family) -> Pairs:
    """Return the addresses of one IP version as numbers."""
    return (addresses.v4 if family is Family.V4 else addresses.v6).pairs
