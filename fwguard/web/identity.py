"""Who is here: Flask-Security over the house's store, and one-time codes that count once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast

from flask import Flask
from flask_security import Security, SQLAlchemySessionUserDatastore, hash_password
from flask_security.totp import Totp
from flask_security.utils import verify_and_update_password
from passlib.exc import TokenError
from passlib.totp import TOTP, AppWallet
from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, object_session

from fwguard.flows.house import House
from fwguard.store.people import RoleRow, TokenRow, UserRow
from fwguard.web.configuration import TOTP_WINDOW_S

SPENT: Final = "one-time code, spent"
_KEEP_SPENT: Final = timedelta(minutes=10)  # longer than any code is accepted


class People(SQLAlchemySessionUserDatastore):
    """The users of the store, as Flask-Security asks for them: read in a session of their own.

    A page's session may be limited to one client, and whose it is must be known before.
    """

    def __init__(self, house: House) -> None:
        super().__init__(None, UserRow, RoleRow)  # type: ignore[arg-type]  # it gets no session to keep
        self._house = house

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> UserRow | None:
        """Return the user whose attribute has that value, detached; None when there is none."""
        ((name, value),) = kwargs.items()
        with self._house.store.reading() as session:
            query = select(UserRow).options(joinedload(UserRow.client))
            return session.scalar(query.where(getattr(UserRow, name) == value))

    def put(self, model: Any) -> Any:
        """Return the row as it is: it belongs to the session that loaded it, which commits it."""
        return model


class OneTimeCodes(Totp):
    """Codes of an authenticator (RFC 6238), each accepted once, also by several processes at once."""

    def __init__(
        self, secrets: dict[str, str], issuer: str, *, newest: str, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(secrets, issuer)
        # Without a default, the wallet seals with whichever key id sorts last.
        self._totp = TOTP.using(issuer=issuer, wallet=AppWallet(secrets, default_tag=newest))
        self._clock = clock

    def seal(self, secret: str) -> str:
        """Return a base32 secret as users keep it: encrypted with the newest key. Raises ValueError."""
        sealed: str = self._totp(key=secret, format="base32").to_json(encrypt=True)
        return sealed

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        """Tell whether a code is right, and spend it within the session that loaded the user."""
        at = self._clock()
        try:
            match = self._totp.verify(token, totp_secret, time=at, window=window)
        except (TokenError, ValueError):
            return False
        session = object_session(user)
        return session is not None and _spend(session, user, match.counter, at)


def _spend(session: Session, user: UserRow, counter: int, at: datetime) -> bool:
    """Remember that a code was used; False when it was already (RFC 6238 5.2).

    It is kept as a token that was revoked at birth: the table's unique digest decides between two who
    show one code at the same moment.
    """
    session.execute(
        delete(TokenRow).where(
            TokenRow.user_id == user.id, TokenRow.label == SPENT, TokenRow.expires_at <= at
        )
    )
    digest = hashlib.sha256(f"code {user.fs_uniquifier} {counter}".encode()).hexdigest()
    spent = TokenRow(
        user_id=user.id, sha256=digest, label=SPENT, created_at=at, expires_at=at + _KEEP_SPENT, revoked_at=at
    )
    try:
        with session.begin_nested():
            session.add(spent)
    except IntegrityError:
        return False
    return True


def install_identity(app: Flask, house: House) -> None:
    """Give the application its Flask-Security, with none of its pages and no way in but ours."""
    codes = partial(OneTimeCodes, newest=house.settings.keys.newest, clock=lambda: house.clock())
    app.config["SECURITY_DATETIME_FACTORY"] = lambda: house.clock()  # aware, as the store wants it
    security = Security(app, People(house), register_blueprint=False, totp_cls=cast(type[Totp], codes))
    security.login_manager.request_loader(None)  # no tokens in headers: the portal is for browsers


def person_named(session: Session, login: str) -> UserRow | None:
    """Return the active user with this login or mail address."""
    login = login.strip()
    return session.scalar(
        select(UserRow).where(or_(UserRow.username == login, UserRow.email == login.lower()), UserRow.active)
    )


def password_holds(user: UserRow | None, password: str) -> bool:
    """Tell whether this is the user's password; takes as long when there is no such user."""
    if user is None or not user.password:
        hash_password(password)
        return False
    return bool(verify_and_update_password(password, user))


def code_holds(app: Flask, user: UserRow, code: str) -> bool:
    """Tell whether this is the code of now, and spend it; the user's session must be a writing one."""
    if not user.tf_totp_secret or user.tf_primary_method != "authenticator":
        return False
    codes: OneTimeCodes = app.extensions["security"].totp_factory
    return codes.verify_totp(code.strip(), user.tf_totp_secret, user, window=TOTP_WINDOW_S)
