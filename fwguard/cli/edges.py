"""`fwguard edge add|list|show|token|revoke|port|architecture`: edges as the controller knows them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click
from sqlalchemy import select

from fwguard.cli.desk import house_here, show_json, show_rows, staff, used
from fwguard.errors import InputError
from fwguard.flows.edge_state import NOTHING_BEFORE
from fwguard.flows.suspension import Service
from fwguard.model.address import AddressSet
from fwguard.model.controls import Mode
from fwguard.model.edge import Link, PortKind, Template
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import Transfer
from fwguard.store.addresses import machine_named, subject_of
from fwguard.store.edge_ports import (
    add_port,
    architecture_named,
    port_at,
    ports_of,
    remove_port,
    set_architecture,
)
from fwguard.store.edge_states import newest_state
from fwguard.store.edges import EdgeRow, add_edge, edge_named, issue_edge_token, revoke_edge
from fwguard.store.people import client_named

_TRANSFER: Final = re.compile(r"(\S+) to (\S+) from (\S+)")
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
why_option = click.option("--why", required=True, help="It stands in the log.")


@click.command("add")
@click.argument("name")
@click.option(
    "--uplink", "uplinks", multiple=True, required=True, metavar="IF", help="Leads outside; may be repeated."
)
@click.option("--uplink-bps", type=int, required=True, help="What they carry together, bit/s.")
@json_option
def add(name: str, uplinks: tuple[str, ...], uplink_bps: int, as_json: bool) -> None:
    """Add an edge; print the one-time token by which its agent enrols.

    \b
    Example: fwguard edge add edge1 --uplink eth0 --uplink-bps 10000000000
    """
    with house_here() as house, house.store.session() as session:
        user, now = staff(session, house), house.clock()
        row = add_edge(session, name, uplinks=uplinks, uplink_bps=uplink_bps, actor=user.actor, at=now)
        lasts = timedelta(seconds=house.settings.edge_token_s)
        text = issue_edge_token(session, row, actor=user.actor, at=now, lasts=lasts)
        used(session, house)
    _show_token(name, text, as_json)


@click.command("token")
@click.argument("name")
@json_option
def token(name: str, as_json: bool) -> None:
    """Print a new one-time token, for an edge that lost its key or was revoked; earlier ones hold no more.

    \b
    Example: fwguard edge token edge1
    """
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        lasts = timedelta(seconds=house.settings.edge_token_s)
        text = issue_edge_token(
            session, edge_named(session, name), actor=user.actor, at=house.clock(), lasts=lasts
        )
        used(session, house)
    _show_token(name, text, as_json)


def _show_token(name: str, text: str, as_json: bool) -> None:
    if as_json:
        show_json({"edge": name, "token": text})
    else:
        click.echo(text)
        click.echo(
            f"on {name}: fwguard edge enrol --token-file FILE, with this in the file; it holds once", err=True
        )


@click.command("list")
@json_option
def list_edges(as_json: bool) -> None:
    """List edges: when seen, what they enforce, what is newest.

    \b
    Example: fwguard edge list --json
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        rows = [_facts(row) for row in session.scalars(select(EdgeRow).order_by(EdgeRow.name))]
    columns = ("name", "state", "seen_at", "enforces", "newest", "problem")
    show_rows(rows, as_json=as_json, columns=columns, empty="no edge")


@click.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show an edge, its ports and architectures.

    \b
    Example: fwguard edge show edge1
    """
    with house_here() as house, house.store.reading() as session:
        staff(session, house)
        row = edge_named(session, name)
        made = newest_state(session, row)
        ports = [
            {
                "number": it.id, "interface": it.interface, "kind": it.kind.value, "of": subject_of(it.machine),
                "client": it.client.name, "architecture": it.architecture.name, "macs": it.macs.split(),
                "zone": it.zone,
            }
            for it in ports_of(session, row.id)
        ]  # fmt: skip
        facts = _facts(row) | {
            "uplinks": list(row.uplink_names), "uplink_bps": row.uplink_bps, "ports": ports, "report": row.report,
            "digest": made.digest if made else NOTHING_BEFORE,
        }  # fmt: skip
    if as_json:
        show_json(facts)
        return
    for key in ("name", "state", "seen_at", "enforces", "newest", "problem"):
        click.echo(f"{key}: {facts[key]}")
    for port in ports:
        click.echo(
            f"  {port['number']}  {port['interface']}  {port['kind']}  {port['of']}  {port['architecture']}"
        )


def _facts(row: EdgeRow) -> dict[str, Any]:
    state = "revoked" if row.revoked_at else "enrolled" if row.public_key else "not enrolled"
    return {
        "name": row.name, "state": state, "seen_at": str(row.seen_at or ""),
        "enforces": f"{row.applied_epoch}.{row.applied_generation}", "newest": f"{row.epoch}.{row.generation}",
        "problem": row.problem,
    }  # fmt: skip


@click.command("revoke")
@click.argument("name")
@why_option
def revoke(name: str, why: str) -> None:
    """Believe nothing that an edge signs from now on. It goes on enforcing what it has.

    \b
    Example: fwguard edge revoke edge1 --why "the node was stolen"
    """
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        revoke_edge(session, edge_named(session, name), actor=user.actor, why=why, at=house.clock())
        used(session, house)
    click.echo(f"{name} is revoked")


@click.group("port")
def port() -> None:
    """What is plugged in at an edge.

    \b
    Example: fwguard edge port add edge1 s0 web1 --mac 02:00:5e:10:00:01 --zone 1001
    """


@port.command("add")
@click.argument("edge")
@click.argument("interface")
@click.argument("machine")
@click.option("--kind", type=click.Choice([kind.value for kind in PortKind]), default=PortKind.SERVER.value,
              show_default=True)  # fmt: skip
@click.option("--mac", "macs", multiple=True, required=True, metavar="M", help="May be repeated.")
@click.option(
    "--zone", type=click.IntRange(1, 65535), required=True, help="Of conntrack: a client's inside or outside."
)
@click.option(
    "--table", "routing_table", type=click.IntRange(0, (1 << 32) - 1), default=0, help="Of routing; 0: main."
)
@click.option("--address", "addresses", multiple=True, metavar="A", help="Beyond those of the inventory.")
@click.option("--architecture", metavar="NAME", help="Else that of its firewall.")
@click.option(
    "--device-interface", default="", metavar="IF", help="What the firewall calls its own end (wan0)."
)
@click.option("--bridged", is_flag=True, help="Identity and quarantine only.")
def add_one(
    edge: str, interface: str, machine: str, kind: str, macs: tuple[str, ...], zone: int, routing_table: int,
    addresses: tuple[str, ...], architecture: str | None, device_interface: str, bridged: bool,
) -> None:  # fmt: skip
    """Plug a server, or one side of a firewall, in.

    \b
    Example: fwguard edge port add edge1 o0 fw-acme --kind firewall-out --mac 02:00:5e:10:00:03 --zone 2001
    """
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        row = add_port(
            session, edge_named(session, edge), interface, machine_named(session, machine), kind=PortKind(kind),
            macs=macs, zone=zone, routing_table=routing_table, addresses=addresses,
            architecture=architecture_named(session, architecture) if architecture else None,
            device_interface=device_interface, link=Link.BRIDGED if bridged else Link.ROUTED, actor=user.actor,
            at=house.clock(),
        )  # fmt: skip
        number = row.id
        used(session, house)
    click.echo(f"port {number}: {interface} of {edge} is {machine}")


@port.command("remove")
@click.argument("edge")
@click.argument("interface")
@why_option
def remove(edge: str, interface: str, why: str) -> None:
    """Unplug a port; nothing passes there any more.

    \b
    Example: fwguard edge port remove edge1 s0 --why "web1 moved to edge2"
    """
    with house_here() as house, house.store.session() as session:
        user = staff(session, house)
        row = port_at(session, edge_named(session, edge), interface)
        remove_port(session, row, actor=user.actor, why=why, at=house.clock())
        used(session, house)
    click.echo(f"{interface} of {edge} is unplugged")


@click.command("architecture")
@click.argument("name")
@click.option("--client", required=True)
@click.option("--template", type=click.Choice([one.value for one in Template]), default=Template.STANDARD.value,
              show_default=True)  # fmt: skip
@click.option("--mode", type=click.Choice([one.value for one in Mode]), help="Else that of clause 7.1.1.")
@click.option(
    "--own", "own_sources", multiple=True, metavar="A", help="The client's own addresses (Annex 2)."
)
@click.option("--transfer", "transfers", multiple=True, metavar="WORDS",
              help='Of a retrieval (13.2): "tcp/22 to 192.0.2.10 from 198.51.100.0/24".')  # fmt: skip
def architecture(
    name: str,
    client: str,
    template: str,
    mode: str | None,
    own_sources: tuple[str, ...],
    transfers: tuple[str, ...],
) -> None:
    """Say what kind of architecture one is. A retrieval begins now and ends by itself, as clause 13.2 says.

    \b
    Example: fwguard edge architecture fw-acme --client acme --template development --own 198.51.100.0/24
    """
    if template == Template.DEVELOPMENT and not own_sources:
        raise InputError("a development architecture without --own", expected="the client's own addresses")
    with house_here() as house, house.store.session() as session:
        user, now = staff(session, house), house.clock()
        window = timedelta(seconds=house.rulebook.controls.retrieval.window_s)
        set_architecture(
            session, name, client_named(session, client), actor=user.actor, at=now, template=Template(template),
            mode=Mode(mode) if mode else None, own_sources=own_sources,
            retrieval_ends_at=now + window if template == Template.RETRIEVAL else None,
            transfers=tuple(_transfer(words) for words in transfers),
        )  # fmt: skip
        used(session, house)
    click.echo(f"architecture {name} of {client} is {template}")


def _transfer(words: str) -> Transfer:
    match = _TRANSFER.fullmatch(words.strip())
    if match is None:
        raise InputError(f"transfer {words!r}", expected='"tcp/22 to 192.0.2.10 from 198.51.100.0/24"')
    service = Service.parse(match[1])
    return Transfer(
        public=Span.parse(match[2]), protocol=service.protocol, first_port=service.first_port,
        last_port=service.last_port, sources=AddressSet.parse(*match[3].split(",")),
    )  # fmt: skip


COMMANDS: Final = {
    "add": add, "architecture": architecture, "list": list_edges, "port": port, "revoke": revoke, "show": show,
    "token": token,
}  # fmt: skip
