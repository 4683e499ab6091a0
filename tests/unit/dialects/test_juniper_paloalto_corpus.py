"""Configurations of others: every rule statement is in the model or unread, and each text is known for what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwguard.dialects.protocol import Dialect
from fwguard.dialects.table import detect, dialect
from fwguard.model.policy import Policy

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"
FOLDERS = {"juniper": "junos", "junos-xml": "junos", "palo_alto": "panos"}
QUOTED = r'(?:"[^"]*"|\S+)'
# A rule is what a set line names below these words; each is counted once.
JUNOS_RULE = re.compile(
    rf"^set (?:groups \S+ )?(security policies (?:from-zone \S+ to-zone \S+|global) policy {QUOTED}"
    rf"|security nat (?:source|destination|static) rule-set {QUOTED} rule {QUOTED}"
    rf"|firewall (?:family \S+ )?filter {QUOTED} term {QUOTED}"
    r"|routing-options static route \S+)"
)
PANOS_RULE = re.compile(
    rf"^set (.*?(?:pre-rulebase|post-rulebase|rulebase) (?:security|nat|application-override) rules {QUOTED}) ."
)
PANOS_ROUTE = re.compile(rf"^set (.*? static-route {QUOTED}) .")
PANOS_OFF = re.compile(rf"^set (.*?rulebase (?:security|nat) rules {QUOTED}) disabled yes")


def files(folder: str) -> list[Path]:
    """The texts of one folder."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of others' configurations")
    return sorted((CORPUS / folder).iterdir())


def set_rules(text: str) -> tuple[dict[str, int], int]:
    """Return the rules that set lines name with their first line, counted without our reader, and routes."""
    found: dict[str, int] = {}
    off = {match[1] for line in text.split("\n") if (match := PANOS_OFF.match(line))}
    routes: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = JUNOS_RULE.match(line) or PANOS_RULE.match(line)
        route = PANOS_ROUTE.match(line)
        if route or (match and "static route" in match[1]):
            routes[(route or match)[1]] = None  # type: ignore[index]
        elif match and match[1] not in off:
            found.setdefault(match[1], number)
    return found, len(routes)


def brace_rules(text: str) -> int:
    """Count the entries below `rules {` by indentation, without our reader; disabled ones left out."""
    count = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if re.fullmatch(r" *rules \{", line):
            inner = re.match(r" *", lines[number])[0] + "  "  # type: ignore[index]
            for place in range(number + 1, len(lines)):
                if lines[place].startswith(inner[:-2] + "}"):
                    break
                if re.fullmatch(rf"{inner}[^ #].* \{{", lines[place]):
                    end = lines.index(f"{inner}}}", place)
                    count += not any("disabled yes" in one for one in lines[place:end])
    return count


def covered(policy: Policy) -> set[int]:
    """The lines that the model, or what is unread, begins at."""
    lines = {rule.line for chain in policy.chains.values() for rule in chain.rules}
    lines |= {rule.line for rule in policy.nat}
    return lines | {one.line for one in policy.unread}


def texts() -> Iterator[tuple[Path, Dialect, str]]:
    for folder, name in FOLDERS.items():
        for path in files(folder):
            yield path, dialect(name), path.read_text()


def test_every_rule_is_read_or_unread() -> None:
    """Counted in the raw text, by its own words."""
    counts: dict[str, list[int]] = {}
    for path, one, text in texts():
        policy = one.read(text)
        read = covered(policy)
        if re.search(r"^set ", text, re.MULTILINE):
            rules, routes = set_rules(text)
            missing = {rule for rule, line in rules.items() if line not in read}
            assert not missing, f"{path.name}: {missing}"
            assert routes == len(policy.routes), path.name
            number = len(rules)
        elif text.lstrip().startswith("<"):
            number = len(re.findall(r"<policy>\s*<name>", text))
            policies = [line for line in read if "<policy>" in text.split("\n")[line - 1]]
            assert len(policies) >= number, path.name
        else:
            number = brace_rules(text)
            starts = {rule.line for rule in policy.chains["security"].rules if rule.line}
            starts |= {rule.line for rule in policy.nat}
            assert number == len(starts), path.name
        tally = counts.setdefault(path.parent.name, [0, 0, 0])
        tally[0] += 1
        tally[1] += number
        tally[2] += len(policy.unread)
    for folder, (number_of_files, rules_read, unread) in counts.items():
        print(f"{folder}: {number_of_files} files, {rules_read} rules, {unread} unread lines")
    assert {"juniper", "junos-xml", "palo_alto"} == set(counts)


def test_each_text_is_recognised() -> None:
    """And by no other dialect."""
    for path, one, text in texts():
        assert one.name == detect(text).name, path.name


@pytest.mark.parametrize("folder", ["iptables", "cisco_asa", "fortios", "opnsense", "pfsense", "vyos"])
def test_no_text_of_another_vendor_is_taken(folder: str) -> None:
    """Junos and PAN-OS are not what other configurations are."""
    for path in files(folder):
        for text in [
            one.read_text(errors="replace") for one in (path.iterdir() if path.is_dir() else [path])
        ]:
            for name in ("junos", "panos"):
                assert dialect(name).sniff(text) < 25, path


def test_every_text_compares_equal_to_itself_without_comments() -> None:
    """Comments and blank lines are no difference; a deleted rule line is."""
    for path, one, text in texts():
        if not re.search(r"^set ", text, re.MULTILINE):
            continue
        bare = "\n".join(line for line in text.split("\n") if line.strip() and line[0] not in "#!")
        assert one.canonical(text) == one.canonical(bare), path.name
        rules, _ = set_rules(text)
        for line in list(rules.values())[:1]:
            lines = text.split("\n")
            assert one.canonical(text) != one.canonical("\n".join(lines[: line - 1] + lines[line:])), (
                path.name
            )
