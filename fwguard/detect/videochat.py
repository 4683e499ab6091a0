"""Video chat: STUN, TURN and ICE with media, DTLS-SRTP, RTP and RTCP, Zoom's own framing, big services by name.

Sources: RFC 7983 section 7 (what the first byte tells), RFC 8445, RFC 8656, RFC 5764, RFC 3550; for Zoom the
measurements of Michel, Sengupta, Kim, Netravali and Rexford, "Enabling Passive Measurement of Zoom
Performance in Production Networks" (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side
from fwguard.detect.names import known, spoken_names
from fwguard.detect.rtp import RUN, Sources, is_rtcp
from fwguard.detect.stun import Stun, may_be_stream, read_stream, read_stun
from fwguard.detect.tls import dtls_server_srtp, read_dtls, read_hello
from fwguard.model.detection import Reason

_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_MOST_OTHER: Final = 4
_REPORTS: Final = 2

Pending = Callable[[Side, Flow], None]


class Media:
    """What the datagrams of one flow have shown so far."""

    __slots__ = (
        "checks",
        "numbers",
        "other",
        "relays",
        "sources",
        "spoke_client",
        "spoke_server",
        "stun",
        "zoom",
        "zoom_peers",
    )

    def __init__(self) -> None:
        self.stun = 0
        self.checks = 0  # ICE connectivity checks
        self.relays = 0  # TURN messages
        self.other = 0
        self.zoom = b""
        self.zoom_peers = 0
        self.sources: dict[int, Sources] = {}
        self.numbers: list[int] = []
        self.spoke_client = self.spoke_server = False  # who said anything of the kind itself


def look(flow: Flow, side: Side, payload: bytes, number: int) -> Proof | Opinion:
    """Take the next datagram of a flow."""
    media = flow.media
    if not isinstance(media, Media):
        media = flow.media = Media()
    first, other = payload[0], media.other
    reason: Reason | None = None
    if first < 4:
        message = read_stun(payload)
        reason = _stun(media, message) if message else _zoom(media, flow, side, payload)
    elif 128 <= first < 192:
        reason = _media(media, side, payload)
    elif first == 22:
        reason = _dtls(payload)
    elif 64 <= first < 80 and media.relays and int.from_bytes(payload[2:4], "big") + 4 <= len(payload):
        reason = Reason("turn", (("what", "ChannelData"),))
    elif first in (5, 0x1F) or payload[:2] == b"\xff\x10":
        reason = _zoom(media, flow, side, payload)
    else:
        media.other += 1
    if _is_of_the_kind(media, side, first, reason) and media.other == other:
        if side is flow.client:
            media.spoke_client = True
        else:
            media.spoke_server = True
    if len(media.numbers) < 8:
        media.numbers.append(number)
    if reason is not None:
        return Proof(reason, tuple(media.numbers))
    return NEVER if media.other >= _MOST_OTHER else WAIT


def _is_of_the_kind(media: Media, side: Side, first: int, reason: Reason | None) -> bool:
    """Return whether a datagram shows that its sender takes part: one that only repeats what it got does not."""
    if reason is not None or first < 4:
        return True
    sources = media.sources.get(id(side))
    if sources is None or not 128 <= first < 192:
        return False
    return bool(sources.control) or any(track[3] >= 2 for track in sources.tracks.values())


def _stun(media: Media, message: Stun) -> Reason | None:
    if message.zoom:
        return Reason("zoom-probe")
    if message.cookie or message.attributes:
        media.stun += 1
    media.relays += message.turn
    media.checks += message.ice
    if message.turn and media.relays >= 2:
        return Reason("turn", (("what", "Allocate" if message.method == 3 else "TURN"),))
    if media.checks >= 2 or (media.checks and message.response):
        return Reason("ice")
    if media.stun and (_followed(media)):
        return Reason("stun-media")
    return None


def _followed(media: Media) -> bool:
    """Return whether media was seen that is too little to speak alone, but follows STUN."""
    return any(
        any(track[3] >= 2 for track in sources.tracks.values()) or sources.control
        for sources in media.sources.values()
    )


def _media(media: Media, side: Side, payload: bytes) -> Reason | None:
    sources = media.sources.get(id(side))
    if sources is None:
        sources = media.sources[id(side)] = Sources()
    if is_rtcp(payload):
        reports = sources.report(payload)
        media.other += not reports
        if reports >= _REPORTS:
            return Reason("rtcp", (("source", f"{next(iter(sources.control)):08x}"),))
        return Reason("stun-media") if reports and media.stun else None
    run = sources.media(payload)
    media.other += not run
    if run >= RUN:
        return Reason("rtp", (("source", payload[8:12].hex()), ("type", str(payload[1] & 0x7F))))
    return Reason("stun-media") if run >= 2 and media.stun else None


def _dtls(payload: bytes) -> Reason | None:
    message = read_dtls(payload)
    if message is None:
        return None
    kind, body = message
    if kind == _CLIENT_HELLO:
        hello = read_hello(body, cookie=True)
        return Reason("dtls-srtp") if hello is not None and hello.use_srtp else None
    return Reason("dtls-srtp") if kind == _SERVER_HELLO and dtls_server_srtp(body) else None


def _zoom(media: Media, flow: Flow, side: Side, payload: bytes) -> Reason | None:
    """Both sides of the opening exchange with a Zoom server bear the same identifier; peers repeat theirs."""
    if payload[:1] == b"\x01" and payload[2:3] == b"\x02" and len(payload) >= 32:
        media.zoom = payload[3:20]
        return None
    if payload[:1] == b"\x02" and payload[2:3] == b"\x01" and media.zoom and payload[3:20] == media.zoom:
        return Reason("zoom")
    if payload[:3] == b"\x1f\x02\x01" and b"-" in payload[40:]:
        media.zoom_peers += 1
        return Reason("zoom") if media.zoom_peers >= 3 else None
    if payload[:2] == b"\xff\x10" and (wrapped := read_stun(payload[12:])) is not None:
        return _stun(media, wrapped)  # as Microsoft's relays pass on what a peer sent
    media.other += 1
    return None


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """TURN or ICE over a stream."""
    if not (may_be_stream(client.head) and may_be_stream(server.head)):
        return NEVER
    said, replied = read_stream(client.head), read_stream(server.head)
    messages = (*said, *replied)
    turn, ice = sum(one.turn for one in messages), sum(one.ice for one in messages)
    if turn >= 2 or ice >= 2 or (ice and replied):
        reason = Reason("turn", (("what", "TCP"),)) if turn >= 2 else Reason("ice")
        return Proof(reason, (*client.numbers[:2], *server.numbers[:2]))
    return NEVER if final else WAIT


def judge_tls(
    suffixes: frozenset[str], flow: Flow, client: Side, server: Side, final: bool
) -> Proof | Opinion:
    """A service of video meetings by the name that the client asks for, or of the certificate."""
    if flow.hello is None and (flow.server_flight is None or flow.server_flight.certificate is None):
        return NEVER if final else WAIT
    for name in spoken_names(flow):
        if known(name, suffixes):
            return Proof(Reason("service", (("name", name),)), (*client.numbers[:1], *server.numbers[:1]))
    flight = flow.server_flight
    return NEVER if final or (flight is not None and flight.whole) else WAIT
