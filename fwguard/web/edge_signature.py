"""Who an edge is, at its door: a signature over the very request, fresh, and never used before."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import request
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.flows.house import House
from fwguard.model.edge_wire import SCHEME, SKEW_S, request_bytes
from fwguard.store.edges import edge_named, locked_edge, note_seen, take_nonce

_HEADER: Final = re.compile(
    rf"{SCHEME} ([a-z0-9-]{{1,40}}) ([0-9]{{1,12}}) ([A-Za-z0-9._-]{{16,64}}) ([A-Za-z0-9+/]{{86}}==)",
    re.ASCII,
)
_UNKNOWN: Final = "the signature does not hold: this controller knows no such edge with this key"


class UnknownEdgeError(Exception):
    """Whoever asks did not prove to be an edge of ours: answered with 401, or 403 for a revoked one."""

    def __init__(self, why: str, code: int = 401) -> None:
        super().__init__(why)
        self.code = code


def edge_here(house: House) -> str:
    """Return the name of the edge that signed this request, and note that it was seen.

    A clock that is off by more than `SKEW_S`, and a nonce that was used, are refused; so is what a revoked key
    signed. Raises UnknownEdgeError.
    """
    match = _HEADER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise UnknownEdgeError(f"no signature: Authorization is `{SCHEME} NAME TIME NONCE SIGNATURE`")
    name, time_s, nonce, signature = match[1], int(match[2]), match[3], match[4]
    now = house.clock()
    key = _key_of(house, name)
    signed = request_bytes(name, request.method, _target(), time_s, nonce, request.get_data(cache=True))
    try:
        key.verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        raise UnknownEdgeError(_UNKNOWN) from None
    off_s = time_s - now.timestamp()
    if abs(off_s) > SKEW_S:
        raise UnknownEdgeError(f"your clock is off by {off_s:.0f} s: at most {SKEW_S} s are taken")
    until = datetime.fromtimestamp(time_s, UTC) + timedelta(seconds=SKEW_S + 1)
    if not house.store.transact(lambda session: _fresh(session, name, nonce, now, until)):
        raise UnknownEdgeError("this request was sent before: sign each one anew")
    return name


def _key_of(house: House, name: str) -> Ed25519PublicKey:
    with house.store.reading() as session:
        try:
            edge = edge_named(session, name)
        except InputError:
            raise UnknownEdgeError(_UNKNOWN) from None
        if edge.revoked_at is not None:
            raise UnknownEdgeError("this edge is revoked: enrol it again with a new token", 403)
        if not edge.public_key:
            raise UnknownEdgeError(_UNKNOWN)
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(edge.public_key))


def _fresh(session: Session, name: str, nonce: str, now: datetime, until: datetime) -> bool:
    edge = locked_edge(session, name)
    note_seen(edge, at=now)
    return take_nonce(session, edge, nonce, at=now, expires_at=until)


def _target() -> str:
    """Return path and query as they were sent."""
    query = request.query_string.decode("ascii", "replace")
    return request.root_path.rstrip("/") + request.path + (f"?{query}" if query else "")
