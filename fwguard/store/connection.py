"""Engines and sessions for SQLite and PostgreSQL: who may write, how long they wait, when they try again."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from fwguard.errors import ConflictError, InputError
from fwguard.store.audit import StoreSession
from fwguard.store.migrations import upgrade

T = TypeVar("T")
BUSY_MS: Final = 15_000
TRIES: Final = 6
# serialization_failure, deadlock_detected, lock_not_available (PostgreSQL manual, appendix A)
_TRANSIENT_STATES: Final = frozenset({"40001", "40P01", "55P03"})


def _begin(connection: Connection) -> None:
    """Start the transaction as a writer or as a reader.

    SQLite: a writer takes the lock at once, since a reader that turns writer fails when another wrote
    meanwhile (SQLITE_BUSY_SNAPSHOT); a reader cannot write at all.
    """
    writes = connection.get_execution_options().get("fwguard_writes", True)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA query_only = {0 if writes else 1}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif not writes:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin ourselves
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a warrant in the log must outlive a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(f"database {url!r}", expected="sqlite:///FILE or postgresql://…") from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise InputError(
        f"database {parsed.render_as_string()}", expected="sqlite:///FILE or postgresql://USER@HOST/NAME"
    )


def make_engine(url: str) -> Engine:
    """Return an engine that starts every transaction as said in `_begin`. Raises InputError."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # an open file must not be opened and closed: that drops its locks
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # it holds hashes and mail
        engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        options = f"-c timezone=UTC -c lock_timeout={BUSY_MS} -c idle_in_transaction_session_timeout=120000"
        engine = create_engine(
            parsed, pool_pre_ping=True, connect_args={"options": options, "connect_timeout": 10}
        )
    event.listen(engine, "begin", _begin)
    return engine


def is_transient(error: DBAPIError) -> bool:
    """Tell whether the same transaction may well succeed when it is run again."""
    if getattr(error.orig, "sqlstate", None) in _TRANSIENT_STATES:
        return True
    return "database is locked" in str(error.orig) or "database is busy" in str(error.orig)


class Store:
    """The database: `session()` to write, `reading()` to look, `transact()` to write with retries.

    A thread has one writer at a time: on SQLite a second would wait for the first, that is for ever.
    A web request therefore looks through `reading_sessions`, and flows write through `session()`.
    """

    def __init__(self, url: str) -> None:
        self._thread = threading.local()
        self.engine = make_engine(url)
        readers = self.engine.execution_options(fwguard_writes=False)
        # Rows stay readable after commit, so that flows may pass them on.
        self.sessions = sessionmaker(self.engine, class_=StoreSession, expire_on_commit=False)
        self.reading_sessions = sessionmaker(readers, class_=StoreSession, expire_on_commit=False)

    def upgrade(self) -> None:
        """Bring the tables and triggers to this version; safe to call from several processes at once."""
        upgrade(self.engine)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Write: commit at the end, roll back on any error. Keep it short: SQLite has one writer.

        Raises ConflictError when another moved a row that this session changed (its `revision`).
        """
        if getattr(self._thread, "writes", False):
            raise RuntimeError("a writer inside a writer: pass the session on instead")
        self._thread.writes = True
        try:
            with self._using(self.sessions) as session:
                self._start(session)
                yield session
                session.commit()
        finally:
            self._thread.writes = False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read one consistent moment; the database itself refuses every write."""
        with self._using(self.reading_sessions) as session:
            yield session

    def transact(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a session and commit; run it again when the database says busy or deadlock."""
        for attempt in range(1, TRIES + 1):
            try:
                with self.session() as session:
                    return work(session)
            except DBAPIError as error:
                if attempt == TRIES or not is_transient(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  # only spreads the retries
        raise AssertionError("unreachable")

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _using(self, sessions: sessionmaker[StoreSession]) -> Iterator[Session]:
        session = sessions()
        try:
            yield session
        except StaleDataError as error:
            session.rollback()
            raise ConflictError("someone else changed this meanwhile: read it again") from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    def _start(self, session: Session) -> None:
        """Take the write lock now, trying again while the database is busy."""
        for attempt in range(1, TRIES + 1):
            try:
                session.connection()
                return
            except DBAPIError as error:
                session.rollback()
                if attempt == TRIES or not is_transient(error):
                    raise
