"""Bad FortiOS text: an error that names the line, or unread lines, in bounded time and memory."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.fortios import FORTIOS
from fwguard.errors import InputError, UnreadableError
from fwguard.model.change import Change

START = "config system global\nend\n"
WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        r"""
        config edit set append unset unselect next end delete rename move clone purge to before after 0 1 2 9
        firewall policy address addrgrp service custom group vip central-snat-map ippool system interface zone
        vdom global router static srcintf dstintf srcaddr dstaddr action accept deny all ALL always any a b "a"
        "a b" 'c' 10.0.0.1 255.255.255.0 10.0.0.0/8 2001:db8::/32 member subnet tcp-portrange 80-90:1-2 extip
        mappedip extintf portforward enable disable comments status nat # " \ é
        """,
    )
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("# only a comment\n", 1),
        ("hello world\n", 1),
        ("\x7fELF\0\0", 1),
        (START + "config firewall policy\n    edit 1\n        set action\0 accept\n", 5),
        (START + "config firewall policy\n    edit 1\n        set srcintf wan1\n", 6),
        (START + "end\n", 3),
        (START + 'config system global\n    set hostname "never closed\nend\n', 4),
        ("config a\n" * 10_000, 25),
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", 1),
    ],
)
def test_it_says_where(text: str, line: int) -> None:
    """Empty, another language, binary, half a text, an end too many, a quote or a table without end."""
    for read in (FORTIOS.read, FORTIOS.canonical):
        with pytest.raises(UnreadableError) as caught:
            read(text)
        assert line == caught.value.line


def test_two_hundred_megabytes_fail_fast() -> None:
    """By the length, before anything is taken apart."""
    begin = time.process_time()
    for text in ("a" * 200_000_000, START + "x" * 2_000_000):
        with pytest.raises(UnreadableError):
            FORTIOS.read(text)
    assert 0 == FORTIOS.sniff("a" * 100_000)
    assert time.process_time() - begin < 2


def test_groups_that_double_are_bounded() -> None:
    """Not a billion addresses: each is followed once."""
    lines = [
        "config firewall address",
        "edit g0",
        "set subnet 192.0.2.1/32",
        "next",
        "end",
        "config firewall addrgrp",
    ]
    for n in range(1, 39):
        lines += [f"edit g{n}", f"set member g{n - 1} g{n - 1}", "next"]
    lines += ["end", "config firewall policy"]
    lines += ["edit 1", "set srcintf any", "set dstintf any", "set srcaddr all", "set dstaddr g38"]
    lines += ["set service ALL", "set action accept", "next"]
    begin = time.process_time()
    (first,) = FORTIOS.read("\n".join([*lines, "end"]) + "\n").chains["policy"].rules
    assert time.process_time() - begin < 2
    assert ("192.0.2.1", "") == (str(first.matches[0].target), first.matches[0].unknown)


def test_tables_that_are_not_known_are_kept() -> None:
    """Line by line; those of other subsystems are read past."""
    text = (
        START
        + "config firewall teleporter\n    edit 1\n        set to everywhere\n    next\nend\nconfig log disk\nend\n"
    )
    assert [3, 4, 5] == [one.line for one in FORTIOS.read(text).unread]


def test_a_refused_entry_swallows_its_own_settings_alone() -> None:
    """The next entry is read."""
    text = (
        START
        + "config firewall policy\n    edit x\n        set action accept\n    next\n    edit 1\n    next\nend\n"
    )
    policy = FORTIOS.read(text)
    assert ([4, 5, 7], 1) == ([one.line for one in policy.unread], len(policy.chains["policy"].rules))


def test_ten_thousand_policies_are_quick() -> None:
    """A bound of several times what it takes, so that only a change of order is noticed."""
    names = "".join(
        f"edit a{n}\nset subnet 10.{n >> 16}.{n >> 8 & 255}.{n & 255} 255.255.255.255\nnext\n"
        for n in range(5000)
    )
    rules = "".join(
        f"edit {n + 1}\nset srcintf any\nset dstintf any\nset srcaddr a{n % 5000}\nset dstaddr all\n"
        "set service HTTPS\nset schedule always\nset action accept\nnext\n"
        for n in range(10_000)
    )
    text = f"config firewall address\n{names}end\nconfig firewall policy\n{rules}end\n"
    begin = time.process_time()
    assert 10_000 == FORTIOS.read(text).rule_count
    assert time.process_time() - begin < 4


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=7).map(" ".join), max_size=20))
def test_any_words_are_read_or_refused(lines: list[str]) -> None:
    """No other error than ours, whatever stands there."""
    table = "config firewall policy\nedit 1\n" + "\n".join(lines) + "\nnext\nend\n"
    for text in (START + "\n".join(lines) + "\n", START + table):
        with contextlib.suppress(InputError):
            assert "fortios" == FORTIOS.read(text).dialect
            assert FORTIOS.canonical(text) == FORTIOS.canonical("# a comment\n" + text)
        with contextlib.suppress(InputError):
            FORTIOS.write(Change(tag="t", remove=True), text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any characters."""
    for whole in (text, START + text):
        with contextlib.suppress(InputError):
            FORTIOS.read(whole)
        FORTIOS.sniff(whole)
