"""Answers from ports that no approved opening covers: the client's firewall lets through what nobody approved.

Proof of clause 7.1.1 that does not depend on what the firewall says about itself: a port that faces outside
answered a connection that a stranger began, and neither an opening, nor a transfer of a client that leaves, nor
our own monitoring covers it. A refusal (reset, ICMP error) is no answer; neither is what replies to a connection
that the server began itself. The verdict binds to the port by which the answer came in, so that nobody can be
blamed for an answer that another sent in its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded, Window
from fwguard.detect.flow import Flow, show
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detector, Reason
from fwguard.model.edge import EdgePort, EdgeState, Template
from fwguard.model.edge_grants import EdgeOpening, Transfer
from fwguard.model.intervals import Intervals
from fwguard.model.thresholds import UnapprovedAnswer

_ALWAYS: Final = float("inf")
_GROUP_V4: Final = range(224, 256)


class Cover(NamedTuple):
    """What one opening lets in: targets and sources as intervals of one IP version, until `ends_at_s`."""

    version: int
    first: int
    last: int
    first_port: int
    last_port: int
    sources: Intervals
    ends_at_s: float


Ports = dict[tuple[str, int, int], list[Cover]]
"""By interface, protocol and port; port -1 where more than one is covered."""


@dataclass(frozen=True, slots=True)
class Approved:
    """What may answer at the outer ports of an edge, found by two look-ups; `outer` are their interfaces."""

    outer: frozenset[str] = frozenset()
    monitoring: AddressSet = AddressSet()
    covers: Ports = field(default_factory=dict)

    @classmethod
    def of(cls, state: EdgeState) -> Self:
        """Return what a state of an edge approves. Of a client that leaves only its transfers count."""
        architectures = {one.name: one for one in state.architectures}
        outer = {port.number: port for port in state.outer_ports if port.is_started}
        covers: Ports = {}
        for opening in state.openings:
            port = outer.get(opening.port)
            if port is None or architectures[port.architecture].template is Template.RETRIEVAL:
                continue
            own = architectures[port.architecture]
            sources = opening.sources
            if own.template is Template.DEVELOPMENT:
                sources = sources & own.own_sources
            _put(covers, port, opening, sources, opening.ends_at_s)
        for port in outer.values():
            for transfer in architectures[port.architecture].transfers:
                ends_at_s = architectures[port.architecture].retrieval_ends_at_s
                _put(covers, port, transfer, transfer.sources, ends_at_s)
        return cls(frozenset(port.interface for port in outer.values()), state.monitoring, covers)

    def covers_answer(
        self, interface: str, protocol: int, target: bytes, port: int, source: bytes, time_s: float
    ) -> bool:
        """Return whether `source` may be answered by `port` of `target` behind an interface."""
        peer = int.from_bytes(source, "big")
        if peer in (self.monitoring.v4 if len(source) == 4 else self.monitoring.v6):
            return True
        number = int.from_bytes(target, "big")
        version = 4 if len(target) == 4 else 6
        for known in (port, -1):
            for cover in self.covers.get((interface, protocol, known), ()):
                if (
                    cover.version == version
                    and cover.first <= number <= cover.last
                    and cover.first_port <= port <= cover.last_port
                    and time_s < cover.ends_at_s
                    and peer in cover.sources
                ):
                    return True
        return False


def _put(
    covers: Ports,
    port: EdgePort,
    granted: EdgeOpening | Transfer,
    sources: AddressSet,
    ends_at_s: int | None,
) -> None:
    version, first, last = granted.public
    one = granted.first_port if granted.first_port == granted.last_port else -1
    covers.setdefault((port.interface, granted.protocol, one), []).append(
        Cover(
            version,
            first,
            last,
            granted.first_port,
            granted.last_port,
            sources.v4 if version == 4 else sources.v6,
            _ALWAYS if ends_at_s is None else ends_at_s,
        )
    )


Answering = tuple[str, int, bytes, int]
"""Interface, protocol, address, port of who answered."""


class UnapprovedOpenings:
    """Counts what answers at outer ports without an approval."""

    def __init__(
        self, limits: UnapprovedAnswer, approved: Approved, sources_most: int, accuser: Accuser
    ) -> None:
        self.limits = limits
        self.approved = approved
        self.accuser = accuser
        self.answers: Bounded[Answering, Window] = Bounded(sources_most)
        self._spoken: Bounded[Answering, list[float]] = Bounded(sources_most)

    def answered(self, flow: Flow, number: int, time_s: float) -> None:
        """Take the first answer to a connection whose beginning was seen."""
        server, client = flow.server, flow.client
        if server.ingress not in self.approved.outer or _is_group(server.address):
            return
        if self.approved.covers_answer(
            server.ingress, flow.protocol, server.address, server.port, client.address, time_s
        ):
            return
        key = server.ingress, flow.protocol, server.address, server.port
        seen = self.answers.take(key, lambda: Window(self.limits.window_s))
        seen.add(time_s, flow.first_number)
        count = seen.add(time_s, number) // 2
        spoken = self._spoken.entries.get(key)
        if count <= self.limits.answers_most or (spoken and time_s - spoken[0] < self.limits.window_s):
            return
        self._spoken.take(key, list)[:] = [time_s]
        facts = ("address", show(server.address)), ("port", str(server.port)), ("count", str(count))
        self.accuser.accuse(
            Detector.UNAPPROVED_OPENING,
            Reason("unapproved-opening", facts),
            server=server.address,
            peer=client.address,
            port=server.port,
            protocol=flow.protocol,
            packets=seen.numbers(),
            first_packet=flow.first_number,
            first_s=flow.first_s,
            last_s=time_s,
            server_port=server.port,
            peer_port=client.port,
            ingress=server.ingress,
        )


def _is_group(address: bytes) -> bool:
    return address[0] == 0xFF if len(address) == 16 else address[0] in _GROUP_V4
