"""What begins at a port that faces outside, and the connections that end with what let them begin (clause 7.1.1).

A rule that lets established connections through would let them live on after their opening has ended.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from fwguard.compile.grants import effective_openings
from fwguard.compile.local_cuts import LocalCut, cut_flow
from fwguard.kernel.conntrack import Flow, FlowMatch, end_flows, flows
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.model.address import AddressSet
from fwguard.model.controls import Mode
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, Link, Template
from fwguard.model.edge_grants import EdgeOpening
from fwguard.model.intervals import Intervals
from fwguard.model.ports import TCP, WITH_PORTS

_SHARED_ZONE: Final = 0  # connections between two clients meet there
_SETTINGS: Final = Path("/proc/sys/net/netfilter")


class Inbound:
    """What may begin towards each outer port of a state at one moment."""

    def __init__(self, state: EdgeState, *, now_s: int) -> None:
        self.state = state
        self.now_s = now_s
        self.ports: Mapping[int, EdgePort] = {
            port.number: port for port in state.outer_ports if port.link is Link.ROUTED
        }
        self._architectures = {one.name: one for one in state.architectures}
        self._openings: dict[int, list[EdgeOpening]] = {}
        for opening in effective_openings(state):
            if opening.ends_at_s is None or opening.ends_at_s > now_s:
                self._openings.setdefault(opening.port, []).append(opening)

    def grants(self, number: int) -> tuple[object, ...]:
        """Return all that decides at one port: equal grants let the same begin."""
        port = self.ports.get(number)
        if port is None:
            return ()
        architecture = self._architectures[port.architecture]
        return (
            port.state, port.addresses, architecture.template, architecture.mode, architecture.own_sources,
            self.state.monitoring, tuple(self._openings.get(number, ())),
        )  # fmt: skip

    def passes(self, number: int, flow: Flow) -> bool:
        """Tell whether a connection towards this port may begin now."""
        port = self.ports.get(number)
        if port is None or not port.is_started:
            return False
        source, target = _number(flow.source.address), _number(flow.target.address)
        is_v4 = len(flow.source.address) == 4
        if source in _side(self.state.monitoring, is_v4):
            return True
        architecture: EdgeArchitecture = self._architectures[port.architecture]
        if architecture.template is Template.DEVELOPMENT and source not in _side(
            architecture.own_sources, is_v4
        ):
            return False
        if architecture.mode is Mode.OBSERVE and architecture.template is not Template.RETRIEVAL:
            return True
        return any(
            _covers(opening, flow, source, target, is_v4) for opening in self._openings.get(number, ())
        )


def next_end_s(state: EdgeState, now_s: int) -> int | None:
    """Return when the next opening ends by itself, None for never."""
    ends = (one.ends_at_s for one in effective_openings(state) if one.ends_at_s is not None)
    return min((end for end in ends if end > now_s), default=None)


def ended_flows(socket: NetlinkSocket, before: Inbound, after: Inbound) -> list[tuple[EdgePort, Flow]]:
    """Return the connections that began under `before` and could not begin under `after`, with their port.

    Only ports at which something changed are looked at. Raises DeviceError, PartialReadingError.
    """
    found: list[tuple[EdgePort, Flow]] = []
    listed: dict[int, list[Flow]] = {}
    for port in changed_ports(before, after):
        for zone in (port.zone, _SHARED_ZONE):
            if zone not in listed:
                listed[zone] = flows(socket, FlowMatch(zone=zone))
            found += (
                (port, flow)
                for flow in listed[zone]
                if _number(flow.target.address) in _side(port.addresses, len(flow.target.address) == 4)
                and not after.passes(port.number, flow)
                and before.passes(port.number, flow)
            )
    return found


def changed_ports(before: Inbound, after: Inbound) -> list[EdgePort]:
    """Return the ports at which something else may begin than before."""
    return [
        port for number, port in before.ports.items() if before.grants(number) != after.grants(number)
    ]  # fmt: skip


def end_each(socket: NetlinkSocket, which: Iterable[Flow]) -> int:
    """End these connections; return how many were there still. Raises DeviceError, PartialReadingError."""
    return sum(end_flows(socket, _exactly(flow)) for flow in which)


def hushes(port: EdgePort, flow: Flow) -> LocalCut:
    """Return the elements that keep a machine from going on with an ended flow; none for TCP.

    A datagram that answers an ended flow begins a new one, towards outside, and its answers would come in.
    """
    if flow.protocol == TCP or flow.protocol not in WITH_PORTS:
        return ()
    peer = str(ipaddress.ip_address(flow.source.address))
    return cut_flow(
        port, peer=peer, protocol=flow.protocol, server_port=flow.target.port, peer_port=flow.source.port
    )


def refuse_midstream() -> bool:
    """Make conntrack take up no connection in the middle; return whether this host has the setting.

    Otherwise the answer of a server to an ended connection would begin it anew, as one that it opened itself.
    Source: nf_conntrack_tcp_loose, Documentation/networking/nf_conntrack-sysctl.rst.
    """
    path = _SETTINGS / "nf_conntrack_tcp_loose"
    with suppress(OSError):
        if path.read_text(encoding="ascii").strip() != "0":
            path.write_text("0", encoding="ascii")
        return True
    return False


def _covers(opening: EdgeOpening, flow: Flow, source: int, target: int, is_v4: bool) -> bool:
    return (
        opening.public.version == (4 if is_v4 else 6)
        and opening.public.first <= target <= opening.public.last
        and opening.protocol == flow.protocol
        and (flow.protocol not in WITH_PORTS or opening.first_port <= flow.target.port <= opening.last_port)
        and source in _side(opening.sources, is_v4)
    )


def _exactly(flow: Flow) -> FlowMatch:
    source, target = (ipaddress.ip_network(end.address) for end in (flow.source, flow.target))
    ported = flow.protocol in WITH_PORTS
    return FlowMatch(
        zone=flow.zone, source=source, target=target, protocol=flow.protocol,
        port=flow.target.port if ported else None, source_port=flow.source.port if ported else None,
    )  # fmt: skip


def _side(addresses: AddressSet, is_v4: bool) -> Intervals:
    return addresses.v4 if is_v4 else addresses.v6


def _number(address: bytes) -> int:
    return int.from_bytes(address, "big")
