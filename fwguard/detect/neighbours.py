"""Who says to be where on a link: ARP and neighbour discovery.

Sources: RFC 826, RFC 4861 sections 4.3, 4.4 and 4.6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fwguard.detect.frame import Packet

_MAX_OPTIONS: Final = 8
_short = Struct("!H").unpack_from


@dataclass(slots=True)
class Neighbour:
    """An ARP packet or neighbour advertisement or solicitation: `ip` claims to be at `mac`.

    `frame_mac` is what the Ethernet header says; `answers` is false for a question; `target` is who is asked.
    """

    protocol: str
    ip: bytes
    mac: bytes
    frame_mac: bytes
    frame_target: bytes
    target: bytes
    answers: bool


def read_arp(frame: bytes, at: int, start: int) -> Neighbour | None:
    if frame[start : start + 6] != b"\0\x01\x08\0\x06\x04" or len(frame) < start + 28:
        return None
    return Neighbour(
        protocol="arp",
        ip=frame[start + 14 : start + 18],
        mac=frame[start + 8 : start + 14],
        frame_mac=frame[at + 6 : at + 12],
        frame_target=frame[at : at + 6],
        target=frame[start + 24 : start + 28],
        answers=_short(frame, start + 6)[0] == 2,
    )


def read_discovery(packet: Packet, frame: bytes) -> Neighbour | None:
    """Read a neighbour advertisement (136) or solicitation (135) that bears a link-layer address (RFC 4861)."""
    kind = packet.sport >> 8
    if kind not in (135, 136) or packet.end - packet.start < 16:
        return None
    data, target = packet.data, packet.data[packet.start : packet.start + 16]
    at, wanted = packet.start + 16, 2 if kind == 136 else 1
    for _ in range(_MAX_OPTIONS):
        if at + 8 > packet.end or not data[at + 1]:
            break
        if data[at] == wanted and data[at + 1] == 1:
            return Neighbour(
                protocol="nd",
                ip=target if kind == 136 else packet.source,
                mac=data[at + 2 : at + 8],
                frame_mac=frame[6:12],
                frame_target=frame[0:6],
                target=packet.target if kind == 136 else target,
                answers=kind == 136,
            )
        at += data[at + 1] * 8
    return None
