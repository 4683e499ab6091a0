"""What went wrong, as a page that says what to do next, in the reader's language."""

from __future__ import annotations

from traceback import format_exception

import structlog
from flask import Flask, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.web.sessions import end_reading
from fwguard.web.texts import gettext

log = structlog.get_logger(__name__)
Page = tuple[str, int]


def install_problems(app: Flask) -> None:
    """Give every error its page."""
    app.register_error_handler(NotAllowedError, _not_allowed)
    app.register_error_handler(ConflictError, _moved)
    app.register_error_handler(InputError, _no_such_thing)
    app.register_error_handler(CSRFError, _old_form)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _bug)


def _page(code: int, title: str, text: str, *, why: str = "", reload: bool = False) -> Page:
    end_reading()
    again = request.path if request.method == "GET" else (request.referrer or "/")
    return render_template("problem.html", code=code, title=title, text=text, why=why,
                           again=again if reload else ""), code  # fmt: skip


def _not_allowed(error: NotAllowedError) -> Page:
    return _page(403, gettext("This is not yours to do"), gettext("Nothing was changed."), why=str(error))


def _moved(error: ConflictError) -> Page:
    text = gettext("Someone or something changed it after this page was made. Look at it again, then decide.")
    return _page(409, gettext("It moved meanwhile"), text, why=str(error), reload=True)


def _no_such_thing(error: InputError) -> Page:
    text = gettext("There is nothing here under that name, or it is not yours to see.")
    return _page(404, gettext("Not found"), text)


def _old_form(_error: CSRFError) -> Page:
    text = gettext("The form was too old or came from elsewhere. Open the page again and send it once more.")
    return _page(400, gettext("Please send it again"), text, reload=True)


def _busy(error: OperationalError) -> Page:
    log.warning("database is busy", why=str(error.orig))
    text = gettext("The database is busy or cannot be reached. Nothing was changed; try again in a moment.")
    return _page(503, gettext("Please try again"), text, reload=True)


def _of_http(error: HTTPException) -> Page:
    code = error.code or 500
    match code:
        case 404 | 405:
            return _page(code, gettext("Not found"), gettext("There is no such page."))
        case 413:
            return _page(code, gettext("Too large"), gettext("That is more than a form of ours takes."))
        case 429:
            text = gettext("There were too many tries. Wait a quarter of an hour, then try again.")
            return _page(code, gettext("Too many tries"), text)
        case _ if code < 500:
            return _page(code, gettext("This did not work"), gettext("The request could not be understood."))
        case _:
            return _page(code, gettext("Something broke"), gettext("The fault is ours. Nothing was changed."))


def _bug(error: Exception) -> Page:
    # Without the local variables that a log may show beside a trace: they hold our keys.
    log.error("bug", path=request.path, trace="".join(format_exception(error)))
    text = gettext("The fault is ours, and it is in our log. Nothing was changed.")
    return _page(500, gettext("Something broke"), text)
