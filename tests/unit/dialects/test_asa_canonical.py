"""What is no difference between two configurations of an ASA, and what is."""

from __future__ import annotations

import pytest

from fwguard.dialects.asa import ASA

TEXT = """: Saved
: Written by ops at 10:00:00.000 UTC Mon Mar 2 2026
ASA Version 9.16(4)
!
hostname fw
object network a
 description first
 host 192.0.2.1
object-group network g
 network-object host 192.0.2.2
 network-object object a
access-list o remark the web
access-list o extended permit tcp any object-group g eq https
access-list o extended permit tcp any 192.0.2.9 255.255.255.255 eq www
access-list p extended deny ip any any
nat (inside,outside) source static a a
nat (inside,outside) source dynamic any interface
Cryptochecksum:0123456789abcdef
: end
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10:00:00.000 UTC Mon Mar 2", "11:11:11.111 UTC Tue Mar 3"),
        ("Cryptochecksum:0123456789abcdef", "Cryptochecksum:ffffffffffffffff"),
        ("access-list o remark the web\n", ""),
        (" description first\n", ""),
        ("!\n", "! a comment\n!\n"),
        ("eq https", "eq 443"),
        ("192.0.2.9 255.255.255.255", "host 192.0.2.9"),
        ("permit tcp any object-group", "permit 6 any object-group"),
        (" network-object host 192.0.2.2\n network-object object a\n",
         " network-object object a\n network-object host 192.0.2.2\n"),
        ("hostname fw\n", "hostname   fw  \n"),
    ],
)  # fmt: skip
def test_this_is_no_difference(old: str, new: str) -> None:
    """Times, checksums, comments, spelling, the order of members."""
    assert old in TEXT
    assert ASA.canonical(TEXT) == ASA.canonical(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("eq https", "eq 444"),
        ("access-list p extended deny ip any any\n", ""),
        ("hostname fw", "hostname other"),
        ("nat (inside,outside) source static a a\nnat (inside,outside) source dynamic any interface\n",
         "nat (inside,outside) source dynamic any interface\nnat (inside,outside) source static a a\n"),
        ("access-list o extended permit tcp any 192.0.2.9 255.255.255.255 eq www\n", ""),
        (" host 192.0.2.1\n", " host 192.0.2.7\n"),
    ],
)  # fmt: skip
def test_this_is_a_difference(old: str, new: str) -> None:
    """Another value, a command gone, another order of translations."""
    assert old in TEXT
    assert ASA.canonical(TEXT) != ASA.canonical(TEXT.replace(old, new))


def test_the_order_of_entries_is_a_difference() -> None:
    """The order of lists is none."""
    first, second = (line for line in TEXT.split("\n") if line.startswith("access-list o extended"))
    swapped = TEXT.replace(f"{first}\n{second}", f"{second}\n{first}")
    assert ASA.canonical(TEXT) != ASA.canonical(swapped)
    last = "access-list p extended deny ip any any\n"
    assert ASA.canonical(TEXT) == ASA.canonical(
        TEXT.replace(last, "").replace("access-list o remark", f"{last}access-list o remark")
    )
