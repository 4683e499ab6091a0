"""Labels of well-known captures that the packets contradict, with the packet that shows it.

A label counts as wrong only by what stands in a packet; everything else in the report is as labelled. Captures
are those of the nDPI project's tests, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from fwguard.model.detection import Detector


class Dispute(NamedTuple):
    """The packet that contradicts a label, and what it says."""

    packet: int
    why: str


_DISCORD: Final = (
    "RTP version 2, payload type 120 or 103, after Discord's address discovery (type 1, length 70); the label names "
    "the company that rents out the machine"
)
_STREAM: Final = "TLS to {}, a site for recorded films: no chat; the label names the company's suite"
_CRASHES: Final = "TLS to {}, which collects reports of crashed programs: no chat; the label names the suite"

# (capture, port of one end that no other flow of it has) -> why
DISPUTED: Final[Mapping[tuple[str, int], Dispute]] = {
    ("i3d.pcap", 60476): Dispute(3, _DISCORD),
    ("i3d.pcap", 55205): Dispute(18, _DISCORD),
    ("i3d.pcap", 62620): Dispute(33, _DISCORD),
    ("i3d.pcap", 62461): Dispute(48, _DISCORD),
    ("teams.pcap", 60562): Dispute(1026, _STREAM.format("api.microsoftstream.com")),
    ("teams.pcap", 60563): Dispute(1088, _STREAM.format("euno-1.api.microsoftstream.com")),
    ("teams.pcap", 60564): Dispute(1143, _CRASHES.format("gate.hockeyapp.net")),
    ("teams.pcap", 60568): Dispute(1458, _CRASHES.format("gate.hockeyapp.net")),
}

# Captures in which somebody misbehaves; in all others these detectors must be silent.
MISBEHAVIOUR: Final[Mapping[tuple[str, Detector], str]] = {
    ("synscan.pcap", Detector.PORTSCAN): "from packet 1 on: SYNs to ever other ports of 64.13.134.52",
}


def dispute_of(capture: str, ports: frozenset[int]) -> Dispute | None:
    """Return what contradicts the label of a flow, by its capture and the ports of its ends."""
    return next((DISPUTED[capture, one] for one in ports if (capture, one) in DISPUTED), None)
