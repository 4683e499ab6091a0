"""The way back: a cut ends when its time is over, when a check finds nothing more, or by a person.

Whoever is cut may contest it for eight French working days (clause 6.1); who reads the evidence is in the log
(clause 15). Clauses 7.1, 7.3, 7.4, 7.5, 8.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError
from fwguard.flows.house import House
from fwguard.flows.incident import name_of
from fwguard.flows.incident_words import BY_ITSELF, CHECKED, QUIET_AGAIN, Said, what_is_cut
from fwguard.flows.notices import contest_until, tell_client, tell_staff
from fwguard.model.case import CaseEvent
from fwguard.model.edge_wire import EventKind
from fwguard.model.inventory import Language
from fwguard.store.audit import append
from fwguard.store.cases import CaseRow, add_evidence, move_case, quiet_violations
from fwguard.store.edge_events import seen_at_ports_since
from fwguard.store.edge_ports import EdgePortRow, ports_of_machine
from fwguard.store.isolations import (
    IsolationRow,
    end_isolation,
    isolations_ending,
    live_isolations_of_case,
    next_isolation_end,
)

CHECK_S: Final = 60  # how long it must have been quiet to be released by a check
CONTEST: Final = "contest"
_SEEN: Final = (EventKind.VERDICT, EventKind.CUT, EventKind.REFUSAL)


def release(
    session: Session, house: House, case: CaseRow, *, actor: str, why: str, said: Said | None = None
) -> None:
    """End every cut of a case and tell the client; the edges take it back by their next state.

    `said` is what the client is told, in each language. Raises ConflictError when nothing of it is cut.
    """
    rows, now = live_isolations_of_case(session, case), house.clock()
    if not rows:
        raise ConflictError(f"nothing of {case.number} is cut any more")
    for row in rows:
        end_isolation(session, row, actor=actor, why=why, at=now)
    if not case.is_ended:
        move_case(session, case, CaseEvent.RELEASED, actor=actor, at=now, why=why)
    told = said or dict.fromkeys(Language, why)
    tell_client(
        session, house, case, "release-notice", serial=rows[-1].id % 10**9, server=what_is_cut(rows),
        released_at=now, why=told,
    )  # fmt: skip
    poke_edges(session, house, rows)


def look_ends(_subject: str, house: House) -> float | None:
    """End the cuts whose time is over, close what was only warned of; return when the next one ends."""
    house.store.transact(lambda session: _end_due(session, house))
    with house.store.reading() as session:
        at = next_isolation_end(session)
    return max(0.0, (at - house.clock()).total_seconds()) if at is not None else None


def _end_due(session: Session, house: House) -> None:
    now = house.clock()
    due = isolations_ending(session, at=now)
    for case in dict.fromkeys(row.case for row in due):
        live = live_isolations_of_case(session, case)
        if all(row in due for row in live):
            release(session, house, case, actor="system", why="its time is over", said=BY_ITSELF)
            continue
        for row in (row for row in live if row in due):
            end_isolation(session, row, actor="system", why="its time is over", at=now)
        poke_edges(session, house, live)
    quiet_since = now - timedelta(seconds=house.rulebook.answers.probation_s)
    for case in quiet_violations(session, since=quiet_since):
        move_case(session, case, CaseEvent.GONE, actor="system", at=now, why="nothing more was seen")
        tell_client(session, house, case, "case-closed", what=name_of(case), closed_at=now, why=QUIET_AGAIN)


def check_again(session: Session, house: House, case: CaseRow, *, actor: str) -> None:
    """Release a cut because whoever it is of says it is repaired, and the edge saw nothing more for a minute.

    Only where the cut would end by itself. Raises ConflictError saying why not yet.
    """
    rows, now = live_isolations_of_case(session, case), house.clock()
    if not rows:
        raise ConflictError(f"nothing of {case.number} is cut any more")
    if any(row.ends_at is None or not row.author.startswith("edge:") for row in rows):
        raise ConflictError(f"{case.number} waits for a person: write to the desk what was done")
    since = now - timedelta(seconds=CHECK_S)
    if any(row.since > since for row in rows):
        raise ConflictError(f"it was cut less than {CHECK_S} s ago: ask again then")
    machine = case.server or case.firewall
    ports = [port.id for port in ports_of_machine(session, machine)] if machine is not None else []
    if seen_at_ports_since(session, ports, _SEEN, since=since):
        raise ConflictError(f"it still happens: something was seen within the last {CHECK_S} s")
    release(session, house, case, actor=actor, why="a new check saw nothing more", said=CHECKED)


def contest(session: Session, house: House, case: CaseRow, text: str, *, actor: str) -> None:
    """Keep what a client says against a case (clause 6.1), and call a person.

    Raises InputError: too late, or no words.
    """
    text = text.strip()[:4000]
    if house.clock() >= contest_until(case.opened_at):
        raise InputError(
            f"{case.number} is of {case.opened_at:%Y-%m-%d}", expected="8 French working days at most"
        )
    if not text:
        raise InputError("no words", where="contest", expected="what is wrong, in your own words")
    add_evidence(session, case, kind=CONTEST, content=text.encode(), actor=actor, at=house.clock())
    serial = 10**8 + len(case.evidence)
    tell_staff(session, house, case, why=f"{case.number} is contested: {text[:300]}", serial=serial)


def read_evidence(session: Session, house: House, case: CaseRow, evidence_id: int, *, actor: str) -> bytes:
    """Return evidence of a case; that it was read, and by whom, is in the log (clause 15). Raises InputError."""
    row = next((row for row in case.evidence if row.id == evidence_id), None)
    if row is None:
        raise InputError(f"{case.number} has no evidence {evidence_id}", expected="one of its page")
    append(
        session, actor=actor, action="incident:evidence:read", clause="15", subject=f"case:{case.number}",
        at=house.clock(), body={"evidence": row.id, "sha256": row.sha256},
    )  # fmt: skip
    return row.content


def poke_edges(session: Session, house: House, rows: list[IsolationRow]) -> None:
    """Ask for a new state of every edge that enforces these cuts."""
    names: dict[str, None] = {}
    for row in rows:
        if row.architecture is not None:
            query = select(EdgePortRow).where(EdgePortRow.architecture_id == row.architecture_id)
            names |= dict.fromkeys(port.edge.name for port in session.scalars(query))
        elif (machine := row.server or row.firewall) is not None:
            names |= dict.fromkeys(port.edge.name for port in ports_of_machine(session, machine))
    for name in names:
        house.work.poke("edge", name)
