"""Each state of tests/golden/compile compiles to the reviewed elements, classes and decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fwguard.cli.edge import command
from fwguard.compile.compiled import Compiled, compile_edge, shard_rules_text, shard_sets_text
from fwguard.compile.elements import add_text
from fwguard.compile.shaping import first_tc_text
from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import canonical_bytes, parse_state

FOLDER = Path(__file__).parent / "compile"
CASES = sorted(folder for folder in FOLDER.iterdir() if (folder / "input.json").exists())
NOW_S = 1_800_000_000


def state_of(folder: Path) -> EdgeState:
    """Read a case's state; the controls stand beside the cases, the same for all."""
    value: dict[str, Any] = json.loads((folder / "input.json").read_text())
    value["controls"] = json.loads((FOLDER / "controls.json").read_text())
    return parse_state(json.dumps(value).encode(), str(folder / "input.json"))


def elements_text(compiled: Compiled) -> str:
    """Return everything but the rules, one element a line, in the order of the kernel's sets."""
    lines = []
    for number, shard in compiled.shards.items():
        lines += [*shard_sets_text(number, shard, NOW_S), *shard_rules_text(number, shard)]
    for key, content in compiled.contents.items():
        for one, held in content.items():
            lines += add_text(compiled.specs[key], {one: held}, NOW_S)
    return "".join(lines)


def check(path: Path, actual: str, *, update: bool) -> None:
    """Compare with the reviewed file; --update-golden writes it."""
    if update:
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_compiles_to_the_reviewed_elements(folder: Path, request: pytest.FixtureRequest) -> None:
    """Every element, with what it leads back to, and every traffic class."""
    compiled = compile_edge(state_of(folder), now_s=NOW_S)
    update = bool(request.config.getoption("--update-golden"))
    check(folder / "want.elements", elements_text(compiled), update=update)
    check(folder / "want.tc", first_tc_text(compiled.shaping), update=update)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_explains_as_reviewed(
    folder: Path, language: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """`fwguard edge explain` says the clause, the ticket and why, in both languages."""
    file = tmp_path / "state.json"
    file.write_bytes(canonical_bytes(state_of(folder)))
    lines = []
    for packet in (folder / "input.packets").read_text().splitlines():
        words = [
            "explain",
            "--state",
            str(file),
            "--packet",
            packet,
            "--at",
            str(NOW_S),
            "--language",
            language,
        ]
        done = CliRunner().invoke(command, words)
        assert done.exit_code in (0, 1)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        lines.append(f"{packet}\n  {done.output}")
    update = bool(request.config.getoption("--update-golden"))
    check(folder / f"want.{language}", "".join(lines), update=update)


@pytest.mark.parametrize("name", ["address", "bridged"])
def test_the_rules_are_the_reviewed_ones(name: str, request: pytest.FixtureRequest) -> None:
    """The skeleton, whole; with a bridged port, the table for its device too."""
    compiled = compile_edge(state_of(FOLDER / name), now_s=NOW_S)
    check(
        FOLDER / name / "want.nft",
        compiled.skeleton,
        update=bool(request.config.getoption("--update-golden")),
    )


def test_the_rules_follow_from_the_controls_alone() -> None:
    """No server, opening or case is in a rule: only elements ever change."""
    skeletons = {
        compile_edge(state_of(folder), now_s=NOW_S).skeleton for folder in CASES if folder.name != "bridged"
    }
    assert 1 == len(skeletons)
