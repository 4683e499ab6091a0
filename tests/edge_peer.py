"""A controller for tests of an edge: real HTTPS, real signatures, states and events in memory."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import canonical_bytes
from fwguard.model.edge_wire import SCHEME, EdgeEvent, EventKind, request_bytes, state_bytes


class Peer:
    """One controller with one edge. `listen` opens its socket where the edge reaches it."""

    def __init__(self, folder: Path, *, token: str = "one-time-token") -> None:
        self.key = Ed25519PrivateKey.generate()
        self.token = token
        self.edge_key: Ed25519PublicKey | None = None
        self.state: bytes | None = None
        self.version = (0, 0)
        self.signature = b""
        self.events: dict[str, EdgeEvent] = {}
        self.deliveries = 0
        self.reports: list[dict[str, Any]] = []
        self.nonces: set[str] = set()
        self.moved = threading.Condition()
        self.ca_file = folder / "ca.pem"
        self._tls = certificate(folder)
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def listen(self, within: Callable[[Callable[[], socket.socket]], socket.socket]) -> None:
        """Begin to answer, on the same port as before."""

        def bound() -> socket.socket:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", self.port))
            made.listen(16)
            return made

        door = within(bound)
        self.port = door.getsockname()[1]
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self), bind_and_activate=False)
        server.socket.close()
        server.socket = self._tls.wrap_socket(door, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Answer no more: the edge sees a refused connection."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self.moved:
            self.moved.notify_all()

    @property
    def is_up(self) -> bool:
        return self._server is not None

    def publish(self, state: EdgeState, *, key: Ed25519PrivateKey | None = None, edge: str = "") -> None:
        """Make a state the newest; with another key or edge it is one that must be refused."""
        data = canonical_bytes(state)
        self.publish_bytes(data, (state.epoch, state.generation), edge or state.edge, key)

    def publish_bytes(
        self, data: bytes, version: tuple[int, int], edge: str, key: Ed25519PrivateKey | None = None
    ) -> None:
        """Make these bytes the newest state."""
        with self.moved:
            self.state, self.version = data, version
            self.signature = (key or self.key).sign(state_bytes(edge, data))
            self.moved.notify_all()

    def of_kind(self, kind: EventKind) -> list[EdgeEvent]:
        """Return the events of one kind, as they came."""
        return [event for event in list(self.events.values()) if event.kind is kind]

    def wait_for(self, true: Callable[[], Any], *, within_s: float = 15.0) -> Any:
        """Return what `true` returns once it is true. Raises AssertionError when it never is."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := true():
                return found
            time.sleep(0.02)
        told = [(e.kind.value, dict(e.facts)) for e in self.events.values()]
        raise AssertionError(f"not within {within_s} s; told was {str(told)[-1500:]}")

    def wait_applied(self, version: tuple[int, int], *, within_s: float = 15.0) -> EdgeEvent:
        """Return the event that says that a state is in force."""

        def applied() -> EdgeEvent | None:
            for event in self.of_kind(EventKind.APPLIED):
                if (event.facts["epoch"], event.facts["generation"]) == version:
                    return event
            return None

        found: EdgeEvent = self.wait_for(applied, within_s=within_s)
        return found

    # ------------------------------------------------------------------ answers

    def answer(self, method: str, target: str, body: bytes, authorization: str) -> tuple[int, Any]:
        path = urlsplit(target).path
        if (method, path) == ("POST", "/edge/v1/enrol"):
            return self._enrol(json.loads(body))
        if not self._is_signed(method, target, body, authorization):
            return 401, {"error": "who are you?"}
        if path == "/edge/v1/state":
            return self._state(parse_qs(urlsplit(target).query))
        if path == "/edge/v1/events":
            self.deliveries += 1
            events = [EdgeEvent.from_json(one) for one in json.loads(body)["events"]]
            for event in events:
                self.events.setdefault(event.id, event)
            return 200, {"stored": [event.id for event in events]}
        if path == "/edge/v1/report":
            self.reports.append(json.loads(body))
            return 200, {}
        return 404, {"error": "no such path"}

    def _enrol(self, asked: dict[str, str]) -> tuple[int, Any]:
        if asked["token"] != self.token:
            return 403, {"error": "no such token"}
        self.token = ""
        self.edge_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(asked["public_key"]))
        return 200, {"controller_key": base64.b64encode(self.key.public_key().public_bytes_raw()).decode()}

    def _is_signed(self, method: str, target: str, body: bytes, authorization: str) -> bool:
        words = authorization.split(" ")
        if self.edge_key is None or len(words) != 5 or words[0] != SCHEME or words[3] in self.nonces:
            return False
        _, edge, time_s, nonce, signature = words
        self.nonces.add(nonce)
        try:
            signed = request_bytes(edge, method, target, int(time_s), nonce, body)
            self.edge_key.verify(base64.b64decode(signature), signed)
        except InvalidSignature:
            return False
        return True

    def _state(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        has = int(query["epoch"][0]), int(query["generation"][0])
        with self.moved:
            self.moved.wait_for(
                lambda: not self.is_up or (self.state is not None and self.version != has),
                timeout=min(2.0, float(query["wait_s"][0])),
            )
            if self.state is None or self.version == has:
                return 204, None
            return 200, {
                "state": base64.b64encode(self.state).decode(),
                "signature": base64.b64encode(self.signature).decode(),
            }


def _handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, value = peer.answer(self.command, self.path, body, self.headers.get("Authorization", ""))
            if not peer.is_up:
                self.close_connection = True
                return
            data = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *words: object) -> None:
            pass

    return Handler


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for 127.0.0.1; `ca.pem` in the folder is what a client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "controller")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return tls
