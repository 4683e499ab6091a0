"""A store on each database: SQLite in a file, PostgreSQL from Debian in a cluster of this run's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from fwguard.model.inventory import Client, Contact, Firewall, Platform, Server, Transport
from fwguard.store import Store
from fwguard.store.inventory import add_firewall, add_server
from fwguard.store.people import UserRole, add_client, add_user


def _binaries() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[4]))
    if not versions:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return versions[-1].parent


def _run(*command: str | Path) -> None:
    """Run a PostgreSQL program, as `postgres` when we are root (it refuses to run as root)."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a cluster on a unix socket of its own; give its address without the database's name."""
    binaries = _binaries()
    # Not pytest's folder: a socket's path takes 107 bytes, and `postgres` must reach it.
    folder = Path(tempfile.mkdtemp(prefix="fwguard-pg-"))
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        _run(
            binaries / "initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
        )
        _run(
            binaries / "pg_ctl",
            "-D",
            folder / "data",
            "-l",
            folder / "log",
            "-o",
            options,
            "-w",
            "-t",
            "30",
            "start",
        )
        try:
            yield f"postgresql+psycopg://postgres@/{{name}}?host={folder}"
        finally:
            _run(binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(postgresql: str) -> str:
    """Make one migrated database that the others are copied from."""
    name = "template_fwguard"
    _create_database(postgresql, f"CREATE DATABASE {name}")
    store = Store(postgresql.format(name=name))
    store.upgrade()
    store.dispose()
    return name


def _create_database(postgresql: str, statement: str) -> None:
    engine = create_engine(postgresql.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fwguard.sqlite'}"
    postgresql: str = request.getfixturevalue("postgresql")
    name = f"empty_{uuid.uuid4().hex}"
    _create_database(postgresql, f"CREATE DATABASE {name}")
    return postgresql.format(name=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give a store with all tables and no rows."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'fwguard.sqlite'}")
        store.upgrade()
    else:
        postgresql: str = request.getfixturevalue("postgresql")
        template: str = request.getfixturevalue("_template")
        name = f"test_{uuid.uuid4().hex}"
        _create_database(postgresql, f"CREATE DATABASE {name} TEMPLATE {template}")
        store = Store(postgresql.format(name=name))
    yield store
    store.dispose()


NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _fill(session: Session, client_name: str, number: int) -> None:
    contact = Contact(mail=f"ann@{client_name}.example", name="Ann")
    client = add_client(session, Client(name=client_name, title=client_name.title(), contacts=(contact,)))
    add_firewall(
        session,
        Firewall(
            name=f"fw-{client_name}", client=client_name, platform=Platform.LINUX, transport=Transport.SSH,
            address=f"10.0.0.{number}", port=22, username="fwguard",
            public=(f"192.0.2.{number}", f"2001:db8::{number}"),
        ),
    )  # fmt: skip
    add_server(
        session,
        Server(
            name=f"web-{client_name}", client=client_name, firewall=f"fw-{client_name}",
            addresses=("10.1.0.2", "2001:db8:1::2"),
        ),
    )  # fmt: skip
    add_user(
        session, username=f"ann-{client_name}", email=contact.mail, name="Ann", role=UserRole.CLIENT,
        password_hash=None, at=NOW, client=client, contact=client.contacts[0],
    )  # fmt: skip


@pytest.fixture
def house(store: Store) -> Store:
    """Give a store with clients acme and bold (a firewall, a server, a user each) and five of the staff."""
    with store.session() as session:
        _fill(session, "acme", 1)
        _fill(session, "bold", 2)
        for name, role in (
            ("olga", UserRole.OPERATOR), ("bob", UserRole.APPROVER), ("eve", UserRole.APPROVER),
            ("dan", UserRole.APPROVER), ("root", UserRole.ADMIN),
        ):  # fmt: skip
            add_user(
                session, username=name, email=f"{name}@host.example", name=name.title(), role=role,
                password_hash=None, at=NOW,
            )  # fmt: skip
    return store
