"""From one Cisco configuration to another: lists of entries keep their order, whatever else is by line.

An IOS list is renumbered first, so that an entry can be taken away and put between others by its number; an
ASA's is told the line. Source: Cisco IOS Security Command Reference, `ip access-list resequence`; Cisco ASA
Series Command Reference, `access-list extended` (`line`), "Line numbers are not saved".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

from fwguard.devices.command_line.indented import Block, changed_lines, negated, read_blocks
from fwguard.errors import CommitRefusedError

STEP: Final = 1000  # between two entries: so many fit between
_NUMBERED: Final = re.compile(r"access-list (\d+) (.+)")
_NAMED: Final = re.compile(r"(?:ip access-list (?:standard|extended)|ipv6 access-list) \S+")
_OF_ASA: Final = re.compile(r"access-list (\S+) (.+)")
_THING: Final = re.compile(r"(?:object|object-group|name|time-range) ")
_SEQUENCE: Final = re.compile(r"(?:sequence )?\d+ ")
# Order counts here too, and no command puts a line between two others.
_IN_ORDER: Final = re.compile(r"nat \(|ip nat inside destination|class-map |policy-map ")


def ios_lines(before: str, after: str, chatter: re.Pattern[str]) -> list[str]:
    """Return the lines for IOS. Raises CommitRefusedError for a list that no command can put in order."""
    old, new = (_with_numbered_lists(read_blocks(text, chatter)) for text in (before, after))
    lines: list[str] = []
    for head in [*new.below, *(head for head in old.below if head not in new.below)]:
        if not _NAMED.fullmatch(head):
            continue
        was, wanted = old.below.pop(head, None), new.below.pop(head, None)
        if wanted is None:
            old.below[head] = Block(head)  # taken away by its name, after what is bound to it
        else:
            lines += _ios_list(head, [*was.below] if was else [], [*wanted.below])
    made, forgotten = _named_things(old, new)
    rest = changed_lines(old, new)
    gone = [line for line in rest if line.startswith("no ") and _NAMED.fullmatch(line[3:])]
    return [*made, *lines, *(line for line in rest if line not in gone), *gone, *forgotten]


def asa_lines(before: str, after: str, chatter: re.Pattern[str]) -> list[str]:
    """Return the lines for an ASA. Raises CommitRefusedError where the order of NAT rules would change."""
    old, new = (read_blocks(text, chatter) for text in (before, after))
    was, wanted = _asa_lists(old), _asa_lists(new)
    order = [line for line in new.below if _IN_ORDER.match(line)]
    stand = [line for line in old.below if _IN_ORDER.match(line) and line in new.below]
    if order[: len(stand)] != stand:
        raise CommitRefusedError("NAT rules stand in another order: an ASA's are put in order by a person")
    lines: list[str] = []
    gone: list[str] = []
    for name, entries in wanted.items():
        lines += _asa_list(name, was.get(name, []), entries)
    for name, entries in was.items():
        if name not in wanted:
            gone += [f"no access-list {name} {entry}" for entry in entries]
    made, forgotten = _named_things(old, new)
    return [*made, *lines, *changed_lines(old, new), *gone, *forgotten]


def _named_things(old: Block, new: Block) -> tuple[list[str], list[str]]:
    """Take the objects that are made and forgotten out of both, and return their lines: a list may name an
    object only while it is there."""
    made = Block(
        "", {head: new.below[head] for head in new.below if _THING.match(head) and head not in old.below}
    )
    gone = Block(
        "", {head: old.below[head] for head in old.below if _THING.match(head) and head not in new.below}
    )
    for head in made.below:
        del new.below[head]
    for head in gone.below:
        del old.below[head]
    return changed_lines(Block(""), made), changed_lines(gone, Block(""))[::-1]


def _asa_lists(root: Block) -> dict[str, list[str]]:
    """Take the entries of lists out of a configuration."""
    found: dict[str, list[str]] = {}
    for line in list(root.below):
        hit = _OF_ASA.fullmatch(line)
        if hit:
            found.setdefault(hit[1], []).append(hit[2])
            del root.below[line]
    return found


def _asa_list(name: str, before: list[str], after: list[str]) -> Iterator[str]:
    """From the end on, so that the lines before keep their numbers; new entries come before old ones go."""
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    gone: set[str] = set()
    for kind, i1, i2, j1, j2 in reversed(steps):
        if kind == "equal":
            continue
        wanted = after[j1:j2]
        for entry in wanted:
            if entry in before and entry not in gone:  # an ASA takes no entry twice
                gone.add(entry)
                yield f"no access-list {name} {entry}"
        line = i1 + 1 - sum(entry in gone for entry in before[:i1])
        for number, entry in enumerate(wanted):
            yield f"access-list {name} line {line + number} {entry}"
        for entry in before[i1:i2]:
            if entry not in gone:
                gone.add(entry)
                yield f"no access-list {name} {entry}"


def _with_numbered_lists(root: Block) -> Block:
    """Return it with `access-list 101 …` as the list that it is: `no access-list 101 …` takes all of it away."""
    for line in list(root.below):
        hit = _NUMBERED.fullmatch(line)
        if hit is None:
            continue
        number = int(hit[1])
        if not (1 <= number <= 199 or 1300 <= number <= 2699):
            continue
        kind = "standard" if number <= 99 or 1300 <= number <= 1999 else "extended"
        head = f"ip access-list {kind} {number}"
        root.below.setdefault(head, Block(head)).below[hit[2]] = Block(hit[2])
        del root.below[line]
    return root


def _ios_list(head: str, before: list[str], after: list[str]) -> list[str]:
    if before == after:
        return []
    old, new = ([line for line in entries if not line.startswith("remark ")] for entries in (before, after))
    if any(_SEQUENCE.match(line) for line in (*old, *new)):
        inside = [_without(line) for line in old if line not in new] + [
            line for line in new if line not in old
        ]
        return [head, *inside, "exit"] if inside else []
    if not old:
        return [head, *new, "exit"]
    if head.startswith("ipv6"):
        if new[: len(old)] != old:
            raise CommitRefusedError(f"{head}: its entries have no numbers that one could be put before")
        return [head, *new[len(old) :], "exit"]
    first: list[str] = []
    put: list[str] = []
    last: list[str] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if j2 - j1 >= STEP:
            raise CommitRefusedError(f"{head}: more than {STEP - 1} entries between two")
        for number in range(i1, i2):  # an entry that only moves must go before it comes again
            (first if old[number] in new else last).append(f"no {STEP * (number + 1)}")
        put += [f"{STEP * i1 + 1 + number} {entry}" for number, entry in enumerate(new[j1:j2])]
    inside = [*first, *put, *last]
    name = head.split()[-1]
    return [f"ip access-list resequence {name} {STEP} {STEP}", head, *inside, "exit"] if inside else []


def _without(line: str) -> str:
    hit = _SEQUENCE.match(line)
    return negated(hit[0].strip() if hit else line)
