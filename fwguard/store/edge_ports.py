"""What is plugged in where: architectures of clients, and the ports of every edge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.controls import Mode
from fwguard.model.edge import EdgeArchitecture, Link, PortKind, Template
from fwguard.model.edge_fields import MAC, Span, check_interface, check_name
from fwguard.model.edge_grants import Transfer
from fwguard.store.addresses import Machine, subject_of
from fwguard.store.audit import append
from fwguard.store.base import Base, JsonText, Word
from fwguard.store.edges import EdgeRow
from fwguard.store.inserts import add_new
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.people import ClientRow

FIRST_ZONE, LAST_ZONE = 1, 65535


class ArchitectureRow(Base):
    """One architecture (AVP) of a client: its template, how strictly it is held, and whose sources are its own.

    `mode` None is that of clause 7.1.1's control.
    """

    __tablename__ = "architectures"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    template: Mapped[Template] = mapped_column(Word(Template))
    mode: Mapped[Mode | None] = mapped_column(Word(Mode))
    own_sources: Mapped[str] = mapped_column(Text, default="")  # addresses, a space between
    retrieval_ends_at: Mapped[datetime | None]
    transfers: Mapped[list[dict[str, Any]]] = mapped_column(JsonText, default=list)
    client: Mapped[ClientRow] = relationship()

    def value(self, mode: Mode) -> EdgeArchitecture:
        """Return the model's value, with `mode` where it has none. Raises InputError when fields contradict."""
        ends = self.retrieval_ends_at
        return EdgeArchitecture(
            name=self.name, client=self.client.name, template=self.template, mode=self.mode or mode,
            own_sources=AddressSet.parse(*self.own_sources.split()),
            retrieval_ends_at_s=int(ends.timestamp()) if ends else None,
            transfers=tuple(_transfer(one) for one in self.transfers),
        )  # fmt: skip


class EdgePortRow(Base):
    """One port of an edge. Its id is the port's number, never given twice.

    `addresses` are those beyond what the inventory says of its machine (a gateway, a link); `device_interface`
    is what a firewall calls its own end ("wan0").
    """

    __tablename__ = "edge_ports"
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_machine",
        ),
        CheckConstraint("(kind = 'server') = (server_id IS NOT NULL)", name="kind_fits"),
        CheckConstraint("zone BETWEEN 1 AND 65535", name="zone"),
        UniqueConstraint("edge_id", "interface"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"))
    interface: Mapped[str] = mapped_column(String(15))
    kind: Mapped[PortKind] = mapped_column(Word(PortKind))
    link: Mapped[Link] = mapped_column(Word(Link))
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    architecture_id: Mapped[int] = mapped_column(ForeignKey("architectures.id"), index=True)
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    firewall_id: Mapped[int | None] = mapped_column(ForeignKey("firewalls.id"), index=True)
    macs: Mapped[str] = mapped_column(Text)  # a space between
    addresses: Mapped[str] = mapped_column(Text, default="")
    device_interface: Mapped[str] = mapped_column(String(64), default="")
    zone: Mapped[int]
    routing_table: Mapped[int] = mapped_column(default=0)
    edge: Mapped[EdgeRow] = relationship()
    client: Mapped[ClientRow] = relationship()
    architecture: Mapped[ArchitectureRow] = relationship()
    server: Mapped[ServerRow | None] = relationship()
    firewall: Mapped[FirewallRow | None] = relationship()

    @property
    def machine(self) -> Machine:
        """Return whose port it is."""
        found = self.server or self.firewall
        assert found is not None  # noqa: S101  # the constraint `one_machine`
        return found


def set_architecture(
    session: Session,
    name: str,
    client: ClientRow,
    *,
    actor: str,
    at: datetime,
    template: Template = Template.STANDARD,
    mode: Mode | None = None,
    own_sources: tuple[str, ...] = (),
    retrieval_ends_at: datetime | None = None,
    transfers: tuple[Transfer, ...] = (),
) -> ArchitectureRow:
    """Store an architecture, or what it is from now on. Raises InputError: another client's, or fields that
    contradict each other."""
    check_name("architecture", name)
    row = session.scalar(select(ArchitectureRow).where(ArchitectureRow.name == name))
    if row is None:
        row = ArchitectureRow(name=name, client=client)
        session.add(row)
    elif row.client_id != client.id:
        raise InputError(f"architecture {name} is of {row.client.name}", expected="another name")
    row.template, row.mode, row.retrieval_ends_at = template, mode, retrieval_ends_at
    row.own_sources = " ".join(AddressSet.parse(*own_sources).texts()) if own_sources else ""
    row.transfers = [
        {
            "public": str(it.public), "protocol": it.protocol, "first_port": it.first_port,
            "last_port": it.last_port, "sources": list(it.sources.texts()),
        }
        for it in transfers
    ]  # fmt: skip
    row.value(Mode.ENFORCE)
    session.flush()
    append(
        session, actor=actor, action="edge:architecture:set", clause="4", at=at, subject=f"architecture:{name}",
        body={"client": client.name, "template": template, "mode": mode or "", "own_sources": row.own_sources,
              "retrieval_ends_at": str(retrieval_ends_at or ""), "transfers": row.transfers},
    )  # fmt: skip
    return row


def architecture_named(session: Session, name: str) -> ArchitectureRow:
    """Return an architecture. Raises InputError when there is none of that name."""
    row = session.scalar(select(ArchitectureRow).where(ArchitectureRow.name == name))
    if row is None:
        raise InputError(f"no architecture {name!r}", expected="a name shown by `fwguard edge show EDGE`")
    return row


def add_port(
    session: Session,
    edge: EdgeRow,
    interface: str,
    machine: Machine,
    *,
    kind: PortKind,
    macs: tuple[str, ...],
    zone: int,
    actor: str,
    at: datetime,
    architecture: ArchitectureRow | None = None,
    link: Link = Link.ROUTED,
    addresses: tuple[str, ...] = (),
    device_interface: str = "",
    routing_table: int = 0,
) -> EdgePortRow:
    """Plug a server, or one side of a firewall, in at an edge. Without `architecture` it is that of its firewall.

    Raises InputError: the interface is taken, the kind does not fit, an address or a zone that is none.
    """
    check_interface("interface", interface)
    if (kind is PortKind.SERVER) != isinstance(machine, ServerRow):
        raise InputError(f"{subject_of(machine)} as {kind}", expected="server, firewall-in or firewall-out")
    if not macs or len(set(macs)) != len(macs) or not all(MAC.fullmatch(mac) for mac in macs):
        raise InputError(
            f"{' '.join(macs)!r}", where="macs", expected="addresses as 02:00:5e:10:00:01, each once"
        )
    if not FIRST_ZONE <= zone <= LAST_ZONE:
        raise InputError(f"{zone}", where="zone", expected=f"{FIRST_ZONE} to {LAST_ZONE}")
    if architecture is None:
        firewall = machine.firewall if isinstance(machine, ServerRow) else machine
        known = session.scalar(select(ArchitectureRow).where(ArchitectureRow.name == firewall.name))
        architecture = known or set_architecture(session, firewall.name, machine.client, actor=actor, at=at)
    if architecture.client_id != machine.client_id:
        raise InputError(
            f"{subject_of(machine)} of {machine.client.name} in {architecture.name} of {architecture.client.name}",
            expected="an architecture of the same client",
        )
    row = EdgePortRow(
        edge=edge, interface=interface, kind=kind, link=link, client_id=machine.client_id,
        architecture=architecture, server=machine if isinstance(machine, ServerRow) else None,
        firewall=machine if isinstance(machine, FirewallRow) else None, macs=" ".join(macs), zone=zone,
        addresses=" ".join(AddressSet.parse(*addresses).texts()) if addresses else "",
        device_interface=device_interface, routing_table=routing_table,
    )  # fmt: skip
    add_new(session, row, f"port {interface} of {edge.name}")
    append(
        session, actor=actor, action="edge:port:add", clause="4", subject=edge.subject, at=at,
        body={"port": row.id, "interface": interface, "kind": kind, "of": subject_of(machine), "macs": list(macs),
              "architecture": architecture.name, "zone": zone, "addresses": row.addresses},
    )  # fmt: skip
    return row


def remove_port(session: Session, port: EdgePortRow, *, actor: str, why: str, at: datetime) -> None:
    """Unplug a port; nothing passes there any more."""
    append(
        session, actor=actor, action="edge:port:remove", clause="4", subject=port.edge.subject, at=at,
        body={"port": port.id, "interface": port.interface, "of": subject_of(port.machine), "why": why},
    )  # fmt: skip
    session.delete(port)
    session.flush()


def port_at(session: Session, edge: EdgeRow, interface: str) -> EdgePortRow:
    """Return the port at an interface. Raises InputError when there is none."""
    query = select(EdgePortRow).where(EdgePortRow.edge_id == edge.id, EdgePortRow.interface == interface)
    row = session.scalar(query)
    if row is None:
        raise InputError(
            f"no port {interface!r} of edge {edge.name}", expected="one shown by `fwguard edge show`"
        )
    return row


def ports_of(session: Session, edge_id: int) -> list[EdgePortRow]:
    """Return the ports of an edge in the order of their numbers."""
    return list(
        session.scalars(select(EdgePortRow).where(EdgePortRow.edge_id == edge_id).order_by(EdgePortRow.id))
    )


def ports_of_machine(session: Session, machine: Machine) -> list[EdgePortRow]:
    """Return every port of a server or firewall, on any edge."""
    column = EdgePortRow.server_id if isinstance(machine, ServerRow) else EdgePortRow.firewall_id
    return list(session.scalars(select(EdgePortRow).where(column == machine.id).order_by(EdgePortRow.id)))


def _transfer(data: dict[str, Any]) -> Transfer:
    return Transfer(
        public=Span.parse(data["public"]), protocol=data["protocol"], first_port=data["first_port"],
        last_port=data["last_port"], sources=AddressSet.parse(*data["sources"]),
    )  # fmt: skip
