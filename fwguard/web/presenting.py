"""How times, digests and changed lines look on a page: filters and tests that every template has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

from flask import Flask, request
from flask_babel import format_date, format_datetime
from flask_security import current_user
from markupsafe import Markup

from fwguard.approvals.calendar import PARIS
from fwguard.model.ports import show_protocol
from fwguard.store.openings import OpeningRow
from fwguard.store.registrations import RegistrationRow
from fwguard.web.menu import menu
from fwguard.web.shield import house_now, is_approver, is_fresh, is_staff
from fwguard.web.texts import gettext, ngettext
from fwguard.web.wording import name_of, risk_name, tone_of, why_of

MOMENT: Final = "d MMM y, HH:mm"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400


class Line(NamedTuple):
    """One line of a change: `kind` is "added", "removed", "part" or "same"."""

    kind: str
    text: str


def install_presenting(app: Flask) -> None:
    """Give the filters and what every page asks about its reader to all templates."""
    app.jinja_env.filters.update(
        moment=moment, end=end, until=until, day=day, ago=ago, changed=changed_lines, service=service,
        named=name_of, tone=tone_of, risk=risk_name, short=short, why=why_of,
    )  # fmt: skip
    app.context_processor(_reader)


def _reader() -> dict[str, object]:
    return {
        "person": current_user,
        "menu": menu,
        "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "is_staff": is_staff(),
        "is_approver": is_approver(),
        "is_fresh": is_fresh,
        "desk_address": house_now().settings.desk_address,
    }


def moment(at: datetime | None, nothing: str = "") -> str | Markup:
    """Return a time as people in Paris read it, with the exact one for machines; `nothing` for None."""
    if at is None:
        return nothing
    shown = format_datetime(at, MOMENT)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)


def end(at: datetime | None, nothing: str = "") -> str | Markup:
    """Return the end of something; midnight as the day before, which is how it was asked."""
    if at is None or not _is_midnight(at):
        return moment(at, nothing)
    return gettext("%(day)s, at the end of the day", day=_last_day(at))


def until(at: datetime | None) -> str:
    """Return until when something lasts, as a phrase."""
    if at is None:
        return gettext("without end")
    if _is_midnight(at):
        return gettext("until %(day)s included", day=_last_day(at))
    return gettext("until %(moment)s", moment=format_datetime(at, MOMENT))


def _is_midnight(at: datetime) -> bool:
    return at.astimezone(PARIS).time() == time()


def _last_day(at: datetime) -> str:
    return day(at - timedelta(minutes=1))


def day(at: datetime) -> str:
    """Return the day of a time, in Paris."""
    return str(format_date(at, "d MMMM y"))


def service(opening: OpeningRow | RegistrationRow) -> str:
    """Return protocol and ports of an opening or a registration: "tcp/443"."""
    return show_protocol(opening.protocol) + (f"/{opening.ports}" if opening.ports else "")


def ago(at: datetime | None) -> str:
    """Return how long ago something was, in its largest unit."""
    if at is None:
        return gettext("never")
    return span(house_now().clock() - at)


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < _MINUTE_S:
        return gettext("less than a minute")
    if seconds < _HOUR_S:
        return ngettext("%(num)d minute", "%(num)d minutes", seconds // _MINUTE_S)
    if seconds < _DAY_S:
        return ngettext("%(num)d hour", "%(num)d hours", seconds // _HOUR_S)
    return ngettext("%(num)d day", "%(num)d days", seconds // _DAY_S)


def short(digest: str) -> str:
    """Return the start of a digest, enough to tell two apart by eye."""
    return digest[:12]


def changed_lines(text: str) -> Iterable[Line]:
    """Yield the lines of a change with what each of them is."""
    for line in text.splitlines():
        if line.startswith("+"):
            yield Line("added", line)
        elif line.startswith("-"):
            yield Line("removed", line)
        elif line.startswith("[") and line.endswith("]"):
            yield Line("part", line[1:-1])
        elif line.startswith("# "):
            yield Line("part", line[2:])
        else:
            yield Line("same", line)
