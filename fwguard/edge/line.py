"""The line to the controller: signed requests over HTTPS, one kept connection, answers bounded."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fwguard.edge.identity import Identity
from fwguard.errors import AuthenticationError, DeviceError, DeviceUnreachableError, InputError
from fwguard.model.edge_json import MOST_BYTES
from fwguard.model.edge_wire import MOST_WAIT_S, EdgeEvent

_MOST_ANSWER_BYTES: Final = 1 << 20
_MOST_STATE_BYTES: Final = MOST_BYTES * 4 // 3 + (1 << 20)  # base64, or JSON in JSON
_MOST_WORDS: Final = 300


class Line:
    """One kept connection. Not for several threads at once: each thread has its own."""

    def __init__(
        self,
        controller: str,
        identity: Identity,
        *,
        ca_file: Path | None = None,
        answer_s: float = 15.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`controller` is https://HOST[:PORT][/PATH]. Raises InputError for a file without certificates."""
        parts = urlsplit(controller)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._base = parts.path.rstrip("/")
        self._identity = identity
        self._answer_s = answer_s
        self._clock = clock
        try:
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise InputError(f"{error}", where=str(ca_file), expected="certificates in PEM") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._connection: http.client.HTTPSConnection | None = None
        self._closing = threading.Lock()

    def enrol(self, token: str) -> str:
        """Enrol with a one-time token and return the controller's key, in base64.

        Raises AuthenticationError when the token is refused; DeviceError as every request.
        """
        wanted = {"edge": self._identity.name, "token": token, "public_key": self._identity.public_key}
        _, answer = self._ask("POST", "/edge/v1/enrol", wanted, signed=False)
        key = answer.get("controller_key") if isinstance(answer, dict) else None
        if not isinstance(key, str):
            raise DeviceError("the controller's answer holds no controller_key; ask its operator")
        return key

    def state(self, epoch: int, generation: int, *, wait_s: int = MOST_WAIT_S) -> tuple[bytes, str] | None:
        """Return the newest state and its signature, None when what we have is the newest.

        Waits up to `wait_s` for a newer one. Raises InputError for an answer that is none; DeviceError.
        """
        wait_s = max(0, min(wait_s, MOST_WAIT_S))
        target = f"/edge/v1/state?epoch={epoch}&generation={generation}&wait_s={wait_s}"
        status, answer = self._ask("GET", target, None, extra_s=wait_s, most_bytes=_MOST_STATE_BYTES)
        if status == 204:
            return None
        if isinstance(answer, _Verbatim):
            return answer.state, answer.signature
        signature = answer.get("signature") if isinstance(answer, dict) else None
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(signature, str) or not isinstance(state, str | dict):
            raise InputError("no state", where="answer", expected='{"state", "signature"}')
        return _state_bytes(state), signature

    def deliver(self, events: Sequence[EdgeEvent]) -> frozenset[str]:
        """Send events and return the ids that the controller has. Raises InputError (4xx), DeviceError."""
        body = {"events": [event.to_json() for event in events]}
        _, answer = self._ask("POST", "/edge/v1/events", body)
        stored = answer.get("stored") if isinstance(answer, dict) else None
        if not isinstance(stored, list):
            raise DeviceError("the controller's answer does not say what it stored; it is sent again")
        return frozenset(one for one in stored if isinstance(one, str))

    def report(self, report: dict[str, Any]) -> None:
        """Send how things stand. Raises InputError (4xx), DeviceError."""
        self._ask("POST", "/edge/v1/report", report)

    def close(self) -> None:
        """End the connection, also one that another thread waits on."""
        with self._closing:
            connection, self._connection = self._connection, None
        if connection is not None:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _ask(
        self,
        method: str,
        target: str,
        value: Any,
        *,
        signed: bool = True,
        extra_s: float = 0.0,
        most_bytes: int = _MOST_ANSWER_BYTES,
    ) -> tuple[int, Any]:
        body = b"" if value is None else json.dumps(value, separators=(",", ":")).encode()
        target = self._base + target
        headers = {"Content-Type": "application/json"} if body else {}
        if signed:
            # Signed anew each time: a nonce is good once.
            headers["Authorization"] = self._identity.authorization(
                method, target, body, now_s=int(self._clock())
            )
        fresh = self._connection is None
        try:
            return self._once(method, target, body, headers, extra_s, most_bytes)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and isinstance(error, http.client.RemoteDisconnected | ConnectionError):
                return self._ask(
                    method, target.removeprefix(self._base), value, signed=signed, extra_s=extra_s,
                    most_bytes=most_bytes,
                )  # fmt: skip
            raise DeviceUnreachableError(
                f"controller {self._host}:{self._port}: {type(error).__name__}: {str(error)[:_MOST_WORDS]}"
            ) from None

    def _once(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        extra_s: float,
        most_bytes: int,
    ) -> tuple[int, Any]:
        connection = self._connection
        if connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._answer_s, context=self._tls
            )
            connection.connect()
            self._connection = connection
        if connection.sock is not None:
            connection.sock.settimeout(self._answer_s + extra_s)
        connection.request(method, target, body=body or None, headers=headers)
        answer = connection.getresponse()
        data = answer.read(most_bytes + 1)
        if len(data) > most_bytes:
            self.close()
            raise DeviceError(f"the controller's answer exceeds {most_bytes} bytes; it was not read")
        if answer.will_close:
            self.close()
        return answer.status, _read(answer.status, data, f"{method} {target.partition('?')[0]}")


@dataclass(frozen=True, slots=True)
class _Verbatim:
    """A state as it stands in the answer, byte for byte: the signature is over these, and it is parsed once."""

    state: bytes
    signature: str


# As the controller writes it: the very bytes that it signed. Anything else is read as JSON.
_VERBATIM: Final = re.compile(rb'\{"signature":"([A-Za-z0-9+/]{86}==)","state":(?=\{.*\}\}\Z)', re.DOTALL)


def _read(status: int, data: bytes, what: str) -> Any:
    if status == 204:
        return None
    if status == 200 and (found := _VERBATIM.match(data)):
        return _Verbatim(data[found.end() : -1], found[1].decode("ascii"))
    try:
        value = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        value = None
    if status == 200 and value is not None:
        return value
    said = value.get("error", "") if isinstance(value, dict) else ""
    words = f"{what}: {status} {str(said)[:_MOST_WORDS]}".rstrip()
    if status in (401, 403):
        raise AuthenticationError(
            f"{words}; the controller does not know this edge's key, or revoked it: enrol again with a new token"
        )
    if 400 <= status < 500 and status not in (408, 425, 429):
        raise InputError(words, expected="what the wire says (model/edge_wire.py)")
    raise DeviceError(f"{words}; asked again later")


def _state_bytes(state: str | dict[str, Any]) -> bytes:
    """Return the bytes that were signed: as sent (text or base64), or the canonical JSON of the object."""
    if isinstance(state, dict):
        return json.dumps(state, sort_keys=True, separators=(",", ":")).encode("ascii")
    if state.startswith("{"):
        return state.encode()
    try:
        return base64.b64decode(state, validate=True)
    except ValueError:
        raise InputError("no base64", where="state", expected="base64, or an object") from None
