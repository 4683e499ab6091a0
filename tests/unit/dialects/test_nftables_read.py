"""What one rule, set, chain or table of nftables means in the model."""

from __future__ import annotations

import pytest

from fwguard.dialects.nftables import NFTABLES
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, CtState, Hook, InterfaceSet, Match, NatKind, Policy
from fwguard.model.ports import ANY_PORT


def forward(*rules: str, extra: str = "", policy: str = "drop") -> Policy:
    """Read a table with these rules in its forward chain."""
    body = "\n".join(f"\t\t{rule}" for rule in rules)
    return NFTABLES.read(
        f"table inet t {{\n{extra}\n\tchain forward {{\n"
        f"\t\ttype filter hook forward priority filter; policy {policy};\n{body}\n\t}}\n}}\n"
    )


def chain(policy: Policy) -> Chain:
    """Return the forward chain."""
    return policy.chains["inet t forward"]


def only(rule: str, extra: str = "") -> tuple[Match, ...]:
    """Return the matches of one rule that is understood."""
    policy = forward(rule, extra=extra)
    assert policy.unread == ()
    rules = chain(policy).rules
    assert len(rules) == 1
    return rules[0].matches


def one(rule: str, extra: str = "") -> Match:
    """Return the only match of one rule."""
    matches = only(rule, extra)
    assert len(matches) == 1
    return matches[0]


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("tcp dport 22", ((22, 22),)),
        ("tcp dport ssh", ((22, 22),)),
        ("tcp dport 1000-2000", ((1000, 2000),)),
        ("tcp dport { 22, 80-81, https }", ((22, 22), (80, 81), (443, 443))),
        ("tcp dport != 22", ((0, 21), (23, 65535))),
        ("tcp dport != { 1-21, 23-65535 }", ((0, 0), (22, 22))),
        ("tcp dport > 1023", ((1024, 65535),)),
        ("tcp dport <= 10", ((0, 10),)),
        ("tcp dport ge 65535", ((65535, 65535),)),
        ("tcp dport http-alt", ((8080, 8080),)),
    ],
)
def test_ports(text: str, ports: tuple[tuple[int, int], ...]) -> None:
    """Numbers, names, ranges, sets, negation and order."""
    match = one(f"{text} accept")
    assert Intervals(ports) == match.dport
    assert Intervals.single(6) == match.protocol


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("ip saddr 192.0.2.1", AddressSet.parse("192.0.2.1")),
        ("ip saddr 192.0.2.0/24", AddressSet.parse("192.0.2.0/24")),
        ("ip saddr 192.0.2.1-192.0.2.9", AddressSet.parse("192.0.2.1-192.0.2.9")),
        ("ip saddr 192.0.2.1 - 192.0.2.9", AddressSet.parse("192.0.2.1-192.0.2.9")),
        ("ip6 saddr 2001:db8::/32", AddressSet.parse("2001:db8::/32")),
        ("ip6 saddr ::1", AddressSet.parse("::1")),
        ("ip saddr & 255.255.0.0 == 10.1.0.0", AddressSet.parse("10.1.0.0/16")),
        ("ip saddr != 0.0.0.0/1", AddressSet.parse("128.0.0.0/1")),
        ("meta nfproto ipv6", AddressSet.parse("::/0")),
        ("meta protocol ip", AddressSet.parse("0.0.0.0/0")),
    ],
)
def test_sources(text: str, source: AddressSet) -> None:
    """A condition on one IP version says nothing of the other's packets."""
    assert source == one(f"{text} accept").source


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("ct state new", {"new"}),
        ("ct state established,related", {"established", "related"}),
        ("ct state { new, invalid }", {"new", "invalid"}),
        ("ct state != new", {"established", "related", "invalid", "untracked"}),
        ("ct state != { new, established }", {"related", "invalid", "untracked"}),
        ("ct state != established,related", {"new", "established", "related", "invalid", "untracked"}),
        ("ct state & (established | related) == 0", {"new", "invalid", "untracked"}),
    ],
)
def test_states(text: str, states: set[str]) -> None:
    """A list that is not equal is compared as one number: every state differs from it."""
    assert {CtState(name) for name in states} == one(f"{text} accept").states


@pytest.mark.parametrize(
    ("text", "is_first_packet"),
    [
        ("tcp flags syn", True),
        ("tcp flags == syn", True),
        ("tcp flags != syn", False),
        ("tcp flags ! syn", False),
        ("tcp flags & (fin|syn|rst|ack) == syn", True),
        ("tcp flags & (fin|syn|rst|ack) != syn", False),
        ("tcp flags syn / fin,syn,rst,ack", True),
        ("tcp flags & (fin|syn) == fin|syn", False),
        ("tcp flags { syn|ack, rst }", False),
        ("tcp flags ack", False),
        ("tcp flags & (syn | ack) == 0x0", False),
    ],
)
def test_tcp_flags_of_a_first_packet(text: str, is_first_packet: bool) -> None:
    """The first packet of a connection has SYN and nothing else."""
    assert is_first_packet == bool(only(f"{text} accept"))


def test_icmp_type_and_code_share_a_dimension() -> None:
    """Type and code meet in the destination-port dimension."""
    assert Intervals.single(3 << 8 | 1) == one("icmp type destination-unreachable icmp code 1 accept").dport
    match = one("icmpv6 type { echo-request, 1 } accept")
    assert Intervals.of((256, 511), (128 << 8, 128 << 8 | 255)) == match.dport
    assert Family.V6 == match.source.families


def test_transport_header_of_any_protocol() -> None:
    """`th` reads ports only where a protocol has them; elsewhere it reads something nobody knows."""
    sure, unsure = only("th dport 53 accept")
    assert Intervals.single(53) == sure.dport
    assert sure.unknown == "" and unsure.unknown != ""
    assert one("meta l4proto { tcp, udp } th dport 53 accept").protocol == Intervals.single(6, 17)


@pytest.mark.parametrize(
    ("text", "interfaces"),
    [
        ('iifname "eth0"', InterfaceSet.of("eth0")),
        ("iif lo", InterfaceSet.of("lo")),
        ('iifname "ppp*"', InterfaceSet.of("ppp*")),
        ('iifname != { "a", "b" }', InterfaceSet.all_but("a", "b")),
        ('iifname != "a" iifname != "b"', InterfaceSet.all_but("a", "b")),
        ('iifname "eth*" iifname { "eth1", "ppp0" }', InterfaceSet.of("eth1")),
    ],
)
def test_interfaces(text: str, interfaces: InterfaceSet) -> None:
    """Names, wildcards, negation, and two conditions on one interface."""
    assert interfaces == one(f"{text} accept").ingress


def test_wildcard_without_one_name_is_unknown_not_wrong() -> None:
    """`eth*` but not `eth0` has no name in the model."""
    assert one('iifname "eth*" iifname != "eth0" accept').unknown != ""


def test_concatenation_is_a_product_for_each_element() -> None:
    """Pairs do not mix."""
    first, second = only("ip daddr . tcp dport { 192.0.2.1 . 80, 192.0.2.2 . 443-444 } accept")
    assert (AddressSet.parse("192.0.2.1"), Intervals.single(80)) == (first.target, first.dport)
    assert (AddressSet.parse("192.0.2.2"), Intervals.of((443, 444))) == (second.target, second.dport)


def test_negated_concatenation_leaves_the_rest() -> None:
    """What is not in the set of pairs is as many boxes as that takes."""
    matches = only("ip daddr . tcp dport != { 192.0.2.1 . 80 } accept")
    inside = [
        match
        for match in matches
        if "192.0.2.1" in match.target and 80 in match.dport and 6 in match.protocol
    ]
    assert inside == []
    assert any("192.0.2.1" in match.target and 81 in match.dport for match in matches)


def test_named_set_and_map() -> None:
    """Elements with counters, comments and timeouts are just elements."""
    extra = (
        "\tset s {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\tcounter\n\t\telements = { 192.0.2.0/25 "
        'counter packets 1 bytes 2 comment "x", 192.0.2.200 }\n\t}'
    )
    assert AddressSet.parse("192.0.2.0/25", "192.0.2.200") == one("ip saddr @s accept", extra).source


def test_verdict_map_is_one_rule_a_verdict() -> None:
    """`*` is what no other key has."""
    policy = forward(
        "tcp dport vmap { 80 : accept, 443 : accept, 22 : jump u, * : drop }", extra="\tchain u {\n\t}"
    )
    rules = chain(policy).rules
    assert [Action.ACCEPT, Action.JUMP, Action.DROP] == [rule.action for rule in rules]
    assert Intervals.of((0, 21), (23, 79), (81, 442), (444, 65535)) == rules[2].matches[0].dport


@pytest.mark.parametrize(
    "text",
    [
        "limit rate 5/minute burst 5 packets", "limit rate over 10 kbytes/second", 'limit name "x"',
        "meta mark 0x1", "ct mark & 0xff == 0x01", "meta mark { 1, 2-5 }", "ct count over 20", "ct status dnat",
        "fib saddr . iif oif missing", "fib daddr type local", "quota over 10 mbytes", "ip ttl < 5",
        "meta hour 08:00-18:00", 'meta day "Monday"', "meta skuid 0", "socket transparent 1",
        "tcp option maxseg size 1-500", "rt type 0", "ct original ip saddr 192.0.2.1", "ip dscp cs1",
        "@th,16,16 0x35", "ether saddr 00:11:22:33:44:55", "update @d { ip saddr limit rate 3/second }",
        "meter m { ip saddr limit rate 3/second }", "ip saddr @d", "ip saddr != @d", "ct helper \"ftp\"",
        "numgen random mod 10 < 3", "ip frag-off & 0x1fff != 0", "meta length 100-200", "iif 3",
    ],
)  # fmt: skip
def test_conditions_outside_the_model_are_unknown(text: str) -> None:
    """They are read whole, the verdict after them too, and nobody claims to know when they hold."""
    extra = "\tset d {\n\t\ttype ipv4_addr\n\t\tflags dynamic\n\t}"
    policy = forward(f"{text} accept", extra=extra)
    assert policy.unread == ()
    (rule,) = chain(policy).rules
    assert rule.action is Action.ACCEPT
    assert all(match.unknown for match in rule.matches)


@pytest.mark.parametrize(
    "text",
    [
        "counter packets 1 bytes 2", 'log prefix "a { b" level info flags all', "log group 2 snaplen 64",
        "meta mark set 0x1", "ct mark set meta mark", "meta mark set ct mark & 0xff | 0x1", 'counter name "c"',
        "tcp option maxseg size set rt mtu", "ip dscp set cs1", "meta priority set 1:10", "flow add @f",
        "meta nftrace set 1", "ct helper set \"ftp\"", "meta mark set ip saddr map { 192.0.2.1 : 1, 192.0.2.2 : 2 }",
        "dup to 192.0.2.1 device eth0", "last used 5s",
    ],
)  # fmt: skip
def test_statements_without_effect_on_the_verdict(text: str) -> None:
    """What stands after them still counts."""
    policy = forward(f"{text} tcp dport 53 accept", text)
    assert policy.unread == ()
    first, second = chain(policy).rules
    assert (Action.ACCEPT, Intervals.single(53)) == (first.action, first.matches[0].dport)
    assert Action.CONTINUE == second.action


@pytest.mark.parametrize(
    "text",
    [
        "foo bar accept", "tcp dport nosuchservice accept", "ip saddr example.org accept", 'xt match "tcp" accept',
        "jump nowhere", "ip saddr @nowhere drop", "ip saddr set 192.0.2.1 accept", "tcp dport 80 accept drop",
        "ip saddr $NOT_DEFINED drop", "iif lo { } accept",
    ],
)  # fmt: skip
def test_what_is_not_understood_stays_in_place(text: str) -> None:
    """The rule is unknown where it stands, and the line is kept."""
    policy = forward("tcp dport 22 accept", text, "tcp dport 23 accept")
    assert [Action.ACCEPT, Action.UNKNOWN, Action.ACCEPT] == [rule.action for rule in chain(policy).rules]
    (unread,) = policy.unread
    assert (6, text) == (unread.line, unread.text)


def test_conditions_before_the_unknown_word_still_bound_it() -> None:
    """Only what could be matched so far may be decided by it."""
    rule = chain(forward("tcp dport 80 frobnicate drop")).rules[0]
    assert Intervals.single(80) == rule.matches[0].dport


def test_hooks_in_priority_order_with_what_drops_before_and_after() -> None:
    """Prerouting and postrouting chains judge what is forwarded, if they can drop it."""
    policy = NFTABLES.read("""
table inet a {
	chain pre { type filter hook prerouting priority raw; policy accept; udp dport 1900 drop; }
	chain idle { type filter hook prerouting priority mangle; policy accept; counter; }
	chain two { type filter hook forward priority 10; policy accept; }
	chain one { type filter hook forward priority filter - 5; policy accept; }
	chain post { type filter hook postrouting priority 0; policy accept; tcp dport 25 drop; }
	chain in { type filter hook input priority 0; policy drop; }
}
table inet asleep { flags dormant; chain f { type filter hook forward priority 0; policy drop; }; }
""")
    assert ("inet a pre", "inet a one", "inet a two", "inet a post") == policy.hooks[Hook.FORWARD]
    assert ("inet a pre", "inet a in") == policy.hooks[Hook.INPUT]
    assert ("inet a post",) == policy.hooks[Hook.OUTPUT]


def test_a_chain_before_destination_nat_knows_less() -> None:
    """Where NAT still comes, a drop of the public port is unknown for the inner one that it becomes."""
    policy = NFTABLES.read("""
table ip n {
	chain raw { type filter hook prerouting priority raw; policy accept; tcp dport 8080 drop; }
	chain pre { type nat hook prerouting priority dstnat; policy accept; tcp dport 8080 dnat to 10.0.0.5:80; }
}
""")
    key = policy.hooks[Hook.FORWARD][0]
    (rule,) = policy.chains[key].rules
    unsure = [match for match in rule.matches if match.unknown]
    assert [(AddressSet.parse("10.0.0.5"), Intervals.single(80))] == [
        (one.target, one.dport) for one in unsure
    ]


def test_before_connection_tracking_every_state_is_invalid() -> None:
    """A raw chain that drops what is invalid drops everything; one that accepts what is new, nothing."""
    policy = NFTABLES.read("""
table inet t {
	chain raw { type filter hook prerouting priority raw; policy accept;
		ct state new tcp dport 1 accept
		ct state invalid tcp dport 2 drop
	}
}
""")
    accept, drop = policy.chains[policy.hooks[Hook.FORWARD][0]].rules
    assert () == accept.matches
    assert CtState.NEW in drop.matches[0].states


def test_a_policy_that_an_include_defines_is_unknown() -> None:
    """Neither accept nor drop is assumed."""
    policy = forward("tcp dport 1 accept", policy="$POLICY")
    assert Action.UNKNOWN == chain(policy).rules[-1].action
    assert ["policy $POLICY"] == [one.text for one in policy.unread]


def test_nat_kinds_and_targets() -> None:
    """Addresses, ports, maps, redirects, masquerade, exemptions, in their order."""
    policy = NFTABLES.read("""
table inet n {
	map m { type inet_service : ipv4_addr . inet_service; elements = { 81 : 10.0.0.6 . 8081 } }
	chain pre {
		type nat hook prerouting priority dstnat;
		ip saddr 192.0.2.1 accept
		tcp dport 80 dnat ip to 10.0.0.5:8080
		ip6 daddr 2001:db8::1 tcp dport 80 dnat ip6 to [2001:db8::5]:8080
		dnat ip to tcp dport map @m
		udp dport 53 redirect to :5353
		dnat ip to 10.0.0.1-10.0.0.3 random
	}
	chain post {
		type nat hook postrouting priority srcnat;
		oifname "wan0" masquerade
		ip saddr 10.0.0.0/8 snat ip to 192.0.2.9
	}
}
""")
    assert policy.unread == ()
    kinds = [NatKind.EXEMPT, NatKind.DNAT, NatKind.DNAT, NatKind.DNAT, NatKind.REDIRECT, NatKind.DNAT,
             NatKind.MASQUERADE, NatKind.SNAT]  # fmt: skip
    assert kinds == [rule.kind for rule in policy.nat]
    assert AddressSet.parse("2001:db8::5") == policy.nat[2].to
    assert (AddressSet.parse("10.0.0.6"), Intervals.single(8081)) == (
        policy.nat[3].to,
        policy.nat[3].to_ports,
    )
    assert Intervals.single(81) == policy.nat[3].matches[0].dport
    assert AddressSet.parse("10.0.0.1-10.0.0.3") == policy.nat[5].to


def test_a_return_in_a_nat_chain_leaves_the_list() -> None:
    """What returned is not translated by what follows in that chain."""
    policy = NFTABLES.read("""
table ip n {
	chain pre { type nat hook prerouting priority -100; jump d; }
	chain d { iifname "docker0" return; tcp dport 8080 dnat to 172.17.0.2:80; }
}
""")
    (rule,) = policy.nat
    assert InterfaceSet.all_but("docker0") == rule.matches[0].ingress


def test_defines_are_replaced_everywhere() -> None:
    """Values, sets in sets, policies."""
    policy = NFTABLES.read("""
define A = 192.0.2.1
define NET = { $A, 198.51.100.0/24 }
define P = drop
table inet t {
	chain forward { type filter hook forward priority 0; policy $P;
		ip saddr { $NET, 203.0.113.7 } accept; }
}
""")
    rules = chain(policy).rules
    assert AddressSet.parse("192.0.2.1", "198.51.100.0/24", "203.0.113.7") == rules[0].matches[0].source
    assert Action.DROP == chain(policy).default


def test_commands_apply_in_their_order() -> None:
    """insert goes first, index counts, flush and delete take away."""
    policy = NFTABLES.read("""
add table inet t
add chain inet t forward { type filter hook forward priority 0; policy drop; }
add rule inet t forward tcp dport 1 accept
insert rule inet t forward tcp dport 2 accept
add rule inet t forward index 0 tcp dport 3 accept
add chain inet t gone
add rule inet t gone drop
delete chain inet t gone
table ip old { chain x { type filter hook input priority 0; policy drop; } }
delete table ip old
""")
    ports = [rule.matches[0].dport.first for rule in chain(policy).rules]
    assert [2, 3, 1] == ports
    assert ["inet t forward"] == list(policy.chains)


@pytest.mark.parametrize(
    "line", ['include "/etc/nftables.d/*.nft"', "delete rule inet t forward handle 5", "flush meters foo bar"]
)
def test_lines_that_may_do_anything_make_the_hooks_unknown(line: str) -> None:
    """An include is kept, and no verdict is sure where it could act."""
    policy = NFTABLES.read(
        f"table inet t {{ chain forward {{ type filter hook forward priority 0; policy accept; }}; }}\n{line}\n"
    )
    assert [line] == [one.text for one in policy.unread]
    unknown = [
        rule for key in policy.hooks[Hook.FORWARD] for rule in policy.chains[key].rules
        if rule.action is Action.UNKNOWN
    ]  # fmt: skip
    assert unknown != []


def test_tables_below_ip_that_may_drop_are_unread() -> None:
    """A netdev chain that drops makes forwarding unknown; one that counts does not; arp is not IP."""
    dropping = NFTABLES.read(
        'table netdev n { chain i { type filter hook ingress device "eth0" priority 0; policy accept; drop; }; }'
    )
    assert len(dropping.unread) == 1 and Hook.FORWARD in dropping.hooks
    counting = NFTABLES.read(
        "table bridge n { chain i { type filter hook forward priority filter; policy accept; counter; }; }\n"
        "table arp a { chain i { type filter hook input priority 0; policy drop; }; }"
    )
    assert counting.unread == () and counting.hooks == {}


def test_untracked_packets_are_not_new() -> None:
    """Where notrack may have been, a rule on the state is unknown for exactly those packets."""
    policy = NFTABLES.read("""
table inet t {
	chain raw { type filter hook prerouting priority raw; udp dport 53 notrack; }
	chain forward { type filter hook forward priority 0; policy drop; ct state new udp dport 50-60 accept; }
}
""")
    matches = chain(policy).rules[0].matches
    assert {53} == {
        port for match in matches if match.unknown for port in range(50, 61) if port in match.dport
    }


def test_the_file_says_where() -> None:
    """Lines, words and comments of a rule, and the line of a policy."""
    policy = forward('tcp dport 22 accept comment "management"')
    rule = chain(policy).rules[0]
    assert (5, "management") == (rule.line, rule.comment)
    assert 'tcp dport 22 accept comment "management"' == rule.text
    assert 4 == chain(policy).default_line
    assert ANY_PORT == rule.matches[0].sport


def test_sniff_knows_its_own() -> None:
    """Text and JSON, lists and files; other languages are not it."""
    assert NFTABLES.sniff('{"nftables": []}') == 100
    assert NFTABLES.sniff("#!/usr/sbin/nft -f\n") == 100
    assert NFTABLES.sniff("table inet filter {\n\tchain x {\n\t\ttype filter hook input priority 0;\n") >= 90
    assert NFTABLES.sniff("flush ruleset\n") >= 50
    assert NFTABLES.sniff("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n") == 0
    assert NFTABLES.sniff("access-list 101 permit ip any any\n") == 0
