"""The HTTPS server of the doors: TLS only, `/edge/v1` only, and nobody who hangs stops the others."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_peer import certificate

from fwguard.errors import InputError
from fwguard.flows.house import House
from fwguard.web.edge_serving import EdgeServer, create_edge_app, serve_edges, tls_of


@pytest.fixture
def server(house: House, tmp_path: Path) -> Iterator[EdgeServer]:
    """Give a server that listens on a port of its own, with a certificate for 127.0.0.1."""
    certificate(tmp_path)
    tls = tls_of(tmp_path / "ca.pem", tmp_path / "key.pem")
    made = EdgeServer(create_edge_app(house), house, "127.0.0.1", 0, tls)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(timeout=10)


def _ask(server: EdgeServer, path: str, folder: Path) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    try:
        url = f"https://127.0.0.1:{server.server_port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_speaks_to_edges_only(server: EdgeServer, tmp_path: Path) -> None:
    """Without a signature 401, and no page of the portal is there."""
    code, body = _ask(server, "/edge/v1/state", tmp_path)
    assert (401, True) == (code, "no signature" in json.loads(body)["error"])
    assert 404 == _ask(server, "/login", tmp_path)[0]


def test_who_hangs_in_the_handshake_stops_nobody(server: EdgeServer, tmp_path: Path) -> None:
    """Connections that say nothing, or something that is no TLS, while another is answered."""
    silent = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(5)]
    with socket.create_connection(("127.0.0.1", server.server_port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert 401 == _ask(server, "/edge/v1/state", tmp_path)[0]
    for one in silent:
        one.close()


def test_connections_are_bounded(server: EdgeServer, house: House) -> None:
    """One more than the bound is closed at once."""
    most = house.settings.edges_waiting + 16
    held = [socket.create_connection(("127.0.0.1", server.server_port), timeout=5) for _ in range(most + 1)]
    assert b"" == held[-1].recv(1)
    for one in held:
        one.close()


def test_without_a_certificate_it_does_not_begin(house: House, tmp_path: Path) -> None:
    """Named with what is missing; without a port there is no server at all."""
    assert serve_edges(house) is None
    house.settings = replace(house.settings, edge_port=8443)
    with pytest.raises(InputError, match="no certificate"):
        serve_edges(house)
    (tmp_path / "x.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"x\.pem"):
        tls_of(tmp_path / "x.pem", tmp_path / "x.pem")
