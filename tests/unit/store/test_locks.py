"""One hand on a device at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from fwguard.errors import ConflictError
from fwguard.store import Store
from fwguard.store.locks import last_token, release_lock, renew_lock, require_lock, take_lock

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _take(store: Store, holder: str, at: datetime = NOW) -> int | None:
    return store.transact(lambda session: take_lock(session, 1, holder=holder, at=at, lease_s=60))


def _later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_of_eight_takers_one_holds(house: Store) -> None:
    """All at the same moment."""
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda n: _take(house, f"w{n}"), range(8)))
    assert [1] == [token for token in tokens if token is not None]


def test_a_lease_that_ran_out_is_taken_with_a_higher_token(house: Store) -> None:
    """Also after a release, the token only grows."""
    assert 1 == _take(house, "a")
    assert _take(house, "b", _later(59)) is None
    assert 2 == _take(house, "b", _later(60))
    with house.session() as session:
        assert release_lock(session, 1, 2, at=_later(61))
    assert 3 == _take(house, "c", _later(61))


def test_a_stopped_holder_is_fenced(house: Store) -> None:
    """It can neither renew nor release nor write once another has the lock."""
    _take(house, "a")
    _take(house, "b", _later(100))
    with house.session() as session:
        assert not renew_lock(session, 1, 1, at=_later(101), lease_s=60)
        assert not release_lock(session, 1, 1, at=_later(101))
        with pytest.raises(ConflictError):
            require_lock(session, 1, 1, at=_later(101))
        require_lock(session, 1, 2, at=_later(101))


def test_a_renewed_lease_lasts_from_then(house: Store) -> None:
    """One that ran out is not renewed, even if nobody took it."""
    _take(house, "a")
    with house.session() as session:
        assert renew_lock(session, 1, 1, at=_later(50), lease_s=60)
    assert _take(house, "b", _later(109)) is None
    with house.session() as session:
        assert not renew_lock(session, 1, 1, at=_later(110), lease_s=60)
        with pytest.raises(ConflictError):
            require_lock(session, 1, 1, at=_later(110))


def test_the_same_holder_waits_like_any_other(house: Store) -> None:
    """A lock is not re-entrant: two threads of one process are two hands."""
    _take(house, "a")
    assert _take(house, "a") is None


def test_the_last_token_is_known_while_nobody_holds(house: Store) -> None:
    """0 before the first, none while it is held, its own once it is free."""

    def last(at: datetime) -> int | None:
        with house.reading() as session:
            return last_token(session, 1, at=at)

    assert 0 == last(NOW)
    assert 1 == _take(house, "a")
    assert last(_later(1)) is None
    with house.session() as session:
        release_lock(session, 1, 1, at=_later(2))
    assert 1 == last(_later(2))
