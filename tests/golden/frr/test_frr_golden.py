"""Configurations of FRR as policies, and as they are compared. `--update-golden` rewrites them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.frr import FRR
from fwguard.model.policy_json import policy_to_json

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/input.conf"))


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_to_the_reviewed_policy(case: Path, pytestconfig: pytest.Config) -> None:
    """Every route and unread line."""
    policy = FRR.read((case / "input.conf").read_text())
    check(
        case / "want.json",
        json.dumps(policy_to_json(policy), indent=1, ensure_ascii=False) + "\n",
        pytestconfig,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_compared_as_the_reviewed_text(case: Path, pytestconfig: pytest.Config) -> None:
    """One spelling, no comments, no order without meaning."""
    check(case / "want.txt", FRR.canonical((case / "input.conf").read_text()), pytestconfig)
