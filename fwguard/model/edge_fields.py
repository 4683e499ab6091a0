"""What the values of an edge's state are made of: spans of addresses, and checks that name the field."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, V6_MAX, parse_span, show_span
from fwguard.model.inventory import NAME

INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # IFNAMSIZ, and nothing nft must escape
MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
TICKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
CLAUSE: Final = re.compile(r"(?:annex-)?[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}(?:-[a-z-]{1,32})?")
CUT: Final = re.compile(r"[A-Za-z0-9._-]{8,80}", re.ASCII)  # the id of an event of an edge
MOST_SECONDS: Final = 1 << 40
MOST_SPANS: Final = 1024


class Span(NamedTuple):
    """Addresses `first` to `last` of one IP version (4 or 6), as integers."""

    version: int
    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read an address, a prefix or first-last."""
        return cls(*parse_span(text))

    def __str__(self) -> str:
        return show_span(*self)

    @property
    def is_single(self) -> bool:
        """Tell whether it is one address."""
        return self.first == self.last

    def check(self, where: str) -> None:
        """Raise InputError unless it is addresses of its version, the lower first."""
        most = {4: V4_MAX, 6: V6_MAX}.get(self.version, -1)
        if not 0 <= self.first <= self.last <= most:
            raise InputError(
                f"{tuple(self)}", where=where, expected="addresses of IP version 4 or 6, lower first"
            )


def check_name(where: str, name: str) -> None:
    """Raise InputError unless `name` is one of the inventory's."""
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r}", where=where, expected="a-z, 0-9 and -, at most 40 characters")


def check_interface(where: str, name: str) -> None:
    """Raise InputError unless the kernel and nft take `name` as it is (IFNAMSIZ, no quoting)."""
    if not INTERFACE.fullmatch(name):
        raise InputError(f"{name!r}", where=where, expected="1 to 15 of A-Z a-z 0-9 _ . -, no - or . first")


def check_leads_back(ticket: str, clause: str) -> None:
    """Raise InputError unless both can stand in a comment of the kernel's."""
    if not TICKET.fullmatch(ticket):
        raise InputError(f"{ticket!r}", where="ticket", expected="1 to 40 of A-Z a-z 0-9 . _ -")
    if not CLAUSE.fullmatch(clause):
        raise InputError(f"{clause!r}", where="clause", expected="a clause's number, as 7.1.1")


def check_end(where: str, at_s: int | None) -> None:
    """Raise InputError unless `at_s` is a time."""
    if at_s is not None and not 0 <= at_s < MOST_SECONDS:
        raise InputError(f"{at_s}", where=where, expected="seconds since 1970")


def check_port_range(first: int, last: int) -> None:
    """Raise InputError for a reversed range, or no ports."""
    if not 0 <= first <= last <= 65535:
        raise InputError(f"{first}-{last}", where="ports", expected="0 to 65535, the lower first")
