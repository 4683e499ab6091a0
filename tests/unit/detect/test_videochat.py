"""Video chat: STUN, TURN, ICE, DTLS-SRTP, RTP, RTCP, QUIC names; and datagrams that only look like them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wire import CLIENT, CLIENT6, SERVER, SERVER6, Wire, hello, rtp, stun

from fwguard.detect.quic import _keys
from fwguard.model.detection import Detection

Scan = Callable[..., list[Detection]]
ICE = [(6, b"abcd:efgh"), (0x24, b"\0\0\0\1"), (0x802A, bytes(8)), (8, bytes(20))]
ALLOCATE, ALLOCATE_ERROR, BINDING, BINDING_OK = 0x0003, 0x0113, 0x0001, 0x0101


def dtls(kind: int, body: bytes) -> bytes:
    """Return a datagram with one handshake message."""
    size = len(body).to_bytes(3, "big")
    message = bytes((kind,)) + size + bytes(5) + size + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(message)) + message


def play(
    wire: Wire, lines: list[tuple[str, bytes]], ends: tuple[str, str] = (CLIENT, SERVER), port: int = 3478
) -> None:
    """Say datagrams of one flow."""
    for who, data in lines:
        if who == "c":
            wire.say(ends[0], 50000, ends[1], port, data)
        else:
            wire.say(ends[1], port, ends[0], 50000, data)


def kinds(found: list[Detection]) -> list[tuple[str, str]]:
    """Return who spoke and why."""
    return [(one.detector.value, one.reason.key) for one in found]


RTCP = struct.pack("!BBHI", 0x80, 200, 6, 77) + bytes(20) + struct.pack("!BBHI", 0x81, 202, 1, 77)
SPEAKS: dict[str, tuple[str, list[tuple[str, bytes]]]] = {
    "turn": (
        "turn",
        [("c", stun(ALLOCATE, [(0x19, b"\x11\0\0\0")])), ("s", stun(ALLOCATE_ERROR, [(9, b"\0\0\4\1")]))],
    ),
    "ice": ("ice", [("c", stun(BINDING, ICE)), ("s", stun(BINDING, ICE))]),
    "rtp": ("rtp", [("c", rtp(65533 + number)) for number in range(5)]),
    "rtcp": ("rtcp", [("c", RTCP)]),
    "srtcp": ("rtcp", [("c", struct.pack("!BBHI", 0x81, 201, 7, 99) + bytes(50))] * 2),
    "stun-and-rtp": (
        "stun-media",
        [("c", stun(BINDING)), ("s", stun(BINDING_OK, [(0x20, bytes(8))])), ("c", rtp(1)), ("c", rtp(2))],
    ),
    "dtls-srtp": ("dtls-srtp", [("c", dtls(1, hello("", srtp=True, dtls=True)))]),
    "zoom": ("zoom", [("c", b"\x01\x00\x02" + bytes(range(90))), ("s", b"\x02\x00\x01" + bytes(range(32)))]),
}


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["v4", "v6"])
def test_speaks_on_any_port(name: str, ends: tuple[str, str], wire: Wire, scan: Scan) -> None:
    """Once, with the reason that fits."""
    key, lines = SPEAKS[name]
    play(wire, lines, ends, port=443)
    found = scan(wire)
    assert [("videochat", key)] == kinds(found)
    assert (ends[0], 50000, ends[1], 443) == (
        found[0].server, found[0].server_port, found[0].peer, found[0].port,
    )  # fmt: skip


def test_turn_over_tcp_speaks(wire: Wire, scan: Scan) -> None:
    """Bare, and framed as RFC 4571 has it."""
    ask, answer = stun(ALLOCATE, [(0x19, b"\x11\0\0\0")]), stun(ALLOCATE_ERROR, [(9, b"\0\0\4\1")])
    wire.talk([("c", ask), ("s", answer)], port=443, piece=11)
    framed = [(who, struct.pack("!H", len(one)) + one) for who, one in (("c", ask), ("s", answer))]
    wire.talk(framed, port=8443)
    assert [("videochat", "turn")] * 2 == kinds(scan(wire))


def test_media_elsewhere_speaks_for_the_question_too(wire: Wire, scan: Scan) -> None:
    """STUN to a server, then media to a peer from the same endpoint: both flows are the call's."""
    wire.say(CLIENT, 50000, "203.0.113.1", 3478, stun(BINDING))
    wire.say("203.0.113.1", 3478, CLIENT, 50000, stun(BINDING_OK, [(0x20, bytes(8))]))
    for number in range(6):
        wire.say(CLIENT, 50000, SERVER, 9000, rtp(number))
    assert {("videochat", "rtp"), ("videochat", "stun-media")} == set(kinds(scan(wire)))


def test_a_question_alone_is_silent(wire: Wire, scan: Scan) -> None:
    """Games and downloads ask STUN servers for their address too."""
    play(wire, [("c", stun(BINDING)), ("s", stun(BINDING_OK, [(0x20, bytes(8))]))] * 5)
    assert [] == scan(wire)


@pytest.mark.parametrize(
    "lines",
    [
        [("c", dtls(1, hello("", dtls=True)))],
        [("c", rtp(number * 1000)) for number in range(12)],
        [("c", rtp(number, ssrc=number + 1)) for number in range(12)],
        [("c", rtp(number, kind=33)) for number in range(12)],
        [("c", bytes((0x84, number, 0, 0)) + bytes(60)) for number in range(12)],
        [("c", b"\x01\x00\x00\x00" + bytes(16))] * 12,
        [("c", struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + bytes(40)) for number in range(12)],
    ],
    ids=["dtls", "jumps", "changing-source", "television", "raknet", "old-stun-empty", "dns"],
)
def test_what_only_looks_like_media_is_silent(lines: list[tuple[str, bytes]], wire: Wire, scan: Scan) -> None:
    """A header that no other packet continues proves nothing."""
    play(wire, lines)
    assert [] == scan(wire)


def test_noise_is_silent(wire: Wire, scan: Scan) -> None:
    """A thousand flows of random bytes."""
    noise = random.Random(7)
    for flow in range(1000):
        for _ in range(6):
            wire.say(
                CLIENT,
                1024 + flow,
                f"203.0.113.{flow % 200}",
                9000 + flow,
                noise.randbytes(noise.randrange(1, 90)),
            )
    assert [] == [one for one in scan(wire) if one.detector.value == "videochat"]


def quic_initial(name: str, *, version: int = 1, first: bool = True) -> bytes:
    """Return a client's first QUIC packet, encrypted as RFC 9001 says, its hello in two pieces out of order."""
    target = bytes.fromhex("8394c8f03e515708")
    body = hello(name, alpn=["h3"])
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    cut = len(message) // 2
    frames = b""
    for start, part in ((cut, message[cut:]), (0, message[:cut])):
        frames += b"\x06" + struct.pack("!H", 0x4000 | start) + struct.pack("!H", 0x4000 | len(part)) + part
    frames += bytes(1150 - len(frames))
    key, vector, mask_key = _keys(version, target)
    kind = 0xC1 if version == 1 else 0xD1
    number = b"\x00\x02"
    header = bytes((kind,)) + version.to_bytes(4, "big") + bytes((len(target),)) + target + b"\x00\x00"
    header += struct.pack("!H", 0x4000 | len(frames) + 16 + len(number)) + number
    nonce = vector[:-2] + bytes((vector[-2] ^ number[0], vector[-1] ^ number[1]))
    sealed = AESGCM(key).encrypt(nonce, frames, header)
    sample = sealed[2:18]  # four bytes from where the number begins, which has two
    mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(sample)
    hidden = bytes((header[0] ^ mask[0] & 0x0F,)) + header[1:-2]
    return hidden + bytes((number[0] ^ mask[1], number[1] ^ mask[2])) + sealed


@pytest.mark.parametrize("version", [1, 0x6B3343CF], ids=["v1", "v2"])
def test_a_service_is_known_by_its_quic_hello(version: int, wire: Wire, scan: Scan) -> None:
    """The name stands in the first packet, whose keys everyone can derive."""
    wire.say(CLIENT, 50000, SERVER, 443, quic_initial("meet.google.com", version=version))
    wire.say(CLIENT, 50001, SERVER, 443, quic_initial("www.example.org", version=version))
    (found,) = scan(wire)
    assert (("name", "meet.google.com"),) == found.reason.facts
    assert 50000 == found.server_port


def test_a_damaged_quic_packet_is_silent(wire: Wire, scan: Scan) -> None:
    """What does not decrypt says nothing."""
    good = quic_initial("meet.google.com")
    for at in (0, 4, 5, 20, 25, 400, len(good) - 1):
        wire.say(CLIENT, 50000 + at, SERVER, 443, good[:at] + bytes((good[at] ^ 0x5A,)) + good[at + 1 :])
    for size in (7, 20, 1001, 1100):
        wire.say(CLIENT, 40000 + size, SERVER, 443, good[:size])
    assert [] == scan(wire)
