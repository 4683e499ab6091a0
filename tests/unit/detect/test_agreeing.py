"""Nobody is accused of what a stranger said to it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from wire import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    Wire,
    certificate,
    handshake,
    hello,
    rtp,
    server_hello,
    stun,
)

from fwguard.detect.engine import Engine
from fwguard.detect.flow import show
from fwguard.detect.frame import Packet
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detection
from fwguard.model.thresholds import Thresholds

OURS, OTHER, WALL = "s0", "s1", "i0"


def feed(thresholds: Thresholds, wire: Wire, ours: str = SERVER, other: str = "") -> list[Detection]:
    """Feed a wire as an edge does: what `ours` sends comes in by its port, all else by its client's firewall."""
    ports = {ours: OURS, other: OTHER}
    engine = Engine(thresholds, allowed={name: AddressSet.parse(one) for one, name in ports.items() if one})
    said: list[Detection] = []
    for number, (time_s, link, frame) in enumerate(wire.frames, 1):
        packet = engine.decoder.decode(link, frame)
        assert isinstance(packet, Packet)
        said += engine.feed(number, time_s, link, frame, ports.get(show(packet.source), WALL))
    return said + engine.finish()


def tls(name: str, *, bears: str = "", alpn: tuple[str, ...] = ()) -> list[tuple[str, bytes]]:
    """Return the handshake of a client that asks for a name, and of a server that shows a certificate."""
    answer = handshake(2, server_hello())
    if bears:
        answer += handshake(11, certificate(bears, "issuer", [bears])) + handshake(14, b"")
    return [("c", handshake(1, hello(name, alpn=alpn))), ("s", answer), ("c", handshake(16, bytes(40)))]


NAMES = ["zoom.us", "irc.libera.chat", "stratum.nicehash.com", "smtp.example.org"]
TRICKS: dict[str, list[tuple[str, bytes]]] = {
    **{name: tls(name, bears="www.victim.example") for name in NAMES},
    "absolute": [("c", b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n"),
                 ("s", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nwelcome")],
    "miner": [("c", b'{"id":1,"method":"mining.subscribe","params":[]}\n'), ("s", b"what?\n")],
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["v4", "v6"])
def test_a_stranger_cannot_have_a_server_accused(
    thresholds: Thresholds, trick: str, client: str, server: str
) -> None:
    """By names that it asks for, whole addresses, or a miner's words."""
    wire = Wire()
    wire.talk(TRICKS[trick], port=443, client=client, server=server)
    assert [] == feed(thresholds, wire, server)


@pytest.mark.parametrize("trick", TRICKS)
def test_who_says_the_same_itself_is_accused(thresholds: Thresholds, trick: str) -> None:
    """Our server as the one that calls."""
    wire = Wire()
    wire.talk(TRICKS[trick], port=443, client=SERVER, server=CLIENT)
    assert [(SERVER, OURS)] == [(one.server, one.ingress) for one in feed(thresholds, wire)]


def test_a_certificate_is_a_servers_own_word(thresholds: Thresholds) -> None:
    """A network of IRC that is ours."""
    wire = Wire()
    wire.talk(tls("irc.example.org", bears="irc.example.org"), port=6697)
    assert [("irc", SERVER)] == [(one.detector.value, one.server) for one in feed(thresholds, wire)]


def test_media_that_nobody_answers_in_kind_accuse_nobody(thresholds: Thresholds) -> None:
    """A name server that is sent media says that it does not understand: its words begin as the question did."""
    wire = Wire()
    for number in range(10):
        wire.say(CLIENT, 5004, SERVER, 53, rtp(number))
        wire.say(SERVER, 53, CLIENT, 5004, rtp(number)[:2] + b"\x80\x01" + bytes(8))
    wire.say(CLIENT, 5005, SERVER, 53, stun(0x0001, [(0x0006, b"a:b"), (0x0024, bytes(4))]))
    wire.say(CLIENT, 5005, SERVER, 53, stun(0x0001, [(0x0006, b"a:b"), (0x0024, bytes(4))]))
    wire.say(SERVER, 53, CLIENT, 5005, b"\x00\x01\x80\x01" + bytes(8))
    assert [] == feed(thresholds, wire)


def test_a_call_that_ours_takes_is_seen_though_it_waits(thresholds: Thresholds) -> None:
    """The other side speaks first and alone; then ours answers in kind."""
    wire = Wire()
    for number in range(6):
        wire.say(CLIENT, 5004, SERVER, 40000, rtp(number))
    for number in range(6, 10):
        wire.say(SERVER, 40000, CLIENT, 5004, rtp(number, ssrc=7))
        wire.say(CLIENT, 5004, SERVER, 40000, rtp(number))
    (one,) = feed(thresholds, wire)
    assert ("videochat", SERVER, OURS, 40000) == (one.detector.value, one.server, one.ingress, one.port)


def test_what_passes_between_strangers_is_nobodys(thresholds: Thresholds) -> None:
    """Both ends come in by ports that speak for everyone."""
    wire = Wire()
    wire.talk([("c", b"\x05\x01\x00"), ("s", b"\x05\x00")], port=1080, client=CLIENT, server="203.0.113.5")
    assert [] == feed(thresholds, wire)


def test_a_proxy_that_is_ours_is_accused_whoever_calls(thresholds: Thresholds) -> None:
    """It said yes itself."""
    wire = Wire()
    wire.talk([("c", b"\x05\x01\x00"), ("s", b"\x05\x00")], port=1080)
    wire.talk(
        [("c", b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"), ("s", b"HTTP/1.1 200 OK\r\n\r\n")], port=3128
    )
    assert ["socks", "http-proxy"] == [one.detector.value for one in feed(thresholds, wire)]


def test_an_offer_over_irc_accuses_no_one_whom_it_names(thresholds: Thresholds) -> None:
    """A user of IRC offers a connection to another server's port; only one to the user itself would count."""
    attacker = "203.0.113.9"
    for named, said in ((SERVER, 1), (attacker, 2)):
        wire = Wire()
        number = int.from_bytes(ip_address(named).packed, "big")
        offer = f"PRIVMSG joe :\x01DCC SEND film.bin {number} 5000 1000\x01\r\n".encode()
        wire.talk(
            [("c", b"NICK ann\r\nUSER ann 0 * :Ann\r\n"), ("s", b":irc.example 001 ann :Welcome\r\n"), ("c", offer)],
            port=6667, client=attacker, server=CLIENT, closed=False,
        )  # fmt: skip
        wire.talk([("s", bytes(100))], port=5000, client=CLIENT, server=named)
        found = feed(thresholds, wire, SERVER, attacker)
        assert [(attacker, OTHER)] * said == [(one.server, one.ingress) for one in found]
