"""Times, ends and changed lines as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from fwguard.web.presenting import changed_lines, end, moment, span, until

NOON = datetime(2026, 12, 31, 11, tzinfo=UTC)
MIDNIGHT = datetime(2026, 12, 31, 23, tzinfo=UTC)  # in Paris, where it is the end of the 31st


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "fr",
            (
                "31 déc. 2026, 12:00",
                "31 décembre 2026, en fin de journée",
                "jusqu'au 31 décembre 2026 inclus",
            ),
        ),
        (
            "en",
            (
                "31 Dec 2026, 12:00",
                "31 December 2026, at the end of the day",
                "until 31 December 2026 included",
            ),
        ),
    ],
)
def test_times_are_those_of_paris(app: Flask, language: str, shown: tuple[str, str, str]) -> None:
    """Midnight as the end of the day before, in the reader's language."""
    with app.test_request_context(headers={"Accept-Language": language}):
        assert shown == (moment(NOON).split(">")[1].split("<")[0], end(MIDNIGHT), until(MIDNIGHT))


def test_a_time_is_exact_for_machines(app: Flask) -> None:
    """The element holds the moment with its zone; nothing is shown for none."""
    with app.test_request_context():
        assert '<time datetime="2026-12-31T11:00:00+00:00">' in moment(NOON)
        assert ("–", "without end") == (moment(None, "–"), until(None))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a minute"), (59, "less than a minute"), (60, "1 minute"), (7199, "1 hour"),
        (7200, "2 hours"), (86400 * 3 + 5, "3 days"),
    ],
)  # fmt: skip
def test_spans_in_their_largest_unit(app: Flask, seconds: int, words: str) -> None:
    """One unit is enough to tell old from new."""
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert words == span(timedelta(seconds=seconds))


def test_changed_lines_say_what_they_are() -> None:
    """Added, taken away, the part they stand in, and what stayed."""
    text = "[nft]\n+ accept\n- drop\n# routes4\n  chain x\n"
    assert [
        ("part", "nft"), ("added", "+ accept"), ("removed", "- drop"), ("part", "routes4"), ("same", "  chain x"),
    ] == [tuple(line) for line in changed_lines(text)]  # fmt: skip
