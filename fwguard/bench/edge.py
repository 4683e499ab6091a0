"""The compiled contract at a large edge: cost of packets, loading, changing, isolating, shares, turning over.

All in namespaces of this run, with the whole ruleset of the contract loaded and nobody listening to its log
groups. What was asked stands beside what was found, in `held`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from fwguard.bench import changing, contended, flow_cost
from fwguard.bench.edge_path import EdgePath
from fwguard.bench.edge_platform import EACH
from fwguard.bench.isolating import isolate
from fwguard.bench.machine import load, machine

SERVERS: Final = 10_000
FEW: Final = 100
LINEAR_SERVERS: Final = 1_000
CHANGES: Final = 300
ISOLATIONS: Final = 200
TURNS: Final = 2
TARGETS: Final[Mapping[str, float]] = {
    "cost_ratio": flow_cost.LIMIT, "compile_s": 2, "compile_mb": 300, "first_load_s": 1.5, "change_p95_ms": 2,
    "isolate_p50_ms": 0.2, "isolate_p99_ms": 1, "leaked_p50": 5, "share_off_percent": 3, "alone_percent": 95,
}  # fmt: skip


def run(
    *,
    servers: int = SERVERS,
    few: int = FEW,
    linear_servers: int = LINEAR_SERVERS,
    packets: int = 10_000,
    rounds: int = 8,
    changes: int = CHANGES,
    isolations: int = ISOLATIONS,
    share_s: float = 4.0,
) -> dict[str, Any]:
    """Measure, and return figures; needs root and iperf3; takes about two minutes.

    `few` and `servers` are the two sizes of edge, with ten openings a server; linear iptables hold the openings
    of `linear_servers`, since more do not load within seconds. Raises DeviceError: something passes that must
    not, or does not that must.
    """
    began = time.monotonic()
    figures: dict[str, Any] = {
        "machine": machine(), "load_before": load(), "targets": dict(TARGETS),
        "servers": servers, "openings_each": EACH,
        "compile": _compile(servers),
        "flow_cost": flow_cost.measure(
            sizes=(few, servers), linear_servers=linear_servers, packets=packets, rounds=rounds
        ),
    }  # fmt: skip
    with EdgePath() as path, path.socket() as netlink:
        state, compiled = changing.large(servers)
        figures["first_load"] = changing.first_load(netlink, compiled)
        figures["one_at_a_time"] = changing.one_at_a_time(path, netlink, state, changes)
        figures["isolate"] = {
            f"v{version}": isolate(path, netlink, version, isolations) for version in (4, 6)
        }
        figures["reload"] = changing.reload_everything(path, netlink, state, TURNS)
    figures["shares"] = contended.measure(seconds=share_s)
    figures["load_after"] = load()
    figures["took_s"] = round(time.monotonic() - began, 1)
    figures["held"] = _held(figures)
    return figures


def _compile(servers: int) -> dict[str, Any]:
    """Compile in a process of its own, whose memory is that of the state and the compiler alone."""
    done = subprocess.run(
        [sys.executable, "-m", "fwguard.bench.edge_platform", str(servers)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _held(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Tell which targets were held."""
    cost, isolated, shares = figures["flow_cost"], figures["isolate"].values(), figures["shares"]
    one, reload = figures["one_at_a_time"], figures["reload"]
    contended_mbps = [rate for name, rate in shares.items() if name.startswith("contended")]
    alone_mbps = [rate for name, rate in shares.items() if name.startswith("alone")]

    def within(what: str, ratio: str, kind: str) -> bool:
        found = cost[what][ratio]
        return all(value <= TARGETS["cost_ratio"] for key, value in found.items() if key.startswith(kind))

    return {
        **{
            f"{kind}_{what.removesuffix('_us')}_{ratio}": within(what, ratio, kind)
            for what in ("packet_cpu_us", "connection_us")
            for ratio in ("large_to_small", "large_to_empty")
            for kind in ("allowed", "denied")
            if any(key.startswith(kind) for key in cost[what][ratio])
        },
        "compile_s": figures["compile"]["seconds"] <= TARGETS["compile_s"],
        "compile_mb": figures["compile"]["memory_mb"] <= TARGETS["compile_mb"],
        "first_load_s": figures["first_load"]["openings_s"] <= TARGETS["first_load_s"],
        "change_p95_ms": all(
            one[what][way]["p95_ms"] <= TARGETS["change_p95_ms"]
            for what in ("server", "opening")
            for way in ("add", "remove")
        ),
        "change_loses_nothing": one["others"]["lost"] == 0,
        "isolate_p50_ms": all(one["p50_ms"] <= TARGETS["isolate_p50_ms"] for one in isolated),
        "isolate_p99_ms": all(one["p99_ms"] <= TARGETS["isolate_p99_ms"] for one in isolated),
        "leaked_p50": all(one["leaked_packets"]["p50"] <= TARGETS["leaked_p50"] for one in isolated),
        "share": all(
            abs(rate / shares["assured_mbps"] - 1) * 100 <= TARGETS["share_off_percent"]
            for rate in contended_mbps
        ),
        "alone": all(rate / shares["link_mbps"] * 100 >= TARGETS["alone_percent"] for rate in alone_mbps),
        "reload_loses_nothing": reload["lost"] == 0,
        "reload_passes_nothing_else": reload["wrongly_passed"] == 0,
    }
