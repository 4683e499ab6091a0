"""Answers from ports that no approved opening covers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edge_states import CONTROLS, port
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import ACK, CLIENT, CLIENT6, RST, SERVER, SERVER6, SYN, Wire

from fwguard.detect.engine import Engine
from fwguard.detect.flow import show
from fwguard.detect.unapproved_opening import Approved
from fwguard.detect.words import say
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.detection import Detection, Detector
from fwguard.model.edge import EdgeArchitecture, EdgeState, PortKind, Template
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import ClientShare, EdgeOpening, Transfer
from fwguard.model.inventory import Language
from fwguard.model.ports import TCP, UDP
from fwguard.model.thresholds import Thresholds

START_S = 1_700_000_000
OUTER, UPLINK = "o1", "uplink"


def state(*openings: EdgeOpening, **changes: object) -> EdgeState:
    """Return an edge with one firewall whose outside holds the server's addresses."""
    whole = EdgeState(
        edge="edge1", epoch=1, generation=1, uplinks=(UPLINK,), uplink_bps=10**9,
        ports=(
            port(1, OUTER, PortKind.FIREWALL_OUT, "c1", SERVER, SERVER6, zone=2),
            port(2, "i1", PortKind.FIREWALL_IN, "c1", "10.20.0.1", zone=1),
        ),
        architectures=(EdgeArchitecture(name="c1", client="c1"),),
        openings=openings,
        shares=(ClientShare(client="c1", number=16, assured_bps=10**6),),
        controls=CONTROLS,
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def opening(public: str, first: int, last: int = 0, **changes: object) -> EdgeOpening:
    """Return an approved opening of TCP ports to anyone."""
    one = EdgeOpening(
        port=1,
        public=Span.parse(public),
        protocol=TCP,
        first_port=first,
        last_port=last or first,
        ticket="T1",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def run(
    thresholds: Thresholds, wire: Wire, held: EdgeState, ours: tuple[str, ...] = (SERVER, SERVER6)
) -> list[Detection]:
    """Feed a wire as an edge does: what our addresses send comes in by the outer port."""
    engine = Engine(thresholds, approved=Approved.of(held))
    packed = {AddressSet.parse(one).texts()[0] for one in ours}
    said: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        decoded = engine.decoder.decode(link, frame)
        source = getattr(decoded, "source", b"")
        text = AddressSet.parse(show(source)).texts()[0] if source else ""
        said += engine.feed(number, time_s, link, frame, OUTER if text in packed else UPLINK)
    said += engine.finish()
    return [one for one in said if one.detector is Detector.UNAPPROVED_OPENING]


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_an_answer_that_nobody_approved_speaks(thresholds: Thresholds, client: str, server: str) -> None:
    """Who, which port, by which port of the edge, with call and answer as proof, in both languages."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080, client=client, server=server)
    (one,) = run(thresholds, wire, state())
    assert (server, client, 8080, "tcp", "7.1.1") == (
        one.server,
        one.peer,
        one.port,
        one.protocol,
        one.clause,
    )
    assert (OUTER, (1, 2)) == (one.ingress, one.packets)
    assert say(one.reason, Language.EN).startswith(f"port 8080 of {server} answered 1 times")
    assert say(one.reason, Language.FR).startswith(f"le port 8080 de {server} a répondu 1 fois")


@pytest.mark.parametrize(
    "held",
    [
        opening(SERVER, 8080),
        opening(SERVER, 8000, 8999),
        opening(SERVER, 8080, sources=AddressSet.parse("198.51.100.0/24")),
        opening(SERVER, 8080, ends_at_s=START_S + 60),
    ],
)
def test_what_an_opening_covers_is_silent(thresholds: Thresholds, held: EdgeOpening) -> None:
    """One port, a range, a source that may, before its end."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    assert [] == run(thresholds, wire, state(held))


@pytest.mark.parametrize(
    "held",
    [
        opening(SERVER, 8081),
        opening(SERVER, 8080, protocol=UDP),
        opening(SERVER, 8080, sources=AddressSet.parse("203.0.113.0/24")),
        opening(SERVER, 8080, ends_at_s=START_S),
        opening(SERVER6, 8080),
    ],
)
def test_an_opening_of_something_else_covers_nothing(thresholds: Thresholds, held: EdgeOpening) -> None:
    """Another port, protocol, source, address; or one that has ended."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    assert 1 == len(run(thresholds, wire, state(held)))


def test_refusals_are_no_answers(thresholds: Thresholds) -> None:
    """A reset, an ICMP error and a bare acknowledgement say that nothing is open."""
    wire = Wire()
    for port_number, flags in ((81, RST | ACK), (82, ACK)):
        wire.tcp(CLIENT, 40000, SERVER, port_number, SYN, 7)
        wire.tcp(SERVER, port_number, CLIENT, 40000, flags, 9)
    wire.icmp(SERVER, CLIENT, 3, 1, bytes(28))
    assert [] == run(thresholds, wire, state())


def test_what_the_server_began_itself_may_be_answered(thresholds: Thresholds) -> None:
    """Its own calls out need no opening, by TCP or UDP; nor does a flow whose beginning nobody saw."""
    wire = Wire()
    wire.talk(
        [("c", b"GET / HTTP/1.0\r\n\r\n"), ("s", b"HTTP/1.0 200 OK\r\n\r\n")],
        port=80,
        client=SERVER,
        server=CLIENT,
    )
    wire.say(SERVER, 40001, CLIENT, 53, b"question")
    wire.say(CLIENT, 53, SERVER, 40001, b"answer")
    wire.talk([("c", b"late"), ("s", b"late")], port=8080, opened=False)
    assert [] == run(thresholds, wire, state())


def test_a_datagram_that_answers_a_stranger_speaks(thresholds: Thresholds) -> None:
    """UDP has no handshake: the first reply is the answer."""
    wire = Wire()
    wire.say(CLIENT, 40000, SERVER, 161, b"question")
    wire.say(SERVER, 161, CLIENT, 40000, b"answer")
    (one,) = run(thresholds, wire, state())
    assert ("udp", 161, SERVER) == (one.protocol, one.port, one.server)


def test_nobody_is_blamed_for_an_answer_of_another(thresholds: Thresholds) -> None:
    """A forged answer that comes in by an inner port or the uplink is not of the outer port."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    assert [] == run(thresholds, wire, state(), ours=("203.0.113.99",))


@pytest.mark.parametrize(("client", "server", "said"), [(CLIENT, SERVER, 1), (SERVER, CLIENT, 0)])
@pytest.mark.parametrize("first", ["c", "s"])
def test_the_kernel_says_who_began(
    thresholds: Thresholds, client: str, server: str, said: int, first: str
) -> None:
    """An edge copies packets with payload alone: no SYN is seen, and a server may be the first to speak."""
    wire = Wire()
    lines = [(first, b"SSH-2.0-one\r\n"), ("s" if first == "c" else "c", b"SSH-2.0-two\r\n")]
    wire.talk(lines, port=22, client=client, server=server, opened=False, closed=False)
    engine = Engine(thresholds, approved=Approved.of(state()))
    found: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        replies = frame[26:30] == bytes(int(part) for part in server.split("."))
        ingress = OUTER if frame[26:30] == bytes((192, 0, 2, 10)) else UPLINK
        found += engine.feed(number, time_s, link, frame, ingress, reply=replies)
    assert said == len(found)


def test_our_own_monitoring_is_silent(thresholds: Thresholds) -> None:
    """It may reach every port (clause 7.10)."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    assert [] == run(thresholds, wire, state(monitoring=AddressSet.parse("198.51.100.7")))


def test_a_client_that_leaves_has_its_transfers_only(thresholds: Thresholds) -> None:
    """Openings of before no longer count (clause 13.2)."""
    transfer = Transfer(
        public=Span.parse(SERVER), protocol=TCP, first_port=22, last_port=22, sources=ANY_ADDRESS
    )
    leaving = EdgeArchitecture(
        name="c1", client="c1", template=Template.RETRIEVAL, retrieval_ends_at_s=START_S + 3600,
        transfers=(transfer,),
    )  # fmt: skip
    wire = Wire()
    for number in (22, 8080):
        wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=number)
    said = run(thresholds, wire, state(opening(SERVER, 8080), architectures=(leaving,)))
    assert [8080] == [one.port for one in said]


def test_a_development_answers_its_own_sources_only(thresholds: Thresholds) -> None:
    """Whatever an opening says (annex 2)."""
    own = EdgeArchitecture(
        name="c1", client="c1", template=Template.DEVELOPMENT, own_sources=AddressSet.parse("203.0.113.0/24")
    )
    wire = Wire()
    for client in ("203.0.113.5", CLIENT):
        wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080, client=client)
    said = run(thresholds, wire, state(opening(SERVER, 8080), architectures=(own,)))
    assert [CLIENT] == [one.peer for one in said]


def test_one_port_speaks_once_in_a_while(thresholds: Thresholds) -> None:
    """A busy port is one verdict a window, not one a connection."""
    wire = Wire()
    for _ in range(20):
        wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    wire.wait(thresholds.unapproved.window_s + 1)
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    assert 2 == len(run(thresholds, wire, state()))


def test_a_capture_knows_no_openings(thresholds: Thresholds) -> None:
    """Without an edge's state no answer is judged."""
    wire = Wire()
    wire.talk([("c", b"hello\r\n"), ("s", b"hello\r\n")], port=8080)
    engine = Engine(thresholds)
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        assert not engine.feed(number, time_s, link, frame, OUTER)


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(1, 65535),
    width=st.integers(0, 300),
    asked=st.integers(1, 65535),
    source=st.integers(0, 255),
)
def test_it_covers_what_the_opening_says(first: int, width: int, asked: int, source: int) -> None:
    """The same as reading the opening by hand."""
    last = min(65535, first + width)
    held = state(opening(SERVER, first, last, sources=AddressSet.parse("198.51.100.0/25")))
    answer = Approved.of(held).covers_answer(
        OUTER, TCP, bytes((192, 0, 2, 10)), asked, bytes((198, 51, 100, source)), START_S
    )
    assert (first <= asked <= last and source < 128) == answer
