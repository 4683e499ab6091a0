"""Every state of a ticket and of a case, and every move between them: here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.errors import ConflictError
from fwguard.model.case import CaseEvent, CaseState
from fwguard.model.ticket import TicketEvent, TicketState

TICKET_MOVES: Final[Mapping[tuple[TicketState, TicketEvent], TicketState]] = {
    (TicketState.REQUESTED, TicketEvent.ANALYSED): TicketState.REVIEW,
    (TicketState.REQUESTED, TicketEvent.REFUSED): TicketState.REFUSED,  # cannot be planned at all
    (TicketState.REQUESTED, TicketEvent.WITHDRAWN): TicketState.WITHDRAWN,
    (TicketState.REVIEW, TicketEvent.ANALYSED): TicketState.REVIEW,
    (TicketState.REVIEW, TicketEvent.APPROVED): TicketState.APPROVED,
    (TicketState.REVIEW, TicketEvent.REFUSED): TicketState.REFUSED,
    (TicketState.REVIEW, TicketEvent.WITHDRAWN): TicketState.WITHDRAWN,
    (TicketState.APPROVED, TicketEvent.BASELINE_MOVED): TicketState.REVIEW,
    (TicketState.APPROVED, TicketEvent.WITHDRAWN): TicketState.WITHDRAWN,
    (TicketState.APPROVED, TicketEvent.DEPLOYMENT_STARTED): TicketState.DEPLOYING,
    (TicketState.APPROVED, TicketEvent.ADOPTED): TicketState.CLOSED,
    (TicketState.APPROVED, TicketEvent.DEPLOYED): TicketState.OPEN,  # one more holder: nothing to write
    (TicketState.DEPLOYING, TicketEvent.DEPLOYED): TicketState.OPEN,
    (TicketState.DEPLOYING, TicketEvent.ROLLED_BACK): TicketState.APPROVED,
    (TicketState.DEPLOYING, TicketEvent.BASELINE_MOVED): TicketState.REVIEW,
    (TicketState.DEPLOYING, TicketEvent.GAVE_UP): TicketState.FAILED,
    (TicketState.APPROVED, TicketEvent.GAVE_UP): TicketState.FAILED,
    (TicketState.OPEN, TicketEvent.END_CAME): TicketState.CLOSING,
    (TicketState.OPEN, TicketEvent.WITHDRAWN): TicketState.CLOSING,
    (TicketState.CLOSING, TicketEvent.REMOVED): TicketState.CLOSED,
}

CASE_MOVES: Final[Mapping[tuple[CaseState, CaseEvent], CaseState]] = {
    (CaseState.OPEN, CaseEvent.RESTORE_STARTED): CaseState.RESTORING,
    (CaseState.OPEN, CaseEvent.HOLD): CaseState.HELD,
    (CaseState.OPEN, CaseEvent.GONE): CaseState.CLOSED,
    (CaseState.OPEN, CaseEvent.ISOLATED): CaseState.ISOLATED,
    (CaseState.RESTORING, CaseEvent.RESTORE_STARTED): CaseState.RESTORING,
    (CaseState.RESTORING, CaseEvent.RESTORED): CaseState.CLOSED,
    (CaseState.RESTORING, CaseEvent.RESTORE_FAILED): CaseState.OPEN,
    (CaseState.RESTORING, CaseEvent.HOLD): CaseState.HELD,
    (CaseState.RESTORING, CaseEvent.GONE): CaseState.CLOSED,
    (CaseState.HELD, CaseEvent.RESTORE_STARTED): CaseState.RESTORING,
    (CaseState.HELD, CaseEvent.APPROVED_AFTER_ALL): CaseState.CLOSED,
    (CaseState.HELD, CaseEvent.GONE): CaseState.CLOSED,
    (CaseState.HELD, CaseEvent.ISOLATED): CaseState.ISOLATED,
    (CaseState.HELD, CaseEvent.RELEASED): CaseState.CLOSED,
    (CaseState.ISOLATED, CaseEvent.ISOLATED): CaseState.ISOLATED,  # more of it is cut, or for longer
    (CaseState.ISOLATED, CaseEvent.HOLD): CaseState.HELD,  # the circuit breaker: a person decides
    (CaseState.ISOLATED, CaseEvent.RELEASED): CaseState.CLOSED,
}

TICKET_ENDS: Final = frozenset(
    {TicketState.CLOSED, TicketState.REFUSED, TicketState.WITHDRAWN, TicketState.FAILED}
)
CASE_ENDS: Final = frozenset({CaseState.CLOSED})


def move_ticket(state: TicketState, event: TicketEvent) -> TicketState:
    """Return the next state. Raises ConflictError when the ticket cannot make this move from here."""
    try:
        return TICKET_MOVES[state, event]
    except KeyError:
        raise ConflictError(f"a ticket that is {state} cannot be {event}: read it again") from None


def move_case(state: CaseState, event: CaseEvent) -> CaseState:
    """Return the next state. Raises ConflictError when the case cannot make this move from here."""
    try:
        return CASE_MOVES[state, event]
    except KeyError:
        raise ConflictError(f"a case that is {state} cannot be {event}: read it again") from None
