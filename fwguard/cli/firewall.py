"""`fwguard firewall`: list, add, show, read, baseline, drift, restore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from fwguard.cli.desk import house_here, show_json, show_rows, staff
from fwguard.devices.hostkey import fetch_host_key
from fwguard.errors import DeviceError
from fwguard.flows.asking import ask_baseline
from fwguard.flows.drift import describe, differing_parts, policy_of
from fwguard.flows.guard import order_restore
from fwguard.flows.house import House
from fwguard.flows.names import server_names
from fwguard.model.case import CaseKind
from fwguard.model.inventory import CARRIED_BY, Firewall, Language, OnDrift, Platform, Transport
from fwguard.model.policy import Policy
from fwguard.model.policy_json import policy_to_json
from fwguard.model.snapshot import Snapshot
from fwguard.store.approved import current_baseline, record_reading
from fwguard.store.audit import append
from fwguard.store.cases import open_case_of
from fwguard.store.inventory import FirewallRow, add_firewall, firewall_named, note_read, set_device_secret


@click.group()
def command() -> None:
    """List, read, approve, compare and restore client firewalls.

    \b
    Example: fwguard firewall read fw-acme && fwguard firewall baseline fw-acme
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_firewalls(as_json: bool) -> None:
    """List every firewall with what we know of it.

    \b
    Example: fwguard firewall list --json
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        rows = [_summary(row) for row in session.scalars(select(FirewallRow).order_by(FirewallRow.name))]
    columns = ("name", "client", "platform", "state", "last_read_at", "last_error")
    show_rows(rows, as_json=as_json, columns=columns, empty="no firewall: `fwguard firewall add`")


@command.command()
@click.argument("name")
@click.option("--client", required=True, help="The client it belongs to.")
@click.option("--platform", type=click.Choice([it.value for it in Platform]), required=True)
@click.option("--transport", type=click.Choice([it.value for it in Transport]), help="Told by the platform.")
@click.option("--address", required=True, help="On the management network.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="830 for netconf, else 22.")
@click.option("--username", default="root", show_default=True)
@click.option("--public", multiple=True, help="A public address of its services; may stand several times.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--host-key", default="", help="Pin this key; without it the shown one is asked for.")
@click.option(
    "--on-drift", type=click.Choice([it.value for it in OnDrift]), default="restore", show_default=True
)
def add(name: str, key: Path, host_key: str, port: int | None, **given: Any) -> None:
    """Register a firewall, and pin its host key.

    \b
    Example: fwguard firewall add fw-acme --client acme --platform linux \\
                 --address 172.30.1.1 --key operator_ed25519
    """
    platform = Platform(given["platform"])
    transport = Transport(given["transport"] or CARRIED_BY[platform])
    port = port or (830 if transport is Transport.NETCONF else 22)
    if not host_key:
        host_key = fetch_host_key(given["address"], port)
        click.echo(f"{name} shows {host_key}", err=True)
        click.confirm("Is this the key of the firewall itself?", abort=True, err=True)
    firewall = Firewall(
        name=name, client=given["client"], platform=platform,
        transport=transport, address=given["address"], port=port,
        username=given["username"], public=given["public"], on_drift=OnDrift(given["on_drift"]),
    )  # fmt: skip
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        row = add_firewall(session, firewall)
        set_device_secret(row, house.vault, private_key=key.read_text(encoding="ascii"), host_key=host_key)
        append(
            session, actor=user.actor, action="command:firewall:add", clause="7.1.1", at=house.clock(),
            subject=f"firewall:{name}", body={"address": firewall.address, "host_key": host_key},
        )  # fmt: skip
    click.echo(f"{name} is registered; next: fwguard firewall read {name}")


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def show(name: str, as_json: bool) -> None:
    """Show one firewall and its approved state.

    \b
    Example: fwguard firewall show fw-acme
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        row = firewall_named(session, name)
        baseline = current_baseline(session, row.id)
        facts = _summary(row) | {
            "address": row.address,
            "port": row.port,
            "host_key": row.host_key,
            "public": [it.address for it in row.public],
            "servers": [it.name for it in row.servers],
            "baseline": {
                "digest": baseline.digest, "approved_at": str(baseline.approved_at), "why": baseline.why
            } if baseline else None,
        }  # fmt: skip
        if as_json:
            show_json(facts)
            return
    for key, value in facts.items():
        click.echo(f"{key:14} {value}")


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One object: counts, unread lines, the whole policy.")
def read(name: str, as_json: bool) -> None:
    """Read a firewall now: its rules, ports, redirections and routes in one vendor-neutral model.

    \b
    Example: fwguard firewall read fw-acme --json
    """
    with house_here() as house:
        with house.store.reading() as session:
            staff(session, house)
            row = firewall_named(session, name)
            endpoint = house.endpoint(row)
        snapshot = _read(house, endpoint)
        with house.store.session() as session:
            stored = session.get_one(FirewallRow, row.id)
            note_read(stored, at=house.clock())
            record_reading(session, row.id, snapshot, at=house.clock())
    policy = policy_of(row.platform, snapshot)
    facts = {
        "dialect": policy.dialect,
        "rules": policy.rule_count,
        "nat": len(policy.nat),
        "routes": len(policy.routes),
        "unread": [{"line": it.line, "text": it.text} for it in policy.unread],
        "parts": sorted(snapshot.parts),
        "digest": snapshot.digest,
    }
    if as_json:
        show_json({**facts, "policy": policy_to_json(policy)})
        return
    _print_policy(policy)


@command.command()
@click.argument("name")
def baseline(name: str) -> None:
    """Ask that a firewall be approved as it was last read; another of the staff must approve.

    \b
    Example: fwguard firewall baseline fw-acme && fwguard request show T-2026-0001
    """
    with house_here() as house, house.store.session() as session:
        ticket = ask_baseline(session, house, name, user=staff(session, house))
        click.echo(
            f"{ticket.number}: asked; someone else approves it in the portal or by `fwguard request approve`"
        )


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def drift(name: str, as_json: bool) -> None:
    """Read a firewall now and say how it differs from its approved state. Exit 0 equal, 1 differs.

    \b
    Example: fwguard firewall drift fw-acme
    """
    with house_here() as house:
        with house.store.reading() as session:
            user = staff(session, house)
            row = firewall_named(session, name)
            approved = current_baseline(session, row.id)
            endpoint, names = house.endpoint(row), server_names(session, row.client_id)
            case = open_case_of(session, row.id, CaseKind.DRIFT)
        snapshot = _read(house, endpoint)
    if approved is None:
        click.echo(f"{name} has no approved state yet: fwguard firewall baseline {name}")
        sys.exit(1)
    parts = differing_parts(row.platform, approved.snapshot, snapshot)
    found = describe(row.platform, approved.snapshot, snapshot, parts, names) if parts else None
    words = found.words[user.language if user.language in found.words else Language.EN] if found else ()
    if as_json:
        show_json({"firewall": name, "equal": not parts, "parts": list(parts), "words": list(words),
                   "text": found.text if found else "", "case": case.number if case else None})  # fmt: skip
    elif found is None:
        click.echo(f"{name} is as approved")
    else:
        click.echo("\n".join([*words, "", found.text]))
    sys.exit(1 if parts else 0)


@command.command()
@click.argument("name")
def restore(name: str) -> None:
    """Put the approved state back on a firewall that is held, whatever the cap says.

    \b
    Example: fwguard firewall restore fw-acme
    """
    with house_here() as house:
        with house.store.reading() as session:
            user = staff(session, house)
        order_restore(house, name, actor=user.actor)
    click.echo(f"{name}: ordered; follow it with `fwguard case list`")


def _read(house: House, endpoint: Any) -> Snapshot:
    try:
        with house.sessions.kept(endpoint) as device:
            return device.read()
    except DeviceError as error:
        raise type(error)(f"{endpoint.firewall.name}: {error}") from error


def _summary(row: FirewallRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "client": row.client.name,
        "platform": row.platform.value,
        "transport": row.transport.value,
        "state": row.state.value,
        "last_read_at": str(row.last_read_at or "never"),
        "last_error": row.last_error,
    }


def _print_policy(policy: Policy) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for title, lines in (
        *(
            (f"{key} (else {chain.default})", [rule.text for rule in chain.rules])
            for key, chain in policy.chains.items()
        ),
        ("redirections and source NAT", [rule.text for rule in policy.nat]),
        (
            "routes",
            [
                f"{it.prefix} via {it.via or '-'} dev {it.interface or '-'} table {it.table}"
                for it in policy.routes
            ],
        ),
        ("not understood, kept as text", [f"{it.line}: {it.text}" for it in policy.unread]),
    ):
        if lines:
            table = Table(
                title=Text(title), title_justify="left", show_header=False, box=None, padding=(0, 2)
            )
            for line in lines:
                table.add_row(Text(line))
            console.print(table)
