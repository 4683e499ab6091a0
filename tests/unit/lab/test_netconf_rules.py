"""What the lab's NETCONF device does with data that it cannot render: the doubt closes."""

from __future__ import annotations

from lxml import etree

from fwguard.lab.netconf_routes import route_lines
from fwguard.lab.netconf_rules import Rendered, render

Y = "urn:ietf:params:xml:ns:yang:"


def rendered(aces: str, *, interface: str = "wan0", nat: str = "") -> Rendered:
    """Render one list on one interface."""
    text = f"""<data><acls xmlns="{Y}ietf-access-control-list"><acl><name>in</name><aces>{aces}</aces></acl>
<attachment-points><interface><interface-id>{interface}</interface-id><ingress><acl-sets><acl-set><name>in</name>
</acl-set></acl-sets></ingress></interface></attachment-points></acls>{nat}</data>"""
    return render(etree.fromstring(text), ["wan0", "lan0"])


def ace(matches: str, action: str) -> str:
    """Return one entry."""
    return (
        f"<ace><name>n</name><matches>{matches}</matches>"
        f"<actions><forwarding>{action}</forwarding></actions></ace>"
    )


STRANGE = '<ipv4><protocol>6</protocol></ipv4><payload xmlns="urn:vendor">x</payload>'


def test_an_accepting_entry_that_is_not_understood_accepts_nothing() -> None:
    """It is left out, and said."""
    found = rendered(ace(STRANGE, "accept"))
    assert "meta nfproto ipv4" not in found.nft
    assert ["in/n: condition payload"] == found.skipped


def test_a_dropping_one_drops_more() -> None:
    """Without the condition that is not understood."""
    found = rendered(ace(STRANGE, "drop"))
    assert "meta nfproto ipv4 meta l4proto 6 drop" in found.nft
    assert ["dropped without condition payload"] == found.skipped


def test_names_of_a_client_never_become_nft_text() -> None:
    """Lists are numbered, interfaces checked, numbers and prefixes parsed."""
    found = rendered(
        ace("<ipv4><source-ipv4-network>any} ; flush ruleset</source-ipv4-network></ipv4>", "accept"),
        interface="wan0; flush ruleset",
    )
    assert "flush" not in found.nft


def test_each_accepting_entry_has_a_mark_of_its_own() -> None:
    """The same entry has the same mark wherever it stands; another action or port has another."""
    one = "<tcp><destination-port><port>1</port></destination-port></tcp>"
    first, moved = rendered(ace(one, "accept")), rendered(ace("", "drop") + ace(one, "accept"))
    other = rendered(ace(one.replace(">1<", ">2<"), "accept"))
    assert first.marks == moved.marks
    assert 1 == len(first.marks - other.marks)


def test_redirections_are_remembered_by_what_the_outside_calls() -> None:
    """To end what came by one that is gone."""
    nat = f"""<nat xmlns="{Y}ietf-nat"><instances><instance><id>1</id><mapping-table><mapping-entry><index>1</index>
<transport-protocol>17</transport-protocol><internal-src-address>10.0.0.1/32</internal-src-address>
<external-src-address>192.0.2.1/32</external-src-address>
<external-src-port><start-port-number>53</start-port-number></external-src-port>
</mapping-entry></mapping-table></instance></instances></nat>"""
    found = rendered("", nat=nat)
    assert {("udp", "192.0.2.1", "53")} == found.mappings
    assert "ip daddr 192.0.2.1 meta l4proto 17 th dport 53 dnat ip to 10.0.0.1" in found.nft


def test_routes_without_a_meaning_are_left_out() -> None:
    """Half a hop, another IP version, words that are no interface."""
    routes = "".join(
        f"<route><destination-prefix>{prefix}</destination-prefix><next-hop>{hop}</next-hop></route>"
        for prefix, hop in (
            ("10.0.0.0/8", "<next-hop-address>192.0.2.1</next-hop-address>"),
            ("10.1.0.0/16", ""),
            ("2001:db8::/32", "<next-hop-address>192.0.2.1</next-hop-address>"),
            ("10.2.0.0/16", "<outgoing-interface>x; reboot</outgoing-interface>"),
            ("10.3.0.0/16", "<special-next-hop>prohibit</special-next-hop>"),
        )
    )
    text = f"""<data><routing xmlns="{Y}ietf-routing"><control-plane-protocols><control-plane-protocol><static-routes>
<ipv4 xmlns="{Y}ietf-ipv4-unicast-routing">{routes}</ipv4></static-routes></control-plane-protocol>
</control-plane-protocols></routing></data>"""
    assert [
        "-4 route replace 10.0.0.0/8 via 192.0.2.1 proto static",
        "-4 route replace prohibit 10.3.0.0/16 proto static",
    ] == list(route_lines(etree.fromstring(text)))
