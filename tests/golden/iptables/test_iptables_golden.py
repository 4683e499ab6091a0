"""Restore files as policies, and as they are compared. `--update-golden` rewrites; review reads the diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.ipset import read_sets
from fwguard.dialects.iptables import IPTABLES
from fwguard.model.policy_json import policy_to_json

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/input.rules"))


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_to_the_reviewed_policy(case: Path, pytestconfig: pytest.Config) -> None:
    """Every rule, default, translation and unread line."""
    sets = case / "input.ipset"
    policy = IPTABLES.read(
        (case / "input.rules").read_text(), ipsets=read_sets(sets.read_text()) if sets.exists() else None
    )
    actual = json.dumps(policy_to_json(policy), indent=1, ensure_ascii=False) + "\n"
    check(case / "want.json", actual, pytestconfig)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_compared_as_the_reviewed_text(case: Path, pytestconfig: pytest.Config) -> None:
    """One spelling, no counters, no comments."""
    actual = IPTABLES.canonical((case / "input.rules").read_text())
    check(case / "want.txt", actual, pytestconfig)
