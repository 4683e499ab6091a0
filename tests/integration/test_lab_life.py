"""Up, down, crashes in between, two at once, twenty firewalls: nothing is left behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwguard.errors import ConflictError, DeviceError, InputError
from fwguard.lab import namespaces, run_state
from fwguard.lab.platform import Lab

pytestmark = pytest.mark.integration


@pytest.fixture
def run() -> Iterator[str]:
    """A name for a platform of the test's own, which is ended whatever happens."""
    name = f"t{secrets.token_hex(3)}"
    yield name
    run_state.destroy(name)


def traces(run: str) -> list[str]:
    """Return everything on this machine that bears the name of a run."""
    found = namespaces.existing(f"fwg-{run}-")
    found += [name for name in run_state.runs() if name == run]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"-{run}-" in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if f"/{run}/" in words or f"-{run}-" in words:
                found.append(words)
    return found


def test_down_leaves_no_namespace_process_mount_or_file(run: str) -> None:
    """Everything that up made bears the run's name, and is gone."""
    lab = Lab.up(run, firewalls=2, bound=True)
    processes = namespaces.processes_in(namespaces.existing(f"fwg-{run}-"))
    assert traces(run)
    lab.down()
    assert [] == traces(run)
    assert [] == [pid for pid in processes if _alive(pid)]
    lab.down()  # again is no error


def gone(run: str) -> bool:
    """Tell whether nothing of a dead run is left; another process may be ending it at this moment."""
    deadline = time.monotonic() + 10
    while traces(run) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not traces(run)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_runs_stand_side_by_side(run: str) -> None:
    """With the same addresses, and neither's end touches the other."""
    other = f"{run}b"
    first, second = Lab.up(run, firewalls=1, bound=True), Lab.up(other, firewalls=1, bound=True)
    try:
        assert first.connect("internet", "192.0.2.10", 80, timeout_s=5)
        first.tamper("fw-acme", "open-port")
        assert first.connect("internet", "192.0.2.10", 8080, timeout_s=5)
        assert not second.connect("internet", "192.0.2.10", 8080, timeout_s=0.4)
        first.down()
        assert second.connect("internet", "192.0.2.10", 80, timeout_s=5)
    finally:
        second.down()
    assert [] == traces(other)


def test_a_name_that_is_taken_is_refused_and_its_owner_unharmed(run: str) -> None:
    """The message says how to end the other."""
    lab = Lab.up(run, firewalls=1, bound=True)
    with pytest.raises(ConflictError, match=f"lab down --run {run}"):
        Lab.up(run, firewalls=1)
    assert lab.connect("internet", "192.0.2.10", 80, timeout_s=5)


@pytest.mark.parametrize("when", ["in the middle", "when it is up"])
def test_what_a_killed_creator_leaves_is_ended_by_the_next(run: str, when: str) -> None:
    """kill -9 at any time: the next `up` and any `down` clean."""
    script = (
        "import sys, time; from fwguard.lab import construction; from fwguard.lab.platform import Lab\n"
        "wait = lambda *_: (print('now', flush=True), time.sleep(60))\n"
        + ("construction._configure_hosts = wait\n" if when == "in the middle" else "")
        + f"Lab.up({run!r}, firewalls=2, bound=True); wait()"
    )
    creator = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert creator.stdout is not None
    assert b"now\n" == creator.stdout.readline()
    assert run not in run_state.sweep()  # its creator lives
    assert traces(run)
    creator.send_signal(signal.SIGKILL)
    creator.wait()
    creator.stdout.close()
    run_state.sweep()
    assert gone(run)


def test_namespaces_without_any_state_are_ended_too(run: str) -> None:
    """Even when the state was lost."""
    namespaces.create([f"fwg-{run}-edge"])
    run_state.sweep()
    assert gone(run)


def test_a_start_that_fails_leaves_nothing(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A boot that ends with an error ends the whole platform, and says what was printed."""
    monkeypatch.setattr("fwguard.lab.firewall_files.SYSCTL_TEXT", "net.no_such = 1\n")
    with pytest.raises(Exception, match="no_such"):
        Lab.up(run, firewalls=1)
    assert [] == traces(run)


def test_twenty_firewalls_come_up_and_carry_traffic(run: str) -> None:
    """Each with its own server behind the one prefix."""
    lab = Lab.up(run, firewalls=20, bound=True)
    for firewall in lab.plan.firewalls[-3:]:
        answer = lab.greeting("internet", firewall.public4[0], 80, timeout_s=5)
        assert f"{firewall.servers[0].name} port=80 peer=198.51.100.10" == answer
        assert lab.connect("internet", firewall.public6[0], 80, timeout_s=5)
    lab.down()
    assert [] == traces(run)


def test_a_host_that_has_ended_is_not_entered(run: str) -> None:
    """Its number may be another process's by now."""
    lab = Lab.up(run, firewalls=1, bound=True)
    os.kill(lab.state.inits["fw-acme"], signal.SIGKILL)
    assert _ended(lab.state.inits["fw-acme"])
    with pytest.raises(DeviceError, match="fw-acme is not running"):
        lab.command("fw-acme", ["true"])


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not _alive(pid)


def test_any_process_can_attach_to_what_is_up(run: str) -> None:
    """By name; what is not there is named as missing."""
    Lab.up(run, firewalls=1, bound=True)
    assert Lab.attach(run).connect("internet", "192.0.2.10", 80, timeout_s=5)
    with pytest.raises(InputError, match="no lab 'nosuch'"):
        Lab.attach("nosuch")
