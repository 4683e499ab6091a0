"""Turning to a new generation under traffic: what both allow loses no packet, what neither allows never passes."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_judge import EdgeJudge
from edge_states import large_state

from fwguard.compile.changes import change_texts
from fwguard.compile.compiled import Compiled, compile_edge, first_load_text
from fwguard.model.address import AddressSet
from fwguard.model.edge import EdgeState
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import EdgeOpening
from fwguard.model.packet import Packet
from fwguard.model.ports import TCP

pytestmark = pytest.mark.integration

NOW_S = 1_800_000_000
TARGETS = {4: ("198.51.100.10", "198.18.0.0"), 6: ("2001:db8:ffff::10", "2001:db8:0::9")}
OTHERS = 400  # ranged openings that change each time, of the same addresses


def ranged(state: EdgeState, turn: int) -> Compiled:
    """Compile a state whose openings of ports 8000-8100 stay, while all others of those addresses move."""
    openings = []
    for _, target in TARGETS.values():
        span = Span.parse(target)
        sources = AddressSet.parse("198.51.100.0/24", "2001:db8:ffff::/48")
        openings.append(
            EdgeOpening(
                port=1,
                public=span,
                protocol=TCP,
                first_port=8000,
                last_port=8100,
                sources=sources,
                ticket="S",
            )
        )
        openings += [
            EdgeOpening(port=1, public=span, protocol=TCP, first_port=10000 + n * 10 + turn, last_port=10005 + n * 10,
                        ticket=f"N{turn}-{n}")
            for n in range(OTHERS)
        ]  # fmt: skip
    return compile_edge(replace(state, openings=tuple(openings), generation=turn), now_s=NOW_S)


def came_out(edge: EdgeJudge) -> set[int]:
    """Return the numbers of the packets that wait at any wire, sent by the edge."""
    found: set[int] = set()
    ready, _, _ = select.select(list(edge.wires.values()), [], [], 0.02)
    for wire in ready:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, sender = wire.recvfrom(2048)
                if sender[2] != socket.PACKET_OUTGOING and data[-9:-4] == b"judge":
                    found.add(int.from_bytes(data[-4:], "big"))
    return found


@pytest.mark.parametrize("structural", [False, True])
def test_no_allowed_packet_is_lost_and_no_other_passes(structural: bool) -> None:
    """New connections, v4 and v6, at full speed while shards flip, or every rule is written anew."""
    state = large_state(2, 0)
    generations = [ranged(state, turn) for turn in range(4)]
    if structural:
        watch = replace(state.controls.watch, refusals_per_s=77)
        other = replace(state, controls=replace(state.controls, watch=watch))
        generations = [ranged(other if turn % 2 else state, turn) for turn in range(4)]
    with EdgeJudge(state) as edge:
        edge.load(first_load_text(generations[0], now_s=NOW_S))
        stop = threading.Event()
        packets: list[Packet] = []
        arrived: set[int] = set()

        def traffic() -> None:
            while not stop.is_set():
                for version, allowed in ((4, True), (6, True), (4, False), (6, False)):
                    number = len(packets)
                    source, target = TARGETS[version]
                    dport = 8000 + number % 100 if allowed else 9000 + number % 100
                    packets.append(
                        Packet(source=source, target=target, protocol=TCP, sport=1024 + number % 60000, dport=dport,
                               ingress="uplink")
                    )  # fmt: skip
                    edge._send(packets[-1], number)

        def receiving() -> None:
            while not stop.is_set():
                arrived.update(came_out(edge))

        threads = [threading.Thread(target=traffic), threading.Thread(target=receiving)]
        for thread in threads:
            thread.start()
        try:
            for before, after in pairwise(generations):
                time.sleep(0.2)
                for text in change_texts(before, after, now_s=NOW_S):
                    edge.load(text)
            time.sleep(0.2)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        time.sleep(0.1)
        arrived.update(came_out(edge))
    allowed_ones = {index for index, packet in enumerate(packets) if packet.dport < 9000}
    assert len(packets) > 1000
    assert (set(), set()) == (allowed_ones - arrived, arrived - allowed_ones)
