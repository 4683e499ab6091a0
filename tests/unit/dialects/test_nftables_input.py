"""Bad nftables: an error that names the line, in bounded time, and nothing that is lost in silence."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.nftables import NFTABLES
from fwguard.dialects.nftables.lexer import MAX_LINE_CHARS
from fwguard.errors import InputError, UnreadableError
from fwguard.model.policy import Action, Hook

CHAIN = "table inet t {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy drop;\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("table inet t {\n\tchain f {\n", 2),
        ("table inet t {\n}\n}\n", 3),
        ("\x7fELF\0\0\0", 1),
        ("table inet t {\n\tchain f {\n\t\ttcp dport 22 \0 accept\n\t}\n}\n", 3),
        ("*filter\n:INPUT ACCEPT [0:0]\n", 1),
        ("table inet t {\n\tchain f { type filter hook forward priority banana; }\n}\n", 2),
        ("table inet t {\n\tchain a { jump b; }\n\tchain b { jump c; }\n\tchain c { goto a; }\n}\n", 4),
        ("table inet t {\n\tchain a {\n\t\tjump a\n\t}\n}\n", 3),
        ("table inet t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { @s }\n\t}\n}\n", 4),
        ("define a = { $a }\n", 1),
        ("hello world\n", 1),
        ("table inet t {\n\tchain f {\n\t\ttcp dport 22 accept “quoted”\n\t}\n}\n", 3),
        ('table inet t {\n\tchain f {\n\t\tlog prefix "never closed\n\t}\n}\n', 3),
        ("table\n", 1),
        ("add rule inet t\n", 1),
        ('{"nftables": [', 1),
        ('{"nftables": {}}', 1),
        ("{" * 10_000, 1),
        ("table inet t " + "{ chain c " * 10_000, 1),
        ("[" * 200_000, 1),
        ('{"a":' * 100_000, 1),
    ],
)
def test_it_says_where(text: str, line: int) -> None:
    """Unbalanced, binary, another language, loops, sets in themselves, broken JSON, deep nesting."""
    with pytest.raises(UnreadableError) as caught:
        NFTABLES.read(text)
    assert line == caught.value.line


def test_ten_thousand_nested_rules_fail_fast() -> None:
    """Anonymous chains in chains are braces like others."""
    with pytest.raises(UnreadableError, match="nested too deep"):
        NFTABLES.read(CHAIN + "jump { " * 10_000 + "accept" + " }" * 10_000 + "\n}\n}\n")


def test_a_very_long_line_fails_fast() -> None:
    """A line longer than any ruleset's is refused before it is taken apart."""
    text = CHAIN + "tcp dport { " + "1, " * (MAX_LINE_CHARS // 2) + "}\n"
    begin = time.process_time()
    with pytest.raises(UnreadableError, match="line too long"):
        NFTABLES.read(text)
    assert time.process_time() - begin < 2


def test_two_hundred_megabytes_fail_fast() -> None:
    """A text larger than any ruleset is refused by its length."""
    text = "a" * 200_000_000
    begin = time.process_time()
    for read in (NFTABLES.read, NFTABLES.canonical):
        with pytest.raises(UnreadableError):
            read(text)
    with pytest.raises(UnreadableError):
        NFTABLES.read("{" + text)
    assert NFTABLES.sniff(text) == 0
    assert time.process_time() - begin < 2


def test_variables_that_double_are_stopped() -> None:
    """Thirty lines must not make a billion words."""
    lines = ["define v0 = { 1, 2 }"] + [f"define v{i + 1} = {{ $v{i}, $v{i} }}" for i in range(40)]
    with pytest.raises(UnreadableError, match="beyond measure"):
        NFTABLES.read("\n".join(lines))


def test_a_cross_product_is_bounded() -> None:
    """Conditions whose product would be billions of boxes become unknown."""
    pairs = ", ".join(f"10.0.{i >> 8}.{i & 255} . {i + 1}" for i in range(3000))
    ends = ", ".join(f"10.1.{i >> 8}.{i & 255} . {i + 1}" for i in range(3000))
    text = f"{CHAIN}ip saddr . tcp sport {{ {pairs} }} ip daddr . tcp dport {{ {ends} }} accept\n}}\n}}\n"
    begin = time.process_time()
    (rule,) = NFTABLES.read(text).chains["inet t f"].rules
    assert time.process_time() - begin < 5
    assert all(match.unknown for match in rule.matches)


def test_thirty_thousand_rules_are_linear() -> None:
    """Twice the rules cost about twice the time."""

    def cost(count: int) -> float:
        rules = "".join(
            f"\t\tip saddr 10.{i >> 8 & 255}.{i & 255}.0/24 tcp dport {{ {i % 60000 + 1}, 443 }} counter accept\n"
            for i in range(count)
        )
        text = f"{CHAIN}{rules}\t}}\n}}\n"
        begin = time.process_time()
        assert count == NFTABLES.read(text).rule_count
        return time.process_time() - begin

    small, large = cost(2_000), cost(8_000)
    assert large < small * 12


def test_strings_of_json_never_become_syntax() -> None:
    """A name that holds quotes, braces or commands is only an odd name."""
    evil = 'x" accept\nadd rule inet t f accept #'
    for where in ("right", "comment", "chain", "prefix", "table"):
        rule: dict[str, object] = {"family": "inet", "table": "t", "chain": "f", "expr": []}
        if where in ("comment", "chain", "table"):
            rule[where] = evil
            rule["expr"] = [{"drop": None}]
        elif where == "right":
            rule["expr"] = [
                {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": evil}},
                {"drop": None},
            ]
        else:
            rule["expr"] = [{"log": {"prefix": evil}}, {"drop": None}]
        text = json.dumps(
            {
                "nftables": [
                    {"table": {"family": "inet", "name": "t"}},
                    {"chain": {"family": "inet", "table": "t", "name": "f", "type": "filter", "hook": "forward",
                               "prio": 0, "policy": "drop"}},
                    {"rule": rule},
                ]
            }
        )  # fmt: skip
        policy = NFTABLES.read(text)
        actions = [one.action for chain in policy.chains.values() for one in chain.rules]
        assert Action.ACCEPT not in actions
        assert actions != []


def test_an_unknown_object_of_json_is_kept() -> None:
    """An object of a later version makes the hooks unknown; its place in the list is its line."""
    policy = NFTABLES.read('{"nftables": [{"metainfo": {}}, {"gizmo": {"family": "ip"}}]}')
    assert [2] == [one.line for one in policy.unread]
    assert Hook.FORWARD in policy.hooks


words = st.sampled_from(
    ["table", "inet", "t", "{", "}", "chain", "f", "type", "filter", "hook", "forward", "priority", "0", ";", "\n",
     "policy", "drop", "accept", "tcp", "dport", "22", "ip", "saddr", "@s", "set", "elements", "=", ",", "10.0.0.0/8",
     "vmap", ":", "jump", "add", "rule", "flush", "ruleset", "define", "$x", "x", "include", '"a"', "!=", "ct",
     "state", "new", "-", "map", "dnat", "to", "limit", "rate", "(", ")", "&", "|", ".", "[", "]", "comment", "fib",
     "counter", "meta", "mark", "*", "icmp", "flags", "delete", "handle", "insert", "index", "queue", "reject",
     "with", "update", "::1", "/", "over"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(words, max_size=40), st.booleans())
def test_any_words_are_read_or_refused(parts: list[str], inside: bool) -> None:
    """No other error than ours, from any method."""
    text = " ".join(parts)
    if inside:
        text = f"{CHAIN}{text}\n\t}}\n}}\n"
    for method in (NFTABLES.read, NFTABLES.canonical, NFTABLES.sniff):
        with contextlib.suppress(InputError):
            method(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the bytes of a client's file are."""
    for method in (NFTABLES.read, NFTABLES.canonical, NFTABLES.sniff):
        with contextlib.suppress(InputError):
            method(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 70000) | st.sampled_from(["ip", "tcp", "accept", "@s", "::1", '"{']),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["match", "left", "right", "op", "payload", "protocol", "field", "set", "range", "prefix",
                         "addr", "len", "meta", "key", "vmap", "data", "accept", "jump", "target",
                         "dnat", "port", "concat"]),
        inner, max_size=3,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(values, max_size=4))
def test_any_json_expression_is_read_or_refused(expr: list[object]) -> None:
    """A rule whose expressions make no sense is unknown, not an accident."""
    table = {"family": "ip", "table": "t"}
    chain = {**table, "name": "f", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}
    text = json.dumps({"nftables": [{"chain": chain}, {"rule": {**table, "chain": "f", "expr": expr}}]})
    try:
        NFTABLES.read(text)
        NFTABLES.canonical(text)
    except InputError:
        pass


@pytest.mark.parametrize(
    "words", ["queue", "dnat to", "tcp", "ip saddr", "ct", "limit", "update @s", "fib", "meta mark set"]
)
def test_a_rule_that_ends_too_early_is_unknown(words: str) -> None:
    """Half a rule is a rule that nobody understands."""
    policy = NFTABLES.read(f"{CHAIN}\t\t{words}\n\t}}\n}}\n")
    assert [Action.UNKNOWN] == [rule.action for rule in policy.chains["inet t f"].rules]
