"""Canonical forms: equal things have equal bytes, different things never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.store.base import content_sha256, json_text, time_text, with_lengths

ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=ZONES)
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.binary()


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_two_lists_never_give_the_same_bytes(left: list[bytes], right: list[bytes]) -> None:
    """Wherever a byte moves from one field to the next."""
    assert (left == right) == (with_lengths(*left) == with_lengths(*right))


@given(TIMES, TIMES)
def test_text_of_times_sorts_as_the_times(left: datetime, right: datetime) -> None:
    """Whatever their zones, to the microsecond, in 32 characters."""
    assert (left < right) == (time_text(left) < time_text(right))
    assert (left, 32) == (datetime.fromisoformat(time_text(left)), len(time_text(left)))


def test_a_time_without_a_zone_is_refused() -> None:
    """It could be any of 25 moments."""
    with pytest.raises(ValueError, match="time zone"):
        time_text(datetime.now(UTC).replace(tzinfo=None))


@given(st.dictionaries(st.text(), VALUES.filter(lambda value: not isinstance(value, bytes))))
def test_the_order_of_keys_changes_no_byte(value: dict[str, object]) -> None:
    """Of JSON."""
    assert json_text(value) == json_text(dict(reversed(value.items())))


@given(st.dictionaries(st.text(min_size=1), VALUES), st.text(min_size=1))
def test_an_empty_column_changes_no_digest(values: dict[str, object], name: str) -> None:
    """So that a table can grow one."""
    if values.get(name) is None:
        without = {key: value for key, value in values.items() if key != name}
        assert content_sha256(without) == content_sha256({**values, name: None})


@given(st.dictionaries(st.text(min_size=1), st.text()), st.dictionaries(st.text(min_size=1), st.text()))
def test_different_rows_have_different_digests(left: dict[str, str], right: dict[str, str]) -> None:
    """And equal ones the same."""
    assert (left == right) == (content_sha256(left) == content_sha256(right))
