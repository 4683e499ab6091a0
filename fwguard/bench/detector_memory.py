"""How much memory the detectors take at a million flows an hour: run alone, so that the process is theirs.

`python -m fwguard.bench.detector_memory FLOWS` prints one JSON object. The frames kept for evidence are in it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from fwguard.bench.attacks import million_flows
from fwguard.config import load_settings
from fwguard.detect.engine import Engine
from fwguard.detect.kept import Kept
from fwguard.rules.detectors import read_detectors


def measure(flows: int) -> dict[str, Any]:
    """Return megabytes before and at most, what was forgotten, and what still stands."""
    engine, kept = Engine(read_detectors(load_settings().rules)), Kept()
    before = _resident_mb()
    number, begun = 0, time.perf_counter()
    for number, (at_s, frame) in enumerate(million_flows(flows), 1):
        ingress = f"s{frame[28] & 15}"
        kept.add(number, at_s, 1, frame, ingress)
        engine.feed(number, at_s, 1, frame, ingress)
    seconds = time.perf_counter() - begun
    return {
        "flows": flows,
        "packets": number,
        "packets_per_s": round(number / seconds),
        "before_mb": before,
        "resident_mb": _resident_mb(),
        "most_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "flows_known": len(engine.flows.order),
        "flows_forgotten": engine.flows.dropped,
        "stream_bytes": engine.flows.held,
        "kept_bytes": kept.held,
    }


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
