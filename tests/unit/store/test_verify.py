"""One altered byte, anywhere that counts, is found and named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from fwguard.model.case import CaseKind
from fwguard.model.controls import ServiceKind
from fwguard.model.pool import Pool
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.registration import Registration
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketEvent
from fwguard.model.warrant import Ground
from fwguard.store import Store
from fwguard.store.addresses import Ending, Manner, begin_holding, end_holding
from fwguard.store.approved import approve_baseline
from fwguard.store.cases import EvidenceRow, add_evidence, open_case, purge_evidence
from fwguard.store.checkpoints import checkpoint, load_signing_key
from fwguard.store.inventory import firewall_named, server_named
from fwguard.store.people import user_named
from fwguard.store.pools import add_pool
from fwguard.store.registrations import add_registration, decide_registration
from fwguard.store.tickets import Channel, TicketKind, approve, move, open_ticket, set_analysis
from fwguard.store.triggers import FROZEN
from fwguard.store.verify import AuditReport, verify
from fwguard.store.warrants import end_warrant, issue_warrant, use_warrant

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture
def full(house: Store) -> Store:
    """Give a store with one row of everything that the log vouches for, each changed as far as it may be."""
    with house.session() as session:
        firewall = firewall_named(session, "fw-acme")
        first = approve_baseline(
            session,
            firewall,
            Snapshot({"nft": "one"}),
            before=None,
            why="é",
            actor="user:bob",
            clause="7",
            at=NOW,
        )
        approve_baseline(
            session,
            firewall,
            Snapshot({"nft": "two"}),
            before=first,
            why="b",
            actor="user:bob",
            clause="7",
            at=NOW,
        )
        case, _ = open_case(
            session, kind=CaseKind.DRIFT, clause="7.1.1", actor="system", at=NOW, facts={}, summary_fr="f",
            summary_en="e", firewall=firewall,
        )  # fmt: skip
        add_evidence(session, case, kind="snapshot", content=b"bytes", actor="system", at=NOW)
        ticket, _ = open_ticket(
            session, kind=TicketKind.BASELINE, firewall=firewall, channel=Channel.FORM, at=NOW,
            actor="user:olga", requester=user_named(session, "olga"),
        )  # fmt: skip
        set_analysis(
            ticket, analysis={}, binding="b" * 64, before_digest="", after_digest="", rules_digest="", at=NOW
        )
        move(session, ticket, TicketEvent.ANALYSED, actor="system", at=NOW)
        approve(session, ticket, user_named(session, "bob"), digest="b" * 64, at=NOW, comment="fine")
        warrant = issue_warrant(
            session, ground=Ground.BASELINE, clause="7.1.1", author="system", reason="drift",
            subject="firewall:fw-acme", before="0" * 64, after="1" * 64, at=NOW,
        )  # fmt: skip
        pool = add_pool(session, Pool(name="p4", prefix="198.51.100.0/29"), actor="system", why="w", at=NOW)
        holding = begin_holding(
            session, pool, "198.51.100.1", server_named(session, "web-acme"), manner=Manner.ALLOCATED,
            actor="user:olga", why="in service", at=NOW,
        )  # fmt: skip
        end_holding(
            session,
            holding,
            Ending.RELEASED,
            actor="user:olga",
            why="over",
            at=NOW,
            free_at=NOW + timedelta(9),
        )
        asked = Registration(
            server="web-acme", software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6697"),
            ends_at=NOW + timedelta(days=9), reason="chat",
        )  # fmt: skip
        registration = add_registration(
            session, asked, server_named(session, "web-acme"), user_named(session, "ann-acme"), source="portal", at=NOW
        )  # fmt: skip
        decide_registration(
            session, registration, user_named(session, "bob"), grant=True, why="fine", source="portal", at=NOW
        )
    with house.session() as session:
        use_warrant(session, warrant, at=NOW)
        end_warrant(session, warrant.id, outcome="confirmed", at=NOW)
    return house


def _report(store: Store) -> AuditReport:
    with store.reading() as session:
        return verify(session)


def _break_in(session: Session) -> None:
    """Do what someone who owns the database can do: take the triggers and keys away."""
    for table in FROZEN:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        else:
            session.execute(text(f"DROP TRIGGER {table}_no_update"))
            session.execute(text(f"DROP TRIGGER {table}_no_delete"))
    for table, trigger in (("address_holdings", "same_holder"), ("registrations", "same_request")):
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        else:
            session.execute(text(f"DROP TRIGGER {table}_{trigger}"))


def test_an_untouched_store_is_whole(full: Store) -> None:
    """Every record is vouched for by an entry, and every entry's record is as it was."""
    report = _report(full)
    assert () == report.findings
    assert 7 == report.records


# Table, its key column, and every column that could be altered with a value of its type.
ALTERED = [
    ("audit", "actor", "'systen'"),
    ("audit", "action", "'guard:baseline:approvf'"),
    ("audit", "clause", "'8'"),
    ("audit", "subject", "'firewall:fw-bold'"),
    ("audit", "body", "body || ' '"),
    ("audit", "at", "'2026-03-04T05:06:07.000009+00:00'"),
    ("audit", "record", "'baselines:9'"),
    ("audit", "record_sha256", f"'{'0' * 64}'"),
    ("audit", "previous", f"'{'1' * 64}'"),
    ("audit", "digest", f"'{'2' * 64}'"),
    ("baselines", "snapshot_json", "replace(snapshot_json, 'one', 'onf')"),
    ("baselines", "digest", f"'{'3' * 64}'"),
    ("baselines", "why", "'e'"),
    ("baselines", "approved_by", "'user:eve'"),
    ("baselines", "approved_at", "'2026-03-04T05:06:07.000009+00:00'"),
    ("approvals", "comment", "'fine!'"),
    ("approvals", "digest", f"'{'c' * 64}'"),
    ("approvals", "decision", "'refuse'"),
    ("approvals", "round", "2"),
    ("approvals", "user_id", "(SELECT id FROM users WHERE username = 'eve')"),
    ("warrants", "reason", "'drifT'"),
    ("warrants", "after", f"'{'4' * 64}'"),
    ("warrants", "outcome", "NULL"),
    ("warrants", "used_at", "'2026-03-04T05:06:08.000009+00:00'"),
    ("evidence", "kind", "'packets'"),
    ("address_holdings", "server_id", "(SELECT id FROM servers WHERE name = 'web-bold')"),
    ("address_holdings", "since", "'2026-03-04T05:06:07.000000+00:00'"),
    ("address_holdings", "free_at", "ended_at"),
    ("address_holdings", "why", "'in servicE'"),
    ("registrations", "ports", "'1-1000'"),
    ("registrations", "ends_at", "'2027-03-04T05:06:07.000000+00:00'"),
    ("registrations", "decider_id", "(SELECT id FROM users WHERE username = 'eve')"),
    ("evidence", "sha256", f"'{'5' * 64}'"),
]


@pytest.mark.parametrize(("table", "column", "value"), ALTERED, ids=[f"{t}.{c}" for t, c, _ in ALTERED])
def test_an_altered_value_is_named(full: Store, table: str, column: str, value: str) -> None:
    """The finding says in which entry or row it is."""
    with full.session() as session:
        _break_in(session)
        key = "seq" if table == "audit" else "id"
        row = session.execute(text(f"SELECT min({key}) FROM {table}")).scalar_one()
        session.execute(text(f"UPDATE {table} SET {column} = {value} WHERE {key} = :row"), {"row": row})
    places = {finding.where for finding in _report(full).findings}
    assert (f"audit entry {row}" if table == "audit" else f"{table}:{row}") in places


def test_altered_bytes_of_evidence_are_named(full: Store) -> None:
    """Evidence is bytes, and each of them counts."""
    with full.session() as session:
        session.execute(text("UPDATE evidence SET content = :new"), {"new": b"bytez"})
    assert ["evidence:1"] == [finding.where for finding in _report(full).findings]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE baselines SET current = 2 WHERE id = 2",
        "UPDATE baselines SET why = CAST(x'ff' AS TEXT) WHERE id = 2",
        "UPDATE baselines SET approved_at = '2026-03-04T06:06:07.000008+01:00' WHERE id = 2",
        "UPDATE baselines SET approved_at = 'never' WHERE id = 2",
        "UPDATE baselines SET why = CAST(why AS BLOB) WHERE id = 2",
    ],
)
def test_what_sqlite_reads_loosely_is_found(full: Store, statement: str) -> None:
    """Values that SQLite stores in any column, and Python would read as the same or not at all."""
    if full.engine.dialect.name == "postgresql":
        statement = "UPDATE baselines SET why = why || ' ' WHERE id = 2"
    with full.session() as session:
        session.execute(text(statement))
    assert ["baselines:2"] == [finding.where for finding in _report(full).findings]


def test_a_row_that_nobody_logged_is_found(full: Store) -> None:
    """A baseline slipped in beside the log stands in no entry."""
    with full.session() as session:
        session.execute(
            text(
                "INSERT INTO baselines "
                "(firewall_id, snapshot_json, digest, why, approved_by, approved_at, current) "
                "SELECT firewall_id, snapshot_json, digest, why, approved_by, approved_at, current "
                "FROM baselines WHERE id = 1"
            )
        )
    assert [("baselines:3", "stands in no audit entry")] == [
        (finding.where, finding.what) for finding in _report(full).findings
    ]


def test_a_row_taken_away_is_found(full: Store) -> None:
    """A deleted approval is missed by its entry."""
    with full.session() as session:
        _break_in(session)
        session.execute(text("DELETE FROM approvals"))
    assert "approvals:1" in {finding.where for finding in _report(full).findings}


def test_an_entry_taken_away_is_found(full: Store) -> None:
    """A gap in the middle breaks the chain."""
    with full.session() as session:
        _break_in(session)
        session.execute(text("DELETE FROM audit WHERE seq = 3"))
    assert "audit entry 4" in {finding.where for finding in _report(full).findings}


def test_missing_triggers_are_found(full: Store) -> None:
    """Whoever took the triggers away left that trace."""
    with full.session() as session:
        _break_in(session)
    assert all("trigger" in finding.where for finding in _report(full).findings)
    assert _report(full).findings


def test_a_cut_end_is_found_by_the_checkpoint(full: Store, tmp_path: Path) -> None:
    """The chain alone cannot tell that its last entries are gone; a checkpoint can."""
    with full.reading() as session:
        made = checkpoint(session, load_signing_key(tmp_path), at=NOW)
        assert made is not None
        assert verify(session, [made]).is_whole
    with full.session() as session:
        _break_in(session)
        session.execute(text("DELETE FROM audit WHERE seq = :last"), {"last": made.seq})
    with full.reading() as session:
        places = {finding.where for finding in verify(session, [made]).findings}
    assert f"audit entry {made.seq}" in places


def test_purged_evidence_is_no_finding(full: Store) -> None:
    """Retention deletes evidence with an entry that says so."""
    with full.session() as session:
        purge_evidence(session, session.get_one(EvidenceRow, 1), actor="system", at=NOW)
    assert _report(full).is_whole
