"""What one packet meets."""

from __future__ import annotations

import pytest

from fwguard.analysis.packets import PacketReader
from fwguard.analysis.query import Judge, verdict
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Action, Chain, Hook, InterfaceSet, Match, NatKind, NatRule, Policy, Rule
from fwguard.model.ports import icmp_key

TCP = Intervals.single(6)
WEB = "192.0.2.10"
INNER = "10.20.0.11"


def to(target: str, port: int, *, unknown: str = "", source: AddressSet = ANY_ADDRESS) -> Match:
    """Build a match of a usual kind."""
    return Match(
        source=source,
        target=AddressSet.parse(target),
        protocol=TCP,
        dport=Intervals.single(port),
        unknown=unknown,
    )


def firewall(*rules: Rule, nat: tuple[NatRule, ...] = (), default: Action = Action.DROP) -> Policy:
    """Build a firewall with a forwarding and an input chain."""
    forward = Chain(name="FORWARD", families=Family.V4, rules=rules, default=default, default_line=3)
    own = Chain(name="INPUT", families=Family.V4, rules=(), default=Action.REJECT, default_line=4)
    return Policy(
        dialect="test",
        families=Family.V4,
        chains={"f": forward, "i": own},
        hooks={Hook.FORWARD: ("f",), Hook.INPUT: ("i",)},
        nat=nat,
    )


def packet(target: str = WEB, dport: int = 443, source: str = "198.51.100.7", **more: object) -> Packet:
    """Build the first packet of a connection."""
    return Packet(source=source, target=target, protocol=6, dport=dport, **more)  # type: ignore[arg-type]


ACCEPT = Rule(matches=(to(WEB, 443),), action=Action.ACCEPT, line=7, text="-A FORWARD web")
REDIRECT = NatRule(
    kind=NatKind.DNAT,
    matches=(to(WEB, 8443),),
    to=AddressSet.parse(INNER),
    to_ports=Intervals.single(443),
    line=2,
)


def test_the_deciding_line_is_quoted() -> None:
    """Why is for people."""
    said = verdict(firewall(ACCEPT), packet())
    assert (Answer.ACCEPT, 7, "line 7 accepts: -A FORWARD web") == (said.answer, said.line, said.why)


def test_a_default_decides_with_its_own_line() -> None:
    """When no rule does."""
    said = verdict(firewall(ACCEPT), packet(dport=80))
    assert (Answer.DROP, 3) == (said.answer, said.line)
    assert "chain FORWARD drops by default" in said.why


def test_an_unread_condition_before_the_decision_is_named() -> None:
    """Unknown is never permit."""
    doubt = Rule(matches=(to(WEB, 443, unknown="-m geoip"),), action=Action.DROP, line=6)
    said = verdict(firewall(doubt, ACCEPT), packet())
    assert (Answer.UNKNOWN, 6) == (said.answer, said.line)
    assert said.why == (
        "line 6 cannot be read: -m geoip. If that applies, line 6 drops; if not, line 7 accepts: -A FORWARD web"
    )


def test_an_unread_condition_that_changes_nothing_is_no_doubt() -> None:
    """Both ways end in the same."""
    doubt = Rule(matches=(to(WEB, 443, unknown="-m limit"),), action=Action.ACCEPT, line=6)
    assert Answer.ACCEPT is verdict(firewall(doubt, ACCEPT), packet()).answer


def test_a_redirected_packet_is_filtered_at_its_inner_address() -> None:
    """Destination NAT comes before the filter."""
    inner = Rule(matches=(to(INNER, 443),), action=Action.ACCEPT, line=8)
    said = verdict(firewall(inner, nat=(REDIRECT,)), packet(dport=8443))
    assert (Answer.ACCEPT, 8) == (said.answer, said.line)
    assert said.why.startswith("line 2 sends it to 10.20.0.11 port 443; ")


def test_a_packet_to_the_firewall_that_is_redirected_is_forwarded() -> None:
    """Routing comes after destination NAT."""
    inner = Rule(matches=(to(INNER, 443),), action=Action.ACCEPT, line=8)
    said = verdict(firewall(inner, nat=(REDIRECT,)), packet(dport=8443, hook=Hook.INPUT))
    assert Answer.ACCEPT is said.answer


def test_an_exemption_ends_translation() -> None:
    """The first NAT rule that matches decides."""
    exempt = NatRule(kind=NatKind.EXEMPT, matches=(to(WEB, 8443),), line=1)
    said = verdict(firewall(ACCEPT, nat=(exempt, REDIRECT)), packet(dport=8443))
    assert (Answer.DROP, 3) == (said.answer, said.line)


def test_a_redirection_in_doubt_makes_the_verdict_unknown() -> None:
    """Where both ways end differently."""
    doubt = NatRule(
        kind=NatKind.DNAT, matches=(to(WEB, 443, unknown="-m x"),), to=AddressSet.parse(INNER), line=2
    )
    assert Answer.UNKNOWN is verdict(firewall(ACCEPT, nat=(doubt,)), packet()).answer


def test_an_ip_version_that_the_file_does_not_speak_of_is_unknown() -> None:
    """ip6tables may say anything."""
    said = verdict(firewall(ACCEPT), packet(target="2001:db8::1", source="2001:db8::2"))
    assert (Answer.UNKNOWN, 0) == (said.answer, said.line)


@pytest.mark.parametrize(
    ("source", "target"), [("198.51.100.7", "2001:db8::1"), ("198.51.100.0/24", WEB), ("nonsense", WEB)]
)
def test_addresses_that_make_no_packet_are_refused(source: str, target: str) -> None:
    """Two versions, a prefix, no address."""
    with pytest.raises(InputError):
        verdict(firewall(ACCEPT), packet(target=target, source=source))


def test_what_a_packet_leaves_out_is_told_apart_by_no_rule() -> None:
    """The source is not one that a rule singles out, nor are the ports and the interface."""
    office = AddressSet.parse("198.51.100.0/24")
    match = Match(source=office, ingress=InterfaceSet.of("eth0"), protocol=TCP, dport=Intervals.single(22))
    policy = firewall(Rule(matches=(match,), action=Action.ACCEPT, line=9))
    built = PacketReader(Judge(policy)).read({"dst": WEB, "proto": "tcp"})
    assert built.source not in office
    assert (22, "eth0") != (built.dport, built.ingress)
    assert Answer.DROP is verdict(policy, built).answer


def test_icmp_types_are_written_as_numbers_or_names() -> None:
    """Type and code stand where ports stand."""
    reader = PacketReader(Judge(firewall()))
    assert icmp_key(8, 0) == reader.read({"dst": WEB, "proto": "icmp", "icmp_type": 8}).icmp_type
    assert icmp_key(8, 0) == reader.read({"dst": WEB, "icmp_type": "echo-request"}).icmp_type
    assert icmp_key(3, 4) == reader.read({"dst": WEB, "icmp_type": 3, "icmp_code": 4}).icmp_type


@pytest.mark.parametrize(
    "fields",
    [
        {"dst": WEB, "dport": 70000},
        {"dst": WEB, "dport": True},
        {"dst": WEB, "proto": "nonsense"},
        {"dst": WEB, "proto": [6]},
        {"dst": 7},
        {"dst": WEB, "chain": "sideways"},
        {"dst": WEB, "colour": "red"},
        {"dst": WEB, "icmp_type": 999},
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, object]) -> None:
    """Never a trace."""
    with pytest.raises(InputError):
        PacketReader(Judge(firewall())).read(fields)
