"""Any other source, by a signed request: a small JSON object, and an HMAC over time and body.

{"address": "192.0.2.10", "at": "2026-03-04T05:06:07Z", "what": "…", "by": "…",
 "peer": "198.51.100.7", "peer_port": 22, "port": 40000, "protocol": "tcp"}        the last four may be absent

Fwguard-Signature: t=SECONDS,v1=HEX        HMAC-SHA256 (RFC 2104) over "SECONDS." and the body
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from fwguard.detect.outside.reporting import SKEW_S, WhoHad, address, moment, port, read_json, report, words
from fwguard.errors import InputError, NotAllowedError
from fwguard.model.detection import Detection, Detector
from fwguard.model.thresholds import Thresholds

MOST_BYTES: Final = 16 << 10
_HEADER: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)
_PROTOCOLS: Final = ("tcp", "udp", "sctp", "icmp", "icmpv6")


def check_signature(body: bytes, header: str, secrets: Iterable[bytes], now_s: float) -> None:
    """Raise NotAllowedError unless one of the secrets signed this body within the last five minutes."""
    match = _HEADER.fullmatch(header[:200])
    if not match or abs(int(match[1]) - now_s) > SKEW_S:
        raise NotAllowedError("the signature is absent, malformed or too old: Fwguard-Signature: t=…,v1=…")
    message = match[1].encode() + b"." + body
    good = [
        hmac.compare_digest(hmac.new(secret, message, hashlib.sha256).hexdigest(), match[2])
        for secret in secrets
        if secret
    ]
    if not any(good):
        raise NotAllowedError("the signature is of none of the configured secrets")


def read_webhook(body: bytes, thresholds: Thresholds, who_had: WhoHad, received_s: float) -> Detection | None:
    """Return the verdict of a request whose signature was checked; None: it names nobody of ours.

    Raises InputError that names the field.
    """
    value = read_json(body, MOST_BYTES, "webhook")
    if not isinstance(value, dict):
        raise InputError("no object", where="webhook", expected="an object with address, at, what, by")
    accused = address(value.get("address"))
    at_s = moment(value.get("at"), received_s)
    if not accused:
        raise InputError("no address", where="webhook: address", expected="an IPv4 or IPv6 address")
    if at_s is None:
        raise InputError(
            "no time", where="webhook: at", expected="ISO 8601 or seconds, of the last year, not to come"
        )
    held = who_had(accused, at_s)
    if held is None:
        return None
    protocol = words(value.get("protocol"), 8).lower()
    peer_port = port(value.get("peer_port"))
    return report(
        thresholds,
        Detector.WEBHOOK,
        "webhook",
        {"by": words(value.get("by"), 80), "said": words(value.get("what"))},
        accused=accused,
        held=held,
        at_s=at_s,
        peer=address(value.get("peer")),
        port_number=peer_port,
        protocol=protocol if protocol in _PROTOCOLS else "",
        server_port=port(value.get("port")),
        peer_port=peer_port,
    )
