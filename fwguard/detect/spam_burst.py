"""Spam bursts: a mail server that sends too many messages, to too many targets, or is refused too often.

Source: RFC 5321 section 4.1.1.2 (MAIL begins a message), 4.2.1 (replies that refuse for good).
"""

from __future__ import annotations

import re
from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded, Window
from fwguard.detect.flow import Flow, Side
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import SpamBurst

_MAIL: Final = re.compile(rb"^MAIL FROM ?:", re.IGNORECASE | re.MULTILINE)
_REFUSED: Final = re.compile(rb"^5[05][0-9][ -]", re.MULTILINE)
_SEEN_BYTES: Final = 4096


class SpamBursts:
    """Counts the messages of each source."""

    def __init__(self, limits: SpamBurst, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.accuser = accuser
        self.messages: Bounded[tuple[str, bytes], Window] = Bounded(sources_most)
        self.refusals: Bounded[tuple[str, bytes], Window] = Bounded(sources_most)
        self._spoken: Bounded[tuple[str, bytes], list[float]] = Bounded(sources_most)

    def watch(self, flow: Flow, side: Side, payload: bytes, number: int, time_s: float) -> None:
        """Follow an SMTP session."""
        source = flow.client.ingress, flow.client.address
        limits = self.limits
        if side is flow.client:
            begun = len(_MAIL.findall(payload, 0, _SEEN_BYTES))
            if not begun:
                return
            seen = self.messages.take(source, lambda: Window(limits.window_s))
            for _ in range(min(begun, 64)):
                seen.add(time_s, number, flow.server.address)
            if len(seen.events) > limits.messages_most:
                self._speak("spam-messages", flow, seen, time_s)
            elif seen.distinct() > limits.targets_most:
                self._speak("spam-targets", flow, seen, time_s)
        elif _REFUSED.search(payload, 0, _SEEN_BYTES):
            seen = self.refusals.take(source, lambda: Window(limits.window_s))
            if seen.add(time_s, number, flow.server.address) > limits.refused_most:
                self._speak("spam-refused", flow, seen, time_s)

    def _speak(self, key: str, flow: Flow, seen: Window, time_s: float) -> None:
        spoken = self._spoken.take((flow.client.ingress, flow.client.address), list)
        if spoken and time_s - spoken[0] < self.limits.window_s:
            return
        spoken[:] = [time_s]
        facts = (
            ("count", str(len(seen.events))),
            ("targets", str(seen.distinct())),
            ("seconds", f"{time_s - seen.events[0][0]:.1f}"),
        )
        self.accuser.accuse(
            Detector.SPAM_BURST,
            Reason(key, facts),
            server=flow.client.address,
            peer=flow.server.address,
            port=flow.server.port,
            protocol=flow.protocol,
            packets=seen.numbers(),
            first_s=seen.events[0][0],
            last_s=time_s,
            ingress=flow.client.ingress,
        )
