"""`fwguard doctor`: does everything hold that the controller stands on?"""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from sqlalchemy import func, select

from fwguard.config import Settings, load_settings
from fwguard.errors import FwguardError
from fwguard.flows.house import open_house, read_rulebook
from fwguard.mail.templates import complaints
from fwguard.store.inventory import FirewallRow, WatchState


@click.command()
def command() -> None:
    """Check settings, folders, keys, database, mail templates and devices. Exit 0 when all holds, else 1.

    \b
    Example: fwguard doctor
    """
    settings = load_settings()
    failed = False
    for name, check in (
        ("rules and approvals", _rules),
        ("mail templates", _templates),
        ("keys and database", _store),
        ("firewalls", _firewalls),
    ):
        ok, text = _run(check, settings)
        failed |= not ok
        click.echo(f"{'ok  ' if ok else 'FAIL'} {name}: {text}")
    sys.exit(1 if failed else 0)


def _run(check: Callable[[Settings], str], settings: Settings) -> tuple[bool, str]:
    try:
        return True, check(settings)
    except FwguardError as error:
        return False, str(error)


def _rules(settings: Settings) -> str:
    book = read_rulebook(settings.rules, settings.approvals)
    return f"{len(book.clauses)} clauses, digest {book.digest[:12]}"


def _templates(settings: Settings) -> str:
    found = complaints(settings.approvals / "mail")
    if found:
        raise FwguardError("; ".join(found[:5]))
    return "complete in French and English"


def _store(settings: Settings) -> str:
    house = open_house(settings)
    house.store.upgrade()
    with house.store.reading() as session:
        count = session.scalar(select(func.count(FirewallRow.id)))
    return f"{count} firewalls on record"


def _firewalls(settings: Settings) -> str:
    house = open_house(settings)
    with house.store.reading() as session:
        bad = session.scalars(
            select(FirewallRow).where(FirewallRow.state.in_((WatchState.UNREACHABLE, WatchState.HELD)))
        ).all()
    if bad:
        raise FwguardError("; ".join(f"{row.name} is {row.state}: {row.last_error}" for row in bad))
    return "all reached and as approved"
