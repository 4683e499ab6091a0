"""Frames for the benchmark of the detectors: attacks of each kind, and an hour of a million flows, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SERVER: Final = bytes((10, 20, 0, 11))
_ETHERNET: Final = bytes.fromhex("0200000000020200000000010800")
_KEYS: Final = bytes((0, 0, 2, 0)) + bytes(700)
_SSH: Final = (("s", b"SSH-2.0-OpenSSH_9.2\r\n"), ("c", b"SSH-2.0-Go\r\n"), ("c", _KEYS), ("s", _KEYS))
_JSON: Final = b'{"id": 1, "question": "' + b"a" * 440

Sent = tuple[float, bytes]
"""Seconds, frame."""


def tcp(
    source: bytes, sport: int, target: bytes, dport: int, flags: int, seq: int, data: bytes = b""
) -> bytes:
    """Return an Ethernet frame with a TCP segment over IPv4 (checksums are not looked at)."""
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 65535, 0, 0) + data
    return _ip(source, target, 6, body)


def udp(source: bytes, sport: int, target: bytes, dport: int, data: bytes) -> bytes:
    """Return an Ethernet frame with a UDP datagram over IPv4."""
    return _ip(source, target, 17, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data)


def _ip(source: bytes, target: bytes, protocol: int, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return _ETHERNET + head + source + target + body


def target(number: int) -> bytes:
    """Return one of 65 536 addresses for documentation and benchmarks (RFC 2544)."""
    return bytes((198, 18, number >> 8 & 255, number & 255))


def session(
    at_s: float, sport: int, peer: bytes, dport: int, lines: Sequence[tuple[str, bytes]]
) -> Iterator[Sent]:
    """Return a short TCP session that the server begins; `lines` are ("c" or "s", bytes)."""
    ends = {"c": (SERVER, sport, peer, dport), "s": (peer, dport, SERVER, sport)}
    seq = {"c": 100, "s": 100}
    frames = [tcp(*ends["c"], SYN, 99), tcp(*ends["s"], SYN | ACK, 99), tcp(*ends["c"], ACK, 100)]
    for who, data in lines:
        frames.append(tcp(*ends[who], PSH | ACK, seq[who], data))
        seq[who] += len(data)
    frames += [tcp(*ends[who], FIN | ACK, seq[who]) for who in "cs"]
    for index, frame in enumerate(frames):
        yield at_s + index * 0.001, frame


def port_scan(ports: int = 40) -> Iterator[Sent]:
    """Return SYNs to many ports of one target."""
    for number in range(ports):
        yield number * 0.01, tcp(SERVER, 40000 + number, target(1), 1 + number, SYN, 7)


def host_scan(hosts: int = 60) -> Iterator[Sent]:
    """Return SYNs to one port of many targets."""
    for number in range(hosts):
        yield number * 0.1, tcp(SERVER, 40000 + number, target(number), 445, SYN, 7)


def flood(packets: int = 600) -> Iterator[Sent]:
    """Return SYNs to one port of one target, from many ports."""
    for number in range(packets):
        yield number * 0.001, tcp(SERVER, 1024 + number, target(2), 80, SYN, number)


def password_guesses(tries: int = 12) -> Iterator[Sent]:
    """Return short SSH sessions with one target."""
    for number in range(tries):
        yield from session(number * 0.5, 41000 + number, target(3), 22, _SSH)


def million_flows(flows: int) -> Iterator[Sent]:
    """Return the flows of an hour at the rate of a million: of ten, five are SYNs alone to ever other targets, two
    are UDP, one is a session that says much and proves nothing, one waits for a hole, one is an ordinary web page."""
    for number in range(flows):
        at_s = number * 3600 / 1_000_000
        source = bytes((10, 20 + (number >> 16 & 15), number >> 8 & 255, number & 255))
        peer, sport = target(number * 7), 1024 + number % 60_000
        kind = number % 10
        if kind < 5:
            yield at_s, tcp(source, sport, peer, 1 + number % 1000, SYN, 7)
        elif kind < 7:
            yield at_s, udp(source, sport, peer, 53 if kind == 5 else 9000, b"\x12\x34" + bytes(60))
        elif kind == 7:
            yield at_s, tcp(source, sport, peer, 80, PSH | ACK, 100, _JSON)
            yield at_s, tcp(peer, 80, source, sport, PSH | ACK, 100, _JSON)
            yield at_s, tcp(source, sport, peer, 80, PSH | ACK, 100 + len(_JSON), _JSON)
        elif kind == 8:
            yield at_s, tcp(source, sport, peer, 80, SYN, 99)
            for piece in range(3):
                yield at_s, tcp(source, sport, peer, 80, PSH | ACK, 200 + piece * 1000, _JSON)
        else:
            yield (
                at_s,
                tcp(source, sport, peer, 80, PSH | ACK, 100, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            )
            yield at_s, tcp(peer, 80, source, sport, PSH | ACK, 100, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n")
