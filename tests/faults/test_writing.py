"""A write that goes wrong: never half of it, never two of it, and in the end what was approved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from guarded import CONTACT, Guarded, until

from fwguard.model.case import CaseEvent, CaseState
from fwguard.model.ticket import TicketEvent, TicketState

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
Fault = Callable[[str, str, str], AbstractContextManager[None]]
Gated = Callable[[str, str], AbstractContextManager[None]]
PORT = 8080
# nft reads as ever and refuses every file that it shall load.
REFUSE = """\
cp /usr/sbin/nft /run/nft.real
cat > /run/nft.refusing <<'EOF'
#!/bin/sh
[ "$1" != -f ] || { echo 'Error: Could not process rule: Operation not supported' >&2; exit 1; }
exec /run/nft.real "$@"
EOF
chmod 755 /run/nft.refusing
mount --bind /run/nft.refusing /usr/sbin/nft
"""
ACCEPT = "umount /usr/sbin/nft\n"
# Someone else holds the lock on running, as a client's own NETCONF session can (RFC 6241 section 7.5).
LOCK = """\
cat > /run/hold.py <<'EOF'
import time
from fwguard.lab.netconf_local import LocalSession
session = LocalSession()
session.ask("<lock><target><running/></target></lock>")
open("/run/locked", "w").close()
time.sleep(120)
EOF
cd {package} && {python} /run/hold.py > /dev/null 2>&1 &
echo $! > /run/hold.pid
until [ -e /run/locked ]; do sleep 0.05; done
"""
UNLOCK = "kill $(cat /run/hold.pid)\nrm -f /run/locked\n"
# The session dies as the confirmation arrives: before it is done, or after.
ONCE = "case $SSH_ORIGINAL_COMMAND in confirm*) if mkdir /run/dropped 2> /dev/null; then {}; fi;; esac"
LOST = ONCE.format("kill -9 $PPID; exit 1")
DONE = ONCE.format('"$0.real" > /dev/null 2>&1; kill -9 $PPID; exit 1')


def gets_in(guarded: Guarded, firewall: str) -> list[bool]:
    planned = guarded.lab.firewall(firewall)
    return [guarded.lab.connect("internet", it[0], PORT) for it in (planned.public4, planned.public6)]


def events(guarded: Guarded, number: str) -> list[TicketEvent]:
    return [move.event for move in guarded.ticket(number).moves]


def test_a_deployment_that_is_refused_leaves_nothing(guarded: Guarded, broken: Fault) -> None:
    """Tried three times, then it failed: the firewall is as approved, asker and staff are told why."""
    number = guarded.ask("acme-web", f"tcp/{PORT}", actor=CONTACT["fw-acme"])
    cases = len(guarded.cases("fw-acme"))
    with broken("fw-acme", REFUSE, ACCEPT):
        guarded.approve(number)
        ticket = guarded.wait(number, TicketState.FAILED, within_s=60)
        assert 3 == events(guarded, number).count(TicketEvent.DEPLOYMENT_STARTED)
        assert "Operation not supported" in ticket.last_error
        assert () == guarded.differs("fw-acme")
        assert [False, False] == gets_in(guarded, "fw-acme")
    until(lambda: guarded.mails(CONTACT["fw-acme"], number, "n'a pas pu"), "the asker is told")
    until(lambda: guarded.mails("claire@operator.example", number), "the staff is called")
    assert cases == len(guarded.cases("fw-acme"))


@pytest.mark.parametrize("name", ["fw-acme", "fw-initech"])
def test_a_restore_that_is_refused_is_tried_until_it_holds(
    guarded: Guarded, broken: Fault, name: str
) -> None:
    """One case, open as long as the drift is there, with every failure in it."""
    begin, end = (REFUSE, ACCEPT) if name == "fw-acme" else (locking(), UNLOCK)
    before = len(guarded.cases(name))
    guarded.room.stop()
    guarded.lab.tamper(name, "add-rule")
    with broken(name, begin, end):
        guarded.room.start()
        until(
            lambda: [
                move
                for case in guarded.cases(name)[before:]
                for move in case.moves
                if move.event is CaseEvent.RESTORE_FAILED
            ][1:],
            "two failures",
        )
    until(lambda: guarded.cases(name)[-1].state is CaseState.CLOSED, "restored")
    assert before + 1 == len(guarded.cases(name))
    assert CaseEvent.RESTORED is guarded.cases(name)[-1].moves[-1].event


@pytest.mark.parametrize("text", [LOST, DONE], ids=["before", "after"])
def test_a_line_that_drops_at_the_confirmation_of_a_deployment(
    guarded: Guarded, gated: Gated, text: str
) -> None:
    """Our own write is never taken for the client's: no case; it is opened once."""
    name = "fw-acme"
    guarded.lab.run(name, ["rm", "-rf", "/run/dropped"])
    number = guarded.ask("acme-web", f"tcp/{PORT}", actor=CONTACT[name])
    cases = len(guarded.cases(name))
    with gated(name, text):
        guarded.approve(number)
        guarded.wait(number, TicketState.OPEN)
        assert [True, True] == gets_in(guarded, name)
    assert 1 == guarded.lab.run(name, ["ls", "/run"]).stdout.split().count("dropped")
    assert 1 == events(guarded, number).count(TicketEvent.DEPLOYED)
    guarded.close(number)
    assert [False, False] == gets_in(guarded, name)
    assert cases == len(guarded.cases(name))


@pytest.mark.parametrize("text", [LOST, DONE], ids=["before", "after"])
def test_a_line_that_drops_at_the_confirmation_of_a_restore(
    guarded: Guarded, gated: Gated, text: str
) -> None:
    """One case, closed as restored, and the firewall stays restored when its timer would have run out."""
    name = "fw-globex"
    guarded.lab.run(name, ["rm", "-rf", "/run/dropped"])
    with gated(name, text):
        case = guarded.tamper_all({name: "add-rule"})[name]
        assert CaseEvent.RESTORED is case.moves[-1].event
    until(lambda: "pending" not in guarded.lab.run(name, ["ls", "/run/fwguard"]).stdout, "nothing pending")
    assert () == guarded.differs(name)


def test_a_line_that_drops_after_a_netconf_commit(guarded: Guarded) -> None:
    """The device goes back by itself or is confirmed: in the end it is open, once, without a case."""
    name = "fw-initech"
    number = guarded.ask("initech-web", f"tcp/{PORT}", actor=CONTACT[name])
    cases = len(guarded.cases(name))
    mgmt6 = guarded.lab.firewall(name).mgmt6
    drop = (
        "nft monitor rules | { read -r _; ip link set mgmt0 down; sleep 6; ip link set mgmt0 up;"
        f" ip addr replace {mgmt6}/64 dev mgmt0 nodad; }}"
    )
    guarded.lab.run(name, ["sh", "-c", f"({drop}) > /dev/null 2>&1 &"])
    guarded.approve(number)
    guarded.wait(number, TicketState.OPEN, within_s=60)
    assert [True, True] == gets_in(guarded, name)
    assert 1 == events(guarded, number).count(TicketEvent.DEPLOYED)
    guarded.close(number)
    assert [False, False] == gets_in(guarded, name)
    assert cases == len(guarded.cases(name))


def locking() -> str:
    """Return the script that holds the lock with this interpreter and package."""
    import sys
    from pathlib import Path

    import fwguard

    return LOCK.format(package=Path(fwguard.__file__).parents[1], python=sys.executable)
