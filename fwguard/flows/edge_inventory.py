"""Edges of an inventory file: nodes, architectures and what is plugged in where (clauses 4, annex 2 and 3).

edges:
  - {name: edge1, uplinks: [eth0], uplink_bps: 10000000000, ports: [PORT…], architectures: [ARCHITECTURE…]}
PORT: {interface: s0, machine: web1, kind: server, macs: ["02:00:5e:10:00:01"], zone: 1001}, and where needed
table, addresses, architecture, device_interface, link. ARCHITECTURE: {name, client}, and where needed template,
mode, own_sources.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from fwguard.flows.house import House
from fwguard.model.controls import Mode
from fwguard.model.document import Field
from fwguard.model.edge import Link, PortKind, Template
from fwguard.store.addresses import machine_named
from fwguard.store.edge_ports import add_port, architecture_named, set_architecture
from fwguard.store.edges import EdgeRow, add_edge
from fwguard.store.people import client_named

ACTOR: Final = "system"
_PORT: Final = ("table", "addresses", "architecture", "device_interface", "link")


def add_edge_of(session: Session, house: House, field: Field) -> None:
    """Store one edge with all that is plugged in. Raises InputError with file, line and what was expected."""
    parts = field.mapping(required=("name", "uplinks", "uplink_bps"), optional=("ports", "architectures"))
    edge = add_edge(
        session, parts["name"].text(), uplinks=_texts(parts["uplinks"]),
        uplink_bps=parts["uplink_bps"].integer(1000, 10**13), actor=ACTOR, at=house.clock(),
    )  # fmt: skip
    for one in parts["architectures"].sequence() if "architectures" in parts else []:
        _architecture(session, house, one)
    for one in parts["ports"].sequence() if "ports" in parts else []:
        _port(session, house, edge, one)


def _architecture(session: Session, house: House, field: Field) -> None:
    parts = field.mapping(required=("name", "client"), optional=("template", "mode", "own_sources"))
    templates = {it.value: it for it in Template if it is not Template.RETRIEVAL}
    set_architecture(
        session, parts["name"].text(), client_named(session, parts["client"].text()), actor=ACTOR, at=house.clock(),
        template=parts["template"].choice(templates) if "template" in parts else Template.STANDARD,
        mode=parts["mode"].choice({it.value: it for it in Mode}) if "mode" in parts else None,
        own_sources=_texts(parts["own_sources"]) if "own_sources" in parts else (),
    )  # fmt: skip


def _port(session: Session, house: House, edge: EdgeRow, field: Field) -> None:
    parts = field.mapping(required=("interface", "machine", "kind", "macs", "zone"), optional=_PORT)
    add_port(
        session, edge, parts["interface"].text(), machine_named(session, parts["machine"].text()),
        kind=parts["kind"].choice({it.value: it for it in PortKind}), macs=_texts(parts["macs"]),
        zone=parts["zone"].integer(1, 65535), actor=ACTOR, at=house.clock(),
        routing_table=parts["table"].integer(0, (1 << 32) - 1) if "table" in parts else 0,
        addresses=_texts(parts["addresses"]) if "addresses" in parts else (),
        architecture=architecture_named(session, parts["architecture"].text()) if "architecture" in parts else None,
        device_interface=parts["device_interface"].text() if "device_interface" in parts else "",
        link=parts["link"].choice({it.value: it for it in Link}) if "link" in parts else Link.ROUTED,
    )  # fmt: skip


def _texts(field: Field) -> tuple[str, ...]:
    return tuple(one.text() for one in field.sequence())
