"""Capture files: pcap and pcapng, read in one pass with bounds; a broken file is named with its offset.

Sources: draft-ietf-opsawg-pcap (classic format), draft-ietf-opsawg-pcapng sections 3 and 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from fwguard.errors import InputError

MAX_PACKET_BYTES: Final = 1 << 18  # what libpcap takes at most, MAXIMUM_SNAPLEN
MAX_BLOCK_BYTES: Final = 1 << 24
MAX_INTERFACES: Final = 4096

_MICRO: Final = b"\xa1\xb2\xc3\xd4"
_NANO: Final = b"\xa1\xb2\x3c\x4d"
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER: Final = b"\x1a\x2b\x3c\x4d"
_INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14

Frame = tuple[float, int, bytes]
"""Time in seconds, link type (LINKTYPE_ number), the bytes that were kept of the frame."""
Interface = tuple[int, float, int, int]
"""Link type, unit of time in seconds, offset in seconds, snap length in bytes."""


@dataclass(slots=True)
class Capture:
    """The frames of one file, in file order; `warning` is set when the file ends inside its last packet."""

    file: str
    stream: BinaryIO
    warning: str = ""
    _offset: int = field(default=0, init=False)

    def frames(self) -> Iterator[Frame]:
        """Yield every frame. Raises InputError with file and offset on what is no capture."""
        magic = self._take(4)
        if magic in (_MICRO, _NANO):
            return self._classic(">", magic == _NANO)
        if magic[::-1] in (_MICRO, _NANO):
            return self._classic("<", magic[::-1] == _NANO)
        if magic == _SECTION:
            return self._blocks()
        raise self._broken("no capture", "a pcap or pcapng file", back=len(magic))

    def _take(self, size: int) -> bytes:
        data = self.stream.read(size)
        self._offset += len(data)
        return data

    def _broken(self, message: str, expected: str, *, back: int = 0) -> InputError:
        return InputError(message, where=f"{self.file}: offset {self._offset - back}", expected=expected)

    def _cut(self, number: int) -> None:
        self.warning = f"{self.file}: offset {self._offset}: ends inside packet {number}, which is left out"

    def _classic(self, order: str, nanoseconds: bool) -> Iterator[Frame]:
        header = self._take(20)
        if len(header) < 20:
            raise self._broken("ends inside its header", "24 bytes")
        major, _, _, _, _, network = struct.unpack(order + "HHiIII", header)
        if major != 2:
            raise self._broken(f"version {major}", "version 2", back=20)
        link = network & 0xFFFF
        fraction = 1e-9 if nanoseconds else 1e-6
        unpack = struct.Struct(order + "IIII").unpack
        read = self.stream.read
        number = 1
        while header := read(16):
            self._offset += len(header)
            if len(header) < 16:
                return self._cut(number)
            seconds, parts, kept, _ = unpack(header)
            if kept > MAX_PACKET_BYTES:
                raise self._broken(f"packet {number} of {kept} bytes", f"at most {MAX_PACKET_BYTES}", back=8)
            data = read(kept)
            self._offset += len(data)
            if len(data) < kept:
                return self._cut(number)
            yield seconds + parts * fraction, link, data
            number += 1
        return None

    def _blocks(self) -> Iterator[Frame]:
        """Walk the blocks; the magic that was read is the type of the first section header."""
        interfaces: list[Interface] = []
        head = _SECTION + self._take(4)
        order, unpack, unpack_packet = "", struct.Struct("<II").unpack, struct.Struct("<IIII").unpack_from
        number = 1
        while head:
            if len(head) < 8:
                return self._cut(number)
            taken = 8
            if head[:4] == _SECTION:
                mark = self._take(4)
                order = ">" if mark == _BYTE_ORDER else "<"
                if mark not in (_BYTE_ORDER, _BYTE_ORDER[::-1]):
                    raise self._broken("no byte order mark", "1A2B3C4D", back=len(mark))
                unpack, unpack_packet = (
                    struct.Struct(order + "II").unpack,
                    struct.Struct(order + "IIII").unpack_from,
                )
                interfaces, taken = [], 12
            kind, length = unpack(head)
            if length % 4 or not taken + 4 <= length <= MAX_BLOCK_BYTES:
                raise self._broken(
                    f"a block of {length} bytes", f"a multiple of 4 up to {MAX_BLOCK_BYTES}", back=4
                )
            body = self._take(length - taken)
            if len(body) < length - taken:
                return self._cut(number)
            if body[-4:] != head[4:]:
                raise self._broken("a block whose two lengths differ", str(length), back=4)
            if kind == _ENHANCED and length >= 32:
                which, high, low, kept = unpack_packet(body)
                frame = which, high << 32 | low, kept, 20
            elif kind in (_SIMPLE, _OLD_PACKET, _ENHANCED):
                frame = self._odd_packet(kind, body, order, interfaces, number)
            else:
                if kind == _INTERFACE:
                    self._describe(interfaces, body, order)
                head = self._take(8)
                continue
            which, ticks, kept, start = frame
            if which >= len(interfaces):
                raise self._broken(f"packet {number} of interface {which}", f"below {len(interfaces)}")
            if kept > MAX_PACKET_BYTES or start + kept > len(body) - 4:
                raise self._broken(f"packet {number} of {kept} bytes", f"at most {len(body) - 4 - start}")
            link, unit_s, offset_s, _ = interfaces[which]
            yield ticks * unit_s + offset_s, link, body[start : start + kept]
            number += 1
            head = self._take(8)
        return None

    def _odd_packet(
        self, kind: int, body: bytes, order: str, interfaces: list[Interface], number: int
    ) -> tuple[int, int, int, int]:
        """Return interface, ticks, bytes kept and where they start, of the block types that are rare."""
        if len(body) < (8 if kind == _SIMPLE else 24):
            raise self._broken(f"packet {number} has no header", "a whole block")
        if kind == _OLD_PACKET:
            which, _, high, low, kept = struct.unpack_from(order + "HHIII", body)
            return which, high << 32 | low, kept, 20
        # A simple block does not say how much was kept: the interface's snap length does (section 4.4).
        original = struct.unpack_from(order + "I", body)[0]
        snaplen = interfaces[0][3] if interfaces else 0
        return 0, 0, min(original, snaplen or original, len(body) - 8), 4

    def _describe(self, interfaces: list[Interface], body: bytes, order: str) -> None:
        if len(body) < 12 or len(interfaces) >= MAX_INTERFACES:
            raise self._broken("an interface too many or too short", f"at most {MAX_INTERFACES}")
        interfaces.append(_interface(body[:-4], order))


def _interface(body: bytes, order: str) -> Interface:
    """Read the body of an interface description block and its options."""
    link, _, snaplen = struct.unpack_from(order + "HHI", body)
    unit_s, offset_s, at = 1e-6, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == 0 or len(value) < size:
            break
        if code == _OPTION_RESOLUTION and size == 1:
            exponent = value[0] & 0x7F
            unit_s = 2.0**-exponent if value[0] & 0x80 else 10.0**-exponent
        elif code == _OPTION_OFFSET and size == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        at += 4 + (size + 3) // 4 * 4
    return link, unit_s, offset_s, snaplen
