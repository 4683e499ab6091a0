"""Protocols by what their packets say: on any port, both families, cut anyhow; and what only looks like them."""

from __future__ import annotations

import random
from collections.abc import Callable

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
    server_hello,
)

from fwguard.model.detection import Detection

Scan = Callable[..., list[Detection]]
Lines = list[tuple[str, bytes]]

TOR_CIPHERS = (0x1301, 0x1303, 0xC02B, 0x002F, 0x00FF)
TOR_GROUPS = (0x17, 0x1D, 0x15)

SPEAKS: dict[str, tuple[str, Lines]] = {
    "smtp": (
        "smtp",
        [("s", b"220 mx.example ESMTP\r\n"), ("c", b"EHLO me.example\r\n"), ("s", b"250 mx.example\r\n")],
    ),
    "smtp-old": ("smtp", [("s", b"220-one\r\n220 two\r\n"), ("c", b"helo me\r\n"), ("s", b"250 ok\r\n")]),
    "smtp-starttls": (
        "smtp",
        [
            ("s", b"220 mx ready\r\n"),
            ("c", b"EHLO me\r\n"),
            ("s", b"250-mx\r\n250 STARTTLS\r\n"),
            ("c", b"STARTTLS\r\n"),
            ("s", b"220 go ahead\r\n"),
            ("c", handshake(1, hello("mx.example"))),
        ],
    ),
    "lmtp": ("smtp", [("s", b"220 box LMTP\r\n"), ("c", b"LHLO me\r\n"), ("s", b"250 box\r\n")]),
    "smtp-under-way": ("smtp", [("c", b"MAIL FROM:<a@b.example>\r\n"), ("s", b"250 2.1.0 ok\r\n")]),
    "smtp-tls": (
        "smtp",
        [("c", handshake(1, hello("smtp.example.org"))), ("s", handshake(2, server_hello()))],
    ),
    "irc": (
        "irc",
        [("c", b"NICK joe\r\nUSER joe 0 * :Joe\r\n"), ("s", b":irc.example 001 joe :Welcome\r\n")],
    ),
    "irc-cap": (
        "irc",
        [("c", b"CAP LS 302\r\nPASS secret\r\nNICK bot\r\n"), ("s", b":srv CAP * LS :sasl multi-prefix\r\n")],
    ),
    "irc-server-first": (
        "irc",
        [("s", b"NOTICE AUTH :*** Looking up your hostname\r\n"), ("c", b"nick joe\nuser a b c :d\n")],
    ),
    "irc-bouncer": (
        "irc",
        [
            ("c", b"PASS a/net:b\r\nNICK a\r\nUSER a 0 * :a\r\n"),
            ("s", b":irc.znc.in 464 a :Password required\r\n"),
        ],
    ),
    "irc-tags": (
        "irc",
        [
            ("c", b"PRIVMSG #chan :hello\r\n"),
            ("s", b"@time=2024-01-01T00:00:00Z :joe!u@host PRIVMSG #chan :hi\r\n"),
        ],
    ),
    "irc-link": (
        "irc",
        [
            ("c", b"PASS pw TS 6 :1AA\r\nCAPAB :QS ENCAP\r\nSERVER one.example 1 :One\r\n"),
            ("s", b"PASS pw TS 6 :2BB\r\nCAPAB :QS\r\nSERVER two.example 1 :Two\r\n"),
        ],
    ),
    "irc-alpn": (
        "irc",
        [("c", handshake(1, hello("chat.example", alpn=["irc"]))), ("s", handshake(2, server_hello()))],
    ),
    "irc-name": (
        "irc",
        [("c", handshake(1, hello("irc.example.net"))), ("s", handshake(2, server_hello()))],
    ),
    "irc-network": (
        "irc",
        [("c", handshake(1, hello("silver.libera.chat"))), ("s", handshake(2, server_hello()))],
    ),
    "irc-websocket": (
        "irc",
        [
            ("c", b"GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: text.ircv3.net\r\n\r\n"),
            ("s", b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: text.ircv3.net\r\n\r\n"),
        ],
    ),
    "socks5": (
        "socks",
        [("c", b"\x05\x01\x00"), ("s", b"\x05\x00"), ("c", b"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50")],
    ),
    "socks5-password": (
        "socks",
        [("c", b"\x05\x02\x00\x02"), ("s", b"\x05\x02"), ("c", b"\x01\x01a\x01b"), ("s", b"\x01\x00")],
    ),
    "socks5-gssapi": (
        "socks",
        [("c", b"\x05\x03\x00\x01\x02"), ("s", b"\x05\x01"), ("c", b"\x01\x01\x00\x02ab")],
    ),
    "socks5-refused": ("socks", [("c", b"\x05\x01\x02"), ("s", b"\x05\xff")]),
    "socks4": (
        "socks",
        [("c", b"\x04\x01\x00\x50\x01\x02\x03\x04joe\x00"), ("s", b"\x00\x5a\x00\x00\x00\x00\x00\x00")],
    ),
    "socks4a": (
        "socks",
        [
            ("c", b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.org\x00"),
            ("s", b"\x00\x5b\x00\x00\x00\x00\x00\x00"),
        ],
    ),
    "connect": (
        "http-proxy",
        [
            ("c", b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            ("s", b"HTTP/1.1 200 OK\r\n\r\n"),
        ],
    ),
    "connect-password": (
        "http-proxy",
        [
            ("c", b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n"),
            ("s", b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"),
        ],
    ),
    "connect-squid-says-no": (
        "http-proxy",
        [
            ("c", b"CONNECT example.org:22 HTTP/1.1\r\n\r\n"),
            ("s", b"HTTP/1.1 403 Forbidden\r\nServer: squid\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n"),
        ],
    ),
    "absolute": (
        "http-proxy",
        [
            ("c", b"GET http://example.org/a HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            ("s", b"HTTP/1.1 302 Found\r\n\r\n"),
        ],
    ),
    "tor-relay": (
        "tor",
        [
            ("c", handshake(1, hello("www.zk4xq7pd2hvw.com", ciphers=TOR_CIPHERS))),
            ("s", handshake(2, server_hello())),
            ("s", handshake(11, certificate("www.b5xk2qjz7wpvh3.net", "www.k7zq2xw4jvd.com"))),
        ],
    ),
    "tor-client": (
        "tor",
        [
            ("c", handshake(1, hello("www.p3kzvq7xw2.com", ciphers=TOR_CIPHERS, groups=TOR_GROUPS))),
            ("s", handshake(2, server_hello(0x0304))),
        ],
    ),
    "tor-directory": (
        "tor",
        [
            ("c", b"GET /tor/status-vote/current/consensus.z HTTP/1.0\r\n\r\n"),
            ("s", b"HTTP/1.0 200 OK\r\n\r\n"),
        ],
    ),
    "video-name": (
        "videochat",
        [
            ("c", handshake(1, hello("eu01web.zoom.us", alpn=["h2"]))),
            ("s", handshake(2, server_hello(0x0304))),
        ],
    ),
    "video-certificate": (
        "videochat",
        [
            ("c", handshake(1, hello(""))),
            ("s", handshake(2, server_hello())),
            ("s", handshake(11, certificate("*.meet.jit.si", "Some CA", ["*.meet.jit.si"]))),
        ],
    ),
    "stratum": (
        "mining",
        [
            ("c", b'{"id": 1, "method": "mining.subscribe", "params": ["miner/1.0"]}\n'),
            ("s", b'{"id":1,"result":[[],"00",4],"error":null}\n'),
        ],
    ),
    "stratum-cryptonote": (
        "mining",
        [
            (
                "c",
                b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4A","pass":"x","agent":"x"}}\n',
            ),
            ("s", b'{"id":1,"jsonrpc":"2.0","result":{"id":"0","job":{"blob":"06","target":"b8"}}}\n'),
        ],
    ),
    "getblocktemplate": (
        "mining",
        [
            ("c", b'POST / HTTP/1.1\r\nHost: p\r\n\r\n{"method":"getblocktemplate","params":[],"id":0}'),
            ("s", b"HTTP/1.1 200 OK\r\n\r\n{}"),
        ],
    ),
}

SILENT: dict[str, Lines] = {
    "ftp": [
        ("s", b"220 FTP ready\r\n"),
        ("c", b"USER anonymous\r\n"),
        ("s", b"331 password\r\n"),
        ("c", b"PASS a@b\r\n"),
    ],
    "ftp-tls": [("s", b"220 FTP ready\r\n"), ("c", b"AUTH TLS\r\n"), ("s", b"234 go\r\n")],
    "pop3": [("s", b"+OK POP3\r\n"), ("c", b"USER joe\r\n"), ("s", b"+OK\r\n"), ("c", b"PASS x\r\n")],
    "imap": [("s", b"* OK IMAP4rev1\r\n"), ("c", b"a1 LOGIN a b\r\n"), ("s", b"a1 OK\r\n")],
    "nntp": [("s", b"200 news\r\n"), ("c", b"MODE READER\r\n"), ("s", b"200 ok\r\n")],
    "nats": [("s", b"INFO {}\r\n"), ("c", b"CONNECT {}\r\nPING\r\n"), ("s", b"PONG\r\n")],
    "redis": [("c", b"*1\r\n$4\r\nPING\r\n"), ("s", b"+PONG\r\n")],
    "irc-one-side": [("c", b"NICK joe\r\nUSER joe 0 * :Joe\r\n"), ("s", b"HTTP/1.1 400 Bad Request\r\n\r\n")],
    "irc-web-site": [
        ("c", handshake(1, hello("www.libera.chat", alpn=["h2", "http/1.1"]))),
        ("s", handshake(2, server_hello(0x0304))),
    ],
    "http": [("c", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ("s", b"HTTP/1.1 200 OK\r\n\r\nNICK a")],
    "http-own-address": [
        ("c", b"GET http://192.0.2.10:80/desc.xml HTTP/1.1\r\nHost: 192.0.2.10\r\n\r\n"),
        ("s", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    "connect-to-a-web-server": [
        ("c", b"CONNECT example.org:443 HTTP/1.1\r\n\r\n"),
        ("s", b"HTTP/1.1 405 Method Not Allowed\r\nServer: nginx\r\n\r\n"),
    ],
    "absolute-to-a-web-server": [
        ("c", b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ("s", b"HTTP/1.1 404 Not Found\r\nServer: Apache\r\n\r\n"),
    ],
    "tls": [("c", handshake(1, hello("www.example.com"))), ("s", handshake(2, server_hello(0x0304)))],
    "tls-without-alpn": [
        ("c", handshake(1, hello("www.facebook.com", ciphers=TOR_CIPHERS))),
        ("s", handshake(2, server_hello(0x0304))),
    ],
    "tls-self-signed": [
        ("c", handshake(1, hello("www.example.com", ciphers=TOR_CIPHERS))),
        (
            "s",
            handshake(2, server_hello())
            + handshake(11, certificate("www.something.net", "www.something.net")),
        ),
    ],
    "rpc": [("c", b"\x05\x00\x0b\x03\x10\x00\x00\x00" + bytes(64)), ("s", b"\x05\x00\x0c\x03" + bytes(64))],
    "socks5-one-side": [("c", b"\x05\x01\x00"), ("s", b"\x05\x07")],
    "socks5-method-not-offered": [("c", b"\x05\x01\x02"), ("s", b"\x05\x00")],
    "socks4-one-side": [("c", b"\x04\x01\x00\x50\x01\x02\x03\x04\x00"), ("s", b"HTTP/1.1 400\r\n\r\n")],
    "json-rpc": [
        ("c", b'POST / HTTP/1.1\r\n\r\n{"jsonrpc":"2.0","method":"eth_getBlockByNumber","params":[]}'),
        ("s", b'HTTP/1.1 200 OK\r\n\r\n{"result":{}}'),
    ],
    "pool-web-site": [
        ("c", handshake(1, hello("www.nanopool.org", alpn=["h2"]))),
        ("s", handshake(2, server_hello(0x0304))),
    ],
    "ssh": [
        ("s", b"SSH-2.0-OpenSSH_9\r\n"),
        ("c", b"SSH-2.0-OpenSSH_9\r\n"),
        ("c", bytes(900)),
        ("s", bytes(900)),
    ],
    "mysql": [("s", b"J\x00\x00\x00\x0a8.0.1\x00" + bytes(60)), ("c", b"\x20\x00\x00\x01" + bytes(32))],
}


def detectors(found: list[Detection]) -> list[str]:
    """Return who spoke."""
    return [one.detector.value for one in found]


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["v4", "v6"])
def test_speaks_on_any_port_of_both_families(
    name: str, ends: tuple[str, str], wire: Wire, scan: Scan
) -> None:
    """Once, of the right ends, with packets that are of this flow."""
    detector, lines = SPEAKS[name]
    wire.talk(lines, port=31337, client=ends[0], server=ends[1], sport=50000)
    found = scan(wire)
    assert [detector] == detectors(found)
    assert (ends[0], 50000, ends[1], 31337) == (
        found[0].server, found[0].server_port, found[0].peer, found[0].peer_port,
    )  # fmt: skip
    assert found[0].packets and all(3 < number <= len(wire.frames) for number in found[0].packets)
    assert 1 == found[0].first_packet


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize("piece", [1, 3, 7])
def test_speaks_over_segment_boundaries(name: str, piece: int, wire: Wire, scan: Scan) -> None:
    """Cut into segments of a few bytes, the same is said."""
    detector, lines = SPEAKS[name]
    if sum(len(line) for _, line in lines) // piece > 150:
        piece = 9
    wire.talk(lines, port=8000, piece=piece)
    assert [detector] == detectors(scan(wire))


@pytest.mark.parametrize("name", SPEAKS)
def test_speaks_when_segments_come_late_and_twice(name: str, wire: Wire, scan: Scan) -> None:
    """Neighbouring segments exchanged and each sent twice: the same is said."""
    detector, lines = SPEAKS[name]
    wire.talk(lines, port=8000, piece=60, closed=False)
    head, body = wire.frames[:3], wire.frames[3:]
    mixed = []
    for at in range(0, len(body), 3):
        part = body[at : at + 3]
        random.Random(at).shuffle(part)
        mixed += [frame for frame in part for _ in (0, 1)]
    wire.frames = head + mixed
    assert [detector] == detectors(scan(wire))


@pytest.mark.parametrize("name", SPEAKS)
def test_speaks_without_the_opening_packets(name: str, wire: Wire, scan: Scan) -> None:
    """A copy of packets with payload alone is enough, as an edge hands them over."""
    detector, lines = SPEAKS[name]
    wire.talk(lines, port=8000, opened=False, closed=False)
    found = scan(wire)
    assert [detector] == detectors(found)


@pytest.mark.parametrize("name", SILENT)
def test_is_silent_on_what_only_looks_like_it(name: str, wire: Wire, scan: Scan) -> None:
    """Another protocol, or only one side that agrees: no verdict."""
    wire.talk(SILENT[name], port=80)
    wire.talk(SILENT[name], port=1080, opened=False)
    assert [] == detectors(scan(wire))


def test_holds_the_inside_to_account(wire: Wire, scan: Scan) -> None:
    """Of a flow from outside to a proxy of ours, ours is the server of the verdict."""
    wire.talk(SPEAKS["socks5"][1], port=1080)
    (found,) = scan(wire, "192.0.2.0/24")
    assert (SERVER, 1080, CLIENT, 1080) == (found.server, found.server_port, found.peer, found.port)
    assert "7.5" == found.clause


def test_follows_an_offer_of_dcc(wire: Wire, scan: Scan) -> None:
    """The direct connection that two IRC users agreed on is IRC too, whatever it says."""
    number = int.from_bytes(bytes((198, 51, 100, 99)), "big")
    wire.talk(
        [
            *SPEAKS["irc"][1],
            ("c", f"PRIVMSG joe :\x01DCC SEND film.bin {number} 5000 1000\x01\r\n".encode()),
        ],
        port=6667,
        closed=False,
    )
    wire.talk([("s", bytes(100))], port=5000, server="198.51.100.99")
    assert ["irc", "irc"] == detectors(scan(wire))


def test_one_side_of_a_mail_session_is_enough(wire: Wire, scan: Scan) -> None:
    """A capture of one direction still shows a greeting and an envelope."""
    wire.talk([("c", b"EHLO me.example\r\n"), ("c", b"MAIL FROM:<a@b>\r\n")], port=2525)
    wire.frames = [frame for frame in wire.frames if frame[2][26:30] == bytes((198, 51, 100, 7))]
    assert ["smtp"] == detectors(scan(wire))


def test_a_segment_with_the_syn_is_read(wire: Wire, scan: Scan) -> None:
    """Data in the SYN (TCP Fast Open) hides nothing."""
    wire.tcp(CLIENT, 1234, SERVER, 8080, 2, 1000, b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    wire.tcp(SERVER, 8080, CLIENT, 1234, 18, 5000)
    wire.tcp(SERVER, 8080, CLIENT, 1234, 24, 5001, b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert ["http-proxy"] == detectors(scan(wire))


@pytest.mark.parametrize(
    "lines",
    [
        [("c", b"PASS s3cret\r\nNICK a\r\nUSER a 0 * :a\r\n"), ("s", b":srv 001 a :hi\r\n")],
        [("c", b"GET http://joe:s3cret@example.org/ HTTP/1.1\r\n\r\n"), ("s", b"HTTP/1.1 200 OK\r\n\r\n")],
    ],
    ids=["irc", "http-proxy"],
)
def test_a_password_is_not_repeated(lines: Lines, wire: Wire, scan: Scan) -> None:
    """The reason is read by people whom it does not concern."""
    wire.talk(lines, port=8000)
    (found,) = scan(wire)
    assert "s3cret" not in str(found.reason)
