"""What the tables say of one firewall, read in one moment: a look asks once, and then knows what to do."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.model.case import CaseKind
from fwguard.model.ticket import TicketState
from fwguard.model.warrant import Warrant
from fwguard.store.approved import BaselineRow, current_baseline
from fwguard.store.cases import open_case_of
from fwguard.store.inventory import FirewallRow
from fwguard.store.tickets import TicketKind, TicketRow
from fwguard.store.warrants import unfinished_warrants


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`busy` are the states of its tickets that are neither waiting for a person nor over; `unfinished` the
    warrants that a killed process left in use."""

    baseline: BaselineRow | None
    busy: frozenset[tuple[TicketKind, TicketState]]
    unfinished: tuple[Warrant, ...]
    drift_is_open: bool

    @property
    def is_quiet(self) -> bool:
        """Tell whether there is nothing to do for a firewall that holds its approved state."""
        return self.baseline is not None and not (self.busy or self.unfinished or self.drift_is_open)

    def has(self, kind: TicketKind, state: TicketState) -> bool:
        """Tell whether some ticket of this kind stands there."""
        return (kind, state) in self.busy


_BUSY = (TicketState.APPROVED, TicketState.DEPLOYING, TicketState.OPEN, TicketState.CLOSING)


def standing_of(session: Session, firewall: FirewallRow) -> Standing:
    """Read what a look at this firewall has to know."""
    busy = session.execute(
        select(TicketRow.kind, TicketRow.state)
        .where(TicketRow.firewall_id == firewall.id, TicketRow.state.in_(_BUSY))
        .distinct()
    )
    return Standing(
        baseline=current_baseline(session, firewall.id),
        busy=frozenset((kind, state) for kind, state in busy),
        unfinished=tuple(row.value() for row in unfinished_warrants(session, f"firewall:{firewall.name}")),
        drift_is_open=open_case_of(session, firewall.id, CaseKind.DRIFT) is not None,
    )
