"""Values as registers."""

from __future__ import annotations

import ipaddress
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.errors import InputError
from fwguard.kernel import keys as k


@given(st.lists(st.binary(min_size=1, max_size=16), min_size=2, max_size=5))
def test_each_part_of_a_concatenation_begins_on_a_register(parts: list[bytes]) -> None:
    """Part after part stands at a multiple of four bytes, with zeros behind."""
    joined, at = k.concat(*parts), 0
    for part in parts:
        room = (len(part) + 3) // 4 * 4
        assert part + b"\0" * (room - len(part)) == joined[at : at + room]
        at += room
    assert len(joined) == at


def test_a_plain_key_is_not_padded() -> None:
    """A port alone is two bytes, as the set declares it."""
    assert b"\x01\xbb" == k.concat(k.port(443))


@given(st.ip_addresses())
def test_addresses_stand_in_network_order(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """v4 and v6 alike."""
    assert address.packed == k.address(str(address))


@given(st.ip_addresses(v=4))
def test_behind_an_address_stands_the_next(address: ipaddress.IPv4Address) -> None:
    """Behind the last there is none."""
    following = int(address) + 1
    wanted = None if following == 1 << 32 else ipaddress.IPv4Address(following).packed
    assert wanted == k.after(address.packed)


def test_marks_stand_in_the_hosts_order() -> None:
    """A mark is a number of this machine, not of the wire."""
    assert (0x10002).to_bytes(4, sys.byteorder) == k.mark(0x10002)


def test_an_interface_fills_sixteen_bytes() -> None:
    """IFNAMSIZ, zeros behind."""
    assert b"srv-17" + bytes(10) == k.interface("srv-17")


@pytest.mark.parametrize(
    "bad",
    [
        lambda: k.ipv4("192.0.2.256"), lambda: k.ipv6("192.0.2.1"), lambda: k.address("x"), lambda: k.port(70_000),
        lambda: k.port(-1), lambda: k.protocol("ospf6"), lambda: k.protocol(256), lambda: k.ether("02:00:5e:10:00"),
        lambda: k.ether("02:00:5e:10:00:zz"), lambda: k.interface("a-name-that-is-too-long"), lambda: k.interface(""),
        lambda: k.mark(1 << 32),
    ],
)  # fmt: skip
def test_what_is_no_such_value_is_refused(bad: object) -> None:
    """Each error says what was expected."""
    with pytest.raises(InputError, match="expected"):
        bad()  # type: ignore[operator]
