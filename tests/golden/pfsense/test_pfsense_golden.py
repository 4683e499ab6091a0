"""pfSense files as policies, as they are compared, and after a change. `--update-golden` rewrites them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.pf import PFSENSE
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy_json import policy_to_json

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/input.xml"))
CHANGED = ("office", "floating", "port-forwards")
CHANGE = Change(
    tag="golden-1",
    openings=(
        Opening(
            protocol=6, source=AddressSet.parse("8.8.8.0/24"), target=AddressSet.parse("10.20.0.10"),
            ports=Intervals.of((25, 25), (9000, 9010)),
        ),
    ),
    redirections=(
        Redirection(protocol=6, public="198.51.100.2", public_port=2525, inner="10.20.0.10", inner_port=25),
    ),
)  # fmt: skip


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads_to_the_reviewed_policy(case: Path, pytestconfig: pytest.Config) -> None:
    """Every rule, also those of the product, translation, route and unread line."""
    policy = policy_to_json(PFSENSE.read((case / "input.xml").read_text()))
    actual = json.dumps(policy, indent=1, ensure_ascii=False) + "\n"
    check(case / "want.json", actual, pytestconfig)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_compared_as_the_reviewed_text(case: Path, pytestconfig: pytest.Config) -> None:
    """One line an element, without what is no difference."""
    check(case / "want.txt", PFSENSE.canonical((case / "input.xml").read_text()), pytestconfig)


@pytest.mark.parametrize("case", [case for case in CASES if case.name in CHANGED], ids=lambda case: case.name)
def test_a_change_is_told_as_the_reviewed_elements(case: Path, pytestconfig: pytest.Config) -> None:
    """Before what would drop it; all else byte for byte."""
    edit = PFSENSE.write(CHANGE, (case / "input.xml").read_text())
    check(case / "want.shown", edit.shown + "\n", pytestconfig)
    check(case / "want.after.xml", edit.after, pytestconfig)
