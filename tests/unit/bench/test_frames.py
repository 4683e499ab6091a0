"""SYN frames: as another program would write them, and their numbers read back."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from fwguard.bench.frames import number_of, syn, syn_frames

MACS = {"source_mac": "02:00:00:00:00:01", "target_mac": "02:00:00:00:00:02"}


@pytest.mark.parametrize(
    "network",
    [
        IP(src="198.51.100.2", dst="198.18.1.7", flags="DF", id=0),
        IPv6(src="2001:db8:ff::2", dst="2001:db8::1:7"),
    ],
    ids=["v4", "v6"],
)
def test_a_frame_is_what_scapy_writes(network: IP | IPv6) -> None:
    """Headers and both checksums."""
    tcp = TCP(sport=1024, dport=8000, seq=1, flags="S", window=64240)
    wanted = bytes(Ether(src=MACS["source_mac"], dst=MACS["target_mac"]) / network / tcp)
    assert [wanted] == syn_frames([(network.src, network.dst, 1024, 8000)], **MACS)


@pytest.mark.parametrize(
    ("source", "target"), [("198.51.100.2", "198.18.0.1"), ("2001:db8:ff::2", "2001:db8::1")]
)
def test_the_number_of_a_syn_is_read_back(source: str, target: str) -> None:
    """Of v4 and v6."""
    assert 0xDEADBEEF == number_of(bytes(12) + syn(source, target, 1024, 8000, 0xDEADBEEF))


def test_other_frames_have_no_number() -> None:
    """ARP, a frame that is cut, and a TCP packet that begins nothing."""
    frame = bytearray(bytes(12) + syn("198.51.100.2", "198.18.0.1", 1024, 8000, 7))
    answer = bytes(frame[:47]) + b"\x12" + bytes(frame[48:])
    found = [number_of(one) for one in (bytes(12) + b"\x08\x06" + bytes(46), bytes(frame[:40]), answer)]
    assert [None, None, None] == found
