"""Clients, their contacts, and everyone who may log in."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from flask_security import RoleMixin, UserMixin
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    select,
)
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import InputError, NotAllowedError
from fwguard.model.inventory import Client, Contact, Language
from fwguard.store.base import Base, JsonText, Word
from fwguard.store.inserts import add_new


class UserRole(StrEnum):
    """What someone who logs in may do."""

    CLIENT = "client"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


MAY_APPROVE: Final = frozenset({UserRole.APPROVER, UserRole.ADMIN})
TOKEN_PREFIX: Final = "fwg_"  # noqa: S105  # makes leaked tokens findable; the secret follows


class ClientRow(Base):
    """A tenant."""

    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    contacts: Mapped[list[ContactRow]] = relationship(back_populates="client", order_by="ContactRow.id")

    def value(self) -> Client:
        """Return the model's value."""
        return Client(name=self.name, title=self.title, contacts=tuple(c.value() for c in self.contacts))


class ContactRow(Base):
    """A person whom the client named to the operator (clause 4)."""

    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("client_id", "mail"), UniqueConstraint("client_id", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    mail: Mapped[str] = mapped_column(String(254), index=True)  # lower case
    name: Mapped[str] = mapped_column(String(200))
    language: Mapped[Language] = mapped_column(Word(Language))
    active: Mapped[bool] = mapped_column(default=True)
    client: Mapped[ClientRow] = relationship(back_populates="contacts")

    def value(self) -> Contact:
        """Return the model's value."""
        return Contact(mail=self.mail, name=self.name, language=self.language)


class RoleRow(Base, RoleMixin):
    """One of the four roles, as a table because Flask-Security looks it up."""

    __tablename__ = "roles"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    description: Mapped[str | None] = mapped_column(String(200))


class UserRow(Base, UserMixin):
    """Someone who logs in. A client's user has the role `client` and nothing of another client's.

    Times of Flask-Security must be aware: build it with `datetime_factory=aware_utcnow`.
    """

    __tablename__ = "users"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "contact_id"], ["contacts.client_id", "contacts.id"]),
        CheckConstraint("(role = 'client') = (client_id IS NOT NULL)", name="clients_are_clients"),
        CheckConstraint("contact_id IS NULL OR client_id IS NOT NULL", name="contact_has_client"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[UserRole] = mapped_column(Word(UserRole), ForeignKey("roles.name"))
    client_id: Mapped[int | None] = mapped_column(ForeignKey("clients.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(index=True)
    language: Mapped[Language] = mapped_column(Word(Language), default=Language.FR)
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    create_datetime: Mapped[datetime]
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    tf_phone_number: Mapped[str | None] = mapped_column(String(128))
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JsonText()))
    last_login_at: Mapped[datetime | None]  # type: ignore[assignment]
    current_login_at: Mapped[datetime | None]  # type: ignore[assignment]
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int | None]  # type: ignore[assignment]
    client: Mapped[ClientRow | None] = relationship(foreign_keys=[client_id])
    contact: Mapped[ContactRow | None] = relationship(
        foreign_keys=[contact_id], primaryjoin="UserRow.contact_id == ContactRow.id", viewonly=True
    )
    # A list because Flask-Security asks for one; what counts is the column.
    roles: Mapped[list[RoleRow]] = relationship(  # type: ignore[assignment]
        primaryjoin="foreign(UserRow.role) == RoleRow.name", viewonly=True, uselist=True, lazy="selectin"
    )

    @property
    def actor(self) -> str:
        """Return how this person stands in calls to the log ("user:LOGIN", hashed before it is stored)."""
        return f"user:{self.username}"


class TokenRow(Base):
    """A personal token for the command line and the API; only its SHA-256 is kept."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user: Mapped[UserRow] = relationship()


def add_client(session: Session, client: Client) -> ClientRow:
    """Store a client and its contacts. Raises InputError when the name is taken."""
    row = ClientRow(name=client.name, title=client.title)
    row.contacts = [
        ContactRow(mail=contact.mail.lower(), name=contact.name, language=contact.language)
        for contact in client.contacts
    ]
    return add_new(session, row, f"client {client.name}")


def client_named(session: Session, name: str) -> ClientRow:
    """Return a client. Raises InputError when there is none of that name."""
    row = session.scalar(select(ClientRow).where(ClientRow.name == name))
    if row is None:
        raise InputError(f"no client {name!r}", expected="a name shown by `fwguard firewall list`")
    return row


def contacts_with_mail(session: Session, mail: str) -> list[ContactRow]:
    """Return every active contact of that address: one person may be named by several clients."""
    query = select(ContactRow).where(ContactRow.mail == mail.lower(), ContactRow.active)
    return list(session.scalars(query.order_by(ContactRow.id)))


def add_user(
    session: Session,
    *,
    username: str,
    email: str,
    name: str,
    role: UserRole,
    password_hash: str | None,
    at: datetime,
    client: ClientRow | None = None,
    contact: ContactRow | None = None,
    language: Language = Language.FR,
) -> UserRow:
    """Store someone who may log in; `password_hash` as Flask-Security's `hash_password` gives it.

    Raises InputError when the login or the mail is taken, or the role does not fit the client.
    """
    if (role is UserRole.CLIENT) != (client is not None):
        raise InputError(f"role {role} of {username}", expected="`client` with a client, another without")
    row = UserRow(
        username=username,
        email=email.lower(),
        name=name,
        role=role,
        password=password_hash,
        client_id=client.id if client else None,
        contact_id=contact.id if contact else None,
        language=language,
        active=True,
        fs_uniquifier=uuid.uuid4().hex,
        create_datetime=at,
    )
    return add_new(session, row, f"user {username} <{email}>")


def user_named(session: Session, username: str) -> UserRow:
    """Return a user by login. Raises InputError when there is none."""
    row = session.scalar(select(UserRow).where(UserRow.username == username))
    if row is None:
        raise InputError(f"no user {username!r}", expected="a login that `fwguard user add` made")
    return row


def issue_token(session: Session, user: UserRow, *, at: datetime, lasts: timedelta, label: str = "") -> str:
    """Make a personal token and return its text, which is shown once and not kept."""
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        TokenRow(user_id=user.id, sha256=_sha256(text), label=label, created_at=at, expires_at=at + lasts)
    )
    session.flush()
    return text


def holder_of_token(session: Session, text: str, *, at: datetime) -> UserRow:
    """Return the user that a token speaks for. Raises NotAllowedError when it does not hold."""
    token = session.scalar(select(TokenRow).where(TokenRow.sha256 == _sha256(text)))
    if token is None or token.revoked_at or token.expires_at <= at or not token.user.active:
        raise NotAllowedError("this token is unknown, revoked or expired: run `fwguard login`")
    return token.user


def note_token_use(session: Session, text: str, *, at: datetime) -> None:
    """Remember when a token was last used."""
    token = session.scalar(select(TokenRow).where(TokenRow.sha256 == _sha256(text)))
    if token is not None:
        token.last_used_at = at


def revoke_tokens(session: Session, user: UserRow, *, at: datetime) -> int:
    """Revoke every live token of a user; return how many."""
    tokens = session.scalars(
        select(TokenRow).where(TokenRow.user_id == user.id, TokenRow.revoked_at.is_(None))
    ).all()
    for token in tokens:
        token.revoked_at = at
    return len(tokens)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
