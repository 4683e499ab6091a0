"""The server of the portal: waitress, over a socket that is bound already or one of its own."""

from __future__ import annotations

import socket
from typing import Any, Final

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

MOST_BODY_BYTES: Final = 4 << 20  # what edges send; a form is bounded below that
LAST_ANSWERS_S: Final = 5


class PortalServer:
    """Serves until it is closed, from any thread; requests under way are answered first."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def port(self) -> int:
        """Return the TCP port that it listens on."""
        return int(self._server.effective_port)

    def run(self) -> None:
        """Serve; return after `close`."""
        self._server.run()

    def close(self) -> None:
        """Answer what was asked, end every connection, and let `run` return."""
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=LAST_ANSWERS_S)
        # The loop owns its sockets: it closes them itself, and ends when none is left.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._server._map, ignore_all=True))


def serve(
    app: Flask,
    *,
    listener: socket.socket | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    threads: int = 8,
) -> PortalServer:
    """Return a server for the portal on `listener` (bound and listening), or on host and port.

    Raises OSError when host and port cannot be had.
    """
    if listener is None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    # Who is believed about forwarded addresses is decided in the application (`trusted_proxies`).
    server = create_server(
        app, sockets=[listener], threads=threads, ident=None, clear_untrusted_proxy_headers=False,
        max_request_body_size=MOST_BODY_BYTES, channel_timeout=60,
    )  # fmt: skip
    return PortalServer(server)
