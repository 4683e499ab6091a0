"""A store that holds two clients and the operator's staff, on each database (see tests/unit/conftest.py)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from fwguard.model.inventory import Client, Contact, Firewall, Platform, Server, Transport
from fwguard.store import Store
from fwguard.store.inventory import add_firewall, add_server
from fwguard.store.people import UserRole, add_client, add_user

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _fill(session: Session, client_name: str, number: int) -> None:
    contact = Contact(mail=f"ann@{client_name}.example", name="Ann")
    client = add_client(session, Client(name=client_name, title=client_name.title(), contacts=(contact,)))
    add_firewall(
        session,
        Firewall(
            name=f"fw-{client_name}", client=client_name, platform=Platform.LINUX, transport=Transport.SSH,
            address=f"10.0.0.{number}", port=22, username="fwguard",
            public=(f"192.0.2.{number}", f"2001:db8::{number}"),
        ),
    )  # fmt: skip
    add_server(
        session,
        Server(
            name=f"web-{client_name}", client=client_name, firewall=f"fw-{client_name}",
            addresses=("10.1.0.2", "2001:db8:1::2"),
        ),
    )  # fmt: skip
    add_user(
        session, username=f"ann-{client_name}", email=contact.mail, name="Ann", role=UserRole.CLIENT,
        password_hash=None, at=NOW, client=client, contact=client.contacts[0],
    )  # fmt: skip


@pytest.fixture
def house(store: Store) -> Store:
    """Give a store with clients acme and bold (a firewall, a server, a user each) and five of the staff."""
    with store.session() as session:
        _fill(session, "acme", 1)
        _fill(session, "bold", 2)
        for name, role in (
            ("olga", UserRole.OPERATOR), ("bob", UserRole.APPROVER), ("eve", UserRole.APPROVER),
            ("dan", UserRole.APPROVER), ("root", UserRole.ADMIN),
        ):  # fmt: skip
            add_user(
                session, username=name, email=f"{name}@host.example", name=name.title(), role=role,
                password_hash=None, at=NOW,
            )  # fmt: skip
    return store
