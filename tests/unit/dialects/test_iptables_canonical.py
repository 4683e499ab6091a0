"""What is no difference between two restore files, and what is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.dialects.iptables import IPTABLES
from fwguard.model.address import Family


def one(rule: str, family: Family = Family.V4) -> str:
    """Return the compared text of a table with one rule."""
    return IPTABLES.canonical(f"*filter\n:FORWARD DROP\n-A FORWARD {rule}\nCOMMIT\n", family=family)


@pytest.mark.parametrize(
    ("saved", "written"),
    [
        ("-s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", "-p tcp --dport ssh -s 192.0.2.1 -j ACCEPT"),
        ("-s 10.0.0.0/8 -j DROP", "-s 10.1.2.3/255.0.0.0 -j DROP"),
        ("-p udp -m udp --sport 0:65535 -j DROP", "-p 17 --sport : -j DROP"),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-m state --state ESTABLISHED,RELATED -j ACCEPT"),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", "-p tcp --syn -j DROP"),
        ("-p icmp -m icmp --icmp-type 8 -j ACCEPT", "-p icmp --icmp-type echo-request -j ACCEPT"),
        ("-j REJECT --reject-with icmp-port-unreachable", "-j REJECT"),
        ("-p tcp -m multiport --dports 80,443 -j ACCEPT", "-p tcp -m multiport --dports 443,80 -j ACCEPT"),
        ("-p tcp -m tcp --dport 80 -j ACCEPT", "-p tcp -m multiport --dports 80 -j ACCEPT"),
        ("-m limit --limit 3/min -j LOG", "-m limit --limit 3/minute -j LOG --log-level 4"),
        ('-m comment --comment "why" -j DROP', "-j DROP"),
        ("-j MARK --set-xmark 0x1/0xffffffff", "-j MARK --set-mark 1"),
        ("-s 0.0.0.0/0 -j DROP", "-j DROP"),
        ("-m iprange --src-range 10.0.0.0-10.0.0.255 -j DROP", "-s 10.0.0.0/24 -j DROP"),
        ("-c 7 9 -j DROP", "-j DROP"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_rule_are_equal(saved: str, written: str) -> None:
    """As iptables-save writes it, and as a person does."""
    assert one(saved) == one(written)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("-s 192.0.2.1 -j DROP", "! -s 192.0.2.1 -j DROP"), ("-j DROP", "-j REJECT"), ("-j DROP", "-p tcp -j DROP"),
        ("-m limit --limit 3/min -j DROP", "-m limit --limit 4/min -j DROP"), ("-j a", "-g a"),
        ("-m mac --mac-source 02:00:00:00:00:01 -j DROP", "-m mac --mac-source 02:00:00:00:00:02 -j DROP"),
        ("-p tcp --sport 22 -j DROP", "-p tcp --dport 22 -j DROP"), ("-j DROP", "-j DROP\n-A FORWARD -j DROP"),
        ("-m weather --rain -j DROP", "-m weather --snow -j DROP"), ("-j LOG --log-prefix a", "-j LOG --log-prefix b"),
        ("-m limit --limit 3/min -m recent --set -j DROP", "-m recent --set -m limit --limit 3/min -j DROP"),
        ("-p tcp stray -j DROP", "-p tcp -j DROP"), ("-i eth0 -j DROP", "-o eth0 -j DROP"),
        ("-s 10.0.0.1/255.0.0.255 -j DROP", "-s 10.0.0.0/8 -j DROP"), ("-m rpfilter -j DROP", "-j DROP"),
    ],
)  # fmt: skip
def test_two_rules_are_different(left: str, right: str) -> None:
    """Also where neither can be decided, and where the second has no effect."""
    chain = "\nCOMMIT\n*mangle\n:a -"
    assert one(left + chain) != one(right + chain)


def test_counters_comments_and_orders_without_meaning_are_no_difference() -> None:
    """The order of tables and chains, counters, and comment lines."""
    left = (
        "# a\n*nat\n:POSTROUTING ACCEPT [1:2]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"
        "*filter\n:INPUT DROP [3:4]\n:b - [0:0]\n:FORWARD DROP [5:6]\n-A INPUT -j b\n[7:8] -A FORWARD -j b\nCOMMIT\n"
    )
    right = (
        "*filter\n:FORWARD DROP [0:0]\n:INPUT DROP\n:b - [0:0]\n-A FORWARD -j b\n-A INPUT -j b\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT [9:9]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n# b\n"
    )
    assert IPTABLES.canonical(left) == IPTABLES.canonical(right)


def test_looking_at_a_table_is_no_change() -> None:
    """iptables -t mangle -L loads the empty table, and iptables-save then lists it."""
    text = "*filter\n:FORWARD DROP\nCOMMIT\n"
    listed = "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"
    assert IPTABLES.canonical(text) == IPTABLES.canonical(listed + text)


def test_a_policy_and_an_empty_chain_are_differences() -> None:
    """What happens at the end, and a chain that a rule may be added to unseen."""
    text = "*filter\n:FORWARD DROP\nCOMMIT\n"
    assert IPTABLES.canonical(text) != IPTABLES.canonical(text.replace("DROP", "ACCEPT"))
    assert IPTABLES.canonical(text) != IPTABLES.canonical(text.replace("COMMIT", ":x -\nCOMMIT"))


RULES = st.sampled_from(
    ["-s 10.0.0.1 -j DROP", "-p tcp -j ACCEPT", "-i eth0 -j DROP", "-j LOG", "-p udp -j REJECT"]
)


@given(st.lists(RULES, min_size=1, max_size=6), st.lists(RULES, min_size=1, max_size=6))
def test_lists_are_equal_only_if_they_are(left: list[str], right: list[str]) -> None:
    """Order has a meaning, and so has every rule."""
    texts = [
        "*filter\n:FORWARD DROP\n" + "".join(f"-A FORWARD {rule}\n" for rule in rules) + "COMMIT\n"
        for rules in (left, right)
    ]
    assert (left == right) == (IPTABLES.canonical(texts[0]) == IPTABLES.canonical(texts[1]))
