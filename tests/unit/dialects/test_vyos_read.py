"""What VyOS does with packets, said by its own configuration, in every layout since 1.2."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.dialects.vyos import VYOS
from fwguard.dialects.vyos.tree import parse
from fwguard.errors import UnreadableError
from fwguard.model.address import AddressSet
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook, NatKind, Policy

ACCEPT, DROP, REJECT, UNKNOWN = Answer.ACCEPT, Answer.DROP, Answer.REJECT, Answer.UNKNOWN


def config(*lines: str) -> Policy:
    """Read set commands, given without the word set."""
    return VYOS.read("".join(f"set {line}\n" for line in lines))


def ask(
    policy: Policy,
    target: str = "10.0.0.10",
    port: int = 443,
    *,
    source: str = "198.51.100.7",
    ways: tuple[str, str] = ("eth0", "eth1"),
    protocol: int = 6,
    hook: Hook = Hook.FORWARD,
    icmp: int | None = None,
) -> Answer:
    """Return what the policy does with one new connection."""
    packet = Packet(
        source=source, target=target, protocol=protocol, dport=port, ingress=ways[0], egress=ways[1],
        hook=hook, icmp_type=icmp,
    )  # fmt: skip
    return verdict(policy, packet).answer


BOUND = (
    "firewall name WAN-IN default-action drop",
    "firewall name WAN-IN rule 20 action accept",
    "firewall name WAN-IN rule 20 protocol tcp",
    "firewall name WAN-IN rule 20 destination port 443",
    "firewall name WAN-IN rule 9 action reject",
    "firewall name WAN-IN rule 9 source address 203.0.113.0/24",
    "firewall name LAN-OUT default-action accept",
    "firewall name LAN-OUT rule 1 action drop",
    "firewall name LAN-OUT rule 1 destination address 10.0.0.66",
    "interfaces ethernet eth0 firewall in name WAN-IN",
    "interfaces ethernet eth0 vif 7 firewall in name WAN-IN",
    "interfaces ethernet eth1 firewall out name LAN-OUT",
)


def test_rule_sets_at_interfaces_judge_what_comes_in_and_then_what_goes_out() -> None:
    """Both must accept; rules go by number; an interface without one lets all pass."""
    policy = config(*BOUND)
    assert ask(policy) is ACCEPT
    assert ask(policy, port=80) is DROP
    assert ask(policy, source="203.0.113.9") is REJECT
    assert ask(policy, "10.0.0.66") is DROP
    assert ask(policy, ways=("eth0.7", "eth1"), port=80) is DROP
    assert ask(policy, port=80, ways=("eth1", "eth0")) is ACCEPT
    assert ask(policy, "2001:db8::1", source="2001:db8::2", port=80) is ACCEPT


def test_packets_to_the_firewall_meet_the_local_rule_set() -> None:
    """And not those for what it forwards."""
    policy = config(
        *BOUND, "interfaces ethernet eth0 firewall local name OWN", "firewall name OWN rule 1 action drop"
    )
    assert ask(policy, "198.51.100.1", 443, hook=Hook.INPUT) is DROP
    assert ask(config(*BOUND), "198.51.100.1", 80, hook=Hook.INPUT) is ACCEPT


def test_a_rule_set_without_a_default_drops() -> None:
    """VyOS says so of named rule sets, and the opposite of base chains."""
    named = config("firewall name X description x", "interfaces ethernet eth0 firewall in name X")
    base = config(
        "firewall ipv4 forward filter rule 1 action drop", "firewall ipv4 forward filter rule 1 protocol udp"
    )
    assert ask(named) is DROP
    assert ask(base) is ACCEPT
    assert ask(base, protocol=17) is DROP


FILTER = (
    "firewall ipv4 forward filter default-action drop",
    "firewall ipv4 forward filter rule 5 action jump",
    "firewall ipv4 forward filter rule 5 jump-target WEB",
    "firewall ipv4 forward filter rule 5 inbound-interface name 'eth0'",
    "firewall ipv4 forward filter rule 30 action accept",
    "firewall ipv4 forward filter rule 30 inbound-interface group INSIDE",
    "firewall group interface-group INSIDE interface eth1",
    "firewall group interface-group INSIDE interface 'eth2*'",
    "firewall ipv4 name WEB default-action return",
    "firewall ipv4 name WEB rule 1 action accept",
    "firewall ipv4 name WEB rule 1 protocol tcp",
    "firewall ipv4 name WEB rule 1 destination group port-group WEB",
    "firewall ipv4 name WEB rule 1 destination group address-group SERVERS",
    "firewall group port-group WEB port 80",
    "firewall group port-group WEB port 8000-8010",
    "firewall group port-group WEB include TLS",
    "firewall group port-group TLS port https",
    "firewall group address-group SERVERS address 10.0.0.10-10.0.0.12",
    "firewall group address-group SERVERS include MORE",
    "firewall group address-group MORE address 10.0.0.99",
)


@pytest.mark.parametrize(
    ("target", "port", "answer"),
    [
        ("10.0.0.12", 443, ACCEPT),
        ("10.0.0.99", 8010, ACCEPT),
        ("10.0.0.13", 443, DROP),
        ("10.0.0.10", 22, DROP),
    ],
)
def test_jumps_return_and_groups_hold_groups(target: str, port: int, answer: Answer) -> None:
    """What the rule set leaves comes back to the base chain, and its default."""
    assert answer is ask(config(*FILTER), target, port)


def test_interface_groups_may_hold_patterns() -> None:
    """eth21 is one of eth2*."""
    assert ask(config(*FILTER), port=1, ways=("eth21", "eth0")) is ACCEPT
    assert ask(config(*FILTER), port=1, ways=("eth3", "eth0")) is DROP


@pytest.mark.parametrize(
    ("condition", "passing", "dropped"),
    [
        ("source address '!198.51.100.0/24'", "192.0.2.1", "198.51.100.7"),
        ("source address 198.51.100.5-198.51.100.9", "198.51.100.7", "198.51.100.10"),
        ("source group network-group NETS", "198.51.100.7", "192.0.2.1"),
        ("source group network-group '!NETS'", "192.0.2.1", "198.51.100.7"),
        ("source group ipv4-network-group NETS", "198.51.100.7", "192.0.2.1"),
    ],
)
def test_addresses_ranges_groups_and_their_negation(condition: str, passing: str, dropped: str) -> None:
    """Each is a set of addresses."""
    policy = config(
        "firewall ipv4 forward filter default-action drop", "firewall ipv4 forward filter rule 1 action accept",
        f"firewall ipv4 forward filter rule 1 {condition}", "firewall group network-group NETS network 198.51.100.0/24",
    )  # fmt: skip
    assert ask(policy, source=passing) is ACCEPT
    assert ask(policy, source=dropped) is DROP


@pytest.mark.parametrize(
    ("condition", "packet", "answer"),
    [
        ("protocol tcp_udp", {"protocol": 17}, ACCEPT),
        ("protocol '!tcp'", {"protocol": 6}, DROP),
        ("protocol '!tcp'", {"protocol": 17}, ACCEPT),
        ("icmp type-name echo-request", {"protocol": 1, "icmp": 8 << 8}, ACCEPT),
        ("icmp type-name echo-request", {"protocol": 1, "icmp": 0}, DROP),
        ("icmp code 4", {"protocol": 1, "icmp": (3 << 8) + 4}, ACCEPT),
        ("state established", {}, DROP),
        ("state new", {}, ACCEPT),
        ("state new enable", {}, ACCEPT),
        ("state new disable", {}, ACCEPT),
        ("tcp flags syn", {}, ACCEPT),
        ("tcp flags ack", {}, DROP),
        ("tcp flags not ack", {}, ACCEPT),
        ("limit rate 10/minute", {}, UNKNOWN),
        ("source mac-address 00:01:02:03:04:05", {}, UNKNOWN),
        ("source geoip country-code fr", {}, UNKNOWN),
        ("destination address-mask 0.0.0.255", {}, UNKNOWN),
        ("source group domain-group EXAMPLE", {}, UNKNOWN),
        ("not-a-condition 7", {}, UNKNOWN),
        ("source group address-group MISSING", {}, UNKNOWN),
        ("outbound-interface name '!eth1'", {}, DROP),
    ],
)
def test_conditions(condition: str, packet: dict[str, int], answer: Answer) -> None:
    """Decided, never met by a first packet, or undecided: never a silent permit."""
    policy = config(
        "firewall ipv4 forward filter default-action drop", "firewall ipv4 forward filter rule 1 action accept",
        f"firewall ipv4 forward filter rule 1 {condition}",
    )  # fmt: skip
    assert answer is ask(policy, **packet)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "firewall ipv4 forward filter rule 1 not-a-condition 7",
        "firewall ipv4 forward filter rule 1 source group address-group MISSING",
        "firewall ipv4 forward filter rule 1 destination port 70000",
        "firewall ipv4 forward filter rule 1 destination address 2001:db8::1",
        "firewall ipv4 forward filter rule x action drop",
        "firewall ipv4 sideways filter rule 1 action drop",
        "firewall surprise on",
        "surprise on",
        "firewall ipv4 forward filter rule 2 action explode",
    ],
)
def test_what_is_not_understood_is_kept_with_its_line_and_makes_the_answer_unknown(line: str) -> None:
    """The line is in `unread`, and nothing passes for sure because of it."""
    action = "drop" if "rule 2" in line else "accept"
    default = "accept" if "rule 2" in line else "drop"
    policy = config(
        f"firewall ipv4 forward filter default-action {default}", line,
        f"firewall ipv4 forward filter rule 1 action {action}",
        "firewall ipv4 forward filter rule 1 protocol tcp",
    )  # fmt: skip
    assert [2] == [one.line for one in policy.unread]
    assert ask(policy, protocol=17 if "rule 2" in line else 6) is UNKNOWN


def test_a_jump_to_nowhere_is_unknown() -> None:
    """And kept as unread."""
    policy = config(
        "firewall ipv4 forward filter rule 1 action jump",
        "firewall ipv4 forward filter rule 1 jump-target GONE",
    )
    assert 1 == len(policy.unread)
    assert ask(policy) is UNKNOWN


ZONES = (
    "{0} zone wan interface eth0",
    "{0} zone lan interface eth1",
    "{0} zone lan interface eth2",
    "{0} zone lan default-action reject",
    "{0} zone lan from wan firewall name WAN-LAN",
    "{0} zone own local-zone",
    "{0} zone own from lan firewall name LAN-OWN",
    "{0} zone wan from own firewall name OWN-WAN",
    "firewall {1}name WAN-LAN rule 1 action accept",
    "firewall {1}name WAN-LAN rule 1 protocol tcp",
    "firewall {1}name WAN-LAN rule 1 destination port 443",
    "firewall {1}name LAN-OWN rule 1 action {2}",
    "firewall {1}name OWN-WAN default-action accept",
)
LAYOUTS = {"zone-policy": ("zone-policy", "", "accept"), "firewall zone": ("firewall", "ipv4 ", "return")}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_zones(layout: str) -> None:
    """Between zones by rule set, else the default of the zone that it goes to; within one, free."""
    policy = config(*(line.format(*LAYOUTS[layout]) for line in ZONES))
    assert ask(policy) is ACCEPT
    assert ask(policy, port=22) is DROP
    assert ask(policy, ways=("eth1", "eth2"), port=22) is ACCEPT
    assert ask(policy, ways=("eth7", "eth2")) is REJECT
    assert ask(policy, ways=("eth1", "eth0")) is DROP
    assert ask(policy, ways=("eth0", "eth7")) is ACCEPT
    assert ask(policy, "2001:db8::1", source="2001:db8::2") is REJECT
    assert ask(policy, "10.0.0.1", ways=("eth1", ""), hook=Hook.INPUT) is ACCEPT
    assert ask(policy, "10.0.0.1", ways=("eth0", ""), hook=Hook.INPUT) is DROP
    assert ask(policy, "10.0.0.1", ways=("lo", ""), hook=Hook.INPUT) is ACCEPT
    assert ask(policy, "192.0.2.1", ways=("", "eth0"), hook=Hook.OUTPUT) is ACCEPT
    assert ask(policy, "10.0.0.9", ways=("", "eth1"), hook=Hook.OUTPUT) is DROP


def test_a_zone_may_filter_within_itself() -> None:
    """intra-zone-filtering."""
    base = (*ZONES, "{0} zone lan intra-zone-filtering action drop")
    policy = config(*(line.format(*LAYOUTS["firewall zone"]) for line in base))
    assert ask(policy, ways=("eth1", "eth2")) is DROP


def test_a_zone_without_its_rule_set_is_unknown() -> None:
    """A name that no rule set has."""
    lines = [line.format(*LAYOUTS["firewall zone"]) for line in ZONES if "name WAN-LAN rule" not in line]
    policy = config(*lines)
    assert ask(policy) is UNKNOWN
    assert ["wan from zone" not in one.text for one in policy.unread] == [True]


def test_state_policy_says_nothing_of_new_connections() -> None:
    """It stands before the rules, for packets of connections that exist."""
    policy = config(*FILTER, "firewall global-options state-policy established action accept")
    assert ask(policy, port=22) is DROP
    first = policy.chains["ipv4 forward filter"].rules[0]
    assert {"established"} == {state.value for match in first.matches for state in match.states}


def test_disabled_rules_are_no_rules() -> None:
    """Neither filter nor NAT."""
    policy = config(*FILTER, "firewall ipv4 name WEB rule 1 disable", "nat destination rule 1 disable")
    assert ask(policy) is DROP
    assert () == policy.nat


def test_rules_before_destination_nat_are_not_taken_for_more_than_they_say() -> None:
    """`prerouting raw` sees the outer address; a drop there of one that is rewritten is not known."""
    raw = (
        "firewall ipv4 prerouting raw rule 1 action drop",
        "firewall ipv4 prerouting raw rule 1 destination address 10.0.0.10",
    )
    nat = (
        "nat destination rule 1 destination address 203.0.113.1",
        "nat destination rule 1 translation address 10.0.0.10",
    )
    assert ask(config(*raw)) is DROP
    assert ask(config(*raw, *nat), "203.0.113.1") is UNKNOWN


def test_a_policy_route_may_drop() -> None:
    """On the interface that it is bound to, in the old way and the new."""
    rules = ("policy route PBR rule 1 action drop", "policy route PBR rule 1 protocol udp")
    old = config(*rules, "interfaces ethernet eth0 policy route PBR")
    new = config(*rules, "policy route PBR interface eth0")
    for policy in (old, new):
        assert ask(policy, protocol=17) is DROP
        assert ask(policy, protocol=17, ways=("eth1", "eth0")) is ACCEPT
        assert ask(policy) is ACCEPT


def test_what_is_not_tracked_is_not_surely_new() -> None:
    """A rule for new connections may not see it."""
    new_only = (
        "firewall ipv4 forward filter default-action drop", "firewall ipv4 forward filter rule 1 action accept",
        "firewall ipv4 forward filter rule 1 state new",
    )  # fmt: skip
    assert ask(config(*new_only)) is ACCEPT
    assert ask(config(*new_only, "system conntrack ignore ipv4 rule 1 protocol tcp")) is UNKNOWN


def test_forwarding_may_be_off() -> None:
    """For one IP version."""
    policy = config("system ip disable-forwarding", "interfaces ethernet eth0 address 192.0.2.1/24")
    assert ask(policy) is DROP
    assert ask(policy, "2001:db8::1", source="2001:db8::2") is ACCEPT


NAT = (
    "nat destination rule 20 inbound-interface {0}eth0",
    "nat destination rule 20 destination address 203.0.113.1",
    "nat destination rule 20 destination port 8443",
    "nat destination rule 20 protocol tcp",
    "nat destination rule 20 translation address 10.0.0.10",
    "nat destination rule 20 translation port 443",
    "nat destination rule 10 destination address 203.0.113.1",
    "nat destination rule 10 source address 192.0.2.66",
    "nat destination rule 10 exclude",
    "nat source rule 10 outbound-interface {0}eth0",
    "nat source rule 10 source address 10.0.0.0/24",
    "nat source rule 10 translation address masquerade",
    "nat source rule 20 source address 10.0.1.0/24",
    "nat source rule 20 translation address 203.0.113.7-203.0.113.9",
)


@pytest.mark.parametrize("word", ["", "name "])
def test_nat_in_the_order_of_the_numbers(word: str) -> None:
    """Destination rules first; 10 before 20; the interface with or without `name`."""
    policy = config(*(line.format(word) for line in NAT), *FILTER)
    kinds = [rule.kind for rule in policy.nat]
    assert [NatKind.EXEMPT, NatKind.DNAT, NatKind.MASQUERADE, NatKind.SNAT] == kinds
    assert ask(policy, "203.0.113.1", 8443) is ACCEPT
    assert ask(policy, "203.0.113.1", 8443, source="192.0.2.66") is DROP
    assert ask(policy, "203.0.113.1", 8443, ways=("eth7", "eth1")) is DROP


def test_other_kinds_of_nat() -> None:
    """One to one, redirects, IPv6, prefixes, balancing, and what cannot be read."""
    policy = config(
        "nat static rule 1 destination address 203.0.113.5", "nat static rule 1 translation address 10.0.0.5",
        "nat static rule 1 inbound-interface eth0", "nat destination rule 1 translation redirect port 8080",
        "nat destination rule 1 protocol tcp", "nat destination rule 1 destination port 80",
        "nat66 destination rule 1 destination address 2001:db8:f::5",
        "nat66 destination rule 1 translation address 2001:db8:1::5",
        "nat66 source rule 1 source prefix 2001:db8:1::/64", "nat66 source rule 1 translation address masquerade",
        "nat destination rule 2 load-balance backend 10.0.0.1 weight 50",
        "nat destination rule 2 load-balance backend 10.0.0.2 weight 50",
        "nat destination rule 2 translation options port-mapping random",
        "nat destination rule 3 translation address nonsense", "nat64 source rule 1 source prefix 64:ff9b::/96",
    )  # fmt: skip
    kinds = [rule.kind.value for rule in policy.nat]
    assert ["static", "redirect", "dnat", "unknown", "dnat", "masquerade"] == kinds
    assert AddressSet.parse("10.0.0.1", "10.0.0.2") == policy.nat[2].to
    assert 2 == len(policy.unread)


def test_what_redirects_without_a_nat_rule_is_said() -> None:
    """UPnP, a transparent proxy, a published port."""
    policy = config(
        "service upnp listen eth1", "service webproxy listen-address 10.0.0.1",
        "service webproxy listen-address 10.0.0.2 disable-transparent", "container name web port http source 80",
    )  # fmt: skip
    assert [NatKind.UNKNOWN] * 3 == [rule.kind for rule in policy.nat]
    assert 3 == len(policy.unread)


def test_static_routes() -> None:
    """Of every layout, table and VRF; disabled next hops left out."""
    policy = config(
        "protocols static route 0.0.0.0/0 next-hop 203.0.113.1 distance 10",
        "protocols static route 10.9.0.0/16 blackhole distance 254",
        "protocols static route 10.8.0.0/16 interface wg0",
        "protocols static route6 ::/0 next-hop fe80::1 interface eth0",
        "protocols static interface-route 10.7.0.0/16 next-hop-interface tun0",
        "protocols static table 7 route 10.6.0.0/16 next-hop 10.0.0.9",
        "protocols static route 10.5.0.0/16 next-hop 10.0.0.9 disable",
        "vrf name RED protocols static route 10.4.0.0/16 next-hop 10.0.0.8",
        "system gateway-address 203.0.113.9", "protocols failover route 10.3.0.0/16 next-hop 10.0.0.7",
    )  # fmt: skip
    said = [
        (route.prefix, route.via, route.interface, route.table, route.kind, route.metric)
        for route in policy.routes
    ]
    assert [
        ("0.0.0.0/0", "203.0.113.9", "", "main", "unicast", 0),
        ("0.0.0.0/0", "203.0.113.1", "", "main", "unicast", 10),
        ("10.9.0.0/16", "", "", "main", "blackhole", 254),
        ("10.8.0.0/16", "", "wg0", "main", "unicast", 0),
        ("::/0", "fe80::1", "eth0", "main", "unicast", 0),
        ("10.7.0.0/16", "", "tun0", "main", "unicast", 0),
        ("10.6.0.0/16", "10.0.0.9", "", "7", "unicast", 0),
        ("10.4.0.0/16", "10.0.0.8", "", "vrf RED", "unicast", 0),
    ] == said
    assert ["protocols failover"] == [" ".join(one.text.split()[:2]) for one in policy.unread]


BOOT = """/* of the office */
interfaces {
    ethernet eth0 {
        address "198.51.100.1/24"
        firewall {
            in {
                name WAN-IN
            }
        }
    }
    loopback lo {
    }
}
firewall {
    name WAN-IN {
        default-action drop
        description "it's \\"ours\\""
        rule 10 {
            action accept
            destination {
                port 443
            }
            protocol tcp
        }
    }
}
/* === vyatta-config-version: "firewall@5" === */
/* Release version: 1.2.6 */
"""


def as_commands(text: str, quote: str = "'") -> str:
    """Return a boot file as set commands."""
    return "".join(
        f"set {' '.join(path[:-1])} {quote if chr(39) not in path[-1] else chr(34)}"
        + path[-1].replace('"', '\\"' if "'" in path[-1] else '"')
        + f"{quote if chr(39) not in path[-1] else chr(34)}\n"
        for path in parse(text).root.leaves()
    )


def test_both_forms_are_one_policy_and_compare_equal() -> None:
    """The boot file and `show configuration commands` of one device."""
    commands = as_commands(BOOT)
    assert VYOS.canonical(BOOT) == VYOS.canonical(commands)
    difference = compare(VYOS.read(BOOT), VYOS.read(commands))
    assert not (difference.opens or difference.closes or difference.undecided)


def test_canonical_leaves_out_what_is_no_difference_and_nothing_else() -> None:
    """Comments, versions, order, quotes, descriptions; a value is one."""
    same = (
        BOOT.replace("of the office", "changed").replace("ours", "theirs").replace("firewall@5", "firewall@6")
    )
    same = same.replace('"198.51.100.1/24"', "198.51.100.1/24")
    assert VYOS.canonical(BOOT) == VYOS.canonical(same)
    assert VYOS.canonical(BOOT) != VYOS.canonical(BOOT.replace("port 443", "port 444"))
    assert VYOS.canonical(BOOT) != VYOS.canonical(BOOT.replace("    loopback lo {\n    }\n", ""))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("interfaces {\n    ethernet eth0 {\n    }\n", 3),
        ("interfaces {\n}\n}\n", 3),
        ('interfaces {\n    ethernet eth0 {\n        description "half\n    }\n}\n', 3),
        ("interfaces {\n /* half\n}\n", 2),
        ("interfaces {\n  a b c d\n}\n", 2),
        ("set interfaces ethernet eth0\ndelete firewall\n", 2),
        ("set interfaces ethernet 'eth0\n", 1),
        ("set firewall " + "a " * 100 + "\n", 1),
        ("set surprise only\n", 1),
        ("surprise {\n}\n", 1),
        ("interfaces {\n\x00\n}\n", 2),
        ("interfaces {\n" + "a {\n" * 10_000, 49),
        ("{" * 10_000, 1),
        ("set interfaces " + "x" * (17 << 20), 1),
    ],
)
def test_bad_text_is_refused_with_its_line(text: str, line: int) -> None:
    """Half files, binary, deep nesting, scripts, a very long line: what was expected, and where."""
    with pytest.raises(UnreadableError, match="expected") as refused:
        VYOS.read(text)
    assert line == refused.value.line


TEXT = (
    "firewall ipv4 forward filter name rule 1 10 action accept jump jump-target A zone from nat destination source "
    "address 10.0.0.1 port 443 ! group address-group include { } \" ' \n set interfaces ethernet eth0 /* */ // x"
)
WORDS = st.sampled_from(TEXT.split(" "))


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=60), st.booleans())
def test_any_words_are_read_or_refused(words: list[str], commands: bool) -> None:
    """Nothing but UnreadableError comes out, and canonical agrees on what is readable."""
    text = " ".join(words)
    text = "".join(f"set {line}\n" for line in text.split("\n") if line.strip()) if commands else text
    try:
        VYOS.read(text)
    except UnreadableError:
        return
    VYOS.canonical(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(BOOT)), st.integers(0, 40), st.text(max_size=3))
def test_a_damaged_file_is_read_or_refused(start: int, length: int, patch: str) -> None:
    """A part cut out or overwritten."""
    with suppress(UnreadableError):
        VYOS.read(BOOT[:start] + patch + BOOT[start + length :])
