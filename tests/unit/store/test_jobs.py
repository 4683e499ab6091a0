"""When to look: asked twice is one job, asked while running is one more run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from fwguard.store import Store
from fwguard.store.jobs import Job, claim_due_jobs, finish_job, make_due, next_due_at, retry_job

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _ask(store: Store, at: datetime = NOW, subject: str = "f1") -> None:
    with store.session() as session:
        make_due(session, "reconcile", subject, at=at)


def _claim(store: Store, at: datetime = NOW) -> list[Job]:
    return store.transact(lambda session: claim_due_jobs(session, at=at, limit=10, lease_s=60))


def _next(store: Store) -> datetime | None:
    with store.reading() as session:
        return next_due_at(session)


def test_the_earliest_ask_counts(store: Store) -> None:
    """A later ask never postpones an earlier one."""
    for seconds in (30, 10, 20):
        _ask(store, _later(seconds))
    assert _later(10) == _next(store)
    assert [] == _claim(store, _later(9))
    assert ["f1"] == [job.subject for job in _claim(store, _later(10))]


def test_eight_workers_share_the_jobs(store: Store) -> None:
    """Each job is claimed once."""
    for number in range(30):
        _ask(store, subject=f"f{number}")
    with ThreadPoolExecutor(8) as pool:
        claimed = [job.subject for batch in pool.map(lambda _: _claim(store), range(8)) for job in batch]
    claimed += [job.subject for job in _claim(store)]
    assert sorted(f"f{number}" for number in range(30)) == sorted(claimed)


def test_a_finished_job_is_gone(store: Store) -> None:
    """Until someone asks again."""
    _ask(store)
    (job,) = _claim(store)
    with store.session() as session:
        finish_job(session, job)
    assert [] == _claim(store, _later(1000))
    assert _next(store) is None


def test_asked_while_running_it_runs_once_more(store: Store) -> None:
    """At the earliest time that was asked for meanwhile, and not beside the one that runs."""
    _ask(store)
    (job,) = _claim(store)
    for seconds in (30, 5, 40):
        _ask(store, _later(seconds))
    assert [] == _claim(store, _later(20))
    with store.session() as session:
        finish_job(session, job)
    assert _later(5) == _next(store)


def test_a_failed_job_waits_unless_someone_asked(store: Store) -> None:
    """Backoff does not hold back a new event."""
    _ask(store)
    (job,) = _claim(store)
    with store.session() as session:
        retry_job(session, job, due_at=_later(100), error="refused")
    assert _later(100) == _next(store)
    (job,) = _claim(store, _later(100))
    assert 2 == job.attempts
    _ask(store, _later(101))
    with store.session() as session:
        retry_job(session, job, due_at=_later(500))
    assert _later(101) == _next(store)


def test_a_dead_workers_job_is_taken_over(store: Store) -> None:
    """After its lease; and when the dead one comes back, it changes nothing."""
    _ask(store)
    (dead,) = _claim(store)
    (alive,) = _claim(store, _later(60))
    with store.session() as session:
        finish_job(session, dead)
        retry_job(session, dead, due_at=_later(61))
    assert [] == _claim(store, _later(100))
    with store.session() as session:
        finish_job(session, alive)
    assert _next(store) is None
