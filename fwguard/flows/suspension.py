"""A person cuts or suspends a service, a server or a whole architecture, and lifts it again, each with a clause
and a reason (contract clauses 6.1, 7.3, 7.8, 7.9, 7.10, 8, 14.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.errors import InputError, NotAllowedError
from fwguard.flows.house import House
from fwguard.flows.incident_facts import REASONS
from fwguard.flows.incident_words import WHY, steps_of, what_is_cut
from fwguard.flows.notices import tell_client
from fwguard.flows.releasing import poke_edges, release
from fwguard.model.case import CaseEvent, CaseKind
from fwguard.model.controls import Reason
from fwguard.model.edge_grants import Scope
from fwguard.model.inventory import Language
from fwguard.model.ports import TCP, WITH_PORTS, parse_ports, parse_protocol
from fwguard.store.addresses import Machine, machine_named
from fwguard.store.cases import CaseRow, case_numbered, move_case, open_case
from fwguard.store.edge_ports import ArchitectureRow, EdgePortRow, architecture_named
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.isolations import add_isolation
from fwguard.store.people import UserRole, UserRow

MOST_SERVICE_PORTS: Final = 1024
# Clauses that speak of an account, not of packets: what is suspended under them is not called isolated.
_UPDATES: Final = "7.3"


@dataclass(frozen=True, slots=True)
class Service:
    """Ports of one server: protocol, first and last port."""

    protocol: int
    first_port: int
    last_port: int

    @classmethod
    def parse(cls, text: str) -> Service:
        """Read "tcp/25" or "udp/3478-3481". Raises InputError."""
        word, slash, ports = text.partition("/")
        protocol = parse_protocol(word)
        pairs = parse_ports(ports).pairs if slash else ()
        one = len(pairs) == 1 and pairs[0][0] >= 1 and pairs[0][1] - pairs[0][0] < MOST_SERVICE_PORTS
        if protocol not in WITH_PORTS or not one:
            raise InputError(f"service {text!r}", expected="as tcp/25 or udp/3478-3481")
        return cls(protocol, *pairs[0])


def isolate(
    session: Session,
    house: House,
    name: str,
    *,
    clause: str,
    why: str,
    user: UserRow,
    reason: Reason | None = None,
) -> CaseRow:
    """Cut a server (or a firewall) off at once, because a person says so; a notice of isolation goes out."""
    subject = machine_named(session, name)
    return _cut(session, house, subject, Scope.PORT, clause=clause, why=why, user=user, reason=reason,
                mail="isolation-notice")  # fmt: skip


def suspend(
    session: Session,
    house: House,
    name: str,
    *,
    clause: str,
    why: str,
    user: UserRow,
    reason: Reason | None = None,
    service: Service | None = None,
    architecture: bool = False,
) -> CaseRow:
    """Suspend a server, one service of it, or an architecture, until a person lifts it; return its case.

    Raises NotAllowedError for a client; InputError: no such thing or clause, no reason.
    """
    if architecture:
        if service is not None:
            raise InputError("a service of an architecture", expected="a service of one server")
        found = architecture_named(session, name)
        return _cut(session, house, found, Scope.ARCHITECTURE, clause=clause, why=why, user=user, reason=reason,
                    mail="suspension-notice")  # fmt: skip
    scope = Scope.PORT if service is None else Scope.SERVICE
    return _cut(session, house, machine_named(session, name), scope, clause=clause, why=why, user=user,
                reason=reason, mail="suspension-notice", service=service)  # fmt: skip


def resume(session: Session, house: House, number: str, *, why: str, user: UserRow) -> CaseRow:
    """Lift all that a case cut or suspended; the client is told. Raises NotAllowedError, InputError, ConflictError."""
    _only_staff(user)
    case = case_numbered(session, number)
    release(session, house, case, actor=user.actor, why=_reason(why))
    return case


def _cut(
    session: Session,
    house: House,
    subject: Machine | ArchitectureRow,
    scope: Scope,
    *,
    clause: str,
    why: str,
    user: UserRow,
    reason: Reason | None,
    mail: str,
    service: Service | None = None,
) -> CaseRow:
    """Open a case, order the cut, tell the client; the edges enforce it by their next state."""
    _only_staff(user)
    why, now = _reason(why), house.clock()
    if clause not in house.rulebook.clauses:
        known = ", ".join(sorted(house.rulebook.clauses))
        raise InputError(f"no clause {clause!r}", expected=f"one of {known}")
    reason = reason or (Reason.UPDATES if clause == _UPDATES else REASONS.get(clause, Reason.CHECK))
    machine = _machine_of(session, subject)
    case, _ = open_case(
        session, kind=CaseKind.VIOLATION, clause=clause, actor=user.actor, at=now,
        facts={"reason": reason, "scope": scope, "by": "person"},
        summary_fr=_summary(subject, reason, Language.FR, why),
        summary_en=_summary(subject, reason, Language.EN, why),
        firewall=machine if isinstance(machine, FirewallRow) else None,
        server=machine if isinstance(machine, ServerRow) else None,
    )  # fmt: skip
    open_to = house.rulebook.controls.isolation.stays_open[reason]
    row = add_isolation(
        session, case, subject, scope=scope, reason=reason, clause=clause,
        stays_open=() if scope is Scope.SERVICE else open_to, author=user.actor, why=why, at=now, ends_at=None,
        protocol=service.protocol if service else TCP,
        ports=(service.first_port, service.last_port) if service else (0, 65535),
    )  # fmt: skip
    move_case(session, case, CaseEvent.ISOLATED, actor=user.actor, at=now, why=why)
    words = dict.fromkeys(Language, why)
    values = (
        {"isolated_at": now, "evidence": dict.fromkeys(Language, (why,))}
        if mail == "isolation-notice"
        else {"suspended_at": now, "words": words}
    )
    tell_client(
        session, house, case, mail, serial=row.id % 10**9, server=what_is_cut([row]), why=WHY[reason],
        steps=steps_of(reason), **values,
    )  # fmt: skip
    poke_edges(session, house, [row])
    return case


def _machine_of(session: Session, subject: Machine | ArchitectureRow) -> Machine:
    """Return the server or firewall that a case is filed under: of an architecture, its firewall if it has one."""
    if not isinstance(subject, ArchitectureRow):
        return subject
    query = select(EdgePortRow).where(EdgePortRow.architecture_id == subject.id)
    rows = list(session.scalars(query.order_by(EdgePortRow.firewall_id.is_(None), EdgePortRow.id)))
    if not rows:
        raise InputError(
            f"nothing of architecture {subject.name} is plugged in", expected="one that is in use"
        )
    return rows[0].machine


def _summary(subject: Machine | ArchitectureRow, reason: Reason, language: Language, why: str) -> str:
    return f"{subject.name}: {WHY[reason][language]}\n{why}"


def _only_staff(user: UserRow) -> None:
    if user.role is UserRole.CLIENT:
        raise NotAllowedError("the operator's staff cuts and suspends")


def _reason(why: str) -> str:
    if not why.strip():
        raise InputError("no reason", expected='--why "…": the client reads it')
    return why.strip()[:2000]
