"""A kill, or a line that drops, at every step of every write: it goes on, and the end is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fwguard.errors import DeviceError, DeviceUnreachableError
from fwguard.model.case import CaseState
from fwguard.model.ticket import TicketState
from fwguard.store.approved import current_baseline
from fwguard.store.inventory import firewall_named
from fwguard.store.verify import verify
from fwguard.store.warrants import unfinished_warrants

HOLE = ("tcp dport 80 accept", "tcp dport { 80, 3306 } accept")
# Where the two kinds of device differ: what they say when a write is confirmed again.
STEPS = [
    *(("gate", step) for step in ("connect", "read", "before apply", "after apply")),
    *((device, step) for device in ("gate", "netconf") for step in ("before confirm", "after confirm")),
]
TIMERS = pytest.mark.parametrize("timer", ["in time", "timer ran out"])
WRITES = pytest.mark.parametrize("what", ["restore", "deploy", "end"])


class Killed(BaseException):
    """The process dies here."""


def begin(scene: Any, what: str, device: str) -> tuple[str, str]:
    """Bring a scene to where only the write is missing; return the approved text and the ticket."""
    scene.firewall.forgets = device == "netconf"
    scene.approve_baseline()
    approved = scene.firewall.now.get("nft")
    number = ""
    if what == "restore":
        scene.tampered(*HOLE)
    else:
        number = scene.ask("443", ends_in=timedelta(days=10))
        scene.decide(number, *scene.enough(number))
    if what == "end":
        scene.look()
        scene.clock.at += timedelta(days=11)
    return approved, number


def once(scene: Any, step: str, error: BaseException) -> Callable[[str, int], None]:
    """Return what makes the first call of this name fail."""

    def fail(name: str, _count: int) -> None:
        if name == step:
            scene.firewall.on_call = lambda name, count: None
            raise error

    return fail


def check_the_end(scene: Any, what: str, approved: str, number: str) -> None:
    """The firewall, the tables, the log and the mails say what they say without any interruption."""
    assert not scene.firewall.unconfirmed
    if what == "deploy":
        assert scene.state(number) is TicketState.OPEN
        assert "tcp dport 443 accept" in scene.firewall.now.get("nft")
    else:
        assert approved == scene.firewall.now.get("nft")
    if what == "end":
        assert scene.state(number) is TicketState.CLOSED
    mails = Counter(scene.mails())
    if what == "restore":
        assert [CaseState.CLOSED] == [case.state for case in scene.cases()]
        assert {"drift-restored": 1} == mails
    else:
        assert [] == scene.cases()
        assert {1} == set(mails.values())
    with scene.house.store.reading() as session:
        row = current_baseline(session, firewall_named(session, "fw-acme").id)
        assert row is not None
        assert scene.firewall.now.get("nft") == row.snapshot.get("nft")
        assert [] == list(unfinished_warrants(session, "firewall:fw-acme"))
        assert verify(session).is_whole


@TIMERS
@pytest.mark.parametrize(("device", "step"), STEPS)
@WRITES
def test_a_kill_at_any_step_is_gone_on_from(
    scene: Any, what: str, step: str, device: str, timer: str
) -> None:
    """Killed anywhere and started again, also after the device undid the write: the end is the same."""
    approved, number = begin(scene, what, device)
    scene.firewall.on_call = once(scene, step, Killed())
    with pytest.raises(Killed):
        scene.look()
    if timer != "in time":
        scene.firewall.time_runs_out()
    scene.house = scene.restart()
    scene.clock.at += timedelta(seconds=scene.house.settings.lease_s + 1)  # the dead one's lock runs out
    scene.look(12)
    check_the_end(scene, what, approved, number)


@TIMERS
@pytest.mark.parametrize(("device", "step"), STEPS)
@WRITES
def test_a_line_that_drops_at_any_step_is_gone_on_from(
    scene: Any, what: str, step: str, device: str, timer: str
) -> None:
    """What is not known to have failed is looked at again: our own write is never the client's drift."""
    approved, number = begin(scene, what, device)
    scene.firewall.on_call = once(scene, step, DeviceUnreachableError("the line broke"))
    scene.look(1)
    if timer != "in time":
        scene.firewall.time_runs_out()
    for _ in range(6):
        scene.look(1)
    check_the_end(scene, what, approved, number)


@WRITES
def test_a_timer_that_runs_out_between_reading_and_confirming_is_no_success(scene: Any, what: str) -> None:
    """After a drop the device goes back just as it is asked to stay: it is written again."""
    approved, number = begin(scene, what, "gate")
    scene.firewall.on_call = once(scene, "before confirm", DeviceUnreachableError("the line broke"))
    scene.look(1)

    def late(name: str, _count: int) -> None:
        if name == "before confirm":
            scene.firewall.on_call = lambda name, count: None
            scene.firewall.time_runs_out()

    scene.firewall.on_call = late
    for _ in range(6):
        scene.look(1)
    check_the_end(scene, what, approved, number)


def test_a_line_that_drops_at_every_deployment_ends_the_ticket(scene: Any) -> None:
    """Tried three times; each time the device undid it; then the asker and the staff are told."""
    approved, number = begin(scene, "deploy", "gate")

    def drop(name: str, _count: int) -> None:
        if name == "after apply":
            scene.firewall.time_runs_out()
            raise DeviceError("the line broke during a write")

    scene.firewall.on_call = drop
    for _ in range(6):
        scene.look(1)
    assert (TicketState.FAILED, approved) == (scene.state(number), scene.firewall.now.get("nft"))
    assert "the line broke during a write" in scene.ticket(number).last_error
    assert [] == scene.cases()
    assert "opening-failed" == scene.mails()[-1]
    assert "staff-call" in scene.mails("bob@host.example")


@pytest.mark.parametrize("what", ["deploy", "end"])
def test_a_device_that_undoes_half_of_a_write_is_nobodys_drift(scene: Any, what: str) -> None:
    """A timer of NETCONF takes running back and leaves startup: put back without a case, then done anew."""
    boot = "boot/nftables.conf"
    scene.firewall.now = scene.firewall.now.with_parts({boot: scene.firewall.now.get("nft")})
    approved, number = begin(scene, what, "netconf")
    scene.firewall.on_call = once(scene, "after apply", DeviceUnreachableError("the line dropped"))
    scene.look(1)
    left = scene.firewall.now.get(boot)
    scene.firewall.time_runs_out()
    assert left != scene.firewall.now.get(boot)
    scene.firewall.now = scene.firewall.now.with_parts({boot: left})
    scene.look(12)
    check_the_end(scene, what, approved, number)
    assert scene.firewall.now.get("nft") == scene.firewall.now.get(boot)


@pytest.mark.parametrize("what", ["deploy", "end"])
def test_a_line_that_drops_in_the_middle_of_a_write_is_nobodys_drift(scene: Any, what: str) -> None:
    """One part is written, its timer runs, the other part never arrived: undone without a case, done anew."""
    boot = "boot/nftables.conf"
    scene.firewall.now = scene.firewall.now.with_parts({boot: scene.firewall.now.get("nft")})
    approved, number = begin(scene, what, "netconf")
    before = scene.firewall.now.get(boot)
    scene.firewall.on_call = once(scene, "after apply", DeviceUnreachableError("the line dropped"))
    scene.look(1)
    assert scene.firewall.unconfirmed
    scene.firewall.now = scene.firewall.now.with_parts({boot: before})
    scene.look(12)
    check_the_end(scene, what, approved, number)
    assert scene.firewall.now.get("nft") == scene.firewall.now.get(boot)
