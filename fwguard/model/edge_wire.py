"""What an edge and the controller say to each other, and the bytes that each signs. HTTPS carries it.

An edge enrols once with a one-time token and keeps an Ed25519 key of its own, which the controller can revoke.
Every later request bears `Authorization: fwguard-edge NAME TIME NONCE SIGNATURE`, where the signature is over
`request_bytes`. The controller signs a state over `state_bytes`, so that no proxy on the way can alter it.

    POST /edge/v1/enrol     {"edge", "token", "public_key"} -> {"controller_key"}
    GET  /edge/v1/state?epoch=E&generation=G&wait_s=S
                            -> 200 {"state", "signature"} | 204: (E, G) is still the newest
    POST /edge/v1/events    {"events": [EVENT...]} -> {"stored": [ID...]}: each id once, however often it is sent
    POST /edge/v1/report    REPORT -> {}

Binary values are base64 (RFC 4648 section 4), keys raw Ed25519 (RFC 8032). A refusal is 4xx with {"error"}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.model.edge_fields import CUT

SCHEME: Final = "fwguard-edge"
SKEW_S: Final = 300  # how far an edge's clock may be off
MOST_EVENTS: Final = 500  # in one request
MOST_EVENT_BYTES: Final = 256 << 10  # evidence included
MOST_WAIT_S: Final = 25
EVENT_ID: Final = CUT


class EventKind(StrEnum):
    """What an edge tells of."""

    # A detector spoke; facts: detection (fields of `Detection`), action ("nothing", "dry-run", "warn", or what is cut
    # on the spot: "flow", "port", "service", "server"), rung, evidence (pcap, base64); and where known ranges
    # ([[protocol, first, last]...] of what is cut), until_s, reason, why ({"key", "facts"}), calls_person.
    VERDICT = "verdict"
    CUT = "cut"  # the kernel cut by itself (scan, flood); facts: port, reason, clause, evidence
    RELEASED = "released"  # a cut was taken back, by a `CutRelease`; facts: cut, case
    REPAIRED = "repaired"  # somebody changed our tables; facts: what, by (process), took_ms
    APPLIED = "applied"  # a state is in the kernel and read back; facts: epoch, generation
    REFUSED = "refused"  # a state was not applied; facts: epoch, generation, why
    ALARM = "alarm"  # a set is full, packets were lost, a disk is full, a port vanished; facts: what
    REFUSAL = "refusal"  # packets that the contract refused, counted; facts: port, clause, packets
    CONNECTION = "connection"  # Annex 3: one line of a connection log


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEvent:
    """One thing that happened on an edge. `id` is stable: the same event sent twice is stored once.

    `port` is an edge port's number, 0 where it is about the edge itself; times are microseconds since 1970.
    """

    id: str
    kind: EventKind
    at_us: int
    port: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not EVENT_ID.fullmatch(self.id):
            raise InputError(f"{self.id!r}", where="id", expected="8 to 80 of A-Z a-z 0-9 . _ -")
        if self.at_us < 0 or self.port < 0:
            raise InputError("below 0", where="at_us, port", expected="0 or more")

    def to_json(self) -> dict[str, Any]:
        """Return what is sent."""
        return {
            "id": self.id, "kind": self.kind.value, "at_us": self.at_us, "port": self.port,
            "facts": dict(self.facts),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> EdgeEvent:
        """Read what was sent. Raises InputError naming the field."""
        if not isinstance(value, dict):
            raise InputError("no event", expected="an object")
        kinds = {kind.value: kind for kind in EventKind}
        for name, kind_of in (("id", str), ("kind", str), ("at_us", int), ("port", int), ("facts", dict)):
            if not isinstance(value.get(name), kind_of) or isinstance(value.get(name), bool):
                raise InputError(f"{str(value.get(name))[:60]!r}", where=name, expected=kind_of.__name__)
        if value["kind"] not in kinds:
            raise InputError(f"{value['kind'][:60]!r}", where="kind", expected=", ".join(kinds))
        return cls(
            id=value["id"], kind=kinds[value["kind"]], at_us=value["at_us"], port=value["port"],
            facts=value["facts"],
        )  # fmt: skip


def request_bytes(edge: str, method: str, target: str, time_s: int, nonce: str, body: bytes) -> bytes:
    """Return what an edge signs of a request; `target` is path and query as sent."""
    digest = hashlib.sha256(body).hexdigest()
    words = (f"{SCHEME}-request-1", edge, method, target, str(time_s), nonce, digest)
    return "\n".join(words).encode()


def state_bytes(edge: str, state: bytes) -> bytes:
    """Return what the controller signs of a state, which is its canonical JSON."""
    return b"\n".join((f"{SCHEME}-state-1".encode(), edge.encode(), state))
