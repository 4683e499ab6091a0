"""Capture files: both formats, both byte orders, and what is broken about others."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import CLIENT, SERVER, Wire

from fwguard.detect.capture import Capture
from fwguard.errors import InputError


def two() -> Wire:
    """Two frames."""
    wire = Wire(1_600_000_000.25)
    wire.say(CLIENT, 1, SERVER, 2, b"one")
    wire.say(CLIENT, 1, SERVER, 2, b"three")
    return wire


def read(data: bytes) -> tuple[list[tuple[float, int, bytes]], str]:
    """Return frames and warning of a file's bytes."""
    capture = Capture("some.pcap", io.BytesIO(data))
    return list(capture.frames()), capture.warning


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_reads_both_formats_in_both_byte_orders(form: str, order: str) -> None:
    """Time to the microsecond, link type, bytes."""
    wire = two()
    frames, warning = read(getattr(wire, form)(order))
    assert ("", 2) == (warning, len(frames))
    for expected, actual in zip(wire.frames, frames, strict=True):
        assert expected[1:] == actual[1:]
        assert expected[0] == pytest.approx(actual[0], abs=2e-6)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_file_that_ends_inside_its_last_packet_is_a_warning(form: str) -> None:
    """What was whole is read, and the warning says where it ends."""
    data: bytes = getattr(two(), form)()
    frames, warning = read(data[:-9])
    assert 1 == len(frames)
    assert f"some.pcap: offset {len(data) - 9}: ends inside packet 2" in warning


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_every_cut_is_a_warning_or_says_what_is_broken(form: str) -> None:
    """No length makes another error."""
    data: bytes = getattr(two(), form)()
    for size in range(len(data)):
        capture = Capture("some.pcap", io.BytesIO(data[:size]))
        refused = ""
        try:
            list(capture.frames())
        except InputError as error:
            refused = str(error)
        assert not refused or "some.pcap: offset" in refused


def test_older_blocks_and_other_clocks_are_read() -> None:
    """Obsolete and simple packet blocks; nanoseconds, powers of two, an offset in seconds."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    options = b"\x09\0\1\0\x9e\0\0\0" + struct.pack("<HHq", 14, 8, 1000)
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", 101, 0, 5) + options)
    data += block(2, struct.pack("<HHIIII", 0, 9, 0, 3 << 30, 4, 4) + b"abcd")
    data += block(3, struct.pack("<I", 400) + b"abcde")
    data += block(5, bytes(12))
    frames, _ = read(data)
    assert [(1003.0, 101, b"abcd"), (1000.0, 101, b"abcde")] == frames
    nano = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101) + struct.pack(
        "<IIII", 7, 500_000_000, 1, 1
    )
    assert [(7.5, 101, b"x")] == read(nano + b"x")[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "offset 0: no capture"),
        (b"root:x:0:0", "offset 0: no capture"),
        (b"\x1f\x8b\x08\x00" + bytes(30), "offset 0: no capture"),
        (b"\xd4\xc3\xb2\xa1" + bytes(5), "ends inside its header"),
        (b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 9, 4, 0, 0, 0, 1), "version 9"),
        (two().pcap()[:24] + struct.pack("<IIII", 1, 1, 1 << 30, 1) + bytes(50), "packet 1 of 1073741824 bytes"),
        (two().pcapng()[:8] + b"\1\2\3\4" + bytes(50), "no byte order mark"),
        (two().pcapng()[:28] + struct.pack("<II", 1, 13) + bytes(50), "a block of 13 bytes"),
        (two().pcapng()[:28] + struct.pack("<II", 6, 1 << 30) + bytes(50), "a block of"),
        (two().pcapng()[:24] + b"\0\0\0\0", "two lengths differ"),
        (two().pcapng()[:28] + two().pcapng()[48:], "interface 0"),
    ],
)  # fmt: skip
def test_what_is_no_capture_is_named_with_its_offset(data: bytes, words: str) -> None:
    """File, offset, what was expected."""
    with pytest.raises(InputError, match="some.pcap: offset") as caught:
        read(data)
    assert words in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["pcap", "pcapng"]),
    changes=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=5),
)
def test_a_damaged_file_raises_nothing_else(form: str, changes: list[tuple[int, int]]) -> None:
    """InputError or frames."""
    data = bytearray(getattr(two(), form)())
    for at, value in changes:
        data[at % len(data)] = value
    try:
        read(bytes(data))
    except InputError:
        return
