"""Servers enter and leave service, and their addresses go with them, after the grace of clause 4."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from fwguard.devices.hypervisor import open_hypervisor
from fwguard.errors import FwguardError, InputError, NotAllowedError, PartialReadingError
from fwguard.flows.address import adopt, give_back
from fwguard.flows.house import House
from fwguard.model.machine_state import MachineState, Sighting, release_due
from fwguard.model.registration import RegistrationEvent
from fwguard.store.addresses import (
    Ending,
    HoldingRow,
    holdings_ending,
    holdings_of,
    machine_named,
    subjects_by_name,
    unadopted,
)
from fwguard.store.machine_states import (
    Known,
    set_state,
    states_by_subject,
    states_off_with_addresses,
)
from fwguard.store.people import UserRole, UserRow
from fwguard.store.pools import pools
from fwguard.store.registrations import end_registration, registrations_ending

STAFF: Final = "staff"
log = structlog.get_logger(__name__)
_ENDINGS = {
    MachineState.STOPPED: Ending.STOPPED,
    MachineState.ARCHIVED: Ending.ARCHIVED,
    MachineState.DELETED: Ending.DELETED,
}


def look(_subject: str, house: House) -> float:
    """Ask every source, then end what is due; return in how many seconds to look again.

    A source that fails stops nothing else: what it said last still stands. Its error is raised at the end.
    """
    failed: FwguardError | None = None
    for source in house.settings.hypervisors:
        try:
            ask(house, source)
        except FwguardError as error:
            log.warning("source of server states failed", source=source, why=str(error))
            failed = error
    try:
        take_over(house)
    except FwguardError as error:
        log.warning("addresses of the inventory are not taken over", why=str(error))
        failed = error
    end_what_is_due(house)
    if failed is not None:
        raise failed
    return float(house.settings.hypervisors_s)


def ask(house: House, source: str) -> int:
    """Read one source ("libvirt:…", "file:…") and take over what it says; return how many states changed.

    Raises DeviceError and InputError as the source does; then nothing is concluded.
    """
    seen = open_hypervisor(source).machines()
    with house.store.reading() as session:
        if not _news(session, house, seen, source):
            return 0
    return house.store.transact(lambda session: report(session, house, seen, source=source))


def report(session: Session, house: House, seen: Iterable[Sighting], *, source: str) -> int:
    """Take over what a source says of all its servers; return how many states changed.

    What it named before and names no more is deleted. Names that are no server of ours are left out.

    Raises PartialReadingError when it names nothing at all any more; InputError for a time in the future.
    """
    now = house.clock()
    return sum(
        set_state(
            session, machine_named(session, subject), one.state, since=one.since or now, source=source,
            actor="system", why=f"as {source} says", at=now,
        )
        for subject, one in _news(session, house, seen, source)
    )  # fmt: skip


def _news(
    session: Session, house: House, seen: Iterable[Sighting], source: str
) -> list[tuple[str, Sighting]]:
    """Return what a source says that is not known yet, by how the log names the server.

    Cost: three queries, however many servers.
    """
    sightings = {one.name: one for one in seen}
    subjects, states = subjects_by_name(session), states_by_subject(session)
    ours = [
        subject.partition(":")[2]
        for subject, known in states.items()
        if known.source == source and known.state is not MachineState.DELETED
    ]
    if ours and not sightings:
        raise PartialReadingError(
            f"{source} names no server, and had {len(ours)}: nothing is concluded; if they are gone, say so by"
            " `fwguard address state NAME deleted`"
        )
    for name in ours:
        sightings.setdefault(name, Sighting(name=name, state=MachineState.DELETED))
    news: list[tuple[str, Sighting]] = []
    for name, one in sightings.items():
        if (subject := subjects.get(name)) is None:
            continue
        _must_be_past(one, house.clock())
        if (known := states.get(subject)) is None or _is_news(known, one, source, house):
            news.append((subject, one))
    return news


def _is_news(known: Known, one: Sighting, source: str, house: House) -> bool:
    """Tell whether what a source says of a server is new, and to be believed.

    A server runs where it runs: that it is off somewhere else, or off in another way than a person said,
    is no news.
    """
    if one.state is MachineState.RUNNING:
        return known.state is not MachineState.RUNNING or known.source != source
    if known.state is one.state:
        return False
    if known.source == STAFF:
        return known.state is MachineState.RUNNING
    return known.source == source or known.source not in house.settings.hypervisors


def declare(session: Session, house: House, sighting: Sighting, *, user: UserRow, why: str) -> bool:
    """Say oneself in what state a server is; return whether that is new. Raises InputError, NotAllowedError."""
    if user.role is UserRole.CLIENT:
        raise NotAllowedError("the operator's staff says which servers are in service")
    if not why.strip():
        raise InputError("no reason", expected='--why "…": it stands in the log')
    now = house.clock()
    _must_be_past(sighting, now)
    return set_state(
        session, machine_named(session, sighting.name), sighting.state, since=sighting.since or now,
        source=STAFF, actor=user.actor, why=why.strip()[:2000], at=now,
    )  # fmt: skip


def take_over(house: House) -> int:
    """Make holdings of what the inventory names in our pools; return how many. See `adopt`."""
    with house.store.reading() as session:
        if not any(unadopted(session, pool) for pool in pools(session)):
            return 0
    return house.store.transact(lambda session: sum(adopt(session, house, pool) for pool in pools(session)))


def end_what_is_due(house: House) -> int:
    """End addresses of servers out of service, old addresses after an overlap, and registrations; return how many."""
    with house.store.reading() as session:
        if not _due(session, house) and not registrations_ending(session, at=house.clock()):
            return 0
    return house.store.transact(lambda session: _end_due(session, house))


def _end_due(session: Session, house: House) -> int:
    holdings, now = _due(session, house), house.clock()
    for holding, ending, why in holdings:
        give_back(session, house, holding, ending, actor="system", why=why)
    registrations = registrations_ending(session, at=now)
    for row in registrations:
        end_registration(
            session,
            row,
            RegistrationEvent.END,
            actor="system",
            why="its end has come",
            source="register",
            at=now,
        )
    return len(holdings) + len(registrations)


def _due(session: Session, house: House) -> list[tuple[HoldingRow, Ending, str]]:
    """Return every holding whose time is over, and why."""
    now, rules = house.clock(), house.rulebook.addresses
    due: dict[int, tuple[HoldingRow, Ending, str]] = {}
    for row in states_off_with_addresses(session):
        since = row.off_since or row.since
        at = release_due(row.state, since=row.since, off_since=since, rules=rules)
        if at is not None and at <= now:
            why = f"{row.machine.name} is out of service since {since:%Y-%m-%d %H:%M} UTC ({row.state})"
            due |= {it.id: (it, _ENDINGS[row.state], why) for it in holdings_of(session, row.machine)}
    for holding in holdings_ending(session, at=now):
        due.setdefault(holding.id, (holding, Ending.MIGRATED, "the overlap is over (clause 7.9)"))
    return list(due.values())


def _must_be_past(one: Sighting, now: datetime) -> None:
    if one.since is not None and one.since > now:
        raise InputError(
            f"{one.name} is {one.state} since {one.since.isoformat()}, which is in the future",
            expected="a time that is past",
        )
