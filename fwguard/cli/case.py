"""`fwguard case`: list, show, isolate, suspend, release, resume."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import select

from fwguard.cli.desk import house_here, person, show_json, show_rows, staff, used
from fwguard.errors import InputError
from fwguard.flows import suspension
from fwguard.model.controls import Reason
from fwguard.model.inventory import Language
from fwguard.store.cases import CaseRow, case_numbered
from fwguard.store.people import UserRole, UserRow


@click.group()
def command() -> None:
    """List and show cases; isolate, suspend, release.

    \b
    Example: fwguard case list
    """


@command.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not closed.")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_cases(only_open: bool, as_json: bool) -> None:
    """List cases, newest first; a client sees its own.

    \b
    Example: fwguard case list --open --json
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        query = select(CaseRow).order_by(CaseRow.id.desc()).limit(500)
        if user.role is UserRole.CLIENT:
            query = query.where(CaseRow.client_id == user.client_id)
        rows = [_facts(case, user) for case in session.scalars(query) if not (only_open and case.is_ended)]
    columns = ("number", "kind", "state", "on", "clause", "opened_at", "summary")
    show_rows(rows, as_json=as_json, columns=columns, empty="no case")


@command.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True)
def show(number: str, as_json: bool) -> None:
    """Show a case: what was seen, under which clause, and what was done.

    \b
    Example: fwguard case show C-2026-0001
    """
    with house_here() as house, house.store.reading() as session:
        user = person(session, house)
        case = case_numbered(session, number)
        if user.role is UserRole.CLIENT and case.client_id != user.client_id:
            raise InputError(f"no case {number!r}", expected="a number such as C-2026-0001")
        clause = house.rulebook.clauses.get(case.clause)
        facts = _facts(case, user) | {
            "changed": case.facts.get("changed", ""),
            "says": clause.says[user.language] if clause else "",
            "moves": [
                {"at": str(it.at), "event": it.event, "to": it.after, "why": it.why} for it in case.moves
            ],
        }
    if as_json:
        show_json(facts)
        return
    click.echo(f"{number}  {facts['state']}  {facts['on']}  clause {facts['clause']}: {facts['says']}")
    click.echo(facts["summary"])
    click.echo(facts["changed"])
    for move in facts["moves"]:
        click.echo(f"  {move['at']}  {move['event']} -> {move['to']}  {move['why']}")


REASONS = click.Choice([reason.value for reason in Reason])
clause_option = click.option("--clause", required=True, metavar="C", help="Of the contract, such as 7.1.")
why_option = click.option("--why", required=True, help="The client reads it.")
reason_option = click.option("--reason", type=REASONS, help="Else what the clause speaks of.")


@command.command()
@click.argument("server")
@clause_option
@why_option
@reason_option
@click.option("--json", "as_json", is_flag=True)
def isolate(server: str, clause: str, why: str, reason: str | None, as_json: bool) -> None:
    """Cut a server off at once, until a person releases it; the client is told.

    \b
    Example: fwguard case isolate web1 --clause 6.1 --why "it attacks our DNS"
    """
    with house_here() as house, house.store.session() as session:
        case = suspension.isolate(
            session, house, server, clause=clause, why=why, user=staff(session, house),
            reason=Reason(reason) if reason else None,
        )  # fmt: skip
        number = case.number
        used(session, house)
    _done(number, f"{server} is cut", as_json)


@command.command()
@click.argument("name")
@clause_option
@why_option
@reason_option
@click.option("--service", metavar="PROTO/PORTS", help="Only this of the server, such as tcp/25.")
@click.option("--architecture", is_flag=True, help="NAME is an architecture: all of it.")
@click.option("--json", "as_json", is_flag=True)
def suspend(
    name: str,
    clause: str,
    why: str,
    reason: str | None,
    service: str | None,
    architecture: bool,
    as_json: bool,
) -> None:
    """Suspend a server, a service of it, or an architecture, until a person lifts it; the client is told.

    \b
    Example: fwguard case suspend web1 --service tcp/25 --clause 7.4 --why "no mail server"
    """
    with house_here() as house, house.store.session() as session:
        case = suspension.suspend(
            session, house, name, clause=clause, why=why, user=staff(session, house),
            reason=Reason(reason) if reason else None, architecture=architecture,
            service=suspension.Service.parse(service) if service else None,
        )  # fmt: skip
        number = case.number
        used(session, house)
    _done(number, f"{name} is suspended", as_json)


@command.command()
@click.argument("number")
@why_option
@click.option("--json", "as_json", is_flag=True)
def release(number: str, why: str, as_json: bool) -> None:
    """Take back all that a case cut; the client is told.

    \b
    Example: fwguard case release C-2026-0001 --why "reinstalled, checked by olga"
    """
    _lift(number, why, "released", as_json)


@command.command()
@click.argument("number")
@why_option
@click.option("--json", "as_json", is_flag=True)
def resume(number: str, why: str, as_json: bool) -> None:
    """Lift the suspension of a case; the client is told.

    \b
    Example: fwguard case resume C-2026-0001 --why "paid on 3 May"
    """
    _lift(number, why, "resumed", as_json)


def _lift(number: str, why: str, what: str, as_json: bool) -> None:
    with house_here() as house, house.store.session() as session:
        suspension.resume(session, house, number, why=why, user=staff(session, house))
        used(session, house)
    _done(number, what, as_json)


def _done(number: str, what: str, as_json: bool) -> None:
    if as_json:
        show_json({"case": number, "done": what})
    else:
        click.echo(f"{number}: {what}")


def _facts(case: CaseRow, user: UserRow) -> dict[str, Any]:
    on = case.firewall.name if case.firewall else case.server.name if case.server else ""
    return {
        "number": case.number,
        "kind": case.kind.value,
        "state": case.state.value,
        "client": case.client.name,
        "on": on,
        "clause": case.clause,
        "opened_at": str(case.opened_at),
        "closed_at": str(case.closed_at or ""),
        "summary": case.summary_fr if user.language is Language.FR else case.summary_en,
    }
