"""The proof of a verdict as a capture file: few packets, cut to the bytes that are needed, with a word on each.

Written as pcapng, which Wireshark opens and which has room for comments. A detector by content needs the first
words of the packets, any other only their headers: the rest is the client's secret (contract clause 15).
Source: draft-ietf-opsawg-pcapng sections 3.5, 4.1 to 4.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from fwguard.detect.frame import Decoder, Packet
from fwguard.detect.kept import KeptFrame
from fwguard.detect.words import say
from fwguard.model.detection import BY_CONTENT, Detection, Detector
from fwguard.model.inventory import Language

PAYLOAD_BYTES: Final = 160
HEADER_BYTES: Final = 128  # of a frame whose headers we cannot read
MOST_PACKETS: Final = 16
MOST_COMMENT_BYTES: Final = 1000
_COMMENT, _APPLICATION = 1, 4
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6


def needed_bytes(detector: Detector, frame: KeptFrame) -> int:
    """Return how many bytes of a frame prove what a detector said."""
    packet = Decoder().decode(frame.link, frame.data)
    if not isinstance(packet, Packet) or packet.data is not frame.data:
        return min(len(frame.data), HEADER_BYTES)
    words = PAYLOAD_BYTES if detector in BY_CONTENT else 0
    return min(len(frame.data), packet.start + words)


def write_evidence(
    detection: Detection, frames: Sequence[KeptFrame], *, language: Language = Language.EN
) -> bytes:
    """Return the frames of a detection as pcapng, at most 16 of them; the whole is below 16 KiB.

    The file's comment says what was found, under which clause, at which port; each packet's its number, as
    verdict and notice cite it.
    """
    shown = frames[:MOST_PACKETS]
    missing = len(set(detection.packets) - {frame.number for frame in shown})
    about = (
        f"{detection.detector.value}, clause {detection.clause}, {detection.server}"
        f"{' at ' + detection.ingress if detection.ingress else ''}: {say(detection.reason, language)}"
    )
    if missing:
        about += f" (+ {missing})"
    out = [_section(about)]
    links: dict[int, int] = {}
    for frame in shown:
        if frame.link not in links:
            links[frame.link] = len(links)
            body = struct.pack("<HHI", frame.link & 0xFFFF, 0, 0)
            out.append(_block(_INTERFACE, body))
    for frame in shown:
        kept = frame.data[: needed_bytes(detection.detector, frame)]
        ticks = max(0, round(frame.time_s * 1e6)) & 0xFFFFFFFFFFFFFFFF
        head = struct.pack(
            "<IIIII",
            links[frame.link],
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            len(kept),
            max(frame.length_bytes, len(kept)),
        )
        padded = kept + bytes(-len(kept) % 4)
        out.append(
            _block(_ENHANCED, head + padded + _options([(_COMMENT, f"packet {frame.number}".encode())]))
        )
    return b"".join(out)


def _section(comment: str) -> bytes:
    text = _cut(comment)
    body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(_SECTION, body + _options([(_COMMENT, text), (_APPLICATION, b"fwguard")]))


def _cut(text: str) -> bytes:
    """Return text as UTF-8 of bounded length, without a torn character and without control characters."""
    plain = "".join(one if one.isprintable() else "." for one in text)
    return plain.encode("utf-8", "replace")[:MOST_COMMENT_BYTES].decode("utf-8", "ignore").encode()


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    out = b"".join(
        struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
    )
    return out + bytes(4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
