"""How often one may guess: a password by address and login, a code by person. Failures count, not logins."""

from __future__ import annotations

from typing import Any, Final

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse
from werkzeug.exceptions import TooManyRequests

# A code has 10^6 values and three count at a time: this gives a guesser 0.3 % in a day, and we log it.
CODES: Final = parse("10 per 15 minutes")
PASSWORDS: Final = parse("20 per 15 minutes")
ASKED: Final = "60 per minute"  # login pages of one address, right or wrong


def install_tries(app: Flask) -> None:
    """Bound what may be guessed at the portal."""
    limiter = install_counting(app)
    for endpoint in ("login.password", "login.code"):
        bounded: Any = limiter.limit(ASKED, methods=["POST"])(app.view_functions[endpoint])
        app.view_functions[endpoint] = bounded


def install_counting(app: Flask) -> Limiter:
    """Count in this process's memory; each process of several counts for itself."""
    app.config.setdefault("RATELIMIT_STORAGE_URI", "memory://")
    app.config.setdefault("RATELIMIT_STRATEGY", "moving-window")
    app.extensions["fwguard_limiter"] = limiter = Limiter(get_remote_address, app=app)
    return limiter


def must_have_tries_left(kind: RateLimitItem, who: str) -> None:
    """Raise TooManyRequests when this person or address has guessed wrong too often."""
    limiter = _limiter()
    if limiter.enabled and not limiter.limiter.test(kind, who):
        raise TooManyRequests


def note_wrong_guess(kind: RateLimitItem, who: str) -> None:
    """Count one wrong guess."""
    limiter = _limiter()
    if limiter.enabled:
        limiter.limiter.hit(kind, who)


def may_ask(kind: RateLimitItem, who: str) -> bool:
    """Count one request; False when there were too many."""
    limiter = _limiter()
    return not limiter.enabled or limiter.limiter.hit(kind, who)


def guesser(login: str) -> str:
    """Return who guesses a password: an address and the login it tries.

    Not the login alone: then anyone could lock anyone out.
    """
    return f"{request.remote_addr} {login.strip().lower()}"


def _limiter() -> Limiter:
    limiter: Limiter = current_app.extensions["fwguard_limiter"]
    return limiter
