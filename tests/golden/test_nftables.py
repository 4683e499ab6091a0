"""Each ruleset of tests/golden/nftables reads into the reviewed policy, and changes into the reviewed text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fwguard.dialects.nftables import NFTABLES
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy_json import policy_to_json

CASES = sorted(folder for folder in (Path(__file__).parent / "nftables").iterdir() if folder.is_dir())
CHANGE = Change(
    tag="golden-1",
    openings=(
        Opening(
            protocol=6,
            source=AddressSet.parse("any"),
            target=AddressSet.parse("10.2.0.10", "2001:db8:2::10"),
            ports=Intervals.of((8443, 8443), (9000, 9010)),
        ),
    ),
    redirections=(
        Redirection(protocol=6, public="203.0.113.1", public_port=8443, inner="10.2.0.10", inner_port=8443),
    ),
)


def compact(value: object, depth: int = 0) -> str:
    """Write JSON with one line for each rule."""
    pad = " " * (depth + 1)
    if isinstance(value, dict) and value and (depth < 3 or "rules" in value):
        inner = ",\n".join(f"{pad}{json.dumps(key)}: {compact(one, depth + 1)}" for key, one in value.items())
        return "{\n" + inner + "\n" + " " * depth + "}"
    if isinstance(value, list) and value and depth < 5 and isinstance(value[0], dict):
        return (
            "[\n"
            + ",\n".join(f"{pad}{json.dumps(one, ensure_ascii=False)}" for one in value)
            + "\n"
            + " " * depth
            + "]"
        )
    return json.dumps(value, ensure_ascii=False)


def check(path: Path, actual: str) -> None:
    """Compare with the reviewed file; UPDATE_GOLDEN=1 writes it."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_reads_to_the_reviewed_policy(folder: Path) -> None:
    """Every field of every rule."""
    policy = NFTABLES.read((folder / "input.nft").read_text())
    check(folder / "want.json", compact(policy_to_json(policy)) + "\n")


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_changes_to_the_reviewed_text(folder: Path) -> None:
    """One opening for both families and one redirection; taking them away brings the text back."""
    text = (folder / "input.nft").read_text()
    edit = NFTABLES.write(CHANGE, text)
    check(folder / "want.nft", edit.after)
    assert text == NFTABLES.write(Change(tag=CHANGE.tag, remove=True), edit.after).after
