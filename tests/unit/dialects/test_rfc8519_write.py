"""A change finds its place, says its name, and goes without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.ietf import IETF
from fwguard.dialects.placement import place
from fwguard.dialects.rfc8519 import RFC8519
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy import NatKind
from fwguard.model.ports import ICMP, SCTP, TCP, UDP, icmp_types
from fwguard.model.snapshot import Snapshot

Y = "urn:ietf:params:xml:ns:yang:"
DROP = "<actions><forwarding>drop</forwarding></actions>"


def firewall(*, addresses: bool = True, kind: str = "mixed-eth-ipv4-ipv6-acl-type", aces: str = "") -> str:
    """Return two interfaces, each with an ingress list that ends in a drop."""
    interfaces = ""
    if addresses:
        interfaces = f"""<interfaces xmlns="{Y}ietf-interfaces">
<interface><name>wan0</name><ipv4 xmlns="{Y}ietf-ip"><address><ip>203.0.113.2</ip><prefix-length>30</prefix-length>
</address></ipv4><ipv6 xmlns="{Y}ietf-ip"><address><ip>2001:db8:f::2</ip><prefix-length>64</prefix-length></address>
</ipv6></interface>
<interface><name>lan0</name><ipv4 xmlns="{Y}ietf-ip"><address><ip>10.2.0.1</ip><prefix-length>24</prefix-length>
</address></ipv4><ipv6 xmlns="{Y}ietf-ip"><address><ip>2001:db8:2::1</ip><prefix-length>64</prefix-length></address>
</ipv6></interface></interfaces>"""
    own = "<ipv4><source-ipv4-network>10.2.0.0/24</source-ipv4-network></ipv4>"
    own6 = "<ipv6><source-ipv6-network>2001:db8:2::/64</source-ipv6-network></ipv6>"
    accept = "<actions><forwarding>accept</forwarding></actions>"
    return f"""<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{interfaces}
<acls xmlns="{Y}ietf-access-control-list">
<acl><name>from-wan</name><type>{kind}</type><aces>{aces}<ace><name>else</name>{DROP}</ace></aces></acl>
<acl><name>from-lan</name><aces><ace><name>own</name><matches>{own}</matches>{accept}</ace>
<ace><name>own6</name><matches>{own6}</matches>{accept}</ace><ace><name>else</name>{DROP}</ace></aces></acl>
<attachment-points>
<interface><interface-id>wan0</interface-id><ingress><acl-sets><acl-set><name>from-wan</name></acl-set></acl-sets>
</ingress></interface>
<interface><interface-id>lan0</interface-id><ingress><acl-sets><acl-set><name>from-lan</name></acl-set></acl-sets>
</ingress></interface>
</attachment-points></acls></config>"""


HTTPS = Intervals.single(443)


def opening(ports: Intervals = HTTPS, *, protocol: int = TCP, source: str = "any") -> Opening:
    """Open ports of the server, v4 and v6."""
    return Opening(
        protocol=protocol,
        source=AddressSet.parse(source),
        target=AddressSet.parse("10.2.0.10", "2001:db8:2::10"),
        ports=ports,
    )


def passes(text: str, one: Opening) -> bool:
    """Tell whether the wan list lets the whole opening pass."""
    policy = RFC8519.read(text)
    families = Family.V4 if one.protocol == ICMP else Family.BOTH
    return place(policy, "ingress:wan0", one, families) is None


@pytest.mark.parametrize("addresses", [True, False])
def test_an_opening_passes_after_it_was_written_and_only_there(addresses: bool) -> None:
    """In the outer list, by addresses or by what the lists speak of; the inner list stays as it was."""
    text = firewall(addresses=addresses)
    edit = RFC8519.write(Change(tag="CHG-1", openings=(opening(),)), text)
    policy = RFC8519.read(edit.after)
    assert not passes(text, opening())
    assert passes(edit.after, opening())
    assert ["CHG-1.1", "CHG-1.2", "else"] == [rule.comment for rule in policy.chains["acl:from-wan"].rules]
    assert ["own", "own6", "else"] == [rule.comment for rule in policy.chains["acl:from-lan"].rules]


def test_one_entry_bears_the_tag_itself() -> None:
    """Several are numbered after a point, which no tag holds."""
    edit = RFC8519.write(Change(tag="CHG-1", openings=(opening(source="198.51.100.0/24"),)), firewall())
    assert ["+", "<name>CHG-1</name>"] == next(
        line for line in edit.shown.splitlines() if "name" in line
    ).split()


@pytest.mark.parametrize(
    "one",
    [
        opening(Intervals.of((22, 22), (8000, 8010))),
        opening(Intervals.of((53, 53)), protocol=UDP, source="198.51.100.7-198.51.100.12"),
        opening(icmp_types(8, 8), protocol=ICMP),
        opening(Intervals.single(8 << 8), protocol=ICMP),
        opening(Intervals(), protocol=47),
        opening(Intervals(), protocol=SCTP),
    ],
)
def test_every_kind_of_opening_passes_and_goes_again(one: Opening) -> None:
    """Ports, ranges, ICMP types and codes, protocols without ports."""
    text = firewall()
    change = Change(tag="CHG-2", openings=(one,))
    after = RFC8519.write(change, text).after
    removed = RFC8519.write(replace(change, remove=True), after).after
    assert passes(after, one)
    assert RFC8519.canonical(text) == RFC8519.canonical(removed)


def test_a_redirection_is_an_instance_of_its_own_and_goes_with_its_tag() -> None:
    """Where there was no NAT at all, none is left."""
    redirection = Redirection(
        protocol=TCP, public="203.0.113.9", public_port=8443, inner="10.2.0.10", inner_port=443
    )
    change = Change(tag="CHG-3", redirections=(redirection,))
    text = firewall()
    after = RFC8519.write(change, text).after
    (rule,) = RFC8519.read(after).nat
    removed = RFC8519.write(replace(change, remove=True), after).after
    assert (NatKind.DNAT, "CHG-3", Intervals.single(443)) == (rule.kind, rule.comment, rule.to_ports)
    assert RFC8519.canonical(text) == RFC8519.canonical(removed)


def test_a_tag_is_not_taken_for_a_longer_one() -> None:
    """Removing CHG-1 leaves CHG-10 and CHG-1-2."""
    text = firewall()
    for tag in ("CHG-1", "CHG-10", "CHG-1-2"):
        text = RFC8519.write(Change(tag=tag, openings=(opening(),)), text).after
    text = RFC8519.write(Change(tag="CHG-1", openings=(opening(),), remove=True), text).after
    names = [rule.comment for rule in RFC8519.read(text).chains["acl:from-wan"].rules]
    assert ["CHG-10.1", "CHG-10.2", "CHG-1-2.1", "CHG-1-2.2", "else"] == names


@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        (firewall(), Change(tag="X", remove=True), "nothing is named X"),
        (firewall(kind="ipv4-acl-type"), Change(tag="X", openings=(opening(),)), "no access list for IPv6"),
        (
            f'<acls xmlns="{Y}ietf-access-control-list"/>',
            Change(tag="X", openings=(opening(),)),
            "no access list",
        ),
        (firewall(), Change(tag="X", openings=(opening(protocol=SCTP),)), "RFC 8519 has no others"),
        (
            firewall(),
            Change(
                tag="X", openings=(replace(opening(protocol=ICMP), target=AddressSet.parse("2001:db8::1")),)
            ),
            "its own IP version",
        ),
    ],
)
def test_what_cannot_be_written_is_said(text: str, change: Change, said: str) -> None:
    """No place, no IP version, no such protocol, nothing to remove."""
    with pytest.raises(InputError, match=said):
        RFC8519.write(change, text)


def test_a_tag_is_used_once() -> None:
    """Else its removal would take another change with it."""
    change = Change(tag="CHG-4", openings=(opening(),))
    after = RFC8519.write(change, firewall()).after
    with pytest.raises(InputError, match="CHG-4 exists"):
        RFC8519.write(change, after)


def test_both_datastores_are_edited_alike() -> None:
    """And the policy is that of running."""
    text = RFC8519.canonical(firewall())
    edit = IETF.write(
        Change(tag="CHG-5", openings=(opening(),)), Snapshot({"running": text, "startup": text})
    )
    assert edit.after.get("running") == edit.after.get("startup")
    assert "CHG-5.1" in {rule.comment for rule in IETF.policy(edit.after).chains["acl:from-wan"].rules}


@given(
    st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 300)), min_size=1, max_size=4),
    st.integers(8, 32), st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back_as_just_that(
    ranges: list[tuple[int, int]], length: int, address: int
) -> None:
    """The accepting entries of the tag are the opening: nothing more, nothing less."""
    ports = Intervals.of(*((low, min(65535, low + size)) for low, size in ranges))
    source = AddressSet(v4=Intervals.of((address >> (32 - length) << (32 - length),) * 2))
    one = replace(opening(ports), source=source)
    after = RFC8519.write(Change(tag="P", openings=(one,)), firewall()).after
    rules = [
        rule for rule in RFC8519.read(after).chains["acl:from-wan"].rules if rule.comment.startswith("P")
    ]
    found = Intervals.of(*(pair for rule in rules for match in rule.matches for pair in match.dport))
    assert ports == found
    assert {source} == {match.source for rule in rules for match in rule.matches}
    assert {AddressSet.parse("10.2.0.10")} == {match.target for rule in rules for match in rule.matches}
