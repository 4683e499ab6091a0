"""The server of the doors for edges: HTTPS with a certificate of ours, a thread a connection, a bounded number.

For a controller without a proxy in front of it. It serves `/edge/v1` and nothing else.
"""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any, Final

import structlog
from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from fwguard.errors import InputError
from fwguard.flows.house import House
from fwguard.web import edges
from fwguard.web.tries import install_counting

log = structlog.get_logger(__name__)
SPARE: Final = 16  # connections beside those that wait for a state
SILENT_S: Final = 60.0  # a connection without a request for longer is closed
HANDSHAKE_S: Final = 10.0


def create_edge_app(house: House) -> Flask:
    """Return the application of the doors alone: no page, no session, no cookie."""
    app = Flask("fwguard.web", static_folder=None)
    app.extensions["fwguard"] = house
    app.extensions["fwguard_edges_waiting"] = edges.waiting_of(house)
    app.register_blueprint(edges.blueprint)
    install_counting(app)
    return app


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SILENT_S

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing of each request: who asked what is in our own log where it matters."""


class EdgeServer(ThreadedWSGIServer):
    """Serves until it is closed. The TLS handshake is each connection's own: one that hangs stops nobody."""

    daemon_threads = True

    def __init__(self, app: Flask, house: House, host: str, port: int, tls: ssl.SSLContext) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # The socket is ours, so that no address can end the process (werkzeug exits on one that is taken).
        with socket.create_server((host, port), family=family, backlog=256) as listener:
            super().__init__(host, port, app, _Handler, fd=listener.fileno())
        self.server_name, self.server_port = host, int(self.socket.getsockname()[1])
        self._tls = self.ssl_context = tls
        self._places = threading.BoundedSemaphore(house.settings.edges_waiting + SPARE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when too many are open."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Make it TLS, then answer its requests."""
        request.settimeout(HANDSHAKE_S)
        with self._tls.wrap_socket(request, server_side=True) as connection:
            _Handler(connection, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke, or was no TLS, is the other side's business."""
        log.info("connection of an edge ended", address=str(client_address[0]))


def serve_edges(house: House) -> EdgeServer | None:
    """Return the server that the settings ask for, listening; None when they ask for none.

    Raises InputError for a certificate that cannot be used, OSError when the port cannot be had.
    """
    settings = house.settings
    if not settings.edge_port:
        return None
    if settings.edge_certificate is None or settings.edge_key is None:
        raise InputError(
            "no certificate", where="edge_port", expected="edge_certificate and edge_key, in PEM"
        )
    tls = tls_of(settings.edge_certificate, settings.edge_key)
    return EdgeServer(create_edge_app(house), house, settings.edge_address, settings.edge_port, tls)


def tls_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context of a certificate (PEM, with its chain) and its key. Raises InputError naming the file."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        tls.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"{error}", where=str(certificate), expected="a certificate and its key in PEM"
        ) from None
    return tls
