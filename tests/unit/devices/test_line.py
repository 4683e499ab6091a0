"""The line to a device waits for nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from fwguard.devices.line import open_line


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_it_carries_bytes_over_both_families(family: int, address: str) -> None:
    """What the far side sends is read, and Nagle is off."""
    with socket.create_server((address, 0), family=socket.AddressFamily(family)) as server:
        line = open_line(address, server.getsockname()[1], connect_s=5.0)
        far, _ = server.accept()
        with line, far:
            far.sendall(b"SSH-2.0-far\r\n")
            assert b"SSH-2.0-far\r\n" == line.recv(100)
            line.sendall(b"near")
            assert b"near" == far.recv(100)
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert line.gettimeout() is None


def test_an_end_is_an_end() -> None:
    """A far side that closes gives an empty read, as with any socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = open_line("127.0.0.1", server.getsockname()[1], connect_s=5.0)
        far, _ = server.accept()
        far.close()
        with line:
            assert b"" == line.recv(100)


def test_nobody_listens() -> None:
    """A refused connection is the OSError that it is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        open_line("127.0.0.1", port, connect_s=5.0)


def test_closing_wakes_whoever_reads() -> None:
    """A thread that waits for the far side ends with the line, whatever its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = open_line("127.0.0.1", server.getsockname()[1], connect_s=5.0)
        far, _ = server.accept()
        line.settimeout(60.0)
        ended = threading.Event()

        def read() -> None:
            with suppress(OSError):
                line.recv(100)
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        assert not ended.wait(0.1)
        line.close()
        assert ended.wait(20.0)
        far.close()
