"""The end of an opening as people write it, in French and English."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from fwguard.approvals.calendar import PARIS
from fwguard.mail.problem import Problem, ProblemCode

LONGEST: Final = timedelta(days=3660)

_MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            "janvier janv january jan", "fevrier fevr february feb", "mars march mar", "avril avr april apr",
            "mai may", "juin june jun", "juillet juil july jul", "aout august aug",
            "septembre september sept sep", "octobre october oct", "novembre november nov",
            "decembre december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_UNITS: Final[Mapping[str, tuple[int, int]]] = {  # (days, months)
    **dict.fromkeys(("jour", "jours", "j", "day", "days", "d"), (1, 0)),
    **dict.fromkeys(("semaine", "semaines", "sem", "week", "weeks", "w"), (7, 0)),
    **dict.fromkeys(("mois", "month", "months"), (0, 1)),
    **dict.fromkeys(("an", "ans", "annee", "annees", "year", "years"), (0, 12)),
}
NO_END: Final = frozenset(
    ("sans fin", "pas de fin", "sans limite", "sans date de fin", "sans echeance", "illimite", "illimitee")
) | {
    "permanent",
    "permanente",
    "toujours",
    "no end",
    "none",
    "never",
    "unlimited",
    "forever",
    "aucune",
    "jamais",
}

_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[t ]+(.*))?")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\s?[/.-]\s?(\d{1,2})\s?[/.-]\s?(\d{4})(?:[ ,]+(.*))?")
_DAY_NAMED: Final = re.compile(
    r"(\d{1,2})(?:er|st|nd|rd|th)?\s+(?:of\s+)?([a-z]+)\.?,?\s+(\d{4})(?:[ ,]+(.*))?"
)
_MONTH_NAMED: Final = re.compile(r"([a-z]+)\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?:[ ,]+(.*))?")
_LENGTH: Final = re.compile(r"(\d{1,4})\s*([a-z]+)")
_TIME: Final = re.compile(r"(?:a|at)?\s*(\d{1,2})\s*(?:[h:]\s*(\d{2})?)(?::\d{2})?")
_LEAD: Final = re.compile(
    r"\A(?:(?:au|a|le|the|until|till|jusqu'?\s?(?:au|a)|pendant|pour|for|during|on|dans|in"
    r"|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday),?\s+)+"
)


def read_end(folded: str, *, written: str, now: datetime) -> datetime | Problem | None:
    """Read an end date; None is no end, a Problem says what is wrong.

    `folded` is the text in lower case without accents, `written` the same as its author wrote it. A date
    means the end of that day in Paris; a length counts whole days from today. Returns UTC.
    """
    text = _LEAD.sub("", folded.strip().strip(".;,!") + " ", count=1).strip()
    if text in NO_END:
        return None
    value = {"value": written.strip()[:80]}
    try:
        end = _end_of(text, now.astimezone(PARIS).date())
    except (ValueError, OverflowError):
        end = None
    if end is None:
        return Problem(ProblemCode.BAD_END, value)
    if end <= now:
        return Problem(ProblemCode.END_PASSED, value)
    if end > now + LONGEST:
        return Problem(ProblemCode.END_TOO_FAR, value)
    return end


def _end_of(text: str, today: date) -> datetime | None:
    """Return the moment meant, or None. Raises ValueError for days that do not exist."""
    if match := _ISO.fullmatch(text):
        return _moment(date(int(match[1]), int(match[2]), int(match[3])), match[4])
    if match := _DAY_FIRST.fullmatch(text):
        return _moment(date(int(match[3]), int(match[2]), int(match[1])), match[4])
    if (match := _DAY_NAMED.fullmatch(text)) and match[2] in _MONTHS:
        return _moment(date(int(match[3]), _MONTHS[match[2]], int(match[1])), match[4])
    if (match := _MONTH_NAMED.fullmatch(text)) and match[1] in _MONTHS:
        return _moment(date(int(match[3]), _MONTHS[match[1]], int(match[2])), match[4])
    if (match := _LENGTH.fullmatch(text)) and match[2] in _UNITS:
        days, months = _UNITS[match[2]]
        count = int(match[1])
        return _moment(_later(today, days * count, months * count), None)
    return None


def _later(day: date, days: int, months: int) -> date:
    """Return a day that many days and months on; the 31st becomes a shorter month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = monthrange(year, month + 1)[1] if year <= 9998 else 28
    return date(year, month + 1, min(day.day, last)) + timedelta(days=days)


def _moment(day: date, clock: str | None) -> datetime | None:
    """Return the end of a day in Paris, or the time of it that is named, in UTC; None if unreadable."""
    if not clock or not clock.strip():
        return datetime.combine(day, time(23, 59, 59), PARIS).astimezone(UTC)
    match = _TIME.fullmatch(clock.strip())
    if not match:
        return None
    return datetime.combine(day, time(int(match[1]), int(match[2] or 0)), PARIS).astimezone(UTC)
