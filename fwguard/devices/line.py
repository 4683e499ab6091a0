"""The TCP line to a device: neither side of it waits for the other without need.

Two timers of TCP meet badly under SSH. Nagle holds a small packet back until the one before it is
acknowledged (RFC 896), and an acknowledgement waits up to 40 ms for data to travel with (RFC 1122, section
4.2.3.2). paramiko leaves Nagle on at our side; OpenSSH leaves it on at the other for sessions without a
terminal, where after each login it sends its host keys unasked, and so answers our first command 40 ms late.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

# paramiko's thread wakes up ten times a second to see whether it was closed: a tenth of a core for 100 lines.
# A line that is closed wakes it at once, so a quiet one may sleep.
IDLE_S: Final = 5.0


class PromptSocket(socket.socket):
    """A TCP socket that sends at once, and acknowledges at once what was read from it."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Read as any socket. The kernel forgets TCP_QUICKACK after a while, so it is told each time."""
        data = super().recv(bufsize, flags)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def close(self) -> None:
        """End both directions, which wakes whoever waits for one, then close."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        super().close()


def open_line(address: str, port: int, *, connect_s: float) -> PromptSocket:
    """Connect; the socket then has no timeout of its own. Raises OSError within `connect_s` for each address."""
    plain = socket.create_connection((address, port), timeout=connect_s)
    line = PromptSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
    line.settimeout(None)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line
