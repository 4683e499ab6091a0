"""FRR's static routes, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.frr import FRR
from fwguard.dialects.table import detect
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals

HEAD = "frr version 8.4.4\nfrr defaults traditional\nhostname fw\n!\n"


def test_is_recognised() -> None:
    """By the line that names its release."""
    assert "frr" == detect(HEAD + "ip route 10.0.0.0/8 192.0.2.1\n").name


def test_speaks_of_no_family() -> None:
    """It routes and filters nothing: no packet is said to pass."""
    assert Family(0) == FRR.read(HEAD).families


def test_order_of_routes_and_a_new_release_are_no_difference() -> None:
    """Neither changes where a packet goes."""
    one = "ip route 10.0.0.0/8 192.0.2.1\n"
    two = "ip route 10.1.0.0/16 192.0.2.2\n"
    assert FRR.canonical(HEAD + one + two) == FRR.canonical(HEAD.replace("8.4.4", "9.1") + two + one)


def test_a_netmask_is_the_prefix_that_it_says() -> None:
    """As the manual allows both."""
    assert FRR.canonical("ip route 10.0.0.0/8 192.0.2.1\n") == FRR.canonical(
        "ip route 10.0.0.0 255.0.0.0 192.0.2.1\n"
    )


@pytest.mark.parametrize("line", ["ip route 10.0.0.0/8 192.0.2.2", "ip route 10.0.0.0/8 192.0.2.1 5",
                                  "ip route 10.0.0.0/8 192.0.2.1 onlink", "ip route 10.0.0.0/8 Null0"])  # fmt: skip
def test_another_way_is_a_difference(line: str) -> None:
    """Next hop, distance, flag and kind all count."""
    assert FRR.canonical("ip route 10.0.0.0/8 192.0.2.1\n") != FRR.canonical(line + "\n")


def test_writes_no_opening() -> None:
    """The filter beside it is what opens."""
    opening = Opening(
        protocol=6, source=AddressSet.parse("any"), target=AddressSet.parse("192.0.2.9"),
        ports=Intervals.single(443),
    )  # fmt: skip
    with pytest.raises(InputError, match="filters nothing"):
        FRR.write(Change(tag="t-1", openings=(opening,)), HEAD)


@pytest.mark.parametrize("text", ["", "ip route \0"])
def test_no_text_is_refused(text: str) -> None:
    """Empty or binary."""
    with pytest.raises(UnreadableError):
        FRR.read(text)


_WORDS = st.sampled_from(
    [
        "ip",
        "ipv6",
        "route",
        "no",
        "vrf",
        "exit-vrf",
        "10.0.0.0/8",
        "::/0",
        "192.0.2.1",
        "tag",
        "5",
        "Null0",
        "table",
        "onlink",
        "\n",
        " ",
        "é",
        "!",
    ]
)


@settings(max_examples=200)
@given(st.lists(_WORDS, min_size=1, max_size=40).map(" ".join))
def test_any_words_are_read_or_kept_as_unread(text: str) -> None:
    """Nothing but UnreadableError comes out, and a canonical text is its own canonical text."""
    try:
        FRR.read(text)
    except UnreadableError:
        return
    once = FRR.canonical(text)
    if once:
        assert once == FRR.canonical(once)
