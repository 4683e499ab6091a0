"""A look takes the firewall into its hand only to act, and only if nobody else had it since it read."""

from __future__ import annotations

from typing import Any

from fwguard.flows import guard
from fwguard.store.inventory import firewall_named
from fwguard.store.locks import last_token, release_lock, take_lock

HOLE = ("tcp dport 80 accept", "tcp dport { 80, 3306 } accept")


def token_of(scene: Any) -> int | None:
    """Return the token of whoever held the firewall last."""
    with scene.house.store.reading() as session:
        return last_token(session, firewall_named(session, "fw-acme").id, at=scene.clock())


def test_a_firewall_that_is_as_approved_is_only_read(scene: Any) -> None:
    """No lock is taken: looking at a quiet firewall writes nothing to the database."""
    scene.approve_baseline()
    before = token_of(scene)
    assert 30.0 == guard.look("fw-acme", scene.house)
    assert before == token_of(scene)


def test_drift_bears_the_time_at_which_it_was_seen(scene: Any) -> None:
    """Before the case is stored, after the firewall was read; and it is closed after that."""
    scene.approve_baseline()
    scene.tampered(*HOLE)
    before = scene.clock.at
    scene.look()
    (case,) = scene.cases()
    assert before < case.opened_at < case.closed_at < scene.clock.at


def test_what_was_read_before_another_hand_decides_nothing(scene: Any) -> None:
    """Another process held the firewall between our reading and our hand: no case, no write, read again."""
    scene.approve_baseline()
    scene.tampered(*HOLE)

    def another_hand(name: str, _count: int) -> None:
        if name == "read":
            scene.firewall.on_call = lambda *_: None
            with scene.house.store.session() as session:
                row = firewall_named(session, "fw-acme")
                token = take_lock(session, row.id, holder="other", at=scene.clock(), lease_s=60)
                assert token is not None
                release_lock(session, row.id, token, at=scene.clock())

    scene.firewall.on_call = another_hand
    assert guard.LOCK_RETRY_S == guard.look("fw-acme", scene.house)
    assert [] == scene.cases()
    assert "before apply" not in scene.firewall.calls
    scene.look()
    assert 1 == len(scene.cases())


def test_a_firewall_in_another_hand_is_not_even_read(scene: Any) -> None:
    """While another works on it, what it holds means nothing to us."""
    scene.approve_baseline()
    with scene.house.store.session() as session:
        row = firewall_named(session, "fw-acme")
        take_lock(session, row.id, holder="other", at=scene.clock(), lease_s=60)
    reads = scene.firewall.calls.count("read")
    assert guard.LOCK_RETRY_S == guard.look("fw-acme", scene.house)
    assert reads == scene.firewall.calls.count("read")


def test_a_glance_dates_a_drift_that_the_whole_reading_shows(scene: Any) -> None:
    """It was known to differ before the rest of it was read."""
    scene.approve_baseline()
    scene.tampered(*HOLE)
    scene.firewall.glanced = scene.firewall.now
    read_at = []
    scene.firewall.on_call = lambda name, _count: read_at.append(scene.clock()) if name == "read" else None
    scene.look()
    (case,) = scene.cases()
    assert case.opened_at < read_at[0]


def test_a_glance_alone_makes_no_case(scene: Any) -> None:
    """What it saw was gone, or never there, when the firewall was read."""
    scene.approve_baseline()
    approved = scene.firewall.now
    scene.tampered(*HOLE)
    scene.firewall.glanced, scene.firewall.now = scene.firewall.now, approved
    scene.look()
    assert [] == scene.cases()
    assert "before apply" not in scene.firewall.calls
