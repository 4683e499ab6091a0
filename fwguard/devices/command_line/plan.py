"""What a device is told to go from one state to another: pure, from the table."""

from __future__ import annotations

from dataclasses import dataclass

from fwguard.devices.command_line.indented import changed_lines, read_blocks
from fwguard.devices.command_line.table import CommandLine, Deadline
from fwguard.dialects.table import DIALECTS
from fwguard.errors import CommitRefusedError, InputError
from fwguard.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Lines in order: to write, to make it final, and to take it back."""

    write: tuple[str, ...]
    confirm: tuple[str, ...]
    undo: tuple[str, ...]


def make_plan(row: CommandLine, before: Snapshot, after: Snapshot, *, id: str, confirm_s: int) -> Plan:
    """Return what to say to a device that holds `before` so that it holds `after`.

    Raises CommitRefusedError for what this platform cannot be told so that it could be taken back.
    """
    if has_startup(row):
        if not same(row, after.get("running"), after.get("startup")):
            raise CommitRefusedError(
                "what starts shall be other than what runs, but a command line only saves what runs: "
                "log in there, save one of the two, and approve it anew"
            )
        if row.deadline is Deadline.REBOOT and not same(row, before.get("running"), before.get("startup")):
            raise CommitRefusedError(
                "what starts is other than what runs, and its deadline is a restart: save or undo it there first"
            )
    words = {"id": id, "seconds": str(confirm_s), "minutes": str(-(-confirm_s // 60))}
    write: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    if not same(row, before.get("running"), after.get("running")):
        write = _entered(row, words, before.get("running"), after.get("running"))
        undo = _filled(row.undo, words)
        if row.deadline is Deadline.OURS:
            undo = _entered(row, words, after.get("running"), before.get("running"))
    return Plan(write=write, confirm=_filled(row.confirm, words), undo=undo)


def has_startup(row: CommandLine) -> bool:
    """Tell whether what starts is kept apart from what runs."""
    return bool(row.startup or row.startup_file)


def same(row: CommandLine, one: str, other: str) -> bool:
    """Tell whether two texts are the same state, as the dialect compares them."""
    if one == other:
        return True
    dialect = DIALECTS[row.language]
    try:
        return dialect.canonical(one) == dialect.canonical(other)
    except InputError:
        return False


def without_chatter(row: CommandLine, text: str) -> str:
    """Return a listing without what the device says around its configuration."""
    kept = [line for line in text.split("\n") if not row.chatter.fullmatch(line)]
    return "\n".join(kept).strip("\n") + "\n" if any(kept) else ""


def _entered(row: CommandLine, words: dict[str, str], before: str, after: str) -> tuple[str, ...]:
    lines = changed_lines(read_blocks(before, row.chatter), read_blocks(after, row.chatter))
    return (*_filled(row.enter, words), *lines, *_filled(row.commit, words))


def _filled(lines: tuple[str, ...], words: dict[str, str]) -> tuple[str, ...]:
    return tuple(line.format(**words) for line in lines)
