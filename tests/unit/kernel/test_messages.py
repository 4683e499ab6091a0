"""Messages packed and unpacked; refusals explained."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.errors import (
    CommitRefusedError,
    ConflictError,
    FwguardError,
    InputError,
    NotAllowedError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.kernel import messages as nl
from fwguard.kernel.refusals import error_for, explained, raise_refused


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=99)), max_size=9),
    st.integers(0, 2**32 - 99),
)
def test_messages_come_back_in_order(wanted: list[tuple[int, bytes]], first: int) -> None:
    """Kind, flags, sequence and body, whatever the lengths."""
    packed = b"".join(
        nl.pack(nl.Request(kind, body, 1), first + i, 4) for i, (kind, body) in enumerate(wanted)
    )
    found = [(one.kind, one.flags, one.sequence, bytes(one.body)) for one in nl.unpack(packed)]
    assert [(kind, 5, first + i, body) for i, (kind, body) in enumerate(wanted)] == found


@given(st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    """Nothing but PartialReadingError comes out of bytes that are no messages."""
    with suppress(PartialReadingError):
        assert len(data) >= sum(16 + len(one.body) for one in nl.unpack(data))


def test_a_batch_begins_and_ends_for_nf_tables() -> None:
    """The resource is the subsystem; a generation stands in the begin alone."""
    begin, end = nl.batch_bounds(7)
    assert (0x10, struct.pack("!BBHHHI", 0, 0, 10, 0, 0, 7)[:4]) == (begin.kind, begin.body[:4])
    assert (0x11, struct.pack("!BBH", 0, 0, 10)) == (end.kind, end.body)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EPERM, NotAllowedError), (errno.ENOENT, ConflictError), (errno.EEXIST, ConflictError),
        (errno.EBUSY, ConflictError), (errno.ERESTART, PreimageMovedError), (errno.ENFILE, CommitRefusedError),
        (errno.ENOBUFS, CommitRefusedError), (errno.EMSGSIZE, InputError), (errno.EINVAL, CommitRefusedError),
        (errno.EOPNOTSUPP, CommitRefusedError), (errno.EXDEV, CommitRefusedError),
    ],
)  # fmt: skip
def test_each_refusal_is_an_error_that_says_where_and_what_to_do(
    number: int, kind: type[FwguardError]
) -> None:
    """The class says who must act; the message has the place, the kernel's name, and what was expected."""
    error = error_for(number, "set inet edge cut_local_v4")
    assert kind is type(error)
    assert {True} == {
        word in str(error) for word in ("set inet edge cut_local_v4", errno.errorcode[number], "expected")
    }


def test_several_refusals_are_counted_and_the_first_is_named() -> None:
    """A message is read by a person: one line."""
    request = nl.Request(0, b"", what="chain forward")
    error = explained([nl.Refusal(errno.ENOENT, "", request)] * 3, "ruleset")
    assert "ruleset: chain forward" in str(error)
    assert "and 2 more" in str(error)


def test_the_kernels_own_words_are_shown() -> None:
    """NLMSGERR_ATTR_MSG says more than an errno."""
    refusal = nl.Refusal(errno.EINVAL, "Unsupported family", None)
    with pytest.raises(CommitRefusedError, match="the transaction.*Unsupported family"):
        raise_refused([refusal], "table x")


def test_no_refusal_is_no_error() -> None:
    """Everything holds."""
    raise_refused([], "ruleset")
