"""New entries between those of a list of IOS: at their place in the text, with numbers that lie between.

The device puts an entry where its number says. Lists whose text says no numbers have 10, 20, … and
remarks none; where too few are left between two entries, the list is renumbered first.
Source: IOS security command reference, `ip access-list resequence`, `remark`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.cisco.lines import Line
from fwguard.dialects.cisco.sheet import Sheet
from fwguard.dialects.ios.configuration import AccessList, number_of
from fwguard.errors import InputError

STEP: Final = 10


@dataclass(slots=True)
class Batch:
    """Entries for one list, to stand before its line at `index` (remarks count), behind a remark each."""

    one: AccessList
    index: int
    entries: list[str]


def insert(sheet: Sheet, batches: list[Batch], remark: str) -> None:
    """Put all new entries of one list into the text, and show them as commands.

    Raises InputError where an IPv6 list has no numbers left: that one cannot be renumbered by a command.
    """
    one = batches[0].one
    said = any(number_of(line, start) for line, start in one.lines)
    remarks_have = any(number_of(*entry) for entry in one.lines if is_remark(entry))
    numbers = _numbers(one)
    needed: dict[int, int] = {}
    for batch in batches:
        needed[batch.index] = needed.get(batch.index, 0) + 2 * len(batch.entries)
    is_v6 = one.kind == "ipv6"
    if any(count >= _room(numbers, index) for index, count in needed.items()):
        if is_v6:
            why = f"too few numbers are left between entries of {one.name}"
            raise InputError(why, expected="the list renumbered by hand")
        step = STEP * (2 + max(needed.values()) // STEP)
        sheet.shown.append(f"+ ip access-list resequence {one.name} {STEP} {step}")
        if said:
            _renumber(sheet, one, step)
        numbers = _numbers(one, step)
    sheet.shown.append(f"+ ipv6 access-list {one.name}" if is_v6 else f"+ ip access-list extended {one.name}")
    used: dict[int, int] = {}
    for batch in batches:
        texts = []
        base = max(numbers[: batch.index], default=0)
        for entry in batch.entries:
            for words in (f"remark {remark}", entry):
                used[batch.index] = used.get(batch.index, 0) + 1
                number = f"{'sequence ' if is_v6 else ''}{base + used[batch.index]} "
                sheet.shown.append(f"+  {number}{words}")
                if one.numbered:
                    texts.append(f"access-list {one.name} {words}")
                else:
                    texts.append(f" {number if said and (remarks_have or words == entry) else ''}{words}")
        sheet.insert(_line(one, batch.index), texts)


def is_remark(entry: tuple[Line, int]) -> bool:
    """Tell whether a line of a list is a comment."""
    line, start = entry
    return "remark" in line.words[start : start + 3]


def _line(one: AccessList, index: int) -> int:
    if index < len(one.lines):
        return one.lines[index][0].number
    return max((line.number for line, _ in one.lines), default=one.line) + 1


def _numbers(one: AccessList, step: int = STEP) -> list[int]:
    """Return the number of every line as the device has it, or as `resequence` with a step would give it."""
    numbers: list[int] = []
    last = 0
    for entry in one.lines:
        own = number_of(*entry) if step == STEP else 0
        if not own:
            own = last if is_remark(entry) else last + step if last else STEP
        last = max(last, own)
        numbers.append(own)
    return numbers


def _room(numbers: list[int], index: int) -> int:
    """Return how far the next number behind a place is from the last one before it."""
    base = max(numbers[:index], default=0)
    return min((number for number in numbers[index:] if number > base), default=1 << 31) - base


def _renumber(sheet: Sheet, one: AccessList, step: int) -> None:
    """Write the numbers that `resequence` gives into the text."""
    number = STEP
    for line, start in one.lines:
        if number_of(line, start):
            raw = sheet.lines[line.number - 1]
            sheet.lines[line.number - 1] = raw.replace(line.words[start], str(number), 1)
            number += step
