"""Changes into nftables texts: the right place, the text's own form, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.nftables import NFTABLES
from fwguard.dialects.placement import place, region_of
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.matching import share
from fwguard.model.policy import Action, Hook, NatKind, Policy

WEB = Opening(
    protocol=6,
    source=AddressSet.parse("any"),
    target=AddressSet.parse("10.2.0.10", "2001:db8:2::10"),
    ports=Intervals.single(443),
)
OPEN = Change(tag="t-7", openings=(WEB,))
CLOSE = Change(tag="t-7", remove=True)
V4_RULE = 'ip daddr 10.2.0.10 tcp dport 443 accept comment "fwguard:t-7"'
V6_RULE = 'ip6 daddr 2001:db8:2::10 tcp dport 443 accept comment "fwguard:t-7"'

LISTED = """table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		tcp dport 25 drop
		log prefix "dropped: "
	}
}
"""


def test_a_rule_for_each_family_before_the_logs_of_the_default_drop() -> None:
    """The indentation is the chain's, everything else stays."""
    edit = NFTABLES.write(OPEN, LISTED)
    want = LISTED.replace("\t\tlog", f"\t\t{V4_RULE}\n\t\t{V6_RULE}\n\t\tlog")
    assert want == edit.after
    assert f"  inet filter forward:\n+ {V4_RULE}\n+ {V6_RULE}\n" == edit.shown


def test_removing_takes_exactly_what_is_tagged() -> None:
    """Byte for byte back to the text before; a longer tag that begins alike stays."""
    both = NFTABLES.write(replace(OPEN, tag="t-77"), LISTED).after
    again = NFTABLES.write(
        Change(tag="t-7", openings=(replace(WEB, ports=Intervals.single(80)),)), both
    ).after
    edit = NFTABLES.write(CLOSE, again)
    assert both == edit.after
    assert edit.shown.count("\n- ") == 2
    assert both == NFTABLES.write(CLOSE, both).after


def test_removing_from_a_listing_with_handles() -> None:
    """`nft -a` writes a handle behind each rule."""
    after = NFTABLES.write(OPEN, LISTED).after.replace('t-7"\n', 't-7" # handle 12\n')
    assert LISTED == NFTABLES.write(CLOSE, after).after


def test_what_is_open_already_needs_no_rule() -> None:
    """Nothing is added, nothing is shown."""
    text = LISTED.replace("tcp dport 25 drop", "tcp dport 443 accept")
    edit = NFTABLES.write(OPEN, text)
    assert (text, "") == (edit.after, edit.shown)


def test_every_forward_chain_that_drops_is_opened() -> None:
    """An earlier table that drops the port would win otherwise."""
    first = (
        "table inet early {\n\tchain f {\n\t\ttype filter hook forward priority -10; policy accept;\n"
        "\t\ttcp dport 400-500 drop\n\t}\n}\n"
    )
    after = NFTABLES.write(OPEN, first + LISTED).after
    assert 2 == after.count(V4_RULE) == after.count(V6_RULE)
    assert after.index(V4_RULE) < after.index("tcp dport 400-500 drop")


def test_forged_sources_stay_dropped() -> None:
    """An opening does not lift what prerouting drops by a rule of its own."""
    raw = (
        "table inet raw {\n\tchain p {\n\t\ttype filter hook prerouting priority raw; policy accept;\n"
        '\t\tiifname "wan0" ip saddr 10.0.0.0/8 drop\n\t}\n}\n'
    )
    assert (raw + NFTABLES.write(OPEN, LISTED).after) == NFTABLES.write(OPEN, raw + LISTED).after


def test_each_family_in_its_own_table() -> None:
    """ip takes the IPv4 rule, ip6 the IPv6 one."""
    text = LISTED.replace("inet filter", "ip filter") + LISTED.replace("inet filter", "ip6 filter")
    after = NFTABLES.write(OPEN, text).after
    four, six = after.split("table ip6 filter")
    assert V4_RULE in four and V6_RULE not in four
    assert V6_RULE in six and V4_RULE not in six


def test_commands_stay_commands() -> None:
    """A file of `add rule` gets `add rule`, before the command that drops."""
    text = (
        "add table inet t\nadd chain inet t f { type filter hook forward priority 0; policy drop; }\n"
        "add rule inet t f ct state established accept\nadd rule inet t f drop\nadd rule inet t f counter\n"
    )
    after = NFTABLES.write(OPEN, text).after
    assert text.replace(
        "add rule inet t f drop\n",
        f"add rule inet t f {V4_RULE}\nadd rule inet t f {V6_RULE}\nadd rule inet t f drop\n",
    ) == after  # fmt: skip
    assert text == NFTABLES.write(CLOSE, after).after


def test_before_a_rule_that_was_inserted_first() -> None:
    """What is inserted after it stands before it."""
    text = (
        "add table inet t\nadd chain inet t f { type filter hook forward priority 0; policy accept; }\n"
        "insert rule inet t f drop\n"
    )
    after = NFTABLES.write(OPEN, text).after
    rules = NFTABLES.read(after).chains["inet t f"].rules
    assert [Action.ACCEPT, Action.ACCEPT, Action.DROP] == [rule.action for rule in rules]


def test_a_chain_on_one_line() -> None:
    """The rule goes before its brace."""
    text = (
        "table inet t { chain f { type filter hook forward priority 0; policy drop; tcp dport 1 accept } }\n"
    )
    after = NFTABLES.write(OPEN, text).after
    assert 3 == len(NFTABLES.read(after).chains["inet t f"].rules)
    assert NFTABLES.canonical(text) == NFTABLES.canonical(NFTABLES.write(CLOSE, after).after)


def test_icmp_and_other_protocols() -> None:
    """Types, codes, and protocols without ports, each in the family where it means something."""
    echo = Opening(
        protocol=1, source=AddressSet.parse("any"), target=AddressSet.parse("any"),
        ports=Intervals.of((8 << 8, 8 << 8 | 255), (3 << 8 | 4, 3 << 8 | 4)),
    )  # fmt: skip
    gre = Opening(protocol=47, source=AddressSet.parse("192.0.2.0/24"), target=AddressSet.parse("10.2.0.10"))
    shown = NFTABLES.write(Change(tag="x", openings=(echo, gre)), LISTED).shown
    assert 'meta nfproto ipv4 icmp type 8 accept comment "fwguard:x"' in shown
    assert 'meta nfproto ipv4 icmp type 3 icmp code 4 accept comment "fwguard:x"' in shown
    assert 'ip saddr 192.0.2.0/24 ip daddr 10.2.0.10 meta l4proto 47 accept comment "fwguard:x"' in shown
    assert "ip6" not in shown


NAT = """table inet nat {
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		udp dport 53 redirect to :5353
		tcp dport 443 dnat ip to 10.2.0.99
	}
}
"""
FORWARDED = Redirection(protocol=6, public="203.0.113.1", public_port=443, inner="10.2.0.10", inner_port=8443)
SIXED = Redirection(
    protocol=6, public="2001:db8::1", public_port=443, inner="2001:db8:2::10", inner_port=8443
)


def test_redirections_go_before_the_rule_that_would_take_them() -> None:
    """Into the chain that is there, of the right family."""
    edit = NFTABLES.write(Change(tag="r", redirections=(FORWARDED, SIXED)), NAT)
    four = 'ip daddr 203.0.113.1 tcp dport 443 dnat ip to 10.2.0.10:8443 comment "fwguard:r"'
    six = 'ip6 daddr 2001:db8::1 tcp dport 443 dnat ip6 to [2001:db8:2::10]:8443 comment "fwguard:r"'
    assert edit.after == NAT.replace("\t\ttcp", f"\t\t{four}\n\t\t{six}\n\t\ttcp")
    kinds = [(rule.kind, rule.to) for rule in NFTABLES.read(edit.after).nat]
    assert (NatKind.DNAT, AddressSet.parse("10.2.0.10")) == kinds[1]
    assert NAT == NFTABLES.write(Change(tag="r", remove=True), edit.after).after


def test_a_table_is_made_where_no_chain_translates() -> None:
    """It says so, and goes again with its last rule."""
    edit = NFTABLES.write(Change(tag="r", redirections=(FORWARDED,)), LISTED)
    assert "+ table ip fwguard_nat" in edit.shown
    assert [Intervals.single(8443)] == [rule.to_ports for rule in NFTABLES.read(edit.after).nat]
    assert LISTED == NFTABLES.write(Change(tag="r", remove=True), edit.after).after


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("table inet t {\n\tchain i {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n", OPEN),
        ("", OPEN),
        ('{"nftables": []}', OPEN),
        (LISTED, Change(tag="r", redirections=(replace(FORWARDED, protocol=1),))),
        (LISTED, Change(tag="r", redirections=(replace(FORWARDED, inner="2001:db8::1"),))),
    ],
)
def test_no_place_is_an_input_error(text: str, change: Change) -> None:
    """No forward chain, no text form, no ports, mixed IP versions."""
    with pytest.raises(InputError):
        NFTABLES.write(change, text)


conditions = st.sampled_from(
    ["", "ip daddr 10.2.0.0/24", "ip6 daddr 2001:db8:2::/64", "ip saddr { 192.0.2.1, 10.0.0.0/8 }", 'iifname "wan0"',
     "ct state established,related", "ct state new", "meta nfproto ipv4", "tcp flags syn", "meta mark 1",
     "ip daddr . tcp dport { 10.2.0.10 . 443, 10.2.0.11 . 80 }"]
)  # fmt: skip
services = st.sampled_from(["", "tcp dport 443", "tcp dport { 80, 443 }", "tcp dport != 443", "udp dport 53"])
ends = st.sampled_from(["accept", "drop", "reject", "return", "counter", "jump other", "goto other", "log"])
lines = st.builds(lambda *parts: " ".join(part for part in parts if part), conditions, services, ends)
texts = st.builds(
    lambda rules, other, policy, family: (
        f"table {family} t {{\n\tchain other {{\n"
        + "".join(f"\t\t{rule}\n" for rule in other if "other" not in rule)
        + f"\t}}\n\n\tchain forward {{\n\t\ttype filter hook forward priority filter; policy {policy};\n"
        + "".join(f"\t\t{rule}\n" for rule in rules)
        + "\t}\n}\n"
    ),
    st.lists(lines, max_size=6), st.lists(lines, max_size=4), st.sampled_from(["accept", "drop"]),
    st.sampled_from(["inet"]),
)  # fmt: skip
openings = st.builds(
    lambda protocol, source, ports: Opening(
        protocol=protocol, source=AddressSet.parse(source), target=WEB.target, ports=Intervals.single(*ports)
    ),
    st.sampled_from([6, 17]), st.sampled_from(["any", "192.0.2.0/24", "2001:db8:9::/48"]),
    st.lists(st.integers(1, 65535), min_size=1, max_size=4),
)  # fmt: skip


def opened(policy: Policy, opening: Opening) -> bool:
    """Tell whether no base chain of the forward hook surely drops any of it."""
    return all(
        place(policy, key, opening, family) is None
        for key in policy.hooks[Hook.FORWARD]
        for family in (Family.V4, Family.V6)
    )


@settings(max_examples=200, deadline=None)
@given(texts, openings)
def test_after_writing_it_is_open_and_removing_brings_the_text_back(text: str, opening: Opening) -> None:
    """read(write) holds exactly the rules asked for, at a place where they work."""
    change = Change(tag="p-1", openings=(opening,))
    edit = NFTABLES.write(change, text)
    after = NFTABLES.read(edit.after)
    assert opened(after, opening)
    before = NFTABLES.read(text)
    tagged = [rule for rule in after.chains["inet t forward"].rules if rule.comment == "fwguard:p-1"]
    for rule in tagged:
        (match,) = rule.matches
        assert Action.ACCEPT == rule.action
        assert share(region_of(opening, match.target.families), (match,))
        assert match.dport == opening.ports
        assert match.target <= opening.target
        assert match.source.of_family(match.target.families) <= opening.source
    rest = [rule for rule in after.chains["inet t forward"].rules if rule.comment != "fwguard:p-1"]
    stripped = [replace(rule, line=0) for rule in rest]
    assert stripped == [replace(rule, line=0) for rule in before.chains["inet t forward"].rules]
    assert text == NFTABLES.write(Change(tag="p-1", remove=True), edit.after).after
