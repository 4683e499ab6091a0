"""Sets of the kernel: what their members match, and how they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.ipset import canonical, read_sets
from fwguard.errors import UnreadableError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Match

SAVED = """create web hash:ip,port family inet hashsize 1024 maxelem 65536 counters
add web 192.0.2.2,tcp:80 packets 7 bytes 420
add web 192.0.2.1,tcp:80
create six hash:net family inet6
add six 2001:db8::/32
"""
LISTED = """Name: web
Type: hash:ip,port
Revision: 5
Header: family inet hashsize 2048 maxelem 65536 counters bucketsize 12 initval 0x1
Size in memory: 500
References: 1
Number of entries: 2
Members:
192.0.2.1,tcp:80 packets 0 bytes 0
192.0.2.2,tcp:80 packets 9 bytes 9

Name: six
Type: hash:net
Header: family inet6 hashsize 1024 maxelem 65536
Members:
2001:db8::/32
"""


def match_of(text: str, name: str, *flags: str, family: Family = Family.V4) -> tuple[Match, ...]:
    """Return what --match-set NAME flags matches."""
    matches, why = read_sets(text)[name].matches(flags, family)
    assert "" == why
    return matches


def test_save_and_list_are_the_same_sets() -> None:
    """Counters, sizes and the order of members are no difference."""
    assert canonical(SAVED) == canonical(LISTED)
    assert canonical(SAVED) != canonical(SAVED.replace("192.0.2.2", "192.0.2.3"))


def test_members_with_one_service_are_one_product() -> None:
    """The second flag says whose port it is."""
    (match,) = match_of(SAVED, "web", "dst", "src")
    assert (AddressSet.parse("192.0.2.1-192.0.2.2"), Intervals.single(80), Intervals.single(6)) == (
        match.target, match.sport, match.protocol,
    )  # fmt: skip


def test_the_most_specific_prefix_decides() -> None:
    """nomatch takes a part out, a member inside puts a part back."""
    text = "create n hash:net\nadd n 10.0.0.0/8\nadd n 10.1.0.0/16 nomatch\nadd n 10.1.2.0/24\n"
    (match,) = match_of(text, "n", "src")
    assert ("10.0.0.1" in match.source, "10.1.0.1" in match.source, "10.1.2.1" in match.source) == (
        True,
        False,
        True,
    )


def test_a_set_of_the_other_family_matches_nothing() -> None:
    """An IPv4 rule finds no IPv6 member."""
    assert () == match_of(SAVED, "six", "src")
    assert 1 == len(match_of(SAVED, "six", "src", family=Family.V6))


def test_ports_without_a_protocol_are_tcp_and_udp() -> None:
    """bitmap:port looks at nothing else."""
    (match,) = match_of("create p bitmap:port range 0-1023\nadd p 20-25\n", "p", "dst")
    assert (Intervals.single(6, 17), Intervals.of((20, 25))) == (match.protocol, match.dport)


def test_a_netmask_widens_members() -> None:
    """hash:ip with netmask 24 keeps networks."""
    (match,) = match_of("create l hash:ip netmask 24\nadd l 192.168.7.0\n", "l", "dst")
    assert AddressSet.parse("192.168.7.0/24") == match.target


def test_a_list_is_the_union_of_its_sets() -> None:
    """Sets with more dimensions than the rule has flags are passed over."""
    text = SAVED + "create h hash:ip\nadd h 10.0.0.1\ncreate all list:set size 8\nadd all web\nadd all h\n"
    assert [AddressSet.parse("10.0.0.1")] == [match.source for match in match_of(text, "all", "src")]
    assert 2 == len(match_of(text, "all", "src", "dst"))


@pytest.mark.parametrize(
    "text",
    ["create m hash:mac\nadd m 02:00:00:00:00:01\n", "create i hash:net,iface\nadd i 10.0.0.0/8,eth0\n",
     "create k hash:ip,mark\nadd k 10.0.0.1,0x1\n"],
)  # fmt: skip
def test_what_no_packet_decides_says_why(text: str) -> None:
    """Marks, interfaces and MAC addresses are no dimension of ours."""
    name = text.split()[1]
    matches, why = read_sets(text)[name].matches(("src", "src"), Family.V4)
    assert ((), True) == (matches, bool(why))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("add nowhere 1.2.3.4\n", 1, "does not exist"), ("create a hash:ip\ncreate a hash:ip\n", 2, "created twice"),
        ("create a hash:thing\n", 1, "set type"), ("create a hash:ip\nadd a 1.2.3\n", 2, "member"),
        ("create a hash:ip,port\nadd a 1.2.3.4\n", 2, "member"), ("hello\n", 1, "hello"),
        ("create a hash:ip family inet6\nadd a 1.2.3.4\n", 2, "other family"),
        ("create a list:set\ncreate b list:set\nadd a b\nadd b a\n", 1, "holds list"),
        ("create a list:set\nadd a a\n", 1, "holds list"), ("x" * 10_000, 1, "a line of"),
    ],
)  # fmt: skip
def test_what_is_no_set_is_refused(text: str, line: int, words: str) -> None:
    """Also a list that refers to itself."""
    with pytest.raises(UnreadableError, match=words) as raised:
        read_sets(text)
    assert line == raised.value.line


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="create add hash:ip,portnet lis6\n0123./-", max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but UnreadableError comes out."""
    try:
        canonical(text)
    except UnreadableError:
        return
