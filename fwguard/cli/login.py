"""`fwguard login`: a personal token for this command line, from password and second factor."""

from __future__ import annotations

import os
from datetime import timedelta

import click

from fwguard.cli.desk import house_here, token_file
from fwguard.store.audit import append
from fwguard.store.people import issue_token


@click.command()
@click.option("--user", prompt="Login")
@click.option("--password", envvar="FWGUARD_PASSWORD", default=None, help="Asked for; or $FWGUARD_PASSWORD.")
@click.option("--code", default=None, help="Of your authenticator; asked for.")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 90))
@click.option("--print", "print_it", is_flag=True, help="Print the token instead of keeping it.")
def command(user: str, password: str | None, code: str | None, days: int, print_it: bool) -> None:
    """Get a personal token; whoever holds it acts as you until it runs out.

    \b
    Example: fwguard login --user claire@operator.example --days 1
    """
    password = password or click.prompt("Password", hide_input=True)
    code = code or click.prompt("Code")
    from fwguard.web.app import create_app
    from fwguard.web.credentials import check_login

    with house_here() as house:
        app = create_app(house)
        with app.app_context(), house.store.session() as session:
            row = check_login(app, session, user, password, code)
            now = house.clock()
            token = issue_token(session, row, at=now, lasts=timedelta(days=days), label="command line")
            append(
                session, actor=row.actor, action="command:token:issue", clause="7.10", at=now,
                subject="token", body={"days": days},
            )  # fmt: skip
    if print_it:
        click.echo(token)
        return
    path = token_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(token + "\n")
    click.echo(f"logged in as {user} for {days} day(s)")
