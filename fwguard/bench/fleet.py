"""The guard on a lab of its own: how soon a change is seen and undone, and what watching 20 firewalls costs.

Measured on real parts: firewalls in namespaces with their own sshd or netconfd, and the controller as a
process of its own, with the program's default settings but for the cap on restores. One change at a time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from fwguard.bench.changes import order
from fwguard.bench.guarded import ClientAtWork, Guarded, guarded_lab, until
from fwguard.bench.machine import load, machine, memory_mb, threads, usage
from fwguard.errors import DeviceError
from fwguard.lab.plan import FirewallPlan, Kind
from fwguard.lab.platform import Lab
from fwguard.model.case import CaseKind
from fwguard.store.cases import CaseRow

STREAMING: Final[tuple[Kind, ...]] = ("nftables", "iptables", "netconf")
# What an operator leaves as it is, and the one thing that is not: 50 changes are near the cap on restores.
SETTINGS: Final[Mapping[str, Any]] = {"poll_s": 30, "restore_cap": 10_000}
TARGETS: Final[Mapping[str, float]] = {
    "seen_p95_ms": 50, "restored_p95_ms": 500, "up_s": 5, "idle_cpu_percent": 3, "idle_rss_mb": 180,
}  # fmt: skip
CLOSED_S: Final = 60.0
SETTLE_S: Final = 10.0


def run(
    *,
    changes: int = 50,
    firewalls: int = 20,
    starts: int = 3,
    idle_s: float = 60.0,
    kinds: Sequence[Kind] = STREAMING,
) -> dict[str, Any]:
    """Measure and return the figures: `changes` on one firewall of each of `kinds`, `idle_s` of idleness
    with `firewalls` watched, and `starts` starts of a lab of that size.

    Times are in ms from the change (from the start of the client's command, and from its return; over
    NETCONF, of its commit) to the time that the case bears as opened (seen) and as closed (restored, read
    back over a new session, confirmed). Nothing is left out.

    Raises DeviceError: a part does not come up, or a change is not undone within a minute.
    """
    figures: dict[str, Any] = {"machine": machine(), "load_before": load(), "targets": dict(TARGETS)}
    figures["up"] = {"firewalls": firewalls, "seconds": [_start(firewalls) for _ in range(starts)]}
    with guarded_lab(firewalls=firewalls, settings=SETTINGS) as guarded:
        time.sleep(min(SETTLE_S, idle_s))
        figures["idle"] = _idle(guarded, idle_s)
        chosen = [_first_of(guarded.lab, kind) for kind in kinds]
        figures["changes"] = {box.name: _changes(guarded, box, changes) for box in chosen}
        figures["after_changes"] = {
            **memory_mb(guarded.room.pid), "threads": threads(guarded.room.pid),
            "scapy": guarded.imported("scapy"),
        }  # fmt: skip
    figures["load_after"] = load()
    figures["held"] = _held(figures)
    return figures


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile (the value that 95 % do not exceed) and maximum, rounded to 0.1."""
    ordered = sorted(values)

    def at(percent: int) -> float:
        return round(ordered[max(0, -(-percent * len(ordered) // 100) - 1)], 1)

    return {"p50": at(50), "p95": at(95), "max": at(100)}


def _start(firewalls: int) -> float:
    began = time.monotonic()
    lab = Lab.up(firewalls=firewalls, bound=True)
    took_s = time.monotonic() - began
    lab.down()
    return round(took_s, 2)


def _idle(guarded: Guarded, idle_s: float) -> dict[str, Any]:
    before = usage(guarded.room.pid)
    time.sleep(idle_s)
    after = usage(guarded.room.pid)
    return {
        "firewalls": len(guarded.lab.plan.firewalls),
        "seconds": round(after.taken_s - before.taken_s, 1),
        "cpu_percent": round(after.share_since(before), 2),
        **memory_mb(guarded.room.pid),
        "threads": threads(guarded.room.pid),
        "load": load(),
        "modules_of_scapy_imported": guarded.imported("scapy"),
    }


def _first_of(lab: Lab, kind: Kind) -> FirewallPlan:
    for firewall in lab.plan.firewalls:
        if firewall.kind == kind:
            return firewall
    raise DeviceError(f"the lab has no {kind} firewall")


def _changes(guarded: Guarded, firewall: FirewallPlan, count: int) -> dict[str, Any]:
    """Make changes one after the other, each once the one before was undone."""
    taken: list[tuple[str, dict[str, float]]] = []
    again = 0
    pause = random.Random(firewall.name)
    client = ClientAtWork(guarded.lab, firewall.name)
    try:
        for number in range(count):
            way, change = order(firewall, number)
            last = _last_case(guarded, firewall.name)
            began_ns, returned_ns = client.change(change)
            case = _closed_after(guarded, firewall.name, last, way)
            assert case.closed_at is not None
            again += case.restore_count - 1
            seen_ns, restored_ns = _nanoseconds(case.opened_at), _nanoseconds(case.closed_at)
            taken.append((way, {
                "seen_from_start": (seen_ns - began_ns) / 1e6, "seen_from_return": (seen_ns - returned_ns) / 1e6,
                "restored_from_start": (restored_ns - began_ns) / 1e6,
                "restored_from_return": (restored_ns - returned_ns) / 1e6,
            }))  # fmt: skip
            time.sleep(pause.uniform(0.3, 0.8))  # its last look ends, and no rhythm arises
    finally:
        client.close()
    names = taken[0][1]
    return {
        "kind": firewall.kind,
        "changes": count,
        "restores_tried_again": again,
        "load": load(),
        **{f"{name}_ms": spread([times[name] for _, times in taken]) for name in names},
        "restored_from_return_p50_ms_by_change": {
            way: spread([times["restored_from_return"] for name, times in taken if name == way])["p50"]
            for way in dict.fromkeys(name for name, _ in taken)
        },
    }


def _last_case(guarded: Guarded, firewall: str) -> int:
    cases = _cases(guarded, firewall, 0)
    return cases[-1].id if cases else 0


def _closed_after(guarded: Guarded, firewall: str, last: int, way: str) -> CaseRow:
    """Wait for the one case of a change. Raises DeviceError: none is closed in time."""

    def closed() -> CaseRow | None:
        cases = _cases(guarded, firewall, last)
        return cases[0] if cases and all(case.closed_at for case in cases) else None

    case = until(closed, f"{firewall} restored after {way}", within_s=CLOSED_S)
    assert case is not None
    return case


def _cases(guarded: Guarded, firewall: str, after: int) -> list[CaseRow]:
    with guarded.house.store.reading() as session:
        query = select(CaseRow).where(
            CaseRow.id > after, CaseRow.kind == CaseKind.DRIFT, CaseRow.firewall.has(name=firewall)
        )
        return list(session.scalars(query.order_by(CaseRow.id)))


def _nanoseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _held(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Tell which targets were held; the times count from the return of the client's command."""
    boxes = figures["changes"].values()
    return {
        "seen_p95_ms": all(box["seen_from_return_ms"]["p95"] <= TARGETS["seen_p95_ms"] for box in boxes),
        "restored_p95_ms": all(
            box["restored_from_return_ms"]["p95"] <= TARGETS["restored_p95_ms"] for box in boxes
        ),
        "up_s": max(figures["up"]["seconds"], default=0) <= TARGETS["up_s"],
        "idle_cpu_percent": figures["idle"]["cpu_percent"] <= TARGETS["idle_cpu_percent"],
        "idle_rss_mb": figures["idle"]["rss_mb"] <= TARGETS["idle_rss_mb"],
        "no_scapy": not figures["after_changes"]["scapy"],
    }
