"""TCP as an attacker plays it: segments that lie, overlap, come late, twice or cut, and headers without end."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire import ACK, CLIENT, CLIENT6, PSH, SERVER, SERVER6, SYN, Wire, ether, packet, segment

from fwguard.detect.engine import Engine
from fwguard.detect.stream import MAX_LATE, Stream
from fwguard.detect.unapproved_opening import Approved
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detection
from fwguard.model.thresholds import Thresholds

BASE = 0xFFFFFF00  # numbers pass zero
SAID = b"CONNECT hidden.example:443 HTTP/1.1\r\nHost: hidden.example:443\r\nUser-Agent: x\r\n\r\n"
REPLIED = b"HTTP/1.1 200 Connection established\r\n\r\n"
LIES = st.lists(
    st.tuples(st.integers(-60, 200), st.binary(min_size=0, max_size=60), st.integers(0, 30)), max_size=40
)


def feed(thresholds: Thresholds, wire: Wire) -> list[Detection]:
    """Run a wire through an engine."""
    engine = Engine(thresholds)
    said: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        said += engine.feed(number, time_s, link, frame)
    return said + engine.finish()


# ---------------------------------------------------------------------- one direction


@settings(max_examples=200, deadline=None)
@given(lies=LIES, anchored=st.booleans())
@example(lies=[(50, b"x", 0), (10, b"y" * 40, 0), (0, b"z" * 10, 0)], anchored=False)
def test_what_is_held_is_what_is_counted(lies: list[tuple[int, bytes, int]], anchored: bool) -> None:
    """Memory is bounded by that count: no order of segments may hide from it."""
    stream = Stream(100)
    if anchored:
        stream.anchor(BASE)
    for at, data, more in lies:
        stream.add((BASE + at) & 0xFFFFFFFF, data, len(data) + more)
        assert len(stream.head) + sum(len(late) for _, late in stream.late) == stream.held
        assert len(stream.head) <= 100 and len(stream.late) <= MAX_LATE


@settings(max_examples=200, deadline=None)
@given(lies=LIES)
def test_what_was_judged_is_never_rewritten(lies: list[tuple[int, bytes, int]]) -> None:
    """Each byte was sent at its place by someone, and the first to fill a place in order keeps it."""
    stream = Stream(4096)
    stream.anchor(BASE)
    sent: dict[int, set[int]] = {}
    before = b""
    for at, data, more in lies:
        for index, byte in enumerate(data):
            sent.setdefault(at + index, set()).add(byte)
        grew = stream.add((BASE + at) & 0xFFFFFFFF, data, len(data) + more)
        after = bytes(stream.head)
        assert after.startswith(before)
        assert grew or after == before
        before = after
    assert all(byte in sent[index] for index, byte in enumerate(before))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), text=st.binary(min_size=1, max_size=300))
def test_true_segments_in_any_order_give_the_text(data: st.DataObject, text: bytes) -> None:
    """Cut anywhere, overlapping, twice, at most eight ahead of the hole."""
    cuts = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=7))})
    wide = [(max(0, low - data.draw(st.integers(0, 20))), high) for low, high in pairwise(cuts)]
    order = data.draw(st.permutations(wide)) + data.draw(
        st.lists(st.sampled_from(wide or [(0, 0)]), max_size=4)
    )
    stream = Stream(4096)
    stream.anchor(BASE)
    for low, high in order:
        stream.add((BASE + low) & 0xFFFFFFFF, text[low:high], high - low)
    assert text == bytes(stream.head)


# ---------------------------------------------------------------------- whole flows


def played(order: list[tuple[str, int, bytes]], *, opened: bool) -> Wire:
    """Return a connection whose segments come in this order: side, offset, bytes."""
    wire = Wire()
    ends = {"c": (CLIENT, 40000, SERVER, 8080), "s": (SERVER, 8080, CLIENT, 40000)}
    if opened:
        wire.tcp(*ends["c"], SYN, BASE - 1)
        wire.tcp(*ends["s"], SYN | ACK, BASE - 1)
        wire.tcp(*ends["c"], ACK, BASE)
    for side, offset, data in order:
        wire.tcp(*ends[side], PSH | ACK, (BASE + offset) & 0xFFFFFFFF, data)
    return wire


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 1 << 32), cuts=st.integers(0, 3), opened=st.booleans())
def test_a_session_is_found_however_it_is_cut(
    thresholds: Thresholds, seed: int, cuts: int, opened: bool
) -> None:
    """Shuffled where a SYN said where it begins, in order where none did; every piece sent again, with lies."""
    dice = random.Random(seed)
    order: list[tuple[str, int, bytes]] = []
    for side, text in (("c", SAID), ("s", REPLIED)):
        at = sorted({0, *(dice.randrange(len(text)) for _ in range(cuts))})
        pieces = [(side, low, text[low:high]) for low, high in zip(at, [*at[1:], len(text)], strict=True)]
        if opened:
            dice.shuffle(pieces)
        # What was sent again with other words comes too late: the first copy was the one that was taken up.
        order += [part for piece in pieces for part in (piece, (side, piece[1], bytes(len(piece[2]))))]
    assert ["http-proxy"] == [one.detector.value for one in feed(thresholds, played(order, opened=opened))]


@settings(max_examples=80, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.sampled_from("cs"), st.integers(-70, 200), st.integers(0, 80), st.integers(0, 40)),
        max_size=25,
    ),
    snaplen=st.integers(30, 400),
)
def test_cut_and_overlapping_flows_raise_nothing(
    thresholds: Thresholds, lines: list[tuple[str, int, int, int]], snaplen: int
) -> None:
    """Pieces of true words at false places, frames cut anywhere."""
    order = [
        (side, at, (SAID if side == "c" else REPLIED)[low : low + size]) for side, at, low, size in lines
    ]
    wire = played(order, opened=True)
    wire.frames = [(time_s, link, frame[:snaplen]) for time_s, link, frame in wire.frames]
    feed(thresholds, wire)
    edge = Engine(thresholds, allowed={"s0": AddressSet.parse(SERVER)}, approved=Approved(frozenset({"s0"})))
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        ours = frame[26:30] == ip_address(SERVER).packed
        edge.feed(
            number,
            time_s,
            link,
            frame,
            "s0" if ours else "i0",
            b"\0\1",
            number % 3 == 0 if snaplen % 2 else ours,
        )
    edge.finish()


@pytest.mark.parametrize("family", [4, 6])
def test_giant_headers_hide_nothing(thresholds: Thresholds, family: int) -> None:
    """All options of IPv4 and TCP, or extension headers of two kilobytes, before the words."""
    client, server = (CLIENT, SERVER) if family == 4 else (CLIENT6, SERVER6)
    wire = Wire()
    for source, target, sport, dport, flags, seq, data in (
        (client, server, 40000, 8080, SYN, 99, b""),
        (server, client, 8080, 40000, SYN | ACK, 99, b""),
        (client, server, 40000, 8080, PSH | ACK, 100, SAID),
        (server, client, 8080, 40000, PSH | ACK, 100, REPLIED),
    ):
        plain = segment(sport, dport, flags, seq, data)
        body = plain[:12] + b"\xf0" + plain[13:20] + b"\x01" * 40 + plain[20:]
        if family == 4:
            whole = packet(source, target, 6, body)
            head = struct.pack("!BBH", 0x4F, 0, 60 + len(body)) + whole[4:20] + b"\x01" * 40
            wire.add(ether(source, target, head + body))
        else:
            chain = b"".join(bytes((following, 127)) + bytes(1022) for following in (60, 6))
            one, two = ip_address(source).packed, ip_address(target).packed
            head = struct.pack("!IHBB", 6 << 28, len(chain) + len(body), 0, 64) + one + two
            wire.add(ether(source, target, head + chain + body))
    assert ["http-proxy"] == [one.detector.value for one in feed(thresholds, wire)]


def test_headers_without_end_are_given_up(thresholds: Thresholds) -> None:
    """More extension headers than any host sends give no packet, and cost little."""
    wire = Wire()
    one, two = ip_address(CLIENT6).packed, ip_address(SERVER6).packed
    chain = b"\x3c\x00\x00\x00\x00\x00\x00\x00" * 180
    wire.add(ether(CLIENT6, SERVER6, struct.pack("!IHBB", 6 << 28, len(chain), 60, 64) + one + two + chain))
    assert [] == feed(thresholds, wire)


def test_the_oldest_flow_goes_first_and_is_counted(thresholds: Thresholds) -> None:
    """Whatever is open; the newest are the ones that stay."""
    engine = Engine(replace(thresholds, memory=replace(thresholds.memory, flows_most=16)))
    for number in range(100):
        frame = ether(CLIENT, SERVER, packet(CLIENT, SERVER, 6, segment(1000 + number, 80, SYN, 7)))
        engine.feed(number, 1.0 + number / 1000, 1, frame)
    assert (84, 16) == (engine.flows.dropped, len(engine.flows.order))
    assert list(range(1084, 1100)) == [flow.client.port for flow in engine.flows.order.values()]


def test_segments_before_others_are_counted_too(thresholds: Thresholds) -> None:
    """On an edge no SYN is seen: who begins with the second segment must not get memory for nothing."""
    engine = Engine(replace(thresholds, memory=replace(thresholds.memory, held_bytes_most=65536)))
    for number in range(400):
        for seq, data in ((1400, b"x"), (100, b"{" + bytes(1299))):
            body = segment(2000 + number, 80, PSH | ACK, seq, data)
            engine.feed(number, 1.0, 1, ether(CLIENT, SERVER, packet(CLIENT, SERVER, 6, body)))
    held = sum(
        len(side.stream.head)
        for flow in engine.flows.order.values()
        for side in (flow.client, flow.server)
        if side.stream is not None
    )
    assert held == engine.flows.held <= 65536 + 4096
