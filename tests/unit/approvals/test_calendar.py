"""French working days, change windows and freezes."""

from datetime import UTC, date, datetime

import pytest

from fwguard.approvals.calendar import is_working_day, read_calendar, working_days_after
from fwguard.errors import InputError


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 23), True),
        (date(2026, 11, 22), False),  # a Sunday
        (date(2026, 11, 11), False),  # Armistice
        (date(2026, 4, 6), False),  # Easter Monday
        (date(2026, 12, 24), True),
    ],
)
def test_working_days_are_those_of_france(day: date, expected: bool) -> None:
    """Weekends and public holidays do not count."""
    assert expected == is_working_day(day)


def test_eight_working_days_over_christmas_and_new_year() -> None:
    """From Wednesday 23 December 2026 the eighth working day is 6 January; it ends at midnight in Paris."""
    start = datetime(2026, 12, 23, 10, tzinfo=UTC)
    assert datetime(2027, 1, 6, 23, tzinfo=UTC) == working_days_after(start, 8)


def test_no_window_means_any_time() -> None:
    """An operator without windows deploys at once."""
    calendar = read_calendar("windows: []\nfreezes: []\n", "windows.yaml")
    assert calendar.closed_because(datetime(2026, 11, 22, 3, tzinfo=UTC)) == ""


def test_outside_the_window_it_says_so() -> None:
    """The times are those of Paris: 05:30 UTC in winter is 06:30 there."""
    calendar = read_calendar(
        'windows:\n  - {days: [mon], from: "06:00", to: "22:00"}\nfreezes: []\n', "windows.yaml"
    )
    assert calendar.closed_because(datetime(2026, 11, 23, 5, 30, tzinfo=UTC)) == ""
    assert "outside" in calendar.closed_because(datetime(2026, 11, 23, 4, 30, tzinfo=UTC))


def test_a_freeze_gives_its_reason() -> None:
    """People are told why nothing moves."""
    calendar = read_calendar(
        "windows: []\nfreezes:\n  - {from: 2026-12-21, to: 2027-01-03, reason: end of the year}\n", "w.yaml"
    )
    assert "end of the year" in calendar.closed_because(datetime(2026, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("windows: []\n", "w.yaml:1"),
        ('windows:\n  - {days: [lundi], from: "06:00", to: "22:00"}\nfreezes: []\n', "w.yaml:2"),
        ('windows:\n  - {days: [mon], from: "22:00", to: "06:00"}\nfreezes: []\n', "w.yaml:2"),
        ("windows: []\nfreezes:\n  - {from: 2027-01-03, to: 2026-12-21, reason: x}\n", "w.yaml:3"),
        ("windows: []\nfreezes: []\nwindow: []\n", "w.yaml:3"),
        ("windows: [\n", "w.yaml:2"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, where: str) -> None:
    """Where, and what was expected."""
    with pytest.raises(InputError) as caught:
        read_calendar(text, "w.yaml")
    assert where == caught.value.where
