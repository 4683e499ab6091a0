"""The texts that people edit fit the table of values, and cannot do anything but show them."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.mail.events import Event
from fwguard.mail.templates import complaints, fill, show_day, show_megabytes, show_moment
from fwguard.mail.wording import ask_words
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.ticket import Ask

TEMPLATES = Path(__file__).parents[3] / "approvals" / "mail"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATES, tmp_path / "mail"))


def test_the_templates_show_every_value_and_no_other() -> None:
    """Both languages, text and HTML, all events."""
    assert [] == complaints(TEMPLATES)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("subject.txt", "{{ secret }}", ["secret is no value of this event"]),
        ("body.txt", "{% extends 'fr/layout/body.txt' %}", ["received_at is not shown"]),
        ("body.html", "{{ received_at ", ["TemplateSyntaxError"]),
    ],
)
def test_a_wrong_template_is_named(folder: Path, name: str, text: str, wanted: list[str]) -> None:
    """Whoever edits the texts learns what does not fit, and where."""
    (folder / "fr/sender-unknown" / name).write_text(text)
    found = complaints(folder)
    assert [True] * len(wanted) == [word in line for word, line in zip(wanted, found, strict=True)]
    assert all(line.startswith(f"fr/sender-unknown/{name}: ") for line in found)


def test_a_missing_template_is_named(folder: Path) -> None:
    """An event without a text is found before its mail is due."""
    (folder / "en/too-large/body.html").unlink()
    assert ["en/too-large/body.html"] == [line.split(":")[0] for line in complaints(folder)]


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ received_at.__init__.__globals__ }}",
        "{{ undefined }}",
        "{% include '../../policy.yaml' %}",
        "{% for i in range(1000000000) %}x{% endfor %}",
    ],
)
def test_a_template_only_shows_values(folder: Path, text: str) -> None:
    """The sandbox holds, and an undefined value is an error, not an empty place."""
    (folder / "fr/sender-unknown/subject.txt").write_text(text)
    with pytest.raises(InputError, match="sender-unknown/subject.txt"):
        fill(folder, Event.SENDER_UNKNOWN, Language.FR, "subject.txt", {"received_at": date(2026, 8, 4)})


def test_days_and_moments_in_both_languages() -> None:
    """Paris time, summer and winter, as people write it."""
    summer, winter = datetime(2026, 7, 31, 22, 5, tzinfo=UTC), datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
    assert ["1er août 2026", "1 August 2026"] == [show_day(date(2026, 8, 1), lang) for lang in Language]
    assert [
        "1er août 2026 à 00 h 05 (heure de Paris)",
        "1 August 2026 at 00:05 (Paris time)",
    ] == [show_moment(summer, lang) for lang in Language]
    assert show_moment(winter, Language.FR) == "31 décembre 2026 à 23 h 59 (heure de Paris)"
    assert ["sans date de fin", "no end date"] == [show_moment(None, lang) for lang in Language]
    assert ["20,5 Mo", "20.5 MB"] == [show_megabytes(20_480_000, lang) for lang in Language]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("any", ["tcp/443 depuis partout vers web1", "tcp/443 from anywhere to web1"]),
        ("2001:db8::/32", ["tcp/443 depuis 2001:db8::/32 vers web1", "tcp/443 from 2001:db8::/32 to web1"]),
    ],
)
def test_an_ask_in_words(source: str, words: list[str]) -> None:
    """What was asked, as its author would say it."""
    ask = Ask(
        server="web1",
        protocol=6,
        source=AddressSet.parse(source),
        ports=Intervals.single(443),
        ends_at=None,
        reason="r",
    )
    assert words == [ask_words(ask, language) for language in Language]
