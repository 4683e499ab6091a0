"""`fwguard scan` as a stranger meets it: on files, in a process of its own."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

ENDS = ip_address("198.51.100.7").packed, ip_address("192.0.2.10").packed


def fwguard(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "fwguard", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def capture(*lines: tuple[bool, bytes]) -> bytes:
    """Return a capture of raw IP in which the client (true) and the server speak."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    seq = {True: 100, False: 900}
    for number, (client, text) in enumerate(lines):
        source, target = ENDS if client else ENDS[::-1]
        ports = (40000, 1080) if client else (1080, 40000)
        body = struct.pack("!HHIIBBHHH", *ports, seq[client], 0, 0x50, 24, 9, 0, 0) + text
        seq[client] += len(text)
        frame = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, 6, 0) + source + target + body
        data += struct.pack("<IIII", 1_700_000_000 + number, 0, len(frame), len(frame)) + frame
    return data


SOCKS = capture((True, b"\x05\x01\x00"), (False, b"\x05\x00"))
WEB = capture((True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n"))


def test_prints_one_object_a_verdict_and_ends_with_1(tmp_path: Path) -> None:
    """The fields that scripts rely on."""
    (tmp_path / "a.pcap").write_bytes(SOCKS)
    (tmp_path / "b.pcap").write_bytes(WEB)
    result = fwguard("scan", str(tmp_path / "a.pcap"), str(tmp_path / "b.pcap"), "--json")
    (verdict,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert 1 == result.returncode
    assert {
        "file": str(tmp_path / "a.pcap"),
        "detector": "socks",
        "server": "198.51.100.7",
        "peer": "192.0.2.10",
        "port": 1080,
        "proto": "tcp",
        "first_packet": 1,
        "packets": [1, 2],
        "clause": "7.5",
    }.items() <= verdict.items()
    assert "SOCKS 5" in verdict["why"]


def test_inside_says_who_is_held_to_account() -> None:
    """With the prefix of the servers, theirs is the verdict."""
    result = fwguard("scan", "-", "--inside", "192.0.2.0/24", "--json", stdin=SOCKS)
    verdict = json.loads(result.stdout)
    assert ("192.0.2.10", "198.51.100.7") == (verdict["server"], verdict["peer"])


def test_ends_with_0_when_nothing_speaks() -> None:
    """Ordinary traffic."""
    result = fwguard("scan", "-", stdin=WEB)
    assert (0, b"nothing found\n") == (result.returncode, result.stdout)


def test_speaks_french() -> None:
    """Why, in the other language."""
    result = fwguard("scan", "-", "--language", "fr", stdin=SOCKS)
    assert "proposées" in result.stdout.decode()


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"no capture at all", 2, "-: offset 0: no capture"),
        (SOCKS[:-20], 0, "warning: -: offset"),
        (SOCKS[:24] + b"\xff" * 40, 2, "packet 1 of 4294967295 bytes"),
    ],
    ids=["text", "cut", "broken"],
)
def test_a_broken_file_is_named_with_its_offset(data: bytes, code: int, words: str) -> None:
    """Exit 2; one that only ends early is read as far as it goes."""
    result = fwguard("scan", "-", stdin=data)
    assert code == result.returncode
    assert words in result.stderr.decode()
    assert "Traceback" not in result.stderr.decode()


@pytest.mark.parametrize("arguments", [("nowhere.pcap",), (".",), ("-", "--inside", "example")])
def test_bad_input_ends_with_2(arguments: tuple[str, ...]) -> None:
    """A missing file, a folder, no prefix."""
    result = fwguard("scan", *arguments, stdin=WEB)
    assert 2 == result.returncode
    assert b"expected" in result.stderr
