"""From an ask to a change: every IP version that fits, and only the redirections that are missing."""

from dataclasses import replace

import pytest

from fwguard.errors import InputError
from fwguard.flows.planning import MOST_REDIRECTED_PORTS, plan, removal
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Firewall, Platform, Server, Transport
from fwguard.model.policy import Match, NatKind, NatRule, Policy
from fwguard.model.ports import ICMP, TCP, parse_ports
from fwguard.model.ticket import Ask

SERVER = Server(name="web1", client="acme", firewall="fw-acme", addresses=("10.20.0.11", "fd20::11"))
FIREWALL = Firewall(
    name="fw-acme", client="acme", platform=Platform.LINUX, transport=Transport.SSH, address="172.30.0.11",
    port=22, username="root", public=("192.0.2.10", "2001:db8:0:1::1"),
)  # fmt: skip


def ask(ports: str = "443", source: str = "any", protocol: int = TCP) -> Ask:
    """An ask of web1."""
    return Ask(
        server="web1", protocol=protocol, source=AddressSet.parse(source),
        ports=parse_ports(ports) if ports else Intervals(), ends_at=None, reason="shop",
    )  # fmt: skip


def policy_with(*redirections: tuple[str, int, str, int]) -> Policy:
    """A policy that redirects tcp ports of public addresses to inner ones."""
    return Policy(
        dialect="test",
        nat=tuple(
            NatRule(
                kind=NatKind.DNAT,
                matches=(
                    Match(
                        target=AddressSet.parse(public),
                        protocol=Intervals.single(TCP),
                        dport=Intervals.single(port),
                    ),
                ),
                to=AddressSet.parse(inner),
                to_ports=Intervals.single(inner_port),
                line=1,
            )
            for public, port, inner, inner_port in redirections
        ),
    )


def test_an_ask_from_anywhere_opens_both_ip_versions() -> None:
    """One opening and one redirection for each address of the server."""
    change = plan(ask(), server=SERVER, firewall=FIREWALL, policy=policy_with(), tag="op-1")
    assert [AddressSet.parse("10.20.0.11"), AddressSet.parse("fd20::11")] == [
        o.target for o in change.openings
    ]
    assert [("192.0.2.10", 443, "10.20.0.11"), ("2001:db8:0:1::1", 443, "fd20::11")] == [
        (r.public, r.public_port, r.inner) for r in change.redirections
    ]


def test_a_v4_source_opens_v4_only() -> None:
    """An IPv4 prefix says nothing of IPv6."""
    change = plan(
        ask(source="198.51.100.0/24"), server=SERVER, firewall=FIREWALL, policy=policy_with(), tag="a"
    )
    assert ["10.20.0.11"] == [str(o.target) for o in change.openings]


def test_a_redirection_that_stands_is_not_written_twice() -> None:
    """Only the filter is opened then."""
    there = policy_with(("192.0.2.10", 443, "10.20.0.11", 443), ("2001:db8:0:1::1", 443, "fd20::11", 443))
    assert () == plan(ask(), server=SERVER, firewall=FIREWALL, policy=there, tag="a").redirections


def test_a_port_that_leads_to_another_server_is_refused_with_a_way_out() -> None:
    """Two servers cannot share one port of one address."""
    taken = policy_with(("192.0.2.10", 443, "10.20.0.12", 443))
    with pytest.raises(InputError, match="redirected to another server.*expected another port"):
        plan(ask(), server=SERVER, firewall=FIREWALL, policy=taken, tag="a")


def test_the_second_public_address_is_used_when_the_first_is_taken() -> None:
    """A client with two addresses has room for two."""
    taken = policy_with(("192.0.2.10", 443, "10.20.0.12", 443))
    wide = replace(FIREWALL, public=("192.0.2.10", "192.0.2.11"))
    change = plan(ask(), server=SERVER, firewall=wide, policy=taken, tag="a")
    assert ["192.0.2.11"] == [r.public for r in change.redirections]


def test_a_source_that_shares_no_ip_version_is_refused() -> None:
    """A v6 source never reaches a v4 server."""
    only_v4 = Server(name="web1", client="acme", firewall="fw-acme", addresses=("10.20.0.11",))
    with pytest.raises(InputError, match="shares no IP version"):
        plan(ask(source="2001:db8::/32"), server=only_v4, firewall=FIREWALL, policy=policy_with(), tag="a")


def test_ping_needs_no_redirection() -> None:
    """ICMP has no ports to redirect, and IPv4's ICMP stays out of IPv6."""
    change = plan(ask("", protocol=ICMP), server=SERVER, firewall=FIREWALL, policy=policy_with(), tag="a")
    assert (["10.20.0.11"], ()) == ([str(o.target) for o in change.openings], change.redirections)


def test_a_whole_range_through_redirections_is_refused() -> None:
    """Sixty thousand rules are no service."""
    with pytest.raises(InputError, match=f"at most {MOST_REDIRECTED_PORTS} ports"):
        plan(ask("1-60000"), server=SERVER, firewall=FIREWALL, policy=policy_with(), tag="a")


def test_a_removal_is_the_same_change_taken_back() -> None:
    """The tag finds it again."""
    change = plan(ask(), server=SERVER, firewall=FIREWALL, policy=policy_with(), tag="op-1")
    assert ("op-1", True, change.openings) == (
        removal(change).tag,
        removal(change).remove,
        removal(change).openings,
    )
