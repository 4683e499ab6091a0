"""Bad ASA text: an error that names the line, or unread lines, in bounded time and memory."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.asa import ASA
from fwguard.errors import InputError, UnreadableError
from fwguard.model.change import Change

START = "ASA Version 9.16(4)\n"
WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        """
        access-list access-group object object-group network service extended permit deny tcp udp ip icmp any
        any4 any6 host eq range lt gt in out interface outside inside nat (inside,outside) static dynamic
        source destination route ipv6 10.0.0.1 255.255.255.0 2001:db8::/32 443 www a b global nameif
        security-level 0 subnet group-object network-object service-object port-object description log
        inactive line 1 remark crypto map match address ssh same-security-traffic ! : é
        """,
    )
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello world\n", 1),
        ("\x7fELF\0\0", 1),
        (START + "access-list a extended\0 permit ip any any\n", 2),
        (": Saved\n" + START + "access-list a extended permit ip any any\n", 4),
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", 1),
    ],
)
def test_it_says_where(text: str, line: int) -> None:
    """Empty, another language, binary, half a text."""
    for read in (ASA.read, ASA.canonical):
        with pytest.raises(UnreadableError) as caught:
            read(text)
        assert line == caught.value.line


def test_two_hundred_megabytes_fail_fast() -> None:
    """By the length, before anything is taken apart."""
    begin = time.process_time()
    for text in ("a" * 200_000_000, START + "x" * 70_000):
        with pytest.raises(UnreadableError):
            ASA.read(text)
    assert 0 == ASA.sniff("a" * 100_000)
    assert time.process_time() - begin < 2


def test_groups_that_double_are_read_once() -> None:
    """Forty groups, each twice in the next, must not make a billion addresses."""
    lines = ["object-group network g0", " network-object host 192.0.2.1"]
    for number in range(1, 39):
        lines += [
            f"object-group network g{number}",
            f" group-object g{number - 1}",
            f" group-object g{number - 1}",
        ]
    lines.append("access-list a extended permit ip any object-group g38")
    begin = time.process_time()
    (rule,) = ASA.read(START + "\n".join(lines) + "\n").chains["acl a"].rules
    assert time.process_time() - begin < 2
    assert "192.0.2.1" == str(rule.matches[0].target)


def test_a_half_entry_is_unread_and_unknown() -> None:
    """The last line of a torn text is not lost."""
    policy = ASA.read(START + "access-list a extended permit tcp any host")
    assert [2] == [one.line for one in policy.unread]
    assert policy.chains["acl a"].rules[0].matches[0].unknown


def test_lines_of_unknown_commands_are_kept() -> None:
    """With what stands below them; those of other subsystems are read past."""
    text = START + "hostname fw\nteleport everything outside\n at once\nlogging enable\n"
    assert [3, 4] == [one.line for one in ASA.read(text).unread]


def test_ten_thousand_entries_are_quick() -> None:
    """A bound of several times what it takes, so that only a change of order is noticed."""
    lines = [
        f"access-list a extended permit tcp host 10.{n >> 16}.{n >> 8 & 255}.{n & 255} any eq {n % 60000 + 1}"
        for n in range(10_000)
    ]
    begin = time.process_time()
    assert 10_000 < ASA.read(START + "\n".join(lines) + "\n").rule_count
    assert time.process_time() - begin < 3


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=14), st.booleans())
def test_any_words_are_read_or_refused(lines: list[str], indented: bool) -> None:
    """No other error than ours, whatever stands there."""
    text = (
        START + "\n".join((" " if indented and n % 2 else "") + line for n, line in enumerate(lines)) + "\n"
    )
    with contextlib.suppress(InputError):
        policy = ASA.read(text)
        assert policy.dialect == "asa"
        assert ASA.canonical(text) == ASA.canonical(text + "!\n")
    with contextlib.suppress(InputError):
        ASA.write(Change(tag="t", remove=True), text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any characters."""
    for whole in (text, START + text):
        with contextlib.suppress(InputError):
            ASA.read(whole)
        ASA.sniff(whole)
