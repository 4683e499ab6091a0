"""VyOS configurations as policies, as they are compared, and after a change. `--update-golden` rewrites them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.vyos import VYOS
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy_json import policy_to_json

INPUTS = sorted(Path(__file__).parent.glob("*/input.*"))
CHANGED = ("at-interfaces", "zones-old", "base-chains")
CHANGE = Change(
    tag="golden-1",
    openings=(
        Opening(
            protocol=6, source=AddressSet.parse("0.0.0.0/0"), target=AddressSet.parse("10.20.0.10"),
            ports=Intervals.of((22, 22), (9000, 9010)),
        ),
    ),
    redirections=(
        Redirection(protocol=6, public="198.51.100.2", public_port=2222, inner="10.20.0.10", inner_port=22),
    ),
)  # fmt: skip


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_reads_to_the_reviewed_policy(path: Path, pytestconfig: pytest.Config) -> None:
    """Every rule, default, translation, route and unread line."""
    actual = json.dumps(policy_to_json(VYOS.read(path.read_text())), indent=1, ensure_ascii=False) + "\n"
    check(path.parent / "want.json", actual, pytestconfig)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_is_compared_as_the_reviewed_text(path: Path, pytestconfig: pytest.Config) -> None:
    """Sorted commands, whichever the form."""
    check(path.parent / "want.txt", VYOS.canonical(path.read_text()), pytestconfig)


@pytest.mark.parametrize(
    "path", [path for path in INPUTS if path.parent.name in CHANGED], ids=lambda path: path.parent.name
)
def test_a_change_is_told_as_the_reviewed_commands(path: Path, pytestconfig: pytest.Config) -> None:
    """In the form of the input, before what would drop it."""
    edit = VYOS.write(CHANGE, path.read_text())
    check(path.parent / "want.shown", edit.shown + "\n", pytestconfig)
    check(path.parent / f"want.after{path.suffix}", edit.after, pytestconfig)
