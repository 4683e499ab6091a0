"""Every state can be left or is an end, and only the moves of the table exist."""

import pytest

from fwguard.approvals.lifecycle import (
    CASE_ENDS,
    CASE_MOVES,
    TICKET_ENDS,
    TICKET_MOVES,
    move_case,
    move_ticket,
)
from fwguard.errors import ConflictError
from fwguard.model.case import CaseEvent, CaseState
from fwguard.model.ticket import TicketEvent, TicketState


def test_every_ticket_state_but_the_ends_can_be_left() -> None:
    """No ticket gets stuck."""
    assert set(TicketState) - TICKET_ENDS == {state for state, _ in TICKET_MOVES}


def test_every_ticket_state_can_be_reached() -> None:
    """No state is there for nothing; a ticket begins as requested."""
    assert set(TicketState) == {TicketState.REQUESTED, *TICKET_MOVES.values()}


def test_every_case_state_but_the_end_can_be_left() -> None:
    """No case gets stuck."""
    assert set(CaseState) - CASE_ENDS == {state for state, _ in CASE_MOVES}


def test_a_deployment_starts_from_approved_only() -> None:
    """Nothing reaches a device that nobody approved."""
    starts = {state for state, event in TICKET_MOVES if event is TicketEvent.DEPLOYMENT_STARTED}
    assert {TicketState.APPROVED} == starts


def test_a_moved_baseline_takes_an_approval_back_to_review() -> None:
    """An approval binds what was read; when that moves it is asked again."""
    assert move_ticket(TicketState.APPROVED, TicketEvent.BASELINE_MOVED) == TicketState.REVIEW


@pytest.mark.parametrize("state", sorted(TICKET_ENDS))
def test_an_ended_ticket_moves_no_more(state: TicketState) -> None:
    """Approving a refused ticket is a conflict that says to read again."""
    with pytest.raises(ConflictError, match="read it again"):
        move_ticket(state, TicketEvent.APPROVED)


def test_a_closed_case_moves_no_more() -> None:
    """A new drift is a new case."""
    with pytest.raises(ConflictError):
        move_case(CaseState.CLOSED, CaseEvent.RESTORE_STARTED)
