"""ICMP types by the names of pf (icmp(4), icmp6(4)). Source: IANA ICMP and ICMPv6 parameters."""

from __future__ import annotations

from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import Family
from fwguard.model.intervals import Intervals
from fwguard.model.ports import icmp_types

TYPES_V4: Final = {
    "echorep": 0, "unreach": 3, "squench": 4, "redir": 5, "althost": 6, "echoreq": 8, "routeradv": 9,
    "routersol": 10, "timex": 11, "paramprob": 12, "timereq": 13, "timerep": 14, "inforeq": 15, "inforep": 16,
    "maskreq": 17, "maskrep": 18, "trace": 30, "dataconv": 31, "mobredir": 32, "ipv6-where": 33,
    "ipv6-here": 34, "mobregreq": 35, "mobregrep": 36, "skip": 39, "photuris": 40,
}  # fmt: skip
TYPES_V6: Final = {
    "unreach": 1, "toobig": 2, "timex": 3, "paramprob": 4, "echoreq": 128, "echorep": 129, "groupqry": 130,
    "listqry": 130, "grouprep": 131, "listenrep": 131, "groupterm": 132, "listendone": 132, "routersol": 133,
    "routeradv": 134, "neighbrsol": 135, "neighbradv": 136, "redir": 137, "routrrenum": 138, "wrureq": 139,
    "fqdnreq": 139, "niqry": 139, "wrurep": 140, "fqdnrep": 140, "nirep": 140, "mtraceresp": 200,
    "mtrace": 201,
}  # fmt: skip


def icmp_list(text: str, family: Family) -> Intervals:
    """Read a comma list of types; those of the other IP version have no meaning. Raises InputError."""
    names = TYPES_V6 if family is Family.V6 else TYPES_V4
    numbers: list[int] = []
    for word in text.replace(" ", "").lower().split(","):
        if word in names:
            numbers.append(names[word])
        elif word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 255:
            numbers.append(int(word))
        elif word not in TYPES_V4 and word not in TYPES_V6:
            raise InputError(f"ICMP type {word[:20]!r}", expected="a name of pf, or 0 to 255")
    spans = [icmp_types(number, number) for number in numbers]
    return Intervals.of(*(pair for span in spans for pair in span))


def icmp_name(number: int, family: Family) -> str:
    """Return the name of a type. Raises InputError for one that the page does not offer."""
    names = TYPES_V6 if family is Family.V6 else TYPES_V4
    for name, own in names.items():
        if own == number:
            return name
    raise InputError(f"ICMP type {number}", expected="a type that pf has a name for")
