"""What a device is told to go from one state to another: pure, from the table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fwguard.devices.command_line.indented import changed_lines, read_blocks
from fwguard.devices.command_line.lists import asa_lines, ios_lines
from fwguard.devices.command_line.paths import panos_lines, vyos_lines
from fwguard.devices.command_line.sections import fortios_lines
from fwguard.devices.command_line.table import BACK, CommandLine, Deadline, Entry
from fwguard.dialects.table import DIALECTS
from fwguard.errors import CommitRefusedError, InputError
from fwguard.model.snapshot import Snapshot

END_OF_TEXT: Final = "\x04"  # Ctrl-D
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


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
    _check(row, before, after)
    words = {"id": id, "seconds": str(confirm_s), "minutes": str(-(-confirm_s // 60))}
    write: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    old, new = before.get("running"), after.get("running")
    if not same(row, old, new):
        write = (*_filled(row.enter, words), *_lines(row, old, new), *_filled(row.commit, words))
        undo = way_back(row, new, old, id=id)
    # On a platform whose commit is final, a state that is saved already needs no word more.
    confirm = _filled(row.confirm, words) if write or has_startup(row) else ()
    return Plan(write=write, confirm=confirm, undo=undo)


def way_back(row: CommandLine, now: str, before: str, *, id: str) -> tuple[str, ...]:
    """Return what takes an unconfirmed write back from a device that runs `now` to what it ran before."""
    words = {"id": id, "seconds": "60", "minutes": "1"}
    if BACK not in row.undo:
        return _filled(row.undo, words)
    if row.undo == (BACK,):
        return (*_filled(row.enter, words), *_lines(row, now, before), *_filled(row.commit, words))
    found: list[str] = []
    for line in row.undo:
        found += _lines(row, now, before) if line == BACK else [line]
    return tuple(found)


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
    kept = [line for line in text.split("\n") if not line or not row.chatter.fullmatch(line)]
    return "\n".join(kept).strip("\n") + "\n" if any(kept) else ""


def _check(row: CommandLine, before: Snapshot, after: Snapshot) -> None:
    if has_startup(row):
        if not same(row, after.get("running"), after.get("startup")):
            raise CommitRefusedError(
                "what starts shall be other than what runs, but a command line only saves what runs: "
                "log in there, save one of the two, and approve it anew"
            )
        if row.deadline is Deadline.REBOOT and not same(row, before.get("running"), before.get("startup")):
            raise CommitRefusedError(
                "what starts is other than what runs, and its way back is a restart: save or undo it there first"
            )
    if row.needs is not None and not row.needs[0].search(before.get("running")):
        raise CommitRefusedError(row.needs[1])


def _lines(row: CommandLine, before: str, after: str) -> tuple[str, ...]:
    if row.entry is Entry.WHOLE:
        if _CONTROL.search(after):
            raise CommitRefusedError("the text holds control characters, which a terminal takes for keys")
        return (after.rstrip("\n") + "\n" + END_OF_TEXT,)
    if row.entry is Entry.IOS:
        lines = ios_lines(before, after, row.chatter)
    elif row.entry is Entry.ASA:
        lines = asa_lines(before, after, row.chatter)
    elif row.entry is Entry.VYOS:
        lines = vyos_lines(before, after)
    elif row.entry is Entry.PANOS:
        lines = panos_lines(before, after)
    elif row.entry is Entry.FORTIOS:
        lines = fortios_lines(before, after)
    else:
        lines = changed_lines(read_blocks(before, row.chatter), read_blocks(after, row.chatter))
    for line in lines:
        if _CONTROL.search(line) or "\n" in line:
            raise CommitRefusedError(
                f"{line[:60]!r} holds control characters, which a terminal takes for keys"
            )
    return tuple(lines)


def _filled(lines: tuple[str, ...], words: dict[str, str]) -> tuple[str, ...]:
    return tuple(line.format(**words) for line in lines)
