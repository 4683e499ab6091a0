"""One flow as its first packets tell it, and what a detector may say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from fwguard.detect.stream import Stream
from fwguard.detect.tls import ClientHello, ServerFlight, read_client, read_server
from fwguard.model.detection import Detector, Reason

MAX_NUMBERS = 16


@dataclass(frozen=True, slots=True)
class Proof:
    """What a detector found, and the numbers of the packets that show it."""

    reason: Reason
    packets: tuple[int, ...]


class Opinion(Enum):
    """What a detector says when it has no proof: ask again with more, or never again."""

    WAIT = "wait"
    NEVER = "never"


WAIT, NEVER = Opinion.WAIT, Opinion.NEVER


class Side:
    """One end of a flow: where it is, and the first of what it sent.

    `numbers` are the packets that bore its first payloads, `head` the bytes in order (TCP). `ingress` is the port
    of the edge by which its packets come in.
    """

    __slots__ = ("address", "ingress", "numbers", "packets", "payloads", "port", "stream")

    def __init__(self, address: bytes, port: int, ingress: str) -> None:
        self.address = address
        self.port = port
        self.ingress = ingress
        self.packets = 0
        self.payloads = 0
        self.numbers: tuple[int, ...] = ()  # most flows never say anything: no list for nothing
        self.stream: Stream | None = None

    @property
    def head(self) -> bytearray:
        """Return the first bytes that this side sent, in order."""
        return self.stream.head if self.stream is not None else bytearray()

    def note(self, number: int) -> None:
        """Remember a packet with payload."""
        self.payloads += 1
        if len(self.numbers) < MAX_NUMBERS:
            self.numbers += (number,)


class Flow:
    """Two sides, who opened it, and what is still open about it."""

    __slots__ = (
        "answered",
        "back",
        "certain",
        "client",
        "completed",
        "failed",
        "first_number",
        "first_s",
        "hello",
        "judges",
        "last_s",
        "media",
        "protocol",
        "server",
        "server_flight",
        "session",
        "started",
        "watch",
        "watched",
    )

    def __init__(self, protocol: int, client: Side, server: Side, number: int, time_s: float) -> None:
        self.protocol = protocol
        self.client = client
        self.server = server
        self.first_number = number
        self.first_s = self.last_s = time_s
        self.certain = False  # a SYN showed who opened it
        self.started = self.answered = self.completed = self.failed = False
        self.judges: tuple[Named, ...] = ()
        self.watch: Watch | None = None
        self.watched = 0
        self.back = b""  # the key of the packets that go the other way
        self.media: object = None
        self.session = ""  # what the two sides log in by, while it lasts
        self.hello: ClientHello | None = None
        self.server_flight: ServerFlight | None = None

    def ways(self) -> tuple[tuple[Side, Side], ...]:
        """Return who may be client and server: both ways when no SYN was seen."""
        if self.certain:
            return ((self.client, self.server),)
        return (self.client, self.server), (self.server, self.client)

    def turn(self) -> None:
        """Exchange the roles: what was said shows that the other side opened it."""
        self.client, self.server = self.server, self.client
        self.certain = True

    def read_tls(self, client: Side, server: Side) -> bool:
        """Read what is new of a TLS handshake; return whether anything may still come."""
        if self.hello is None:
            self.hello = read_client(client.head)
        if self.server_flight is None or not self.server_flight.whole:
            self.server_flight = read_server(server.head)
        return self.hello is None or not self.server_flight.whole


Judge = Callable[[Flow, Side, Side, bool], Proof | Opinion]
"""A detector by content: (flow, client, server, whether nothing more will come)."""

Named = tuple[Detector, Judge]

Watch = Callable[[Flow, Side, bytes, int, float], None]
"""What follows a flow that is decided: (flow, sender, payload, packet number, time)."""


def show(address: bytes) -> str:
    """Write an address of 4 or 16 bytes (or an Ethernet address of 6) as text."""
    if len(address) == 4:
        return str(IPv4Address(address))
    return str(IPv6Address(address)) if len(address) == 16 else address.hex(":")


def quote(data: bytes | bytearray, most: int = 60) -> str:
    """Return bytes that an attacker wrote as short printable ASCII."""
    line = bytes(data[:most]).split(b"\r")[0].split(b"\n")[0]
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
