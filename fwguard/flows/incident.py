"""From verdict to action, the controller's part: the kernel has acted already; here it becomes a case.

An edge tells of a verdict. It becomes a case under its clause, with the packets as evidence; the cut is ordered,
so that it also holds where the edge's own was lost; the client is told what, why and what to do, and the staff is
called. The first cut of a server is short, the next are longer, the last waits for a person (`releasing.py`).
When too many clients are cut within a minute the fault is more likely ours: verdicts warn then, and a person
decides (contract clauses 6.1, 7.1, 7.4, 7.5, 8).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.flows.house import House
from fwguard.flows.incident_facts import QUIET, WARN, Spoken, read_kernel_cut, read_verdict
from fwguard.flows.incident_words import (
    WHY,
    steps_of,
    what_is_cut,
)
from fwguard.flows.notices import tell_client, tell_staff, tell_staff_of_edge
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.edge_grants import Scope
from fwguard.model.inventory import Language
from fwguard.model.ports import TCP
from fwguard.store.addresses import Machine, subject_of
from fwguard.store.cases import CaseRow, add_evidence, move_case, open_case, open_violation
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_ports import EdgePortRow
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.isolations import (
    BREAKER,
    IsolationRow,
    add_isolation,
    clients_cut_since,
    cuts_of_machine,
    end_isolation,
    isolation_of_cut,
    note_taken_back,
)
from fwguard.store.people import ClientRow

MOST_EVIDENCE: Final = 8  # captures in one case
PACKETS: Final = "packets"


def on_verdict(session: Session, house: House, event: EdgeEventRow) -> str:
    """A detector spoke on an edge: nothing, a warning, or a cut that was made on the spot."""
    spoken = read_verdict(event)
    port = _port(session, event)
    if spoken.action in QUIET:
        return f"{spoken.detector}: {spoken.action} {spoken.why}".rstrip()
    if spoken.action == WARN:
        return _warn(session, house, event, port, spoken)
    return _cut(session, house, event, port, spoken, by_kernel=False)


def on_kernel_cut(session: Session, house: House, event: EdgeEventRow) -> str:
    """The kernel cut a scan or a flood by itself."""
    return _cut(session, house, event, _port(session, event), read_kernel_cut(event), by_kernel=True)


def on_taken_back(session: Session, house: House, event: EdgeEventRow) -> str:
    """An edge took its own cut back. It may do so by our order only: else a person is called."""
    row = isolation_of_cut(session, event.edge, str(event.facts.get("cut", ""))[:80])
    if row is None:
        return "no such cut"
    if row.ended_at is None:
        why = f"{event.edge.name} took back the cut of {row.on} without an order"
        tell_staff(session, house, row.case, why=why, serial=event.id % 10**9)
        return why
    if row.taken_back_at is None:
        note_taken_back(session, row, at=house.clock())
    return f"{row.case.number}: taken back"


def _port(session: Session, event: EdgeEventRow) -> EdgePortRow:
    """Return the port that is accused. Raises InputError: an edge speaks of its own ports only."""
    port = session.get(EdgePortRow, event.port)
    if port is None or port.edge_id != event.edge_id:
        raise InputError(f"accuses port {event.port}, which is none of its own", where=event.edge.name)
    return port


# ---------------------------------------------------------------------- what follows


def _warn(session: Session, house: House, event: EdgeEventRow, port: EdgePortRow, spoken: Spoken) -> str:
    """Tell the client, and until when it can act; nothing is cut."""
    case = _case(session, house, event, port, spoken)
    _keep(session, house, case, event)
    act_until = event.at + timedelta(seconds=house.rulebook.answers.grace_s)
    _tell_of(session, house, case, "violation-warning", event, spoken, seen_at=event.at, act_until=act_until)
    if spoken.calls_person:
        why = f"{case.number}: {spoken.detector} at {port.machine.name}: {spoken.why or 'a person decides'}"
        tell_staff(session, house, case, why=why, serial=event.id % 10**9)
    return f"{case.number}: warned"


def _cut(
    session: Session, house: House, event: EdgeEventRow, port: EdgePortRow, spoken: Spoken, *, by_kernel: bool
) -> str:
    """Make a case of a cut, order it, tell the client and the staff; or take it back, one client too many."""
    machine, now = port.machine, house.clock()
    ends_at = _end_of(session, house, event, machine, spoken)
    trips = _trips(session, house, event, port)
    case = _case(session, house, event, port, spoken)
    _keep(session, house, case, event)
    stays_open = house.rulebook.controls.isolation.stays_open[spoken.reason]
    ranges = spoken.ranges or ((TCP, 0, 0 if spoken.action == "flow" else 65535),)
    rows = [
        add_isolation(
            session, case, machine, scope=spoken.scope, reason=spoken.reason, clause=spoken.clause,
            stays_open=stays_open if spoken.scope is Scope.PORT else (), author=event.edge.subject,
            why=f"{spoken.detector}: {spoken.words[Language.EN][0]}", at=event.at, ends_at=ends_at, protocol=protocol,
            ports=(first, last), cut=(event.edge, event.event_id, port.id) if number == 0 else None,
        )
        for number, (protocol, first, last) in enumerate(ranges)
    ]  # fmt: skip
    if trips and not by_kernel:
        return _hold(session, house, case, event, spoken, rows, trips)
    move_case(session, case, CaseEvent.ISOLATED, actor=event.edge.subject, at=now)
    _tell_of(
        session,
        house,
        case,
        "isolation-notice",
        event,
        spoken,
        server=what_is_cut(rows),
        isolated_at=event.at,
    )
    why = trips or f"{case.number}: {subject_of(machine)} of {case.client.name} is cut by {spoken.detector}"
    tell_staff(session, house, case, why=why, serial=event.id % 10**9)
    house.work.poke("edge", event.edge.name)
    house.work.poke("isolations", "")
    return f"{case.number}: cut {_until(ends_at)}"


def _hold(
    session: Session, house: House, case: CaseRow, event: EdgeEventRow, spoken: Spoken, rows: list[IsolationRow],
    why: str,
) -> str:  # fmt: skip
    """The circuit breaker tripped: the cut is taken back, the client is warned, and a person decides."""
    now = house.clock()
    for row in rows:
        end_isolation(session, row, actor=BREAKER, why=why, at=now)
    if case.state in (CaseState.OPEN, CaseState.ISOLATED):
        move_case(session, case, CaseEvent.HOLD, actor="system", at=now, why=why)
    act_until = now + timedelta(seconds=house.rulebook.answers.grace_s)
    _tell_of(session, house, case, "violation-warning", event, spoken, seen_at=event.at, act_until=act_until)
    tell_staff(session, house, case, why=why, serial=event.id % 10**9)
    tell_staff_of_edge(session, house, event.edge, why=why, serial=event.id % 10**9)
    house.work.poke("edge", event.edge.name)
    return f"{case.number}: {why}"


def _trips(session: Session, house: House, event: EdgeEventRow, port: EdgePortRow) -> str:
    """Return why the circuit breaker holds this cut: it counts distinct clients over all edges, "" if it does not."""
    answers = house.rulebook.answers
    cut = clients_cut_since(session, house.clock() - timedelta(seconds=answers.breaker_window_s))
    most = answers.breaker_most(session.scalars(select(func.count(ClientRow.id))).one())
    if port.client_id in cut or len(cut) < most:
        return ""
    return f"{len(cut)} clients were cut within {answers.breaker_window_s} s, of at most {most}: a person decides"


def _end_of(
    session: Session, house: House, event: EdgeEventRow, machine: Machine, spoken: Spoken
) -> datetime | None:
    """Return when a cut ends by itself: as the edge says, else by how many there were before; None: by a person."""
    lasting = house.rulebook.answers.cut_for_s
    since = event.at - timedelta(seconds=house.rulebook.controls.intrusion.ladder.window_s)
    earlier = len(cuts_of_machine(session, machine, spoken.clause, since=since))
    by_rule = event.at + timedelta(seconds=lasting[earlier]) if earlier < len(lasting) else None
    if not spoken.lasts or by_rule is None:
        return by_rule
    return spoken.until


def _case(session: Session, house: House, event: EdgeEventRow, port: EdgePortRow, spoken: Spoken) -> CaseRow:
    """Return the open case of this server under this clause, or a new one."""
    machine = port.machine
    known = open_violation(session, machine, spoken.clause)
    if known is not None:
        event.case_id = known.id
        known.updated_at = house.clock()
        return known
    name = f"{machine.name}: "
    case, _ = open_case(
        session, kind=CaseKind.VIOLATION, clause=spoken.clause, actor=event.edge.subject, at=event.at,
        facts={"detector": spoken.detector, "reason": spoken.reason, "edge": event.edge.name,
               "interface": port.interface},
        summary_fr=name + "\n".join(spoken.words[Language.FR]), summary_en=name + "\n".join(spoken.words[Language.EN]),
        firewall=machine if isinstance(machine, FirewallRow) else None,
        server=machine if isinstance(machine, ServerRow) else None,
    )  # fmt: skip
    event.case_id = case.id
    return case


def _keep(session: Session, house: House, case: CaseRow, event: EdgeEventRow) -> None:
    """Keep the packets; of one case the first few captures, since an attacker writes them."""
    if event.evidence and len(case.evidence) < MOST_EVIDENCE:
        add_evidence(
            session, case, kind=PACKETS, content=event.evidence, actor=event.edge.subject, at=house.clock()
        )
        session.refresh(case, ["evidence"])


def _tell_of(
    session: Session, house: House, case: CaseRow, mail: str, event: EdgeEventRow, spoken: Spoken, **extra: object
) -> None:  # fmt: skip
    values: dict[str, object] = {"server": name_of(case), **extra}
    tell_client(
        session, house, case, mail, serial=event.id % 10**9, why=WHY[spoken.reason], evidence=spoken.words,
        steps=steps_of(spoken.reason), **values,
    )  # fmt: skip


def name_of(case: CaseRow) -> str:
    """Return the name of what a case is about."""
    row = case.server or case.firewall
    return row.name if row is not None else ""


def _until(ends_at: datetime | None) -> str:
    return f"until {ends_at:%Y-%m-%d %H:%M} UTC" if ends_at else "until a person releases it"
