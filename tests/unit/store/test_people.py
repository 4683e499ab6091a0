"""Who may log in, and what Flask-Security needs of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask_security import Security, SQLAlchemySessionUserDatastore, hash_password
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import scoped_session

from fwguard.errors import InputError, NotAllowedError
from fwguard.model.inventory import Client, Contact, Language
from fwguard.store import Store
from fwguard.store.people import (
    RoleRow,
    TokenRow,
    UserRole,
    UserRow,
    add_client,
    add_user,
    client_named,
    contacts_with_mail,
    holder_of_token,
    issue_token,
    note_token_use,
    revoke_tokens,
    user_named,
)  # fmt: skip

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def test_clients_and_contacts_come_back(store: Store) -> None:
    """With their languages, and mail in lower case."""
    ann = Contact(mail="Ann@Acme.example", name="Ann É", language=Language.EN)
    with store.session() as session:
        add_client(session, Client(name="acme", title="Acme", contacts=(ann,)))
    with store.reading() as session:
        (contact,) = client_named(session, "acme").value().contacts
        assert Contact(mail="ann@acme.example", name="Ann É", language=Language.EN) == contact


def test_a_name_is_taken_once(house: Store) -> None:
    """Clients, logins, mails."""
    with house.session() as session:
        with pytest.raises(InputError):
            add_client(session, Client(name="acme", title=""))
        for username, email in (("bob", "new@host.example"), ("new", "bob@host.example")):
            with pytest.raises(InputError):
                add_user(
                    session,
                    username=username,
                    email=email,
                    name="",
                    role=UserRole.ADMIN,
                    password_hash=None,
                    at=NOW,
                )


def test_one_person_may_be_named_by_two_clients(house: Store) -> None:
    """And by one client once."""
    with house.session() as session:
        add_client(
            session, Client(name="c3", title="", contacts=(Contact(mail="ann@acme.example", name="Ann"),))
        )
        found = contacts_with_mail(session, "ANN@acme.example")
        assert ["acme", "c3"] == [contact.client.name for contact in found]
        twice = (Contact(mail="x@x.example", name="X"), Contact(mail="X@x.example", name="X"))
        with pytest.raises(InputError):
            add_client(session, Client(name="c4", title="", contacts=twice))


def test_a_clients_user_has_no_other_role(house: Store) -> None:
    """Neither by our function nor by hand."""
    with house.session() as session, pytest.raises(InputError):
        add_user(
            session, username="x", email="x@x", name="", role=UserRole.ADMIN, password_hash=None, at=NOW,
            client=client_named(session, "acme"),
        )  # fmt: skip
    with pytest.raises(IntegrityError), house.session() as session:
        session.execute(update(UserRow).where(UserRow.username == "ann-acme").values(role=UserRole.ADMIN))


def test_a_user_is_no_contact_of_another_client(house: Store) -> None:
    """By a key over both columns."""
    with house.reading() as session:
        of_bold = client_named(session, "bold").contacts[0].id
    with pytest.raises(IntegrityError), house.session() as session:
        session.execute(update(UserRow).where(UserRow.username == "ann-acme").values(contact_id=of_bold))


def test_a_token_speaks_for_its_holder_until_it_ends(house: Store) -> None:
    """Its text is nowhere in the database."""
    with house.session() as session:
        token = issue_token(session, user_named(session, "bob"), at=NOW, lasts=DAY, label="laptop")
    with house.session() as session:
        assert "bob" == holder_of_token(session, token, at=NOW + DAY / 2).username
        note_token_use(session, token, at=NOW)
        row = session.scalars(select(TokenRow)).one()
        assert token.startswith("fwg_")
        assert token not in f"{row.sha256} {row.label}"
        assert NOW == row.last_used_at
        for wrong, at in ((token, NOW + DAY), (token + "x", NOW), ("", NOW)):
            with pytest.raises(NotAllowedError):
                holder_of_token(session, wrong, at=at)


def test_a_token_ends_with_its_revocation_or_its_holder(house: Store) -> None:
    """Whichever comes first."""
    with house.session() as session:
        bob, eve = user_named(session, "bob"), user_named(session, "eve")
        of_bob, of_eve = (issue_token(session, user, at=NOW, lasts=DAY) for user in (bob, eve))
        assert 1 == revoke_tokens(session, bob, at=NOW)
        eve.active = False
    with house.session() as session:
        for token in (of_bob, of_eve):
            with pytest.raises(NotAllowedError):
                holder_of_token(session, token, at=NOW)


def test_flask_security_logs_in_with_a_second_factor(house: Store) -> None:
    """Password first, then it asks for the code; roles come from the column."""
    app = Flask("test")
    app.config.update(
        SECRET_KEY="s" * 32, SECURITY_PASSWORD_SALT="1" * 32, SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_REQUIRED=True, SECURITY_TOTP_SECRETS={"1": "t" * 32}, TESTING=True,
        SECURITY_TOTP_ISSUER="fwguard", SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False}, WTF_CSRF_ENABLED=False,
        SECURITY_PASSWORD_HASH="pbkdf2_sha512", SECURITY_TRACKABLE=True,
        SECURITY_DATETIME_FACTORY=lambda: datetime.now(UTC),
    )  # fmt: skip
    sessions = scoped_session(house.sessions)
    datastore = SQLAlchemySessionUserDatastore(sessions, UserRow, RoleRow)
    security = Security(app, datastore)
    with app.app_context():
        bob = datastore.find_user(username="bob")
        assert bob is not None
        assert [True, False] == [bob.has_role("approver"), bob.has_role("admin")]
        bob.password = hash_password("correct horse")
        secret = security._totp_factory.generate_totp_secret()
        datastore.tf_set(bob, "authenticator", totp_secret=secret)
        sessions.commit()
    sessions.remove()
    browser = app.test_client()
    wrong = browser.post("/login", json={"email": "bob@host.example", "password": "wrong"})
    right = browser.post("/login", json={"email": "bob@host.example", "password": "correct horse"})
    assert [400, 200] == [wrong.status_code, right.status_code], right.get_json()
    assert right.get_json()["response"]["tf_required"]
    code = security._totp_factory.generate_totp_password(secret)
    assert 200 == browser.post("/tf-validate", json={"code": code}).status_code
    sessions.commit()
    sessions.remove()
    with house.reading() as session:
        bob = user_named(session, "bob")
        assert bob.current_login_at is not None
        assert (1, UTC) == (bob.login_count, bob.current_login_at.tzinfo)
