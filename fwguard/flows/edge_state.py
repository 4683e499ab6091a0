"""The desired state of each edge: worked out anew when anything moved, numbered, signed, sent, heard of again.

A look compares what the tables and rules ask for with what was made last. Only other content makes a new
generation; it is written with the warrant that orders it, before any edge can ask for it (clauses 4, 7, 8).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from sqlalchemy import not_, or_, select
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.flows.edge_content import content_of
from fwguard.flows.house import House
from fwguard.flows.notices import tell_staff_of_edge
from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import canonical_bytes, parse_state
from fwguard.model.edge_wire import state_bytes
from fwguard.model.warrant import Ground
from fwguard.store.audit import AuditRow
from fwguard.store.checkpoints import EDGE_KEY_FILE, load_signing_key, public_text
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_states import EdgeStateRow, keep_state, newest_state, state_bytes_of
from fwguard.store.edges import EdgeRow, edge_named, locked_edge, raise_epoch
from fwguard.store.isolations import IsolationRow
from fwguard.store.warrants import WarrantRow, end_warrant, issue_warrant, use_warrant

log = structlog.get_logger(__name__)
NOTHING_BEFORE: Final = hashlib.sha256(b"").hexdigest()
# What is logged and changes no edge's state: our own entries, and looks of people.
_NOT_OURS: Final = (
    "edge:state:",
    "edge:event:",
    "guard:warrant:",
    "guard:evidence:",
    "retention:",
    "incident:evidence:",
)
BLOCKED: Final = "no newer state can be made: "
_MOST_EPOCH: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Sent:
    """A state as an edge gets it: canonical bytes, and our signature over them for this edge (base64)."""

    body: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why a state takes the place of another: what its warrant says."""

    ground: Ground
    clause: str
    author: str
    reason: str


def look(name: str, house: House) -> float | None:
    """Make a new generation of one edge's state if what it shall enforce is another than before.

    Tables that contradict each other make none: the state that is stands, and a person is called.
    """
    with house.store.reading() as session:
        edge, seq = edge_named(session, name), _last_entry(session)
        if not edge.is_trusted:
            return None
        try:
            content = content_of(session, house, edge)
        except InputError as error:
            problem, blocked = f"{BLOCKED}{error}", True
        else:
            blocked, problem = False, "\n".join(content.doubts)
            before = newest_state(session, edge)
            digest = hashlib.sha256(canonical_bytes(content.state)).hexdigest()
            if before is None or before.content_digest != digest:
                old = parse_state(state_bytes_of(session, before)) if before is not None else None
                cause = _cause(session, old, content.state)
                number = edge.epoch, edge.generation
                house.store.transact(
                    lambda session: _make(session, house, name, content.state, digest, before, number, cause)
                )
    house.store.transact(lambda session: _looked(session, house, name, seq, problem, call=blocked))
    return None


def _make(
    session: Session,
    house: House,
    name: str,
    content: EdgeState,
    content_digest: str,
    before: EdgeStateRow | None,
    number: tuple[int, int],
    cause: _Cause,
) -> None:
    """Number, sign and keep a state, with the warrant to enforce it; nothing when another was quicker."""
    edge, now = locked_edge(session, name), house.clock()
    if (edge.epoch, edge.generation) != number or not edge.is_trusted:
        return
    edge.generation += 1
    body = canonical_bytes(replace(content, epoch=edge.epoch, generation=edge.generation))
    warrant = issue_warrant(
        session, ground=cause.ground, clause=cause.clause, author=cause.author, reason=cause.reason,
        subject=edge.subject, before=before.digest if before else NOTHING_BEFORE,
        after=hashlib.sha256(body).hexdigest(), at=now,
    )  # fmt: skip
    key = load_signing_key(house.settings.state_dir, EDGE_KEY_FILE)
    signature = base64.b64encode(key.sign(state_bytes(name, body))).decode()
    keep_state(
        session, edge, body, content_digest=content_digest, signature=signature, warrant_id=warrant.id,
        clause=cause.clause, at=now,
    )  # fmt: skip


def _looked(session: Session, house: House, name: str, seq: int, problem: str, *, call: bool) -> None:
    """Remember up to where the log was looked at; call a person when no state can be made, and was not called."""
    edge = locked_edge(session, name)
    edge.looked_seq, edge.looked_rules = max(seq, edge.looked_seq), house.rulebook.digest
    if call and problem != edge.problem:
        tell_staff_of_edge(session, house, edge, why=problem.splitlines()[0], serial=seq % 10**9)
    edge.problem = problem


def _cause(session: Session, old: EdgeState | None, new: EdgeState) -> _Cause:
    """Say in one warrant what a state changes: a verdict before an approval, an approval before an end."""
    if old is None:
        return _Cause(Ground.BASELINE, "7.10", "system", "the first state")
    words = [
        f"{field} +{len(mine - theirs)} -{len(theirs - mine)}"
        for field in ("ports", "openings", "registrations", "isolations", "releases", "shares")
        if (mine := set(getattr(new, field))) != (theirs := set(getattr(old, field)))
    ]
    if old.controls != new.controls:
        words.append("controls")
    reason = ", ".join(words) or "architectures, passages or uplinks"
    added = set(new.isolations) - set(old.isolations)
    gone = {one.case for one in new.releases} | {
        one.case for one in set(old.isolations) - set(new.isolations)
    }
    if cases := {one.case for one in added} or gone:
        row = session.scalars(
            select(IsolationRow)
            .where(IsolationRow.case_id.in_(cases))
            .order_by(IsolationRow.id.desc())
            .limit(1)
        ).one()
        by_person = row.author.startswith("user:")
        ground = Ground.EMERGENCY if by_person else Ground.VERDICT
        author = row.author if added else row.ended_by or row.author
        return _Cause(ground, row.clause, author, f"{row.case.number}: {reason}")
    if opened := sorted(set(new.openings) - set(old.openings), key=str):
        return _Cause(Ground.APPROVED_CHANGE, "7.1.1", "system", f"{opened[0].ticket}: {reason}")
    if set(old.openings) - set(new.openings):
        return _Cause(Ground.END, "7.1.1", "system", reason)
    return _Cause(Ground.BASELINE, "7.10", "system", reason)


def newer(house: House, name: str, epoch: int, generation: int) -> Sent | None:
    """Return the newest state of an edge that has (epoch, generation), None while that is the newest.

    An edge that has seen a higher number than ours (a database from a backup) gets a new epoch, and waits.
    """
    with house.store.reading() as session:
        edge = edge_named(session, name)
        state = newest_state(session, edge)
        if (epoch, generation) > (edge.epoch, edge.generation) and epoch < _MOST_EPOCH:
            why = f"it has {epoch}.{generation}, and we made {edge.epoch}.{edge.generation} at most"
            house.store.transact(lambda session: _new_epoch(session, house, name, epoch, generation, why))
            house.work.poke("edge", name)
            return None
        if state is None or (state.epoch, state.generation) <= (epoch, generation):
            return None
        sent = Sent(state_bytes_of(session, state), state.signature)
        unused = session.get_one(WarrantRow, state.warrant_id).used_at is None
    if unused:
        house.store.transact(lambda session: _use(session, house, state.warrant_id))
    return sent


def _new_epoch(session: Session, house: House, name: str, epoch: int, generation: int, why: str) -> None:
    edge = locked_edge(session, name)
    if (epoch, generation) > (edge.epoch, edge.generation):
        raise_epoch(session, edge, above=epoch, actor=edge.subject, why=why, at=house.clock())
        tell_staff_of_edge(session, house, edge, why=why, serial=edge.epoch % 10**9)


def _use(session: Session, house: House, warrant_id: str) -> None:
    row = session.get_one(WarrantRow, warrant_id)
    if row.used_at is None:
        use_warrant(session, row.value(), at=house.clock())


def on_applied(session: Session, house: House, event: EdgeEventRow) -> str:
    """An edge enforces a state: its warrant, and those of the states it took the place of, are settled."""
    edge, number = event.edge, _number(event)
    if number > (edge.applied_epoch, edge.applied_generation) and number <= (edge.epoch, edge.generation):
        edge.applied_epoch, edge.applied_generation = number
        edge.applied_at = event.at
    for state, warrant in _delivered(session, edge):
        here = state.epoch, state.generation
        if here <= number:
            outcome = "applied and read back" if here == number else f"in its place: {number[0]}.{number[1]}"
            end_warrant(session, warrant.id, outcome=outcome, at=house.clock())
    return f"{number[0]}.{number[1]} is enforced"


def on_refused(session: Session, house: House, event: EdgeEventRow) -> str:
    """An edge did not apply a state, and enforces the one before: a person must look."""
    edge, number, why = event.edge, _number(event), str(event.facts.get("why", ""))[:500]
    for state, warrant in _delivered(session, edge):
        if (state.epoch, state.generation) == number:
            end_warrant(session, warrant.id, outcome=f"refused: {why}", at=house.clock())
    tell_staff_of_edge(
        session,
        house,
        edge,
        why=f"{edge.name} does not apply {number[0]}.{number[1]}: {why}",
        serial=event.id,
    )
    return f"refused: {why}"


def _delivered(session: Session, edge: EdgeRow) -> Iterable[tuple[EdgeStateRow, WarrantRow]]:
    """Return the states that were sent and not heard of since."""
    query = (
        select(EdgeStateRow, WarrantRow)
        .join(WarrantRow, WarrantRow.id == EdgeStateRow.warrant_id)
        .where(EdgeStateRow.edge_id == edge.id, WarrantRow.used_at.is_not(None), WarrantRow.outcome.is_(None))
    )
    return [(state, warrant) for state, warrant in session.execute(query.order_by(EdgeStateRow.id))]


def _number(event: EdgeEventRow) -> tuple[int, int]:
    epoch, generation = event.facts.get("epoch"), event.facts.get("generation")
    if type(epoch) is not int or type(generation) is not int or min(epoch, generation) < 0:
        raise InputError(f"{epoch!r}, {generation!r}", where="facts", expected="epoch and generation")
    return epoch, generation


def controller_key(house: House) -> str:
    """Return the public key that edges pin when they enrol: raw, in base64."""
    return public_text(load_signing_key(house.settings.state_dir, EDGE_KEY_FILE).public_key())


def edges_to_look_at(session: Session, house: House) -> list[str]:
    """Return the edges since whose last look anything moved that could matter to them."""
    moved = or_(EdgeRow.looked_seq < _last_entry(session), EdgeRow.looked_rules != house.rulebook.digest)
    query = select(EdgeRow.name).where(EdgeRow.public_key != "", EdgeRow.revoked_at.is_(None), moved)
    return list(session.scalars(query.order_by(EdgeRow.id)))


def _last_entry(session: Session) -> int:
    """Return the number of the last entry of the log that may change what an edge enforces."""
    others = or_(*(AuditRow.action.startswith(prefix, autoescape=True) for prefix in _NOT_OURS))
    query = select(AuditRow.seq).where(not_(others)).order_by(AuditRow.seq.desc()).limit(1)
    return session.scalar(query) or 0
