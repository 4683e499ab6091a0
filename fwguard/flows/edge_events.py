"""What edges tell of: stored once, then dealt with one by one, each in one transaction with what follows from it.

An event that is dealt with says so in the same transaction, so a kill at any step leaves it to be dealt with
again, whole. One that cannot be dealt with is set aside for a person and does not hold up the others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, FwguardError, InputError
from fwguard.flows import edge_state, incident
from fwguard.flows.house import House
from fwguard.flows.notices import tell_staff_of_edge
from fwguard.model.edge_wire import MOST_EVENT_BYTES, MOST_EVENTS, EdgeEvent, EventKind
from fwguard.store.audit import append
from fwguard.store.edge_events import EVIDENCE, EdgeEventRow, end_event, next_event, store_event
from fwguard.store.edges import edge_named

log = structlog.get_logger(__name__)
_LOGGED: Final = frozenset({EventKind.REPAIRED, EventKind.ALARM})


def receive(house: House, name: str, events: Iterable[EdgeEvent]) -> list[str]:
    """Store what an edge sent and return the ids that are stored, now or before. Raises InputError: too many."""
    events = list(events)
    if len(events) > MOST_EVENTS:
        raise InputError(f"{len(events)} events", where="events", expected=f"at most {MOST_EVENTS}")
    kept = [(event, _evidence(event)) for event in events]
    fresh = house.store.transact(lambda session: _store(session, house, name, kept))
    if fresh:
        house.work.poke("edge-events", name)
    return [event.id for event in events]


def _store(session: Session, house: House, name: str, events: list[tuple[EdgeEvent, bytes | None]]) -> int:
    edge, now = edge_named(session, name), house.clock()
    return sum(store_event(session, edge, event, evidence, at=now) for event, evidence in events)


def _evidence(event: EdgeEvent) -> bytes | None:
    """Return the packets of an event; what is no base64 is no evidence, and the event counts all the same."""
    text = event.facts.get(EVIDENCE)
    if not isinstance(text, str) or not text or len(text) > MOST_EVENT_BYTES * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def look(name: str, house: House) -> float | None:
    """Deal with every event of an edge that waits."""
    while house.store.transact(lambda session: _deal_with_next(session, house, name)):
        pass
    return None


def _deal_with_next(session: Session, house: House, name: str) -> bool:
    event = next_event(session, edge_named(session, name))
    if event is None:
        return False
    try:
        with session.begin_nested():
            outcome = DEALT.get(event.kind, _noted)(session, house, event)
            session.flush()
    except ConflictError:
        raise  # somebody else moved first: again, from the start
    except (FwguardError, ValueError, TypeError, KeyError, AttributeError) as error:
        outcome = f"set aside: {type(error).__name__}: {error}"
        log.warning("event set aside", edge=name, event_id=event.event_id, why=str(error))
        tell_staff_of_edge(
            session, house, event.edge, why=f"{event.event_id}: {outcome}"[:500], serial=event.id
        )
    end_event(event, outcome=outcome, at=house.clock())
    return True


def _noted(session: Session, house: House, event: EdgeEventRow) -> str:
    """Repairs and alarms go into the log; an alarm calls a person; counters are only kept."""
    if event.kind in _LOGGED:
        facts = {str(name)[:40]: str(value)[:200] for name, value in list(event.facts.items())[:8]}
        append(
            session, actor=event.edge.subject, action=f"edge:event:{event.kind}", clause="7.10",
            subject=event.edge.subject, at=house.clock(), body={"event": event.event_id, **facts},
        )  # fmt: skip
    if event.kind is EventKind.ALARM:
        what = str(event.facts.get("what", "an alarm"))[:200]
        tell_staff_of_edge(session, house, event.edge, why=f"{event.edge.name}: {what}", serial=event.id)
    return "noted"


DEALT: Final[Mapping[EventKind, Callable[[Session, House, EdgeEventRow], str]]] = {
    EventKind.VERDICT: incident.on_verdict,
    EventKind.CUT: incident.on_kernel_cut,
    EventKind.RELEASED: incident.on_taken_back,
    EventKind.APPLIED: edge_state.on_applied,
    EventKind.REFUSED: edge_state.on_refused,
}
