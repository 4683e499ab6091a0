"""Looks run, never twice at once, again when poked meanwhile, and later each time they fail."""

import threading
import time
from collections.abc import Callable

import pytest

from fwguard.work.embedded import EmbeddedWork
from fwguard.work.protocol import Flow


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait for something to become true, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.005)
    return true()


@pytest.fixture
def run():  # type: ignore[no-untyped-def]
    """Start works and stop them all at the end."""
    started: list[EmbeddedWork] = []

    def start(flows: dict[str, Flow], **options: object) -> EmbeddedWork:
        work = EmbeddedWork(flows, **options)  # type: ignore[arg-type]
        work.start()
        started.append(work)
        return work

    yield start
    for work in started:
        work.stop()


def test_a_poke_runs_the_flow_of_its_kind(run) -> None:  # type: ignore[no-untyped-def]
    """The subject reaches the flow."""
    seen: list[str] = []
    run({"firewall": lambda subject: seen.append(subject)}).poke("firewall", "fw-a")
    assert until(lambda: seen == ["fw-a"])


def test_many_pokes_that_wait_are_one_look(run) -> None:  # type: ignore[no-untyped-def]
    """Poked five times before its time comes, it runs once."""
    seen: list[str] = []
    work = run({"firewall": lambda subject: seen.append(subject)})
    for _ in range(5):
        work.poke("firewall", "fw-a", after_s=0.1)
    assert until(lambda: bool(seen))
    time.sleep(0.2)
    assert seen == ["fw-a"]


def test_the_earlier_time_holds(run) -> None:  # type: ignore[no-untyped-def]
    """A look planned for later comes at once when poked at once."""
    seen: list[str] = []
    work = run({"firewall": lambda subject: seen.append(subject)})
    work.poke("firewall", "fw-a", after_s=60)
    work.poke("firewall", "fw-a")
    assert until(lambda: seen == ["fw-a"])


def test_one_look_never_runs_twice_at_once_and_a_poke_meanwhile_runs_it_again(run) -> None:  # type: ignore[no-untyped-def]
    """The second run starts after the first ended."""
    inside, most, runs = [0], [0], [0]
    first_is_in, go_on = threading.Event(), threading.Event()

    def flow(_subject: str) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        runs[0] += 1
        first_is_in.set()
        go_on.wait(5)
        inside[0] -= 1

    work = run({"firewall": flow}, threads=4)
    work.poke("firewall", "fw-a")
    assert first_is_in.wait(5)
    work.poke("firewall", "fw-a")
    go_on.set()
    assert until(lambda: runs[0] == 2)
    assert most[0] == 1


def test_a_failed_look_is_tried_again(run) -> None:  # type: ignore[no-untyped-def]
    """One exception does not lose the look, nor the thread."""
    tries: list[int] = []

    def flow(_subject: str) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("device is away")

    run({"firewall": flow}, threads=1).poke("firewall", "fw-a")
    assert until(lambda: len(tries) == 2)


def test_a_flow_says_when_it_wants_to_look_again(run) -> None:  # type: ignore[no-untyped-def]
    """What it returns is seconds until the next look."""
    tries: list[int] = []

    def flow(_subject: str) -> float | None:
        tries.append(1)
        return 0.01 if len(tries) < 3 else None

    run({"firewall": flow}).poke("firewall", "fw-a")
    assert until(lambda: len(tries) == 3)


def test_the_sweep_pokes_what_the_tables_say(run) -> None:  # type: ignore[no-untyped-def]
    """It runs at the start and again after its period."""
    sweeps: list[int] = []
    run({}, sweep=lambda: sweeps.append(1), sweep_s=0.02)
    assert until(lambda: len(sweeps) >= 3)


def test_an_unknown_kind_is_a_bug_of_the_caller(run) -> None:  # type: ignore[no-untyped-def]
    """It is refused where it is asked, not later in a thread."""
    with pytest.raises(KeyError):
        run({}).poke("firewal", "fw-a")
