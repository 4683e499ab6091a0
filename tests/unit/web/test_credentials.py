"""Passwords and second factors for the command line: kept as the portal keeps them, and checked alike."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from fwguard.config import rotate_secret_key
from fwguard.errors import InputError, NotAllowedError
from fwguard.flows.house import House
from fwguard.lab.people import contact_of
from fwguard.store.people import user_named
from fwguard.web.app import create_app
from fwguard.web.credentials import check_login, credentials

ALICE = contact_of("acme", "fr", 0)


@pytest.mark.parametrize("name", [ALICE.login, ALICE.mail.upper()])
def test_a_person_with_both_factors_is_known(app: Flask, house: House, browser: Any, name: str) -> None:
    """Login or mail address, password and code give the user."""
    code = browser.code(ALICE)
    with app.app_context(), house.store.session() as session:
        assert ALICE.login == check_login(app, session, name, ALICE.password, code).username


@pytest.mark.parametrize("wrong", ["login", "password", "code"])
def test_one_wrong_factor_is_refused(app: Flask, house: House, browser: Any, wrong: str) -> None:
    """Whichever is wrong, the answer is the same."""
    given = {"login": ALICE.login, "password": ALICE.password, "code": browser.code(ALICE), wrong: "000000"}
    with app.app_context(), house.store.session() as session, pytest.raises(NotAllowedError, match="or code"):
        check_login(app, session, given["login"], given["password"], given["code"])


def test_a_code_counts_once_for_portal_and_command_line_together(
    app: Flask, house: House, browser: Any
) -> None:
    """A code that opened the portal gives no token for the command line."""
    browser.log_in(ALICE)
    code = browser.code(ALICE)
    with app.app_context(), house.store.session() as session:
        check_login(app, session, ALICE.login, ALICE.password, code)
    with app.app_context(), house.store.session() as session, pytest.raises(NotAllowedError):
        check_login(app, session, ALICE.login, ALICE.password, code)


def test_secrets_hold_after_the_keys_were_replaced(app: Flask, house: House, browser: Any) -> None:
    """A portal with a new key still knows passwords and codes that were sealed with the old one."""
    rotate_secret_key(house.settings.secret_key_file)
    newer = create_app(house)
    with newer.app_context(), house.store.session() as session:
        check_login(newer, session, ALICE.login, ALICE.password, browser.code(ALICE))


def test_secrets_are_sealed_in_the_store(app: Flask, house: House) -> None:
    """Neither the password nor the secret of the authenticator stands in the database."""
    with house.store.reading() as session:
        user = user_named(session, ALICE.login)
        assert ALICE.password not in str(user.password) and ALICE.totp not in str(user.tf_totp_secret)


def test_a_secret_that_is_no_base32_is_refused(app: Flask) -> None:
    """A mistyped secret is said to be one, not stored."""
    with app.app_context(), pytest.raises(InputError, match="base32"):
        credentials(app).seal_totp("not base32 at all!")
