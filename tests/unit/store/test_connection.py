"""Sessions: writers commit or roll back, readers write nothing, times and secrets keep their form."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.model.inventory import Client
from fwguard.store import Store
from fwguard.store.connection import TRIES, make_engine
from fwguard.store.jobs import JobRow, make_due
from fwguard.store.people import ClientRow, ContactRow, add_client

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def test_a_reader_cannot_write(store: Store) -> None:
    """The database refuses it, and the next writer on the same connection may."""
    with pytest.raises(DBAPIError), store.reading() as session:
        add_client(session, Client(name="a", title=""))
    with store.session() as session:
        add_client(session, Client(name="a", title=""))


def test_a_reader_sees_one_moment(store: Store) -> None:
    """What others commit meanwhile is not there until the next."""
    with store.reading() as reader:
        assert [] == reader.scalars(select(ClientRow)).all()
        with store.session() as session:
            add_client(session, Client(name="a", title=""))
        assert [] == reader.scalars(select(ClientRow)).all()
    with store.reading() as reader:
        assert 1 == len(reader.scalars(select(ClientRow)).all())


def test_an_error_rolls_back(store: Store) -> None:
    """All of it."""

    def fail(session: Session) -> None:
        add_client(session, Client(name="a", title=""))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.transact(fail)
    with store.reading() as session:
        assert [] == session.scalars(select(ClientRow)).all()


def test_a_writer_within_a_writer_is_a_bug(store: Store) -> None:
    """Said at once, where SQLite would wait until its timeout; afterwards the thread may write again."""
    with store.session(), pytest.raises(RuntimeError, match="writer"), store.session():
        pass
    with store.session() as session:
        add_client(session, Client(name="a", title=""))


def test_foreign_keys_hold(store: Store) -> None:
    """On SQLite too, where they are off unless asked for."""
    with pytest.raises(IntegrityError), store.session() as session:
        session.add(ContactRow(client_id=99, mail="a@b", name="", language="fr"))


def test_a_busy_database_is_tried_again(store: Store) -> None:
    """What says busy is run anew from its start; after six tries the error stands."""
    tries = []

    def busy(session: Session) -> None:
        tries.append(session)
        session.execute(text("SELECT 1"))
        raise DBAPIError("SELECT 1", None, Exception("database is locked"))

    with pytest.raises(DBAPIError):
        store.transact(busy)
    assert TRIES == len(set(map(id, tries)))


def test_times_come_back_to_the_microsecond_in_utc(store: Store) -> None:
    """Whatever zone they had; a time without a zone is refused."""
    paris = NOW.astimezone(timezone(timedelta(hours=1)))
    with store.session() as session:
        make_due(session, "k", "s", at=paris)
    with store.reading() as session:
        due_at = session.scalars(select(JobRow.due_at)).one()
        assert (NOW, UTC) == (due_at, due_at.tzinfo)
    with pytest.raises(StatementError), store.session() as session:
        session.add(JobRow(kind="k", subject="t", due_at=NOW.replace(tzinfo=None)))


def test_opening_a_store_again_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """A process that closes a file drops all its locks on it (fcntl(2)); another process, last to leave as it
    thinks, then puts away the log that the first one reads."""
    url = f"sqlite:///{tmp_path / 'fwguard.sqlite'}"
    first = Store(url)
    first.upgrade()
    with first.reading() as session:
        session.execute(text("SELECT count(*) FROM clients"))
    make_engine(url).dispose()
    other = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM clients').close()"
    )
    subprocess.run([sys.executable, "-c", other, str(tmp_path / "fwguard.sqlite")], check=True, timeout=30)
    assert (tmp_path / "fwguard.sqlite-wal").exists()
    first.dispose()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds password hashes and mail."""
    path = tmp_path / "new" / "fwguard.sqlite"
    store = Store(f"sqlite:///{path}")
    store.upgrade()
    for file in path.parent.iterdir():
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    with store.engine.connect() as connection:
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    store.dispose()


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d"])
def test_other_databases_are_refused(url: str) -> None:
    """Saying what is expected, and no password."""
    with pytest.raises(InputError, match="postgresql") as caught:
        make_engine(url)
    assert "secret" not in str(caught.value)
