"""Set lines and braces as one tree; what is half, endless or too large is refused with its line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.bounds import Addresses, Service, Services, crossed, masked, matches, merged
from fwguard.dialects.braces import read_braces
from fwguard.dialects.config_tree import MAX_CHARACTERS, Node, quoted
from fwguard.dialects.markup import parse_markup
from fwguard.dialects.set_lines import read_set_lines
from fwguard.dialects.towards import Towards
from fwguard.errors import UnreadableError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE


def paths(root: Node) -> list[str]:
    """Every leaf as its words."""
    return [" ".join(node.word for node in way) for way in root.paths()]


def from_set(text: str) -> list[str]:
    return paths(read_set_lines(text, "set lines")[0])


def test_set_lines_and_braces_are_one_tree() -> None:
    """Lists in brackets are one statement each."""
    braces = 'a {\n  b [ c d ];\n  e "two words";\n  inactive: f;\n}\n# g;\n/* h; */\n'
    lines = 'set a b [ c d]\nset a e "two words"\nset a f\ndeactivate a f\n'
    assert ["a b c", "a b d", "a e two words", "a f"] == from_set(lines)
    assert from_set(lines) == paths(read_braces(braces, "braces"))
    assert read_braces(braces, "braces").children["a"].children["f"].inactive


def test_commands_are_carried_out_in_their_order() -> None:
    """Deleted, moved and renamed as the device would."""
    text = "set r a x\nset r b x\nset r c x\ndelete r a x\nmove r c top\ninsert r a before r b\nrename r b to d\n"
    root, unread = read_set_lines(text, "set lines")
    assert ["c", "a", "d"] == root.words("r")
    assert [] == unread


def test_a_command_that_cannot_be_carried_out_is_unread() -> None:
    """With its line."""
    _, unread = read_set_lines("set r a\nmove r z top\nfrobnicate r a\n", "set lines")
    assert [2, 3] == [one.line for one in unread]


def test_a_quotation_may_run_over_lines() -> None:
    """As descriptions of PAN-OS do."""
    assert ["a one\ntwo", "b"] == from_set('set a "one\ntwo"\nset b\n')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('set a\nset b "never ends\nset c', 2),
        ("set a [ b c\n", 1),
        ("hello\nworld\n", 1),
        ("", 1),
        ("set a\0b", 1),
    ],
)
def test_half_commands_are_refused(text: str, line: int) -> None:
    """With the line where they begin."""
    with pytest.raises(UnreadableError) as refused:
        read_set_lines(text, "set lines")
    assert line == refused.value.line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a {\n b;\n", 1),
        ("a;\n}\n", 2),
        ("a;\nb", 2),
        ('a "b;\n', 1),
        ("{ a; }", 1),
        ("a {" * 200, 1),
        ("/* " * 500, 1),
    ],
)
def test_half_blocks_are_refused(text: str, line: int) -> None:
    """With the line where they begin."""
    with pytest.raises(UnreadableError) as refused:
        read_braces(text, "braces")
    assert line == refused.value.line


def test_what_is_endless_is_refused_in_bounded_time() -> None:
    """A huge text, a huge line, a thousand levels, moves without end."""
    started = time.process_time()
    for text in ("set " + "a" * (MAX_CHARACTERS + 1), "set " + "b" * 400_000, "set " + "c " * 100_000):
        with pytest.raises(UnreadableError):
            read_set_lines(text, "set lines")
    many = "".join(f"set r {number}\n" for number in range(6000))
    with pytest.raises(UnreadableError, match="moved"):
        read_set_lines(many + "move r 5 top\n" * 4000, "set lines")
    with pytest.raises(UnreadableError):
        read_braces("x" * 100_000 + ";", "braces")
    with pytest.raises(UnreadableError):
        parse_markup("<a>" * 500 + "</a>" * 500, "XML")
    with pytest.raises(UnreadableError):
        parse_markup('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "XML")
    assert time.process_time() - started < 8


@given(st.text(alphabet="set ab[]\"'{};#\n\\/*", max_size=120))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never anything else."""
    for read in (read_set_lines, read_braces):
        try:
            read(text, "a configuration")
        except UnreadableError:
            continue


@given(st.text(min_size=1, max_size=20).filter(lambda word: "\0" not in word and "\r" not in word))
@settings(max_examples=100, deadline=None)
def test_a_quoted_word_is_read_as_it_was(word: str) -> None:
    """In a command, whatever it holds."""
    assert [word] == read_set_lines(f"set a {quoted(word)}", "set lines")[0].words("a")


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 0xFFFFFFFF, 0xFF00FF00, 0xFFFFFEFF, 0xF0F0FFFF, 0x0000FFFF]),
)
@settings(max_examples=60, deadline=None)
def test_masked_addresses_are_those_that_agree(address: int, mask: int) -> None:
    """At the ends of every interval, and just beside."""
    found = masked(address, mask)
    if found is None:
        assert bin(~mask & 0xFFFFFFFF).count("1") > 12
        return
    assert 1 << bin(~mask & 0xFFFFFFFF).count("1") == found.v4.size
    for low, high in found.v4.pairs[:20]:
        assert low & mask == high & mask == address & mask


def test_parts_that_are_not_known_give_a_second_bound() -> None:
    """The known part is certain, all together unknown; inverted, it is the other way round."""
    some = Addresses(AddressSet.parse("10.0.0.1"), AddressSet.parse("10.0.0.0/24"), "a name")
    found = matches(
        [(ANY_INTERFACE, ANY_INTERFACE)], some, Addresses(AddressSet.parse("any")), Services((Service(),))
    )
    assert [("", "10.0.0.1"), ("a name", "10.0.0.0/24")] == [(one.unknown, str(one.source)) for one in found]
    other = some.inverted()
    assert not other.sure & AddressSet.parse("10.0.0.0/24")
    assert AddressSet.parse("10.0.0.0/24") - AddressSet.parse("10.0.0.1") == other.most & AddressSet.parse(
        "10.0.0.0/24"
    )


def test_services_that_differ_in_one_set_are_one() -> None:
    """And what two lists share is certain where both are."""
    tcp, udp = Intervals.single(6), Intervals.single(17)
    one, two = Service(tcp, Intervals.single(80)), Service(tcp, Intervals.single(443))
    assert (Service(tcp, Intervals.single(80, 443)),) == merged([one, two])
    both = crossed(Services((one, two)), Services((Service(udp),), (Service(tcp),), "who knows"))
    assert ((), (Service(tcp, Intervals.single(80, 443)),), "who knows") == (both.sure, both.maybe, both.why)


def test_the_longest_prefix_says_where_addresses_lie() -> None:
    """What no prefix holds is left."""
    towards = Towards([("10.0.0.0/8", "a"), ("10.1.0.0/16", "b"), ("::/0", "c"), ("nonsense", "d")])
    found, left = towards.of(AddressSet.parse("10.0.0.0/15", "192.0.2.1", "2001:db8::1"))
    assert {"a": "10.0.0.0/16", "b": "10.1.0.0/16", "c": "2001:db8::1"} == {
        z: str(s) for z, s in found.items()
    }
    assert "192.0.2.1" == str(left)
