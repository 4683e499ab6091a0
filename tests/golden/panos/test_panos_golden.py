"""PAN-OS configurations as policies, and as they are compared. `--update-golden` rewrites; review reads the diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.panos import PANOS
from fwguard.dialects.table import detect
from fwguard.model.policy_json import policy_to_json

INPUTS = sorted(Path(__file__).parent.glob("*/input.*"))


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_reads_to_the_reviewed_policy(path: Path, pytestconfig: pytest.Config) -> None:
    """Every rule, default, translation, route and unread line."""
    actual = json.dumps(policy_to_json(PANOS.read(path.read_text())), indent=1, ensure_ascii=False) + "\n"
    check(path.parent / "want.json", actual, pytestconfig)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_is_compared_as_the_reviewed_text(path: Path, pytestconfig: pytest.Config) -> None:
    """One path a line, whatever the form."""
    check(path.parent / "want.txt", PANOS.canonical(path.read_text()), pytestconfig)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_is_recognised(path: Path) -> None:
    """Each form is known for PAN-OS."""
    assert "panos" == detect(path.read_text()).name
