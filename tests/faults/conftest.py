"""A platform under guard that loses patience quickly, and faults that go away whatever a test does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from guarded import FIREWALLS, Guarded, guarded_platform, until

from fwguard.model.case import CaseState
from fwguard.store.inventory import WatchState

Fault = Callable[[str, str, str], AbstractContextManager[None]]
GATE = "/usr/local/sbin/fwguard-gate"


@pytest.fixture(scope="session")
def platform() -> Iterator[Guarded]:
    """Firewalls approved and watched by a controller with short deadlines."""
    with guarded_platform(connect_s=1, answer_s=4, poll_s=2, confirm_s=8, mail_lease_s=10) as platform:
        yield platform


@pytest.fixture
def guarded(platform: Guarded) -> Iterator[Guarded]:
    """The platform; after the test every firewall is watched, as approved, and has no open case."""
    yield platform
    for name in FIREWALLS:
        until(lambda name=name: at_rest(platform, name), f"{name} at rest", within_s=60)


def at_rest(platform: Guarded, name: str) -> bool:
    """Tell whether nothing is under way on a firewall."""
    return (
        platform.firewall(name).state is WatchState.WATCHED
        and not platform.differs(name)
        and all(case.state is CaseState.CLOSED for case in platform.all_cases(name))
    )


@pytest.fixture
def broken(platform: Guarded) -> Iterator[Fault]:
    """Run one script on a firewall now and another when the fault goes."""
    left: list[tuple[str, str]] = []

    @contextmanager
    def fault(firewall: str, begin: str, end: str) -> Iterator[None]:
        left.append((firewall, end))
        platform.lab.run(firewall, ["sh", "-eu"], text=begin)
        yield
        left.remove((firewall, end))
        platform.lab.run(firewall, ["sh", "-eu"], text=end)

    yield fault
    for firewall, end in left:
        platform.lab.run(firewall, ["sh", "-eu"], text=end)


@pytest.fixture
def gated(broken: Fault) -> Callable[[str, str], AbstractContextManager[None]]:
    """Put shell text in front of a firewall's gate: it sees SSH_ORIGINAL_COMMAND and may end or go on."""

    def before_the_gate(firewall: str, text: str) -> AbstractContextManager[None]:
        begin = f"mv {GATE} {GATE}.real\ncat > {GATE} <<'EOF'\n#!/bin/sh\n{text}\nexec {GATE}.real\nEOF\n"
        return broken(firewall, f"{begin}chmod 755 {GATE}\n", f"mv -f {GATE}.real {GATE}\n")

    return before_the_gate
