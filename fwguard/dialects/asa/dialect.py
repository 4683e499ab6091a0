"""Cisco ASA as a dialect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.asa.canonical import canonical
from fwguard.dialects.asa.reader import NAME, read_policy
from fwguard.dialects.asa.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_VERSION: Final = re.compile(r"^(?:ASA|PIX|NGFW) Version \d", re.MULTILINE)
_SIGNS: Final = (
    re.compile(r"^ +nameif \S+\s*$", re.MULTILINE),
    re.compile(r"^ +security-level \d+\s*$", re.MULTILINE),
    re.compile(r"^access-list \S+ (?:line \d+ )?(?:extended|standard|ethertype) ", re.MULTILINE),
    re.compile(r"^access-group \S+ (?:(?:in|out) interface \S+|global)", re.MULTILINE),
    re.compile(r"^object(?:-group)? (?:network|service) \S+", re.MULTILINE),
    re.compile(r"^ *nat \(\S+,\S+\) ", re.MULTILINE),
    re.compile(r"^route \S+ \d+\.\d+\.\d+\.\d+ ", re.MULTILINE),
    re.compile(r"^same-security-traffic permit ", re.MULTILINE),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asa:
    """Reads and writes the text of `show running-config`."""

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is of an ASA, 0 to 100."""
        head = text[:SNIFFED]
        if _VERSION.search(head):
            return 95
        signs = sum(1 for sign in _SIGNS if sign.search(head))
        return min(90, 20 + 20 * signs) if signs else 0

    def read(self, text: str) -> Policy:
        """Read a whole configuration. Raises UnreadableError with the line for half a one and for others."""
        return read_policy(text)

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change: entries in the lists that judge the opening on its way.

        Raises InputError where the text does not tell which interfaces that are, or no list judges there.
        """
        return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return the text without comments, times, and order or spelling without meaning."""
        return canonical(text)


ASA: Final = Asa()
