"""The frames that evidence is made of: the last of each port, cut, within a fair share of one memory.

A port that sends much pushes out its own frames first, so that nobody hides what it did behind another's noise.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from fwguard.model.detection import Detection

FRAME_COST_BYTES: Final = 200  # of the objects around a frame


class KeptFrame(NamedTuple):
    """A frame as it was seen: packet number, seconds, LINKTYPE_ number, its first bytes, its whole length."""

    number: int
    time_s: float
    link: int
    data: bytes
    length_bytes: int


class _Ring:
    __slots__ = ("bytes", "frames")

    def __init__(self) -> None:
        self.frames: deque[KeptFrame] = deque()
        self.bytes = 0


class Kept:
    """At most `held_bytes_most` of frames; `dropped` counts those that had to go."""

    __slots__ = ("dropped", "frame_bytes", "held", "held_bytes_most", "rings")

    def __init__(self, *, held_bytes_most: int = 16 << 20, frame_bytes: int = 512) -> None:
        self.held_bytes_most = held_bytes_most
        self.frame_bytes = frame_bytes
        self.held = 0
        self.dropped = 0
        self.rings: OrderedDict[str, _Ring] = OrderedDict()

    def add(self, number: int, time_s: float, link: int, frame: bytes, ingress: str = "") -> None:
        """Keep a frame that came in by a port; numbers rise."""
        ring = self.rings.get(ingress)
        if ring is None:
            ring = self.rings[ingress] = _Ring()
        data = bytes(frame[: self.frame_bytes])
        ring.frames.append(KeptFrame(number, time_s, link, data, len(frame)))
        size = len(data) + FRAME_COST_BYTES
        ring.bytes += size
        self.held += size
        while self.held > self.held_bytes_most:
            self._drop(ring, ingress)

    def _drop(self, ring: _Ring, ingress: str) -> None:
        """Let the oldest frame go of a port that holds more than its share; there always is one."""
        fair = self.held_bytes_most // len(self.rings)
        while ring.bytes <= fair:
            ingress = next(iter(self.rings))
            self.rings.move_to_end(ingress)
            ring = self.rings[ingress]
        size = len(ring.frames.popleft().data) + FRAME_COST_BYTES
        ring.bytes -= size
        self.held -= size
        self.dropped += 1
        if not ring.frames:
            del self.rings[ingress]

    def of(self, detection: Detection, most: int = 16) -> list[KeptFrame]:
        """Return the frames that prove a detection, as far as they are still held: the first and the last ones."""
        wanted = set(detection.packets) | {detection.first_packet}
        found = [
            frame
            for ring in self.rings.values()
            if ring.frames and ring.frames[-1].number >= min(wanted) and ring.frames[0].number <= max(wanted)
            for frame in ring.frames
            if frame.number in wanted
        ]
        found.sort()
        return found if len(found) <= most else found[: most - most // 2] + found[len(found) - most // 2 :]
