"""What is a difference between two nftables texts, and what is none."""

from __future__ import annotations

import pytest

from fwguard.dialects.nftables import NFTABLES

BASE = """table inet filter {
	set s {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.1, 198.51.100.0/24 }
	}

	set banned {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 10m
		elements = { 203.0.113.1 timeout 10m expires 3m2s }
	}

	counter hits {
		packets 5 bytes 600
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related counter packets 10 bytes 200 accept
		ip saddr @banned drop
		ip saddr @s tcp dport { 80, 443 } accept comment "web"
		tcp dport 22 accept
		tcp dport 22 accept
	}

	chain input {
		type filter hook input priority filter; policy accept;
	}
}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("packets 10 bytes 200", "packets 11 bytes 300"),
        ("packets 5 bytes 600", "packets 6 bytes 700"),
        (" counter packets 10 bytes 200", ""),
        ("ip saddr @banned drop", "ip saddr @banned counter packets 7 bytes 700 drop"),
        ("ip saddr @banned drop", 'ip saddr @banned counter name "hits" drop'),
        (' comment "web"', ""),
        ('comment "web"', 'comment "fwguard:t-1"'),
        ("tcp dport 22 accept\n", "tcp dport 22 accept # handle 7\n"),
        ("table inet filter {", "# a remark\ntable inet filter { # handle 1"),
        ("{ 192.0.2.1, 198.51.100.0/24 }", "{ 198.51.100.0/24,\n\t\t\t     192.0.2.1 }"),
        ("{ 80, 443 }", "{ 443, 80 }"),
        ("{ 80, 443 }", "{ http, https }"),
        ("established,related", "related,established"),
        ("{ 203.0.113.1 timeout 10m expires 3m2s }", "{ 203.0.113.9 timeout 10m expires 1s }"),
        ("\t\telements = { 203.0.113.1 timeout 10m expires 3m2s }\n", ""),
        ("priority filter", "priority 0"),
        ("\t", "        "),
        ("dynamic,timeout", "timeout,dynamic"),
    ],
)
def test_no_difference(old: str, new: str) -> None:
    """Counters, handles, comments, blanks, order in sets, what packets put into a set that only drops."""
    assert old in BASE
    assert NFTABLES.canonical(BASE) == NFTABLES.canonical(BASE.replace(old, new))


def test_order_of_chains_sets_and_tables_is_no_difference() -> None:
    """Only the rules of a chain have an order."""
    one, two = (
        "table ip a {\n\tchain x {\n\t}\n\n\tchain y {\n\t}\n}\n",
        "table ip a {\n\tchain y { }; chain x { }\n}\n",
    )
    assert NFTABLES.canonical(one + BASE) == NFTABLES.canonical(BASE + two)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tcp dport 22 accept\n\t\ttcp dport 22 accept", "tcp dport 22 accept"),
        ("\t\tip saddr @banned drop\n", ""),
        ("ip saddr @banned drop\n", "ip saddr @banned accept\n"),
        ("policy drop", "policy accept"),
        ("192.0.2.1,", "192.0.2.2,"),
        ("{ 80, 443 }", "{ 80, 8443 }"),
        ("priority filter", "priority filter - 1"),
        ("tcp dport 22 accept\n\t\ttcp", "tcp dport 22 accept\n\t\tcounter\n\t\ttcp"),
        ("timeout 10m\n", "timeout 20m\n"),
        ("table inet filter {", "table inet filter {\n\tflags dormant"),
        ("table inet filter {", 'include "/tmp/x"\ntable inet filter {'),
        ("size 65535", "size 10"),
    ],
)
def test_a_difference(old: str, new: str) -> None:
    """Rules, their order, doubles, policies, elements, settings, and lines that nobody reads."""
    assert old in BASE
    assert NFTABLES.canonical(BASE) != NFTABLES.canonical(BASE.replace(old, new))


def test_order_of_rules_is_a_difference() -> None:
    """The first match decides."""
    a, b = "\t\tip saddr @banned drop\n", '\t\tip saddr @s tcp dport { 80, 443 } accept comment "web"\n'
    assert NFTABLES.canonical(BASE) != NFTABLES.canonical(BASE.replace(a + b, b + a))


def test_elements_of_a_set_that_accepts_are_a_difference() -> None:
    """What packets put into a set counts as soon as one rule lets it pass."""
    text = BASE.replace(
        "ip saddr @banned drop", "ip saddr @banned drop\n\t\tip saddr @banned tcp dport 1 accept"
    )
    other = text.replace("203.0.113.1 ", "203.0.113.2 ")
    assert NFTABLES.canonical(text) != NFTABLES.canonical(other)
    negated = BASE.replace("ip saddr @banned drop", "ip saddr != @banned drop")
    assert NFTABLES.canonical(negated) != NFTABLES.canonical(negated.replace("203.0.113.1 ", "203.0.113.2 "))


def test_a_line_that_is_no_rule_yet_is_still_compared() -> None:
    """What the reader does not understand is compared as text."""
    assert NFTABLES.canonical(BASE.replace("tcp dport 22 accept", "frob 22 accept")) != NFTABLES.canonical(
        BASE.replace("tcp dport 22 accept", "frob 23 accept")
    )


def test_json_counters_and_handles_are_no_difference() -> None:
    """The JSON form is compared as what it says."""
    text = (
        '{"nftables": [{"table": {"family": "ip", "name": "t", "handle": 1}}, {"chain": {"family": "ip", "table": "t",'
        ' "name": "c", "handle": 2}}, {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 3, "expr": '
        '[{"counter": {"packets": 1, "bytes": 2}}, {"drop": null}]}}]}'
    )
    changed = text.replace('"handle": 3', '"handle": 9').replace('"packets": 1', '"packets": 4')
    assert NFTABLES.canonical(text) == NFTABLES.canonical(changed)
    assert NFTABLES.canonical(text) != NFTABLES.canonical(text.replace("drop", "accept"))
