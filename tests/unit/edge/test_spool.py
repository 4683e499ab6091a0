"""Events are kept in order, at least once, within bounds, and on a disk that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwguard.edge.spool import Spool
from fwguard.model.edge_wire import EdgeEvent, EventKind


def _event(number: int, kind: EventKind = EventKind.VERDICT, size: int = 0) -> EdgeEvent:
    return EdgeEvent(id=f"event-{number:06d}", kind=kind, at_us=number, port=1, facts={"x": "y" * size})


def _ids(spool: Spool, most: int = 500) -> list[int]:
    return [event.at_us for _, event in spool.head(most)]


def test_events_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    """Both lanes share one order, and a new process finds what was not acknowledged."""
    spool = Spool(tmp_path)
    for number in range(6):
        spool.add(_event(number, EventKind.REFUSAL if number % 2 else EventKind.VERDICT))
    assert [0, 1, 2, 3, 4, 5] == _ids(spool)
    spool.acknowledge(spool.head(2)[-1][0])
    assert [2, 3, 4, 5] == _ids(Spool(tmp_path))


def test_numbers_go_on_after_everything_was_acknowledged(tmp_path: Path) -> None:
    """A restart gives no number twice: an acknowledgement of the past takes nothing of the future."""
    spool = Spool(tmp_path)
    spool.add(_event(1), _event(2))
    spool.acknowledge(spool.head(2)[-1][0])
    spool.close()
    again = Spool(tmp_path)
    again.add(_event(3))
    assert [3] == _ids(again) and [3] == _ids(Spool(tmp_path))


def test_a_torn_tail_loses_only_itself(tmp_path: Path) -> None:
    """A crash in the middle of a write leaves every event that was synced."""
    spool = Spool(tmp_path)
    spool.add(_event(1), _event(2))
    (segment,) = (tmp_path / "events").glob("*.log")
    segment.write_bytes(segment.read_bytes()[:-5])
    again = Spool(tmp_path)
    assert [1] == _ids(again)
    again.add(_event(3))
    assert [1, 3] == _ids(Spool(tmp_path))


def test_the_oldest_counters_go_first_and_verdicts_never(tmp_path: Path) -> None:
    """Beyond the bound counters are dropped from the oldest on, counted; every verdict is there."""
    spool = Spool(tmp_path, most_bytes=1 << 20)
    for number in range(300):
        spool.add(_event(number, size=2000), _event(1000 + number, EventKind.REFUSAL, size=4000))
    kept = _ids(spool, 10_000)
    counters = [one for one in kept if one >= 1000]
    assert list(range(300)) == [one for one in kept if one < 1000]
    assert 300 == len(counters) + spool.dropped and spool.dropped > 0
    assert counters == list(range(1300 - len(counters), 1300))


def test_acknowledged_segments_are_removed(tmp_path: Path) -> None:
    """What the controller has takes no room."""
    spool = Spool(tmp_path)
    for number in range(400):
        spool.add(_event(number, size=2000))
    spool.acknowledge(spool.head(400)[-1][0])
    assert len(list((tmp_path / "events").glob("*.log"))) <= 1
    assert 0 == spool.undelivered


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 512 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], timeout=10)
    if done.returncode:
        raise AssertionError("this test mounts a tmpfs and needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


@pytest.mark.integration
def test_on_a_full_disk_verdicts_wait_in_memory_and_are_written_later(tiny: Path) -> None:
    """Nothing raises; `trouble` says why; delivering goes on, in order; room makes it well again."""
    spool = Spool(tiny / "spool")
    for number in range(250):
        spool.add(_event(number, size=4000))
    assert spool.trouble and 0 == spool.lost
    assert list(range(250)) == _ids(spool)
    spool.acknowledge(spool.head(200)[-1][0])
    assert spool.settle() and not spool.trouble
    assert list(range(200, 250)) == _ids(spool)
    assert list(range(200, 250)) == _ids(Spool(tiny / "spool"))


@pytest.mark.integration
def test_on_a_full_disk_counters_make_room_for_verdicts(tiny: Path) -> None:
    """Counters that fill the disk go when a verdict needs it."""
    spool = Spool(tiny / "spool")
    for number in range(200):
        spool.add(_event(1000 + number, EventKind.CONNECTION, size=4000))
    spool.add(*[_event(number, size=4000) for number in range(20)])
    assert not spool.trouble and spool.dropped > 0
    assert list(range(20)) == [one for one in _ids(Spool(tiny / "spool"), 1000) if one < 1000]
