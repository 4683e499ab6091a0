"""French working days, change windows and freezes, from `approvals/windows.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from fwguard.errors import InputError
from fwguard.model.document import Field, read_document

PARIS: Final = ZoneInfo("Europe/Paris")
_DAYS: Final = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When approved changes may be deployed: on these weekdays, between two times of day in Paris."""

    weekdays: frozenset[int]
    opens: time
    closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """No deployment from `first` to `last` (both included), for a reason that people are told."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """No window at all means any time. Restoring an approved state never waits for a window."""

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def closed_because(self, now: datetime) -> str:
        """Return why nothing may be deployed now, or an empty text."""
        local = now.astimezone(PARIS)
        for freeze in self.freezes:
            if freeze.first <= local.date() <= freeze.last:
                return f"freeze until {freeze.last}: {freeze.reason}"
        if not self.windows:
            return ""
        for window in self.windows:
            if local.weekday() in window.weekdays and window.opens <= local.time() < window.closes:
                return ""
        return "outside the change windows"


def is_working_day(day: date) -> bool:
    """Tell whether a day is neither a weekend nor a French public holiday (Code du travail L3133-1)."""
    return day.weekday() < 5 and day not in _public_holidays(day.year)


@lru_cache(maxsize=64)
def _public_holidays(year: int) -> frozenset[date]:
    """Return France's public holidays of a year; working them out takes 10 ms, and every notice asks."""
    return frozenset(holidays.country_holidays("FR", years=year))


def working_days_after(start: datetime, days: int) -> datetime:
    """Return the end (midnight in Paris, in UTC) of the `days`-th French working day after `start`."""
    day = start.astimezone(PARIS).date()
    while days:
        day += timedelta(days=1)
        days -= is_working_day(day)
    return datetime.combine(day + timedelta(days=1), time(), PARIS).astimezone(UTC)


def _window(field: Field) -> Window:
    parts = field.mapping(required=("days", "from", "to"))
    window = Window(
        weekdays=frozenset(day.choice(_DAYS) for day in parts["days"].sequence()),
        opens=parts["from"].parsed(time.fromisoformat),
        closes=parts["to"].parsed(time.fromisoformat),
    )
    if window.opens >= window.closes:
        raise parts["to"].fail("is not after `from`", "a later time of the same day")
    return window


def _freeze(field: Field) -> Freeze:
    parts = field.mapping(required=("from", "to", "reason"))
    freeze = Freeze(
        first=parts["from"].parsed(date.fromisoformat),
        last=parts["to"].parsed(date.fromisoformat),
        reason=parts["reason"].text(),
    )
    if freeze.first > freeze.last:
        raise parts["to"].fail("is before `from`", "a later day")
    return freeze


def read_calendar(text: str, file: str) -> Calendar:
    """Read windows and freezes. Raises InputError with file, line and what was expected."""
    fields = read_document(text, file).mapping(required=("windows", "freezes"))
    return Calendar(
        windows=tuple(_window(field) for field in fields["windows"].sequence()),
        freezes=tuple(_freeze(field) for field in fields["freezes"].sequence()),
    )


def load_calendar(folder: Path) -> Calendar:
    """Read `windows.yaml` of the folder `approvals/`."""
    path = folder / "windows.yaml"
    if not path.is_file():
        raise InputError("is missing", where=str(path), expected="windows: and freezes:")
    return read_calendar(path.read_text(encoding="utf-8"), str(path))
