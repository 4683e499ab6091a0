"""Clause 7.1.1: what nobody approved is seen, explained, undone, checked, and the client is told."""

from __future__ import annotations

import pytest
from guarded import CONTACT, FIREWALLS, NO_CHANGE, POLLED, Guarded, text_of, until

from fwguard.errors import DeviceError
from fwguard.model.case import CaseEvent, CaseState

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("platform")]


@pytest.mark.parametrize("way", POLLED)
def test_what_streams_nothing_is_seen_by_polling(guarded: Guarded, way: str) -> None:
    """The same for what no firewall tells: sets of ipset, legacy tables, sysctls, boot files."""
    guarded.seen_undone_and_told(way, guarded.having(way))


@pytest.mark.parametrize("way", NO_CHANGE)
def test_what_is_no_change_makes_no_case(guarded: Guarded, way: str) -> None:
    """Counters, comments, the same rules loaded again: not a word."""
    names = guarded.having(way)
    before = {name: len(guarded.cases(name)) for name in names}
    read_at = {name: guarded.firewall(name).last_read_at for name in names}
    for name in names:
        guarded.lab.tamper(name, way)
    for name in names:
        assert () == guarded.differs(name), name
        until(
            lambda name=name: guarded.firewall(name).last_read_at != read_at[name],
            f"a look at {name}",
        )
        assert before[name] == len(guarded.cases(name)), [case.facts for case in guarded.cases(name)[-1:]]


def test_a_restart_ends_as_approved(guarded: Guarded) -> None:
    """The boot files are part of the baseline: what they make is what was approved, and nothing stays open."""
    for name in FIREWALLS:
        guarded.lab.tamper(name, "reboot")
    for name in FIREWALLS:
        assert () == guarded.differs(name), name
        until(
            lambda name=name: all(case.state is CaseState.CLOSED for case in guarded.cases(name)),
            f"no open case of {name}",
        )


@pytest.mark.parametrize(("firewall", "opens"), [("fw-acme", "ouvre"), ("fw-globex", "opens")])
def test_the_words_say_what_it_opens_in_the_contacts_language(
    guarded: Guarded, firewall: str, opens: str
) -> None:
    """An open port is named with its server and address, in French to the French, in English to the English."""
    case = guarded.tamper_all({firewall: "open-port"})[firewall]
    (mail,) = until(lambda: guarded.mails(CONTACT[firewall], case.number), f"the mail about {case.number}")
    text = " ".join(text_of(mail).split())
    client = firewall.removeprefix("fw-")
    assert f"{opens} tcp/8080" in text
    assert f"10.20.0.11 ({client}-web)" in text
    assert "7.1.1" in text


def test_two_changes_while_one_is_being_restored_end_restored(guarded: Guarded) -> None:
    """Whatever the client does meanwhile, every case is closed and the firewall is as approved."""
    before = {name: len(guarded.cases(name)) for name in FIREWALLS}
    for way in ("add-rule", "add-redirection", "allow-all", "policy"):
        for name in FIREWALLS:
            until(lambda name=name, way=way: _done(guarded, name, way), f"{way} of {name}")
    for name in FIREWALLS:
        until(lambda name=name: not guarded.differs(name), f"{name} as approved")
        until(
            lambda name=name: all(case.state is CaseState.CLOSED for case in guarded.cases(name)),
            f"the cases of {name} closed",
        )
        cases = guarded.cases(name)[before[name] :]
        assert 1 <= len(cases) <= 4
        assert all(any(move.event is CaseEvent.RESTORED for move in case.moves) for case in cases)


def _done(guarded: Guarded, name: str, way: str) -> bool:
    """Tamper; a NETCONF device refuses everyone but us for the moment that we write."""
    try:
        guarded.lab.tamper(name, way)
    except DeviceError as error:
        if "locked" in str(error) or "confirmed-commit pending" in str(error):
            return False
        raise
    return True
