"""What an ASA passes: lists, the global list, security levels, names, both IP versions, NAT."""

from __future__ import annotations

import pytest

from fwguard.analysis.query import verdict
from fwguard.dialects.asa import ASA
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Action, Hook, NatKind

FACES = """ASA Version 9.16(4)
interface GigabitEthernet0/0
 nameif outside
 security-level 0
 ip address 203.0.113.2 255.255.255.248
interface GigabitEthernet0/1
 nameif inside
 security-level 100
 ip address 10.1.0.1 255.255.0.0
interface GigabitEthernet0/2
 nameif dmz
 security-level 50
 ip address 192.0.2.1 255.255.255.0
interface GigabitEthernet0/3
 nameif lab
 security-level 50
 ip address 192.0.3.1 255.255.255.0
"""


def answer(
    text: str,
    way: str,
    target: str = "192.0.2.10",
    *,
    source: str = "198.51.100.9",
    proto: int = 6,
    dport: int = 443,
    sport: int = 40000,
    hook: Hook = Hook.FORWARD,
) -> Answer:
    """Ask about one packet; `way` is "in>out"."""
    ingress, _, egress = way.partition(">")
    return verdict(
        ASA.read(text),
        Packet(
            source=source, target=target, protocol=proto, sport=sport, dport=dport, ingress=ingress,
            egress=egress, hook=hook,
        ),
    ).answer  # fmt: skip


@pytest.mark.parametrize(
    ("way", "extra", "wanted"),
    [
        ("inside>outside", "", Answer.ACCEPT),
        ("inside>dmz", "", Answer.ACCEPT),
        ("dmz>inside", "", Answer.DROP),
        ("outside>dmz", "", Answer.DROP),
        ("dmz>lab", "", Answer.DROP),
        ("dmz>lab", "same-security-traffic permit inter-interface\n", Answer.ACCEPT),
        ("dmz>dmz", "same-security-traffic permit inter-interface\n", Answer.DROP),
        ("dmz>dmz", "same-security-traffic permit intra-interface\n", Answer.ACCEPT),
    ],
)
def test_without_lists_levels_decide(way: str, extra: str, wanted: Answer) -> None:
    """Down passes, up does not, alike needs a command."""
    assert wanted == answer(FACES + extra, way)


def test_a_list_replaces_the_levels_of_its_interface_alone() -> None:
    """With an inbound list, what it does not permit is dropped; other interfaces keep their levels."""
    text = FACES + (
        "access-list in1 extended permit tcp any any eq www\naccess-group in1 in interface inside\n"
    )
    assert (Answer.DROP, Answer.ACCEPT, Answer.ACCEPT) == (
        answer(text, "inside>outside"),
        answer(text, "inside>outside", dport=80),
        answer(text, "dmz>outside"),
    )


def test_a_list_does_not_replace_same_security_traffic() -> None:
    """Between equal levels the command is needed, whatever a list permits."""
    text = FACES + "access-list a extended permit ip any any\naccess-group a in interface dmz\n"
    assert (Answer.DROP, Answer.ACCEPT) == (answer(text, "dmz>lab"), answer(text, "dmz>inside"))


def test_the_global_list_comes_after_the_interfaces_list() -> None:
    """And ends every implicit permit."""
    text = FACES + (
        "access-list one extended deny tcp any any eq 443\n"
        "access-list all extended permit tcp any any range 400 500\n"
        "access-group one in interface dmz\naccess-group all global\n"
    )
    assert [Answer.DROP, Answer.ACCEPT, Answer.ACCEPT, Answer.DROP] == [
        answer(text, "dmz>outside"),
        answer(text, "dmz>outside", dport=444),
        answer(text, "outside>dmz"),
        answer(text, "inside>outside", dport=80),
    ]


def test_an_outbound_list_judges_as_well() -> None:
    """What the levels pass, the list of the way out may drop."""
    text = FACES + "access-list o extended permit udp any any\naccess-group o out interface outside\n"
    assert (Answer.DROP, Answer.ACCEPT, Answer.ACCEPT) == (
        answer(text, "inside>outside"),
        answer(text, "inside>outside", proto=17),
        answer(text, "inside>dmz"),
    )


def test_an_inactive_entry_is_there_and_does_nothing() -> None:
    """Its line stays in the model."""
    text = FACES + (
        "access-list o extended permit tcp any any eq 443 inactive\naccess-group o in interface outside\n"
    )
    assert (Answer.DROP, Action.CONTINUE) == (
        answer(text, "outside>dmz"),
        ASA.read(text).chains["acl o"].rules[0].action,
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("permit tcp any any eq 443", Answer.ACCEPT),
        ("permit tcp any any lt 443", Answer.DROP),
        ("permit tcp any any gt 442", Answer.ACCEPT),
        ("permit tcp any any neq 443", Answer.DROP),
        ("permit tcp any range 1 1023 any", Answer.DROP),
        ("permit tcp any gt 1023 any eq https log debugging interval 5", Answer.ACCEPT),
        ("permit tcp any4 any4", Answer.ACCEPT),
        ("permit tcp any6 any6", Answer.DROP),
        ("permit 6 host 198.51.100.9 192.0.2.0 255.255.255.0", Answer.ACCEPT),
        ("permit udp any any", Answer.DROP),
        ("permit object missing any any", Answer.UNKNOWN),
        ("permit tcp any any eq 443 time-range nights", Answer.UNKNOWN),
        ("permit tcp object-group-user staff any any", Answer.UNKNOWN),
        ("permit tcp any any eq 443 sometimes", Answer.UNKNOWN),
    ],
)
def test_an_entry_says(words: str, wanted: Answer) -> None:
    """One entry on the outside interface, and a packet to a web server."""
    text = f"{FACES}access-list o extended {words}\naccess-group o in interface outside\n"
    assert wanted == answer(text, "outside>dmz")


def test_a_packet_is_translated_before_the_lists_see_it() -> None:
    """Since 8.3 lists name real addresses; a redirected port is judged as the server's own."""
    text = FACES + (
        "object network web\n host 192.0.2.10\n nat (dmz,outside) static 203.0.113.5 service tcp 443 8443\n"
        "access-list o extended permit tcp any host 192.0.2.10 eq 443\naccess-group o in interface outside\n"
    )
    assert (Answer.ACCEPT, Answer.DROP) == (
        answer(text, "outside>dmz", "203.0.113.5", dport=8443),
        answer(text, "outside>dmz", "203.0.113.5", dport=443),
    )


def test_translations_are_tried_in_the_devices_order() -> None:
    """Twice NAT, then objects (static, few addresses first), then what says after-auto."""
    text = FACES + (
        "object network a\n host 10.1.0.5\nobject network b\n subnet 10.1.1.0 255.255.255.0\n"
        "object network pub\n host 203.0.113.4\n"
        "nat (inside,outside) after-auto source dynamic any interface\n"
        "nat (inside,outside) source static a pub\n"
        "object network b\n nat (inside,outside) static 198.18.1.0\n"
        "object network a\n nat (inside,outside) static 203.0.113.5\n"
    )
    rules = ASA.read(text).nat
    assert [NatKind.STATIC, NatKind.STATIC, NatKind.STATIC, NatKind.MASQUERADE] == [r.kind for r in rules]
    assert ["203.0.113.4", "203.0.113.5", "198.18.1.0/24"] == [str(r.matches[0].target) for r in rules[:3]]


def test_before_8_3_lists_see_translated_addresses() -> None:
    """So with static translations nobody knows here what an entry matches."""
    text = FACES.replace("9.16(4)", "8.2(5)") + (
        "static (dmz,outside) 203.0.113.5 192.0.2.10 netmask 255.255.255.255\n"
        "access-list o extended permit tcp any host 203.0.113.5 eq 443\naccess-group o in interface outside\n"
    )
    assert Answer.UNKNOWN == answer(text, "outside>dmz")


def test_traffic_to_the_firewall_itself() -> None:
    """Management by its own commands, ping unless forbidden, nothing else."""
    text = FACES + "ssh 198.51.100.0 255.255.255.0 outside\n"
    own = {"target": "203.0.113.2", "hook": Hook.INPUT}
    assert [Answer.ACCEPT, Answer.DROP, Answer.DROP] == [
        answer(text, "outside", dport=22, **own),  # type: ignore[arg-type]
        answer(text, "outside", dport=22, source="192.0.2.9", **own),  # type: ignore[arg-type]
        answer(text, "outside", dport=443, **own),  # type: ignore[arg-type]
    ]


def test_what_comes_out_of_a_tunnel_may_pass_the_lists() -> None:
    """Unless `no sysopt connection permit-vpn`; nobody can tell such packets by their addresses."""
    text = FACES + (
        "access-list vpn extended permit ip 192.0.2.0 255.255.255.0 10.8.0.0 255.255.0.0\n"
        "crypto map m 10 match address vpn\ncrypto map m interface outside\n"
    )
    assert [Answer.UNKNOWN, Answer.DROP, Answer.DROP] == [
        answer(text, "outside>dmz", source="10.8.0.1"),
        answer(text, "outside>dmz"),
        answer(text + "no sysopt connection permit-vpn\n", "outside>dmz", source="10.8.0.1"),
    ]


def test_an_excerpt_without_interfaces_is_read() -> None:
    """Names that other commands give are taken; of their levels nothing is known."""
    text = "access-list o extended permit tcp any any eq 443\naccess-group o in interface outside\n"
    text += "route inside 10.0.0.0 255.0.0.0 10.1.0.1\n"
    assert [Answer.ACCEPT, Answer.DROP, Answer.UNKNOWN] == [
        answer(text, "outside>inside"),
        answer(text, "outside>inside", dport=80),
        answer(text, "inside>outside"),
    ]


def test_a_management_interface_forwards_nothing() -> None:
    """Whatever its level."""
    text = FACES + "interface Management0/0\n nameif mgmt\n security-level 0\n management-only\n"
    assert (Answer.DROP, Answer.DROP) == (answer(text, "inside>mgmt"), answer(text, "mgmt>outside"))


def test_a_source_that_comes_the_wrong_way_is_dropped() -> None:
    """`ip verify reverse-path` asks the routes for the way back."""
    text = FACES + (
        "route outside 0.0.0.0 0.0.0.0 203.0.113.1\nip verify reverse-path interface outside\n"
        "access-list o extended permit ip any any\naccess-group o in interface outside\n"
    )
    assert (Answer.DROP, Answer.ACCEPT) == (
        answer(text, "outside>dmz", source="10.1.0.7"),
        answer(text, "outside>dmz"),
    )


def test_a_group_known_in_part_is_sure_in_part() -> None:
    """What it surely holds passes; what it may hold besides is in doubt, never lost."""
    text = FACES + (
        "object-group service some\n service-object tcp destination eq 443 ! the site\n service-object object gone\n"
        "object-group network hosts\n network-object host 192.0.2.10\n network-object object gone\n"
        "access-list o extended permit object-group some any object-group hosts\n"
        "access-group o in interface outside\n"
    )
    assert [Answer.ACCEPT, Answer.UNKNOWN, Answer.UNKNOWN] == [
        answer(text, "outside>dmz"),
        answer(text, "outside>dmz", proto=17),
        answer(text, "outside>dmz", "192.0.2.11"),
    ]


def test_inactive_may_be_a_name() -> None:
    """An object of that name does not switch the entry off."""
    text = FACES + (
        "object network inactive\n host 192.0.2.10\naccess-list o extended permit ip any object inactive\n"
        "access-group o in interface outside\n"
    )
    assert Answer.ACCEPT == answer(text, "outside>dmz")


def test_a_large_ipv6_network_has_its_place_among_translations() -> None:
    """More addresses than a machine word counts."""
    text = FACES + (
        "object network six\n subnet 2001:db8::/32\n nat (inside,outside) static 2001:db9::/32\n"
        "object network one\n host 2001:db8::1\n nat (inside,outside) static 2001:dba::1\n"
    )
    assert ["2001:db8::1", "2001:db8::/32"] == [str(rule.to) for rule in ASA.read(text).nat]
