"""Baselines: one current a firewall. Readings: only what differs, and only so many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError
from fwguard.model.snapshot import Snapshot
from fwguard.store import Store
from fwguard.store.approved import (
    BaselineRow,
    ReadingRow,
    approve_baseline,
    current_baseline,
    last_reading,
    prune_readings,
    record_reading,
)  # fmt: skip
from fwguard.store.inventory import WatchState, firewall_named

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _approve(session: Session, text: str, before: BaselineRow | None) -> BaselineRow:
    return approve_baseline(
        session, firewall_named(session, "fw-acme"), Snapshot({"nft": text, "boot/nftables.conf": "é\n"}),
        before=before, why="w", actor="user:bob", clause="7.1.1", at=NOW,
    )  # fmt: skip


def test_the_new_baseline_takes_the_place_of_the_old(house: Store) -> None:
    """And names it; its text comes back byte for byte."""
    with house.session() as session:
        first = _approve(session, "one", None)
        second = _approve(session, "two", first)
        assert (first.id, WatchState.WATCHED) == (second.previous_id, second.firewall.state)
    with house.reading() as session:
        current = current_baseline(session, firewall_named(session, "fw-acme").id)
        assert current is not None
        assert Snapshot({"nft": "two", "boot/nftables.conf": "é\n"}) == current.snapshot
        assert current.digest == current.snapshot.digest


def test_of_eight_who_replace_the_same_baseline_one_does(house: Store) -> None:
    """The others are told that it moved."""
    with house.session() as session:
        first = _approve(session, "one", None)

    def replace(number: int) -> bool:
        try:
            house.transact(lambda session: _approve(session, f"n{number}", first))
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert 1 == sum(pool.map(replace, range(8)))


def test_the_database_refuses_two_current_ones(house: Store) -> None:
    """Without our function as well."""
    with house.session() as session:
        first = _approve(session, "one", None)
    with pytest.raises(IntegrityError), house.session() as session:
        session.add(
            BaselineRow(
                firewall_id=first.firewall_id, snapshot_json="{}", digest="", why="", approved_by="",
                approved_at=NOW, current=True,
            )
        )  # fmt: skip


def test_only_what_differs_from_the_last_is_stored(house: Store) -> None:
    """A state that comes back after another is stored again."""
    with house.session() as session:
        stored = [
            record_reading(session, 1, Snapshot({"nft": text}), at=NOW + timedelta(seconds=second))
            is not None
            for second, text in enumerate(("a", "a", "b", "a"))
        ]
        assert [True, False, True, True] == stored
        last = last_reading(session, 1)
        assert last is not None
        assert (Snapshot({"nft": "a"}), NOW + timedelta(seconds=3)) == (last.snapshot, last.at)


def test_a_flood_of_drift_fills_no_disk(house: Store) -> None:
    """The newest are kept, each firewall for itself."""
    with house.session() as session:
        for second in range(6):
            for firewall_id in (1, 2):
                record_reading(
                    session, firewall_id, Snapshot({"nft": str(second)}), at=NOW + timedelta(seconds=second)
                )
        assert 4 == prune_readings(session, 1, keep=2)
        kept = session.scalars(select(ReadingRow).where(ReadingRow.firewall_id == 1).order_by(ReadingRow.at))
        assert ["4", "5"] == [row.snapshot.get("nft") for row in kept]
        assert 6 == len(session.scalars(select(ReadingRow).where(ReadingRow.firewall_id == 2)).all())
