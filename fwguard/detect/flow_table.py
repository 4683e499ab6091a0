"""The flows that are known: found by one look-up, bounded in number and in bytes, the oldest forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from fwguard.detect.flow import Flow, Side
from fwguard.detect.frame import ACK, SYN, TCP, Packet
from fwguard.detect.stream import Stream
from fwguard.model.thresholds import Memory

Entry = tuple[Flow, Side]
"""A flow, and the side of it that a packet is from."""


class FlowTable:
    """Flows by the key of their packets, each by both directions; a key is zone, addresses and ports.

    `dropped` counts flows that were forgotten for want of room, `held` the bytes in all streams; `last_word`
    is asked before any flow is forgotten.
    """

    __slots__ = ("dropped", "entries", "held", "last_word", "memory", "order")

    def __init__(self, memory: Memory, last_word: Callable[[Flow], None]) -> None:
        self.memory = memory
        self.last_word = last_word
        self.entries: dict[bytes, Entry] = {}
        self.order: OrderedDict[bytes, Flow] = OrderedDict()  # a dict finds its oldest in linear time
        self.dropped = 0
        self.held = 0

    def open(
        self, key: bytes, packet: Packet, number: int, time_s: float, ingress: str, zone: bytes
    ) -> Entry:
        """Begin a flow with its first packet; the silent go first, then the oldest when there is no room."""
        tcp = packet.protocol == TCP
        back = _back(key, zone, len(packet.source))
        for known in (key, back):
            if known in self.order:
                self.close(known)
        self._make_room(time_s)
        sender, other = Side(packet.source, packet.sport, ingress), Side(packet.target, packet.dport, "")
        flow = Flow(packet.protocol, sender, other, number, time_s)
        if tcp:
            sender.stream, other.stream = Stream(self.memory.head_bytes), Stream(self.memory.head_bytes)
            if packet.flags & SYN:
                flow.certain = True
                if packet.flags & ACK:
                    flow.client, flow.server = other, sender
        mine = self.entries[key] = flow, sender
        self.entries[back] = flow, other
        self.order[key] = flow
        flow.back = back
        return mine

    def _make_room(self, time_s: float) -> None:
        order, memory = self.order, self.memory
        for _ in range(2):
            oldest = next(iter(order), None)
            if oldest is None or order[oldest].first_s + memory.idle_s >= time_s:
                break
            if order[oldest].last_s + memory.idle_s < time_s:
                self.close(oldest)
            else:
                order.move_to_end(oldest)  # old and still alive: asked again after all others
        while order and (len(order) >= memory.flows_most or self.held > memory.held_bytes_most):
            self.close(next(iter(order)))
            self.dropped += 1

    def close(self, key: bytes) -> None:
        """Forget a flow, after a last word of its detectors."""
        flow = self.order.pop(key)
        self.last_word(flow)
        self.free(flow)
        self.entries.pop(key, None)
        self.entries.pop(flow.back, None)

    def append(self, stream: Stream, seq: int, packet: Packet) -> bool:
        """Put a segment into its stream; return whether the stream's head grew."""
        before = stream.held
        grew = stream.add(seq & 0xFFFFFFFF, packet.payload, packet.length)
        self.held += stream.held - before
        return grew

    def free(self, flow: Flow) -> None:
        """Give back the memory of a flow's streams."""
        for side in (flow.client, flow.server):
            if side.stream is not None:
                self.held -= side.stream.held
                side.stream = None


def _back(key: bytes, zone: bytes, address_bytes: int) -> bytes:
    """Return the key of the packets that go the other way."""
    at = len(zone)
    middle = at + address_bytes
    end = middle + address_bytes
    return (
        zone + key[middle:end] + key[at:middle] + key[end + 2 : end + 4] + key[end : end + 2] + key[end + 4 :]
    )
