"""Until when what was done can be contested (clause 6.1)."""

from __future__ import annotations

from datetime import datetime, timedelta

from fwguard.approvals.calendar import working_days_after
from fwguard.flows.notices import CONTEST_DAYS


def contest_until(fact: datetime) -> datetime:
    """Return the last moment of the last day on which a claim about a fact may reach the operator."""
    return working_days_after(fact, CONTEST_DAYS) - timedelta(minutes=1)
