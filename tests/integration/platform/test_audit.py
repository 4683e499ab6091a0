"""The log proves itself, and every baseline and approval against it: one altered byte is found, and where."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from guarded import APPROVER, CONTACT, OPERATOR, SECOND, Guarded

from fwguard.lab.control_room import CommandFailed

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("platform")]


def verified(guarded: Guarded, state: Path | None = None) -> dict[str, Any]:
    """Return what `fwguard audit verify --json` says, of a copied state where one is named."""
    (report,) = guarded.room.rows("audit", "verify", actor=OPERATOR, state=state)
    return report


@pytest.fixture(scope="module")
def worked(guarded: Guarded) -> Guarded:
    """A controller that has approved baselines, undone a drift, opened something and closed it again."""
    guarded.tamper_all({"fw-acme": "add-rule"})
    number = guarded.open("acme-web", "tcp/8080", actor=CONTACT["fw-acme"])
    guarded.close(number)
    return guarded


@pytest.fixture
def copied(worked: Guarded, tmp_path: Path) -> Path:
    """A copy of the whole state: keys, checkpoints, and the database as one file."""
    guarded = worked
    state = tmp_path / "state"
    shutil.copytree(guarded.room.directory / "state", state, ignore=shutil.ignore_patterns("fwguard.sqlite*"))
    with (
        sqlite3.connect(guarded.room.directory / "state" / "fwguard.sqlite") as live,
        sqlite3.connect(state / "fwguard.sqlite") as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    return state


def alter_one_byte(state: Path, table: str, column: str, key: str) -> str:
    """Alter one byte of the file so that this column of the newest row reads otherwise; return the row's key.

    The same text may stand in other rows too, so each place is tried until SQL says that it was this one.
    """
    file = state / "fwguard.sqlite"
    newest = f"SELECT {key}, {column} FROM {table} ORDER BY {key} DESC LIMIT 1"  # names of ours
    with sqlite3.connect(file) as database:
        row, value = database.execute(newest).fetchone()
    whole, text = file.read_bytes(), str(value).encode()[:40]
    at = whole.find(text)
    while at >= 0:
        place = at + len(text) // 2
        altered = bytearray(whole)
        altered[place] ^= 1
        file.write_bytes(altered)
        with sqlite3.connect(file) as database:
            database.text_factory = bytes
            if database.execute(newest).fetchone()[1] != str(value).encode():
                return str(row)
        at = whole.find(text, at + 1)
    raise AssertionError(f"{column} of {table}:{row} stands nowhere in the file")


def test_the_log_of_a_working_controller_is_whole(worked: Guarded) -> None:
    """After baselines, an approval, a deployment, a drift and an end; every row that it vouches for is there."""
    report = verified(worked)
    assert (True, []) == (report["whole"], report["findings"])
    assert report["entries"] == report["last_seq"] > 20
    assert report["records"] > 8


@pytest.mark.parametrize(
    ("table", "column", "key", "where"),
    [
        ("audit", "body", "seq", "audit entry {}"),
        ("audit", "actor", "seq", "audit entry {}"),
        ("baselines", "snapshot_json", "id", "baselines:{}"),
        ("baselines", "approved_by", "id", "baselines:{}"),
        ("approvals", "digest", "id", "approvals:{}"),
        ("evidence", "sha256", "id", "evidence:{}"),
        ("warrants", "after", "id", "warrants:{}"),
    ],
)
def test_one_altered_byte_is_found_where_it_is(
    guarded: Guarded, copied: Path, table: str, column: str, key: str, where: str
) -> None:
    """And nothing else is accused."""
    row = alter_one_byte(copied, table, column, key)
    report = verified(guarded, copied)
    assert not report["whole"]
    assert [where.format(row)] == sorted({finding["where"] for finding in report["findings"]})


def test_a_row_that_is_taken_out_is_missed(guarded: Guarded, copied: Path) -> None:
    """The log names what is gone, and the trigger that had to go first."""
    with sqlite3.connect(copied / "fwguard.sqlite") as database:
        (trigger,) = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'approvals'"
            " AND sql LIKE '%DELETE%'"
        ).fetchone()
        (row,) = database.execute("SELECT max(id) FROM approvals").fetchone()
        database.execute(f"DROP TRIGGER {trigger}")
        database.execute("DELETE FROM approvals WHERE id = ?", (row,))
    report = verified(guarded, copied)
    assert not report["whole"]
    assert {f"approvals:{row}", f"trigger {trigger}"} == {finding["where"] for finding in report["findings"]}


def test_only_the_staff_may_prove_the_log(guarded: Guarded) -> None:
    """Every entry has an author who is a person or the system; clients do not read it."""
    assert guarded.room.rows("audit", "list", "--last", "5", actor=APPROVER)
    for what in ("list", "verify"):
        with pytest.raises(CommandFailed) as refused:
            guarded.room.command("audit", what, actor=CONTACT["fw-acme"])
        assert 4 == refused.value.exit_code
    actors = {row["actor"] for row in guarded.room.rows("audit", "list", "--last", "200", actor=APPROVER)}
    assert any(APPROVER in actor or SECOND in actor for actor in actors)
    assert not actors & {"", "root"}
