"""Drift: a case, the approved state put back or held for a person, and the client told (clause 7.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fwguard.devices.protocol import Endpoint
from fwguard.errors import CommitRefusedError, ConflictError, DeviceError, PreimageMovedError
from fwguard.flows.drift import Drift, changed_lines, describe
from fwguard.flows.house import Hand, House
from fwguard.flows.names import server_names
from fwguard.flows.notices import tell_client, tell_staff
from fwguard.flows.writing import settle, warrant_for, write
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.inventory import Language, OnDrift
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.approved import BaselineRow, record_reading
from fwguard.store.cases import (
    CaseMoveRow,
    CaseRow,
    EvidenceRow,
    add_evidence,
    move_case,
    open_case,
    open_case_of,
    restores_since,
)
from fwguard.store.inventory import FirewallRow, WatchState
from fwguard.store.people import ClientRow

log = structlog.get_logger(__name__)
Words = Mapping[Language, tuple[str, ...]]
CLAUSE: Final = "7.1.1"
BREAKER_S: Final = 60
RETRY_S: Final = 1.0


def on_drift(
    house: House,
    hand: Hand,
    firewall: FirewallRow,
    endpoint: Endpoint,
    baseline: BaselineRow,
    reading: Snapshot,
    parts: tuple[str, ...],
    *,
    seen_at: datetime,
) -> float:
    """Open a case (or go on with the open one) and act on it; return when to look again, in seconds.

    `seen_at` is when the reading was found to differ; a new case bears it.
    """
    approved = baseline.snapshot
    with house.store.session() as session:
        hand.renew(session)
        row = session.get_one(FirewallRow, firewall.id)
        case = _case(session, house, row, approved, reading, parts, seen_at)
        reason = _hold_reason(session, house, row, case)
        if reason:
            drift = describe(row.platform, approved, reading, parts, server_names(session, row.client_id))
            _hold(session, house, row, case, drift, reading, reason)
            return float(house.settings.poll_s)
        move_case(session, case, CaseEvent.RESTORE_STARTED, actor="system", at=house.clock())
        warrant = warrant_for(
            session, house, endpoint, ground=Ground.BASELINE, clause=CLAUSE, author="system",
            reason=f"{case.number}: put the approved state back", before=reading, after=approved,
        )  # fmt: skip
    return _restore(house, hand, firewall, endpoint, baseline, reading, case, warrant)


def _restore(
    house: House,
    hand: Hand,
    firewall: FirewallRow,
    endpoint: Endpoint,
    baseline: BaselineRow,
    reading: Snapshot,
    case: CaseRow,
    warrant: Warrant,
) -> float:
    try:
        write(house, hand, endpoint, warrant, reading, baseline.snapshot)
    except PreimageMovedError:
        return 0.0  # changed again meanwhile: read it again, the case stays open
    except CommitRefusedError as error:
        with house.store.session() as session:
            row = session.get_one(CaseRow, case.id)
            move_case(
                session, row, CaseEvent.RESTORE_FAILED, actor="system", at=house.clock(), why=str(error)
            )
        log.warning("restore failed", firewall=firewall.name, case=case.number, why=str(error))
        return RETRY_S
    except DeviceError as error:  # nobody knows: the next reading tells, as after a kill
        log.warning("restore interrupted", firewall=firewall.name, case=case.number, why=str(error))
        return RETRY_S
    restored_at = house.clock()
    with house.store.reading() as session:  # what takes a while is worked out before others have to wait
        words = _words_of(session, session.get_one(CaseRow, case.id), baseline)
    with house.store.session() as session:
        row = session.get_one(CaseRow, case.id)
        settle(session, house, warrant)
        _close_restored(session, house, row, words, at=restored_at)
    return 0.0  # verify once more, and do what waited behind it


def on_no_drift(house: House, firewall: FirewallRow, baseline: BaselineRow) -> None:
    """The firewall holds its approved state: close the drift case that is open, if any."""
    with house.store.session() as session:
        row = session.get_one(FirewallRow, firewall.id)
        if row.state is WatchState.HELD:
            row.state = WatchState.WATCHED
        case = open_case_of(session, firewall.id, CaseKind.DRIFT)
        if case is None:
            return
        if case.state is CaseState.RESTORING:
            _close_restored(session, house, case, _words_of(session, case, baseline), at=house.clock())
        else:
            _set_words(case, _words_of(session, case, baseline))
            move_case(session, case, CaseEvent.GONE, actor="system", at=house.clock(), why="undone by itself")
            tell_client(session, house, case, "case-closed")


def order(session: Session, house: House, firewall: FirewallRow, *, actor: str) -> None:
    """A person orders the restore of a held firewall. Raises ConflictError when nothing is held."""
    case = open_case_of(session, firewall.id, CaseKind.DRIFT)
    if case is None or case.state is not CaseState.HELD:
        raise ConflictError(f"{firewall.name} is not held: nothing to restore")
    move_case(session, case, CaseEvent.RESTORE_STARTED, actor=actor, at=house.clock(), why="ordered")
    case.facts = {**case.facts, "ordered_by": actor}
    firewall.state = WatchState.WATCHED


def _case(
    session: Session,
    house: House,
    firewall: FirewallRow,
    approved: Snapshot,
    reading: Snapshot,
    parts: tuple[str, ...],
    seen_at: datetime,
) -> CaseRow:
    """Open the case, or add to the open one what is new; the reading is its evidence, kept whole."""
    lines = changed_lines(firewall.platform, approved, reading, parts)
    case, new = open_case(
        session, kind=CaseKind.DRIFT, clause=CLAUSE, actor="system", at=seen_at, firewall=firewall,
        facts={"parts": list(parts), "changed": lines},
        summary_fr=f"{firewall.name} diffère de son état approuvé",
        summary_en=f"{firewall.name} differs from its approved state",
    )  # fmt: skip
    content = reading.to_json().encode()
    if new or not any(row.content == content for row in case.evidence):
        add_evidence(session, case, kind="reading", content=content, actor="system", at=house.clock())
        case.facts = {**case.facts, "parts": list(parts), "changed": lines}
    return case


def _hold_reason(session: Session, house: House, firewall: FirewallRow, case: CaseRow) -> str:
    """Return why this drift is not undone now, or an empty text. What a person ordered is done."""
    if case.facts.get("ordered_by"):
        return ""
    if firewall.on_drift is OnDrift.HOLD:
        return "policy: hold"
    now, settings = house.clock(), house.settings
    since = now - timedelta(seconds=settings.restore_cap_s)
    if restores_since(session, firewall.id, since) >= settings.restore_cap:
        return f"{settings.restore_cap} restores in {settings.restore_cap_s} s: the cap is reached"
    clients = session.scalar(select(func.count(ClientRow.id))) or 0
    most = max(settings.breaker_clients, clients * settings.breaker_percent // 100)
    drifting = session.scalar(
        select(func.count(func.distinct(CaseRow.client_id)))
        .join(CaseMoveRow, CaseMoveRow.case_id == CaseRow.id)
        .where(
            CaseMoveRow.event == CaseEvent.RESTORE_STARTED,
            CaseMoveRow.at >= now - timedelta(seconds=BREAKER_S),
            CaseRow.client_id != firewall.client_id,
        )
    )
    if (drifting or 0) >= most:
        return f"{drifting} clients drift within {BREAKER_S} s: the circuit breaker is open"
    return ""


def _hold(
    session: Session,
    house: House,
    firewall: FirewallRow,
    case: CaseRow,
    drift: Drift,
    reading: Snapshot,
    reason: str,
) -> None:
    """Leave the drift in place, tell the client and call a person; once, not at every look.

    What was read is kept, so that a person can ask to approve the firewall as it stands.
    """
    _set_words(case, drift.words)
    record_reading(session, firewall.id, reading, at=house.clock())
    firewall.state = WatchState.HELD
    if case.state is CaseState.HELD:
        return
    move_case(session, case, CaseEvent.HOLD, actor="system", at=house.clock(), why=reason)
    case.facts = {**case.facts, "held": reason}
    tell_client(session, house, case, "drift-held")
    tell_staff(session, house, case, why=f"{firewall.name} is held: {reason}")


def _close_restored(session: Session, house: House, case: CaseRow, words: Words, *, at: datetime) -> None:
    _set_words(case, words)
    move_case(session, case, CaseEvent.RESTORED, actor="system", at=at)
    tell_client(session, house, case, "drift-restored")


def _words_of(session: Session, case: CaseRow, baseline: BaselineRow) -> Words:
    """Say in words what every reading of the case would have changed; from the evidence, so that a
    restart can do it as well."""
    assert case.firewall is not None  # noqa: S101  # a drift case has one
    evidence = session.scalars(
        select(EvidenceRow).where(EvidenceRow.case_id == case.id, EvidenceRow.kind == "reading")
    )
    name_of = server_names(session, case.client_id)
    words: dict[Language, list[str]] = {language: [] for language in Language}
    approved, platform = baseline.snapshot, case.firewall.platform
    for row in evidence:
        reading = Snapshot.from_json(row.content.decode())
        drift = describe(platform, approved, reading, tuple(case.facts["parts"]), name_of)
        for language, lines in drift.words.items():
            words[language] += [line for line in lines if line not in words[language]]
    return {language: tuple(lines) for language, lines in words.items()}


def _set_words(case: CaseRow, words: Words) -> None:
    case.summary_fr = "\n".join(words[Language.FR])
    case.summary_en = "\n".join(words[Language.EN])
