"""`fwguard register`: IRC, proxies and video chat that may be used (clause 7.5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fwguard.approvals.calendar import PARIS
from fwguard.cli.desk import house_here, person, show_json, show_rows, staff
from fwguard.errors import InputError
from fwguard.flows import registration as flow
from fwguard.flows.house import House
from fwguard.model.controls import ServiceKind
from fwguard.model.intervals import Intervals
from fwguard.model.ports import parse_ports, parse_protocol, show_protocol
from fwguard.model.registration import Registration, RegistrationState
from fwguard.store.people import UserRole, UserRow
from fwguard.store.registrations import RegistrationRow

_json = click.option("--json", "as_json", is_flag=True, help="One object.")


@click.group()
def command() -> None:
    """Register software that clause 7.5 asks to be registered, decide about it, end it.

    \b
    Example: fwguard register add chat1 --software irc --service tcp/6697 --until 2026-12-31 --why "team chat"
    """


@command.command("list")
@click.option("--state", type=click.Choice([it.value for it in RegistrationState]), default=None)
@click.option("--server", default="", help="Only of this server.")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_registrations(state: str | None, server: str, as_json: bool) -> None:
    """List registrations, newest first; a client sees its own.

    \b
    Example: fwguard register list --state granted --json
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        query = select(RegistrationRow).options(
            joinedload(RegistrationRow.server), joinedload(RegistrationRow.client)
        )
        if user.role is UserRole.CLIENT:
            query = query.where(RegistrationRow.client_id == user.client_id)
        if state is not None:
            query = query.where(RegistrationRow.state == RegistrationState(state))
        rows = list(session.scalars(query.order_by(RegistrationRow.id.desc()).limit(10_000)))
        facts = [_facts(row, house.clock()) for row in rows if not server or row.server.name == server]
    columns = ("number", "client", "server", "software", "service", "state", "ends_at", "reason")
    show_rows(facts, as_json=as_json, columns=columns, empty="no registration")


@command.command()
@click.argument("server")
@click.option("--software", type=click.Choice([it.value for it in ServiceKind]), required=True)
@click.option(
    "--service", default="", help="As tcp/6697 or udp/10000-20000; without, on every known port of it."
)
@click.option("--until", required=True, metavar="DAY", help="The last day, as 2026-12-31, in Paris.")
@click.option("--why", required=True, help="What it is for; whoever decides reads it.")
@_json
def add(server: str, software: str, service: str, until: str, why: str, as_json: bool) -> None:
    """Ask for a registration; someone else decides about it.

    \b
    Example: fwguard register add chat1 --software irc --service tcp/6697 --until 2026-12-31 --why "team chat"
    """
    protocol, _, ports = (service or "tcp/").partition("/")
    asked = Registration(
        server=server, software=ServiceKind(software), protocol=parse_protocol(protocol),
        ports=parse_ports(ports) if ports else Intervals(), ends_at=_end_of(until), reason=why,
    )  # fmt: skip
    _act(
        lambda session, house, user: flow.ask_registration(
            session, house, asked, user=user, source="command"
        ),
        as_json,
        by_staff=False,
    )


@command.command()
@click.argument("number")
@click.option("--why", default="", help="A comment.")
@_json
def grant(number: str, why: str, as_json: bool) -> None:
    """Say yes to a registration that someone else asked for.

    \b
    Example: fwguard register grant R-2026-0001
    """
    _act(
        lambda session, house, user: flow.decide(
            session, house, number, grant=True, why=why, user=user, source="command"
        ),
        as_json,
    )


@command.command()
@click.argument("number")
@click.option("--why", required=True, help="The reason; the client reads it.")
@_json
def refuse(number: str, why: str, as_json: bool) -> None:
    """Say no to a registration that someone else asked for.

    \b
    Example: fwguard register refuse R-2026-0001 --why "an open proxy is anonymous browsing"
    """
    _act(
        lambda session, house, user: flow.decide(
            session, house, number, grant=False, why=why, user=user, source="command"
        ),
        as_json,
    )


@command.command()
@click.argument("number")
@click.option("--why", required=True, help="The reason; it stands in the log.")
@_json
def end(number: str, why: str, as_json: bool) -> None:
    """End a registration before its day, or take a request back.

    \b
    Example: fwguard register end R-2026-0001 --why "the chat has moved"
    """
    _act(
        lambda session, house, user: flow.end(session, house, number, why=why, user=user, source="command"),
        as_json,
        by_staff=False,
    )


def _act(
    act: Callable[[Session, House, UserRow], RegistrationRow], as_json: bool, *, by_staff: bool = True
) -> None:
    """Do one thing as the holder of the token, and print what stands then."""
    with house_here() as house:

        def work(session: Session) -> dict[str, Any]:
            user = staff(session, house) if by_staff else person(session, house)
            return _facts(act(session, house, user), house.clock())

        facts = house.store.transact(work)
    if as_json:
        show_json(facts)
    else:
        click.echo(
            f"{facts['number']}  {facts['state']}  {facts['software']} on {facts['server']} until {facts['ends_at']}"
        )


def _end_of(day: str) -> datetime:
    try:
        last = date.fromisoformat(day)
        return datetime.combine(last + timedelta(days=1), time(), PARIS).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"day {day!r}", expected="a last day, as 2026-12-31") from None


def _facts(row: RegistrationRow, now: datetime) -> dict[str, Any]:
    return {
        "number": row.number,
        "client": row.client.name,
        "server": row.server.name,
        "software": row.software.value,
        "service": f"{show_protocol(row.protocol)}/{row.ports}" if row.ports else "",
        "reason": row.reason,
        "state": row.state.value,
        "holds": row.holds_at(now),
        "requested_at": row.requested_at.isoformat(timespec="seconds"),
        "ends_at": row.ends_at.isoformat(timespec="seconds"),
        "decided_at": row.decided_at.isoformat(timespec="seconds") if row.decided_at else None,
        "decision_why": row.decision_why,
        "ended_at": row.ended_at.isoformat(timespec="seconds") if row.ended_at else None,
        "ended_why": row.ended_why,
    }
