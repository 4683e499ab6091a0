"""Enrolment: an inventory file becomes clients, contacts, firewalls, servers, people and edges (clause 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.flows.edge_inventory import add_edge_of
from fwguard.flows.house import House
from fwguard.model.document import Field, read_document
from fwguard.model.inventory import (
    Client,
    Contact,
    Firewall,
    Language,
    OnDrift,
    Platform,
    Role,
    Server,
    Transport,
)
from fwguard.store.audit import append
from fwguard.store.inventory import add_firewall, add_server, set_device_secret
from fwguard.store.people import UserRole, add_client, add_user, client_named, contacts_with_mail

_LANGUAGES: Final = {language.value: language for language in Language}
_ROLES: Final = {role.value: role for role in UserRole}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How the portal keeps secrets of people: `hash_password` and `seal_totp` (base32 in, stored form out)."""

    hash_password: Callable[[str], str]
    seal_totp: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """How many of each were stored."""

    clients: int
    firewalls: int
    servers: int
    people: int


def enrol(house: House, text: str, file: str, credentials: Credentials) -> Enrolled:
    """Store a whole inventory, or nothing of it. Raises InputError with file, line and what was expected."""
    parts = read_document(text, file).mapping(
        required=("clients", "firewalls", "servers"), optional=("people", "mail", "edges")
    )
    people = parts["people"].sequence() if "people" in parts else []
    with house.store.session() as session:
        for field in parts["clients"].sequence():
            _stored(field, lambda field: add_client(session, _client(field)))
        for field in parts["firewalls"].sequence():
            _stored(field, lambda field: _add_firewall(session, house, field, Path(file).parent))
        for field in parts["servers"].sequence():
            _stored(field, lambda field: add_server(session, _server(field)))
        for field in people:
            _stored(field, lambda field: _add_person(session, house, field, credentials))
        for field in parts["edges"].sequence() if "edges" in parts else []:
            _stored(field, lambda field: add_edge_of(session, house, field))
        done = Enrolled(
            clients=len(parts["clients"].sequence()),
            firewalls=len(parts["firewalls"].sequence()),
            servers=len(parts["servers"].sequence()),
            people=len(people),
        )
        append(
            session, actor="system", action="command:inventory:enrol", clause="4", subject="inventory",
            at=house.clock(), body={"clients": done.clients, "firewalls": done.firewalls,
                                    "servers": done.servers, "people": done.people},
        )  # fmt: skip
    return done


def _stored(field: Field, store: Callable[[Field], object]) -> None:
    """Store one entry; a complaint of the database gets the line of the file."""
    try:
        store(field)
    except InputError as error:
        if error.where.startswith(field.file):
            raise
        raise field.fail(str(error), error.expected or "see the message") from error


def _client(field: Field) -> Client:
    parts = field.mapping(required=("name", "title"), optional=("contacts",))
    contacts = parts["contacts"].sequence() if "contacts" in parts else []
    return Client(
        name=parts["name"].text(),
        title=parts["title"].text(),
        contacts=tuple(_contact(it) for it in contacts),
    )


def _contact(field: Field) -> Contact:
    parts = field.mapping(required=("mail", "name"), optional=("language",))
    language = parts["language"].choice(_LANGUAGES) if "language" in parts else Language.FR
    mail = parts["mail"].text()
    if mail.count("@") != 1 or any(letter.isspace() for letter in mail):
        raise parts["mail"].fail(f"{mail!r} is no mail address", "name@domain")
    return Contact(mail=mail, name=parts["name"].text(), language=language)


def _add_firewall(session: Session, house: House, field: Field, folder: Path) -> None:
    parts = field.mapping(
        required=(
            "name",
            "client",
            "platform",
            "transport",
            "address",
            "port",
            "username",
            "host_key",
            "private_key",
        ),
        optional=("public", "on_drift"),
    )
    firewall = Firewall(
        name=parts["name"].text(),
        client=parts["client"].text(),
        platform=parts["platform"].choice({it.value: it for it in Platform}),
        transport=parts["transport"].choice({it.value: it for it in Transport}),
        address=parts["address"].text(),
        port=parts["port"].integer(1, 65535),
        username=parts["username"].text(),
        public=tuple(it.text() for it in parts["public"].sequence()) if "public" in parts else (),
        on_drift=parts["on_drift"].choice({it.value: it for it in OnDrift})
        if "on_drift" in parts
        else OnDrift.RESTORE,
    )
    key = folder / parts["private_key"].text()
    try:
        private_key = key.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise parts["private_key"].fail(f"{key}: {error}", "a file with an OpenSSH private key") from None
    row = add_firewall(session, firewall)
    set_device_secret(row, house.vault, private_key=private_key, host_key=parts["host_key"].text())


def _server(field: Field) -> Server:
    parts = field.mapping(required=("name", "client", "firewall", "addresses"), optional=("role",))
    return Server(
        name=parts["name"].text(),
        client=parts["client"].text(),
        firewall=parts["firewall"].text(),
        addresses=tuple(it.text() for it in parts["addresses"].sequence()),
        role=parts["role"].choice({it.value: it for it in Role}) if "role" in parts else Role.GENERAL,
    )


def _add_person(session: Session, house: House, field: Field, credentials: Credentials) -> None:
    parts = field.mapping(
        required=("login", "mail", "name", "role", "password", "totp"), optional=("client", "language")
    )
    role = parts["role"].choice(_ROLES)
    client = client_named(session, parts["client"].text()) if role is UserRole.CLIENT else None
    contact = None
    if client is not None:
        known = [
            row for row in contacts_with_mail(session, parts["mail"].text()) if row.client_id == client.id
        ]
        contact = known[0] if known else None
    row = add_user(
        session,
        username=parts["login"].text(),
        email=parts["mail"].text(),
        name=parts["name"].text(),
        role=role,
        password_hash=credentials.hash_password(parts["password"].text()),
        at=house.clock(),
        client=client,
        contact=contact,
        language=parts["language"].choice(_LANGUAGES) if "language" in parts else Language.FR,
    )
    row.tf_primary_method = "authenticator"
    row.tf_totp_secret = credentials.seal_totp(parts["totp"].text())
