"""Two namespaces with a wire between them, v4 and v6, gone after each test whatever happens."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import kernel_release
from fwguard.lab import namespaces

EDGE4, PEER4, EDGE6, PEER6 = "10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"
PORT = "port0"
HAS_OWNED_TABLES = kernel_release() >= (6, 9)  # by the kernel's version, not by the code under test


@dataclass
class Wire:
    """`edge` is where the kernel under test is, `peer` who sends to it over the edge's port `port0`."""

    edge: str
    peer: str
    sockets: list[socket.socket] = field(default_factory=list)
    netlinks: list[NetlinkSocket] = field(default_factory=list)

    def netlink(self) -> NetlinkSocket:
        """Return a warm socket in the edge."""
        self.netlinks.append(NetlinkSocket(netns=self.edge))
        return self.netlinks[-1]

    def nft(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run nft in the edge as someone else would."""
        command = ["ip", "netns", "exec", self.edge, "nft", *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)

    def open_socket(self, where: str, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket in one of the two, with a timeout."""
        made = namespaces.socket_in(where, family, kind)
        made.settimeout(3)
        self.sockets.append(made)
        return made

    def connected(self, family: int, port: int = 8080) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a TCP connection from the peer to the edge."""
        address = EDGE4 if family == socket.AF_INET else EDGE6
        listening = self.open_socket(self.edge, family)
        listening.bind((address, port))
        listening.listen()
        client = self.open_socket(self.peer, family)
        client.connect((address, port))
        server, _ = listening.accept()
        server.settimeout(0.3)
        self.sockets.append(server)
        return client, server

    def close(self) -> None:
        """Close all and remove both."""
        for opened in self.sockets:
            opened.close()
        for netlink in self.netlinks:
            netlink.close()
        namespaces.remove((self.edge, self.peer))


@pytest.fixture
def has_owned_tables() -> bool:
    """Whether this machine's kernel has tables with owner and persist flags."""
    return HAS_OWNED_TABLES


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire with names of its own."""
    run = secrets.token_hex(4)
    made = Wire(f"edge-{run}", f"peer-{run}")
    try:
        namespaces.create((made.edge, made.peer))
        lines = [f"link add {PORT} type veth peer name eth0 netns {made.peer}", f"link set {PORT} up"]
        lines += [f"addr add {EDGE4}/24 dev {PORT}", f"addr add {EDGE6}/64 dev {PORT} nodad"]
        namespaces.ip_batch(lines, netns=made.edge)
        lines = ["link set eth0 up", f"addr add {PEER4}/24 dev eth0", f"addr add {PEER6}/64 dev eth0 nodad"]
        namespaces.ip_batch(lines, netns=made.peer)
        yield made
    finally:
        made.close()
