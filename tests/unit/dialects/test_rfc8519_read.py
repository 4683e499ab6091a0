"""What RFC 8519, RFC 8512 and RFC 8349 data say, and what of it nobody can say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.rfc8519 import RFC8519
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, CtState, Hook, NatKind
from fwguard.model.ports import ICMP, ICMPV6, icmp_types

ACL = "urn:ietf:params:xml:ns:yang:ietf-access-control-list"


def acls(*aces: str, kind: str = "mixed-eth-ipv4-ipv6-acl-type") -> str:
    """Return a list attached to wan0."""
    return f"""<acls xmlns="{ACL}"><acl><name>in</name><type>{kind}</type><aces>{"".join(aces)}</aces></acl>
<attachment-points><interface><interface-id>wan0</interface-id><ingress><acl-sets><acl-set><name>in</name>
</acl-set></acl-sets></ingress></interface></attachment-points></acls>"""


def ace(matches: str, action: str = "accept", name: str = "one") -> str:
    """Return one entry."""
    return (
        f"<ace><name>{name}</name><matches>{matches}</matches>"
        f"<actions><forwarding>{action}</forwarding></actions></ace>"
    )


def ports(said: str, protocol: str = "tcp") -> str:
    """Return a condition on the destination port."""
    return f"<{protocol}><destination-port>{said}</destination-port></{protocol}>"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("<port>443</port>", Intervals.single(443)),
        ("<operator>eq</operator><port>443</port>", Intervals.single(443)),
        ("<operator>neq</operator><port>0</port>", Intervals.of((1, 65535))),
        ("<operator>lte</operator><port>1023</port>", Intervals.of((0, 1023))),
        ("<operator>gte</operator><port>1024</port>", Intervals.of((1024, 65535))),
        ("<lower-port>8000</lower-port><upper-port>8010</upper-port>", Intervals.of((8000, 8010))),
    ],
)
def test_every_port_operator_is_a_set_of_ports(said: str, wanted: Intervals) -> None:
    """RFC 8519 section 4.2, port-range-or-operator."""
    (rule,) = RFC8519.read(acls(ace(ports(said)))).chains["acl:in"].rules
    assert [wanted] == [match.dport for match in rule.matches]
    assert [Intervals.single(6)] == [match.protocol for match in rule.matches]


def test_icmp_without_an_ip_version_is_a_match_in_each() -> None:
    """ICMP and ICMPv6 are two protocols with types of their own."""
    (rule,) = RFC8519.read(acls(ace("<icmp><type>3</type></icmp>"))).chains["acl:in"].rules
    assert [Intervals.single(ICMP), Intervals.single(ICMPV6)] == [match.protocol for match in rule.matches]
    assert [icmp_types(3, 3)] * 2 == [match.dport for match in rule.matches]


def test_a_list_of_one_ip_version_says_nothing_of_the_other() -> None:
    """An entry without an address in an IPv4 list, and an IPv6 condition in it."""
    text = acls(
        ace(ports("<port>1</port>")), ace("<ipv6><protocol>6</protocol></ipv6>", name="two"),
        kind="ipv4-acl-type",
    )  # fmt: skip
    first, second = RFC8519.read(text).chains["acl:in"].rules
    assert AddressSet.parse("0.0.0.0/0") == first.matches[0].source
    assert () == second.matches


def test_an_entry_for_packets_with_ack_matches_no_first_packet() -> None:
    """How a stateless list says established."""
    (rule,) = RFC8519.read(acls(ace("<tcp><flags>ack</flags></tcp>"))).chains["acl:in"].rules
    assert CtState.NEW not in rule.matches[0].states


def test_a_direction_with_a_list_drops_what_no_entry_matches() -> None:
    """The base chain of the interface ends so; another interface passes."""
    policy = RFC8519.read(acls(ace(ports("<port>1</port>"))))
    chain = policy.chains["ingress:wan0"]
    assert ("ingress:wan0",) == policy.hooks[Hook.FORWARD]
    assert [Action.JUMP, Action.DROP] == [rule.action for rule in chain.rules]
    assert all("wan0" in match.ingress for rule in chain.rules for match in rule.matches)
    assert Action.ACCEPT == chain.default


def test_without_lists_everything_passes() -> None:
    """What a flush leaves behind is no error."""
    policy = RFC8519.read('<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>')
    assert ({}, {}, ()) == (policy.chains, policy.hooks, policy.unread)


@pytest.mark.parametrize(
    "matches",
    [
        "<ipv4><dscp>46</dscp></ipv4>",
        "<eth><ethertype>ipv4</ethertype></eth>",
        '<ipv4 xmlns="urn:vendor">x</ipv4>',
        "<tcp/>",
        ports("<port>70000</port>"),
        ports("<operator>between</operator><port>1</port>"),
        "<ipv4><source-ipv4-network>nowhere</source-ipv4-network></ipv4>",
        "<tcp><flags>urgent</flags></tcp>",
    ],
)
def test_a_condition_that_is_not_understood_is_unread_and_unknown(matches: str) -> None:
    """Never a silent permit, never lost: its line and words are kept."""
    policy = RFC8519.read("\n\n" + acls(ace("\n" + matches)))
    (rule,) = policy.chains["acl:in"].rules
    assert [4] == [one.line for one in policy.unread]
    assert all(match.unknown for match in rule.matches)


def test_something_unknown_beside_the_lists_makes_every_verdict_unknown() -> None:
    """A base chain of its own, before the others."""
    text = acls(ace(ports("<port>1</port>"))).replace("<attachment-points>", "<defaults/><attachment-points>")
    policy = RFC8519.read(text)
    first = policy.chains[policy.hooks[Hook.FORWARD][0]]
    assert [Action.UNKNOWN] == [rule.action for rule in first.rules]


def test_a_mapping_with_ports_is_a_redirection() -> None:
    """RFC 8512 section 2.8: the external source is what the Internet reaches."""
    text = """<nat xmlns="urn:ietf:params:xml:ns:yang:ietf-nat"><instances><instance><id>1</id><mapping-table>
    <mapping-entry><index>1</index><type>static</type><transport-protocol>17</transport-protocol>
    <internal-src-address>2001:db8::5/128</internal-src-address>
    <internal-src-port><start-port-number>53</start-port-number></internal-src-port>
    <external-src-address>2001:db8:f::1/128</external-src-address>
    <external-src-port><start-port-number>5353</start-port-number></external-src-port>
    </mapping-entry></mapping-table></instance></instances></nat>"""
    (rule,) = RFC8519.read(text).nat
    assert NatKind.DNAT == rule.kind
    assert AddressSet.parse("2001:db8:f::1") == rule.matches[0].target
    assert (AddressSet.parse("2001:db8::5"), Intervals.single(53)) == (rule.to, rule.to_ports)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("<acls", 1),
        ("\n<config><acls></config>", 1),
        ('<!DOCTYPE a [<!ENTITY x "y">]><acls/>', 0),
        ('<acls xmlns="urn:other"/>', 1),
        ("{", 1),
        ('{"ietf-nat:nat": {}} x', 1),
        ('{"ietf-nat:nat": {"a": 1, "a": 2}}', 1),
        ('{\n"ietf-nat:nat": [1,}', 2),
        ("table inet filter {}", 1),
        ("<a>" * 200 + "</a>" * 200, 1),
        ('{"ietf-nat:nat":' * 200 + "1" + "}" * 200, 1),
        ("\0", 1),
    ],
)
def test_what_is_no_such_text_is_refused_with_its_line(text: str, line: int) -> None:
    """Bounded, and never a half policy."""
    with pytest.raises(UnreadableError) as caught:
        RFC8519.read(text)
    assert line == caught.value.line


def test_no_file_is_read_for_an_entity() -> None:
    """External entities and DTDs are refused before they are parsed."""
    text = f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/hostname"><acls xmlns="{ACL}"/>'
    with pytest.raises(UnreadableError, match="document type"):
        RFC8519.read(text)


def test_it_recognises_its_own_texts_only() -> None:
    """By the modules' names, in both forms."""
    texts = [
        acls(),
        '{"ietf-nat:nat": {}}',
        "table inet x {}",
        "<opnsense/>",
        "*filter\n",
        '{"nftables": []}',
    ]
    assert [95, 95, 0, 0, 0, 0] == [RFC8519.sniff(text) for text in texts]


@given(st.text(alphabet='<>/="{}[]:, \nacelsnit-0123456789\\&;xmlns', max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other exception, whatever stands there."""
    try:
        RFC8519.canonical(text)
    except InputError:
        return


@given(st.integers(0, 2000), st.text(alphabet="<>/\"{}:'x0 \n", min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_a_damaged_text_is_read_or_refused(at: int, put: str) -> None:
    """A character more or less anywhere."""
    whole = acls(ace("<ipv4><protocol>6</protocol></ipv4>" + ports("<port>443</port>")))
    for text in (whole[: at % len(whole)] + put + whole[at % len(whole) :], whole[: at % len(whole)]):
        try:
            RFC8519.read(text)
        except InputError:
            continue
