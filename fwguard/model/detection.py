"""What a detector says: which server did what, by which packets, under which clause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Detector(StrEnum):
    """Every detector by the name that scripts use."""

    SMTP = "smtp"
    IRC = "irc"
    SOCKS = "socks"
    HTTP_PROXY = "http-proxy"
    TOR = "tor"
    VIDEOCHAT = "videochat"
    MINING = "mining"
    PORTSCAN = "portscan"
    HOSTSCAN = "hostscan"
    BRUTEFORCE = "bruteforce"
    FLOOD = "flood"
    SPAM_BURST = "spam-burst"
    IP_SPOOF = "ip-spoof"
    ARP_SPOOF = "arp-spoof"
    UNAPPROVED_OPENING = "unapproved-opening"
    SURICATA = "suricata"
    CROWDSEC = "crowdsec"
    ABUSE_REPORT = "abuse-report"
    WEBHOOK = "webhook"


BY_CONTENT: Final = (
    Detector.SMTP,
    Detector.IRC,
    Detector.SOCKS,
    Detector.HTTP_PROXY,
    Detector.TOR,
    Detector.VIDEOCHAT,
    Detector.MINING,
)
"""Those that name a flow by what its packets say; the others judge what a server does over many flows."""


FROM_OUTSIDE: Final = (Detector.SURICATA, Detector.CROWDSEC, Detector.ABUSE_REPORT, Detector.WEBHOOK)
"""Those whose verdicts others made and we only read."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a key of the detectors' words and what fills it; said in any language by `detect/words.py`."""

    key: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One verdict of a detector.

    `server` is who is held to account, by the port that its packets came in by (`ingress`, "" in a capture):
    an address alone proves nothing there. Addresses are text, or an Ethernet address where no IP address can
    be believed. `port` is the service's port, 0 where there is none; `packets` are the numbers of the packets
    that prove it, `first_packet` is where the flow or the behaviour began; times are seconds of the packets'
    own clock.
    """

    detector: Detector
    server: str
    peer: str
    port: int
    protocol: str
    reason: Reason
    clause: str
    first_packet: int
    packets: tuple[int, ...]
    first_s: float
    last_s: float
    server_port: int = 0
    peer_port: int = 0
    ingress: str = ""
