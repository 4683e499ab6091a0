"""Nothing is written without a warrant in the log, and with each warrant once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, NotAllowedError
from fwguard.model.warrant import Ground, Warrant
from fwguard.store import Store
from fwguard.store.audit import entries
from fwguard.store.warrants import end_warrant, issue_warrant, unfinished_warrants, use_warrant

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _issue(session: Session) -> Warrant:
    return issue_warrant(
        session, ground=Ground.BASELINE, clause="7.1.1", author="user:bob", reason="drift",
        subject="firewall:f1", before="0" * 64, after="1" * 64, at=NOW,
    )  # fmt: skip


def test_a_warrant_is_in_the_log_before_its_use(store: Store) -> None:
    """In the transaction that issues it, it cannot be used."""
    with store.session() as session:
        warrant = _issue(session)
        with pytest.raises(NotAllowedError, match="not in the log"):
            use_warrant(session, warrant, at=NOW)
    with store.reading() as session:
        (entry,) = entries(session, limit=9, subject="firewall:f1")
        assert ("guard:warrant:issue", f"warrants:{warrant.id}", "7.1.1") == (
            entry.action, entry.record, entry.clause,
        )  # fmt: skip
    with store.session() as session:
        use_warrant(session, warrant, at=NOW)


def test_of_eight_users_one_may_write(store: Store) -> None:
    """A warrant is used once."""
    with store.session() as session:
        warrant = _issue(session)

    def use(_: int) -> bool:
        try:
            store.transact(lambda session: use_warrant(session, warrant, at=NOW))
        except NotAllowedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert 1 == sum(pool.map(use, range(8)))


def test_a_warrant_that_says_more_is_refused(store: Store) -> None:
    """What is in the log counts, not what the caller holds."""
    with store.session() as session:
        warrant = _issue(session)
    for forged in (replace(warrant, after="2" * 64), replace(warrant, id="none")):
        with store.session() as session, pytest.raises(NotAllowedError):
            use_warrant(session, forged, at=NOW)


def test_an_outcome_is_said_once_and_after_the_use(store: Store) -> None:
    """Until then the warrant counts as unfinished, which is how a crash is found."""
    with store.session() as session:
        warrant = _issue(session)
    with store.session() as session, pytest.raises(ConflictError):
        end_warrant(session, warrant.id, outcome="confirmed", at=NOW)
    with store.session() as session:
        use_warrant(session, warrant, at=NOW)
        assert [warrant.id] == [row.id for row in unfinished_warrants(session, "firewall:f1")]
        assert [] == unfinished_warrants(session, "firewall:f2")
    with store.session() as session:
        end_warrant(session, warrant.id, outcome="confirmed", at=NOW)
        assert [] == unfinished_warrants(session)
        with pytest.raises(ConflictError):
            end_warrant(session, warrant.id, outcome="rolled back", at=NOW)
