"""Benchmark of detection: packets a second over real captures, time to a verdict and a decision, memory; and peers.

What the kernel adds between the packet and the acknowledged cut is measured by `bench edge`.
"""

from __future__ import annotations

import gc
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any, Final

from fwguard.bench import attacks
from fwguard.bench.accuracy import expected_of, read_labels
from fwguard.bench.classifier_peer import run_classifier
from fwguard.bench.log_peer import run_log_watcher
from fwguard.bench.machine import load, machine
from fwguard.config import load_settings
from fwguard.detect.capture import Capture
from fwguard.detect.engine import Engine
from fwguard.detect.evidence import write_evidence
from fwguard.detect.kept import Kept
from fwguard.edge.deciding import decide
from fwguard.edge.grounds import Grounds
from fwguard.edge.history import History
from fwguard.model.address import AddressSet
from fwguard.model.controls import ServiceKind
from fwguard.model.detection import Detection
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, PortKind
from fwguard.model.edge_grants import ClientShare, EdgeRegistration
from fwguard.model.thresholds import Thresholds
from fwguard.rules.controls import read_controls
from fwguard.rules.detectors import read_detectors

# Captures beside the checkout, where the tests look for them too.
CORPUS: Final = Path(__file__).parents[3] / "shared" / "corpus" / "pcap"
FLOWS: Final = 1_000_000
SERVERS: Final = 10_000
_ROUNDS: Final = 5
Frames = list[tuple[float, int, bytes]]


def run(
    *,
    corpus: str | None = None,
    flows: int = FLOWS,
    servers: int = SERVERS,
    repeats: int = 3,
    peers: bool = True,
) -> dict[str, Any]:
    """Measure, and return figures; takes about two minutes. `corpus` is a folder of captures with labels."""
    folder = Path(corpus) if corpus else CORPUS
    thresholds = read_detectors(load_settings().rules)
    figures: dict[str, Any] = {"machine": machine(), "load": load()}
    captures = _captures(folder) if folder.is_dir() else []
    figures["scan"] = (
        _scan(captures, thresholds, repeats) if captures else f"no captures in {folder}: nothing was scanned"
    )
    figures["verdict_us"] = _verdicts(captures, thresholds)
    figures["decision"] = _decisions(servers, thresholds)
    figures["memory"] = _memory(flows)
    if peers:
        with tempfile.TemporaryDirectory(prefix="fwguard-bench-") as made:
            figures["classifier"] = _classifier(folder, captures, Path(made), thresholds)
            figures["log_watcher"] = run_log_watcher(Path(made))
    return figures


def _captures(folder: Path) -> list[tuple[Path, Frames]]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix in (".pcap", ".pcapng", ".cap"):
            with path.open("rb") as stream:
                found.append((path, list(Capture(path.name, stream).frames())))
    return found


def _scan(captures: list[tuple[Path, Frames]], thresholds: Thresholds, repeats: int) -> dict[str, Any]:
    """Read and judge every file, as `fwguard scan` does; the best of some runs."""
    best = cpu = float("inf")
    packets = sum(len(frames) for _, frames in captures)
    for _ in range(repeats):
        begun, worked = time.perf_counter(), time.process_time()
        for path, _ in captures:
            engine = Engine(thresholds)
            feed = engine.feed
            with path.open("rb") as stream:
                for number, frame in enumerate(Capture(path.name, stream).frames(), 1):
                    feed(number, *frame)
            engine.finish()
        best = min(best, time.perf_counter() - begun)
        cpu = min(cpu, time.process_time() - worked)
    return {
        "files": len(captures),
        "packets": packets,
        "seconds": round(best, 3),
        "packets_per_s": round(packets / best),
        "packets_per_cpu_s": round(packets / cpu),  # what it is when nothing else runs on the core
        "cpu_us_a_packet": round(cpu / packets * 1e6, 2),
    }


def _timed(frames: Iterable[tuple[float, int, bytes]], thresholds: Thresholds) -> list[tuple[str, float]]:
    """Return detector and microseconds of every packet that completed a verdict."""
    engine, took = Engine(thresholds), []
    clock, feed = time.perf_counter, engine.feed
    for number, frame in enumerate(frames, 1):
        begun = clock()
        found = feed(number, *frame)
        if found:
            spent = (clock() - begun) * 1e6
            took += [(one.detector.value, spent) for one in found]
    return took


def _verdicts(captures: list[tuple[Path, Frames]], thresholds: Thresholds) -> dict[str, Any]:
    """Return by detector how long the packet took that completed the evidence: to the verdict, user space alone."""
    took: dict[str, list[float]] = {}
    made = (attacks.port_scan(), attacks.host_scan(), attacks.flood(), attacks.password_guesses())
    sources: list[Iterable[tuple[float, int, bytes]]] = [frames for _, frames in captures]
    sources += [[(at_s, 1, frame) for at_s, frame in one] for one in made]
    gc.collect()
    for frames in sources:
        for name, spent in _timed(frames, thresholds):
            took.setdefault(name, []).append(spent)
    return {
        name: {"verdicts": len(spent), "median": round(median(spent), 1), "most": round(max(spent), 1)}
        for name, spent in sorted(took.items())
    }


def large_state(servers: int) -> EdgeState:
    """Return the state of an edge with so many servers, eight of each client, every tenth registered for IRC."""
    ports, clients = [], -(-servers // 8)
    for number in range(servers):
        ports.append(
            EdgePort(
                number=number + 1, interface=f"s{number}", kind=PortKind.SERVER, client=f"c{number // 8}",
                architecture=f"c{number // 8}", server=f"s{number}", zone=1 + number // 8,
                macs=(":".join(f"{byte:02x}" for byte in (2, *(number + 1).to_bytes(5, "big"))),),
                addresses=AddressSet.parse(f"10.{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"),
            )
        )  # fmt: skip
    names = [f"c{number}" for number in range(clients)]
    return EdgeState(
        edge="bench", epoch=1, generation=1, uplinks=("uplink",), uplink_bps=10**10, ports=tuple(ports),
        architectures=tuple(EdgeArchitecture(name=name, client=name) for name in names),
        shares=tuple(ClientShare(client=name, number=16 + n, assured_bps=10**6) for n, name in enumerate(names)),
        registrations=tuple(
            EdgeRegistration(port=number + 1, kind=ServiceKind.IRC, ticket=f"T{number}")
            for number in range(0, servers, 10)
        ),
        controls=read_controls(load_settings().rules),
    )  # fmt: skip


def _decisions(servers: int, thresholds: Thresholds) -> dict[str, Any]:
    """Return what a decision costs on a large edge, and what a restart costs its memory of them."""
    begun = time.perf_counter()
    state = large_state(servers)
    built = time.perf_counter()
    grounds = Grounds(state, thresholds.answers)
    ready = time.perf_counter()
    (detection,) = _of_guesses(thresholds)
    history, took = History(), []
    for number in range(0, servers, max(1, servers // 2000)):
        one = Detection(**{**_fields(detection), "ingress": f"s{number}"})
        started = time.perf_counter()
        measure = decide(one, grounds, history, 1e9 + number)
        history.take(measure, window_s=thresholds.answers.breaker_window_s)
        took.append((time.perf_counter() - started) * 1e6)
    written = history.to_bytes()
    history.take(measure, window_s=thresholds.answers.breaker_window_s)
    started = time.perf_counter()
    history.to_bytes()
    again_ms = (time.perf_counter() - started) * 1e3
    started = time.perf_counter()
    History.from_bytes(written)
    read_ms = (time.perf_counter() - started) * 1e3
    took.sort()
    return {
        "servers": servers,
        "grounds_ms": round((ready - built) * 1e3, 1),
        "state_ms": round((built - begun) * 1e3, 1),
        "decisions": len(took),
        "median_us": round(median(took), 1),
        "p99_us": round(took[int(len(took) * 0.99)], 1),
        "history_bytes": len(written),
        "history_written_again_ms": round(again_ms, 2),  # after each decision
        "history_read_ms": round(read_ms, 1),  # at a start
        "evidence": _evidence(thresholds),
    }


def _fields(detection: Detection) -> dict[str, Any]:
    return {name: getattr(detection, name) for name in Detection.__dataclass_fields__}


def _of_guesses(thresholds: Thresholds) -> list[Detection]:
    engine = Engine(thresholds)
    found: list[Detection] = []
    for number, (at_s, frame) in enumerate(attacks.password_guesses(), 1):
        found += engine.feed(number, at_s, 1, frame)
    return found[:1]


def _evidence(thresholds: Thresholds) -> dict[str, Any]:
    engine, kept = Engine(thresholds), Kept()
    for number, (at_s, frame) in enumerate(attacks.password_guesses(), 1):
        kept.add(number, at_s, 1, frame)
        for one in engine.feed(number, at_s, 1, frame):
            begun = time.perf_counter()
            data = write_evidence(one, kept.of(one))
            return {"bytes": len(data), "ms": round((time.perf_counter() - begun) * 1e3, 2)}
    return {}


def _memory(flows: int) -> dict[str, Any]:
    asked = [sys.executable, "-m", "fwguard.bench.detector_memory", str(flows)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=600, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _classifier(
    folder: Path, captures: list[tuple[Path, Frames]], made: Path, thresholds: Thresholds
) -> dict[str, Any]:
    """Both over one file of all Ethernet frames, five times over, on one core each; and what it names of labels."""
    if not captures:
        return {"classifier": f"no captures in {folder}: nothing was compared"}
    tiny, merged = made / "tiny.pcap", made / "merged.pcap"
    once = [frame for _, held in captures for frame in held if frame[1] == 1]
    # Hours apart, so that no flow of one round goes on in the next.
    frames = [
        (time_s + round_ * 36_000, link, data) for round_ in range(_ROUNDS) for time_s, link, data in once
    ]
    tiny.write_bytes(_pcap(frames[:1]))
    merged.write_bytes(_pcap(frames))
    labels = read_labels(folder)
    wanted = {ends[0] for ends, label in labels.items() if expected_of(label) is not None}
    asked = {"labelled": sum(expected_of(label) is not None for label in labels.values())}
    begun = time.perf_counter()
    engine = Engine(thresholds)
    with merged.open("rb") as stream:
        for number, frame in enumerate(Capture("merged", stream).frames(), 1):
            engine.feed(number, *frame)
    engine.finish()
    seconds = time.perf_counter() - begun
    own = {
        "packets": len(frames),
        "seconds": round(seconds, 3),
        "packets_per_s": round(len(frames) / seconds),
    }
    peer = run_classifier(tiny, merged, [path for path, _ in captures if path.name in wanted])
    ratio = round(own["packets_per_s"] / peer["packets_per_s"], 2) if "packets_per_s" in peer else None
    return {**asked, "fwguard": own, "nfstream": peer, "times_as_fast": ratio}


def _pcap(frames: Frames) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for time_s, _, frame in frames:
        seconds = int(time_s)
        out += [
            struct.pack("<IIII", seconds & 0xFFFFFFFF, int((time_s - seconds) * 1e6), len(frame), len(frame)),
            frame,
        ]
    return b"".join(out)


if __name__ == "__main__":
    print(json.dumps(run(corpus=sys.argv[1] if len(sys.argv) > 1 else None), indent=1))
