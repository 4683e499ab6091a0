"""What we know of a firewall that we can, or cannot, reach: state, backoff, and a case when it lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fwguard.errors import HostKeyChangedError
from fwguard.flows.house import House
from fwguard.flows.notices import tell_client, tell_staff
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.store.cases import move_case, open_case, open_case_of
from fwguard.store.inventory import FirewallRow, WatchState, note_failure, note_read

# A firewall that cannot be read cannot be guarded: after this many tries in a row someone is called.
TRIES_BEFORE_CASE: Final = 5
FIRST_RETRY_S: Final = 1.0


def note_reached(house: House, firewall: FirewallRow) -> None:
    """Remember a whole reading, and close the cases that said there was none.

    A reading that follows another within half the polling period is not written down: streamed changes
    would else cost one write each.
    """
    now = house.clock()
    recent = timedelta(seconds=house.settings.poll_s / 2)
    if firewall.failures == 0 and firewall.last_read_at is not None and now - firewall.last_read_at < recent:
        return
    with house.store.session() as session:
        row = session.get_one(FirewallRow, firewall.id)
        back = row.state is WatchState.UNREACHABLE
        note_read(row, at=now, state=WatchState.WATCHED if back else None)
        if not back:
            return
        for kind in (CaseKind.UNREACHABLE, CaseKind.HOST_KEY):
            case = open_case_of(session, row.id, kind)
            if case is not None and case.state is CaseState.OPEN:
                move_case(session, case, CaseEvent.GONE, actor="system", at=now, why="read again, whole")


def note_unreached(house: House, firewall: FirewallRow, error: str) -> float:
    """Remember a failed try; return in how many seconds to try again (doubling up to the polling period)."""
    now = house.clock()
    with house.store.session() as session:
        row = session.get_one(FirewallRow, firewall.id)
        note_failure(row, at=now, error=error, state=_unless_new(row))
        if row.failures == TRIES_BEFORE_CASE:
            case, new = open_case(
                session, kind=CaseKind.UNREACHABLE, clause="7.10", actor="system", at=now, firewall=row,
                facts={"error": error[:500], "tries": row.failures},
                summary_fr=f"{row.name} ne peut plus être lu : {error[:300]}",
                summary_en=f"{row.name} can no longer be read: {error[:300]}",
            )  # fmt: skip
            if new:
                tell_staff(session, house, case, why=f"{row.name} can no longer be read: {error[:300]}")
        return float(min(FIRST_RETRY_S * 2 ** min(row.failures - 1, 10), house.settings.poll_s))


def note_host_key(house: House, firewall: FirewallRow, error: HostKeyChangedError) -> None:
    """Another machine answers in the firewall's place: a case, a mail, and no session with it (clause 7.1)."""
    now = house.clock()
    with house.store.session() as session:
        row = session.get_one(FirewallRow, firewall.id)
        note_failure(row, at=now, error=str(error), state=_unless_new(row))
        case, new = open_case(
            session, kind=CaseKind.HOST_KEY, clause="7.1", actor="system", at=now, firewall=row,
            facts={"error": str(error)[:500], "shown": error.shown, "pinned": error.pinned},
            summary_fr=f"{row.name} présente une autre clé d'hôte que celle qui est connue",
            summary_en=f"{row.name} shows another host key than the one on record",
        )  # fmt: skip
        if new:
            tell_client(session, house, case, "host-key-changed")
            tell_staff(session, house, case, why=f"{row.name} shows another host key")


def _unless_new(row: FirewallRow) -> WatchState | None:
    return None if row.state is WatchState.NEW else WatchState.UNREACHABLE
