"""Any bytes of a firewall come back as they were, and half an answer is none."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.devices.frame import (
    bundle_bytes,
    decode_text,
    encode_text,
    parse_reading,
    reading_bytes,
    reading_digest,
)
from fwguard.errors import PartialReadingError
from fwguard.model.snapshot import LINUX_PARTS, Snapshot

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
PARTS = st.dictionaries(st.sampled_from(LINUX_PARTS), PLAIN.filter(bool))


def answer(snapshot: Snapshot) -> bytes:
    return reading_bytes(snapshot) + f"\nend {reading_digest(snapshot)}\n".encode()


@given(st.binary())
def test_every_file_has_a_text_and_the_same_bytes_again(data: bytes) -> None:
    """Latin-1, NUL, and the private characters themselves among them."""
    text = decode_text(data)
    assert data == encode_text(text)
    text.encode()
    assert "\0" not in text


@given(st.binary(), st.binary())
def test_different_bytes_are_different_texts(one: bytes, other: bytes) -> None:
    """No change of a file is lost in reading it."""
    assert (one == other) == (decode_text(one) == decode_text(other))


@given(PARTS)
def test_a_whole_answer_is_the_snapshot(parts: dict[str, str]) -> None:
    """Whatever its parts hold, lines that look like an index or an end included."""
    genuine = {name: decode_text(text.encode()) for name, text in parts.items()}
    assert Snapshot(genuine) == parse_reading(answer(Snapshot(genuine)))


@given(PARTS, st.data())
def test_any_part_of_an_answer_is_no_reading(parts: dict[str, str], data: st.DataObject) -> None:
    """However little is missing."""
    whole = answer(Snapshot({name: decode_text(text.encode()) for name, text in parts.items()}))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(PartialReadingError):
        parse_reading(whole[:cut])


@pytest.mark.parametrize(
    ("index", "why"),
    [
        (b"fwguard-reading 2\n", "another version"),
        (b"fwguard-reading 1\nnft 5\n\nabcde", "not the parts"),
        (b"fwguard-reading 1\nnft x\n\n", "holds"),
        (b"fwguard-reading 1\nnft 99999999999999\n\n", "holds"),
    ],
)
def test_a_false_index_is_no_reading(index: bytes, why: str) -> None:
    """Even with a hash that fits."""
    end = b"\nend " + hashlib.sha256(index).hexdigest().encode() + b"\n"
    with pytest.raises(PartialReadingError, match=why):
        parse_reading(index + end)


def test_a_bundle_tells_its_length_and_hash() -> None:
    """The first line counts all that follows it; each body stands where the index says."""
    data = bundle_bytes([("forward", "nft", "é\n"), ("backward", "boot/sysctl", "")])
    head, _, rest = data.partition(b"\n")
    assert f"fwguard-bundle 1 {len(rest)} {hashlib.sha256(rest).hexdigest()}".encode() == head
    assert b"forward nft 3\nbackward boot/sysctl 0\n\n\xc3\xa9\n" == rest
