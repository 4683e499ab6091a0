"""Packets written by hand: conversations for the tests of the detectors, byte by byte, with no library.

A `Wire` collects frames with their times; `talk` plays a TCP connection, `say` a datagram. The same bytes
become a capture file by `pcap`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address

CLIENT, SERVER = "198.51.100.7", "192.0.2.10"
CLIENT6, SERVER6 = "2001:db8:1::7", "2001:db8:2::10"
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET = 1


class Wire:
    """Frames in the order in which they pass."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self.time_s = start_s
        self.frames: list[tuple[float, int, bytes]] = []
        self._next_port = 40000

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time_s += seconds

    def port(self) -> int:
        """Return a source port that was not used yet."""
        self._next_port += 1
        return self._next_port

    def add(self, frame: bytes, link: int = ETHERNET) -> None:
        """Put a frame on the wire, a millisecond after the last."""
        self.time_s += 0.001
        self.frames.append((self.time_s, link, frame))

    def ip(self, source: str, target: str, protocol: int, payload: bytes, *, mac: bytes = b"") -> None:
        """Put an IP packet on the wire."""
        self.add(ether(source, target, packet(source, target, protocol, payload), mac=mac))

    def tcp(
        self, source: str, sport: int, target: str, dport: int, flags: int, seq: int = 0, data: bytes = b"",
        *, mac: bytes = b"",
    ) -> None:  # fmt: skip
        """Put a TCP segment on the wire."""
        self.ip(source, target, 6, segment(sport, dport, flags, seq, data), mac=mac)

    def say(self, source: str, sport: int, target: str, dport: int, data: bytes, *, mac: bytes = b"") -> None:
        """Put a UDP datagram on the wire."""
        self.ip(source, target, 17, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data, mac=mac)

    def icmp(self, source: str, target: str, kind: int, code: int, rest: bytes) -> None:
        """Put an ICMP message on the wire (its checksum is not looked at)."""
        protocol = 58 if ":" in source else 1
        self.ip(source, target, protocol, struct.pack("!BBH", kind, code, 0) + rest)

    def talk(
        self,
        lines: Sequence[tuple[str, bytes]],
        *,
        port: int,
        client: str = CLIENT,
        server: str = SERVER,
        sport: int = 0,
        piece: int = 1 << 16,
        opened: bool = True,
        closed: bool = True,
    ) -> None:
        """Play a connection: each line is ("c" or "s", bytes), cut into pieces of at most `piece` bytes."""
        sport = sport or self.port()
        seq = {"c": 1000, "s": 0xFFFFFFF0}  # the server's numbers pass zero soon
        ends = {"c": (client, sport, server, port), "s": (server, port, client, sport)}
        if opened:
            self.tcp(*ends["c"], SYN, seq["c"])
            self.tcp(*ends["s"], SYN | ACK, seq["s"])
            self.tcp(*ends["c"], ACK, seq["c"] + 1)
        seq = {who: number + 1 for who, number in seq.items()}
        for who, data in lines:
            for at in range(0, len(data), piece):
                part = data[at : at + piece]
                self.tcp(*ends[who], PSH | ACK, seq[who] & 0xFFFFFFFF, part)
                seq[who] += len(part)
        if closed:
            self.tcp(*ends["c"], FIN | ACK, seq["c"] & 0xFFFFFFFF)
            self.tcp(*ends["s"], FIN | ACK, seq["s"] & 0xFFFFFFFF)

    def arp(self, operation: int, sender: tuple[bytes, str], target: tuple[bytes, str], to: bytes) -> None:
        """Put an ARP packet on the wire: (card, address) of who says it and of whom it asks or tells."""
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
        body += sender[0] + ip_address(sender[1]).packed + target[0] + ip_address(target[1]).packed
        self.add(to + sender[0] + b"\x08\x06" + body)

    def advertise(self, address: str, mac: bytes, to: str) -> None:
        """Put an unsolicited neighbour advertisement on the wire."""
        body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + ip_address(address).packed + b"\x02\x01" + mac
        self.add(ether(address, to, packet(address, to, 58, body), mac=mac))

    def pcap(self, order: str = "<") -> bytes:
        """Return the frames as a classic capture file."""
        data = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET)
        for time_s, _, frame in self.frames:
            seconds = int(time_s)
            parts = round((time_s - seconds) * 1e6)
            data += struct.pack(order + "IIII", seconds, parts, len(frame), len(frame)) + frame
        return data

    def pcapng(self, order: str = "<") -> bytes:
        """Return the frames as a pcapng file."""
        data = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        data += _block(order, 1, struct.pack(order + "HHI", ETHERNET, 0, 65535))
        for time_s, _, frame in self.frames:
            ticks = round(time_s * 1e6)
            head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
            data += _block(order, 6, head + frame)
        return data


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def card(address: str) -> bytes:
    """Return the Ethernet address that we give to an IP address."""
    return b"\x02\x00" + ip_address(address).packed[-4:]


def ether(source: str, target: str, data: bytes, *, mac: bytes = b"") -> bytes:
    """Return an Ethernet frame."""
    return card(target) + (mac or card(source)) + (b"\x86\xdd" if ":" in source else b"\x08\x00") + data


def packet(
    source: str, target: str, protocol: int, payload: bytes, *, offset: int = 0, identity: int = 1
) -> bytes:
    """Return an IP packet of the family of its addresses; `offset` is IPv4's flags and fragment offset."""
    one, two = ip_address(source).packed, ip_address(target).packed
    if len(one) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + one + two + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identity, offset, 64, protocol, 0)
    return head + one + two + payload


def segment(sport: int, dport: int, flags: int, seq: int, data: bytes = b"") -> bytes:
    """Return a TCP segment."""
    return struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 65535, 0, 0) + data


def hello(
    name: str = "",
    *,
    alpn: Sequence[str] = (),
    groups: Sequence[int] = (29, 23),
    ciphers: Sequence[int] = (0x1301, 0xC02B),
    srtp: bool = False,
    dtls: bool = False,
) -> bytes:
    """Return the body of a ClientHello."""
    extensions = b""
    if name:
        host = name.encode()
        extensions += _extension(0, struct.pack("!HBH", len(host) + 3, 0, len(host)) + host)
    if groups:
        extensions += _extension(
            10, struct.pack("!H", 2 * len(groups)) + b"".join(_short(one) for one in groups)
        )
    if alpn:
        names = b"".join(bytes((len(one),)) + one.encode() for one in alpn)
        extensions += _extension(16, _short(len(names)) + names)
    if srtp:
        extensions += _extension(14, b"\x00\x02\x00\x07\x00")
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + (b"\x00" if dtls else b"")
    body += _short(2 * len(ciphers)) + b"".join(_short(one) for one in ciphers) + b"\x01\x00"
    return body + _short(len(extensions)) + extensions


def server_hello(version: int = 0x0303) -> bytes:
    """Return the body of a ServerHello; TLS 1.3 is said in an extension."""
    extensions = _extension(43, b"\x03\x04") if version == 0x0304 else b""
    return b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2b\x00" + _short(len(extensions)) + extensions


def handshake(kind: int, body: bytes) -> bytes:
    """Return one TLS record with one handshake message."""
    message = bytes((kind,)) + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + _short(len(message)) + message


def certificate(subject: str, issuer: str, names: Sequence[str] = ()) -> bytes:
    """Return the body of a Certificate message with one certificate, as far as anyone reads it."""
    tbs = _der(0xA0, _der(2, b"\x02")) + _der(2, b"\x01") + _der(0x30, b"") + _name(issuer) + _der(0x30, b"")
    tbs += _name(subject) + _der(0x30, b"")
    if names:
        listed = _der(0x30, b"".join(_der(0x82, one.encode()) for one in names))
        tbs += _der(0xA3, _der(0x30, _der(0x30, b"\x06\x03\x55\x1d\x11" + _der(4, listed))))
    whole = _der(0x30, _der(0x30, tbs) + _der(0x30, b"") + _der(3, b"\x00"))
    one = len(whole).to_bytes(3, "big") + whole
    return len(one).to_bytes(3, "big") + one


def _name(common: str) -> bytes:
    return _der(0x30, _der(0x31, _der(0x30, b"\x06\x03\x55\x04\x03" + _der(0x0C, common.encode()))))


def _der(tag: int, value: bytes) -> bytes:
    size = bytes((len(value),)) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
    return bytes((tag,)) + size + value


def _extension(kind: int, body: bytes) -> bytes:
    return _short(kind) + _short(len(body)) + body


def _short(number: int) -> bytes:
    return number.to_bytes(2, "big")


def stun(
    kind: int, attributes: Sequence[tuple[int, bytes]] = (), *, transaction: bytes = b"abcdefghijkl"
) -> bytes:
    """Return a STUN message."""
    body = b"".join(
        _short(one) + _short(len(value)) + value + bytes(-len(value) % 4) for one, value in attributes
    )
    return _short(kind) + _short(len(body)) + b"\x21\x12\xa4\x42" + transaction + body


def rtp(sequence: int, ssrc: int = 0xDEADBEEF, kind: int = 96) -> bytes:
    """Return an RTP packet."""
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc) + bytes(40)
