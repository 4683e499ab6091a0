"""Passwords and second factors outside the pages: for `fwguard init`, `fwguard user` and `fwguard login`."""

from __future__ import annotations

from flask import Flask
from flask_security import hash_password
from sqlalchemy.orm import Session

from fwguard.errors import InputError, NotAllowedError
from fwguard.flows.enrolment import Credentials
from fwguard.store.people import UserRow
from fwguard.web.identity import OneTimeCodes, code_holds, password_holds, person_named


def credentials(app: Flask) -> Credentials:
    """Return how this portal keeps passwords and secrets; call both within `app.app_context()`."""
    codes: OneTimeCodes = app.extensions["security"].totp_factory

    def seal_totp(secret: str) -> str:
        try:
            return codes.seal(secret)
        except (ValueError, TypeError):
            raise InputError("a secret of an authenticator", expected="base32, 16 letters or more") from None

    return Credentials(hash_password=hash_password, seal_totp=seal_totp)


def check_login(app: Flask, session: Session, username: str, password: str, code: str) -> UserRow:
    """Return who shows this login (or mail address), password and code; the code is spent with `session`.

    Raises NotAllowedError, which does not say which of the three is wrong. Needs `app.app_context()`.
    """
    user = person_named(session, username)
    if not password_holds(user, password) or user is None or not code_holds(app, user, code):
        raise NotAllowedError("login, password or code is wrong (a code counts once: wait for the next)")
    return user
