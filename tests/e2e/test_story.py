"""The whole story, as a new user plays it: one command, real firewalls, mail, portal and traffic."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_the_story_holds_from_its_first_step_to_its_last() -> None:
    """`fwguard demo --once` ends 0, tells every step with its time, and leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-m", "fwguard", "demo", "--once", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert (0, "every step held") == (
        done.returncode,
        done.stdout.rstrip().splitlines()[-1].partition(",")[0],
    ), done.stdout + done.stderr
