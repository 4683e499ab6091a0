"""Nobody is answered without end, and no machine at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fwguard.mail.loops import Answered, may_answer
from fwguard.mail.parse import parse

NOW = datetime(2026, 8, 4, 12, tzinfo=UTC)
MAIL = parse(b"From: a@b.fr\n\nbody")


def answers(count: int, *, hours_ago: float, subject: str = "") -> list[Answered]:
    return [Answered(at=NOW - timedelta(hours=hours_ago), subject=subject)] * count


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("Auto-Submitted: auto-replied", "automatic"),
        ("List-Id: <l.example>", "list"),
        ("Return-Path: <>", "bounces"),
    ],
)
def test_machines_are_never_answered(header: str, word: str) -> None:
    """RFC 3834: automatic mail, lists and bounces get no answer, and the log says why."""
    decision = may_answer(parse(f"From: a@b.fr\n{header}\n\nbody".encode()), [], NOW)
    assert not decision
    assert word in decision.why


def test_a_person_is_answered() -> None:
    """An ordinary mail gets its answer."""
    assert may_answer(MAIL, [], NOW)


def test_without_an_address_there_is_no_answer() -> None:
    """A doubtful From gets nothing."""
    assert not may_answer(parse(b"From: a@b.fr, c@d.fr\n\nbody"), [], NOW)


def test_a_sender_gets_at_most_its_number_of_answers_a_day() -> None:
    """The tenth answer is the last; a day later it begins anew."""
    assert may_answer(MAIL, answers(9, hours_ago=1), NOW)
    assert not may_answer(MAIL, answers(10, hours_ago=1), NOW)
    assert may_answer(MAIL, answers(10, hours_ago=24), NOW)


def test_a_ticket_has_a_cap_of_its_own() -> None:
    """One ticket's noise leaves the sender's other tickets answered."""
    recent = answers(5, hours_ago=1, subject="R-1")
    assert not may_answer(MAIL, recent, NOW, subject="R-1")
    assert may_answer(MAIL, recent, NOW, subject="R-2")
