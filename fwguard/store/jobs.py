"""When to look: "reconcile firewall 7". Losing or doubling a row loses nothing (DESIGN.md 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, String, Text, case, delete, func, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.store.base import Base, UtcDateTime
from fwguard.store.inserts import insert_into


class JobRow(Base):
    """One thing to look at; at most one row for each kind and subject."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_due_at", "due_at"),)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    due_at: Mapped[datetime]
    again_at: Mapped[datetime | None]  # asked for while it ran
    attempts: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A claimed job; after `leased_until` it may be another's."""

    kind: str
    subject: str
    attempts: int
    leased_until: datetime


def make_due(session: Session, kind: str, subject: str, *, at: datetime) -> None:
    """Ask for a look at `at` or earlier. While the job runs, it will run once more afterwards."""
    when = literal(at, UtcDateTime())
    free = JobRow.leased_until.is_(None)
    again = func.coalesce(JobRow.again_at, when, type_=UtcDateTime())
    session.execute(
        insert_into(session, JobRow)
        .values(kind=kind, subject=subject, due_at=at)
        .on_conflict_do_update(
            index_elements=["kind", "subject"],
            set_={
                "due_at": case((free & (JobRow.due_at > when), when), else_=JobRow.due_at),
                "again_at": case((free, JobRow.again_at), (again < when, again), else_=when),
            },
        )
    )


def claim_due_jobs(session: Session, *, at: datetime, limit: int, lease_s: float) -> list[Job]:
    """Take up to `limit` due jobs that nobody works on, oldest first, for `lease_s` seconds."""
    rows = session.scalars(
        select(JobRow)
        .where(JobRow.due_at <= at, JobRow.leased_until.is_(None) | (JobRow.leased_until <= at))
        .order_by(JobRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    until = at + timedelta(seconds=lease_s)
    for row in rows:
        row.leased_until = until
        row.attempts += 1
    session.flush()
    return [Job(kind=r.kind, subject=r.subject, attempts=r.attempts, leased_until=until) for r in rows]


def finish_job(session: Session, job: Job) -> None:
    """Remove a job that is done; when someone asked for it meanwhile, leave it due then."""
    session.execute(delete(JobRow).where(_mine(job), JobRow.again_at.is_(None)))
    session.execute(
        update(JobRow)
        .where(_mine(job))
        .values(due_at=JobRow.again_at, again_at=None, leased_until=None, attempts=0, last_error="")
    )


def retry_job(session: Session, job: Job, *, due_at: datetime, error: str = "") -> None:
    """Free a job that failed, to run again at `due_at`, or earlier if someone asked meanwhile."""
    when = literal(due_at, UtcDateTime())
    session.execute(
        update(JobRow)
        .where(_mine(job))
        .values(
            due_at=case((JobRow.again_at < when, JobRow.again_at), else_=when),
            again_at=None,
            leased_until=None,
            last_error=error[:2000],
        )
    )


def next_due_at(session: Session) -> datetime | None:
    """Return when the next job that nobody works on is due."""
    return session.scalar(
        select(JobRow.due_at).where(JobRow.leased_until.is_(None)).order_by(JobRow.due_at).limit(1)
    )


def _mine(job: Job) -> ColumnElement[bool]:
    return (
        (JobRow.kind == job.kind)
        & (JobRow.subject == job.subject)
        & (JobRow.leased_until == job.leased_until)
    )
