"""How the accuracy is counted, on captures and labels written here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from wire import CLIENT, SERVER, SYN, Wire, rtp

from fwguard.bench.accuracy import expected_of, is_certain, main, measure
from fwguard.model.detection import Detector


def folder(path: Path, label: str) -> Path:
    """A capture with one SOCKS flow, and its label."""
    wire = Wire()
    wire.talk([("c", b"\x05\x01\x00"), ("s", b"\x05\x00")], port=1080, sport=40000)
    (path / "one.pcap").write_bytes(wire.pcap())
    line = {"pcap": "one.pcap", "l4": "TCP", "a": f"{SERVER}:1080", "b": f"{CLIENT}:40000", "app": label}
    (path / "labels.jsonl").write_text(json.dumps(line) + "\n")
    return path


@pytest.mark.parametrize(
    ("label", "right", "wrong", "unsaid"),
    [("SOCKS", 1, 0, 0), ("HTTP.Amazon", 0, 1, 0), ("TLS", 0, 0, 1)],
)
def test_counts_what_labels_say(tmp_path: Path, label: str, right: int, wrong: int, unsaid: int) -> None:
    """Whatever end the label names first."""
    tallies, packets, _ = measure(folder(tmp_path, label))
    tally = tallies[Detector.SOCKS]
    assert (right, wrong, unsaid, 7) == (tally.right, tally.wrong, tally.open, packets)


def test_what_is_missed_is_named_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its capture and its ends."""
    assert 1 == main([str(folder(tmp_path, "IRC"))])
    assert "irc: one.pcap: silent on tcp" in capsys.readouterr().out
    assert 2 == main([])


def test_labels_are_read_by_their_parts() -> None:
    """A question about a service is not the service, and a carrier says nothing for certain."""
    assert None is expected_of("DNS.Zoom")
    assert Detector.VIDEOCHAT is expected_of("TLS.Zoom")
    assert Detector.HTTP_PROXY is expected_of("HTTP_Proxy.QQ")
    assert (False, True) == (is_certain("TLS"), is_certain("SSH"))


def test_a_label_that_a_packet_contradicts_is_no_false_alarm(tmp_path: Path) -> None:
    """It is counted apart, and said with that packet."""
    wire = Wire()
    for number in range(8):
        wire.say(SERVER, 60476, CLIENT, 50004, rtp(number))
    (tmp_path / "i3d.pcap").write_bytes(wire.pcap())
    line = {"pcap": "i3d.pcap", "l4": "UDP", "a": f"{SERVER}:60476", "b": f"{CLIENT}:50004", "app": "i3D"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n")
    tally = measure(tmp_path)[0][Detector.VIDEOCHAT]
    assert (0, 1) == (tally.wrong, tally.disputed)
    assert "the label is wrong by packet 3: RTP version 2" in tally.disagreements[0]


def test_behaviour_in_an_ordinary_capture_is_a_false_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless the capture is known for it."""
    for name, code in (("ordinary.pcap", 1), ("synscan.pcap", 0)):
        wire = Wire()
        for port in range(1, 40):
            wire.tcp(SERVER, 50000, CLIENT, port, SYN, 7)
        place = tmp_path / name.partition(".")[0]
        place.mkdir()
        (place / name).write_bytes(wire.pcap())
        (place / "labels.jsonl").write_text("")
        assert code == main([str(place)])
    assert "synscan.pcap packet 1" in capsys.readouterr().out
