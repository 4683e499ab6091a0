"""A change finds its interface and place, opens what was asked and nothing else, and goes without a trace."""

from __future__ import annotations

import pytest

from fwguard.analysis.query import verdict
from fwguard.analysis.what_if import Coverage, Outcome, what_if
from fwguard.dialects.pf import OPNSENSE, PFSENSE, PfXml
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook
from fwguard.model.ports import ICMP, ICMPV6, SCTP, TCP, UDP, icmp_types

BOTH = [PFSENSE, OPNSENSE]
PRODUCTS = pytest.mark.parametrize("product", BOTH, ids=lambda one: one.name)
TEXT = """<?xml version="1.0"?>
<{0}>
	<system>
		<ipv6allow>1</ipv6allow>
		<disablenatreflection>yes</disablenatreflection>
	</system>
	<!-- kept -->
	<interfaces>
		<wan>
			<enable>1</enable>
			<if>em0</if>
			<ipaddr>203.0.113.2</ipaddr>
			<subnet>30</subnet>
			<gateway>GW</gateway>
			<ipaddrv6>2001:db8:f::2</ipaddrv6>
			<subnetv6>64</subnetv6>
			<gatewayv6>GW6</gatewayv6>
		</wan>
		<lan>
			<enable>1</enable>
			<if>em1</if>
			<ipaddr>10.0.0.1</ipaddr>
			<subnet>24</subnet>
			<ipaddrv6>2001:db8:1::1</ipaddrv6>
			<subnetv6>64</subnetv6>
		</lan>
		<opt1>
			<enable>1</enable>
			<if>em2</if>
			<ipaddr>10.0.1.1</ipaddr>
			<subnet>24</subnet>
		</opt1>
	</interfaces>
	<gateways>
		<gateway_item>
			<name>GW</name>
			<interface>wan</interface>
			<gateway>203.0.113.1</gateway>
			<defaultgw>1</defaultgw>
		</gateway_item>
	</gateways>{1}
</{0}>
"""
RULE = (
    "\n\t\t<rule>\n\t\t\t<type>{}</type>\n\t\t\t<interface>{}</interface>\n\t\t\t<ipprotocol>inet46</ipprotocol>{}"
    "\n\t\t\t<source><any/></source>\n\t\t\t<destination>{}</destination>\n\t\t</rule>"
)
DROP_WAN = RULE.format("block", "wan", "", "<address>10.0.0.0/24</address>")
PASS_WAN = RULE.format("pass", "wan", "<protocol>udp</protocol>", "<any/>")
FLOATING = "<floating>yes</floating><direction>{}</direction><quick>yes</quick>"
FLOATS = RULE.format("block", "wan,opt1", FLOATING.format("in"), "<address>10.0.0.10</address>")
FLOATS_OUT = RULE.format("block", "lan", FLOATING.format("out"), "<address>10.0.0.10</address>")
LAST = RULE.format("block", "wan", FLOATING.format("in").replace("<quick>yes</quick>", ""), "<any/>")
GROUP = RULE.format("block", "all", "", "<any/>")
GROUPS = (
    "\n\t<ifgroups><ifgroupentry><ifname>all</ifname><members>wan opt1</members></ifgroupentry></ifgroups>"
)
FILTERS = {
    "no rule": "\n\t<filter/>",
    "empty": "\n\t<filter>\n\t</filter>",
    "none at all": "",
    "a drop of the interface": f"\n\t<filter>{PASS_WAN}{DROP_WAN}\n\t</filter>\n\t<nat>\n\t</nat>",
    "a floating drop": f"\n\t<filter>{PASS_WAN}{FLOATS}\n\t</filter>\n\t<nat/>",
    "a floating drop on the way out": f"\n\t<filter>{FLOATS_OUT}{PASS_WAN}\n\t</filter>",
    "a floating drop that is not quick": f"\n\t<filter>{LAST}\n\t</filter>",
    "a group's drop": f"{GROUPS}\n\t<filter>{PASS_WAN}{GROUP}\n\t</filter>",
}
each_filter = pytest.mark.parametrize("part", FILTERS.values(), ids=FILTERS.keys())
HTTPS = Intervals.single(443)


def opening(ports: Intervals = HTTPS, *, protocol: int = TCP, source: str = "any") -> Opening:
    """Open ports of the server, v4 and v6 where both make sense."""
    return Opening(
        protocol=protocol, source=AddressSet.parse(source), target=AddressSet.parse("10.0.0.10", "2001:db8:1::10"),
        ports=ports,
    )  # fmt: skip


OPENINGS = [
    opening(Intervals.of((22, 22), (8000, 8010))),
    opening(Intervals.single(53), protocol=UDP, source="198.51.100.7-198.51.100.12"),
    opening(icmp_types(8, 8), protocol=ICMP, source="192.0.2.1"),
    opening(icmp_types(128, 129), protocol=ICMPV6, source="2606::/16"),
    opening(Intervals(), protocol=47),
    opening(Intervals(), protocol=SCTP),
]


@PRODUCTS
@each_filter
@pytest.mark.parametrize("one", OPENINGS, ids=range(len(OPENINGS)))
def test_a_change_opens_what_was_asked_and_nothing_else(product: PfXml, part: str, one: Opening) -> None:
    """Whatever drops it now; removed, the text is what it was."""
    text = TEXT.format(product.name, part)
    edit = product.write(Change(tag="CHG-1", openings=(one,)), text)
    before, after = product.read(text), product.read(edit.after)
    answer = what_if(before, after, [one])
    assert Coverage.ALL is answer.then
    if "<direction>out" in part:
        # pf cannot tell what it forwards from what the firewall itself sends.
        assert {Hook.OUTPUT} >= {box.hook for box in answer.wider_than_asked}
    else:
        assert Outcome.EXACT is answer.outcome
    assert () == after.unread
    gone = product.write(Change(tag="CHG-1", remove=True), edit.after)
    if part.startswith("\n\t<filter>\n\t\t"):
        assert text == gone.after
    assert product.canonical(text).replace("filter\n", "") == product.canonical(gone.after).replace(
        "filter\n", ""
    )


@PRODUCTS
def test_all_else_stays_byte_for_byte(product: PfXml) -> None:
    """Comments, spaces, the declaration; what is shown are the lines that came."""
    text = TEXT.format(product.name, FILTERS["a drop of the interface"])
    edit = product.write(Change(tag="CHG-1", openings=(opening(source="192.0.2.0/24"),)), text)
    added = [line.removeprefix("+ ") for line in edit.shown.split("\n")]
    rest = edit.after.split("\n")
    start = rest.index("\t\t\t<descr>fwguard:CHG-1</descr>") - len(added) + 2
    assert added == rest[start : start + len(added)]
    assert text.split("\n") == rest[:start] + rest[start + len(added) :]
    assert "\t\t\t<descr>fwguard:CHG-1</descr>" in added
    gone = product.write(Change(tag="CHG-1", remove=True), edit.after)
    assert [line.strip() for line in added] == [
        line.removeprefix("- ").strip() for line in gone.shown.split("\n")
    ]


@PRODUCTS
@each_filter
def test_a_redirection_leads_to_the_server(product: PfXml, part: str) -> None:
    """In front of others, on the interface of its public address, from outside only."""
    change = Change(
        tag="CHG-1", openings=(opening(),),
        redirections=(
            Redirection(protocol=TCP, public="203.0.113.2", public_port=8443, inner="10.0.0.10", inner_port=443),
            Redirection(protocol=TCP, public="2001:db8:f::2", public_port=8443, inner="2001:db8:1::10", inner_port=443),
        ),
    )  # fmt: skip
    text = TEXT.format(product.name, part).replace("<disablenatreflection>yes</disablenatreflection>", "")
    edit = product.write(change, text)
    policy = product.read(edit.after)
    for source, target in (("8.8.8.8", "203.0.113.2"), ("2606::1", "2001:db8:f::2")):
        packet = Packet(
            source=source, target=target, protocol=TCP, dport=8443, sport=40000, ingress="wan", egress="lan"
        )
        assert Answer.ACCEPT is verdict(policy, packet).answer
    inside = Packet(
        source="10.0.1.9",
        target="203.0.113.2",
        protocol=TCP,
        dport=8443,
        sport=40000,
        ingress="opt1",
        egress="lan",
    )
    assert Answer.DROP is verdict(policy, inside).answer
    other = Redirection(
        protocol=TCP, public="203.0.113.2", public_port=8443, inner="10.0.0.11", inner_port=443
    )
    again = product.write(Change(tag="CHG-2", redirections=(other,)), edit.after)
    targets = [str(rule.to) for rule in product.read(again.after).nat if rule.to]
    assert "10.0.0.11" == targets[0]


def test_a_source_inside_comes_in_on_its_own_interface() -> None:
    """Not on the way outside."""
    one = opening(source="10.0.1.0/24")
    edit = PFSENSE.write(Change(tag="CHG-1", openings=(one,)), TEXT.format("pfsense", FILTERS["empty"]))
    assert "+ \t\t\t<interface>opt1</interface>" in edit.shown
    assert "wan" not in edit.shown


def test_a_rule_of_the_new_kind_is_passed_by_a_floating_one() -> None:
    """In OPNsense those stand before the old kind of the same interface."""
    part = (
        "\n\t<filter>\n\t</filter>\n\t<OPNsense><Firewall><Filter><rules><rule><enabled>1</enabled><sequence>1</sequence>"
        "<action>block</action><interface>wan</interface><ipprotocol>inet</ipprotocol></rule></rules></Filter>"
        "</Firewall></OPNsense>"
    )
    text = TEXT.format("opnsense", part)
    one = Opening(
        protocol=TCP, source=AddressSet.parse("192.0.2.1"), target=AddressSet.parse("10.0.0.10"), ports=HTTPS
    )
    edit = OPNSENSE.write(Change(tag="CHG-1", openings=(one,)), text)
    assert Outcome.EXACT is what_if(OPNSENSE.read(text), OPNSENSE.read(edit.after), [one]).outcome
    floating = text.replace("<interface>wan</interface><ipprotocol>inet<", "<interface/><ipprotocol>inet<")
    with pytest.raises(InputError, match="new kind"):
        OPNSENSE.write(Change(tag="CHG-1", openings=(one,)), floating)


GRE = Redirection(protocol=47, public="203.0.113.2", public_port=1, inner="10.0.0.1", inner_port=1)


@PRODUCTS
@pytest.mark.parametrize(
    ("cut", "change", "why"),
    [
        ("", Change(tag="a", remove=True), "no rule has"),
        ("", Change(tag="a"), "nothing to write"),
        ("", Change(tag="a", openings=(opening(HTTPS, protocol=SCTP),)), "ports of sctp"),
        (
            "",
            Change(tag="a", openings=(opening(Intervals.single(8 << 8), protocol=ICMP, source="192.0.2.1"),)),
            "ICMP code",
        ),
        ("", Change(tag="a", openings=(opening(Intervals(), protocol=ICMP),)), "icmp in V6"),
        ("", Change(tag="a", redirections=(GRE,)), "redirection of gre"),
        (
            "<ipv6allow>1</ipv6allow>",
            Change(tag="a", openings=(opening(source="2606::1"),)),
            "block all IPv6",
        ),
    ],
)
def test_what_has_no_place_is_refused(product: PfXml, cut: str, change: Change, why: str) -> None:
    """With what is missing."""
    text = TEXT.format(product.name, FILTERS["empty"])
    with pytest.raises(InputError, match=why):
        product.write(change, text.replace(cut, "") if cut else text)


@PRODUCTS
def test_a_tag_stands_once(product: PfXml) -> None:
    """A change is not written twice."""
    change = Change(tag="a", openings=(opening(),))
    edit = product.write(change, TEXT.format(product.name, FILTERS["empty"]))
    with pytest.raises(InputError, match="stands already"):
        product.write(change, edit.after)
