"""When a run is dead."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from fwguard.errors import InputError
from fwguard.lab.run_state import RunState, exists, process_start

OURS = RunState(
    run="unittest",
    firewalls=1,
    kinds=("nftables",),
    phase="starting",
    creator=os.getpid(),
    creator_start=process_start(os.getpid()) or 0,
    bound=False,
)


def test_a_start_in_progress_is_alive() -> None:
    """Its creator runs."""
    assert not OURS.is_dead


def test_a_start_whose_creator_ended_is_dead() -> None:
    """A crash in the middle."""
    with subprocess.Popen(["sleep", "60"]) as child:
        started = process_start(child.pid)
        child.kill()
    assert replace(OURS, creator=child.pid, creator_start=started or 0).is_dead


def test_another_process_with_the_creators_number_is_not_the_creator() -> None:
    """Numbers are used again; the time of the start tells."""
    assert replace(OURS, creator_start=OURS.creator_start + 1).is_dead


def test_a_bound_run_lives_as_long_as_its_creator() -> None:
    """A test's or a demo's platform ends with it."""
    up = replace(OURS, phase="up", bound=True)
    assert not up.is_dead
    assert replace(up, creator_start=1).is_dead


def test_a_run_without_namespaces_is_dead() -> None:
    """The machine was restarted, or somebody took them away."""
    assert replace(OURS, phase="up").is_dead


def test_what_is_no_name_of_a_run_is_refused() -> None:
    """It would become part of a path."""
    with pytest.raises(InputError):
        exists("../etc")
