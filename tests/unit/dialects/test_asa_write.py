"""A change in an ASA's configuration: at its place, nothing wider, and gone again without a trace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.dialects.asa import ASA
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook

FACES = """ASA Version 9.16(4)
!
interface GigabitEthernet0/0
 nameif outside
 security-level 0
 ip address 203.0.113.2 255.255.255.248
 ipv6 address 2001:db8:ffff::2/64
!
interface GigabitEthernet0/1
 nameif inside
 security-level 100
 ip address 10.1.0.1 255.255.0.0
!
interface GigabitEthernet0/2
 nameif dmz
 security-level 50
 ip address 192.0.2.1 255.255.255.0
 ipv6 address 2001:db8:1::1/64
!
"""
LISTS = """access-list outside_in remark mail only
access-list outside_in extended permit tcp any host 192.0.2.25 eq smtp
access-list outside_in remark nothing else of the dmz
access-list outside_in extended deny ip any 192.0.2.0 255.255.255.0
access-list outside_in extended permit icmp any any
access-group outside_in in interface outside
"""
ROUTES = "route outside 0.0.0.0 0.0.0.0 203.0.113.1 1\nipv6 route outside ::/0 2001:db8:ffff::1\n: end\n"
TEXT = FACES + LISTS + ROUTES


def opening(source: str, target: str, *ports: int, protocol: int = 6) -> Opening:
    """Build an opening."""
    return Opening(
        protocol=protocol, source=AddressSet.parse(*source.split()), target=AddressSet.parse(target),
        ports=Intervals.single(*ports),
    )  # fmt: skip


WEB = opening("198.51.100.0/24", "192.0.2.10", 443)


def written(text: str, *openings: Opening, redirections: tuple[Redirection, ...] = ()) -> str:
    """Return the text after a change tagged t-1."""
    return ASA.write(Change(tag="t-1", openings=openings, redirections=redirections), text).after


def test_the_entry_stands_before_what_drops_it() -> None:
    """And before the remark of that entry, behind a remark of its own."""
    lines = written(TEXT, WEB).split("\n")
    place = lines.index("access-list outside_in remark nothing else of the dmz")
    assert [
        "access-list outside_in remark fwguard:t-1",
        "access-list outside_in extended permit tcp 198.51.100.0 255.255.255.0 host 192.0.2.10 eq 443",
    ] == lines[place - 2 : place]


def test_it_is_shown_as_commands_with_their_place() -> None:
    """The device counts remarks, too."""
    shown = ASA.write(Change(tag="t-1", openings=(WEB,)), TEXT).shown
    assert (
        "+ access-list outside_in line 3 remark fwguard:t-1\n"
        "+ access-list outside_in line 4 extended permit tcp 198.51.100.0 255.255.255.0 host 192.0.2.10 eq 443"
    ) == shown


def test_it_opens_what_was_asked_and_nothing_else() -> None:
    """By comparing the two policies."""
    difference = compare(ASA.read(TEXT), ASA.read(written(TEXT, WEB)))
    (box,) = difference.opens
    assert ("198.51.100.0/24", "192.0.2.10", ((6, 6),), ((443, 443),), ()) == (
        str(box.source), str(box.target), box.protocol.pairs, box.dport.pairs, difference.closes,
    )  # fmt: skip


def test_both_versions_of_ip_get_their_entries() -> None:
    """Each opening in the words of its version."""
    asked = Opening(
        protocol=6, source=AddressSet.parse("any"), target=AddressSet.parse("192.0.2.10", "2001:db8:1::10"),
        ports=Intervals.of((8000, 8010)),
    )  # fmt: skip
    after = written(TEXT, asked)
    assert "permit tcp any4 host 192.0.2.10 range 8000 8010" in after
    assert "permit tcp any6 host 2001:db8:1::10 range 8000 8010" in after


def test_icmp_types_and_other_protocols_are_written() -> None:
    """A whole type by its number, a code beside it; protocols without names by number."""
    ping = Opening(
        protocol=1, source=AddressSet.parse("198.51.100.9"), target=AddressSet.parse("192.0.2.10"),
        ports=Intervals.of((8 << 8, (8 << 8) + 255), (3 << 8 | 4, 3 << 8 | 4)),
    )  # fmt: skip
    after = written(TEXT, ping, opening("198.51.100.9", "192.0.2.10", protocol=47))
    for words in ("permit icmp host 198.51.100.9 host 192.0.2.10 8", "host 192.0.2.10 3 4", "permit 47 host"):
        assert words in after


def test_the_list_of_the_way_out_is_opened_as_well() -> None:
    """Where an outbound list stands before the target."""
    text = TEXT.replace(
        "access-group outside_in",
        "access-list dmz_out extended permit udp any any\naccess-group dmz_out out interface dmz\n"
        "access-group outside_in",
    )
    after = written(text, WEB)
    assert 2 == after.count("remark fwguard:t-1")
    packet = Packet(
        source="198.51.100.1", target="192.0.2.10", protocol=6, dport=443, ingress="outside", egress="dmz"
    )
    assert Answer.ACCEPT == verdict(ASA.read(after), packet).answer


def test_an_interface_without_a_list_gets_one() -> None:
    """Where no implicit permit ends by it; else the change is refused."""
    text = FACES + ROUTES
    after = written(text, WEB)
    assert "access-group outside_access_in in interface outside" in after
    assert text == ASA.write(Change(tag="t-1", remove=True), after).after
    with pytest.raises(InputError, match="implicit permit to outside"):
        written(FACES + ROUTES, opening("192.0.2.9", "10.1.0.9", 22))


def test_the_global_list_is_used_where_it_is_the_only_one() -> None:
    """Before what drops the opening."""
    text = FACES + "access-list g extended deny tcp any any\naccess-group g global\n" + ROUTES
    assert "remark fwguard:t-1\naccess-list g extended permit tcp" in written(text, WEB)


def test_what_no_list_judges_is_refused() -> None:
    """Levels pass it; an opening would have nowhere to stand."""
    with pytest.raises(InputError, match="no access list judges"):
        written(TEXT, opening("10.1.0.0/16", "192.0.2.10", 443))


def test_without_a_route_the_change_is_refused() -> None:
    """Nothing tells where it comes in."""
    with pytest.raises(InputError, match="no route tells"):
        written(FACES + LISTS, WEB)


@pytest.mark.parametrize("public", ["203.0.113.5", "203.0.113.2"])
def test_a_redirection_leads_to_the_server(public: str) -> None:
    """By twice NAT before all others; the interface's own address by its keyword."""
    redirection = Redirection(protocol=6, public=public, public_port=8443, inner="192.0.2.10", inner_port=443)
    text = TEXT.replace(": end", "nat (inside,outside) source dynamic any interface\n: end")
    after = written(text, opening("198.51.100.0/24", "192.0.2.10", 443), redirections=(redirection,))
    packet = Packet(
        source="198.51.100.1", target=public, protocol=6, dport=8443, ingress="outside", egress="dmz"
    )
    assert Answer.ACCEPT == verdict(ASA.read(after), packet).answer
    assert not ASA.read(after).unread
    assert (("static fwguard.t-1.1.real interface" in after), text) == (
        public == "203.0.113.2",
        ASA.write(Change(tag="t-1", remove=True), after).after,
    )


def test_a_tag_is_used_once_and_must_be_there_to_go() -> None:
    """Nor is one tag taken for another that starts like it."""
    after = written(TEXT, WEB)
    with pytest.raises(InputError, match="unused tag"):
        written(after, WEB)
    with pytest.raises(InputError, match="nothing bears"):
        ASA.write(Change(tag="t", remove=True), after)


def test_an_entry_between_remark_and_ours_is_noticed() -> None:
    """Removing never takes away what others wrote."""
    after = written(TEXT, WEB).replace(
        "remark fwguard:t-1\n", "remark fwguard:t-1\naccess-list outside_in remark theirs\n"
    )
    with pytest.raises(InputError, match="no entry stands behind"):
        ASA.write(Change(tag="t-1", remove=True), after)


SPANS = st.tuples(st.integers(0, 65535), st.integers(0, 300)).map(lambda p: (p[0], min(65535, p[0] + p[1])))


@settings(max_examples=25, deadline=None)
@given(
    first=st.integers(0x0B000000, 0x0BFFFFFF), size=st.integers(1, 40), ports=st.lists(SPANS, min_size=1, max_size=3),
    host=st.integers(1, 254), protocol=st.sampled_from((6, 17)),
)  # fmt: skip
def test_reading_what_was_written_gives_what_was_asked(
    first: int, size: int, ports: list[tuple[int, int]], host: int, protocol: int
) -> None:
    """Nothing less, nothing wider, and removing gives the text back."""
    asked = Opening(
        protocol=protocol, source=AddressSet(v4=Intervals.of((first, first + size - 1))),
        target=AddressSet.parse(f"192.0.2.{host}"), ports=Intervals.of(*ports),
    )  # fmt: skip
    if host == 25:
        return  # partly open already
    after = written(TEXT, asked)
    opened = compare(ASA.read(TEXT), ASA.read(after)).opens
    covered = AddressSet()
    for box in opened:
        assert Hook.FORWARD is box.hook
        assert box.source <= asked.source and box.target <= asked.target and box.dport <= asked.ports
        covered |= box.source
    assert asked.source == covered
    assert TEXT == ASA.write(Change(tag="t-1", remove=True), after).after
