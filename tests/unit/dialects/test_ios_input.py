"""Bad text of IOS: an error that names the line, or unread lines, in bounded time and memory."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.ios import IOS
from fwguard.errors import InputError, UnreadableError
from fwguard.model.change import Change

START = "version 15.7\n"
WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        """
        access-list ip ipv6 extended standard object-group network service permit deny tcp udp icmp any host eq
        range lt gt neq established 10 101 20 remark a b interface GigabitEthernet0/0 access-group in out
        traffic-filter nat inside outside source static list pool overload route 10.0.0.1 0.0.0.255
        255.255.255.0 2001:db8::/32 443 www group-object sequence no zone-member security zone-pair destination
        line vty access-class log time-range match-any +syn evaluate dynamic reflect banner motd # ! é
        """,
    )
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello world\n", 1),
        ("\x7fELF\0\0", 1),
        (START + "ip access-list extended a\n permit\0 ip any any\n", 3),
        ("Building configuration...\nCurrent configuration : 99 bytes\n" + START, 4),
        (START + "banner motd #\nno end\n", 2),
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", 1),
    ],
)
def test_it_says_where(text: str, line: int) -> None:
    """Empty, another language, binary, half a text, a banner without end."""
    for read in (IOS.read, IOS.canonical):
        with pytest.raises(UnreadableError) as caught:
            read(text)
        assert line == caught.value.line


def test_two_hundred_megabytes_fail_fast() -> None:
    """By the length, before anything is taken apart."""
    begin = time.process_time()
    for text in ("a" * 200_000_000, START + "x" * 70_000):
        with pytest.raises(UnreadableError):
            IOS.read(text)
    assert 0 == IOS.sniff("a" * 100_000)
    assert time.process_time() - begin < 2


def test_a_wildcard_full_of_holes_is_bounded() -> None:
    """Every second bit would be 65 536 intervals."""
    begin = time.process_time()
    lines = "".join(f" permit ip 10.0.{n}.0 85.85.85.85 any\n" for n in range(50))
    policy = IOS.read(f"{START}ip access-list extended a\n{lines}")
    assert all(rule.matches[0].unknown for rule in policy.chains["ip access-list a"].rules)
    assert time.process_time() - begin < 2


def test_lines_of_unknown_commands_are_kept() -> None:
    """With what stands below them; those of other subsystems are read past."""
    text = START + "hostname rt\nteleport everything outside\n at once\nlogging host 192.0.2.1\n"
    assert [3, 4] == [one.line for one in IOS.read(text).unread]


def test_ten_thousand_entries_are_quick() -> None:
    """A bound of several times what it takes, so that only a change of order is noticed."""
    lines = [
        f" permit tcp host 10.{n >> 16}.{n >> 8 & 255}.{n & 255} any eq {n % 60000 + 1}"
        for n in range(10_000)
    ]
    begin = time.process_time()
    assert 10_000 == IOS.read(f"{START}ip access-list extended a\n" + "\n".join(lines) + "\n").rule_count
    assert time.process_time() - begin < 3


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=14), st.booleans())
def test_any_words_are_read_or_refused(lines: list[str], indented: bool) -> None:
    """No other error than ours, whatever stands there."""
    text = (
        START + "\n".join((" " if indented and n % 2 else "") + line for n, line in enumerate(lines)) + "\n"
    )
    with contextlib.suppress(InputError):
        assert "ios" == IOS.read(text).dialect
        assert IOS.canonical(text) == IOS.canonical(text + "!\n")
    with contextlib.suppress(InputError):
        IOS.write(Change(tag="t", remove=True), text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any characters."""
    for whole in (text, START + text):
        with contextlib.suppress(InputError):
            IOS.read(whole)
        IOS.sniff(whole)
