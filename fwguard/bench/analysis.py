"""Benchmark of the analysis: on generated rulesets of growing size, and on real files when they are given."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from fwguard.analysis.compare import compare
from fwguard.analysis.lint import lint
from fwguard.analysis.query import Judge
from fwguard.analysis.what_if import what_if
from fwguard.bench.generated import a_year_later, generated_packets, generated_policy
from fwguard.dialects.table import detect
from fwguard.errors import FwguardError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Policy

T = TypeVar("T")
SIZES: Final = (1_000, 3_000, 10_000, 30_000)
PACKETS: Final = 20_000
MOST_BYTES: Final = 16 << 20


def run(*, sizes: Sequence[int] = SIZES, corpus: str | None = None, repeats: int = 3) -> dict[str, Any]:
    """Measure and return figures, in seconds unless a name says otherwise; the best of `repeats`.

    `corpus` is a folder of configurations: each file that some dialect reads is measured, and each with
    the next one of its folder that the same dialect reads (files are taken by name).
    """
    return {
        "machine": {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
        "generated": [_generated(size, repeats) for size in sizes],
        "corpus": _corpus(Path(corpus), repeats) if corpus else [],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _best(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Return the shortest time and the last answer."""
    best = float("inf")
    for _ in range(max(1, repeats)):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return round(best, 4), answer


def _generated(size: int, repeats: int) -> dict[str, Any]:
    policy = generated_policy(size)
    later = a_year_later(policy)
    packets = generated_packets(policy, PACKETS)
    lint_s, findings = _best(lambda: lint(policy), repeats)
    diff_s, difference = _best(lambda: compare(policy, later), repeats)
    judge = Judge(policy)
    query_s, _ = _best(lambda: [judge.verdict(packet) for packet in packets], 1)
    figures: dict[str, Any] = {
        "rules": policy.rule_count,
        "lint_s": lint_s,
        "lint_us_a_rule": round(lint_s / policy.rule_count * 1e6, 1),
        "findings": len(findings),
        "diff_s": diff_s,
        "diff_boxes": len(difference.opens) + len(difference.closes) + len(difference.undecided),
        "query_packets_per_s": round(PACKETS / query_s),
    }
    figures["what_if_s"] = _what_if(policy, repeats)
    return figures


def _what_if(policy: Policy, repeats: int) -> float:
    """Time the three questions about one rule more at the start of a chain."""
    from dataclasses import replace

    from fwguard.model.policy import Action, Match, Rule

    opening = Opening(
        protocol=6,
        source=AddressSet.parse("198.51.100.0/24"),
        target=AddressSet.parse("10.0.0.9"),
        ports=Intervals.single(9443),
    )
    match = Match(
        source=opening.source, target=opening.target, protocol=Intervals.single(6), dport=opening.ports
    )
    key = next(key for hook_keys in policy.hooks.values() for key in hook_keys)
    chain = policy.chains[key]
    longer = (Rule(matches=(match,), action=Action.ACCEPT, line=0), *chain.rules)
    after = replace(policy, chains={**policy.chains, key: replace(chain, rules=longer)})
    return _best(lambda: what_if(policy, after, (opening,)), repeats)[0]


def _corpus(folder: Path, repeats: int) -> list[dict[str, Any]]:
    figures = []
    previous: tuple[Path, str, Policy] | None = None
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.stat().st_size > MOST_BYTES:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            dialect = detect(text)
            read_s, policy = _best(lambda text=text, dialect=dialect: dialect.read(text), repeats)  # type: ignore[misc]
        except FwguardError:
            continue
        entry: dict[str, Any] = {
            "file": str(path.relative_to(folder)),
            "dialect": dialect.name,
            "rules": policy.rule_count,
            "unread": len(policy.unread),
            "read_s": read_s,
            "lint_s": _best(lambda policy=policy: lint(policy), repeats)[0],  # type: ignore[misc]
        }
        if previous and previous[0].parent == path.parent and previous[1] == dialect.name:
            before = previous[2]
            entry["diff_with"] = previous[0].name
            entry["diff_s"], difference = _best(
                lambda before=before, policy=policy: compare(before, policy),  # type: ignore[misc]
                repeats,
            )
            entry["diff_boxes"] = len(difference.opens) + len(difference.closes) + len(difference.undecided)
        entry.update(_native_what_if(text, dialect, policy, repeats))
        figures.append(entry)
        previous = (path, dialect.name, policy)
    return figures


def _native_what_if(text: str, dialect: Any, policy: Policy, repeats: int) -> dict[str, Any]:
    opening = Opening(
        protocol=6,
        source=AddressSet.parse("198.51.100.0/24"),
        target=AddressSet.parse("192.0.2.10"),
        ports=Intervals.single(9443),
    )
    try:
        after = dialect.read(dialect.write(Change(tag="bench", openings=(opening,)), text).after)
    except FwguardError:
        return {}
    return {"what_if_s": _best(lambda: what_if(policy, after, (opening,)), repeats)[0]}


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(run(corpus=sys.argv[1] if len(sys.argv) > 1 else None), indent=1))
