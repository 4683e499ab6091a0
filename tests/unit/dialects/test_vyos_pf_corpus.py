"""Real VyOS, pfSense and OPNsense configurations: every rule is read or said to be unread."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from fwguard.analysis.compare import compare
from fwguard.analysis.lint import lint
from fwguard.dialects.pf import OPNSENSE, PFSENSE
from fwguard.dialects.table import detect
from fwguard.dialects.vyos import VYOS
from fwguard.model.policy import Policy

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"
PRODUCTS = {"pfsense": PFSENSE, "opnsense": OPNSENSE}
OURS = {"vyos": "vyos", "pfsense": "pfsense", "opnsense": "opnsense"}
IMPLICIT = ("no address of the firewall",)


def files(folder: str) -> list[Path]:
    """Every file of a vendor."""
    return sorted((CORPUS / folder).glob("*"))


def needs_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of real configurations")


def lines_of(policy: Policy) -> set[int]:
    """Every line that a rule, a translation or an unread note speaks of."""
    read = {rule.line for chain in policy.chains.values() for rule in chain.rules}
    return read | {rule.line for rule in policy.nat} | {one.line for one in policy.unread}


ROUTE = ("route", "interface-route")
HOP = re.compile(r"(?:next-hop|next-hop-interface|interface) \S+|blackhole|reject")


def vyos_statements(text: str) -> tuple[set[int], set[str]]:
    """Return the first lines of filter and NAT rules, and the next hops of routes, by nothing but the text."""
    rules: dict[str, int] = {}
    routes: set[str] = set()
    if text.startswith("set "):
        for number, line in enumerate(text.split("\n"), 1):
            if found := re.match(r"set (?:firewall .*|nat6?6? \w+ )rule \d+", line):
                rules.setdefault(found[0], number)
            if found := re.match(
                rf"set (?:vrf name \S+ )?protocols static (?:route|interface-route)6? \S+ (?:{HOP.pattern})",
                line,
            ):
                routes.add(found[0])
        return set(rules.values()), routes
    path: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if words == "}":
            path.pop()
            continue
        in_route = "static {" in path[-2:-1] and path[-1].startswith(ROUTE)
        if in_route and HOP.match(words):
            routes.add(f"{number}")
        if words.endswith("{"):
            path.append(words)
            if words.startswith("rule ") and path[0] in ("firewall {", "nat {", "nat66 {"):
                rules[f"{number}"] = number
    return set(rules.values()), routes


def test_every_rule_of_every_vyos_file_is_read_or_unread() -> None:
    """No filter rule, translation or static route is lost; nothing of these files is unread."""
    needs_corpus()
    assert len(files("vyos")) >= 28
    total = 0
    for path in files("vyos"):
        text = path.read_text()
        policy = VYOS.read(text)
        rules, routes = vyos_statements(text)
        assert rules <= lines_of(policy), path.name
        assert len(routes) == len(policy.routes), path.name
        assert () == policy.unread, path.name
        total += len(rules)
        print(f"{path.name}: {len(rules)} rules, {len(routes)} routes, {len(policy.unread)} unread")
    assert total >= 50


def test_boot_file_and_commands_do_the_same() -> None:
    """Of the same device, written by two releases: no packet is judged otherwise."""
    needs_corpus()
    for path in files("vyos"):
        if path.suffix == ".set":
            old, new = VYOS.read(path.with_suffix("").read_text()), VYOS.read(path.read_text())
            difference = compare(old, new)
            assert not (difference.opens or difference.closes or difference.undecided), path.name
            assert {(route.prefix, route.via, route.kind) for route in old.routes} == {
                (route.prefix, route.via, route.kind) for route in new.routes
            }, path.name


@pytest.mark.parametrize("folder", PRODUCTS)
def test_every_rule_of_every_xml_file_is_read_or_unread(folder: str) -> None:
    """Filter rules, redirections, outbound rules and routes, but those that are disabled."""
    needs_corpus()
    assert len(files(folder)) >= 3
    for path in files(folder):
        text = path.read_text()
        policy = PRODUCTS[folder].read(text)
        wanted: set[int] = set()
        disabled = 0
        for part in ("filter", "nat", "staticroutes"):
            for block in re.finditer(rf"<{part}[ >].*?</{part}>", text, re.DOTALL):
                for found in re.finditer(r"<(rule|route)(?: [^>]*)?>.*?</\1>", block[0], re.DOTALL):
                    if "<disabled" in found[0]:
                        disabled += 1
                    else:
                        wanted.add(text.count("\n", 0, block.start() + found.start()) + 1)
        read = lines_of(policy) | {route.line for route in policy.routes}
        assert wanted <= read, path.name
        assert () == policy.unread, path.name
        print(
            f"{path.name}: {len(wanted)} rules and routes, {disabled} disabled, {len(policy.unread)} unread"
        )


def test_every_file_is_known_for_what_it_is_and_no_other() -> None:
    """By its text: ours for ours, and none of another vendor's files for one of ours."""
    needs_corpus()
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.suffix in (".lower", ".upper"):
            continue
        folder = path.relative_to(CORPUS).parts[0]
        text = path.read_text(errors="replace")
        if folder in OURS:
            assert OURS[folder] == detect(text).name, path.name
        else:
            assert [0, 0, 0] == [one.sniff(text) for one in (VYOS, PFSENSE, OPNSENSE)], path.name


@pytest.mark.parametrize("folder", OURS)
def test_every_file_compares_equal_to_itself_and_differs_without_a_rule(folder: str) -> None:
    """However it is indented; a rule that is gone is a difference."""
    needs_corpus()
    for path in files(folder):
        text = path.read_text()
        one = detect(text)
        wider = (
            re.sub(r"^[ \t]+", "      ", text, flags=re.MULTILINE)
            if folder != "vyos" or text[:4] != "set "
            else text
        )
        assert one.canonical(text) == one.canonical(wider), path.name
        if folder != "vyos":
            cut = re.sub(r"<rule(?: [^>]*)?>.*?</rule>", "", text, count=1, flags=re.DOTALL)
            assert one.canonical(text) != one.canonical(cut), path.name


def test_reading_and_lint_of_all_are_quick() -> None:
    """A bound of ten times what it takes, so that only a change of order is noticed."""
    needs_corpus()
    started = time.perf_counter()
    for folder in OURS:
        for path in files(folder):
            text = path.read_text()
            lint(detect(text).read(text))
    assert time.perf_counter() - started < 20
