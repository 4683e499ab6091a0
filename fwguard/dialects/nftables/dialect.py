"""The nftables dialect: read, write and compare texts in one place."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fwguard.dialects.nftables.canonical import canonical_text
from fwguard.dialects.nftables.jsonform import is_json, to_text
from fwguard.dialects.nftables.lexer import MAX_TEXT_CHARS
from fwguard.dialects.nftables.parse import parse
from fwguard.dialects.nftables.reader import read_ruleset
from fwguard.dialects.nftables.ruleset import Ruleset
from fwguard.dialects.nftables.write import write_change
from fwguard.errors import InputError
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED_CHARS: Final = 64 * 1024
_TABLE: Final = re.compile(r"^\s*(?:add\s+)?table\s+(?:ip|ip6|inet|arp|bridge|netdev)\s+[\w-]+", re.M)
_COMMAND: Final = re.compile(
    r"^\s*(?:flush ruleset|(?:add|insert|create) (?:rule|chain|table|set|map|element) |define \w+ ?=)", re.M
)
_HOOK: Final = re.compile(r"\btype\s+(?:filter|nat|route)\s+hook\s+\w+")


class Nftables:
    """Reads, writes and compares nftables rulesets."""

    name = "nftables"

    def sniff(self, text: str) -> int:
        """Return how surely a text is nftables, 0 to 100."""
        head = text[:SNIFFED_CHARS]
        if head.lstrip()[:200].replace(" ", "").startswith('{"nftables":'):
            return 100
        if head.startswith("#!") and "nft" in head.split("\n", 1)[0]:
            return 100
        found = 55 * bool(_TABLE.search(head)) + 40 * bool(_HOOK.search(head))
        return found + (50 if _COMMAND.search(head) else 0) if found < 50 else min(found, 98)

    def read(self, text: str) -> Policy:
        """Read a whole ruleset, text or JSON. Raises UnreadableError on what is no nftables.

        In JSON a line is the place of an object in its list, from 1.
        """
        with _collector_at_rest():
            return read_ruleset(_parsed(text)).policy

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change; its other bytes stay as they are.

        Raises InputError where the text has no place for it, and for JSON: a change is told to nft as text.
        """
        if is_json(text):
            raise InputError("a change of the JSON form", expected="the text that `nft list ruleset` prints")
        return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return the text as it is compared; text and JSON of one kernel differ in their spelling."""
        return canonical_text(_parsed(text))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the cycle collector from walking a million tokens again and again: reading makes no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parsed(text: str) -> Ruleset:
    if is_json(text):  # one object a line, as long as it may be
        return parse(to_text(text), longest_line=MAX_TEXT_CHARS)
    return parse(text)


NFTABLES: Final = Nftables()
