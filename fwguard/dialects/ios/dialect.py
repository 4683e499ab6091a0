"""Cisco IOS as a dialect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.ios.canonical import canonical
from fwguard.dialects.ios.reader import NAME, read_policy
from fwguard.dialects.ios.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_OTHERS: Final = re.compile(r"^(?:ASA|PIX|NGFW) Version \d|^ +nameif \S+\s*$", re.MULTILINE)
_SIGNS: Final = (
    re.compile(r"^(?:Building configuration|Current configuration : \d+)", re.MULTILINE),
    re.compile(r"^version \d+\.\d+\s*$", re.MULTILINE),
    re.compile(
        r"^interface (?:\w*Ethernet|Vlan|Loopback|Serial|Tunnel|Dialer|Port-channel)[\d/. ]+", re.MULTILINE
    ),
    re.compile(r"^ +(?:ip access-group|ipv6 traffic-filter) \S+ (?:in|out)\s*$", re.MULTILINE),
    re.compile(r"^ip access-list (?:extended|standard) \S+", re.MULTILINE),
    re.compile(r"^ipv6 access-list \S+\s*$", re.MULTILINE),
    re.compile(r"^access-list \d+ (?:permit|deny|remark) ", re.MULTILINE),
    re.compile(r"^ip route (?:vrf \S+ )?\d+\.\d+\.\d+\.\d+ \d+\.\d+\.\d+\.\d+ ", re.MULTILINE),
    re.compile(r"^ *ip nat (?:inside|outside)\b", re.MULTILINE),
    re.compile(r"^ +ip address \d+\.\d+\.\d+\.\d+ \d+\.\d+\.\d+\.\d+\s*$", re.MULTILINE),
)


@dataclass(frozen=True, slots=True)
class Ios:
    """Reads and writes the text of `show running-config`."""

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is of IOS, 0 to 100."""
        head = text[:SNIFFED]
        if _OTHERS.search(head):
            return 0
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


IOS: Final = Ios()
