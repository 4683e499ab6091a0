"""What /proc says of a process is what the process did."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from fwguard.bench.machine import Usage, family, machine, memory_mb, threads, usage


def test_work_of_a_child_counts() -> None:
    """Time that a child burned is in its parent's sum, also once it is gone."""
    before = usage(os.getpid())
    subprocess.run([sys.executable, "-c", "n = 0\nwhile n < 3_000_000: n += 1"], check=True, timeout=60)
    assert usage(os.getpid()).cpu_s - before.cpu_s > 0.02


def test_share_is_of_one_core() -> None:
    """Half a second of work in ten seconds is five percent."""
    assert 5.0 == Usage(110.0, 3.5).share_since(Usage(100.0, 3.0))


def test_family_holds_living_children() -> None:
    """A child that lives is of the family, and its memory is in the sum."""
    alone = memory_mb(os.getpid())["rss_mb"]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in list(family(os.getpid()))
        assert memory_mb(os.getpid())["rss_mb"] > alone
        child.communicate(b"\n", timeout=20)


def test_threads_are_counted() -> None:
    """One more thread is one more."""
    stop = threading.Event()
    before = threads(os.getpid())
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert before + 1 == threads(os.getpid())
    finally:
        stop.set()
        thread.join()


def test_machine_says_its_size() -> None:
    """Figures without cores, memory, kernel and Python say nothing."""
    assert {"cores", "memory_mb", "processor", "kernel", "python"} == set(machine())
