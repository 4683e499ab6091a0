"""What each command line would be told for a change, and to take it back. `--update-golden` rewrites them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.devices.command_line.plan import make_plan, same, without_chatter
from fwguard.devices.command_line.table import COMMAND_LINES
from fwguard.model.inventory import Platform
from fwguard.model.snapshot import Snapshot

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/input.before"))


def state(platform: Platform, path: Path) -> Snapshot:
    """Return the file as a firewall that has saved what it runs."""
    text = without_chatter(COMMAND_LINES[platform], path.read_text())
    row = COMMAND_LINES[platform]
    return Snapshot(
        {
            part: text
            for part in ("running", "startup")
            if part == "running" or row.startup or row.startup_file
        }
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_told_the_reviewed_commands(case: Path, pytestconfig: pytest.Config) -> None:
    """To write, to make it final, to take it back; each in the words of its vendor's documents."""
    platform = Platform(case.name.partition("-")[0])
    before, after = (state(platform, case / name) for name in ("input.before", "input.after"))
    plan = make_plan(COMMAND_LINES[platform], before, after, id="w1", confirm_s=90)
    actual = "".join(
        f"[{name}]\n" + "".join(f"{line}\n" for line in lines)
        for name, lines in (("write", plan.write), ("confirm", plan.confirm), ("undo", plan.undo))
    ).replace("\x04", "^D")
    if pytestconfig.getoption("--update-golden", default=False):
        (case / "want.txt").write_text(actual)
    assert (case / "want.txt").read_text() == actual


def test_every_platform_has_a_case() -> None:
    """A row of the table that nobody reviewed is no row."""
    assert set(COMMAND_LINES) == {Platform(case.name.partition("-")[0]) for case in CASES}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name.startswith("fortios")], ids=lambda case: case.name
)
def test_its_commands_make_the_one_state_into_the_other(case: Path) -> None:
    """Carried out by the dialect, which runs a script as the device would; and back again."""
    row = COMMAND_LINES[Platform.FORTIOS]
    before, after = (state(Platform.FORTIOS, case / name) for name in ("input.before", "input.after"))
    for one, other in ((before, after), (after, before)):
        written = make_plan(row, one, other, id="w1", confirm_s=90).write
        done = one.get("running") + "".join(f"{line}\n" for line in written)
        assert same(row, other.get("running"), done)
