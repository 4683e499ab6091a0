"""The first bytes of a direction, however they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.detect.stream import MAX_LATE, Stream

TEXT = bytes(range(1, 201))


def put(stream: Stream, start: int, end: int, *, base: int = 1000) -> bool:
    """Add TEXT[start:end]."""
    return stream.add((base + start) & 0xFFFFFFFF, TEXT[start:end], end - start)


@settings(max_examples=120, deadline=None)
@given(
    order=st.permutations(range(8)),
    overlap=st.integers(0, 20),
    base=st.sampled_from([0, 1000, 0xFFFFFFF0, 0x7FFFFFFF]),
)
def test_any_order_and_any_overlap_give_the_same_bytes(order: list[int], overlap: int, base: int) -> None:
    """Eight segments of 25 bytes, the sequence numbers passing zero."""
    stream = Stream(4096)
    stream.anchor(base)
    for index in order:
        put(stream, max(0, index * 25 - overlap), (index + 1) * 25, base=base)
    assert TEXT == bytes(stream.head)


def test_what_came_first_stays() -> None:
    """A later copy cannot rewrite what was judged."""
    stream = Stream(4096)
    stream.anchor(1000)
    put(stream, 0, 10)
    stream.add(1005, b"Z" * 10, 10)
    assert TEXT[:10] + b"Z" * 5 == bytes(stream.head)


def test_without_a_syn_an_earlier_segment_goes_before() -> None:
    """An edge hands over packets with payload alone."""
    stream = Stream(4096)
    put(stream, 10, 20)
    put(stream, 0, 10)
    put(stream, 20, 30)
    assert TEXT[:30] == bytes(stream.head)


def test_what_was_cut_off_is_not_bridged() -> None:
    """After a packet whose end was not kept nothing is appended."""
    stream = Stream(4096)
    stream.anchor(1000)
    stream.add(1000, TEXT[:10], 50)
    assert not put(stream, 50, 60)
    assert TEXT[:10] == bytes(stream.head)


def test_memory_is_bounded() -> None:
    """Neither the head nor what waits for a hole grows past its limit."""
    stream = Stream(64)
    stream.anchor(1000)
    for index in range(1, 1000):
        stream.add(1000 + index * 100, bytes(100), 100)
    assert len(stream.late) <= MAX_LATE
    stream.add(1000, bytes(5000), 5000)
    assert (64, ()) == (len(stream.head), stream.late)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40), st.integers(0, 60)), max_size=30)
)
def test_lies_about_numbers_raise_nothing(segments: list[tuple[int, bytes, int]]) -> None:
    """Any numbers, any lengths."""
    stream = Stream(100)
    for seq, data, more in segments:
        stream.add(seq, data, len(data) + more)
    assert len(stream.head) <= 100
    assert stream.held <= 100 + MAX_LATE * 100
