"""The same captures to nfstream, a flow classifier: packets a second on one core, and which labelled flows it names.

It is an optional extra (`pip install fwguard[peers]`); without it the benchmark says so. It runs in a process of
its own, since it starts others. The labels of our corpus are the opinion of the library inside it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from fwguard.bench.accuracy import expected_of
from fwguard.model.detection import Detector

_TIMEOUT_S: Final = 300


def run_classifier(tiny: Path, merged: Path, labelled: list[Path]) -> dict[str, Any]:
    """Return how fast it reads one large capture, its start left out, and what it names in the labelled ones."""
    if importlib.util.find_spec("nfstream") is None:
        return {"nfstream": "not installed: pip install 'fwguard[peers]'; nothing was compared"}
    asked = [
        sys.executable,
        "-m",
        "fwguard.bench.classifier_peer",
        str(tiny),
        str(merged),
        *map(str, labelled),
    ]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        return {"nfstream": f"failed: {done.stderr.strip()[-200:]}"}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _read(path: Path) -> tuple[int, dict[str, int]]:
    """Return packets, and flows by the detector that the classifier's name for them calls for."""
    from nfstream import NFStreamer

    packets, named = 0, dict.fromkeys((one.value for one in Detector), 0)
    for flow in NFStreamer(source=str(path), statistical_analysis=False, n_meters=1):
        packets += flow.bidirectional_packets
        detector = expected_of(flow.application_name)
        if detector is not None:
            named[detector.value] += 1
    return packets, {name: count for name, count in named.items() if count}


def _main(tiny: str, merged: str, *labelled: str) -> None:
    from importlib.metadata import version

    begun = time.perf_counter()
    _read(Path(tiny))
    start_s = time.perf_counter() - begun
    begun = time.perf_counter()
    packets, _ = _read(Path(merged))
    seconds = time.perf_counter() - begun
    found: dict[str, int] = {}
    for path in labelled:
        for name, count in _read(Path(path))[1].items():
            found[name] = found.get(name, 0) + count
    print(
        json.dumps(
            {
                "version": version("nfstream"),
                "packets": packets,
                "seconds": round(seconds, 3),
                "start_s": round(start_s, 3),  # of its processes, as a capture of one packet takes it
                "packets_per_s": round(packets / max(seconds - start_s, 1e-3)),
                "labelled_flows_named": found,
            }
        )
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
