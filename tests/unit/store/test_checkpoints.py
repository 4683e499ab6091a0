"""Checkpoints and export: what leaves the machine can be checked elsewhere."""

from __future__ import annotations

import io
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.store import Store
from fwguard.store.audit import append
from fwguard.store.checkpoints import (
    CHECKPOINTS_FILE,
    KEY_FILE,
    checkpoint,
    export,
    keep_checkpoint,
    load_signing_key,
    read_checkpoints,
)  # fmt: skip

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture
def logged(store: Store) -> Store:
    """Give a store with three entries."""
    with store.session() as session:
        for number in range(3):
            append(
                session, actor="system", action="a:b:c", clause="7", subject="s", at=NOW, body={"é": number}
            )
    return store


def test_checkpoints_read_back(logged: Store, tmp_path: Path) -> None:
    """Signed by a key that is made once and is its owner's alone."""
    key = load_signing_key(tmp_path)
    with logged.reading() as session:
        made = checkpoint(session, key, at=NOW)
    assert made is not None
    assert 3 == made.seq
    keep_checkpoint(tmp_path, made)
    keep_checkpoint(tmp_path, made)
    again = load_signing_key(tmp_path)
    assert [made, made] == read_checkpoints(tmp_path / CHECKPOINTS_FILE, again.public_key())
    assert 0o600 == stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode)


@pytest.mark.parametrize("spoil", [('"seq":3', '"seq":2'), ("{", "["), ("05:06", "05:07"), ('"at"', '"to"')])
def test_a_forged_checkpoint_is_refused(logged: Store, tmp_path: Path, spoil: tuple[str, str]) -> None:
    """With file and line."""
    key = load_signing_key(tmp_path)
    with logged.reading() as session:
        made = checkpoint(session, key, at=NOW)
    assert made is not None
    keep_checkpoint(tmp_path, made)
    path = tmp_path / CHECKPOINTS_FILE
    path.write_text(path.read_text() + path.read_text().replace(*spoil))
    with pytest.raises(InputError, match=f"{CHECKPOINTS_FILE}:2"):
        read_checkpoints(path, key.public_key())


def test_an_empty_log_has_no_checkpoint(store: Store, tmp_path: Path) -> None:
    """Nor a file of them."""
    key = load_signing_key(tmp_path)
    with store.reading() as session:
        assert checkpoint(session, key, at=NOW) is None
    assert [] == read_checkpoints(tmp_path / CHECKPOINTS_FILE, key.public_key())


def test_the_export_is_one_object_a_line(logged: Store) -> None:
    """Each linked to the one before, from anywhere on."""
    out = io.StringIO()
    with logged.reading() as session:
        assert 2 == export(session, out, after_seq=1)
    second, third = map(json.loads, out.getvalue().splitlines())
    assert (2, 3, second["digest"]) == (second["seq"], third["seq"], third["previous"])
    assert {"é": 2} == third["body"]
