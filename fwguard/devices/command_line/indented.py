"""From one configuration of indented lines to another, as the lines to enter (Cisco's form; FRR's too).

A line is taken away by `no` before it, and comes back by `no` taken off. What stands indented below a line
is entered below it. Source: FRR user guide, "Basic Config Commands"; Cisco IOS Configuration Fundamentals,
"Using the no and default Forms of Commands".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.errors import InputError

MAX_DEPTH: Final = 8
_ROUTE: Final = re.compile(r"(?:no )?(?:ip|ipv6) route ")
_ONE: Final = re.compile(r"(?:hostname|domainname|frr defaults)\b")  # the new one takes the old one's place
_ENDS: Final = re.compile(r"exit(?:-\S+)?|end|quit")


@dataclass(slots=True)
class Block:
    """One line, and the lines below it in order."""

    line: str
    below: dict[str, Block] = field(default_factory=dict)


def read_blocks(text: str, chatter: re.Pattern[str]) -> Block:
    """Return the lines of a configuration as a tree by their indentation; `chatter` are lines to leave out.

    Raises InputError where lines are nested deeper than any of these systems does.
    """
    root = Block("")
    open_: list[tuple[int, Block]] = [(-1, root)]
    for raw in text.split("\n"):
        line = " ".join(raw.split())
        if not line or line.startswith("!") or chatter.fullmatch(raw) or _ENDS.fullmatch(line):
            continue
        indent = len(raw) - len(raw.lstrip())
        while open_[-1][0] >= indent:
            open_.pop()
        if len(open_) > MAX_DEPTH:
            raise InputError(f"{line[:60]!r} stands {len(open_)} deep", expected=f"at most {MAX_DEPTH}")
        block = open_[-1][1].below.setdefault(line, Block(line))
        open_.append((indent, block))
    return root


def changed_lines(before: Block, after: Block) -> list[str]:
    """Return the lines to enter, from the top of configuration mode, that make `before` into `after`."""
    return list(_changes(before, after))


def _changes(before: Block, after: Block) -> Iterator[str]:
    gone = [line for line in before.below if line not in after.below]
    new = [line for line in after.below if line not in before.below]
    places = {_place(line) for line in new}
    gone = [line for line in gone if not (_ONE.match(line) and _place(line) in places)]
    # A route stays until the one that replaces it is there; the same place in the table holds one only.
    late = [line for line in gone if _ROUTE.match(line) and _place(line) not in places]
    yield from (negated(line) for line in gone if line not in late)
    for line in new:
        yield from _entered(after.below[line])
    for line, block in after.below.items():
        if line in before.below:
            inside = list(_changes(before.below[line], block))
            if inside:
                yield from (line, *inside, "exit")
    yield from (negated(line) for line in late)


def _entered(block: Block) -> Iterator[str]:
    yield block.line
    if block.below:
        for child in block.below.values():
            yield from _entered(child)
        yield "exit"


def negated(line: str) -> str:
    """Return the line that takes a line away."""
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"


def _place(line: str) -> str:
    """Return what makes two lines the same thing: a route's words but tag and flags, the word that is once."""
    only = _ONE.match(line)
    if only:
        return only[0]
    if not _ROUTE.match(line):
        return line
    return re.sub(r" (?:(?:tag|name|track) \S+|onlink|permanent)(?= |$)", "", line)
