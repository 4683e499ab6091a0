"""Lines that last, and what a crash leaves of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.edge.journal import Journal, read_line, read_lines


def _texts(path: Path) -> list[bytes]:
    return [line.text for line in read_lines(path)]


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    """Numbers and texts come back in order, also one by one."""
    journal = Journal(tmp_path / "a.log")
    lines = journal.append([(1, b"one"), (2, b"two words")])
    assert [b"one", b"two words"] == _texts(tmp_path / "a.log")
    assert b"two words" == read_line(tmp_path / "a.log", lines[1].offset, lines[1].size)


def test_a_torn_line_is_cut_off_and_counted(tmp_path: Path) -> None:
    """After a crash in the middle of a write the whole lines stay, and the next one follows them."""
    path = tmp_path / "a.log"
    Journal(path).append([(1, b"one"), (2, b"two")])
    whole = path.read_bytes()
    path.write_bytes(whole + b"deadbeef 3 thr")
    journal = Journal(path)
    assert 14 == journal.torn_bytes and whole == path.read_bytes()
    journal.append([(3, b"three")])
    assert [b"one", b"two", b"three"] == _texts(path)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.binary(max_size=40).filter(lambda one: b"\n" not in one), max_size=8), data=st.data()
)
def test_cut_anywhere_a_prefix_of_the_lines_is_left(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], data: st.DataObject
) -> None:
    """Whatever is torn from the end, what is read is how the lines began, and appending goes on."""
    path = tmp_path_factory.mktemp("journal") / "a.log"
    journal = Journal(path)
    if texts:
        journal.append(enumerate(texts, 1))
    journal.close()
    size = data.draw(st.integers(0, path.stat().st_size))
    path.write_bytes(path.read_bytes()[:size])
    again = Journal(path)
    left = _texts(path)
    assert texts[: len(left)] == left
    again.append([(99, b"next")])
    assert [*left, b"next"] == _texts(path)


def test_an_altered_line_ends_the_reading(tmp_path: Path) -> None:
    """A flipped bit is no line; what stands behind it cannot be trusted to follow."""
    path = tmp_path / "a.log"
    Journal(path).append([(1, b"one"), (2, b"two"), (3, b"three")])
    path.write_bytes(path.read_bytes().replace(b"two", b"twO"))
    assert [b"one"] == _texts(path)
