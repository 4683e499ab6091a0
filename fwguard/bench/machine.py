"""The machine that figures were taken on, and what a process uses of it, as /proc tells it (proc(5))."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Return the size of this machine: cores, memory, processor, kernel, Python."""
    return {
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def load() -> float:
    """Return the load of the last minute: others may be at work on this machine."""
    return round(os.getloadavg()[0], 2)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have used up to a moment. `taken_s` is of the monotonic clock."""

    taken_s: float
    cpu_s: float

    def share_since(self, earlier: Usage) -> float:
        """Return the share of one core since then, in percent."""
        return 100 * (self.cpu_s - earlier.cpu_s) / (self.taken_s - earlier.taken_s)


def usage(pid: int) -> Usage:
    """Return what a process, its living children and those it has waited for have used.

    Raises FileNotFoundError when it is gone.
    """
    return Usage(time.monotonic(), sum(_cpu_ticks(one) for one in family(pid)) / _TICKS_PER_S)


def memory_mb(pid: int) -> dict[str, float]:
    """Return resident (shared pages counted whole) and proportional memory of a process and its children."""
    rss = pss = 0.0
    for one in family(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup")
        rss += float(_field(rollup, "Rss").split()[0])
        pss += float(_field(rollup, "Pss").split()[0])
    return {"rss_mb": round(rss / 1024, 1), "pss_mb": round(pss / 1024, 1)}


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return int(_field(Path(f"/proc/{pid}/status"), "Threads"))


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its living descendants."""
    yield pid
    for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def _cpu_ticks(pid: int) -> int:
    # utime, stime, cutime, cstime: fields 14 to 17, after the name in brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _field(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
