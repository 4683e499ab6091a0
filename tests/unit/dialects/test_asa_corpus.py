"""Configurations that exercise one feature each: every rule is read or said to be unread."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fwguard.dialects.asa import ASA
from fwguard.dialects.table import detect

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"
# Counted in the raw text, without our reader: entries of lists, translations, routes.
ENTRY = re.compile(r"^access-list \S+ (?:extended|standard) ")
NAT = re.compile(r"^ *nat ")
ROUTE = re.compile(r"^(?:route|ipv6 route) ")


def files() -> list[Path]:
    """Every configuration of an ASA."""
    return sorted(path for path in (CORPUS / "cisco_asa").glob("*") if path.is_file())


def needs_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of other people's configurations")


def lines_of(text: str, pattern: re.Pattern[str]) -> set[int]:
    return {number for number, line in enumerate(text.split("\n"), 1) if pattern.match(line)}


def test_every_rule_is_read_or_unread() -> None:
    """No entry, translation or route is lost."""
    needs_corpus()
    assert len(files()) >= 11
    total = dark = 0
    for path in files():
        text = path.read_text()
        policy = ASA.read(text)
        unread = {one.line for one in policy.unread}
        entries = {
            rule.line
            for key, chain in policy.chains.items()
            if key.startswith("acl ")
            for rule in chain.rules
        }
        assert lines_of(text, ENTRY) == entries, path.name
        assert lines_of(text, NAT) <= {rule.line for rule in policy.nat} | unread, path.name
        assert lines_of(text, ROUTE) == {route.line for route in policy.routes}, path.name
        wanted = lines_of(text, ENTRY) | lines_of(text, NAT) | lines_of(text, ROUTE)
        total, dark = total + len(wanted), dark + len(wanted & unread)
        print(f"{path.name}: {len(wanted)} rules, {len(wanted & unread)} unread, {len(unread)} unread lines")
    print(f"cisco_asa: {total} rules, {dark} unread")


def test_what_is_unread_refers_to_what_is_not_there() -> None:
    """Objects and interfaces that no line defines, and a keyword that no ASA knows."""
    needs_corpus()
    whys = {one.why for path in files() for one in ASA.read(path.read_text()).unread}
    assert all("does not exist" in why or "no known kind" in why for why in whys), whys


def test_each_is_known_for_an_asa_and_no_other_file_is() -> None:
    """By what it says."""
    needs_corpus()
    for path in sorted(CORPUS.glob("**/*")):
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.parent.name == "cisco_asa":
            assert "asa" == detect(text).name, path.name
        else:
            assert ASA.sniff(text) < 25, path.name


def test_each_compares_equal_to_itself_and_not_without_a_line() -> None:
    """Comments are no difference; a rule is."""
    needs_corpus()
    for path in files():
        text = path.read_text()
        assert ASA.canonical(text) == ASA.canonical(text + "! the end\n"), path.name
        for number in lines_of(text, ENTRY):
            lines = text.split("\n")
            del lines[number - 1]
            assert ASA.canonical(text) != ASA.canonical("\n".join(lines)), path.name
