"""A firewall that cannot be read: a clear state and message, tried again with backoff, guarded again after."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest
from guarded import CONTACT, FIREWALLS, Guarded, text_of, until

from fwguard.lab.tamper import script
from fwguard.model.case import CaseKind, CaseState
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import FirewallRow, WatchState

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
Fault = Callable[[str, str, str], AbstractContextManager[None]]
Gated = Callable[[str, str], AbstractContextManager[None]]
DESK = "claire@operator.example"
KEYS = "/root/.ssh/authorized_keys"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HALF = 'case $SSH_ORIGINAL_COMMAND in read) "$0.real" | head -c 900; exit 0;; esac'
FAILS = "case $SSH_ORIGINAL_COMMAND in read) echo 'no whole reading: nft: exit 1' >&2; exit 70;; esac"


def unreachable(guarded: Guarded, name: str) -> FirewallRow:
    """Wait until the controller has failed to read a firewall twice, and return what it knows."""
    until(
        lambda: (
            guarded.firewall(name).state is WatchState.UNREACHABLE and guarded.firewall(name).failures >= 2
        ),
        f"{name} unreachable",
    )
    return guarded.firewall(name)


def open_cases(guarded: Guarded, name: str, kind: CaseKind) -> list[CaseRow]:
    return [case for case in guarded.cases(name, kind) if case.state is CaseState.OPEN]


def way_of(guarded: Guarded, name: str, begin: str, end: str) -> tuple[str, str]:
    """Return two of the lab's ways as scripts."""
    firewall = guarded.lab.firewall(name)
    return script(firewall, begin), script(firewall, end)


def test_firewalls_that_are_off_are_called_for_and_guarded_when_they_are_back(
    guarded: Guarded, broken: Fault
) -> None:
    """After five tries a case and a call to the staff; what the client did meanwhile is undone afterwards."""
    drifts = {name: len(guarded.cases(name)) for name in FIREWALLS}
    with ExitStack() as faults:
        for name in FIREWALLS:
            faults.enter_context(broken(name, *way_of(guarded, name, "off", "on")))
            guarded.lab.tamper(name, "add-rule")
        for name in FIREWALLS:
            row = unreachable(guarded, name)
            assert name in row.last_error
            until(lambda name=name: open_cases(guarded, name, CaseKind.UNREACHABLE), f"a case of {name}")
            (case,) = open_cases(guarded, name, CaseKind.UNREACHABLE)
            until(lambda case=case: guarded.mails(DESK, case.number), "a call to the staff")
            assert drifts[name] == len(guarded.cases(name))
    for name in FIREWALLS:
        until(lambda name=name: not open_cases(guarded, name, CaseKind.UNREACHABLE), "the case closed")
        until(lambda name=name: len(guarded.cases(name)) == drifts[name] + 1, "the drift seen")


@pytest.mark.parametrize("name", ["fw-acme", "fw-initech"])
def test_a_firewall_that_hangs_holds_nobody_up(guarded: Guarded, broken: Fault, name: str) -> None:
    """Its session ends at the deadline, the others are guarded meanwhile, and it is again once it answers."""
    with broken(name, *way_of(guarded, name, "hang", "wake")):
        guarded.tamper_all({"fw-globex": "add-rule"})
        assert name in unreachable(guarded, name).last_error
    until(lambda: guarded.firewall(name).failures == 0, f"{name} read again")
    guarded.tamper_all({name: "add-rule"})


@pytest.mark.parametrize(
    ("text", "said"), [(HALF, "without its last line"), (FAILS, "nft: exit 1")], ids=["half", "tool"]
)
def test_nothing_is_restored_from_half_a_listing(
    guarded: Guarded, gated: Gated, text: str, said: str
) -> None:
    """It is no reading: no case of drift, no write; the drift that is really there is undone afterwards."""
    before = len(guarded.cases("fw-acme"))
    with gated("fw-acme", text):
        guarded.lab.tamper("fw-acme", "add-rule")
        row = unreachable(guarded, "fw-acme")
        assert said in row.last_error
        ruleset = guarded.lab.run("fw-acme", ["nft", "list", "ruleset"]).stdout
        assert "tcp dport 8080 accept" in ruleset
        assert before == len(guarded.cases("fw-acme"))
    until(lambda: guarded.firewall("fw-acme").failures == 0, "read again")
    until(lambda: len(guarded.cases("fw-acme")) == before + 1, "the drift seen")


@pytest.mark.parametrize("name", ["fw-acme", "fw-initech"])
def test_a_firewall_that_rejects_our_key_says_so(guarded: Guarded, broken: Fault, name: str) -> None:
    """The message names the file to look at; with the key back it is guarded again."""
    begin = f"cp -p {KEYS} /root/saved\n: > {KEYS}\npkill -f '^sshd: [a-z]' || :\n"
    with broken(name, begin, f"mv /root/saved {KEYS}\n"):
        row = unreachable(guarded, name)
        assert "key" in row.last_error
        assert "authorized_keys" in row.last_error
    until(lambda: guarded.firewall(name).failures == 0, "read again")
    guarded.tamper_all({name: "add-rule"})


@pytest.mark.parametrize("name", ["fw-globex", "fw-initech"])
def test_a_changed_host_key_is_refused_with_a_case(guarded: Guarded, broken: Fault, name: str) -> None:
    """No session with whoever shows it: nothing is read or written; client and staff are told at once."""
    end = f"mv /root/saved {HOST_KEY}\npkill -HUP -o sshd\n"
    begin, _ = way_of(guarded, name, "new-host-key", "on")
    drifts = len(guarded.cases(name))
    with broken(name, f"cp -p {HOST_KEY} /root/saved\n{begin}\npkill -f '^sshd: [a-z]' || :\n", end):
        (case,) = until(lambda: open_cases(guarded, name, CaseKind.HOST_KEY), "a case")
        assert "7.1" == case.clause
        (mail,) = until(lambda: guarded.mails(CONTACT[name], case.number), "the mail to the client")
        assert "SHA256:" in text_of(mail)
        until(lambda: guarded.mails(DESK, case.number), "a call to the staff")
        assert WatchState.UNREACHABLE is guarded.firewall(name).state
        guarded.lab.tamper(name, "add-rule")
        tries = guarded.firewall(name).failures
        until(lambda: guarded.firewall(name).failures > tries + 1, "tried again")
        assert drifts == len(guarded.cases(name))
    until(lambda: guarded.cases(name, CaseKind.HOST_KEY)[-1].state is CaseState.CLOSED, "the case closed")
    until(lambda: len(guarded.cases(name)) == drifts + 1, "the drift seen")
