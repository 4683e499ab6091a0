"""Wireshark's own reader opens our evidence: packets, times, comments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fwguard.detect.evidence import write_evidence
from fwguard.detect.kept import KeptFrame
from fwguard.model.detection import Detection, Detector, Reason

pytestmark = pytest.mark.integration

# A SYN from 198.51.100.7:40001 to 192.0.2.10:6667, without link layer and behind Ethernet.
RAW = bytes.fromhex(
    "45000028000100004006" "0000" "c6336407c000020a" "9c411a0b000003e800000000500" "2ffff00000000"
)  # fmt: skip
ETHERNET = bytes.fromhex("0200c000020a0200c63364070800") + RAW


def test_tshark_reads_what_we_wrote(tmp_path: Path) -> None:
    """Two link types in one file, times to the microsecond, comments with letters of French."""
    detection = Detection(
        detector=Detector.IRC, server="198.51.100.7", peer="192.0.2.10", port=6667, protocol="tcp",
        reason=Reason("irc", (("said", "NICK é"), ("replied", "001"))), clause="7.5", first_packet=3,
        packets=(3, 9), first_s=1.0, last_s=2.0, ingress="s0",
    )  # fmt: skip
    frames = [
        KeptFrame(3, 1_700_000_000.25, 1, ETHERNET, len(ETHERNET)),
        KeptFrame(9, 1_700_000_001.5, 101, RAW, 1500),
    ]
    file = tmp_path / "evidence.pcapng"
    file.write_bytes(write_evidence(detection, frames))
    fields = ("frame.time_epoch", "frame.len", "frame.cap_len", "ip.src", "tcp.dstport", "frame.comment")
    asked = [word for field in fields for word in ("-e", field)]
    read = subprocess.run(
        ["tshark", "-r", str(file), "-T", "fields", *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [
        ["1700000000.250000000", "54", "54", "198.51.100.7", "6667", "packet 3"],
        ["1700000001.500000000", "1500", "40", "198.51.100.7", "6667", "packet 9"],
    ] == [line.split("\t") for line in read.stdout.splitlines()]
    about = subprocess.run(
        ["capinfos", "-k", str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "irc, clause 7.5, 198.51.100.7 at s0" in about.stdout
    assert "NICK é" in about.stdout
