"""An IOS configuration as it is compared: one spelling, no comments, no times, no order without meaning.

Kept: every command, also without effect, and the order of entries in each list and of translations.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.cisco.lines import Block, split_blocks
from fwguard.dialects.cisco.names import IOS_PORTS, PROTOCOLS
from fwguard.dialects.ios.commands import INNER
from fwguard.dialects.ios.configuration import EXPECTED, AccessList, read_configuration

# Lines that change by themselves, or frame the text.
VOLATILE: Final = (
    "Building configuration",
    "Current configuration",
    "Last configuration",
    "ntp clock-period",
    "end",
)
COMMENTS: Final = frozenset({"description", "remark"})
ORDERLESS: Final = frozenset({"interface", "object-group"})
_PORT_AFTER: Final = frozenset({"eq", "neq", "lt", "gt", "range"})
_SILENT: Final = frozenset({"exit", "exit-address-family"})


def canonical(text: str) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    found = read_configuration(text)
    config = split_blocks(text, expected=EXPECTED, banners=True, inner=INNER)
    in_lists = {line.number for one in found.lists.values() for line, _ in one.lines}
    heads = {one.line for one in found.lists.values() if not one.numbered}
    others: list[list[str]] = []
    nat: list[str] = []
    for block in config.blocks:
        line = block.line
        if line.number in in_lists or line.number in heads or line.text.startswith(VOLATILE):
            continue
        if line.starts("ip", "nat") or line.starts("no"):
            nat.append(_words(line.words))
        else:
            others.append([_words(line.words), *_children(block)])
    out = [text for group in sorted(others) for text in group]
    for key in sorted(found.lists):
        out += _list(found.lists[key])
    return "\n".join([*out, *nat]) + "\n"


def _children(block: Block) -> list[str]:
    lines = [line for line in block.children if line.first not in COMMENTS and line.first not in _SILENT]
    children = [f" {_words(line.words)}" for line in lines]
    return sorted(children) if block.line.first in ORDERLESS else children


def _list(one: AccessList) -> list[str]:
    """Write a list without the numbers of its entries: only their order counts."""
    out = [f"{'ipv6' if one.kind == 'ipv6' else 'ip'} access-list {one.kind} {one.name}"]
    for line, start in one.lines:
        words = list(line.words[start:])
        if words[0].isdecimal():
            del words[0]
        if "sequence" in words:
            at = words.index("sequence")
            del words[at : at + 2]
        if words and words[0] not in COMMENTS:
            out.append(f" {_entry(words, one.kind)}")
    return out


def _entry(words: list[str], kind: str) -> str:
    words = _words(words).split()
    if kind != "standard" and len(words) > 1:
        words[1] = str(PROTOCOLS.get(words[1], words[1]))
    out: list[str] = []
    at = 0
    while at < len(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if following == "0.0.0.0" and words[at].count(".") == 3:  # noqa: S104 - a wildcard mask
            out += ["host", words[at]]
            at += 1
        elif following == "255.255.255.255" and words[at].count(".") == 3:
            out.append("any")
            at += 1
        elif kind == "standard" and at == 1 and words[at].count(".") == 3 and following.count(".") != 3:
            out += ["host", words[at]]
        else:
            out.append(words[at])
        at += 1
    return " ".join(out)


def _words(given: list[str]) -> str:
    words = list(given)
    listing = False
    for at in range(1, len(words)):
        before = words[at - 1]
        listing = before in _PORT_AFTER or (listing and (before.isdecimal() or before in IOS_PORTS))
        if listing:
            words[at] = str(IOS_PORTS.get(words[at], words[at]))
    return " ".join(words)
