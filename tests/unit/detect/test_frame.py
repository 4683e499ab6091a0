"""Frames to packets: link layers, tunnels, extension headers, fragments; and whatever an attacker writes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire import CLIENT, CLIENT6, SERVER, SERVER6, card, ether, packet, segment

from fwguard.detect.flow import show
from fwguard.detect.fragments import Fragments
from fwguard.detect.frame import Decoder, Packet
from fwguard.detect.links import LINKS

BODY = segment(1111, 2222, 24, 7, b"hello")
UDP_BODY = struct.pack("!HHHH", 1111, 2222, 13, 0) + b"hello"
V4, V6 = packet(CLIENT, SERVER, 6, BODY), packet(CLIENT6, SERVER6, 6, BODY)
HEAD = card(SERVER) + card(CLIENT)
OUTER4, OUTER6 = ("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")


def gre(flags: int, kind: int, rest: bytes) -> bytes:
    """Return an IPv4 packet with GRE in it."""
    return packet(*OUTER4, 47, struct.pack("!HH", flags, kind) + rest)


FRAMES: dict[str, tuple[int, bytes]] = {
    "ethernet-v4": (1, ether(CLIENT, SERVER, V4)),
    "ethernet-v6": (1, ether(CLIENT6, SERVER6, V6)),
    "vlan": (1, HEAD + b"\x81\x00\x00\x07\x08\x00" + V4),
    "vlan-in-vlan": (1, HEAD + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd" + V6),
    "padded": (1, ether(CLIENT, SERVER, V4) + bytes(20)),
    "mpls": (1, HEAD + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40" + V4),
    "pppoe": (1, HEAD + b"\x88\x64\x11\x00\x00\x01\x00\x40\x00\x21" + V4),
    "cooked": (113, bytes(14) + b"\x08\x00" + V4),
    "cooked-2": (276, b"\x86\xdd" + bytes(18) + V6),
    "raw-v4": (101, V4),
    "raw-v6": (101, V6),
    "ip4": (228, V4),
    "ip6": (229, V6),
    "loopback-little": (0, b"\x02\0\0\0" + V4),
    "loopback-big": (0, b"\0\0\0\x1e" + V6),
    "ppp": (9, b"\xff\x03\x00\x21" + V4),
    "cisco-hdlc": (104, b"\x0f\x00\x08\x00" + V4),
    "nflog": (239, b"\x02\0\0\0" + b"\x08\0\x0a\0pre\0" + struct.pack("<HH", len(V4) + 4, 9) + V4),
    "ip-in-ip": (1, ether(*OUTER4, packet(*OUTER4, 4, V4))),
    "6in4": (1, ether(*OUTER4, packet(*OUTER4, 41, V6))),
    "4in6": (1, ether(*OUTER6, packet(*OUTER6, 4, V4))),
    "gre": (1, ether(*OUTER4, gre(0, 0x0800, V4))),
    "gre-key-and-number": (1, ether(*OUTER4, gre(0x3000, 0x86DD, bytes(8) + V6))),
    "gre-ethernet": (1, ether(*OUTER4, gre(0, 0x6558, ether(CLIENT, SERVER, V4)))),
    "pptp": (1, ether(*OUTER4, gre(0x3081, 0x880B, bytes(12) + b"\xff\x03\x00\x21" + V4))),
    "vxlan": (
        1,
        ether(
            *OUTER4,
            packet(
                *OUTER4,
                17,
                struct.pack("!HHHH", 9, 4789, 8 + 8 + 14 + len(V4), 0)
                + b"\x08\0\0\0\0\0\x07\0"
                + ether(CLIENT, SERVER, V4),
            ),
        ),
    ),
    "extension-headers": (
        1,
        ether(
            CLIENT6,
            SERVER6,
            packet(
                CLIENT6,
                SERVER6,
                0,
                b"\x3c\x00" + bytes(6) + b"\x2b\x00" + bytes(6) + b"\x06\x00" + bytes(6) + BODY,
            ),
        ),
    ),
    "atomic-fragment": (
        1,
        ether(CLIENT6, SERVER6, packet(CLIENT6, SERVER6, 44, b"\x06\0\0\0\0\0\0\x01" + BODY)),
    ),
    "segmentation-offload": (1, ether(CLIENT, SERVER, V4[:2] + b"\0\0" + V4[4:])),
}


@pytest.mark.parametrize("name", FRAMES)
def test_finds_the_innermost_packet(name: str) -> None:
    """Addresses, ports and payload, whatever is around them."""
    found = Decoder().decode(*FRAMES[name])
    assert isinstance(found, Packet)
    assert (6, 1111, 2222, b"hello", 5) == (
        found.protocol,
        found.sport,
        found.dport,
        found.payload,
        found.length,
    )
    assert {(CLIENT, SERVER), (CLIENT6, SERVER6)} >= {(show(found.source), show(found.target))}


@pytest.mark.parametrize("name", FRAMES)
def test_every_cut_frame_is_read_or_refused(name: str) -> None:
    """No byte count makes an exception; what is cut says how long it was."""
    link, frame = FRAMES[name]
    decoder = Decoder()
    for size in range(len(frame)):
        found = decoder.decode(link, frame[:size])
        if isinstance(found, Packet) and found.protocol == 6 and found.dport == 2222:
            assert len(found.payload) <= found.length
    for link in (*LINKS, 999):
        decoder.decode(link, frame)


def test_tunnels_end_somewhere() -> None:
    """A packet in a packet in a packet, a hundred deep, is given up."""
    nested = V4
    for _ in range(100):
        nested = packet(*OUTER4, 4, nested)
    assert None is Decoder().decode(1, ether(*OUTER4, nested))


def test_fragments_come_together_in_any_order() -> None:
    """Both families."""
    decoder = Decoder()
    body = segment(1111, 2222, 24, 7, b"x" * 100)
    last = ether(CLIENT, SERVER, packet(CLIENT, SERVER, 6, body[64:], offset=8, identity=9))
    first = ether(CLIENT, SERVER, packet(CLIENT, SERVER, 6, body[:64], offset=0x2000, identity=9))
    assert None is decoder.decode(1, last)
    found = decoder.decode(1, first)
    assert isinstance(found, Packet)
    assert b"x" * 100 == found.payload
    for offset, more, part in ((64, 0, body[64:]), (0, 1, body[:64])):
        piece = packet(CLIENT6, SERVER6, 44, struct.pack("!BBHI", 6, 0, offset | more, 5) + part)
        found = decoder.decode(1, ether(CLIENT6, SERVER6, piece))
    assert isinstance(found, Packet)
    assert b"x" * 100 == found.payload


def test_overlapping_fragments_are_dropped() -> None:
    """RFC 5722: what overlaps was made by an attacker."""
    fragments = Fragments()
    key = (b"ab", 6, b"1")
    assert None is fragments.add(key, 0, b"x" * 16, last=False)
    assert None is fragments.add(key, 8, b"y" * 16, last=True)
    assert None is fragments.add(key, 0, b"x" * 8, last=False)
    assert 1 == fragments.dropped


def test_fragments_that_never_end_are_forgotten() -> None:
    """The oldest goes, and is counted."""
    fragments = Fragments(most=10)
    for number in range(1000):
        fragments.add((b"", 6, bytes(4) + number.to_bytes(4, "big")), 0, b"x" * 8, last=False)
    assert (990, 10) == (fragments.dropped, len(fragments._waiting))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(link=st.sampled_from([*LINKS, 1, 7]), frame=st.binary(max_size=200))
def test_noise_raises_nothing(link: int, frame: bytes) -> None:
    """Any bytes on any link."""
    Decoder().decode(link, frame)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(FRAMES)),
    changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
)
def test_damaged_frames_raise_nothing(name: str, changes: list[tuple[int, int]]) -> None:
    """Lengths that lie, types that change."""
    link, frame = FRAMES[name]
    damaged = bytearray(frame)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    Decoder().decode(link, bytes(damaged))
