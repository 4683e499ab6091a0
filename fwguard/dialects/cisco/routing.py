"""Where static routes and interfaces' own prefixes lead: which interface stands before which addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fwguard.model.address import AddressSet, parse_span
from fwguard.model.intervals import Intervals, Pair, normalised

MAX_ROUTES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Leads:
    """Addresses of `prefix` are reached by `interface`; of two equal prefixes the lower metric counts."""

    prefix: str
    interface: str
    metric: int = 0


def behind(routes: Iterable[Leads]) -> dict[str, AddressSet]:
    """Return the addresses behind each interface: the longest prefix counts.

    Cost: linear in the routes, apart from sorting (nested prefixes are taken out of their parents).
    """
    found: dict[str, AddressSet] = {}
    spans: dict[int, dict[Pair, list[Leads]]] = {4: {}, 6: {}}
    for route in list(routes)[:MAX_ROUTES]:
        version, low, high = parse_span(route.prefix)
        spans[version].setdefault((low, high), []).append(route)
    for version, table in spans.items():
        for name, pairs in _shares(table).items():
            whole = Intervals.trusted(normalised(pairs))
            own = AddressSet(v4=whole) if version == 4 else AddressSet(v6=whole)
            found[name] = found.get(name, AddressSet()) | own
    return found


def _shares(table: Mapping[Pair, list[Leads]]) -> dict[str, list[Pair]]:
    owned: dict[str, list[Pair]] = {}
    stack: list[_Open] = []
    for low, high in sorted(table, key=lambda span: (span[0], -span[1])):
        _close(stack, low, owned)
        if stack:
            stack[-1].give(low - 1, owned)
        best = min(route.metric for route in table[low, high])
        names = {route.interface for route in table[low, high] if route.metric == best}
        stack.append(_Open(low, high, sorted(names)))
    _close(stack, 1 << 130, owned)
    return owned


@dataclass(slots=True)
class _Open:
    """A prefix inside which longer ones may still come; `start` is its first address not given away."""

    start: int
    end: int
    names: list[str]

    def give(self, until: int, owned: dict[str, list[Pair]]) -> None:
        if self.start <= until:
            for name in self.names:
                owned.setdefault(name, []).append((self.start, until))
            self.start = until + 1


def _close(stack: list[_Open], before: int, owned: dict[str, list[Pair]]) -> None:
    while stack and stack[-1].end < before:
        last = stack.pop()
        last.give(last.end, owned)
        if stack:
            stack[-1].start = max(stack[-1].start, last.end + 1)
