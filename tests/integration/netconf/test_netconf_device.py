"""A real netconfd is read, written, undone and confirmed over a real sshd."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ncclient.manager import Manager

from fwguard.devices.netconf import NetconfDevice
from fwguard.devices.netconf_session import PinnedSession
from fwguard.dialects.ietf import IETF
from fwguard.errors import (
    AuthenticationError,
    CommitRefusedError,
    DeviceError,
    DeviceUnreachableError,
    HostKeyChangedError,
    NotAllowedError,
    PreimageMovedError,
)
from fwguard.lab import namespaces
from fwguard.lab.firewall_box import KeyPair
from fwguard.lab.netconf_alone import Site
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.ports import TCP
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant

pytestmark = pytest.mark.integration

CHANGE = Change(
    tag="CHG-7",
    openings=(
        Opening(
            protocol=TCP,
            source=AddressSet.parse("any"),
            target=AddressSet.parse("10.20.0.11", "fd20::11"),
            ports=Intervals.single(8080),
        ),
    ),
    redirections=(
        Redirection(protocol=TCP, public="192.0.2.30", public_port=8080, inner="10.20.0.11", inner_port=8080),
        Redirection(
            protocol=TCP, public="2001:db8:0:3::1", public_port=8080, inner="fd20::11", inner_port=8080
        ),
    ),
)


def _after(before: Snapshot) -> Snapshot:
    return IETF.write(CHANGE, before).after


def _warrant(site: Site, before: Snapshot, after: Snapshot) -> Warrant:
    return Warrant(
        id=f"w-{secrets.token_hex(4)}", ground=Ground.APPROVED_CHANGE, clause="7.1.1", author="ana",
        reason="test", subject=f"firewall:{site.plan.name}", before=before.digest, after=after.digest,
        issued_at=datetime.now(UTC),
    )  # fmt: skip


def _same(left: Snapshot, right: Snapshot) -> bool:
    return IETF.canonical(left) == IETF.canonical(right)


def _idle(seconds: float) -> None:
    """Leave netconfd alone: it looks at its timer only in a second without requests."""
    time.sleep(seconds)


def test_two_readings_are_equal_and_whole(site: Site) -> None:
    """The same text by two sessions; both datastores, every entry, mapping and route of the lab, none unread."""
    first, second = site.connect().read(), site.connect().read()
    policy = IETF.policy(first)
    assert first == second
    assert {"running", "startup"} == set(first.parts)
    assert (24, 13, 6, ()) == (policy.rule_count, len(policy.nat), len(policy.routes), policy.unread)


def test_a_confirmed_change_stands_in_running_and_startup_and_carries_traffic(site: Site) -> None:
    """What failed before works, v4 and v6, and the change taken away closes it again."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    warrant = _warrant(site, before, after)
    closed = [site.reaches(8080), site.reaches(8080, v6=True)]
    device.apply(before, after, warrant=warrant, confirm_s=30)
    fresh = site.connect()
    seen = fresh.read()
    fresh.confirm(warrant)
    open_now = [site.eventually_reaches(8080), site.eventually_reaches(8080, v6=True)]
    removed = IETF.write(replace(CHANGE, remove=True), seen).after
    warrant = _warrant(site, seen, removed)
    fresh.apply(seen, removed, warrant=warrant, confirm_s=30)
    fresh.confirm(warrant)
    closed_again = [site.eventually_refuses(8080), site.eventually_refuses(8080, v6=True)]
    assert [False, False] == closed
    assert _same(after, seen)
    assert [True, True] == open_now
    assert [True, True] == closed_again
    assert _same(before, fresh.read())


def test_an_unconfirmed_write_is_undone_by_the_device(site: Site) -> None:
    """Running comes back by itself; startup, which has no timer, still shows the write to the next reading."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=2)
    device.close()
    _idle(5)
    seen = site.connect().read()
    assert IETF.canonical(before)["running"] == IETF.canonical(seen)["running"]
    assert IETF.canonical(after)["startup"] == IETF.canonical(seen)["startup"]


def test_a_session_that_stays_does_not_hinder_the_device_from_undoing(site: Site) -> None:
    """Our lock on running is gone with the commit: netconfd could not go back under it."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=2)
    _idle(5)
    assert IETF.canonical(before)["running"] == IETF.canonical(device.read())["running"]


def test_a_line_cut_after_the_commit_leaves_a_write_that_is_undone(site: Site) -> None:
    """Nothing needs us or the line any more."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=2)
    namespaces.ip_batch(["link set mgmt0 down"], netns=site.netns("fw"))
    _idle(5)
    namespaces.ip_batch(["link set mgmt0 up"], netns=site.netns("fw"))
    assert IETF.canonical(before)["running"] == IETF.canonical(site.connect().read())["running"]


def test_roll_back_undoes_running_and_startup_from_another_session(site: Site) -> None:
    """At once, and the warrant is of no use afterwards."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    warrant = _warrant(site, before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    other = site.connect()
    other.roll_back(warrant)
    assert _same(before, other.read())
    with pytest.raises(DeviceError, match="waits to be confirmed"):
        other.confirm(warrant)


def test_confirming_too_late_is_an_error(site: Site) -> None:
    """The timer of the device decided first."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    warrant = _warrant(site, before, after)
    device.apply(before, after, warrant=warrant, confirm_s=1)
    _idle(4)
    with pytest.raises(DeviceError, match="waits to be confirmed"):
        device.confirm(warrant)


def test_a_baseline_is_put_back_whole_after_a_flush(site: Site) -> None:
    """The client took lists and NAT away: both come back, in both datastores, and filter again."""
    device = site.connect()
    baseline = device.read()
    site.tamper("flush")
    drifted = device.read()
    warrant = _warrant(site, drifted, baseline)
    device.apply(drifted, baseline, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert not _same(baseline, drifted)
    assert _same(baseline, device.read())
    assert site.eventually_reaches(443)


def test_drift_of_startup_alone_is_read_and_put_back(site: Site) -> None:
    """The boot state is part of the baseline."""
    device = site.connect()
    baseline = device.read()
    site.tamper("boot-file")
    drifted = device.read()
    warrant = _warrant(site, drifted, baseline)
    device.apply(drifted, baseline, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert baseline.get("running") == drifted.get("running")
    assert baseline.get("startup") != drifted.get("startup")
    assert _same(baseline, device.read())


def test_datastores_that_differ_are_put_back_as_they_were(site: Site) -> None:
    """A baseline whose startup is another than its running is legitimate."""
    device = site.connect()
    clean = device.read()
    wanted = Snapshot({"running": clean.get("running"), "startup": _after(clean).get("startup")})
    warrant = _warrant(site, clean, wanted)
    device.apply(clean, wanted, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert _same(wanted, device.read())


def test_a_moved_preimage_writes_nothing(site: Site) -> None:
    """Somebody changed the firewall between reading and writing."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    site.tamper("add-route")
    moved = device.read()
    with pytest.raises(PreimageMovedError, match="read it again"):
        device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=30)
    assert moved == device.read()


def test_a_lock_of_another_session_is_said(site: Site) -> None:
    """The candidate is locked by somebody: nothing is written, and the message says why."""
    holder = _manager(site)
    holder.lock("candidate")
    device = site.connect()
    before = device.read()
    after = _after(before)
    with pytest.raises(CommitRefusedError, match="another session of the device holds the lock"):
        device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=30)
    holder.unlock("candidate")
    warrant = _warrant(site, before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    device.roll_back(warrant)
    assert _same(before, device.read())


def test_bad_data_is_refused_in_the_devices_words_and_nothing_stays(site: Site) -> None:
    """A list that does not exist is attached: the device says no, and holds what it held."""
    device = site.connect()
    before = device.read()
    bad = before.get("running").replace("<name>from-wan</name>", "<name>nowhere</name>", 1)
    after = Snapshot({"running": bad, "startup": bad})
    with pytest.raises(CommitRefusedError, match="refuses"):
        device.apply(before, after, warrant=_warrant(site, before, after), confirm_s=30)
    again = _after(before)
    warrant = _warrant(site, before, again)
    device.apply(before, again, warrant=warrant, confirm_s=30)
    device.roll_back(warrant)
    assert _same(before, device.read())


def test_without_its_warrant_nothing_is_written(site: Site) -> None:
    """The warrant is for another text."""
    device = site.connect()
    before = device.read()
    after = _after(before)
    with pytest.raises(NotAllowedError):
        device.apply(before, after, warrant=_warrant(site, before, before), confirm_s=30)
    assert before == device.read()


def test_another_host_key_is_refused(site: Site) -> None:
    """Before anything is sent."""
    with pytest.raises(HostKeyChangedError, match="pinned"):
        site.connect(replace(site.endpoint, host_key=KeyPair.new().public))


def test_a_key_that_the_device_does_not_know_is_named(site: Site) -> None:
    """The error says that our key was rejected."""
    with pytest.raises(AuthenticationError, match="rejects our key"):
        site.connect(replace(site.endpoint, private_key=KeyPair.new().private))


def test_a_device_that_is_off_or_hangs_is_unreachable_in_time(site: Site) -> None:
    """Off: no route. Hung: accepted by the kernel, answered by nobody."""
    endpoint = replace(site.endpoint, connect_s=1.0, answer_s=1.0)
    device = site.connect(endpoint)
    netconfd = site.run_inside("pgrep", "-x", "netconfd").strip()
    site.run_inside("kill", "-STOP", netconfd)
    started = time.monotonic()
    with pytest.raises(DeviceUnreachableError, match="did not answer in 1 s"):
        device.read()
    site.run_inside("kill", "-CONT", netconfd)
    namespaces.ip_batch(["link set mgmt0 down"], netns=site.netns("fw"))
    with pytest.raises(DeviceUnreachableError):
        site.connect(endpoint)
    assert time.monotonic() - started < 8


def _manager(site: Site) -> Manager:
    session = namespaces.inside(site.netns("controller"), lambda: PinnedSession(site.endpoint))
    return Manager(session, session.device_handler, timeout=5)


def test_the_device_implements_the_protocol(site: Site) -> None:
    """Closing twice is no error."""
    device: NetconfDevice = site.connect()
    device.close()
    device.close()
    with pytest.raises(DeviceUnreachableError):
        device.read()
