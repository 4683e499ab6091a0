"""The proof of a verdict as a capture file, and its packets in words."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import CLIENT, CLIENT6, SERVER, SERVER6, SYN, Wire, card

from fwguard.detect.capture import Capture
from fwguard.detect.engine import Engine
from fwguard.detect.evidence import PAYLOAD_BYTES, needed_bytes, write_evidence
from fwguard.detect.evidence_words import explain
from fwguard.detect.kept import FRAME_COST_BYTES, Kept, KeptFrame
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.inventory import Language
from fwguard.model.thresholds import Thresholds

NOISE = st.builds(
    KeptFrame, st.integers(0, 99), st.floats(-1e9, 4e9), st.sampled_from([0, 1, 12, 101, 113, 229, 70000]),
    st.binary(max_size=300), st.integers(0, 65535),
)  # fmt: skip


def proven(thresholds: Thresholds, wire: Wire) -> tuple[Detection, list[KeptFrame]]:
    """Run the detectors with a memory of frames beside them, as an edge does; return the first verdict's proof."""
    engine, kept = Engine(thresholds), Kept()
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        kept.add(number, time_s, link, frame)
        for detection in engine.feed(number, time_s, link, frame):
            return detection, kept.of(detection)
    raise AssertionError("no verdict")


def proxied(client: str = CLIENT, server: str = SERVER) -> Wire:
    """Return a request to a proxy with a long secret after it."""
    wire = Wire()
    asked = b"CONNECT a.example:443 HTTP/1.1\r\nCookie: " + b"s3cret" * 60 + b"\r\n\r\n"
    wire.talk([("c", asked), ("s", b"HTTP/1.1 200 OK\r\n\r\n")], port=1080, client=client, server=server)
    return wire


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_evidence_is_the_packets_that_the_verdict_names(
    thresholds: Thresholds, client: str, server: str
) -> None:
    """Read back with our own reader: the same times, links and first bytes."""
    wire = proxied(client, server)
    detection, frames = proven(thresholds, wire)
    data = write_evidence(detection, frames)
    read = list(Capture("evidence", io.BytesIO(data)).frames())
    wanted = [wire.frames[number - 1] for number in sorted({*detection.packets, detection.first_packet})]
    assert len(wanted) == len(read)
    for (time_s, link, whole), (read_s, read_link, cut) in zip(wanted, read, strict=True):
        assert (round(time_s, 6), link) == (round(read_s, 6), read_link)
        assert whole.startswith(cut)
    assert b"http-proxy, clause 7.5" in data
    assert b"packet 4" in data


def test_content_is_cut_to_its_first_words(thresholds: Thresholds) -> None:
    """What proves it, and no more."""
    detection, frames = proven(thresholds, proxied())
    longest = max(frames, key=lambda frame: len(frame.data))
    assert needed_bytes(detection.detector, longest) == 14 + 20 + 20 + PAYLOAD_BYTES < len(longest.data)


def test_behaviour_needs_headers_only() -> None:
    """A scan is proven by who called what."""
    frame = KeptFrame(1, 1.0, 1, proxied().frames[4][2], 999)
    assert 14 + 20 + 20 == needed_bytes(Detector.BRUTEFORCE, frame)


def test_a_busy_port_pushes_out_its_own_frames_first() -> None:
    """Nobody's proof is lost in another's noise."""
    kept = Kept(held_bytes_most=100 * (60 + FRAME_COST_BYTES))
    for number in range(10):
        kept.add(number, 1.0, 1, bytes(60), "quiet")
    for number in range(10, 5000):
        kept.add(number, 1.0, 1, bytes(60), "busy")
    assert (10, 90, 4900) == (len(kept.rings["quiet"].frames), len(kept.rings["busy"].frames), kept.dropped)


@settings(max_examples=60, deadline=None)
@given(
    seen=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 900)), max_size=200),
    most=st.integers(300, 9000),
)
def test_what_is_kept_is_bounded_and_counted(seen: list[tuple[str, int]], most: int) -> None:
    """Whoever sends whatever."""
    kept = Kept(held_bytes_most=most)
    for number, (ingress, size) in enumerate(seen):
        kept.add(number, 1.0, 1, bytes(size), ingress)
    frames = [frame for ring in kept.rings.values() for frame in ring.frames]
    assert kept.held == sum(len(frame.data) + FRAME_COST_BYTES for frame in frames) <= most
    assert len(seen) == len(frames) + kept.dropped


def test_a_long_proof_is_its_first_and_last_packets(thresholds: Thresholds) -> None:
    """At most so many, in order."""
    detection, _ = proven(thresholds, proxied())
    kept = Kept()
    for number in range(1, 40):
        kept.add(number, float(number), 1, bytes(60))
    many = replace(detection, packets=tuple(range(1, 40)), first_packet=1)
    assert [1, 2, 38, 39] == [frame.number for frame in kept.of(many, 4)]
    assert [] == kept.of(replace(detection, packets=(77,), first_packet=77))


def test_packets_are_said_in_both_languages() -> None:
    """When, who to whom, what, and the first words of it."""
    wire = Wire()
    wire.talk([("c", b"NICK bob\x1b[2J\r\n")], port=6667)
    frames = [
        KeptFrame(n, time_s, link, data, len(data)) for n, (time_s, link, data) in enumerate(wire.frames, 1)
    ]
    said, dit = explain(frames, Language.EN), explain(frames, Language.FR)
    start = "packet 1, 2023-11-14 22:13:20.001000 UTC: TCP from 198.51.100.7 port 40001 to 192.0.2.10 port 6667, SYN"
    assert start == said[0]
    assert said[3].endswith("PSH ACK, 14 bytes: “NICK bob.[2J”")
    assert dit[3].endswith("14 octets : « NICK bob.[2J »")


def test_other_packets_are_said_too() -> None:
    """ARP, ICMP, IPv6, UDP, raw IP."""
    wire = Wire()
    wire.arp(2, (card(SERVER), SERVER), (card(CLIENT), CLIENT), card(CLIENT))
    wire.icmp(CLIENT, SERVER, 8, 0, bytes(8))
    wire.icmp(CLIENT6, SERVER6, 128, 0, bytes(8))
    wire.say(CLIENT6, 5000, SERVER6, 53, b"question")
    frames = [KeptFrame(n, 1.0, link, data, len(data)) for n, (_, link, data) in enumerate(wire.frames, 1)]
    frames.append(KeptFrame(5, 1.0, 101, frames[3].data[14:], 60))
    words = [line.partition("UTC: ")[2] for line in explain(frames, Language.EN)]
    assert "ARP: 02:00:c0:00:02:0a says to be 192.0.2.10, to 198.51.100.7" == words[0]
    assert "ICMP from 198.51.100.7 to 192.0.2.10, echo-request" == words[1]
    assert words[2].startswith("ICMPv6 Echo Request from 2001:db8:1::7")
    assert (
        "UDP from 2001:db8:1::7 port 5000 to 2001:db8:2::10 port 53, 8 bytes: “question”"
        == words[3]
        == words[4]
    )


@settings(max_examples=80, deadline=None)
@given(frames=st.lists(NOISE, max_size=20))
def test_no_frame_breaks_the_evidence(thresholds: Thresholds, frames: list[KeptFrame]) -> None:
    """Whatever was captured: a file that is read again, and a line for each packet."""
    detection = Detection(
        detector=Detector.PORTSCAN, server=SERVER, peer="", port=0, protocol="tcp", clause="7.1",
        reason=Reason("portscan", (("count", "1"), ("seconds", "\x1b\n"), ("ports", "é" * 2000))),
        first_packet=1, packets=(1,), first_s=1.0, last_s=1.0,
    )  # fmt: skip
    data = write_evidence(detection, frames)
    assert len(data) < 16 << 10
    assert min(16, len(frames)) == len(list(Capture("evidence", io.BytesIO(data)).frames()))
    for language in Language:
        assert min(16, len(frames)) == len(explain(frames, language))


def test_a_bare_syn_is_a_whole_packet() -> None:
    """No payload, nothing to quote."""
    wire = Wire()
    wire.tcp(CLIENT, 1, SERVER, 2, SYN)
    frame = KeptFrame(1, 1.0, 1, wire.frames[0][2], 54)
    assert explain([frame], Language.EN)[0].endswith("port 2, SYN")
