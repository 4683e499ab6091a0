"""What a stranger says to a server proves nothing of the server: only what it said itself does.

Anyone can ask a web server for the name of a pool or a chat, send it media, or ask it for another host's page
(which RFC 9112 section 3.2.2 tells it to answer). Where it is known who is ours, such words accuse nobody who was
only called. What a server's certificate says is its own word.
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.flow import Flow, Proof, Side
from fwguard.detect.frame import UDP
from fwguard.detect.videochat import Media

_NAMED: Final = frozenset(("irc-tls", "service", "mining-tls", "smtp-tls"))
_CALLER_ALONE: Final = frozenset(
    ("smtp-client", "http-connect-alone", "http-absolute", "http-absolute-alone", "tor-hello", "mining")
)
_ANSWERER_ALONE: Final = frozenset(("smtp-server",))


def own_words(flow: Flow, held: Side, proof: Proof) -> bool:
    """Tell whether the side that is held to account said itself what proves it."""
    called = held is flow.server
    key = proof.reason.key
    if flow.protocol == UDP:
        media = flow.media
        if isinstance(media, Media):
            return media.spoke_server if called else media.spoke_client
        return not called  # a name that was asked for (QUIC), or a flow of STUN that another one explains
    if not called:
        return key not in _ANSWERER_ALONE
    if key in _NAMED:
        return _certified(flow, dict(proof.reason.facts).get("name", ""))
    return key not in _CALLER_ALONE


def _certified(flow: Flow, name: str) -> bool:
    """Tell whether the server's own certificate bears a name, also as *.RIGHT-HALF."""
    flight = flow.server_flight
    if flight is None or flight.certificate is None or not name:
        return False
    above = "*." + name.partition(".")[2]
    names = {flight.certificate.subject.lower(), *(one.lower() for one in flight.certificate.names)}
    return bool(names & {name.lower(), above.lower()})
