"""Coming in with a password and then a code, and going out again."""

from __future__ import annotations

from typing import Any, Final

import structlog
from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask_security import current_user
from flask_security.utils import login_user, logout_user
from werkzeug.wrappers import Response

from fwguard.store.audit import append
from fwguard.store.people import UserRow
from fwguard.web.identity import code_holds, password_holds, person_named
from fwguard.web.sessions import writing
from fwguard.web.shield import house_now, now_s, way_back
from fwguard.web.texts import gettext
from fwguard.web.tries import CODES, PASSWORDS, guesser, must_have_tries_left, note_wrong_guess

log = structlog.get_logger(__name__)
PENDING_S: Final = 300.0  # between the password and the code
MOST_LETTERS: Final = 254  # of a login (a mail address, RFC 5321 4.5.3.1.3) and of a password
blueprint = Blueprint("login", __name__)
Answer = str | Response | tuple[str, int]


@blueprint.route("/login", methods=["GET", "POST"])
def password() -> Answer:
    """Ask for login and password; nobody is logged in by them alone."""
    back = way_back(request.values.get("next", "/"))
    if current_user.is_authenticated:
        return redirect(back)
    if request.method == "GET":
        return render_template("login.html", back=back, login="")
    login, given = request.form.get("login", ""), request.form.get("password", "")
    must_have_tries_left(PASSWORDS, guesser(login))
    user = None
    if len(login) <= MOST_LETTERS and len(given) <= MOST_LETTERS:
        with house_now().store.reading() as reader:
            user = person_named(reader, login)
    if not password_holds(user, given[:MOST_LETTERS]) or user is None:
        note_wrong_guess(PASSWORDS, guesser(login))
        log.warning("wrong password", address=request.remote_addr)
        problem = gettext("Login or password is wrong.")
        return render_template("login.html", back=back, login=login, problem=problem), 422
    _start_anew()
    session["pending"] = {"who": user.fs_uniquifier, "at": now_s(), "next": back}
    return redirect(url_for("login.code"))


@blueprint.route("/login/code", methods=["GET", "POST"])
def code() -> Answer:
    """Ask for the code of the authenticator, and let its holder in."""
    pending = session.get("pending")
    if not pending or now_s() - pending["at"] > PENDING_S:
        session.pop("pending", None)
        return redirect(url_for("login.password"))
    if request.method == "GET":
        return render_template("code.html")
    must_have_tries_left(CODES, pending["who"])
    if not _come_in(pending["who"], request.form.get("code", "")):
        note_wrong_guess(CODES, pending["who"])
        problem = gettext("This code is wrong, or was used already: wait for the next one.")
        return render_template("code.html", problem=problem), 422
    return redirect(way_back(pending["next"]))


def _come_in(who: str, given: str) -> bool:
    """Log in who shows the right code; right or wrong, the log of actions knows of it."""
    house = house_now()
    with house.store.session() as store:
        user = store.query(UserRow).filter_by(fs_uniquifier=who, active=True).one_or_none()
        if user is None:
            return False
        right = code_holds(current_app, user, given)
        append(
            store, actor=user.actor, action=f"portal:login:{'done' if right else 'wrong-code'}",
            clause="7.10", subject="portal", at=house.clock(),
        )  # fmt: skip
        if right:
            _start_anew()
            login_user(user, authn_via=["password", "authenticator"])
            session["since"] = session["second_factor_at"] = now_s()
            session.permanent = True
    return right


def shown_code(given: str) -> bool:
    """Tell whether the person here shows a right code now, and remember when; its own transaction, so that
    a code stays spent whatever becomes of what it was shown for."""
    must_have_tries_left(CODES, current_user.fs_uniquifier)
    with writing() as (_, user):
        right = code_holds(current_app, user, given)
    if right:
        session["second_factor_at"] = now_s()
    else:
        note_wrong_guess(CODES, current_user.fs_uniquifier)
    return right


@blueprint.post("/logout")
def logout() -> Response:
    """End every session of this person, here and in other browsers: a copied cookie is worth nothing."""
    datastore: Any = current_app.extensions["security"].datastore
    with writing() as (_, user):
        datastore.set_uniquifier(user)
    logout_user()
    _start_anew()
    flash(gettext("You are logged out."))
    return redirect(url_for("login.password"))


def _start_anew() -> None:
    """Forget all that this browser's session held but its language: nothing planted before survives."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language
