"""The form of a request: what it makes of what people type, and what it says when it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fwguard.web.request_form import RequestForm

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
GOOD = {
    "server": "web-acme", "protocol": "tcp", "ports": "443", "who": "these", "addresses": "198.51.100.0/24",
    "until": "2026-12-31", "reason": "shop", "key": "k",
}  # fmt: skip


def _ask(**changed: str) -> tuple[Any, dict[str, str]]:
    form = RequestForm.of({**GOOD, **changed})
    return form.ask({"web-acme", "db-acme"}, NOW), form.problems


def test_a_good_form_is_an_ask() -> None:
    """Server, service, source, end of the last day in Paris, reason."""
    ask, problems = _ask()
    assert ({}, "tcp/443 from 198.51.100.0/24 to web-acme") == (problems, ask.words)
    assert datetime(2026, 12, 31, 23, tzinfo=UTC) == ask.ends_at


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ports": "80, 443"}, "tcp/80,443 from 198.51.100.0/24 to web-acme"),
        ({"ports": "8000-8010 443"}, "tcp/443,8000-8010 from 198.51.100.0/24 to web-acme"),
        ({"who": "anyone", "addresses": "ignored"}, "tcp/443 from any to web-acme"),
        (
            {"addresses": "198.51.100.7\n2001:db8::/32"},
            "tcp/443 from 198.51.100.7, 2001:db8::/32 to web-acme",
        ),
        ({"protocol": "icmp", "ports": ""}, "icmp from 198.51.100.0/24 to web-acme"),
        ({"protocol": "udp", "ports": " 500 "}, "udp/500 from 198.51.100.0/24 to web-acme"),
    ],
)
def test_people_may_write_it_their_way(changed: dict[str, str], words: str) -> None:
    """Commas, blanks and lines, ranges, both families, ping."""
    ask, problems = _ask(**changed)
    assert ({}, words) == (problems, ask.words)


def test_no_day_is_no_end() -> None:
    """An empty last day asks for an opening without end."""
    ask, _ = _ask(until="")
    assert ask.ends_at is None


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("server", "web-globex", "one of your servers"),
        ("server", "", "one of your servers"),
        ("protocol", "gre", "one of these protocols"),
        ("ports", "", "Which port"),
        ("ports", "70000", "no port 70000"),
        ("ports", "0", "no port 0"),
        ("ports", "-5", "no port"),
        ("ports", "http", "“http” is no port"),
        ("ports", "443-80", "write 80-443"),
        ("ports", "99999999999999999999999999", "no port 99999"),
        ("ports", "٤٤٣", "is no port"),
        ("addresses", "", "Which addresses"),
        ("addresses", "example.org", "“example.org” is no address"),
        ("addresses", "198.51.100.256", "is no address"),
        ("addresses", "198.51.100.1 " * 101, "At most 100"),
        ("who", "nobody", "who may come"),
        ("until", "2026-03-03", "is past"),
        ("until", "2026-02-30", "no day"),
        ("until", "soon", "no day"),
        ("until", "9999-12-31", "no day"),
        ("until", "2040-01-01", "ten years"),
        ("reason", " ", "what it is for"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(field: str, given: str, said: str) -> None:
    """One wrong field gives one message, at that field."""
    ask, problems = _ask(**{field: given})
    assert ask is None and [field] == list(problems)
    assert said in problems[field]


def test_everything_wrong_is_said_at_once() -> None:
    """An empty form names every field that is missing."""
    form = RequestForm.of({})
    assert form.ask({"web-acme"}, NOW) is None
    assert {"server", "protocol", "ports", "who", "reason"} == set(form.problems)


def test_the_last_day_may_be_today() -> None:
    """An opening until tonight is one."""
    ask, _ = _ask(until="2026-03-04")
    assert datetime(2026, 3, 4, 23, tzinfo=UTC) == ask.ends_at


def test_no_field_grows_without_bound() -> None:
    """What is longer than a field is cut before anything looks at it."""
    assert 2000 == len(RequestForm.of({"reason": "x" * 100_000}).reason)


def test_a_form_sent_twice_has_one_key_and_another_form_another() -> None:
    """Page, person and every field make the key."""
    first = RequestForm.of(GOOD).idempotency_key(1)
    assert first == RequestForm.of(GOOD).idempotency_key(1)
    assert first != RequestForm.of({**GOOD, "ports": "444"}).idempotency_key(1)
    assert first != RequestForm.of({**GOOD, "key": "another page"}).idempotency_key(1)
    assert first != RequestForm.of(GOOD).idempotency_key(2)
