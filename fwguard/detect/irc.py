"""IRC of any kind: clients, bots, bouncers, server links, DCC, IRC over TLS and over WebSocket.

In clear both sides must agree: a command of a client or a server link, and a line that only an IRC server
says. Sources: RFC 1459 sections 2.3 and 4.1, RFC 2812 and 2813, ircv3.net (capability negotiation, message
tags, WebSocket subprotocols), the CTCP and DCC notes of the IRC community, IANA's ALPN registry ("irc").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side, quote
from fwguard.detect.names import known, spoken_names
from fwguard.model.detection import Reason

_START: Final = rb"^(?:@[^ \r\n]{1,512} )?"
_CLIENT: Final = re.compile(
    _START + rb"(?::[^ \r\n]{1,128} )?(?:NICK [^ \r\n]+|USER [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ |PASS [^\r\n]+"
    rb"|CAP (?:LS|REQ|LIST|END)|AUTHENTICATE [^ \r\n]+|WEBIRC [^ \r\n]+ [^ \r\n]+ "
    rb"|JOIN [#&+!][^ \r\n]|PRIVMSG [^ \r\n]+ :?|NOTICE [^ \r\n]+ :|MODE [^ \r\n]+|PONG :?[^ \r\n]+"
    rb"|PROTOCTL [A-Z]|CAPAB |SERVER [^ \r\n]+\.[^ \r\n]+ )",
    re.IGNORECASE | re.MULTILINE,
)
_SERVER: Final = re.compile(
    _START + rb"(?::[^ \r\n:]{1,128} (?:[0-9]{3} |NOTICE |PRIVMSG |JOIN |MODE |CAP |PONG |NICK |QUIT |PART "
    rb"|TOPIC |KICK |INVITE |AUTHENTICATE )"
    rb"|NOTICE (?:AUTH|\*) :|ERROR :(?:Closing|Your|\[|Trying|You|Access|Reconnect)|AUTHENTICATE \+"
    rb"|PROTOCTL [A-Z]|CAPAB |SERVER [^ \r\n]+\.[^ \r\n]+ |PASS [^\r\n]+ TS )",
    re.IGNORECASE | re.MULTILINE,
)
_PING: Final = re.compile(rb"PING :?[^ \r\n]+\r?\n")
_WEBSOCKET: Final = re.compile(rb"^Sec-WebSocket-Protocol:[^\r\n]*(?:text|binary)\.ircv3\.net", re.I | re.M)
_UPGRADED: Final = re.compile(rb"HTTP/1\.[01] 101")
_SECRET: Final = re.compile(r"(?:@\S+ )?(?::\S+ )?(?:PASS|AUTHENTICATE|WEBIRC) ", re.IGNORECASE)
_WORD: Final = re.compile(rb"[@:A-Za-z]")
_LABELS: Final = re.compile(r"(?:irc|ircs|irc[0-9]|irc-[a-z0-9-]+|[a-z0-9-]+-irc)")
_LINE_BYTES: Final = 600
_DCC: Final = re.compile(
    rb"\x01DCC (CHAT|SEND|XMIT|FILE|SSEND|SCHAT) (?:\"[^\"\r\n]{1,255}\"|[^ \r\n]{1,255}) "
    rb"([0-9]{1,10}|[0-9A-Fa-f:]{2,39}) ([0-9]{1,5})"
)


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """A client's (or linking server's) command, and a line that only an IRC server says."""
    said, replied = client.head, server.head
    if said.startswith(b"GET /"):
        return _over_websocket(client, server, final)
    if (said and not _WORD.match(said)) or (replied and not _WORD.match(replied)):
        return NEVER
    command, answer = _CLIENT.search(said, 0, _LINE_BYTES), _SERVER.search(replied, 0, _LINE_BYTES)
    if command and answer:
        key = "irc-link" if b"SERVER" in command[0].upper() and b"SERVER" in answer[0].upper() else "irc"
        facts = (("said", _shown(said[command.start() :])), ("replied", quote(replied[answer.start() :])))
        return Proof(Reason(key, facts), (*client.numbers[:3], *server.numbers[:3]))
    never = (
        final
        or (not command and len(said) > _LINE_BYTES)
        or (not answer and len(replied) > _LINE_BYTES and not _PING.match(replied))
        or (not command and b"\n" in said and client.payloads > 4)
    )
    return NEVER if never else WAIT


def _shown(said: bytes | bytearray) -> str:
    """Return the line without what is secret in it (clause 15: evidence is cut to what is needed)."""
    words = quote(said)
    secret = _SECRET.match(words)
    return f"{secret[0]}***" if secret else words


def _over_websocket(client: Side, server: Side, final: bool) -> Proof | Opinion:
    wanted = _WEBSOCKET.search(client.head)
    if wanted and _UPGRADED.match(server.head):
        reason = Reason("irc-websocket", (("said", quote(wanted[0])),))
        return Proof(reason, (*client.numbers[:1], *server.numbers[:1]))
    return NEVER if final or (not wanted and b"\r\n\r\n" in client.head) else WAIT


def judge_tls(
    suffixes: frozenset[str], flow: Flow, client: Side, server: Side, final: bool
) -> Proof | Opinion:
    """The ALPN "irc", or the name of an IRC host, and a server that took the handshake up."""
    hello, flight = flow.hello, flow.server_flight
    if hello is None or flight is None:
        return NEVER if final else WAIT
    names = spoken_names(flow)
    name = next((one for one in names if known(one, suffixes) or _is_irc(one)), "")
    # `www.` of a network is its web site: a browser says so by its ALPN.
    web = "h2" in hello.alpn or "http/1.1" in hello.alpn
    if flight.hello and ("irc" in hello.alpn or (name and (not web or _is_irc(name)))):
        reason = Reason("irc-tls", (("name", name or "ALPN irc"),))
        return Proof(reason, (*client.numbers[:1], *server.numbers[:2]))
    return NEVER if final or flight.whole else WAIT


def _is_irc(name: str) -> bool:
    return bool(_LABELS.fullmatch(name.partition(".")[0])) and "." in name


def follow_dcc(
    expect: Callable[[bytes, int, Flow, int], None],
) -> Callable[[Flow, Side, bytes, int, float], None]:
    """Return what watches an IRC flow for offers of direct connections; `expect` hears where they will go."""

    def watch(flow: Flow, side: Side, payload: bytes, number: int, time_s: float) -> None:
        if b"\x01DCC " not in payload:
            return
        for offer in _DCC.finditer(payload, 0, 2048):
            port = int(offer[3])
            try:
                host = _host(offer[2].decode("ascii"))
            except ValueError:
                continue
            if 0 < port < 65536:
                expect(host, port, flow, number)

    return watch


def _host(text: str) -> bytes:
    """Read the address of an offer: IPv4 as one number, IPv6 as text."""
    if ":" in text:
        return IPv6Address(text).packed
    number = int(text)
    if number >= 1 << 32:
        raise ValueError(text)
    return number.to_bytes(4, "big")
