"""A store on each database: SQLite in a file, PostgreSQL from Debian in a cluster of this run's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from fwguard.store import Store


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


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one migrated file that the others are copied from."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    store = Store(f"sqlite:///{path}")
    store.upgrade()
    store.dispose()
    return path


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
        copy = tmp_path / "fwguard.sqlite"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), copy)
        store = Store(f"sqlite:///{copy}")
    else:
        postgresql: str = request.getfixturevalue("postgresql")
        template: str = request.getfixturevalue("_template")
        name = f"test_{uuid.uuid4().hex}"
        _create_database(postgresql, f"CREATE DATABASE {name} TEMPLATE {template}")
        store = Store(postgresql.format(name=name))
    yield store
    store.dispose()
