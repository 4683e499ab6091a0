"""Netlink attributes: what is packed is read back, and what cannot be is refused."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.errors import InputError, PartialReadingError
from fwguard.kernel import attributes as a

_ATTRIBUTES = st.lists(st.tuples(st.integers(0, a.NLA_TYPE_MASK), st.binary(max_size=200)), max_size=20)


@given(_ATTRIBUTES)
def test_what_is_packed_is_walked(wanted: list[tuple[int, bytes]]) -> None:
    """Types and payloads come back in order, whatever their lengths."""
    packed = b"".join(a.attribute(kind, payload) for kind, payload in wanted)
    assert wanted == [(kind, bytes(payload)) for kind, payload in a.walk(packed)]


@given(_ATTRIBUTES)
def test_every_attribute_ends_on_four_bytes(wanted: list[tuple[int, bytes]]) -> None:
    """NLA_ALIGN: the next one begins on a multiple of four."""
    assert all(len(a.attribute(kind, payload)) % 4 == 0 for kind, payload in wanted)


@given(st.binary(max_size=300))
def test_any_bytes_are_walked_or_refused(data: bytes) -> None:
    """Nothing but PartialReadingError comes out of bytes that are no attributes."""
    with suppress(PartialReadingError):
        assert len(data) >= sum(4 + len(payload) for _, payload in a.walk(data))


def test_a_nested_attribute_is_marked_and_walked() -> None:
    """NLA_F_NESTED is set, and taken off when read."""
    packed = a.nested(3, a.be32(1, 7), a.text(2, "edge"))
    assert a.NLA_F_NESTED | 3 == struct.unpack_from("=HH", packed)[1]
    [(kind, inner)] = a.walk(packed)
    assert (3, 7, "edge") == (kind, a.read_be32(a.table_of(inner)[1]), a.read_text(a.table_of(inner)[2]))


def test_a_payload_above_sixteen_bits_is_refused() -> None:
    """A length that would wrap is an error with its way out, never a shorter list."""
    assert len(a.attribute(1, bytes(a.MAX_PAYLOAD_BYTES))) == 0x10000
    with pytest.raises(InputError, match="split"):
        a.attribute(1, bytes(a.MAX_PAYLOAD_BYTES + 1))


def test_a_name_with_a_zero_byte_is_refused() -> None:
    """The kernel would read the name up to it."""
    with pytest.raises(InputError, match="zero byte"):
        a.text(1, "edge\0other")
