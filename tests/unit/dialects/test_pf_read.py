"""What pfSense and OPNsense do with packets, said by their own config.xml."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.query import verdict
from fwguard.dialects.pf import OPNSENSE, PFSENSE, PfXml
from fwguard.errors import UnreadableError
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook, NatKind, Policy

ACCEPT, DROP, REJECT, UNKNOWN = Answer.ACCEPT, Answer.DROP, Answer.REJECT, Answer.UNKNOWN
BOTH = [PFSENSE, OPNSENSE]
PRODUCTS = pytest.mark.parametrize("product", BOTH, ids=lambda one: one.name)
INTERFACES = """<interfaces>
<wan><enable>1</enable><if>em0</if><ipaddr>198.51.100.2</ipaddr><subnet>30</subnet><gateway>GW</gateway>
<ipaddrv6>2001:db8:f::2</ipaddrv6><subnetv6>64</subnetv6><gatewayv6>GW6</gatewayv6></wan>
<lan><enable>1</enable><if>em1</if><ipaddr>10.0.0.1</ipaddr><subnet>24</subnet>
<ipaddrv6>2001:db8:1::1</ipaddrv6><subnetv6>64</subnetv6></lan>
<opt1><enable>1</enable><if>em2</if><ipaddr>10.0.1.1</ipaddr><subnet>24</subnet><descr>DMZ</descr></opt1>
</interfaces>"""
SYSTEM = "<system><ipv6allow>1</ipv6allow><disablenatreflection>yes</disablenatreflection></system>"


def rule(
    content: str = "", *, on: str = "wan", action: str = "pass", family: str = "inet", **sides: str
) -> str:
    """Return one rule as both products write it."""
    source, target = sides.get("source", "<any/>"), sides.get("target", "<any/>")
    return (
        f"<rule><type>{action}</type><interface>{on}</interface><ipprotocol>{family}</ipprotocol>{content}"
        f"<source>{source}</source><destination>{target}</destination></rule>"
    )


TCP = "<protocol>tcp</protocol>"
FLOATING = "<floating>yes</floating><direction>{}</direction>"


def config(
    product: PfXml, rules: str = "", *more: str, interfaces: str = INTERFACES, system: str = SYSTEM
) -> Policy:
    """Read a file with these rules and further parts."""
    text = f"<{product.name}>{system}{interfaces}<filter>{rules}</filter>{''.join(more)}</{product.name}>"
    return product.read(text)


def ask(
    policy: Policy,
    target: str = "10.0.0.10",
    port: int = 443,
    *,
    source: str = "8.8.8.8",
    ways: tuple[str, str] = ("wan", "lan"),
    protocol: int = 6,
    hook: Hook = Hook.FORWARD,
    icmp: int | None = None,
) -> Answer:
    """Return what the policy does with one new connection."""
    packet = Packet(
        source=source, target=target, protocol=protocol, dport=port, sport=40000, ingress=ways[0], egress=ways[1],
        hook=hook, icmp_type=icmp,
    )  # fmt: skip
    return verdict(policy, packet).answer


@PRODUCTS
def test_what_comes_in_is_dropped_and_what_goes_out_passes_by_default(product: PfXml) -> None:
    """Without a rule."""
    policy = config(product)
    assert ask(policy) is DROP
    assert ask(policy, hook=Hook.OUTPUT, ways=("", "wan")) is ACCEPT
    assert ask(policy, "198.51.100.2", hook=Hook.INPUT) is DROP
    assert ask(policy, ways=("lo0", "lan")) is ACCEPT


@PRODUCTS
def test_the_first_rule_of_an_interface_decides(product: PfXml) -> None:
    """Rules of one interface say quick by themselves."""
    rules = rule(TCP, action="reject", target="<address>10.0.0.66</address>") + rule(
        TCP, target="<address>10.0.0.0/24</address><port>443</port>"
    )
    policy = config(product, rules)
    assert ask(policy) is ACCEPT
    assert ask(policy, port=80) is DROP
    assert ask(policy, "10.0.0.66") is REJECT
    assert ask(policy, ways=("opt1", "lan")) is DROP


@PRODUCTS
def test_a_floating_rule_decides_at_once_only_if_it_says_quick(product: PfXml) -> None:
    """Else a rule of an interface does, and among floating ones the last."""
    block = rule(FLOATING.format("in"), action="block")
    quick = rule(FLOATING.format("in") + "<quick>yes</quick>", action="block")
    allow = rule()
    assert ask(config(product, block + allow)) is ACCEPT
    assert ask(config(product, allow + quick)) is DROP
    later = rule(FLOATING.format("in") + TCP)
    assert ask(config(product, block + later)) is ACCEPT
    assert ask(config(product, later + block)) is DROP


@PRODUCTS
def test_floating_rules_may_judge_what_goes_out(product: PfXml) -> None:
    """A forwarded packet is judged twice; what the firewall sends, once."""
    out = rule(FLOATING.format("out") + TCP, on="lan", action="block", target="<any/><port>25</port>")
    policy = config(product, rule() + out)
    assert ask(policy) is ACCEPT
    assert ask(policy, port=25) is DROP
    assert ask(policy, port=25, hook=Hook.OUTPUT, ways=("", "lan")) is DROP
    assert ask(policy, port=25, ways=("wan", "opt1")) is ACCEPT
    outer = rule(
        FLOATING.format("any") + "<quick>yes</quick>" + TCP, action="block", target="<any/><port>25</port>"
    )
    assert (
        ask(config(product, outer + rule(on="lan")), "8.8.8.8", 25, source="10.0.0.5", ways=("lan", "wan"))
        is DROP
    )


@PRODUCTS
def test_floating_before_groups_before_interfaces(product: PfXml) -> None:
    """Whatever their order in the file."""
    groups = (
        "<ifgroups><ifgroupentry><ifname>inner</ifname><members>lan opt1</members></ifgroupentry></ifgroups>"
    )
    policy = config(product, rule(on="lan") + rule(on="inner", action="block"), groups)
    assert ask(policy, "8.8.8.8", source="10.0.0.5", ways=("lan", "wan")) is DROP
    both = config(product, rule(on="inner"), groups)
    assert ask(both, "8.8.8.8", source="10.0.1.5", ways=("opt1", "wan")) is ACCEPT
    assert ask(both) is DROP


ALIASES = """<aliases>
<alias><name>web</name><type>host</type><address>10.0.0.10 10.0.0.11 more</address></alias>
<alias><name>more</name><type>network</type><address>10.0.0.32/28 10.0.0.50-10.0.0.59 2001:db8:1::10</address></alias>
<alias><name>ports</name><type>port</type><address>80 8000:8010 tls</address></alias>
<alias><name>tls</name><type>port</type><address>443</address></alias>
<alias><name>named</name><type>host</type><address>10.0.0.77 server.example</address></alias>
<alias><name>fetched</name><type>urltable</type><address>https://example.org/list</address></alias>
</aliases>"""


@PRODUCTS
@pytest.mark.parametrize(
    ("target", "port", "answer"),
    [("10.0.0.11", 443, ACCEPT), ("10.0.0.33", 8010, ACCEPT), ("10.0.0.59", 80, ACCEPT), ("10.0.0.60", 80, DROP),
     ("10.0.0.11", 22, DROP)],
)  # fmt: skip
def test_aliases_hold_aliases(product: PfXml, target: str, port: int, answer: Answer) -> None:
    """Of hosts, networks, ranges and ports."""
    policy = config(product, rule(TCP, target="<address>web</address><port>ports</port>"), ALIASES)
    assert answer is ask(policy, target, port)
    assert () == policy.unread


@PRODUCTS
def test_of_an_alias_that_is_looked_up_only_the_written_part_is_sure(product: PfXml) -> None:
    """The rest may be anywhere; negated, the written part is surely left out."""
    policy = config(product, rule(target="<address>named</address>"), ALIASES)
    assert ask(policy, "10.0.0.77") is ACCEPT
    assert ask(policy) is UNKNOWN
    negated = config(product, rule(target="<address>named</address><not>1</not>"), ALIASES)
    assert ask(negated, "10.0.0.77") is DROP
    assert ask(negated) is UNKNOWN
    assert ask(config(product, rule(target="<address>fetched</address>"), ALIASES)) is UNKNOWN


@PRODUCTS
def test_an_alias_that_is_missing_is_unknown_and_unread(product: PfXml) -> None:
    """Never a permit, never lost."""
    policy = config(product, rule(target="<address>gone</address>"), ALIASES)
    assert ask(policy) is UNKNOWN
    assert 1 == len(policy.unread)


@PRODUCTS
@pytest.mark.parametrize(
    ("side", "passing", "dropped"),
    [
        ("<network>lan</network>", "10.0.0.99", "10.0.1.9"),
        ("<network>lan</network><not>1</not>", "10.0.1.9", "10.0.0.99"),
        ("<network>lanip</network>", "10.0.0.1", "10.0.0.2"),
        ("<network>(self)</network>", "10.0.1.1", "10.0.1.2"),
        ("<network>opt1</network>", "10.0.1.9", "10.0.0.9"),
        ("<address>10.0.0.9</address>", "10.0.0.9", "10.0.0.10"),
    ],
)
def test_networks_and_addresses_of_interfaces(product: PfXml, side: str, passing: str, dropped: str) -> None:
    """By the words that the page has for them."""
    policy = config(product, rule(target=side))
    assert ask(policy, passing) is ACCEPT
    assert ask(policy, dropped) is DROP


@PRODUCTS
def test_what_dhcp_brings_is_not_known_but_where_others_are(product: PfXml) -> None:
    """The WAN address is none of the LAN's network."""
    interfaces = INTERFACES.replace(
        "<ipaddr>198.51.100.2</ipaddr><subnet>30</subnet><gateway>GW</gateway>", "<ipaddr>dhcp</ipaddr>"
    )
    policy = config(product, rule(target="<network>wanip</network>"), interfaces=interfaces)
    assert ask(policy, "8.8.4.4", hook=Hook.INPUT) is UNKNOWN
    assert ask(policy) is DROP


@PRODUCTS
@pytest.mark.parametrize(
    ("content", "packet", "answer"),
    [
        ("<protocol>tcp/udp</protocol>", {"protocol": 17}, ACCEPT),
        (
            "<protocol>icmp</protocol><icmptype>echoreq,unreach</icmptype>",
            {"protocol": 1, "icmp": 8 << 8},
            ACCEPT,
        ),
        ("<protocol>icmp</protocol><icmptype>echoreq</icmptype>", {"protocol": 1, "icmp": 0}, DROP),
        ("<protocol>esp</protocol>", {"protocol": 50}, ACCEPT),
        ("<protocol>carp</protocol>", {}, DROP),
        ("<protocol>tcp</protocol><tcpflags1>syn</tcpflags1><tcpflags2>syn,ack</tcpflags2>", {}, ACCEPT),
        ("<protocol>tcp</protocol><tcpflags1>ack</tcpflags1><tcpflags2>syn,ack</tcpflags2>", {}, DROP),
        ("<protocol>tcp</protocol><tcpflags_any/>", {}, ACCEPT),
        ("<gateway>GW</gateway><defaultqueue>q</defaultqueue><log/>", {}, ACCEPT),
        ("<protocol>tcp</protocol><os>Linux</os>", {}, UNKNOWN),
        ("<sched>work</sched>", {}, UNKNOWN),
        ("<tagged>x</tagged>", {}, UNKNOWN),
        ("<max-src-conn>5</max-src-conn>", {}, UNKNOWN),
        ("<surprise>5</surprise>", {}, UNKNOWN),
        ("<protocol>nonsense</protocol>", {}, UNKNOWN),
        ("<disabled>1</disabled>", {}, DROP),
    ],
)
def test_conditions(product: PfXml, content: str, packet: dict[str, int], answer: Answer) -> None:
    """Decided, never met by a first packet, or undecided."""
    assert answer is ask(config(product, rule(content)), **packet)  # type: ignore[arg-type]


@PRODUCTS
@pytest.mark.parametrize(
    ("ports", "port", "answer"),
    [
        ("443", 443, ACCEPT),
        ("400-500", 443, ACCEPT),
        ("400:500", 501, DROP),
        ("any", 1, ACCEPT),
        ("70000", 443, UNKNOWN),
    ],
)
def test_ports(product: PfXml, ports: str, port: int, answer: Answer) -> None:
    """One, a range, any; nonsense is unknown."""
    assert answer is ask(config(product, rule(TCP, target=f"<any/><port>{ports}</port>")), port=port)


@PRODUCTS
def test_ip_versions(product: PfXml) -> None:
    """inet, inet6, both; ICMP is that of the version."""
    for family, v4, v6 in (("inet", ACCEPT, DROP), ("inet6", DROP, ACCEPT), ("inet46", ACCEPT, ACCEPT)):
        policy = config(product, rule(family=family))
        assert v4 is ask(policy)
        assert v6 is ask(policy, "2001:db8:1::10", source="2606::1")
    icmp = config(product, rule("<protocol>icmp</protocol><icmptype>echoreq</icmptype>", family="inet46"))
    assert ask(icmp, "2001:db8:1::10", source="2606::1", protocol=58, icmp=128 << 8) is ACCEPT
    assert ask(icmp, "2001:db8:1::10", source="2606::1", protocol=1, icmp=8 << 8) is DROP


@PRODUCTS
def test_without_ipv6allow_no_ipv6_passes(product: PfXml) -> None:
    """Before any rule of the user."""
    policy = config(product, rule(family="inet46"), system="<system/>")
    assert ask(policy, "2001:db8:1::10", source="2606::1") is DROP
    assert ask(policy) is ACCEPT


@PRODUCTS
def test_private_and_bogon_sources_may_be_blocked_before_the_rules(product: PfXml) -> None:
    """Private ones surely; of the list of bogons nobody knows."""
    interfaces = INTERFACES.replace("<wan>", "<wan><blockpriv>1</blockpriv><blockbogons>1</blockbogons>")
    policy = config(product, rule(), interfaces=interfaces)
    assert ask(policy, source="192.168.7.7") is DROP
    assert ask(policy, source="192.0.2.7") is UNKNOWN
    assert ask(policy) is ACCEPT
    assert ask(policy, ways=("lan", "wan"), source="192.168.7.7") is DROP


@PRODUCTS
def test_the_page_of_the_firewall_is_reachable_from_inside(product: PfXml) -> None:
    """Unless the anti-lockout rule is turned off."""
    system = SYSTEM.replace("<system>", "<system><webgui><protocol>https</protocol></webgui>")
    assert (
        ask(config(product, system=system), "10.0.0.1", hook=Hook.INPUT, ways=("lan", ""), source="10.0.0.9")
        is ACCEPT
    )
    off = system.replace("</webgui>", "<noantilockout>1</noantilockout></webgui>")
    assert (
        ask(config(product, system=off), "10.0.0.1", hook=Hook.INPUT, ways=("lan", ""), source="10.0.0.9")
        is DROP
    )


@PRODUCTS
def test_a_filter_that_is_off_passes_all_and_translates_nothing(product: PfXml) -> None:
    """disablefilter."""
    policy = config(product, system="<system><disablefilter>1</disablefilter></system>")
    assert ask(policy) is ACCEPT
    assert () == policy.nat


def forward(content: str = "", port: str = "8443", local: str = "443", target: str = "10.0.0.10") -> str:
    """Return a port forward."""
    return (
        f"<nat><rule><interface>wan</interface>{content}<ipprotocol>inet</ipprotocol><protocol>tcp</protocol>"
        f"<source><any/></source><destination><network>wanip</network><port>{port}</port></destination>"
        f"<target>{target}</target><local-port>{local}</local-port></rule></nat>"
    )


WEB = rule(TCP, target="<address>10.0.0.10</address>")


@PRODUCTS
def test_a_port_forward_comes_before_the_filter(product: PfXml) -> None:
    """Rules see the inner address and port."""
    policy = config(product, rule(TCP, target="<address>10.0.0.10</address><port>443</port>"), forward())
    assert ask(policy, "198.51.100.2", 8443) is ACCEPT
    assert ask(policy, "198.51.100.2", 443) is DROP
    assert ask(config(product, WEB, forward("<disabled>1</disabled>")), "198.51.100.2", 8443) is DROP


@PRODUCTS
def test_a_port_forward_may_pass_by_the_filter(product: PfXml) -> None:
    """associated-rule-id pass."""
    policy = config(product, "", forward("<associated-rule-id>pass</associated-rule-id>"))
    assert ask(policy, "198.51.100.2", 8443) is ACCEPT
    assert ask(policy, "198.51.100.2", 22) is DROP


@PRODUCTS
def test_a_range_of_ports_keeps_its_distance(product: PfXml) -> None:
    """8000-8010 to 9000-9010."""
    policy = config(
        product, rule(TCP, target="<any/><port>9003</port>"), forward(port="8000-8010", local="9000")
    )
    assert ask(policy, "198.51.100.2", 8003) is ACCEPT
    assert ask(policy, "198.51.100.2", 8004) is DROP


@PRODUCTS
def test_a_rule_may_say_that_nothing_is_redirected(product: PfXml) -> None:
    """It ends the look-up."""
    both = forward("<nordr>1</nordr>").replace("</nat>", "") + forward().replace("<nat>", "")
    assert ask(config(product, WEB, both), "198.51.100.2", 8443) is DROP


@PRODUCTS
def test_what_a_redirection_does_is_unknown_when_its_target_is(product: PfXml) -> None:
    """A name, an alias that is missing."""
    policy = config(product, WEB, forward(target="gone"))
    assert [NatKind.UNKNOWN] == [one.kind for one in policy.nat if one.kind is not NatKind.MASQUERADE]
    assert 1 == len(policy.unread)


@PRODUCTS
def test_reflection_redirects_from_inside_too(product: PfXml) -> None:
    """Where it is on, by the rule or for all."""
    everything = rule(on="lan")
    inside = {"source": "10.0.1.5", "ways": ("opt1", "lan")}
    policy = config(
        product,
        rule(on="opt1", target="<address>10.0.0.10</address>"),
        forward("<natreflection>purenat</natreflection>"),
    )
    assert ask(policy, "198.51.100.2", 8443, **inside) is ACCEPT  # type: ignore[arg-type]
    off = config(product, everything, forward())
    assert ask(off, "198.51.100.2", 8443, **inside) is DROP  # type: ignore[arg-type]


@PRODUCTS
def test_one_to_one(product: PfXml) -> None:
    """The outer address leads to the inner one; networks keep the number of the host."""
    nat = (
        "<nat><onetoone><interface>wan</interface><external>198.51.100.8</external>"
        "<source><address>10.0.0.8/29</address></source><destination><any/></destination></onetoone></nat>"
    )
    policy = config(product, rule(TCP, target="<address>10.0.0.10</address>"), nat)
    assert ask(policy, "198.51.100.10") is ACCEPT
    assert ask(policy, "198.51.100.11") is DROP


def test_outbound_nat_modes() -> None:
    """By itself, by hand, both, none."""
    by_hand = (
        "<rule><interface>wan</interface><source><network>10.0.0.0/24</network></source><destination><any/>"
        "</destination><target>198.51.100.3</target></rule><rule><interface>wan</interface><nonat/>"
        "<source><network>any</network></source><destination><any/></destination></rule>"
    )
    for mode, kinds in (
        ("automatic", ["masquerade"]), ("advanced", ["snat", "exempt"]),
        ("hybrid", ["snat", "exempt", "masquerade"]), ("disabled", []), ("", ["masquerade"]),
    ):  # fmt: skip
        nat = f"<nat><outbound><mode>{mode}</mode>{by_hand}</outbound></nat>"
        assert kinds == [one.kind.value for one in config(PFSENSE, "", nat).nat]
    automatic = config(PFSENSE, "").nat[0].matches[0]
    assert ("10.0.0.0/23", "127.0.0.0/8") == automatic.source.texts()
    assert "wan" == str(automatic.egress)


@PRODUCTS
def test_rules_for_what_goes_out_see_the_translated_source(product: PfXml) -> None:
    """Those that ask for a source are unknown where it is translated, and sure where it is not."""
    out = FLOATING.format("out") + "<quick>yes</quick>"
    policy = config(
        product,
        rule(on="lan")
        + rule(on="opt1")
        + rule(out, on="wan", action="block", source="<network>lan</network>"),
    )
    assert ask(policy, "8.8.8.8", source="10.0.0.5", ways=("lan", "wan")) is UNKNOWN
    inner = config(
        product, rule(on="lan") + rule(out, on="opt1", action="block", source="<network>lan</network>")
    )
    assert ask(inner, "10.0.1.5", source="10.0.0.5", ways=("lan", "opt1")) is DROP


@PRODUCTS
def test_static_routes_and_gateways(product: PfXml) -> None:
    """The interface is that of the gateway; an alias is several routes; Null gateways drop."""
    parts = (
        "<gateways><gateway_item><name>GW</name><interface>wan</interface><gateway>198.51.100.1</gateway>"
        "<ipprotocol>inet</ipprotocol><defaultgw>1</defaultgw></gateway_item></gateways>"
        "<staticroutes><route><network>10.9.0.0/16</network><gateway>GW</gateway></route>"
        "<route><network>nets</network><gateway>Null4</gateway></route>"
        "<route><network>10.7.0.0/16</network><gateway>GW</gateway><disabled>1</disabled></route>"
        "<route><network>10.6.0.0/16</network><gateway>GONE</gateway></route></staticroutes>"
        "<aliases><alias><name>nets</name><type>network</type>"
        "<address>10.8.0.0/24 2001:db8:8::/48</address></alias></aliases>"
    )
    policy = config(product, "", parts)
    assert [
        ("0.0.0.0/0", "198.51.100.1", "wan", "unicast"), ("10.9.0.0/16", "198.51.100.1", "wan", "unicast"),
        ("10.8.0.0/24", "", "", "blackhole"), ("2001:db8:8::/48", "", "", "blackhole"),
        ("10.6.0.0/16", "", "", "unicast"),
    ] == [(one.prefix, one.via, one.interface, one.kind) for one in policy.routes]  # fmt: skip
    assert ["gateway GONE does not exist"] == [one.why for one in policy.unread]


def test_rules_of_the_new_kind_in_opnsense() -> None:
    """Several interfaces or none are floating; lists of networks; by sequence; before those of the old kind."""

    def new(sequence: int, action: str, interface: str, *more: str) -> str:
        return (
            f"<rule uuid='{sequence}'><enabled>1</enabled><sequence>{sequence}</sequence><action>{action}</action>"
            f"<interface>{interface}</interface><quick>1</quick><direction>in</direction>{''.join(more)}</rule>"
        )

    def read(*rules: str, old: str = "") -> Policy:
        part = f"<OPNsense><Firewall><Filter><rules>{''.join(rules)}</rules></Filter></Firewall></OPNsense>"
        return config(OPNSENSE, old, part)

    policy = read(
        new(20, "pass", "wan", "<ipprotocol>inet</ipprotocol><protocol>TCP</protocol>",
            "<destination_net>10.0.0.10,10.0.0.11</destination_net><destination_port>https</destination_port>"),
        new(10, "block", "wan", "<ipprotocol>inet46</ipprotocol><source_net>9.9.9.9</source_net>"),
    )  # fmt: skip
    assert ask(policy) is ACCEPT
    assert ask(policy, "10.0.0.12") is DROP
    assert ask(policy, source="9.9.9.9") is DROP
    block = new(1, "block", "wan", "<ipprotocol>inet</ipprotocol>")
    assert ask(read(block, old=rule())) is DROP
    assert ask(read(new(1, "block", "wan,opt1", "<ipprotocol>inet</ipprotocol>"), old=rule())) is DROP
    off = block.replace("<enabled>1</enabled>", "<enabled>0</enabled>")
    assert ask(read(off, old=rule())) is ACCEPT
    not_wan = block.replace(
        "<interface>wan</interface>", "<interface>wan</interface><interfacenot>1</interfacenot>"
    )
    assert ask(read(not_wan, old=rule())) is ACCEPT
    negated = new(
        1,
        "pass",
        "wan",
        "<ipprotocol>inet</ipprotocol><source_net>8.8.8.0/24</source_net><source_not>1</source_not>",
    )
    assert ask(read(negated)) is DROP


def test_aliases_of_the_new_kind_in_opnsense() -> None:
    """One entry a line, exclusions, disabled ones, those that the firewall fills."""
    part = (
        "<OPNsense><Firewall><Alias><aliases><alias><enabled>1</enabled><name>a</name><type>network</type>"
        "<content>10.0.0.0/24\n!10.0.0.66</content></alias><alias><enabled>1</enabled><name>b</name><type>geoip</type>"
        "<content>FR</content></alias></aliases></Alias></Firewall></OPNsense>"
    )
    policy = config(OPNSENSE, rule(target="<address>a</address>"), part)
    assert ask(policy) is ACCEPT
    assert ask(policy, "10.0.0.66") is DROP
    inside = part.replace("!10.0.0.66", "!10.0.0.64/28\n10.0.0.66")
    assert ask(config(OPNSENSE, rule(target="<address>a</address>"), inside), "10.0.0.66") is UNKNOWN
    assert ask(config(OPNSENSE, rule(target="<address>a</address>"), inside), "10.0.0.67") is DROP
    assert ask(config(OPNSENSE, rule(source="<address>b</address>"), part)) is UNKNOWN


def test_an_empty_disabled_in_opnsense_is_in_doubt() -> None:
    """pfSense takes the element alone for yes."""
    assert ask(config(OPNSENSE, rule("<disabled/>"))) is UNKNOWN
    assert ask(config(PFSENSE, rule("<disabled/>"))) is DROP


@PRODUCTS
@pytest.mark.parametrize(
    "part",
    ["<surprise>1</surprise>", "<captiveportal><zone><enable/><interface>lan</interface></zone></captiveportal>",
     "<l2tp><mode>server</mode></l2tp>"],
)  # fmt: skip
def test_parts_that_are_not_judged_are_said(product: PfXml, part: str) -> None:
    """With their line."""
    assert [1] == [one.line for one in config(product, "", part, interfaces="").unread]


@PRODUCTS
def test_what_is_not_known_among_rules_closes_the_question(product: PfXml) -> None:
    """It may drop anything."""
    assert ask(config(product, rule() + "<surprise>1</surprise>")) is UNKNOWN


@PRODUCTS
def test_canonical_leaves_out_what_is_no_difference_and_nothing_else(product: PfXml) -> None:
    """Times, users, descriptions, order of elements, of interfaces; not the order of rules of one."""

    def text(rules: str, more: str = "") -> str:
        return f"<{product.name}>{more}<filter>{rules}</filter></{product.name}>"

    one, two, other = rule(TCP), rule("<descr>x</descr>", action="block"), rule(on="lan")
    base = product.canonical(text(one + two + other))
    stamped = rule(TCP + "<updated><time>1</time></updated><tracker>5</tracker><descr>said</descr>")
    assert base == product.canonical(text(stamped + two + other, "<revision><time>3</time></revision>\n\n"))
    assert base == product.canonical(text(other + one + rule(action="block")))
    assert base != product.canonical(text(two + one + other))
    assert base != product.canonical(text(one + other))
    assert base != product.canonical(text(rule(TCP + "<disabled/>") + two + other))


@PRODUCTS
@pytest.mark.parametrize(
    "text",
    [
        "", "no xml", "<{0}>", "<{0}><filter></{0}>", "<other/>", '<!DOCTYPE x [<!ENTITY a "b">]><{0}>&a;</{0}>',
        "<{0}>" + "<a>" * 100 + "</a>" * 100 + "</{0}>", "<{0}>\x00</{0}>", "<{0}>&none;</{0}>", "<{0}>\ud800</{0}>",
        "<{0}>" + "x" * (33 << 20) + "</{0}>",
    ],
    ids=range(11),
)  # fmt: skip
def test_bad_text_is_refused_with_its_line(product: PfXml, text: str) -> None:
    """Half files, other files, entities, deep nesting, a very long line."""
    with pytest.raises(UnreadableError, match="expected") as refused:
        product.read(text.replace("{0}", product.name))
    assert refused.value.line >= 1


def test_the_other_product_is_refused() -> None:
    """And known apart by sniffing."""
    with pytest.raises(UnreadableError, match="expected <opnsense>"):
        OPNSENSE.read("<pfsense/>")
    assert (95, 0) == (PFSENSE.sniff("<?xml version='1.0'?>\n<pfsense>"), OPNSENSE.sniff("<pfsense>"))
    assert 95 == OPNSENSE.sniff("<!-- a --><!-- b -->\n<opnsense>")


WORDS = [
    rule(), rule(TCP), rule(FLOATING.format("out")), rule("<disabled/>"), rule(target="<address>web</address>"),
    ALIASES, forward(), INTERFACES, SYSTEM, "<filter>", "</filter>", "<nat>", "<rule>", "</rule>", "<a/>", "&lt;", "<",
    "<staticroutes><route><network>x</network></route></staticroutes>",
    "<outbound><mode>advanced</mode><rule/></outbound>",
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(BOTH), st.integers(0, 3))
def test_any_parts_are_read_or_refused(parts: list[str], product: PfXml, cut: int) -> None:
    """Nothing but UnreadableError comes out."""
    text = f"<{product.name}>{''.join(parts)}</{product.name}>"
    with suppress(UnreadableError):
        product.read(text[: len(text) - cut])
        product.canonical(text)
