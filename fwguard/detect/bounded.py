"""Memory that has an end: the oldest goes first, and what went is counted."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """At most `most` entries, in the order in which they came; `dropped` counts those that were forgotten."""

    __slots__ = ("dropped", "entries", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.dropped = 0
        self.entries: OrderedDict[K, V] = OrderedDict()  # a dict finds its oldest in linear time

    def take(self, key: K, make: Callable[[], V]) -> V:
        """Return the entry, made anew when it is not there."""
        entry = self.entries.get(key)
        if entry is None:
            if len(self.entries) >= self.most:
                self.entries.popitem(last=False)
                self.dropped += 1
            entry = self.entries[key] = make()
        return entry


class Window:
    """What happened within the last `window_s`: at most `most` events with their packets and what they hit."""

    __slots__ = ("events", "window_s")

    def __init__(self, window_s: float, most: int = 256) -> None:
        self.window_s = window_s
        self.events: deque[tuple[float, int, bytes]] = deque(maxlen=most)

    def add(self, time_s: float, number: int, what: bytes = b"") -> int:
        """Add one event; return how many lie within the window."""
        events = self.events
        events.append((time_s, number, what))
        while events[0][0] < time_s - self.window_s:
            events.popleft()
        return len(events)

    def distinct(self) -> int:
        """Return how many different things were hit."""
        return len({what for _, _, what in self.events})

    def numbers(self, most: int = 32) -> tuple[int, ...]:
        """Return the packets of the last events."""
        return tuple(number for _, number, _ in list(self.events)[-most:])
