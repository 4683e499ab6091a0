"""`fwguard request`: new, list, show, approve, refuse, deploy, withdraw."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import click
from sqlalchemy import select

from fwguard.approvals.calendar import PARIS
from fwguard.cli.desk import house_here, person, show_json, show_rows, staff, used
from fwguard.errors import ConflictError, InputError
from fwguard.flows.asking import ask_opening, visible_ticket
from fwguard.flows.asking import withdraw as withdraw_ticket
from fwguard.flows.deciding import approve as approve_ticket
from fwguard.flows.deciding import quorum
from fwguard.flows.deciding import refuse as refuse_ticket
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.ports import parse_ports, parse_protocol
from fwguard.model.ticket import Ask, TicketState
from fwguard.store.people import UserRole
from fwguard.store.tickets import Channel, TicketKind, TicketRow, approval_count

_DURATION: Final = re.compile(r"(\d{1,6})(s|min|h|d)")
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@click.group()
def command() -> None:
    """Ask for openings, decide on them, follow them.

    \b
    Example: fwguard request new --server web1 --port tcp/443 --from any --until 30d --reason "shop"
    """


@command.command()
@click.option("--server", required=True, help="The server to open.")
@click.option("--port", "service", required=True, help="tcp/443, udp/500-510, icmp")
@click.option(
    "--from", "sources", multiple=True, default=("any",), show_default=True, help="Prefix or any; repeatable."
)
@click.option("--until", default="", help="A day (2026-12-31), or how long (30d, 8h). Empty: no end.")
@click.option("--reason", required=True)
@click.option("--json", "as_json", is_flag=True)
def new(server: str, service: str, sources: tuple[str, ...], until: str, reason: str, as_json: bool) -> None:
    """Ask for an opening; it is analysed at once and waits for an approval.

    \b
    Example: fwguard request new --server web1 --port tcp/443 --from 198.51.100.0/24 --until 30d --reason shop
    """
    protocol, _, ports = service.partition("/")
    with house_here() as house, house.store.session() as session:
        ask = Ask(
            server=server,
            protocol=parse_protocol(protocol),
            source=AddressSet.parse(*sources),
            ports=parse_ports(ports) if ports else Intervals(),
            ends_at=_end(until, house.clock()),
            reason=reason,
        )
        ticket = ask_opening(session, house, ask, channel=Channel.COMMAND, user=person(session, house))
        used(session, house)
        facts = _facts(ticket)
    if as_json:
        show_json(facts)
    else:
        click.echo(
            f"{facts['number']}: {facts['what']}; follow it with `fwguard request show {facts['number']}`"
        )


@command.command("list")
@click.option("--state", type=click.Choice([it.value for it in TicketState]), default=None)
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_tickets(state: str | None, as_json: bool) -> None:
    """List tickets, newest first; a client sees its own.

    \b
    Example: fwguard request list --state review
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        query = select(TicketRow).order_by(TicketRow.id.desc()).limit(500)
        if user.role is UserRole.CLIENT:
            query = query.where(TicketRow.client_id == user.client_id)
        if state:
            query = query.where(TicketRow.state == TicketState(state))
        rows = [_facts(ticket) for ticket in session.scalars(query)]
    show_rows(
        rows, as_json=as_json, columns=("number", "state", "risk", "what", "ends_at"), empty="no ticket"
    )


@command.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True)
def show(number: str, as_json: bool) -> None:
    """Show a ticket: what it asks, what it would really open, how risky, and every move.

    \b
    Example: fwguard request show T-2026-0001
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        ticket = visible_ticket(session, number, user)
        facts = _facts(ticket) | {
            "analysis": ticket.analysis,
            "binding": ticket.binding,
            "approvals": approval_count(session, ticket),
            "needs": quorum(house, ticket),
            "moves": [
                {"at": str(it.at), "event": it.event, "to": it.after, "why": it.why} for it in ticket.moves
            ],
            "last_error": ticket.last_error,
        }
    if as_json:
        show_json(facts)
        return
    analysis: dict[str, Any] = facts["analysis"] or {}
    click.echo(f"{number}  {facts['state']}  {facts['what']}")
    click.echo(f"approvals {facts['approvals']} of {facts['needs']}, until {facts['ends_at'] or 'no end'}")
    for line in analysis.get("words", {}).get(user.language, []):
        click.echo(f"  {line}")
    risk = analysis.get("risk", {})
    if risk:
        click.echo(f"risk: {risk['class']} ({risk['score']}): " + "; ".join(risk["why"][user.language]))
    if analysis.get("shown"):
        click.echo(analysis["shown"])
    for move in facts["moves"]:
        click.echo(f"  {move['at']}  {move['event']} -> {move['to']}  {move['why']}")


@command.command()
@click.argument("number")
@click.option("--digest", default="", help="The binding you looked at; default: the one that is shown now.")
@click.option("--comment", default="")
def approve(number: str, digest: str, comment: str) -> None:
    """Approve a ticket exactly as it is shown; never one that you asked for or edited.

    \b
    Example: fwguard request approve T-2026-0001
    """
    with house_here() as house, house.store.session() as session:
        ticket = visible_ticket(session, number, staff(session, house))
        state = approve_ticket(
            session, house, ticket, staff(session, house), digest=digest or ticket.binding, source="command",
            comment=comment,
        )  # fmt: skip
        used(session, house)
    click.echo(f"{number}: {state}")


@command.command()
@click.argument("number")
@click.option("--reason", required=True, help="The client is told.")
def refuse(number: str, reason: str) -> None:
    """Refuse a ticket.

    \b
    Example: fwguard request refuse T-2026-0001 --reason "use the VPN instead"
    """
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        ticket = visible_ticket(session, number, user)
        state = refuse_ticket(
            session, house, ticket, user, digest=ticket.binding, source="command", comment=reason
        )
        used(session, house)
    click.echo(f"{number}: {state}")


@command.command()
@click.argument("number")
def deploy(number: str) -> None:
    """Ask the controller to look again at an approved ticket now (it deploys by itself).

    \b
    Example: fwguard request deploy T-2026-0001
    """
    with house_here() as house, house.store.session() as session:
        ticket = visible_ticket(session, number, staff(session, house))
        if ticket.state is not TicketState.APPROVED:
            raise ConflictError(f"{number} is {ticket.state}: only an approved ticket is deployed")
        ticket.firewall.last_try_at = None  # the next sweep looks at it first
        used(session, house)
    click.echo(f"{number}: will be deployed at the next sweep, within seconds")


@command.command()
@click.argument("number")
def withdraw(number: str) -> None:
    """Take a request back, or close what it opened before its end.

    \b
    Example: fwguard request withdraw T-2026-0001
    """
    with house_here() as house, house.store.session() as session:
        state = withdraw_ticket(session, house, number, user=person(session, house))
        used(session, house)
    click.echo(f"{number}: {state}")


def _end(text: str, now: datetime) -> datetime | None:
    """Return the end of a day in Paris, so long from now, or None for no end. Raises InputError."""
    if not text:
        return None
    if match := _DURATION.fullmatch(text):
        return now + timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # a day has no zone
    except ValueError:
        raise InputError(f"end {text!r}", expected="2026-12-31, 30d, 8h, 10min or 45s") from None
    return datetime.combine(day + timedelta(days=1), time(), PARIS).astimezone(UTC)


def _facts(ticket: TicketRow) -> dict[str, Any]:
    what = (
        ticket.ask.words
        if ticket.kind is TicketKind.OPENING
        else f"approve {ticket.firewall.name} as it stands"
    )
    return {
        "number": ticket.number,
        "kind": ticket.kind.value,
        "state": ticket.state.value,
        "client": ticket.client.name,
        "firewall": ticket.firewall.name,
        "server": ticket.server.name if ticket.server else "",
        "what": what,
        "risk": (ticket.analysis or {}).get("risk", {}).get("class", ""),
        "ends_at": str(ticket.ends_at or ""),
        "created_at": str(ticket.created_at),
    }
