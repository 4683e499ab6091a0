"""TCP SYN frames made beforehand and sent by sendmmsg(2), 1024 in a call: the sender costs next to nothing.

What a packet then costs the sender is what the kernel does for it: through a veth the whole way of a packet, up
to the queue of whoever gets it, is worked in the sending thread.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fwguard.lab import namespaces

_MOST: Final = 1024
_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):  # struct mmsghdr of recvmmsg(2), 64 bits
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint32),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """What sending took: on the clock, and of the sending thread's processor time. In seconds."""

    wall_s: float
    cpu_s: float


class Frames:
    """Frames that lie ready for the kernel."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._kept = [ctypes.create_string_buffer(one, len(one)) for one in frames]
        self._headers = (_Header * len(frames))()
        self._vectors = (_Vector * len(frames))()
        for at, one in enumerate(self._kept):
            self._vectors[at] = _Vector(ctypes.addressof(one), len(one))
            self._headers[at].vectors = ctypes.pointer(self._vectors[at])
            self._headers[at].vector_count = 1

    def __len__(self) -> int:
        return len(self._kept)

    def send(self, wire: socket.socket) -> Taken:
        """Send each frame once. Raises OSError."""
        size = ctypes.sizeof(_Header)
        start, count, at = ctypes.addressof(self._headers), len(self), 0
        began, worked = time.perf_counter(), time.thread_time()
        while at < count:
            where = ctypes.c_void_p(start + at * size)
            done = _libc.sendmmsg(wire.fileno(), where, min(_MOST, count - at), 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            at += done
        return Taken(time.perf_counter() - began, time.thread_time() - worked)


def wire_of(netns: str) -> socket.socket:
    """Return a packet socket at the wire of a namespace, that hears nothing (packet(7))."""
    made = namespaces.socket_in(netns, socket.AF_PACKET, socket.SOCK_RAW)
    made.bind(("eth0", 0))
    return made


def syn_frames(
    flows: Iterable[tuple[str, str, int, int]], *, source_mac: str, target_mac: str
) -> list[bytes]:
    """Return a SYN for each (source, target, source port, target port), checksums right, IPv4 or IPv6."""
    macs = bytes.fromhex((target_mac + source_mac).replace(":", ""))
    return [macs + syn(*flow) for flow in flows]


def syn(source: str, target: str, sport: int, dport: int, number: int = 1) -> bytes:
    """Return EtherType and packet of a SYN; `number` is its sequence number (RFC 9293 section 3.1)."""
    tcp = struct.pack("!HHIIBBHHH", sport, dport, number, 0, 0x50, 0x02, 64240, 0, 0)
    if ":" in source:
        ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        check = _checksum(ends + struct.pack("!II", len(tcp), 6) + tcp)
        head = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends
        return b"\x86\xdd" + head + tcp[:16] + struct.pack("!H", check) + tcp[18:]
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    check = _checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + ends
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return b"\x08\x00" + head + tcp[:16] + struct.pack("!H", check) + tcp[18:]


def number_of(frame: bytes) -> int | None:
    """Return the sequence number of a SYN frame, None for any other."""
    at = {b"\x08\x00": 34, b"\x86\xdd": 54}.get(frame[12:14])
    if at is None or len(frame) < at + 20 or frame[at - 11 if at == 34 else 20] != 6 or frame[at + 13] != 2:
        return None
    return int.from_bytes(frame[at + 4 : at + 8], "big")


def _checksum(data: bytes) -> int:
    """Return the Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
