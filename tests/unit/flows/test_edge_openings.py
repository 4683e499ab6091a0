"""What an approved policy lets in, in the addresses before NAT; what is not certain is not let in."""

from __future__ import annotations

from fwguard.flows.edge_openings import Asked, Let, Outer, let_in
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.inventory import Platform
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.snapshot import Snapshot

FILTER = """\
table inet filter {{
	chain input {{ type filter hook input priority filter; policy drop; {own} }}
	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan0" accept
{rules}
	}}
}}
table inet nat {{
	chain prerouting {{ type nat hook prerouting priority dstnat; policy accept;
{nat}
	}}
}}
"""
HELD = ("192.0.2.10", "2001:db8:1::/64")


def let(
    rules: str = "", nat: str = "", own: str = "", asked: tuple[Asked, ...] = (), wan: str = "wan0"
) -> Let:
    """Return what a firewall lets in that is plugged in at port 7."""
    outer = Outer(7, AddressSet.parse(*HELD), AddressSet.parse("10.20.0.11", "2001:db8:1::11"), wan)
    return let_in(
        Platform.LINUX, Snapshot({"nft": FILTER.format(rules=rules, nat=nat, own=own)}), outer, asked
    )


def words(found: Let) -> list[str]:
    """Return openings as short texts."""
    return [
        f"{one.public} {one.protocol}/{one.first_port}-{one.last_port} from {one.sources} {one.ticket}"
        for one in found.openings
    ]


def test_a_redirection_is_open_at_its_public_side() -> None:
    """By the public address and port; what only the inside may do is no opening."""
    found = let('iifname "wan0" ip daddr 10.20.0.11 tcp dport 80 accept',
                'iifname "wan0" ip daddr 192.0.2.10 tcp dport 8080 dnat ip to 10.20.0.11:80')  # fmt: skip
    assert ["192.0.2.10 6/8080-8080 from 0.0.0.0/0 baseline"] == words(found)
    assert () == found.doubts


def test_a_filter_without_a_way_to_it_opens_nothing() -> None:
    """Nobody outside can name a private address."""
    assert [] == words(let("ip daddr 10.20.0.11 tcp dport 80 accept"))


def test_a_redirection_that_the_filter_drops_opens_nothing() -> None:
    """Both must agree, as in the firewall itself."""
    nat = 'iifname "wan0" ip daddr 192.0.2.10 tcp dport 8080 dnat ip to 10.20.0.11:81'
    assert [] == words(let("ip daddr 10.20.0.11 tcp dport 80 accept", nat))


def test_a_server_with_a_public_address_is_open_as_it_is() -> None:
    """v6 without NAT: the same code path; the narrowed source stays."""
    found = let("ip6 saddr 2001:db8:9::/48 ip6 daddr 2001:db8:1::11 tcp dport { 443, 8443 } accept")
    assert [
        "2001:db8:1::11 6/443-443 from 2001:db8:9::/48 baseline",
        "2001:db8:1::11 6/8443-8443 from 2001:db8:9::/48 baseline",
    ] == words(found)


def test_what_the_firewall_itself_takes_is_not_open_to_servers() -> None:
    """Its own ssh is reached by its own addresses, not by those of a server behind it."""
    found = words(let(own="tcp dport 22 accept"))
    assert "192.0.2.10 6/22-22 from 0.0.0.0/0 baseline" in found
    assert not any(line.startswith("2001:db8:1::11 ") for line in found)


def test_what_was_redirected_away_is_not_the_firewalls_own() -> None:
    """The first redirection takes the packet; the filter of the firewall's own ports never sees it."""
    nat = 'iifname "wan0" ip daddr 192.0.2.10 tcp dport 22 dnat ip to 10.20.0.11:22'
    assert not [
        line for line in words(let(nat=nat, own="tcp dport 22 accept")) if line.startswith("192.0.2.10 ")
    ]


def test_what_was_asked_for_has_its_ticket_and_end() -> None:
    """Its part of what passes carries both; the rest is the baseline's."""
    opening = Opening(protocol=TCP, source=AddressSet.parse("any"), target=AddressSet.parse("2001:db8:1::11"),
                      ports=parse_ports("443"))  # fmt: skip
    asked = (Asked(Change(tag="T-1", openings=(opening,)), "T-2026-0001", 99),)
    found = let("ip6 daddr 2001:db8:1::11 tcp dport { 80, 443 } accept", asked=asked)
    assert {(80, "baseline", None), (443, "T-2026-0001", 99)} == {
        (one.first_port, one.ticket, one.ends_at_s) for one in found.openings
    }


def test_a_rule_that_cannot_be_read_opens_nothing_and_is_named() -> None:
    """Unknown is never a permission, and never silent."""
    found = let("ip6 daddr 2001:db8:1::11 tcp dport 80 meta cgroup 12 accept")
    assert [] == words(found)
    assert 1 == len(found.doubts)


def test_without_a_name_for_the_outside_nothing_is_open() -> None:
    """Neither routes nor NAT say which interface leads outside, and nobody told."""
    found = let("ip6 daddr 2001:db8:1::11 tcp dport 80 accept", wan="")
    assert ([], 1) == (words(found), len(found.doubts))


def test_of_icmp_all_types_pass_where_one_does() -> None:
    """The edge tells protocols apart, not types; the firewall does."""
    found = let("ip6 daddr 2001:db8:1::11 icmpv6 type echo-request accept")
    assert ["2001:db8:1::11 58/0-65535 from ::/0 baseline"] == words(found)


def test_an_unfiltered_input_approves_nothing() -> None:
    """Else every later redirection from the firewall's own address would be approved too."""
    found = let(own="accept")
    assert ([], 1) == (words(found), len(found.doubts))
