"""`fwguard case`: list, show."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import select

from fwguard.cli.desk import house_here, person, show_json, show_rows
from fwguard.errors import InputError
from fwguard.model.inventory import Language
from fwguard.store.cases import CaseRow, case_numbered
from fwguard.store.people import UserRole, UserRow


@click.group()
def command() -> None:
    """List and show cases.

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
