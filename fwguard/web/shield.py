"""Before and after every request: who may enter, and what browsers are told to refuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, redirect, request, session, url_for
from flask_security import current_user
from flask_security.utils import logout_user
from werkzeug.wrappers import Response

from fwguard.errors import NotAllowedError
from fwguard.flows.house import House
from fwguard.store.people import MAY_APPROVE, UserRole
from fwguard.web.configuration import SESSION_HOURS
from fwguard.web.texts import gettext

P = ParamSpec("P")
R = TypeVar("R")
# Everything else needs a person with a second factor: a new page is closed until it is named here.
OPEN: Final = frozenset(
    {"static", "login.password", "login.code", "language.switch", "health.health"}
    | {f"edges.{door}" for door in ("enrol", "state", "events", "report")}  # signed, each by its edge
)
# No inline script or style, nothing of other hosts, no frame around us (W3C CSP Level 3).
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def install_shield(app: Flask) -> None:
    """Let nobody in but through the login, and send every answer with its headers."""
    app.before_request(_enter)
    app.after_request(_headers)


def house_now() -> House:
    """Return the house that this portal is of."""
    house: House = current_app.extensions["fwguard"]
    return house


def now_s() -> float:
    """Return the time of the house's clock in seconds."""
    return house_now().clock().timestamp()


def _enter() -> Response | None:
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    since = session.get("since", 0.0)
    if current_user.is_authenticated and now_s() - since < SESSION_HOURS * 3600:
        return None
    if current_user.is_authenticated:
        logout_user()
    back = request.full_path if request.method == "GET" else "/"
    return redirect(url_for("login.password", next=back.rstrip("?")))


def _headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"  # Flask-WTF asks for it over TLS
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def way_back(target: str) -> str:
    """Return a path of this portal to go to: "/" for anything that could lead elsewhere."""
    parts = urlsplit(target)
    ours = not parts.scheme and not parts.netloc and target.startswith("/") and "\\" not in target
    return target if ours and not target.startswith("//") and target.isprintable() else "/"


def is_fresh() -> bool:
    """Tell whether the second factor was shown as recently as approving asks (approvals/policy.yaml)."""
    age_s = now_s() - float(session.get("second_factor_at", 0.0))
    return -60 < age_s < house_now().rulebook.policy.fresh_factor_s


def is_staff() -> bool:
    """Tell whether the person here works for the operator."""
    return bool(current_user.is_authenticated and current_user.role is not UserRole.CLIENT)


def is_approver() -> bool:
    """Tell whether the person here may decide about tickets."""
    return bool(current_user.is_authenticated and current_user.role in MAY_APPROVE)


def staff_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let only the operator's people call a view; others are told so."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_staff():
            raise NotAllowedError(gettext("This page is for the operator's staff."))
        return view(*args, **kwargs)

    return guarded
