"""The engine under an attacker's hand: nothing is raised, memory ends, what was forgotten is counted."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import (
    ACK,
    CLIENT,
    PSH,
    SERVER,
    SYN,
    Wire,
    certificate,
    ether,
    handshake,
    hello,
    packet,
    segment,
    server_hello,
)

from fwguard.detect.der import read_certificate
from fwguard.detect.engine import Engine
from fwguard.detect.quic import Opening
from fwguard.detect.stun import read_stream, read_stun
from fwguard.detect.tls import leaf, read_client, read_dtls, read_hello, read_server
from fwguard.model.detection import Detection
from fwguard.model.thresholds import Thresholds

BEGINNINGS = [
    b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\xff\x01\x00\x00", b"\x05\x01\x00", b"\x05\xff", b"\x04\x01\x00\x50",
    b"CONNECT ", b"GET http://", b"GET /tor/", b"220 ", b"EHLO ", b"NICK ", b":srv 001 ", b'{"method":"mining.',
    b"POST / HTTP/1.1\r\n\r\n{", b"HTTP/1.1 200", b"\x00\x01\x00\x58\x21\x12\xa4\x42", b"\x80\x60", b"\x81\xc8\x00\x06",
    b"\x16\xfe\xff", b"\xc3\x00\x00\x00\x01\x08", b"SSH-2.0-", b"\x03\x00\x00\x13\x0e\xe0", b"\x01\x00\x02",
    b"\x1f\x02\x01",
]  # fmt: skip
PAYLOAD = st.builds(bytes.__add__, st.sampled_from(BEGINNINGS), st.binary(max_size=120))


def feed(engine: Engine, wire: Wire) -> list[Detection]:
    """Run a wire through an engine."""
    said: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        said += engine.feed(number, time_s, link, frame)
    return said + engine.finish()


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.booleans(), st.integers(0, 255), st.integers(-40, 80), PAYLOAD), min_size=1, max_size=12
    )
)
def test_lying_segments_raise_nothing(
    thresholds: Thresholds, lines: list[tuple[bool, int, int, bytes]]
) -> None:
    """Any flags, any order of numbers, any beginning of a protocol with noise after it."""
    wire = Wire()
    for client, flags, jump, data in lines:
        ends = (CLIENT, 50000, SERVER, 443) if client else (SERVER, 443, CLIENT, 50000)
        wire.tcp(*ends, flags, max(0, 1000 + jump), data)
        wire.say(*ends, data)
    feed(Engine(thresholds), wire)


@settings(max_examples=150, deadline=None)
@given(data=PAYLOAD, more=st.binary(max_size=300))
def test_parsers_take_any_bytes(data: bytes, more: bytes) -> None:
    """Each reads it or says that it is none of its own."""
    whole = data + more
    read_client(whole)
    read_server(whole)
    read_hello(whole, cookie=True)
    read_hello(whole, cookie=False)
    read_dtls(b"\x16\xfe\xfd\x00\x00" + whole)
    leaf(whole)
    read_certificate(b"\x30\x82" + whole)
    read_stun(whole)
    read_stream(whole)
    Opening().add(b"\xc0\x00\x00\x00\x01" + whole + bytes(1100))


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=5))
def test_damaged_handshakes_raise_nothing(changes: list[tuple[int, int]]) -> None:
    """Lengths inside lengths that do not fit."""
    flight = handshake(2, server_hello()) + handshake(11, certificate("a", "b", ["c.example"]))
    for good in (handshake(1, hello("www.example.com", alpn=["h2"])), flight):
        data = bytearray(good)
        for at, value in changes:
            data[at % len(data)] = value
        read_client(data)
        read_server(data)


def test_many_half_open_flows_cost_bounded_memory(thresholds: Thresholds) -> None:
    """The table drops the oldest and counts it."""
    small = replace(thresholds, memory=replace(thresholds.memory, flows_most=1000, sources_most=500))
    engine = Engine(small)
    for number in range(6000):
        source = f"198.18.{number // 250}.{number % 250}"
        frame = ether(source, SERVER, packet(source, SERVER, 6, segment(1024, 80, SYN, 7)))
        engine.feed(number, 1.0 + number / 1e5, 1, frame)
    assert 1000 == len(engine.flows.order)
    assert 2000 == len(engine.flows.entries)
    assert 5000 == engine.flows.dropped
    assert len(engine.behaviours.hostscans.sweeps.entries) <= 500
    assert len(engine.behaviours.floods.aims.entries) <= 500


def test_streams_share_what_they_may_hold(thresholds: Thresholds) -> None:
    """Flows that say much and prove nothing give their memory back, the oldest first."""
    small = replace(thresholds, memory=replace(thresholds.memory, held_bytes_most=65536))
    engine = Engine(small)
    for flow in range(300):
        for part in range(3):
            body = segment(2000 + flow, 80, PSH | ACK, 1 + part * 1000, b'{"id": 1, "a":' + bytes(986))
            engine.feed(flow, 1.0, 1, ether(CLIENT, SERVER, packet(CLIENT, SERVER, 6, body)))
        assert engine.flows.held <= 65536 + 4096 * 2
    assert engine.flows.dropped > 200
    engine.finish()
    assert (0, 0, 0) == (engine.flows.held, len(engine.flows.order), len(engine.flows.entries))


def test_a_flow_that_is_silent_too_long_is_over(thresholds: Thresholds) -> None:
    """The next packet of the same ports begins another."""
    wire = Wire()
    wire.talk(
        [("c", b"CONNECT a:1 HTTP/1.1\r\n\r\n"), ("s", b"HTTP/1.1 200 OK\r\n\r\n")],
        port=1,
        sport=2,
        closed=False,
    )
    wire.wait(thresholds.memory.idle_s + 1)
    wire.talk([("c", b"x")], port=9)
    wire.talk([("c", b"x")], port=10)
    engine = Engine(thresholds)
    feed_all = [engine.feed(number, *frame) for number, frame in enumerate(wire.frames, 1)]
    assert 1 == sum(len(one) for one in feed_all)
    assert 2 == len(engine.flows.order)


def test_ports_used_again_are_another_flow(thresholds: Thresholds) -> None:
    """A new SYN on the same four ends is judged anew."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=1080, sport=4000)
    wire.talk([("c", b"\x05\x01\x00"), ("s", b"\x05\x00")], port=1080, sport=4000)
    assert ["socks"] == [one.detector.value for one in feed(Engine(thresholds), wire)]


def test_two_clients_may_use_the_same_private_addresses(thresholds: Thresholds) -> None:
    """A zone keeps their flows apart."""
    wire = Wire()
    wire.talk(
        [("c", b"\x05\x01\x00"), ("s", b"\x05\x00")],
        port=1080,
        sport=4000,
        client="10.0.0.1",
        server="10.0.0.2",
    )
    engine = Engine(thresholds)
    said: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        for zone in (b"\0\1", b"\0\2"):
            said += engine.feed(number, time_s, link, frame, "", zone)
    assert 2 == len(said + engine.finish())
    assert {} == engine.flows.entries


@pytest.mark.timeout(20)
def test_long_lines_take_no_long_time(thresholds: Thresholds) -> None:
    """Patterns that an attacker feeds with what nearly fits stay linear."""
    nasty = [
        b"CONNECT " + b"a" * 4000,
        b"GET http://" + b"@" * 4000,
        b"NICK " + b":" * 4000,
        b"@" + b"a" * 4000,
        b"MAIL FROM " * 400,
        b"220" + b"-SMT" * 1000,
        b'{"job": {' * 400,
        b'"method" :' * 400,
        b"GET /ws HTTP/1.1\r\n" + b"Sec-WebSocket-Protocol:" * 170,
        b"EHLO " * 800,
    ]
    begun = time.process_time()
    for index, line in enumerate(nasty):
        wire = Wire()
        wire.talk([("c", line), ("s", line)] * 2, port=80 + index, piece=200)
        feed(Engine(thresholds), wire)
    assert time.process_time() - begun < 3


def test_random_conversations_are_silent(thresholds: Thresholds) -> None:
    """Five hundred connections of noise prove nothing."""
    noise = random.Random(3)
    wire = Wire()
    for _ in range(500):
        lines = [(noise.choice("cs"), noise.randbytes(noise.randrange(1, 60))) for _ in range(4)]
        wire.talk(lines, port=noise.randrange(1, 65536))
        wire.wait(1)
    assert [] == feed(Engine(thresholds), wire)
