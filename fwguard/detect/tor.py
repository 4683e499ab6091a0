"""Tor: the TLS shape of its relays and clients, and its directory; no list of addresses.

A client asks for `www.` RANDOM `.com` and offers no ALPN; up to TLS 1.2 a relay shows a certificate of
`www.` RANDOM `.net`, issued by `www.` RANDOM `.com` (older: `.net`), without alternative names; RANDOM is base32.
Sources: tor-spec section 2 (negotiating channels), dir-spec section 6; the lengths and suffixes as in the
handshakes of Tor 0.2.4 and 0.4.9.
"""

from __future__ import annotations

import re
from math import log
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side, quote
from fwguard.detect.tls import ClientHello
from fwguard.model.detection import Reason

_ASKED: Final = re.compile(r"www\.([a-z2-7]{4,25})\.com")
_SUBJECT: Final = re.compile(r"www\.([a-z2-7]{8,20})\.net")
_ISSUER: Final = re.compile(r"www\.([a-z2-7]{8,20})\.(?:com|net)")
_DIRECTORY: Final = re.compile(
    rb"(?:GET|POST) (/tor/(?:server/|status-vote/|status/|keys/|extra/|micro/|hs/3/|rendezvous2?/|post/"
    rb"|running-routers|bytes\.txt)?[^ \r\n]{0,200}) HTTP/1\.[01]"
)
_GIVEN: Final = re.compile(rb"HTTP/1\.[01] (?:200|304|503)")
_RENEGOTIATION: Final = 0x00FF
_P224, _X25519 = 0x0015, 0x001D
_CLASSES: Final = (
    # letters, share in base32 noise, share in the names that people choose
    ("aeiou", 5 / 32, 0.39),
    ("nrstlcdm", 8 / 32, 0.38),
    ("bfghjkpqvwxyz", 13 / 32, 0.20),
    ("234567", 6 / 32, 0.03),
)
_WEIGHTS: Final = {letter: log(noise / chosen) for letters, noise, chosen in _CLASSES for letter in letters}
_NOISE: Final = 2.0
_NOISE_IN_SHAPE: Final = -2.5


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """A directory that answers."""
    said = client.head
    if said and not b"GET /tor/".startswith(said[:9]) and not b"POST /tor/".startswith(said[:10]):
        return NEVER
    request = _DIRECTORY.match(said)
    if request and (_GIVEN.match(server.head) or (final and not server.packets)):
        reason = Reason("tor-directory", (("path", quote(request[1])),))
        return Proof(reason, (*client.numbers[:1], *server.numbers[:1]))
    return NEVER if final or (server.head and not b"HTTP/1.".startswith(server.head[:7])) else WAIT


def judge_tls(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """The certificate of a relay, or a client's hello that a server took up."""
    hello, flight = flow.hello, flow.server_flight
    if flight is None:
        return NEVER if final else WAIT
    packets = (*client.numbers[:1], *server.numbers[:2])
    certificate = flight.certificate
    if certificate is not None:
        subject, issuer = _SUBJECT.fullmatch(certificate.subject), _ISSUER.fullmatch(certificate.issuer)
        if not certificate.names and subject and issuer and certificate.subject != certificate.issuer:
            noise = randomness(subject[1]) + randomness(issuer[1])
            if noise > (_NOISE_IN_SHAPE if hello is not None and _asked(hello) else 0.0):
                facts = (("subject", certificate.subject), ("issuer", certificate.issuer))
                return Proof(Reason("tor-certificate", facts), packets)
        return NEVER
    if hello is None:
        return NEVER if final else WAIT
    asked = _asked(hello)
    if not asked:
        return NEVER
    if flight.hello and flight.whole and flight.version >= 0x0304:
        shape = _P224 in hello.groups and _X25519 in hello.groups
        if randomness(asked) > (_NOISE_IN_SHAPE if shape else _NOISE):
            return Proof(Reason("tor-hello", (("name", hello.name),)), packets)
        return NEVER
    return NEVER if final else WAIT


def _asked(hello: ClientHello) -> str:
    """Return the random part of the name in a hello of Tor's kind, or ""."""
    asked = _ASKED.fullmatch(hello.name)
    return asked[1] if asked and not hello.alpn and _RENEGOTIATION in hello.ciphers else ""


def randomness(label: str) -> float:
    """Return how much likelier a label is base32 noise than a chosen name, as the logarithm of the odds."""
    return sum(_WEIGHTS[letter] for letter in label)
