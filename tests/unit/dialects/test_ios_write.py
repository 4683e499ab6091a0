"""A change in a configuration of IOS: at its place, nothing wider, and gone again without a trace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.dialects.ios import IOS
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet

OUT, INSIDE = "GigabitEthernet0/0", "GigabitEthernet0/1"
FACES = f"""version 15.7
!
interface {OUT}
 ip address 203.0.113.2 255.255.255.248
 ip access-group FAR in
!
interface {INSIDE}
 ip address 192.0.2.1 255.255.255.0
!
"""
FAR = """ip access-list extended FAR
 remark mail only
 permit tcp any host 192.0.2.25 eq smtp
 remark nothing else
 deny   ip any 192.0.2.0 0.0.0.255
 permit icmp any any
!
"""
ROUTES = "ip route 0.0.0.0 0.0.0.0 203.0.113.1\n!\nend\n"
TEXT = FACES + FAR + ROUTES


def opening(source: str, target: str, *ports: int, protocol: int = 6) -> Opening:
    """Build an opening."""
    return Opening(
        protocol=protocol, source=AddressSet.parse(*source.split()), target=AddressSet.parse(target),
        ports=Intervals.single(*ports),
    )  # fmt: skip


WEB = opening("198.51.100.0/24", "192.0.2.10", 443)
REMOVE = Change(tag="t-1", remove=True)


def change(*openings: Opening, redirections: tuple[Redirection, ...] = ()) -> Change:
    """Build a change tagged t-1."""
    return Change(tag="t-1", openings=openings, redirections=redirections)


def asked(text: str, target: str, dport: int, source: str = "198.51.100.1") -> Answer:
    """Ask about a packet that comes in from far."""
    packet = Packet(source=source, target=target, protocol=6, dport=dport, ingress=OUT, egress=INSIDE)
    return verdict(IOS.read(text), packet).answer


def test_the_entry_stands_before_what_drops_it() -> None:
    """Behind a remark of its own; shown with numbers between those of the device."""
    edit = IOS.write(change(WEB), TEXT)
    lines = edit.after.split("\n")
    place = lines.index(" remark nothing else")
    entry = "permit tcp 198.51.100.0 0.0.0.255 host 192.0.2.10 eq 443"
    assert [" remark fwguard:t-1", f" {entry}"] == lines[place - 2 : place]
    assert f"+ ip access-list extended FAR\n+  11 remark fwguard:t-1\n+  12 {entry}" == edit.shown
    assert TEXT == IOS.write(REMOVE, edit.after).after


def test_it_opens_what_was_asked_and_nothing_else() -> None:
    """By comparing the two policies."""
    difference = compare(IOS.read(TEXT), IOS.read(IOS.write(change(WEB), TEXT).after))
    (box,) = difference.opens
    assert ("198.51.100.0/24", "192.0.2.10", ((6, 6),), ((443, 443),), ()) == (
        str(box.source), str(box.target), box.protocol.pairs, box.dport.pairs, difference.closes,
    )  # fmt: skip


def test_a_text_with_numbers_gets_numbers() -> None:
    """Between those that stand there; without room the list is renumbered."""
    numbered = TEXT.replace(" permit tcp any host", " 10 permit tcp any host").replace(" deny ", " 20 deny ")
    numbered = numbered.replace(" permit icmp", " 30 permit icmp")
    after = IOS.write(change(WEB), numbered).after
    assert " remark fwguard:t-1\n 12 permit tcp 198.51.100.0" in after
    assert Answer.ACCEPT == asked(after, "192.0.2.10", 443)
    tight = numbered.replace(" 20 deny", " 11 deny")
    edit = IOS.write(change(WEB), tight)
    assert edit.shown.startswith("+ ip access-list resequence FAR 10 20\n")
    assert Answer.ACCEPT == asked(edit.after, "192.0.2.10", 443)
    assert " 30 deny" in edit.after


def test_a_numbered_list_is_edited_as_such() -> None:
    """`access-list 101` in the text, `ip access-list extended 101` on the command line."""
    text = (
        FACES.replace("FAR", "101")
        + "access-list 101 permit udp any any\naccess-list 101 deny ip any any\n"
        + ROUTES
    )
    edit = IOS.write(change(WEB), text)
    assert (
        "\naccess-list 101 remark fwguard:t-1\naccess-list 101 permit tcp 198.51.100.0 0.0.0.255 host"
        in edit.after
    )
    assert edit.shown.startswith("+ ip access-list extended 101\n+  11 remark")
    assert (Answer.ACCEPT, text) == (
        asked(edit.after, "192.0.2.10", 443),
        IOS.write(REMOVE, edit.after).after,
    )


def test_a_standard_list_is_not_opened() -> None:
    """It would open every target."""
    text = FACES.replace("FAR", "20") + "access-list 20 permit 192.0.2.0 0.0.0.255\n" + ROUTES
    with pytest.raises(InputError, match="knows sources alone"):
        IOS.write(change(WEB), text)


def test_answers_may_come_back_through_lists_without_state() -> None:
    """An `established` entry where the list of the way back has none; it opens nothing new."""
    near = "ip access-list extended NEAR\n permit udp any any\n"
    text = TEXT.replace("255.255.255.0\n", "255.255.255.0\n ip access-group NEAR in\n").replace(
        "ip route", near + "ip route"
    )
    edit = IOS.write(change(WEB), text)
    assert "permit tcp host 192.0.2.10 eq 443 198.51.100.0 0.0.0.255 established" in edit.after
    assert 1 == len(compare(IOS.read(text), IOS.read(edit.after)).opens)
    has = text.replace("permit udp any any", "permit tcp any any established")
    assert "NEAR" not in IOS.write(change(WEB), has).shown


def test_ipv6_is_written_in_its_own_list() -> None:
    """With the words of IPv6 lists."""
    text = f"""interface {OUT}
 ipv6 address 2001:db8:ffff::2/64
 ipv6 traffic-filter SIX in
interface {INSIDE}
 ipv6 address 2001:db8:1::1/64
ipv6 access-list SIX
 sequence 10 permit udp any any
 sequence 20 deny ipv6 any any
ipv6 route ::/0 2001:db8:ffff::1
"""
    edit = IOS.write(change(opening("any", "2001:db8:1::10", 443)), text)
    assert " sequence 12 permit tcp any host 2001:db8:1::10 eq 443" in edit.after
    assert Answer.ACCEPT == asked(edit.after, "2001:db8:1::10", 443, "2001:db8:5::1")
    assert text == IOS.write(REMOVE, edit.after).after


def test_a_standard_list_that_passes_the_answers_is_left_alone() -> None:
    """It stands on the way back, and permits what the server sends."""
    near = "access-list 20 permit 192.0.2.0 0.0.0.255\n"
    text = TEXT.replace("255.255.255.0\n", "255.255.255.0\n ip access-group 20 in\n").replace(
        "ip route", near + "ip route"
    )
    assert "access-list 20" not in IOS.write(change(WEB), text).shown


NATTED = TEXT.replace("255.248\n", "255.248\n ip nat outside\n").replace(
    " 255.255.255.0\n", " 255.255.255.0\n ip nat inside\n"
)


@pytest.mark.parametrize("public", ["203.0.113.3", "203.0.113.2"])
def test_a_redirection_and_the_entry_for_its_public_address(public: str) -> None:
    """The inbound list names what it sees: the address before translation."""
    redirection = Redirection(protocol=6, public=public, public_port=8443, inner="192.0.2.10", inner_port=443)
    edit = IOS.write(change(WEB, redirections=(redirection,)), NATTED)
    assert f"permit tcp 198.51.100.0 0.0.0.255 host {public} eq 8443" in edit.after
    assert (f"interface {OUT} 8443" in edit.after) == (public == "203.0.113.2")
    assert (Answer.ACCEPT, Answer.DROP) == (asked(edit.after, public, 8443), asked(edit.after, public, 443))
    assert NATTED == IOS.write(REMOVE, edit.after).after


def test_what_has_no_place_is_refused() -> None:
    """No list on the way, no route, no NAT, a tag that is used, nothing to remove."""
    for text, wanted in (
        (TEXT.replace(" ip access-group FAR in\n", ""), "no access list judges"),
        (TEXT.replace("ip route 0.0.0.0", "!ip route"), "no route tells"),
        (IOS.write(change(WEB), TEXT).after, "unused tag"),
    ):
        with pytest.raises(InputError, match=wanted):
            IOS.write(change(WEB), text)
    redirection = Redirection(
        protocol=6, public="203.0.113.3", public_port=1, inner="192.0.2.10", inner_port=2
    )
    with pytest.raises(InputError, match="ip nat inside"):
        IOS.write(change(redirections=(redirection,)), TEXT)
    with pytest.raises(InputError, match="nothing bears"):
        IOS.write(Change(tag="t", remove=True), IOS.write(change(WEB), TEXT).after)


SPANS = st.tuples(st.integers(0, 65535), st.integers(0, 300)).map(lambda p: (p[0], min(65535, p[0] + p[1])))


@settings(max_examples=25, deadline=None)
@given(
    first=st.integers(0x0B000000, 0x0BFFFFFF), size=st.integers(1, 40), ports=st.lists(SPANS, min_size=1, max_size=3),
    host=st.integers(30, 254), protocol=st.sampled_from((6, 17)),
)  # fmt: skip
def test_reading_what_was_written_gives_what_was_asked(
    first: int, size: int, ports: list[tuple[int, int]], host: int, protocol: int
) -> None:
    """Nothing less, nothing wider, and removing gives the text back."""
    wanted = Opening(
        protocol=protocol, source=AddressSet(v4=Intervals.of((first, first + size - 1))),
        target=AddressSet.parse(f"192.0.2.{host}"), ports=Intervals.of(*ports),
    )  # fmt: skip
    after = IOS.write(change(wanted), TEXT).after
    covered = AddressSet()
    for box in compare(IOS.read(TEXT), IOS.read(after)).opens:
        assert box.source <= wanted.source and box.target <= wanted.target and box.dport <= wanted.ports
        covered |= box.source
    assert wanted.source == covered
    assert TEXT == IOS.write(REMOVE, after).after
