"""Frames of a host that claims another's address."""

from __future__ import annotations

import pytest

from fwguard.detect.frame import Decoder
from fwguard.detect.neighbours import Neighbour
from fwguard.lab.false_neighbour import claim, question

MAC, VICTIM_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"


@pytest.mark.parametrize(
    ("own", "claimed", "victim", "protocol"),
    [("10.20.0.11", "10.20.0.1", "10.20.0.99", "arp"), ("fd20::11", "fd20::1", "fd20::99", "nd")],
)
def test_both_families_ask_and_claim(own: str, claimed: str, victim: str, protocol: str) -> None:
    """A question that names its own address truly, and an answer to the victim that lies."""
    decoder = Decoder()
    asked = decoder.decode(1, bytes(question(own, MAC, claimed)))
    told = decoder.decode(1, bytes(claim(MAC, claimed, victim, VICTIM_MAC)))
    assert isinstance(asked, Neighbour)
    assert isinstance(told, Neighbour)
    assert (protocol, False, True) == (asked.protocol, asked.answers, told.answers)
    assert asked.mac == told.mac == told.frame_mac == bytes.fromhex(MAC.replace(":", ""))
    assert told.frame_target == bytes.fromhex(VICTIM_MAC.replace(":", ""))
    assert asked.ip != told.ip
