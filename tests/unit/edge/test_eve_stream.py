"""Suricata's lines from a file that is rotated, and from sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.detect.outside.eve import MOST_LINE_BYTES
from fwguard.edge.eve_stream import EveFile, EveSocket, _Lines


def drain(source: EveFile | EveSocket, times: int = 6) -> list[bytes]:
    """Read a few times: one reading is one chunk, and a rotation takes one."""
    return [line for _ in range(times) for line in source.lines()]


def test_a_file_is_read_from_its_end_as_it_grows(tmp_path: Path) -> None:
    """Only what comes, and only whole lines."""
    path = tmp_path / "eve.json"
    path.write_bytes(b"old\n")
    source = EveFile(path)
    assert [] == drain(source)
    with path.open("ab") as file:
        file.write(b"one\ntw")
        file.flush()
        assert [b"one"] == drain(source)
        file.write(b"o\n\n")
    assert [b"two"] == drain(source)


def test_a_rotated_file_loses_nothing(tmp_path: Path) -> None:
    """The old one to its end, then the new one from its start."""
    path = tmp_path / "eve.json"
    path.write_bytes(b"one\n")
    source = EveFile(path, from_start=True)
    assert [b"one"] == list(source.lines())
    with path.open("ab") as file:
        path.rename(tmp_path / "eve.json.1")
        file.write(b"two\n")
    path.write_bytes(b"three\n")
    assert [b"two", b"three"] == drain(source)


def test_a_truncated_file_begins_again(tmp_path: Path) -> None:
    """As copytruncate does."""
    path = tmp_path / "eve.json"
    path.write_bytes(b"one\ntwo\n")
    source = EveFile(path, from_start=True)
    assert [b"one", b"two"] == drain(source)
    path.write_bytes(b"three\n")
    assert [b"three"] == drain(source)


def test_a_file_may_come_later(tmp_path: Path) -> None:
    """Then it is read from its start: all of it is new."""
    path = tmp_path / "eve.json"
    source = EveFile(path)
    assert [] == drain(source)
    path.write_bytes(b"one\n")
    assert [b"one"] == drain(source)
    source.close()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A folder, or a pipe that would hold us."""
    assert [] == drain(EveFile(tmp_path))


@settings(max_examples=80, deadline=None)
@given(
    lines=st.lists(
        st.integers(1, 40) | st.sampled_from([MOST_LINE_BYTES, MOST_LINE_BYTES + 1, 3 * MOST_LINE_BYTES]), max_size=8
    ),
    piece=st.integers(1, 1 << 17),
)  # fmt: skip
def test_long_lines_are_left_out_and_counted(lines: list[int], piece: int) -> None:
    """However they are cut; memory stays bounded."""
    piece = max(piece, 500)
    data = b"".join(b"x" * size + b"\n" for size in lines)
    reader, got = _Lines(), []
    for at in range(0, len(data), piece):
        got += [len(line) for line in reader.add(data[at : at + piece])]
        assert len(reader.rest) <= MOST_LINE_BYTES
    assert [size for size in lines if size <= MOST_LINE_BYTES] == got
    assert sum(size > MOST_LINE_BYTES for size in lines) == reader.too_long


@pytest.mark.parametrize("datagrams", [False, True])
def test_a_socket_is_written_to(tmp_path: Path, datagrams: bool) -> None:
    """Lines over a stream, or one a message; who ends is forgotten, a long one left out."""
    path = tmp_path / "eve.sock"
    source = EveSocket(path, datagrams=datagrams)
    assert 0o660 == stat.S_IMODE(path.stat().st_mode)
    for n in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM) as writer:
            writer.connect(str(path))
            writer.sendall(b"one %d\n" % n)
            got = list(source.lines())
            writer.sendall(b"x" * (MOST_LINE_BYTES + 9) + b"\n")
            got += drain(source)
            writer.sendall(b"two\n")
        assert [b"one %d" % n, b"two"] == got + drain(source)
    assert 2 == source.too_long
    source.close()
    assert not path.exists()
