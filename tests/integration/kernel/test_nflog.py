"""Logged packets, read from a real kernel."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from fwguard.errors import ConflictError, InputError
from fwguard.kernel.nflog import LoggedPacket, PacketLog
from fwguard.kernel.ruleset import apply, compile_text

pytestmark = pytest.mark.integration
_TEXT = """table inet edge {
    chain input {
        type filter hook input priority 0; policy accept;
        udp dport 9999 meta mark set 7 log prefix "réfusé" group 9 snaplen 40
        udp dport 9998 log group 10
    }
}
"""


def _send(wire: Any, family: int, count: int = 1, *, port: int = 9999, size: int = 100) -> None:
    sender = wire.open_socket(wire.peer, family, socket.SOCK_DGRAM)
    address = "10.9.0.1" if family == socket.AF_INET else "fd09::1"
    for number in range(count):
        sender.sendto(number.to_bytes(4, "big").ljust(size, b"x"), (address, port))


def _read(log: PacketLog, count: int, within_s: float = 3.0) -> list[tuple[bytes, LoggedPacket]]:
    found: list[tuple[bytes, LoggedPacket]] = []
    deadline = time.monotonic() + within_s
    while len(found) < count and time.monotonic() < deadline:
        found += [(bytes(packet.payload), packet) for packet in log.packets(0.2)]
    return found


@pytest.fixture
def ruled(wire: Any) -> Any:
    """The wire, with rules that log."""
    apply(wire.netlink(), compile_text(_TEXT))
    return wire


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_packet_is_seen_with_all_that_is_known_of_it(ruled: Any, family: socket.AddressFamily) -> None:
    """Prefix, port, sender's MAC, Ethernet header, mark and time; the payload is cut at the rule's snaplen."""
    with PacketLog(9, netns=ruled.edge) as log:
        _send(ruled, family)
        [(payload, packet)] = _read(log, 1)
        ethertype = 0x0800 if family == socket.AF_INET else 0x86DD
        assert (40, 4 if family == socket.AF_INET else 6) == (len(payload), payload[0] >> 4)
        assert ("réfusé", 7, 0, 1, ethertype) == (
            packet.prefix,
            packet.mark,
            packet.oif,
            packet.hook,
            packet.ethertype,
        )
        assert packet.iif > 0
        assert (6, 14) == (len(packet.mac), len(packet.hw_header))
        assert packet.mac == bytes(packet.hw_header[6:12])
        assert abs(time.time() - packet.taken_s) < 5


def test_an_urgent_packet_comes_at_once_and_a_bulk_one_by_its_timeout(ruled: Any) -> None:
    """The kernel's own default would keep both for a second."""
    with (
        PacketLog(9, netns=ruled.edge) as urgent,
        PacketLog(10, netns=ruled.edge, threshold=50, timeout_ms=200) as bulk,
    ):
        began = time.monotonic()
        _send(ruled, socket.AF_INET)
        assert 1 == len(_read(urgent, 1))
        assert time.monotonic() - began < 0.15
        began = time.monotonic()
        _send(ruled, socket.AF_INET, port=9998)
        assert 1 == len(_read(bulk, 1))
        assert 0.1 < time.monotonic() - began < 0.9


def test_many_packets_in_one_message_come_in_order(ruled: Any) -> None:
    """At a threshold of 50 nothing is lost and nothing is doubled."""
    with PacketLog(10, netns=ruled.edge, threshold=50, snaplen_bytes=64) as log:
        _send(ruled, socket.AF_INET, 500, port=9998)
        found = _read(log, 500)
        assert list(range(500)) == [int.from_bytes(payload[28:32], "big") for payload, _ in found]
        assert (0, 0) == (log.lost, log.overflows)


def test_what_did_not_fit_is_counted(ruled: Any) -> None:
    """Nobody read for a while: the overflow is seen, and the gap has its size."""
    with PacketLog(10, netns=ruled.edge, receive_bytes=8192) as log:
        _send(ruled, socket.AF_INET, 400, port=9998, size=1200)
        seen = len(_read(log, 400, within_s=0.5))
        _send(ruled, socket.AF_INET, 1, port=9998)
        seen += len(_read(log, 1))
        assert log.overflows > 0
        assert (401, True) == (seen + log.lost, log.lost > 0)


def test_a_group_has_one_reader(ruled: Any) -> None:
    """The second is told; when the first is gone the group is free."""
    with PacketLog(9, netns=ruled.edge), pytest.raises(ConflictError, match="group 9"):
        PacketLog(9, netns=ruled.edge)
    PacketLog(9, netns=ruled.edge).close()


@pytest.mark.parametrize(
    "bad", [{"group": 70_000}, {"group": 1, "threshold": 0}, {"group": 1, "buffer_bytes": 100}]
)
def test_values_out_of_range_are_refused(bad: dict[str, int]) -> None:
    """Before a socket is opened."""
    with pytest.raises(InputError):
        PacketLog(**bad)  # type: ignore[arg-type]
