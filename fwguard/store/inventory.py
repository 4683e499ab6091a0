"""Firewalls and servers, the addresses they have, and what we last saw of each firewall."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import InputError
from fwguard.model.address import parse_span, show_span
from fwguard.model.inventory import Firewall, OnDrift, Platform, Role, Server, Transport
from fwguard.store.base import Base, Word
from fwguard.store.inserts import add_new
from fwguard.store.people import ClientRow, client_named
from fwguard.store.vault import Vault


class WatchState(StrEnum):
    """What we know of a firewall at this moment."""

    NEW = "new"  # nobody approved a baseline yet
    WATCHED = "watched"
    UNREACHABLE = "unreachable"
    HELD = "held"  # differs, and by policy or by the cap is not restored


class FirewallRow(Base):
    """One client firewall (SVP-PF). `private_key_sealed` opens only with the vault, for this name."""

    __tablename__ = "firewalls"
    __table_args__ = (CheckConstraint("port BETWEEN 1 AND 65535", name="port"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    platform: Mapped[Platform] = mapped_column(Word(Platform))
    transport: Mapped[Transport] = mapped_column(Word(Transport))
    address: Mapped[str] = mapped_column(String(64))
    port: Mapped[int]
    username: Mapped[str] = mapped_column(String(64))
    on_drift: Mapped[OnDrift] = mapped_column(Word(OnDrift))
    host_key: Mapped[str] = mapped_column(Text, default="")
    private_key_sealed: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[WatchState] = mapped_column(Word(WatchState), default=WatchState.NEW, index=True)
    last_read_at: Mapped[datetime | None]
    last_try_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # tries in a row without a reading
    last_error: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int] = mapped_column(default=0)
    client: Mapped[ClientRow] = relationship()
    public: Mapped[list[PublicAddressRow]] = relationship(
        back_populates="firewall", order_by="PublicAddressRow.id", cascade="all, delete-orphan"
    )
    servers: Mapped[list[ServerRow]] = relationship(back_populates="firewall", order_by="ServerRow.name")
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012  # SQLAlchemy reads it

    def value(self) -> Firewall:
        """Return the model's value."""
        return Firewall(
            name=self.name,
            client=self.client.name,
            platform=self.platform,
            transport=self.transport,
            address=self.address,
            port=self.port,
            username=self.username,
            public=tuple(row.address for row in self.public),
            on_drift=self.on_drift,
        )


class PublicAddressRow(Base):
    """A public address that a firewall's services are reached by."""

    __tablename__ = "public_addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"), index=True)
    version: Mapped[int]
    address: Mapped[str] = mapped_column(String(64), unique=True)
    firewall: Mapped[FirewallRow] = relationship(back_populates="public")


class ServerRow(Base):
    """One server (SVP) behind a firewall."""

    __tablename__ = "servers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"), index=True)
    role: Mapped[Role] = mapped_column(Word(Role))
    client: Mapped[ClientRow] = relationship()
    firewall: Mapped[FirewallRow] = relationship(back_populates="servers")
    addresses: Mapped[list[ServerAddressRow]] = relationship(
        back_populates="server", order_by="ServerAddressRow.id", cascade="all, delete-orphan"
    )

    def value(self) -> Server:
        """Return the model's value."""
        return Server(
            name=self.name,
            client=self.client.name,
            firewall=self.firewall.name,
            addresses=tuple(row.address for row in self.addresses),
            role=self.role,
        )


class ServerAddressRow(Base):
    """An address of a server, as its firewall's filter sees it; clients may use the same private ones."""

    __tablename__ = "server_addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"), index=True)
    version: Mapped[int]
    address: Mapped[str] = mapped_column(String(64), index=True)
    server: Mapped[ServerRow] = relationship(back_populates="addresses")


def add_firewall(session: Session, firewall: Firewall) -> FirewallRow:
    """Store a firewall of a known client. Raises InputError: name or public address taken, no such client."""
    row = FirewallRow(
        name=firewall.name,
        client_id=client_named(session, firewall.client).id,
        platform=firewall.platform,
        transport=firewall.transport,
        address=firewall.address,
        port=firewall.port,
        username=firewall.username,
        on_drift=firewall.on_drift,
        host_key="",
        private_key_sealed="",
        state=WatchState.NEW,
        public=[PublicAddressRow(version=version, address=text) for version, text in _spans(firewall.public)],
    )
    return add_new(session, row, f"firewall {firewall.name} or a public address of it")


def add_server(session: Session, server: Server) -> ServerRow:
    """Store a server behind a firewall of the same client. Raises InputError."""
    client = client_named(session, server.client)
    firewall = firewall_named(session, server.firewall)
    if firewall.client_id != client.id:
        raise InputError(
            f"server {server.name} of {client.name} behind {firewall.name} of {firewall.client.name}",
            expected="a firewall of the same client",
        )
    row = ServerRow(
        name=server.name,
        client_id=client.id,
        firewall_id=firewall.id,
        role=server.role,
        addresses=[
            ServerAddressRow(version=version, address=text) for version, text in _spans(server.addresses)
        ],
    )
    return add_new(session, row, f"server {server.name}")


def firewall_named(session: Session, name: str) -> FirewallRow:
    """Return a firewall. Raises InputError when there is none of that name."""
    row = session.scalar(select(FirewallRow).where(FirewallRow.name == name))
    if row is None:
        raise InputError(f"no firewall {name!r}", expected="a name shown by `fwguard firewall list`")
    return row


def server_named(session: Session, name: str) -> ServerRow:
    """Return a server. Raises InputError when there is none of that name."""
    row = session.scalar(select(ServerRow).where(ServerRow.name == name))
    if row is None:
        raise InputError(f"no server {name!r}", expected="the name of a server of yours")
    return row


def set_device_secret(firewall: FirewallRow, vault: Vault, *, private_key: str, host_key: str) -> None:
    """Pin the host key and keep our private key sealed for this firewall."""
    firewall.host_key = host_key
    firewall.private_key_sealed = vault.seal(private_key.encode(), owner=f"firewall:{firewall.name}")


def device_secret(firewall: FirewallRow, vault: Vault) -> str:
    """Return the private key (OpenSSH PEM) for this firewall. Raises InputError: none, or another's."""
    if not firewall.private_key_sealed:
        raise InputError(f"firewall {firewall.name} has no key", expected="`fwguard firewall add --key FILE`")
    return vault.open(firewall.private_key_sealed, owner=f"firewall:{firewall.name}").decode()


def rotate_device_secrets(session: Session, vault: Vault) -> int:
    """Seal every device secret anew with the newest key; return how many moved."""
    moved = 0
    for firewall in session.scalars(select(FirewallRow).where(FirewallRow.private_key_sealed != "")):
        if vault.is_stale(firewall.private_key_sealed):
            set_device_secret(
                firewall, vault, private_key=device_secret(firewall, vault), host_key=firewall.host_key
            )
            moved += 1
    return moved


def note_read(firewall: FirewallRow, *, at: datetime, state: WatchState | None = None) -> None:
    """Remember that the firewall was read whole; `state` where that changes it."""
    firewall.last_read_at = firewall.last_try_at = at
    firewall.failures, firewall.last_error = 0, ""
    if state is not None:
        firewall.state = state


def note_failure(firewall: FirewallRow, *, at: datetime, error: str, state: WatchState | None = None) -> None:
    """Remember that the firewall could not be read, and why (bounded to 2000 characters)."""
    firewall.last_try_at, firewall.last_error = at, error[:2000]
    firewall.failures += 1
    if state is not None:
        firewall.state = state


def _spans(texts: tuple[str, ...]) -> list[tuple[int, str]]:
    return [(version, show_span(version, low, high)) for version, low, high in map(parse_span, texts)]
