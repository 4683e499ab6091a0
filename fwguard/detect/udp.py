"""Flows of datagrams: video chat by what they say, and services by the name in a QUIC hello."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from fwguard.detect import videochat
from fwguard.detect.bounded import Bounded
from fwguard.detect.flow import NEVER, Flow, Proof, Side
from fwguard.detect.names import known
from fwguard.detect.quic import Opening, is_initial
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import Thresholds

_ENDPOINTS_MOST: Final = 4096
_PENDING_MOST: Final = 8
_OPENINGS_MOST: Final = 1024
_NAMED: Final = (Detector.VIDEOCHAT, Detector.IRC, Detector.MINING)

Found = Callable[[Detector, Flow, Proof, float], bool]


class Datagrams:
    """Judges UDP flows; STUN of one flow and media of another belong together when their endpoint is one."""

    def __init__(self, thresholds: Thresholds, found: Found) -> None:
        self.found = found
        self.names = {detector: frozenset(thresholds.names[detector]) for detector in _NAMED}
        self.asking: Bounded[tuple[bytes, int], list[Flow]] = Bounded(_ENDPOINTS_MOST)
        self.openings: deque[Opening] = deque()
        self.chatting: Bounded[tuple[bytes, int], int] = Bounded(_ENDPOINTS_MOST)

    def take(self, flow: Flow, side: Side, payload: bytes, number: int, time_s: float) -> bool:
        """Take the next datagram with payload; return whether the flow is decided."""
        if isinstance(flow.media, Opening) or (flow.media is None and is_initial(payload)):
            return self._quic(flow, side, payload, time_s)
        opinion = videochat.look(flow, side, payload, number)
        endpoint = flow.client.address, flow.client.port
        if isinstance(opinion, Proof):
            if not self.found(Detector.VIDEOCHAT, flow, opinion, time_s):
                return False  # so far a stranger speaks alone
            self.chatting.take(endpoint, lambda: number)
            for other in self.asking.entries.pop(endpoint, ()):
                if other is not flow and other.judges:
                    other.judges = ()
                    self._followed(other, number, time_s)
            return True
        media = flow.media
        if isinstance(media, videochat.Media) and media.stun and not flow.watched:
            flow.watched = 1  # it waits once
            if endpoint in self.chatting.entries:
                self._followed(flow, self.chatting.entries[endpoint], time_s)
                return True
            waiting = self.asking.take(endpoint, list)
            if len(waiting) < _PENDING_MOST:
                waiting.append(flow)
        return opinion is NEVER

    def _followed(self, flow: Flow, number: int, time_s: float) -> None:
        """Speak of a flow of STUN whose endpoint carried media in another flow."""
        proof = Proof(Reason("stun-media"), (*flow.client.numbers[:2], number))
        self.found(Detector.VIDEOCHAT, flow, proof, time_s)

    def _quic(self, flow: Flow, side: Side, payload: bytes, time_s: float) -> bool:
        opening = flow.media
        if not isinstance(opening, Opening):
            opening = flow.media = Opening()
            self.openings.append(opening)
            if len(self.openings) > _OPENINGS_MOST:
                self.openings.popleft().drop()
        if side is not flow.client:
            return False
        hello = opening.add(payload)
        if hello is not None:
            for detector, suffixes in self.names.items():
                if known(hello.name, suffixes):
                    proof = Proof(Reason("service", (("name", hello.name),)), flow.client.numbers[:3])
                    self.found(detector, flow, proof, time_s)
                    break
        return opening.over
