"""The templates under `approvals/mail`: read, checked against the table of values, and filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fwguard.approvals.calendar import PARIS
from fwguard.errors import InputError
from fwguard.mail.events import COMMON, VALUES, Event
from fwguard.model.inventory import Language

PARTS: Final = ("subject.txt", "body.txt", "body.html")
_MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    Language.FR: (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
        "novembre", "décembre",
    ),
    Language.EN: (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ),
}  # fmt: skip


def fill(folder: Path, event: Event, language: Language, part: str, values: Mapping[str, Any]) -> str:
    """Return one part of a mail (`PARTS`). Raises InputError naming the template that does not fill."""
    name = f"{language}/{event}/{part}"
    try:
        return _environment(folder, language).get_template(name).render(values)
    except TemplateError as error:
        raise InputError(f"{type(error).__name__}: {error}", where=str(folder / name)) from None


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the templates as a whole: missing ones, values unknown or never shown.

    Each of text and HTML must show every value of its event (`fwguard/mail/events.py`); a subject may
    show any of them.
    """
    found: list[str] = []
    for language in Language:
        for event, kinds in VALUES.items():
            wanted = kinds.keys() | COMMON.keys()
            for part in PARTS:
                name = f"{language}/{event}/{part}"
                try:
                    used = _used(folder, language, name)
                except (TemplateError, OSError, UnicodeDecodeError) as error:
                    found.append(f"{name}: {type(error).__name__}: {error}")
                    continue
                found += [f"{name}: {value} is no value of this event" for value in sorted(used - wanted)]
                if part != "subject.txt":
                    found += [f"{name}: {value} is not shown" for value in sorted(wanted - used)]
    return found


def _used(folder: Path, language: Language, name: str) -> set[str]:
    """Return the values that a template and those that it extends or includes use."""
    environment = _environment(folder, language)
    used: set[str] = set()
    pending, seen = [name], {name}
    while pending:
        source = (folder / pending.pop()).read_text(encoding="utf-8")
        tree = environment.parse(source)
        used |= meta.find_undeclared_variables(tree)
        for other in meta.find_referenced_templates(tree):
            if other is not None and other not in seen:
                seen.add(other)
                pending.append(other)
    return used


@lru_cache(maxsize=8)
def _environment(folder: Path, language: Language) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and name.endswith(".html")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()  # no range, no lipsum: a template shows values
    filters: dict[str, Callable[..., str]] = {
        "moment": lambda value: show_moment(value, language),
        "day": lambda value: show_day(value, language),
        "megabytes": lambda value: show_megabytes(value, language),
    }
    environment.filters.update(filters)
    return environment


def show_day(day: date, language: Language) -> str:
    """Write a day: "1er août 2026", "1 August 2026"."""
    number = "1er" if day.day == 1 and language is Language.FR else str(day.day)
    return f"{number} {_MONTHS[language][day.month - 1]} {day.year}"


def show_moment(moment: datetime | None, language: Language) -> str:
    """Write a moment in Paris time to the minute; None is no end."""
    if moment is None:
        return "sans date de fin" if language is Language.FR else "no end date"
    local = moment.astimezone(PARIS)
    if language is Language.FR:
        return f"{show_day(local.date(), language)} à {local:%H} h {local:%M} (heure de Paris)"
    return f"{show_day(local.date(), language)} at {local:%H:%M} (Paris time)"


def show_megabytes(size_bytes: int, language: Language) -> str:
    """Write a size in units of a million bytes: "20,0 Mo", "20.0 MB"."""
    number = f"{size_bytes / 1e6:.1f}"
    return f"{number.replace('.', ',')} Mo" if language is Language.FR else f"{number} MB"
