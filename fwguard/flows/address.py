"""Addresses (clause 4): given, kept, moved and given back, each write with its author and reason in the log."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows.house import House
from fwguard.model.address import Family, show_address
from fwguard.model.pool import Pool, choose, parse_one, why_not_given
from fwguard.store.addresses import (
    Ending,
    HoldingRow,
    Machine,
    Manner,
    begin_holding,
    end_holding,
    end_later,
    history_of,
    holder_at,
    holdings_of,
    last_held,
    live_holding,
    machine_named,
    subject_of,
    unadopted,
    used_in,
)
from fwguard.store.people import UserRole, UserRow, client_named
from fwguard.store.pools import PoolRow, add_pool, close_pool, lock_pool, pool_named, pool_of, pools

FRENCH = "FR"
_VERSION_WORDS = {Family.V4: "IPv4", Family.V6: "IPv6", Family.BOTH: "IPv4 or IPv6"}


def open_pool(session: Session, house: House, pool: Pool, *, user: UserRow, why: str) -> tuple[PoolRow, int]:
    """Add a pool and take over what the inventory names in it; return it and how many addresses that were.

    Raises InputError: it overlaps another, or the inventory gives one address to two.
    """
    _only_staff(user)
    row = add_pool(session, pool, actor=user.actor, why=_reason(why), at=house.clock())
    return row, adopt(session, house, row)


def shut_pool(session: Session, house: House, name: str, *, user: UserRow, why: str) -> None:
    """Give no new address of a pool; what is held stays held."""
    _only_staff(user)
    close_pool(session, pool_named(session, name), actor=user.actor, why=_reason(why), at=house.clock())


def adopt(session: Session, house: House, pool: PoolRow) -> int:
    """Make holdings of what the inventory names in a pool and nobody holds yet; return how many.

    Raises InputError when two servers have one address: a pool's addresses belong to one each.
    """
    found = unadopted(session, pool)
    for address, machines in found.items():
        if len(machines) > 1:
            names = " and ".join(subject_of(machine) for machine in machines)
            raise InputError(
                f"{address} of pool {pool.name} is noted with {names}",
                expected="one of them: correct the inventory, then add the pool",
            )
        begin_holding(
            session, pool, address, machines[0], manner=Manner.ADOPTED, actor="system",
            why="noted in the inventory", at=house.clock(),
        )  # fmt: skip
    return len(found)


def allocate(
    session: Session,
    house: House,
    name: str,
    *,
    user: UserRow,
    why: str,
    family: Family = Family.BOTH,
    pool: str = "",
    address: str = "",
    another: bool = False,
) -> list[HoldingRow]:
    """Give a server its address, one of each IP version that has a pool; return what it holds of them.

    A server keeps the one that it has, unless `another` is asked for: asking twice gives one address. Its
    own last one comes first, cooling or not, while nobody else has it. `address` names one, as a reserved one.

    Raises InputError: no such server or pool, outside of any pool, of another family, pool exhausted.
    Raises ConflictError: it is held, reserved for another client, or cools.
    """
    _only_staff(user)
    machine, why = machine_named(session, name), _reason(why)
    if address:
        row, given = _pool_for(session, address, pool, family)
        lock_pool(session, row)
        return [_give_named(session, house, row, given, machine, actor=user.actor, why=why)]
    given_rows: list[HoldingRow] = []
    for one in (Family.V4, Family.V6):
        candidates = _candidates(session, family & one, pool)
        held = [row for row in holdings_of(session, machine) if row.pool.value().family & family & one]
        if held and not another and (not pool or any(row.pool.name == pool for row in held)):
            given_rows += [row for row in held if not pool or row.pool.name == pool][:1]
        elif candidates:
            given_rows.append(
                _give_any(
                    session, house, candidates, machine, manner=Manner.ALLOCATED, actor=user.actor, why=why
                )
            )
    if not given_rows:
        raise InputError(
            f"no open pool of {_VERSION_WORDS[family]}" if not pool else f"pool {pool} is of another family",
            expected="a pool; `fwguard address pool add` makes one",
        )
    return given_rows


def reserve(
    session: Session, house: House, address: str, *, user: UserRow, why: str, client: str = ""
) -> HoldingRow:
    """Keep an address from being given, to anyone or to all but one client.

    Raises InputError: outside of any pool. Raises ConflictError: it is held or reserved already.
    """
    _only_staff(user)
    row, text = _pool_for(session, address, "", Family.BOTH)
    lock_pool(session, row)
    owner = client_named(session, client) if client else None
    return begin_holding(
        session, row, text, None, manner=Manner.RESERVED, actor=user.actor, why=_reason(why), at=house.clock(),
        client=owner,
    )  # fmt: skip


def release(session: Session, house: House, address: str, *, user: UserRow, why: str) -> HoldingRow:
    """Take an address back from its server, or end a reservation; it cools from now on.

    Raises InputError when nobody has it.
    """
    _only_staff(user)
    row = _held(session, address)
    give_back(session, house, row, Ending.RELEASED, actor=user.actor, why=_reason(why))
    return row


def transfer(
    session: Session, house: House, address: str, *, to: str, user: UserRow, why: str
) -> tuple[HoldingRow, HoldingRow]:
    """Move an address from one server to another of the same client, at once; return the old and the new holding.

    Raises InputError: nobody has it, or the other server is another client's: to those an address goes only
    after it was given back and has cooled.
    """
    _only_staff(user)
    old, machine, why, now = _held(session, address), machine_named(session, to), _reason(why), house.clock()
    if old.machine is None:
        raise InputError(
            f"{old.address} is reserved, nobody has it", expected="`fwguard address allocate` it"
        )
    if machine.client_id != old.client_id:
        raise InputError(
            f"{to} is not of {old.machine.client.name}, which has {old.address}",
            expected="a server of the same client; to another, release it and let it cool",
        )
    if subject_of(machine) == old.holder:
        raise ConflictError(f"{to} has {old.address} already")
    if old.ends_at is not None:
        raise ConflictError(f"{old.address} goes away on {old.ends_at:%Y-%m-%d %H:%M} UTC: it moves no more")
    end_holding(session, old, Ending.TRANSFERRED, actor=user.actor, why=why, at=now, free_at=now)
    new = begin_holding(
        session, old.pool, old.address, machine, manner=Manner.TRANSFERRED, actor=user.actor, why=why, at=now
    )
    return old, new


def migrate(
    session: Session, house: House, address: str, *, user: UserRow, why: str, pool: str = ""
) -> tuple[HoldingRow, HoldingRow]:
    """Give a server a new French address in the place of one (clause 7.9); return the old and the new holding.

    Both are its own for the overlap that clause 4 says; then the old one goes, and cools.

    Raises InputError: nobody has it, no French pool of its IP version, or all of them exhausted.
    """
    _only_staff(user)
    old, why, now = _held(session, address), _reason(why), house.clock()
    if old.machine is None:
        raise InputError(f"{old.address} is reserved, nobody has it", expected="an address that a server has")
    if old.ends_at is not None:
        raise ConflictError(
            f"{old.address} is being replaced already, until {old.ends_at:%Y-%m-%d %H:%M} UTC"
        )
    family = old.pool.value().family
    candidates = [row for row in _candidates(session, family, pool) if row.country == FRENCH]
    if not candidates:
        raise InputError(
            f"no open French pool of {_VERSION_WORDS[family]}" + (f" called {pool}" if pool else ""),
            expected="one; `fwguard address pool add NAME PREFIX --country FR` makes it",
        )
    machine = old.machine
    new = _give_any(
        session,
        house,
        candidates,
        machine,
        manner=Manner.MIGRATED,
        actor=user.actor,
        why=why,
    )
    end_later(session, old, now + house.rulebook.addresses.overlap, actor=user.actor, why=why, at=now)
    return old, new


def who_had(session: Session, address: str, at: datetime) -> HoldingRow | None:
    """Return who held an address at a time, a reservation too. Raises InputError: it lies in no pool."""
    version, number, text = parse_one(address)
    row = holder_at(session, text, at)
    if row is None:
        pool_of(session, version, number)
    return row


def past_moment(text: str, now: datetime) -> datetime:
    """Read a time that is past or now, in ISO 8601 and with its zone, as UTC. Raises InputError."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"time {text!r}", expected="2026-03-04T05:06:07Z or …+01:00 (ISO 8601)") from None
    if at.tzinfo is None:
        raise InputError(f"time {text} has no zone", expected=f"{text}Z for UTC, or its +01:00")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise InputError(f"time {text}", expected="a time between the years 1 and 9999") from None
    if at > now:
        raise InputError(
            f"time {text} is in the future", expected=f"at most now, {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
    return at


def give_back(
    session: Session, house: House, row: HoldingRow, ending: Ending, *, actor: str, why: str
) -> None:
    """End a holding now; others get the address after its cooling time, a mere reservation's at once."""
    now = house.clock()
    free_at = now + house.rulebook.addresses.cooling if row.machine is not None else now
    end_holding(session, row, ending, actor=actor, why=why, at=now, free_at=free_at)


def _give_named(
    session: Session, house: House, pool: PoolRow, address: str, machine: Machine, *, actor: str, why: str
) -> HoldingRow:
    """Give exactly this address: what is the server's already, reserved for its client, or free."""
    now = house.clock()
    held = live_holding(session, address)
    if held is not None and held.holder == subject_of(machine):
        return held
    if held is not None and held.machine is None and held.client_id in (None, machine.client_id):
        end_holding(session, held, Ending.GIVEN, actor=actor, why=why, at=now, free_at=now)
    elif held is not None:
        whose = f"reserved: {held.why}" if held.machine is None else f"held by {held.holder}"
        raise ConflictError(f"{address} is {whose}")
    number = parse_one(address)[1]
    used = [] if address == _own_last(session, machine, pool) else used_in(session, pool)
    if why_not := why_not_given(pool.value(), number, used, now=now):
        raise ConflictError(f"{address} cannot be given: {why_not}")
    return begin_holding(
        session, pool, address, machine, manner=Manner.ALLOCATED, actor=actor, why=why, at=now
    )


def _give_any(
    session: Session, house: House, candidates: list[PoolRow], machine: Machine, *, manner: Manner, actor: str,
    why: str,
) -> HoldingRow:  # fmt: skip
    """Give from the first pool that has an address left."""
    now = house.clock()
    for place, row in enumerate(candidates, 1):
        lock_pool(session, row)
        address = _own_last(session, machine, row) if manner is Manner.ALLOCATED else ""
        if not address:
            try:
                address = show_address(row.version, choose(row.value(), used_in(session, row), now=now))
            except InputError:
                if place == len(candidates):
                    raise
                continue
        return begin_holding(session, row, address, machine, manner=manner, actor=actor, why=why, at=now)
    raise AssertionError("unreachable")


def _own_last(session: Session, machine: Machine, pool: PoolRow) -> str:
    """Return the address that a server lost last, if nobody had it since: it need not cool for its own holder."""
    mine = last_held(session, machine, pool)
    return mine.address if mine is not None and history_of(session, mine.address)[0].id == mine.id else ""


def _candidates(session: Session, family: Family, pool: str) -> list[PoolRow]:
    """Return the open pools to give from; a pool that is named alone, whatever its family says."""
    if not pool:
        return pools(session, family, only_open=True)
    row = pool_named(session, pool)
    return [row] if row.value().family & family else []


def _pool_for(session: Session, address: str, pool: str, family: Family) -> tuple[PoolRow, str]:
    """Return the pool of an address, and its text. Raises InputError: in no pool, or not as was said."""
    version, number, text = parse_one(address)
    row = pool_of(session, version, number)
    if pool and row.name != pool:
        raise InputError(f"{text} is of pool {row.name}", expected=f"an address of pool {pool}")
    if not row.value().family & family:
        raise InputError(f"{text} is no {_VERSION_WORDS[family]} address", expected="one of that family")
    return row, text


def _held(session: Session, address: str) -> HoldingRow:
    version, number, text = parse_one(address)
    row = live_holding(session, text)
    if row is None:
        pool = pool_of(session, version, number)
        raise InputError(
            f"nobody has {text}", expected=f"an address that `fwguard address list --pool {pool.name}` shows"
        )
    return row


def _reason(why: str) -> str:
    if not why.strip():
        raise InputError("no reason", expected='--why "…": it stands in the log')
    return why.strip()[:2000]


def _only_staff(user: UserRow) -> None:
    if user.role is UserRole.CLIENT:
        raise NotAllowedError("addresses are given and taken by the operator's staff")
