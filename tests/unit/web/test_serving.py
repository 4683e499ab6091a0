"""The server: over its own socket or one that was handed over, and closed from another thread."""

from __future__ import annotations

import socket
import threading
import urllib.request

import pytest
from flask import Flask

from fwguard.web.serving import PortalServer, serve


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def _run(server: PortalServer) -> threading.Thread:
    thread = threading.Thread(target=server.run)
    thread.start()
    return thread


@pytest.mark.parametrize("handed_over", [True, False])
def test_it_serves_until_it_is_closed(app: Flask, handed_over: bool) -> None:
    """It answers, and after closing its thread ends and its port is free."""
    listener = socket.create_server(("127.0.0.1", 0)) if handed_over else None
    server = serve(app, listener=listener, host="127.0.0.1", port=0, threads=2)
    thread = _run(server)
    try:
        assert "ok\n" == _get(server.port, "/health")
    finally:
        server.close()
        thread.join(timeout=10)
    assert not thread.is_alive()
    with pytest.raises(OSError):
        _get(server.port, "/health")


def test_forwarded_addresses_of_strangers_are_not_believed(app: Flask) -> None:
    """Without a trusted proxy, X-Forwarded-For changes nothing."""
    seen: list[str | None] = []

    @app.before_request
    def _note() -> None:
        from flask import request

        seen.append(request.remote_addr)

    app.test_client().get("/health", headers={"X-Forwarded-For": "203.0.113.9"})
    assert ["127.0.0.1"] == seen
