"""Which connections are meant."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from fwguard.errors import InputError
from fwguard.kernel.conntrack import End, Flow, FlowMatch


def _flow(source: str, target: str, behind: str, port: int, real_port: int) -> Flow:
    one, two, three = (ipaddress.ip_address(text).packed for text in (source, target, behind))
    ends = End(one, 40_000), End(two, port), End(three, real_port), End(one, 40_000)
    return Flow(9, 6, *ends, 2, b"", b"", b"")


_V4 = _flow("198.51.100.7", "192.0.2.1", "10.0.0.10", 8080, 80)
_V6 = _flow("2001:db8::7", "2001:db8:1::1", "fd00::10", 8080, 80)


def _read(fields: dict[str, Any]) -> dict[str, Any]:
    networks = ("address", "source", "target")
    return {
        name: ipaddress.ip_network(value) if name in networks else value for name, value in fields.items()
    }


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"zone": 9}, (True, True)),
        ({"zone": 8}, (False, False)),
        ({"address": "10.0.0.10/32"}, (True, False)),
        ({"address": "198.51.100.0/24"}, (True, False)),
        ({"address": "fd00::/64"}, (False, True)),
        ({"source": "192.0.2.1/32"}, (False, False)),
        ({"target": "2001:db8:1::1/128"}, (False, True)),
        ({"port": 80}, (True, True)),
        ({"port": 8080, "protocol": 6, "zone": 9}, (True, True)),
        ({"port": 40_000}, (False, False)),
        ({"source_port": 40_000}, (True, True)),
        ({"protocol": 17}, (False, False)),
    ],
)
def test_what_is_given_must_hold(fields: dict[str, Any], wanted: tuple[bool, bool]) -> None:
    """An address matches on any side, before or after NAT; v4 and v6 alike."""
    match = FlowMatch(**_read(fields))
    assert wanted == (match.matches(_V4), match.matches(_V6))


@pytest.mark.parametrize("bad", [{}, {"port": 70_000}, {"zone": -1}, {"protocol": 256}])
def test_no_match_of_everything_and_no_number_out_of_range(bad: dict[str, Any]) -> None:
    """Ending every connection of the host is never what was meant."""
    with pytest.raises(InputError):
        FlowMatch(**bad)


def test_two_families_in_one_match_are_refused() -> None:
    """No connection has both."""
    v4, v6 = ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")
    with pytest.raises(InputError, match="one family"):
        FlowMatch(source=v4, target=v6)
