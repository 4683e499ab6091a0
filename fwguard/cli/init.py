"""`fwguard init`: database, keys, and the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from fwguard.cli.desk import house_here
from fwguard.config import load_settings, make_secret_key
from fwguard.flows.enrolment import enrol
from fwguard.store.checkpoints import load_signing_key


@click.command()
@click.option(
    "--inventory", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
    help="Clients, firewalls, servers and people, as YAML.",
)  # fmt: skip
def command(inventory: Path | None) -> None:
    """Set up the database, the keys and, with a file, the inventory. Run again: nothing is lost.

    \b
    Example: fwguard init --inventory inventory.yaml
    """
    settings = load_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if make_secret_key(settings.secret_key_file):
        click.echo(
            f"made {settings.secret_key_file}: keep a copy elsewhere, device secrets open only with it"
        )
    load_signing_key(settings.state_dir)
    with house_here() as house:
        house.store.upgrade()
        click.echo(f"database is ready: {settings.database_url.split('@')[-1]}")
        if inventory is None:
            return
        from fwguard.web.app import create_app
        from fwguard.web.credentials import credentials

        app = create_app(house)
        with app.app_context():
            done = enrol(house, inventory.read_text(encoding="utf-8"), str(inventory), credentials(app))
    click.echo(
        f"enrolled {done.clients} clients, {done.firewalls} firewalls, {done.servers} servers, {done.people} people"
    )
