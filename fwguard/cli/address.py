"""`fwguard address`: pools, who has what, who had what when, and which servers are in service."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, Final

import click
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fwguard.cli.address_pool import pool
from fwguard.cli.desk import house_here, person, show_json, show_rows, staff
from fwguard.errors import NotAllowedError
from fwguard.flows import address as flow
from fwguard.flows import service_life
from fwguard.model.address import Family
from fwguard.model.machine_state import MachineState, Sighting
from fwguard.model.pool import parse_one
from fwguard.store.addresses import HoldingRow, history_of, machine_named, subject_of
from fwguard.store.people import UserRole, UserRow, client_named
from fwguard.store.pools import pool_named

FAMILIES: Final = {"v4": Family.V4, "v6": Family.V6, "both": Family.BOTH}
MOST_ROWS: Final = 100_000
_why = click.option("--why", required=True, help="The reason; it stands in the log.")
_json = click.option("--json", "as_json", is_flag=True, help="One object a line.")


@click.group()
def command() -> None:
    """Give addresses to servers, take them back, and say who had one when (clause 4).

    \b
    Example: fwguard address pool add paris4 198.51.100.0/24 --country FR --why "first pool"
             fwguard address allocate web1 --why "put in service"
             fwguard address whohad 198.51.100.1 --at 2026-03-04T05:06:07Z
    """


command.add_command(pool)


@command.command()
@click.argument("server")
@click.option("--family", type=click.Choice(list(FAMILIES)), default="both", show_default=True)
@click.option("--pool", "pool_name", default="", help="From this pool only.")
@click.option("--address", default="", help="Exactly this one, as one that is reserved for the client.")
@click.option("--another", is_flag=True, help="One more, though it has one.")
@_why
@_json
def allocate(
    server: str, family: str, pool_name: str, address: str, another: bool, why: str, as_json: bool
) -> None:
    """Give a server its address: one of IPv4 and one of IPv6, where there are pools. Asked twice, once given.

    \b
    Example: fwguard address allocate web1 --family v6 --why "put in service" --json
    """
    with house_here() as house:

        def work(session: Session) -> list[dict[str, Any]]:
            rows = flow.allocate(
                session, house, server, user=staff(session, house), why=why, family=FAMILIES[family],
                pool=pool_name, address=address, another=another,
            )  # fmt: skip
            return [_facts(row) for row in rows]

        _tell(house.store.transact(work), as_json)


@command.command()
@click.argument("address")
@click.option("--client", default="", help="Keep it for this client; else for nobody.")
@_why
@_json
def reserve(address: str, client: str, why: str, as_json: bool) -> None:
    """Keep an address from being given; `release` ends that, `allocate --address` gives it.

    \b
    Example: fwguard address reserve 198.51.100.1 --why "gateway"
    """
    with house_here() as house:

        def work(session: Session) -> dict[str, Any]:
            row = flow.reserve(session, house, address, user=staff(session, house), why=why, client=client)
            return _facts(row)

        _tell([house.store.transact(work)], as_json)


@command.command()
@click.argument("address")
@_why
@_json
def release(address: str, why: str, as_json: bool) -> None:
    """Take an address back; nobody else gets it before it has cooled.

    \b
    Example: fwguard address release 198.51.100.7 --why "contract ended"
    """
    with house_here() as house:

        def work(session: Session) -> dict[str, Any]:
            return _facts(flow.release(session, house, address, user=staff(session, house), why=why))

        _tell([house.store.transact(work)], as_json)


@command.command()
@click.argument("address")
@click.option("--to", default="", help="Another server of the same client; at once.")
@click.option(
    "--new", is_flag=True, help="Its server gets a new French address, and keeps this one a while (7.9)."
)
@click.option("--pool", "pool_name", default="", help="With --new: from this pool.")
@_why
@_json
def transfer(address: str, to: str, new: bool, pool_name: str, why: str, as_json: bool) -> None:
    """Move an address to another server, or a server to another address. Prints the old and the new holding.

    \b
    Example: fwguard address transfer 198.51.100.7 --to web2 --why "web1 is replaced"
             fwguard address transfer 203.0.113.9 --new --why "complaints, case C-2026-0007"
    """
    if bool(to) == new:
        raise click.UsageError("say --to SERVER, or --new")
    if pool_name and not new:
        raise click.UsageError("--pool goes with --new")
    with house_here() as house:

        def work(session: Session) -> list[dict[str, Any]]:
            user = staff(session, house)
            if new:
                rows = flow.migrate(session, house, address, user=user, why=why, pool=pool_name)
            else:
                rows = flow.transfer(session, house, address, to=to, user=user, why=why)
            return [_facts(row) for row in rows]

        _tell(house.store.transact(work), as_json)


@command.command("list")
@click.argument("address", required=False, default="")
@click.option("--pool", "pool_name", default="", help="Only of this pool.")
@click.option("--server", default="", help="Only of this server or firewall.")
@click.option("--client", default="", help="Only of this client.")
@click.option("--all", "everything", is_flag=True, help="The past too, the latest first.")
@_json
def list_holdings(
    address: str, pool_name: str, server: str, client: str, everything: bool, as_json: bool
) -> None:
    """List who has which address; with an ADDRESS, its whole history. A client sees its own.

    \b
    Example: fwguard address list --pool paris4 --json
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        if address:
            rows = _own(history_of(session, parse_one(address)[2]), user)
        else:
            query = select(HoldingRow).options(
                joinedload(HoldingRow.pool), joinedload(HoldingRow.server), joinedload(HoldingRow.firewall),
                joinedload(HoldingRow.client),
            )  # fmt: skip
            if pool_name:
                query = query.where(HoldingRow.pool_id == pool_named(session, pool_name).id)
            if client:
                query = query.where(HoldingRow.client_id == client_named(session, client).id)
            if not everything:
                query = query.where(HoldingRow.ended_at.is_(None))
            found = session.scalars(query.order_by(HoldingRow.id.desc()).limit(MOST_ROWS))
            rows = _own(list(found), user)
        if server and user.role is UserRole.CLIENT:
            rows = [row for row in rows if row.machine is not None and row.machine.name == server]
        elif server:
            subject = subject_of(machine_named(session, server))
            rows = [row for row in rows if row.holder == subject]
        facts = [_facts(row) for row in rows]
    columns = ("address", "holder", "client", "pool", "manner", "since", "until", "why")
    show_rows(facts, as_json=as_json, columns=columns, empty="nobody has an address here")


@command.command()
@click.argument("address")
@click.option("--at", "at_text", required=True, metavar="TIME", help="ISO 8601 with its zone: …Z or …+01:00.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def whohad(address: str, at_text: str, as_json: bool) -> None:
    """Say who had an address at a time. Exit 0: someone had; 1: nobody.

    \b
    Example: fwguard address whohad 198.51.100.7 --at 2026-03-04T05:06:07+01:00
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        at = flow.past_moment(at_text, house.clock())
        row = flow.who_had(session, address, at)
        if user.role is UserRole.CLIENT and (row is None or row.client_id != user.client_id):
            raise NotAllowedError("who had an address of others is the operator's to know")
        text = parse_one(address)[2]
        facts = {"address": text, "at": at.isoformat(), "had": _facts(row) if row is not None else None}
    if as_json:
        show_json(facts)
    elif row is None:
        click.echo(f"nobody had {text} on {_show(at)}")
    else:
        had = _facts(row)
        whose = f"{had['holder']} of {had['client']}" if had["holder"] else f"nobody: reserved, {row.why}"
        click.echo(f"{text}  {whose}  from {had['since']} until {had['until'] or 'now'}")
    sys.exit(0 if row is not None and row.machine is not None else 1)


@command.command()
@click.argument("server")
@click.argument("state", type=click.Choice([it.value for it in MachineState]))
@click.option("--since", default="", metavar="TIME", help="ISO 8601 with its zone; now without.")
@_why
def state(server: str, state: str, since: str, why: str) -> None:
    """Say in what state a server is; what is out of service loses its addresses after the grace of clause 4.

    \b
    Example: fwguard address state web1 archived --why "ticket T-2026-0012"
    """
    with house_here() as house:
        at = flow.past_moment(since, house.clock()) if since else None
        one = Sighting(name=server, state=MachineState(state), since=at)
        changed = house.store.transact(
            lambda session: service_life.declare(session, house, one, user=staff(session, house), why=why)
        )
    click.echo(f"{server} is {state}" + ("" if changed else ", as was known"))


@command.command()
@click.argument("source")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def ask(source: str, as_json: bool) -> None:
    """Ask a source which servers run, now, and end what is due; the controller does so by itself.

    \b
    Example: fwguard address ask libvirt:qemu:///system
             fwguard address ask file:/etc/fwguard/servers.yaml
    """
    with house_here() as house:
        with house.store.reading() as session:
            staff(session, house)
        changed = service_life.ask(house, source)
        ended = service_life.end_what_is_due(house)
    if as_json:
        show_json({"source": source, "changed": changed, "ended": ended})
    else:
        click.echo(f"{source}: {changed} states changed; {ended} addresses and registrations ended")


def _own(rows: list[HoldingRow], user: UserRow) -> list[HoldingRow]:
    return [row for row in rows if user.role is not UserRole.CLIENT or row.client_id == user.client_id]


def _facts(row: HoldingRow) -> dict[str, Any]:
    return {
        "address": row.address,
        "family": f"v{row.version}",
        "pool": row.pool.name,
        "holder": row.holder,
        "server": row.machine.name if row.machine is not None else None,
        "client": row.client.name if row.client is not None else "",
        "manner": row.manner.value,
        "since": _show(row.since),
        "until": _show(row.ended_at or row.ends_at),
        "ended": row.ended_at is not None,
        "ending": row.ending.value if row.ending else None,
        "free_at": _show(row.free_at) or None,
        "why": row.why,
    }


def _show(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at is not None else ""


def _tell(rows: list[dict[str, Any]], as_json: bool) -> None:
    for row in rows:
        if as_json:
            show_json(row)
        elif row["ended"]:
            click.echo(
                f"{row['address']}  {row['holder'] or 'reserved'}  ended, free for others from {row['free_at']}"
            )
        else:
            until = f", until {row['until']}" if row["until"] else ""
            click.echo(f"{row['address']}  {row['holder'] or 'reserved'}  {row['pool']}{until}")
