"""Benchmark of the analysis: on generated rulesets of growing size, beside a peer, and on real files."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from fwguard.analysis.compare import compare
from fwguard.analysis.difference import Difference
from fwguard.analysis.lint import lint
from fwguard.analysis.query import Judge
from fwguard.analysis.what_if import what_if
from fwguard.bench.corpus import Read, configurations, count
from fwguard.bench.generated import a_year_later, generated_packets, generated_policy, iptables_text
from fwguard.bench.machine import load, machine
from fwguard.bench.peer import run_peer
from fwguard.dialects.protocol import Dialect
from fwguard.dialects.table import dialect as dialect_of
from fwguard.errors import FwguardError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Match, Policy, Rule

T = TypeVar("T")
SIZES: Final = (1_000, 3_000, 10_000, 30_000)
PACKETS: Final = 20_000
# Files of fewer rules take no time that could be measured.
LEAST_RULES: Final = 200
# Real configurations beside the checkout, where the tests look for them too.
CORPUS: Final = Path(__file__).parents[3] / "shared" / "corpus" / "firewalls"


def run(
    *, sizes: Sequence[int] = SIZES, corpus: str | None = None, repeats: int = 3, peer: bool = True
) -> dict[str, Any]:
    """Measure and return figures, in seconds unless a name says otherwise; the best of `repeats`.

    `corpus` is a folder of configurations (by default the one beside the checkout): what is read and unread
    is counted by folder, and each larger file is measured, also against the one before it in its folder
    that the same dialect reads (files are taken by name).
    """
    folder = Path(corpus) if corpus else CORPUS
    # As the offline commands do: immutable values by the million, and no cycles among them.
    gc.disable()
    try:
        figures: dict[str, Any] = {"machine": machine(), "load": load()}
        figures["reading"] = _reading(max(sizes))
        figures["generated"] = [_generated(size, repeats) for size in sizes]
        figures["lint_curve"] = _curve(figures["generated"])
        figures["peer"] = run_peer() if peer else None
        if folder.is_dir():
            figures["corpus"] = _corpus(folder, repeats)
            figures["corpus_folders"] = [asdict(one) for one in count(folder)]
        else:
            figures["corpus"] = f"no folder {folder}: real files were not measured"
    finally:
        gc.enable()
    return figures


def _best(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Return the shortest time and the last answer."""
    best = float("inf")
    for _ in range(max(1, repeats)):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return round(best, 4), answer


def _reading(size: int) -> dict[str, Any]:
    """Read the largest generated ruleset as text, first of all: the peak of memory is that of reading."""
    text = iptables_text(generated_policy(size))
    before_mb = _peak_mb()
    read_s, policy = _best(lambda: dialect_of("iptables").read(text), 1)
    return {
        "rules": policy.rule_count,
        "unread": len(policy.unread),
        "bytes": len(text),
        "read_s": read_s,
        "peak_mb": _peak_mb(),
        "peak_before_mb": before_mb,
    }


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _generated(size: int, repeats: int) -> dict[str, Any]:
    policy = generated_policy(size)
    later = a_year_later(policy)
    packets = generated_packets(policy, PACKETS)
    lint_s, findings = _best(lambda: lint(policy), repeats)
    diff_s, difference = _best(lambda: compare(policy, later), repeats)
    judge = Judge(policy)
    judge.verdict(packets[0])
    query_s, _ = _best(lambda: [judge.verdict(packet) for packet in packets], 1)
    gc.collect()
    return {
        "rules": policy.rule_count,
        "lint_s": lint_s,
        "lint_us_a_rule": round(lint_s / policy.rule_count * 1e6, 1),
        "findings": len(findings),
        "diff_s": diff_s,
        "diff_boxes": _boxes(difference),
        "query_packets_per_s": round(PACKETS / query_s),
        "what_if_s": _what_if(policy, repeats),
    }


def _curve(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Say how the cost of lint grows: 1.0 as the exponent would be linear in the rules."""
    import math

    first, last = figures[0], figures[-1]
    grown = last["rules"] / first["rules"]
    exponent = math.log(last["lint_s"] / first["lint_s"]) / math.log(grown) if grown > 1 else None
    return {
        "rules": [one["rules"] for one in figures],
        "us_a_rule": [one["lint_us_a_rule"] for one in figures],
        "exponent": None if exponent is None else round(exponent, 2),
    }


def _boxes(difference: Difference) -> int:
    return len(difference.opens) + len(difference.closes) + len(difference.undecided)


def _opening(target: str) -> Opening:
    return Opening(
        protocol=6,
        source=AddressSet.parse("198.51.100.0/24"),
        target=AddressSet.parse(target),
        ports=Intervals.single(9443),
    )


def _what_if(policy: Policy, repeats: int) -> float:
    """Time the three questions about one rule more at the start of a chain."""
    opening = _opening("10.0.0.9")
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
    previous: Read | None = None
    for one in configurations(folder):
        if isinstance(one, Read) and one.policy.rule_count >= LEAST_RULES:
            figures.append(_file(one, previous, folder, repeats))
            previous = one
    return figures


def _file(one: Read, previous: Read | None, folder: Path, repeats: int) -> dict[str, Any]:
    policy = one.policy
    entry: dict[str, Any] = {
        "file": str(one.path.relative_to(folder)),
        "dialect": one.dialect.name,
        "rules": policy.rule_count,
        "unread": len(policy.unread),
        "read_s": _best(lambda: one.dialect.read(one.text), repeats)[0],
        "lint_s": _best(lambda: lint(policy), repeats)[0],
    }
    if previous and previous.path.parent == one.path.parent and previous.dialect is one.dialect:
        before = previous.policy
        entry["diff_with"] = previous.path.name
        entry["diff_s"], difference = _best(lambda: compare(before, policy), repeats)
        entry["diff_boxes"] = _boxes(difference)
    entry.update(_native_what_if(one.text, one.dialect, policy, repeats))
    gc.collect()
    return entry


def _native_what_if(text: str, dialect: Dialect, policy: Policy, repeats: int) -> dict[str, Any]:
    opening = _opening("192.0.2.10")
    try:
        after = dialect.read(dialect.write(Change(tag="bench", openings=(opening,)), text).after)
    except FwguardError:
        return {}
    return {"what_if_s": _best(lambda: what_if(policy, after, (opening,)), repeats)[0]}


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(run(corpus=sys.argv[1] if len(sys.argv) > 1 else None), indent=1))
