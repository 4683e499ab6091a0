"""Configurations that exercise one feature each: every policy is read or said to be unread."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fwguard.dialects.fortios import FORTIOS
from fwguard.dialects.table import detect

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"


def files() -> list[Path]:
    """Every configuration of a FortiGate."""
    return sorted(path for path in (CORPUS / "fortios").glob("*") if path.is_file())


def needs_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of other people's configurations")


def policies(text: str) -> dict[str, int]:
    """Count in the raw text, without our reader: the line of each policy's first `edit`."""
    found: dict[str, int] = {}
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"config firewall policy\s*$", line):
            inside = True
        elif line.startswith("end"):
            inside = False
        elif inside and (edit := re.match(r"\s+edit (\S+)", line)):
            found.setdefault(edit[1], number)
    return found


def test_every_policy_is_read_or_unread() -> None:
    """No `edit` of the table is lost."""
    needs_corpus()
    assert len(files()) >= 5
    total = dark = 0
    for path in files():
        text = path.read_text()
        policy = FORTIOS.read(text)
        wanted = set(policies(text).values())
        read = {rule.line for rule in policy.chains["policy"].rules}
        unread = {one.line for one in policy.unread}
        assert wanted == read | (unread & wanted), path.name
        total, dark = total + len(wanted), dark + len(wanted - read)
        print(f"{path.name}: {len(wanted)} policies, {len(wanted - read)} unread, {len(unread)} unread lines")
    print(f"fortios: {total} policies, {dark} unread")


def test_what_the_device_refuses_is_unread() -> None:
    """Names that do not exist, numbers that no policy can have, settings that no FortiGate knows."""
    needs_corpus()
    reasons = (
        "does not exist", "refuses", "can have", "no entry", "cannot be done", "beside others", "not known",
        "no service",
    )  # fmt: skip
    for path in files():
        for one in FORTIOS.read(path.read_text()).unread:
            assert any(reason in one.why for reason in reasons), (path.name, one)


def test_each_is_known_for_fortios_and_no_other_file_is() -> None:
    """By what it says."""
    needs_corpus()
    for path in sorted(CORPUS.glob("**/*")):
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.parent.name == "fortios":
            assert "fortios" == detect(text).name, path.name
        else:
            assert FORTIOS.sniff(text) < 25, path.name


def test_each_compares_equal_to_itself_and_not_without_a_policy() -> None:
    """Comments are no difference; a policy is."""
    needs_corpus()
    for path in files():
        text = path.read_text()
        assert FORTIOS.canonical(text) == FORTIOS.canonical(text + "# the end\n"), path.name
        known = {rule.line for rule in FORTIOS.read(text).chains["policy"].rules}
        for number in set(policies(text).values()) & known:
            lines = text.split("\n")
            name = lines[number - 1].split()[1]
            if name != "0":
                gone = f"{text}\nconfig firewall policy\n    delete {name}\nend\n"
                assert FORTIOS.canonical(text) != FORTIOS.canonical(gone), path.name
