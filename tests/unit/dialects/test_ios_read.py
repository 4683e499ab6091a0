"""What IOS passes: lists by interface and direction, entries, translations, zones, terminals."""

from __future__ import annotations

import pytest

from fwguard.analysis.query import verdict
from fwguard.dialects.ios import IOS
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook

OUT, INSIDE = "GigabitEthernet0/0", "GigabitEthernet0/1"
FACES = f"""version 15.7
interface {OUT}
 ip address 203.0.113.2 255.255.255.248
 ip access-group FAR in
interface {INSIDE}
 ip address 192.0.2.1 255.255.255.0
"""


def answer(
    text: str,
    target: str = "192.0.2.10",
    *,
    source: str = "198.51.100.9",
    proto: int = 6,
    dport: int = 443,
    sport: int = 40000,
    way: tuple[str, str] = (OUT, INSIDE),
    hook: Hook = Hook.FORWARD,
) -> Answer:
    """Ask about one packet."""
    packet = Packet(
        source=source, target=target, protocol=proto, sport=sport, dport=dport, ingress=way[0],
        egress=way[1] if hook is Hook.FORWARD else "", hook=hook,
    )  # fmt: skip
    return verdict(IOS.read(text), packet).answer


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("permit tcp any any eq 443", Answer.ACCEPT),
        ("permit tcp any any eq www 443 8443", Answer.ACCEPT),
        ("permit tcp any any neq 443", Answer.DROP),
        ("permit tcp any range 39000 41000 any gt 442", Answer.ACCEPT),
        ("permit tcp 198.51.100.0 0.0.0.255 host 192.0.2.10", Answer.ACCEPT),
        ("permit tcp 198.51.100.8 0.0.0.6 any", Answer.DROP),
        ("permit tcp 198.51.100.9 0.0.255.0 any", Answer.ACCEPT),
        ("permit tcp any any established", Answer.DROP),
        ("permit tcp any any syn", Answer.ACCEPT),
        ("permit tcp any any ack rst", Answer.DROP),
        ("permit tcp any any match-all +syn -ack -rst", Answer.ACCEPT),
        ("permit tcp any any match-all +syn +psh", Answer.UNKNOWN),
        ("permit ip any any fragments", Answer.DROP),
        ("permit ip any any log some-cookie", Answer.ACCEPT),
        ("permit ip any any time-range nights", Answer.UNKNOWN),
        ("permit tcp any any eq 443 reflect back timeout 30", Answer.ACCEPT),
        ("10 deny ip any any", Answer.DROP),
        ("permit tcp object-group nobody any", Answer.UNKNOWN),
        ("permit tcp any any wherever", Answer.UNKNOWN),
    ],
)
def test_an_entry_says(words: str, wanted: Answer) -> None:
    """One entry on the outer interface, and a packet to a web server."""
    assert wanted == answer(f"{FACES}ip access-list extended FAR\n {words}\n")


def test_what_no_list_judges_passes() -> None:
    """The other direction, the other version of IP."""
    text = FACES + "ip access-list extended FAR\n permit udp any any\n"
    assert [Answer.DROP, Answer.ACCEPT, Answer.ACCEPT] == [
        answer(text),
        answer(text, "198.51.100.9", source="192.0.2.10", way=(INSIDE, OUT)),
        answer(text, "2001:db8::1", source="2001:db8:5::1"),
    ]


def test_a_list_that_is_not_there_leaves_everything_in_doubt() -> None:
    """A router with none passes all; a text without it may be an excerpt."""
    policy = IOS.read(FACES)
    assert (Answer.UNKNOWN, [4]) == (answer(FACES), [one.line for one in policy.unread])


def test_a_standard_list_knows_sources_alone() -> None:
    """Bare addresses are hosts; the list ends with a deny."""
    text = FACES.replace("FAR", "20") + "access-list 20 permit 198.51.100.9\n"
    assert (Answer.ACCEPT, Answer.DROP) == (answer(text), answer(text, source="198.51.100.8"))


def test_entries_are_in_the_order_of_their_numbers() -> None:
    """Wherever they stand in the text."""
    text = FACES + "ip access-list extended FAR\n 20 permit ip any any\n 10 deny tcp any any\n"
    assert Answer.DROP == answer(text)


def test_a_banner_holds_no_commands() -> None:
    """Whatever is written in it."""
    text = "banner motd #\nip access-list extended FAR\n permit ip any any\n#\n" + FACES
    assert Answer.DROP == answer(text + "ip access-list extended FAR\n deny ip any any\n")


def test_an_inbound_list_judges_what_is_for_the_router_too() -> None:
    """An outbound one does not, and terminals have lists of their own."""
    text = FACES + (
        "ip access-list extended FAR\n permit tcp any any eq 22\n"
        "access-list 5 permit 198.51.100.0 0.0.0.255\nline vty 0 4\n access-class 5 in\n"
    )
    own = {"target": "203.0.113.2", "hook": Hook.INPUT}
    assert [Answer.ACCEPT, Answer.DROP, Answer.DROP] == [
        answer(text, dport=22, **own),  # type: ignore[arg-type]
        answer(text, dport=22, source="192.0.2.200", **own),  # type: ignore[arg-type]
        answer(text, dport=80, **own),  # type: ignore[arg-type]
    ]


NAT = (
    FACES.replace("255.248\n", "255.248\n ip nat outside\n").replace(
        "255.255.255.0\n", "255.255.255.0\n ip nat inside\n"
    )
    + "ip nat inside source static tcp 192.0.2.10 443 203.0.113.3 8443 extendable\n"
    + "ip nat inside source list 9 interface GigabitEthernet0/0 overload\naccess-list 9 permit 192.0.2.0 0.0.0.255\n"
)


def test_an_inbound_list_sees_the_public_address() -> None:
    """The model asks after destination NAT; the entry for the public address counts there."""
    text = NAT + "ip access-list extended FAR\n permit tcp any host 203.0.113.3 eq 8443\n"
    assert (Answer.ACCEPT, Answer.DROP) == (
        answer(text, "203.0.113.3", dport=8443),
        answer(text, "203.0.113.3", dport=443),
    )
    text = NAT + "ip access-list extended FAR\n deny tcp any host 203.0.113.3 eq 8443\n permit ip any any\n"
    assert (Answer.DROP, Answer.ACCEPT) == (
        answer(text, "203.0.113.3", dport=8443),
        answer(text, dport=22),
    )


def test_what_is_permitted_to_the_servers_own_address_is_in_doubt() -> None:
    """Afterwards it looks like what was redirected there."""
    text = NAT + "ip access-list extended FAR\n permit tcp any host 192.0.2.10\n"
    assert (Answer.UNKNOWN, Answer.ACCEPT) == (
        answer(text, "203.0.113.3", dport=8443),
        answer(text, dport=22),
    )


def test_an_outbound_list_sees_the_translated_source() -> None:
    """What leaves by the interface's own address is judged by that."""
    text = NAT.replace(" FAR in", " NEAR out") + (
        "ip access-list extended NEAR\n deny tcp host 203.0.113.2 any eq 25\n permit ip host 203.0.113.2 any\n"
    )
    back = {"source": "192.0.2.77", "way": (INSIDE, OUT)}
    assert [Answer.ACCEPT, Answer.DROP, Answer.DROP] == [
        answer(text, "198.51.100.9", **back),  # type: ignore[arg-type]
        answer(text, "198.51.100.9", dport=25, **back),  # type: ignore[arg-type]
        answer(text, "198.51.100.9", source="10.9.9.9", way=(INSIDE, OUT)),
    ]


def test_zones_forbid_what_no_pair_joins() -> None:
    """Inside a zone all passes; what a pair inspects is not read."""
    text = (
        "interface a1\n zone-member security A\ninterface a2\n zone-member security A\n"
        "interface b1\n zone-member security B\ninterface c1\n ip address 192.0.2.1 255.255.255.0\n"
        "zone-pair security X source A destination B\n service-policy type inspect P\n"
    )
    ways = [("a1", "a2"), ("a1", "b1"), ("b1", "a1"), ("a1", "c1"), ("c1", "c1")]
    wanted = [Answer.ACCEPT, Answer.UNKNOWN, Answer.DROP, Answer.DROP, Answer.ACCEPT]
    assert wanted == [answer(text, way=way) for way in ways]


def test_ipv6_lists_permit_neighbour_discovery_first() -> None:
    """Before the deny that nobody writes."""
    text = f"interface {OUT}\n ipv6 traffic-filter SIX in\nipv6 access-list SIX\n permit tcp any any eq 443\n"
    six = {"source": "2001:db8:5::1", "sport": 0}

    def ask(target: str, proto: int, kind: int) -> Answer:
        packet = Packet(
            source="2001:db8:5::1",
            target=target,
            protocol=proto,
            icmp_type=kind << 8,
            ingress=OUT,
            egress=INSIDE,
        )
        return verdict(IOS.read(text), packet).answer

    assert [Answer.ACCEPT, Answer.DROP] == [ask("2001:db8::1", 58, 135), ask("2001:db8::1", 58, 128)]
    assert Answer.ACCEPT == answer(text, "2001:db8::1", **six)  # type: ignore[arg-type]


def test_a_command_taken_back_is_gone() -> None:
    """`no` before a list, an entry or its number."""
    text = FACES + (
        "access-list 120 permit ip any any\nno access-list 120\n"
        "ip access-list extended FAR\n permit tcp any any\n permit udp any any\n no permit tcp any any\n"
    )
    policy = IOS.read(text)
    assert "ip access-list 120" not in policy.chains
    assert (Answer.DROP, Answer.ACCEPT) == (answer(text), answer(text, proto=17))


def test_a_group_known_in_part_is_sure_in_part() -> None:
    """What it surely holds passes; what it may hold besides is in doubt, never lost."""
    text = FACES + (
        "object-group service some\n tcp eq 443\n group-object gone\nip access-list extended FAR\n"
        " permit object-group some any host 192.0.2.10\n"
    )
    wanted = [Answer.ACCEPT, Answer.UNKNOWN, Answer.DROP]
    assert wanted == [answer(text), answer(text, proto=17), answer(text, "192.0.2.11")]
