"""Every detector by content: the literal table, and what each is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fwguard.detect import http_proxy, irc, mining, smtp, socks, tor, videochat
from fwguard.detect.flow import Named
from fwguard.model.detection import Detector
from fwguard.model.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges a stream in clear, and who judges one that begins with a TLS handshake."""

    plain: tuple[Named, ...]
    tls: tuple[Named, ...]


def judges(thresholds: Thresholds) -> Judges:
    """Return the detectors by content, in the order in which they are asked."""
    names = {detector: frozenset(known) for detector, known in thresholds.names.items()}
    return Judges(
        plain=(
            (Detector.SMTP, smtp.judge),
            (Detector.IRC, irc.judge),
            (Detector.SOCKS, socks.judge),
            (Detector.HTTP_PROXY, http_proxy.judge),
            (Detector.TOR, tor.judge),
            (Detector.VIDEOCHAT, videochat.judge),
            (Detector.MINING, mining.judge),
        ),
        tls=(
            (Detector.TOR, tor.judge_tls),
            (Detector.SMTP, smtp.judge_tls),
            (Detector.IRC, partial(irc.judge_tls, names[Detector.IRC])),
            (Detector.VIDEOCHAT, partial(videochat.judge_tls, names[Detector.VIDEOCHAT])),
            (Detector.MINING, partial(mining.judge_tls, names[Detector.MINING])),
        ),
    )
