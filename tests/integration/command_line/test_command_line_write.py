"""Writing over a real command line: put back, saved, refused, taken back when nobody confirms."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fwguard.devices.command_line.device import CommandLineDevice
from fwguard.dialects.frr import FRR
from fwguard.errors import CommitRefusedError, NotAllowedError, NotPendingError, PreimageMovedError
from fwguard.lab.routing_alone import RoutingSite
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("command-line")]
Issue = Callable[[Snapshot, Snapshot], Warrant]
DRIFT = (
    "ip route 10.99.0.0/16 10.20.0.66",
    "no ipv6 route fd80::/64 fd20::9",
    "ip route 10.80.0.0/16 10.20.0.9 tag 7",
    "no ip route 10.80.0.0/16 10.20.0.9",
    "ip route 10.80.0.0/16 10.20.0.77 20",
    "router bgp 65000",
    "hostname evil",
)


def same(one: Snapshot, other: Snapshot, *parts: str) -> bool:
    """Tell whether two readings are the same firewall."""
    return all(FRR.canonical(one.get(part)) == FRR.canonical(other.get(part)) for part in parts)


@pytest.mark.parametrize("version", [4, 6])
def test_puts_the_approved_state_back_and_saves_it(
    site: RoutingSite, warrant_for: Issue, version: int
) -> None:
    """Routes added, taken away and sent elsewhere, another name, in what runs and what starts; and the
    kernel follows."""
    endpoint = site.endpoint if version == 4 else site.endpoint6
    approved = site.connect(endpoint).read()
    site.enter(*(line for line in DRIFT if "bgp" not in line))
    site.run_inside("sh", "-c", "echo 'ip route 10.98.0.0/16 10.20.0.5' >> /etc/frr/frr.conf")
    device = site.connect(endpoint)
    held = device.read()
    warrant = warrant_for(held, approved)
    site.at_controller(lambda: device.apply(held, approved, warrant=warrant, confirm_s=30))
    fresh = site.connect(endpoint)
    assert same(approved, fresh.read(), "running")
    assert "10.98.0.0/16" in fresh.read().get("startup")
    fresh.confirm(warrant)
    assert same(approved, fresh.read(), "running", "startup")
    assert site.kernel_gets("10.80.0.0/16") and site.kernel_gets("fd80::/64")
    assert site.kernel_loses("10.99.0.0/16")


def test_a_boot_file_alone_is_put_back(site: RoutingSite, warrant_for: Issue) -> None:
    """Nothing that runs is touched for it."""
    device = site.connect()
    approved = device.read()
    site.run_inside("sh", "-c", "echo 'ip route 10.98.0.0/16 10.20.0.5' > /etc/frr/frr.conf")
    held = device.read()
    warrant = warrant_for(held, approved)
    device.apply(held, approved, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert same(approved, device.read(), "running", "startup")


def changed(snapshot: Snapshot, line: str) -> Snapshot:
    """Return a state with one line more, running and saved."""
    text = snapshot.get("running").replace("!\nend\n", f"{line}\n!\nend\n")
    return Snapshot({"running": text, "startup": text})


def test_what_nobody_confirms_is_taken_back(site: RoutingSite, warrant_for: Issue) -> None:
    """By our own timer, over a session of its own, since FRR has none; the boot file never knew of it."""
    device = site.connect()
    before = device.read()
    after = changed(before, "ip route 10.70.0.0/16 10.20.0.9")
    warrant = warrant_for(before, after)
    site.at_controller(lambda: device.apply(before, after, warrant=warrant, confirm_s=1))
    assert site.kernel_gets("10.70.0.0/16")
    device.close()
    assert site.kernel_loses("10.70.0.0/16")
    fresh = site.connect()
    assert before == fresh.read()
    with pytest.raises(NotPendingError):
        fresh.confirm(warrant)


def test_rolls_back_when_told(site: RoutingSite, warrant_for: Issue) -> None:
    """From another session than the one that wrote."""
    device = site.connect()
    before = device.read()
    after = changed(before, "ipv6 route fd70::/64 fd20::9")
    warrant = warrant_for(before, after)
    site.at_controller(lambda: device.apply(before, after, warrant=warrant, confirm_s=30))
    site.connect().roll_back(warrant)
    assert before == device.read()
    with pytest.raises(NotPendingError):
        device.roll_back(warrant)


def test_a_refused_line_leaves_nothing_behind(site: RoutingSite, warrant_for: Issue) -> None:
    """The lines before it are taken back too."""
    device = site.connect()
    before = device.read()
    after = changed(before, "ip route 10.70.0.0/16 10.20.0.9\nip route 10.71.0.0/16 300.1.1.1 x y z")
    warrant = warrant_for(before, after)
    with pytest.raises(CommitRefusedError, match=r"300\.1\.1\.1"):
        site.at_controller(lambda: device.apply(before, after, warrant=warrant, confirm_s=30))
    assert before == device.read()
    assert site.kernel_loses("10.70.0.0/16")


def test_another_state_than_the_approved_one_is_not_written_over(
    site: RoutingSite, warrant_for: Issue
) -> None:
    """It was read, and then changed again."""
    device = site.connect()
    before = device.read()
    after = changed(before, "ip route 10.70.0.0/16 10.20.0.9")
    site.enter("ip route 10.99.0.0/16 10.20.0.66")
    with pytest.raises(PreimageMovedError):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert "10.70.0.0/16" not in device.read().get("running")


def test_a_warrant_for_something_else_writes_nothing(site: RoutingSite, warrant_for: Issue) -> None:
    """Only exactly what it names."""
    device = site.connect()
    before = device.read()
    after = changed(before, "ip route 10.70.0.0/16 10.20.0.9")
    with pytest.raises(NotAllowedError):
        device.apply(before, after, warrant=warrant_for(after, before), confirm_s=30)
    assert before == device.read()


def test_a_start_other_than_what_runs_is_refused(site: RoutingSite, warrant_for: Issue) -> None:
    """A command line saves what runs and nothing else; that is said before anything is written."""
    device = site.connect()
    before = device.read()
    after = Snapshot(
        {**before.parts, "running": changed(before, "ip route 10.70.0.0/16 10.20.0.9").get("running")}
    )
    with pytest.raises(CommitRefusedError, match="only saves what runs"):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert before == device.read()


def test_another_process_knows_nothing_of_a_write(site: RoutingSite, warrant_for: Issue) -> None:
    """As after a kill: the flow is told to read, and puts the approved state back."""
    device = site.connect()
    state = device.read()
    with pytest.raises(NotPendingError, match="another process"):
        device.confirm(warrant_for(state, state))
    assert isinstance(device, CommandLineDevice)
