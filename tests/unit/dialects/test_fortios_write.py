"""A change in a FortiOS text: at its place, nothing wider, and gone again without a trace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.dialects.fortios import FORTIOS
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet

FACES = """#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:vdom=0:user=admin
config system interface
    edit "wan1"
        set ip 203.0.113.2 255.255.255.248
        config ipv6
            set ip6-address 2001:db8:ffff::2/64
        end
    next
    edit "dmz"
        set ip 192.0.2.1 255.255.255.0
        config ipv6
            set ip6-address 2001:db8:1::1/64
        end
    next
    edit "lan"
        set ip 10.1.0.1 255.255.0.0
    next
end
config system zone
    edit "servers"
        set interface "dmz"
    next
end
"""
TABLE = """config firewall policy
    edit 3
        set srcintf "lan"
        set dstintf "wan1"
        set srcaddr "all"
        set dstaddr "all"
        set schedule "always"
        set service "ALL"
        set action deny
    next
    edit 7
        set srcintf "wan1"
        set dstintf "servers"
        set srcaddr "all"
        set dstaddr "all"
        set schedule "always"
        set service "SMTP"
        set action accept
    next
    edit 5
        set srcintf "wan1"
        set dstintf "any"
        set srcaddr "all"
        set dstaddr "all"
        set schedule "always"
        set service "ALL"
        set action deny
    next
end
"""
ROUTES = """config router static
    edit 1
        set gateway 203.0.113.1
        set device "wan1"
    next
end
config router static6
    edit 1
        set gateway 2001:db8:ffff::1
        set device "wan1"
    next
end
"""
TEXT = FACES + TABLE + ROUTES


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
    packet = Packet(source=source, target=target, protocol=6, dport=dport, ingress="wan1", egress="dmz")
    return verdict(FORTIOS.read(text), packet).answer


def test_the_policy_stands_before_the_denial_between_its_interfaces() -> None:
    """With objects of its own, the zone's name, and a number that nobody has."""
    edit = FORTIOS.write(change(WEB), TEXT)
    after = edit.after
    assert after.index("edit 7") < after.index("edit 8") < after.index("edit 5")
    for words in (
        '        set srcintf "wan1"\n        set dstintf "servers"\n        set action accept\n'
        '        set srcaddr "fwguard-t-1-s1"\n        set dstaddr "fwguard-t-1-d2"\n',
        '    edit "fwguard-t-1-s1"\n        set subnet 198.51.100.0 255.255.255.0\n',
        '    edit "fwguard-t-1-p1"\n        set tcp-portrange 443\n',
        '        set comments "fwguard:t-1"\n',
    ):
        assert words in after
    assert "+     move 8 before 5\n+ end" in edit.shown
    assert (Answer.ACCEPT, Answer.DROP) == (asked(after, "192.0.2.10", 443), asked(after, "192.0.2.10", 80))
    assert TEXT == FORTIOS.write(REMOVE, after).after


def test_it_opens_what_was_asked_and_nothing_else() -> None:
    """By comparing the two policies."""
    difference = compare(FORTIOS.read(TEXT), FORTIOS.read(FORTIOS.write(change(WEB), TEXT).after))
    (box,) = difference.opens
    assert ("198.51.100.0/24", "192.0.2.10", ((6, 6),), ((443, 443),), ()) == (
        str(box.source), str(box.target), box.protocol.pairs, box.dport.pairs, difference.closes,
    )  # fmt: skip


def test_what_is_shown_does_the_same() -> None:
    """Pasted behind the old text, the commands leave what the new text leaves."""
    edit = FORTIOS.write(change(WEB), TEXT)
    pasted = "\n".join(line.removeprefix("+ ") for line in edit.shown.split("\n")) + "\n"
    assert FORTIOS.canonical(edit.after) == FORTIOS.canonical(TEXT + pasted)


def test_both_versions_of_ip_are_written() -> None:
    """In one table, or in that of IPv6 where there is one."""
    both = Opening(
        protocol=6, source=AddressSet.parse("any"), target=AddressSet.parse("192.0.2.10", "2001:db8:1::10"),
        ports=Intervals.of((8000, 8010)),
    )  # fmt: skip
    apart = TEXT + "config firewall policy6\nend\n"
    for text in (TEXT, apart):
        after = FORTIOS.write(change(both), text).after
        assert Answer.ACCEPT == asked(after, "192.0.2.10", 8005)
        assert Answer.ACCEPT == asked(after, "2001:db8:1::10", 8005, "2001:db8:5::1")
        assert FORTIOS.canonical(text) == FORTIOS.canonical(FORTIOS.write(REMOVE, after).after)


def test_icmp_types_are_services_of_their_own() -> None:
    """A whole type, or type and code."""
    ping = Opening(
        protocol=1, source=AddressSet.parse("198.51.100.9"), target=AddressSet.parse("192.0.2.10"),
        ports=Intervals.of((8 << 8, (8 << 8) + 255), (3 << 8 | 4, 3 << 8 | 4)),
    )  # fmt: skip
    after = FORTIOS.write(change(ping), TEXT).after
    assert 'set service "fwguard-t-1-p1" "fwguard-t-1-p2"' in after
    (box,) = compare(FORTIOS.read(TEXT), FORTIOS.read(after)).opens
    assert ((772, 772), (2048, 2303)) == box.dport.pairs


def test_a_redirection_is_a_virtual_ip_that_the_policy_names() -> None:
    """Policies match what is redirected only so."""
    redirection = Redirection(
        protocol=6, public="203.0.113.3", public_port=8443, inner="192.0.2.10", inner_port=443
    )
    edit = FORTIOS.write(change(WEB, redirections=(redirection,)), TEXT)
    assert 'set dstaddr "fwguard-t-1-v1"' in edit.after
    assert (Answer.ACCEPT, Answer.DROP) == (
        asked(edit.after, "203.0.113.3", 8443),
        asked(edit.after, "203.0.113.3", 443),
    )
    assert TEXT == FORTIOS.write(REMOVE, edit.after).after


def test_an_existing_virtual_ip_is_named() -> None:
    """What it redirects would match no other policy."""
    vip = (
        'config firewall vip\n    edit "web"\n        set extip 203.0.113.4\n        set mappedip "192.0.2.10"\n'
        '        set extintf "wan1"\n    next\nend\n'
    )
    after = FORTIOS.write(change(WEB), FACES + vip + TABLE + ROUTES).after
    assert 'set dstaddr "web"' in after
    assert Answer.ACCEPT == asked(after, "203.0.113.4", 443)


def test_in_a_script_that_moves_policies_the_new_one_is_moved_too() -> None:
    """The order of the text is not that of the table."""
    script = TEXT.replace("end\nconfig router static\n", "    move 5 before 3\nend\nconfig router static\n")
    after = FORTIOS.write(change(WEB), script).after
    assert "    move 8 before 5\n" in after
    assert (Answer.ACCEPT, script) == (asked(after, "192.0.2.10", 443), FORTIOS.write(REMOVE, after).after)


def test_a_text_without_policies_gets_its_tables() -> None:
    """Behind what stands there."""
    after = FORTIOS.write(change(WEB), FACES + ROUTES).after
    assert (Answer.ACCEPT, FACES + ROUTES) == (
        asked(after, "192.0.2.10", 443),
        FORTIOS.write(REMOVE, after).after,
    )


def test_a_change_goes_into_the_domain_of_its_interfaces() -> None:
    """Not into another one's table."""
    text = (
        "config vdom\nedit A\nnext\nedit B\nnext\nend\nconfig global\nconfig system interface\n"
        '    edit "wan1"\n        set vdom B\n        set ip 203.0.113.2 255.255.255.248\n    next\n'
        '    edit "dmz"\n        set vdom B\n        set ip 192.0.2.1 255.255.255.0\n    next\nend\nend\n'
        "config vdom\nedit A\nconfig firewall policy\nend\nnext\nedit B\nconfig firewall policy\nend\n"
        'config router static\n    edit 1\n        set device "wan1"\n    next\nend\nnext\nend\n'
    )
    after = FORTIOS.write(change(WEB), text).after
    assert Answer.ACCEPT == asked(after, "192.0.2.10", 443)
    assert after.index("edit B\nconfig firewall") < after.index("fwguard-t-1")


def test_what_has_no_place_is_refused() -> None:
    """No route, a tag that is used, nothing to remove, a tag that only starts alike."""
    after = FORTIOS.write(change(WEB), TEXT).after
    for wanted, one, text in (
        ("no route tells", change(WEB), FACES + TABLE),
        ("unused tag", change(WEB), after),
        ("nothing bears", REMOVE, TEXT),
        ("nothing bears", Change(tag="t", remove=True), after),
    ):
        with pytest.raises(InputError, match=wanted):
            FORTIOS.write(one, text)


SPANS = st.tuples(st.integers(0, 65535), st.integers(0, 300)).map(lambda p: (p[0], min(65535, p[0] + p[1])))


@settings(max_examples=25, deadline=None)
@given(
    first=st.integers(0x0B000000, 0x0BFFFFFF), size=st.integers(1, 40), ports=st.lists(SPANS, min_size=1, max_size=3),
    host=st.integers(2, 254), protocol=st.sampled_from((6, 17)),
)  # fmt: skip
def test_reading_what_was_written_gives_what_was_asked(
    first: int, size: int, ports: list[tuple[int, int]], host: int, protocol: int
) -> None:
    """Nothing less, nothing wider, and removing gives the text back."""
    wanted = Opening(
        protocol=protocol, source=AddressSet(v4=Intervals.of((first, first + size - 1))),
        target=AddressSet.parse(f"192.0.2.{host}"), ports=Intervals.of(*ports) - Intervals.single(25),
    )  # fmt: skip
    if not wanted.ports:
        return
    after = FORTIOS.write(change(wanted), TEXT).after
    covered = AddressSet()
    for box in compare(FORTIOS.read(TEXT), FORTIOS.read(after)).opens:
        assert box.source <= wanted.source and box.target <= wanted.target and box.dport <= wanted.ports
        covered |= box.source
    assert wanted.source == covered
    assert TEXT == FORTIOS.write(REMOVE, after).after
