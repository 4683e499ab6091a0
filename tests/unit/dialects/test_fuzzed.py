"""Every reader on damaged texts: mutations of our own golden cases, a fixed number of them in every run.

What is no text of the dialect is refused with its line; nothing else may be raised, and no rule may be lost.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwguard.dialects.table import DIALECTS, detect, dialect
from fwguard.errors import InputError
from fwguard.model.policy import Policy

GOLDEN = Path(__file__).parents[2] / "golden"
# Two to four seconds a reader on one slow core, the same texts in every run; for a search that goes on, set more.
MORE = int(os.environ.get("FWGUARD_FUZZ_EXAMPLES", "0"))
fixed = settings(
    max_examples=MORE or 200, deadline=None, derandomize=not MORE, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
NOISE = (
    "{", "}", "{{{{", "}}", ";", '"', "'", "\\", "<", ">", "</", "/>", "<a>", "&x;", "<!--", "]]>", "[", "]", "(",
    ",", ":", "=", "!", "#", "@a", "$x", "*", "-", "--", "/*", "*/", "0", "-1", "65536", "99999999999999999999",
    "0.0.0.0/0", "::/0", "10.0.0.1/33", "1.2.3.4-1.2.3.3", "10.0.0.1 255.0.255.0", "any", "set", "no", "edit",
    "next", "end", "config", "exit", "drop", "accept", "jump", "-A", "COMMIT", "*filter", "\t", "\n", "\r\n",
    "\u2028", "\x1b[31m", "\ufeff", "é", "é" * 40, "a" * 300,
)  # fmt: skip


@cache
def inputs(name: str) -> tuple[str, ...]:
    """Every golden input that the dialect reads; for the FRR router, a text of its own."""
    found = []
    for path in sorted(GOLDEN.glob("*/*/input*")):
        try:
            text = path.read_text(encoding="utf-8")
        except ValueError:
            continue
        if len(text) > 60_000:
            continue
        try:
            if detect(text).name == name:
                found.append(text)
        except InputError:
            continue
    return tuple(found)


def mutated(text: str, data: st.DataObject) -> str:
    """Damage a text in one to four places."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from((1, 3, 20, 200, 2000))))
        kind = data.draw(st.sampled_from(("cut", "half", "twice", "noise", "instead", "swap")))
        noise = data.draw(st.sampled_from(NOISE))
        if kind == "cut":
            text = text[:start] + text[end:]
        elif kind == "half":
            text = text[: max(1, start)]
        elif kind == "twice":
            text = text[:end] + text[start:]
        elif kind == "noise":
            text = text[:start] + noise + text[start:]
        elif kind == "instead":
            text = text[:start] + noise + text[start + len(noise) :]
        else:
            lines = text.split("\n")
            here, there = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            lines[here], lines[there] = lines[there], lines[here]
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("name", sorted(DIALECTS))
@fixed
@given(data=st.data())
def test_a_damaged_text_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """No other exception, from guessing, reading and the canonical form; what is unread has its line."""
    text = mutated(data.draw(st.sampled_from(inputs(name))), data)
    one = dialect(name)
    assert 0 <= one.sniff(text) <= 100
    policy, said = None, ""
    try:
        policy = one.read(text)
    except InputError as error:
        said = str(error)
    if policy is None:
        assert "expected" in said, said
        return
    lines = text.count("\n") + 2 + len(re.findall("[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", text))
    assert all(0 <= entry.line <= lines for entry in policy.unread)
    try:
        one.canonical(text)
    except InputError:
        return


def begun(policy: Policy) -> set[int]:
    """Return the lines at which the model, or what is unread, begins."""
    lines = {rule.line for chain in policy.chains.values() for rule in chain.rules}
    lines |= {rule.line for rule in policy.nat} | {one.line for one in policy.unread}
    return lines | {route.line for route in policy.routes}


# One rule is one line: a word of it may be damaged, and it must still be a rule or unread.
RULE_LINES = {
    "iptables": re.compile(r"-A \S+ .+"),
    "asa": re.compile(r"access-list \S+ (?:extended|standard) (?:permit|deny) .+"),
    "ios": re.compile(r"(?: (?:\d+ )?|access-list \d+ )(?:permit|deny) .+"),
    "nftables": re.compile(r"\s+(?:ip|ip6|tcp|udp|ct|iifname|oifname|meta)\b.*\b(?:accept|drop)"),
}


@pytest.mark.parametrize("name", sorted(RULE_LINES))
@fixed
@given(data=st.data())
def test_a_rule_with_a_damaged_word_is_not_lost(name: str, data: st.DataObject) -> None:
    """It is in the model or unread, or the whole text is refused."""
    text = data.draw(st.sampled_from(inputs(name)))
    lines, read = text.split("\n"), begun(dialect(name).read(text))
    places = [n for n, line in enumerate(lines) if n + 1 in read and RULE_LINES[name].fullmatch(line)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    head, *words = re.split(r"(?<=\S) ", lines[place])
    at = data.draw(st.integers(min(2, len(words) - 1), len(words) - 1))
    noise = data.draw(st.sampled_from(("bogus", "0", "65536", "any", "10.0.0.1/33", "--bogus", "tcp", "eq")))
    words[at : at + data.draw(st.integers(0, 1))] = [noise]
    lines[place] = " ".join((head, *words))
    try:
        policy = dialect(name).read("\n".join(lines))
    except InputError:
        return
    assert place + 1 in begun(policy), lines[place]


def test_there_is_a_text_for_every_dialect() -> None:
    """The tests before prove nothing without one."""
    assert [] == [name for name in DIALECTS if not inputs(name)]
