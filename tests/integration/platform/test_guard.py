"""Clause 7.1.1: what nobody approved is seen, explained, undone, checked, and the client is told."""

from __future__ import annotations

from typing import Any

import pytest

from fwguard.lab.tamper import ways_of
from fwguard.model.case import CaseState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SILENT = {"counters", "comment", "reload"}  # what is no change
STREAMED = ("fw-acme", "fw-globex", "fw-initech")
CONTACT = {
    "fw-acme": "alice@acme.example",
    "fw-globex": "grace@globex.example",
    "fw-initech": "alice@initech.example",
}


def cases_of(guarded: Any, firewall: str, ways: set[str] | None = None) -> list[str]:
    return [way for way in ways_of(guarded.lab.firewall(firewall).kind) if ways is None or way in ways]


@pytest.mark.parametrize("firewall", STREAMED)
def test_every_change_is_seen_undone_and_told(guarded: Any, firewall: str) -> None:
    """Each way to tamper ends in one case that is closed, a firewall as approved, and a mail."""
    ways = [way for way in ways_of(guarded.lab.firewall(firewall).kind) if way not in SILENT]
    assert {"add-rule", "add-redirection", "add-route", "delete-rule", "reorder", "flush"} <= set(ways)
    for way in ways:
        before = len(guarded.drift_cases(firewall))
        guarded.lab.tamper(firewall, way)

        def closed(before: int = before) -> bool:
            cases = guarded.drift_cases(firewall)[before:]
            return bool(cases) and all(case.state is CaseState.CLOSED for case in cases)

        guarded.until(closed, f"{firewall} restored after {way}")
        case = guarded.drift_cases(firewall)[before]
        assert case.clause == "7.1.1"
        assert case.summary_fr, way
        assert case.summary_en, way
        drift = guarded.room.rows("firewall", "drift", firewall, actor="olivier@operator.example")[0]
        assert drift["equal"], (way, drift)
        guarded.until(lambda case=case: guarded.mails(CONTACT[firewall], case.number), f"a mail about {way}")


@pytest.mark.parametrize("firewall", STREAMED)
def test_what_is_no_change_makes_no_case(guarded: Any, firewall: str) -> None:
    """Counters, comments and the same rules loaded again: not a word."""
    before = len(guarded.drift_cases(firewall))
    for way in cases_of(guarded, firewall, SILENT):
        guarded.lab.tamper(firewall, way)
    guarded.room.command("firewall", "drift", firewall, actor="olivier@operator.example")
    assert before == len(guarded.drift_cases(firewall))


def test_the_words_say_what_it_opens_in_the_contacts_language(guarded: Any) -> None:
    """An open port is named with its server, in French to the French contact, in English to the English."""
    for firewall, word in (("fw-acme", "ouvre"), ("fw-globex", "opens")):
        before = len(guarded.drift_cases(firewall))
        guarded.lab.tamper(firewall, "open-port")
        guarded.until(lambda f=firewall, b=before: guarded.drift_cases(f)[b:], f"a case of {firewall}")
        number = guarded.drift_cases(firewall)[before].number
        (mail,) = guarded.until(
            lambda f=firewall, n=number: guarded.mails(CONTACT[f], n), f"the mail about {number}"
        )
        text = mail.get_body(("plain",)).get_content()
        assert f"{word} tcp/8080" in text
