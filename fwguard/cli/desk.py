"""Who types, and on which house: what the commands over the store share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.orm import Session

from fwguard.config import load_settings
from fwguard.errors import NotAllowedError
from fwguard.flows.house import House, open_house
from fwguard.store.people import UserRole, UserRow, holder_of_token, note_token_use

TOKEN_VARIABLE: Final = "FWGUARD_TOKEN"  # noqa: S105  # the name of a variable


def token_file() -> Path:
    """Return where `fwguard login` keeps the token, for its owner alone."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "fwguard" / "token"


@contextmanager
def house_here() -> Iterator[House]:
    """Open the house that the settings name; close it at the end."""
    house = open_house(load_settings())
    try:
        yield house
    finally:
        house.sessions.close()
        house.store.dispose()


def person(session: Session, house: House) -> UserRow:
    """Return who holds the token of this command line. Raises NotAllowedError without a live one."""
    path = token_file()
    text = os.environ.get(TOKEN_VARIABLE, "")
    if not text and path.is_file():
        text = path.read_text(encoding="ascii").strip()
    if not text:
        raise NotAllowedError("nobody is logged in: run `fwguard login`")
    return holder_of_token(session, text, at=house.clock())


def staff(session: Session, house: House) -> UserRow:
    """Return the person, who must be of the operator's staff."""
    user = person(session, house)
    if user.role is UserRole.CLIENT:
        raise NotAllowedError(f"{user.username} is a client: this is for the operator's staff")
    return user


def used(session: Session, house: House) -> None:
    """Remember in a writing session that the token was used."""
    text = os.environ.get(TOKEN_VARIABLE, "") or (
        token_file().read_text(encoding="ascii").strip() if token_file().is_file() else ""
    )
    note_token_use(session, text, at=house.clock())


def show_json(value: Any) -> None:
    """Print one object, as scripts read it."""
    click.echo(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def show_rows(rows: list[dict[str, Any]], *, as_json: bool, columns: tuple[str, ...], empty: str) -> None:
    """Print rows: one object a line as JSON, else a table on a terminal and tabs in a pipe."""
    if as_json:
        for row in rows:
            show_json(row)
    elif not rows:
        click.echo(empty)
    elif not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(str(row[column]) for column in columns))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(str(row[column])) for column in columns))
        Console().print(table)
