"""An ASA's configuration as it is compared: one spelling, no comments, no times, no order without meaning.

Kept: every command, also without effect, and the order of entries in each list and of twice NAT.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.asa.commands import INNER
from fwguard.dialects.asa.configuration import EXPECTED, read_configuration
from fwguard.dialects.cisco.lines import Block, Line, split_blocks
from fwguard.dialects.cisco.names import ASA_PORTS, PROTOCOLS

# Lines that change by themselves, or say what no packet meets.
VOLATILE: Final = ("Cryptochecksum:", "end")
ORDERLESS: Final = frozenset({"object-group", "object", "interface"})
_PORT_AFTER: Final = frozenset({"eq", "neq", "lt", "gt", "range"})
_NUMBERS: Final = {name: str(number) for name, number in PROTOCOLS.items()}


def canonical(text: str) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    read_configuration(text)
    config = split_blocks(text, expected=EXPECTED, banners=False, inner=INNER)
    lists: dict[str, list[str]] = {}
    nat: list[str] = []
    others: dict[str, list[str]] = {}
    for block in config.blocks:
        line = block.line
        if line.text.startswith(VOLATILE) or "remark" in line.words[2:5]:
            continue
        if line.first == "access-list" and len(line.words) > 2:
            lists.setdefault(line.words[1], []).append(_entry(line))
        elif line.first == "nat":
            nat.append(_words(line))
        else:
            # An object may stand twice, its address first and its translation later.
            others.setdefault(_words(line), []).extend(_children(block))
    out: list[str] = []
    for head in sorted(others):
        out += [head, *(f" {child}" for child in dict.fromkeys(others[head]))]
    for name in sorted(lists):
        out += lists[name]
    return "\n".join([*out, *nat]) + "\n"


def _children(block: Block) -> list[str]:
    children = [_words(line) for line in block.children if line.first != "description"]
    return sorted(children) if block.line.first in ORDERLESS else children


def _words(line: Line) -> str:
    words = list(line.words)
    for at in range(1, len(words)):
        if words[at - 1] in _PORT_AFTER or (at > 1 and words[at - 2] == "range"):
            words[at] = str(ASA_PORTS.get(words[at], words[at]))
    return " ".join(words)


def _entry(line: Line) -> str:
    words = _words(line).split()
    at = 2
    if words[at : at + 1] == ["line"]:
        del words[at : at + 2]
    if words[at : at + 1] in (["permit"], ["deny"]):
        words.insert(at, "extended")
    if len(words) > at + 2 and words[at] == "extended":
        words[at + 2] = _NUMBERS.get(words[at + 2], words[at + 2])
    out: list[str] = []
    skip = False
    for place, word in enumerate(words):
        if skip:
            skip = False
        elif place + 1 < len(words) and words[place + 1] == "255.255.255.255" and place > at + 1:
            out += ["host", word]
            skip = True
        elif place + 1 < len(words) and (word, words[place + 1]) == ("0.0.0.0", "0.0.0.0"):  # noqa: S104
            out.append("any4")
            skip = True
        else:
            out.append(word)
    return " ".join(out)
