"""A real kernel as an edge: every port of a state is a veth, packets go in by any, and which of them come out.

    with EdgeJudge(state) as edge:
        edge.load(text)
        arrived = edge.judge_frames([(packet, ether), …])

Routes are those of the lab: an inner port reaches its own client's inside and sends the rest to the firewall's
inside; everything else follows the main table, where each outer port's addresses are behind it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernel_judge import KernelJudge, _in_namespace, craft

from fwguard.model.edge import EdgePort, EdgeState, PortKind
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.edge_fields import Span
from fwguard.model.packet import Packet


class EdgeJudge(KernelJudge):  # type: ignore[misc]
    """The edge's namespace and the one around it, with a wire for every port and uplink."""

    def __init__(self, state: EdgeState) -> None:
        super().__init__()
        self.state = state
        self.names = (*state.uplinks, *(port.interface for port in state.ports))
        self.ethers: list[str] = []

    def load(self, text: str) -> None:
        """Load an nft text in the edge."""
        self.run(["nft", "-f", "-"], text)

    def judge_frames(self, frames: Sequence[tuple[Packet, str]]) -> list[bool]:
        """Send each packet from the MAC given with it ("": the port's own); tell which came out anywhere."""
        self.ethers = [ether for _, ether in frames]
        return self.judge([packet for packet, _ in frames])

    def _build(self) -> None:
        for name in (self.firewall, self.outside):
            subprocess.run(["ip", "netns", "add", name], check=True, timeout=30)
        for netns, settings in (
            (self.outside, ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]),
            (self.firewall, [
                "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.send_redirects=0",
                "net.ipv4.conf.default.send_redirects=0", "net.ipv6.conf.default.accept_dad=0",
            ]),
        ):  # fmt: skip
            subprocess.run(["ip", "netns", "exec", netns, "sysctl", "-qw", *settings], check=True, timeout=30)
        self.macs = {name: (bytes((2, 0xED, 0, 0, 0, i)), bytes((2, 0xAA, 0, 0, 0, i)))
                     for i, name in enumerate(self.names)}  # fmt: skip
        for port in self.state.ports:
            theirs = bytes.fromhex(port.macs[0].replace(":", ""))
            self.macs[port.interface] = self.macs[port.interface][0], theirs
        _batch(self.firewall, list(self._edge_lines()))
        _batch(self.outside, list(self._outside_lines()))
        self.wires = _in_namespace(self.outside, self._open)

    def _open(self) -> dict[str, socket.socket]:
        wires = {}
        for name in self.names:
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            wire.bind((name, 3))
            wire.setblocking(False)
            wires[name] = wire
        return wires

    def _edge_lines(self) -> Iterator[str]:
        yield "link set lo up"
        walled = walled_architectures(self.state)
        for index, name in enumerate(self.names):
            mine, theirs = (_lladdr(mac) for mac in self.macs[name])
            yield f"link add {name} address {mine} type veth peer name {name} address {theirs} netns {self.outside}"
            yield f"link set {name} addrgenmode none"  # no messages of the edge's own
            yield f"link set {name} up"
            for via in (f"198.18.255.{index + 1}", f"fd64::{index + 1:x}"):
                yield f"neigh replace {via} lladdr {theirs} dev {name} nud permanent"
        yield f"route add default via 198.18.255.1 dev {self.names[0]} onlink"
        yield f"-6 route add default via fd64::1 dev {self.names[0]} onlink"
        for port in self.state.ports:
            if is_outer(port, walled):
                yield from self._routes(port, "main")
                continue
            table = port.zone + (20000 if port.kind is PortKind.FIREWALL_IN else 0)
            for other in self.state.ports:
                if other.zone == port.zone:
                    yield from self._routes(other, str(table))
            if port.kind is PortKind.FIREWALL_IN:
                yield f"route replace unreachable default table {table}"
                yield f"-6 route replace unreachable default table {table}"
            elif gateway := next(
                (p for p in self.state.ports if p.zone == port.zone and p.kind is PortKind.FIREWALL_IN), None
            ):
                index = self.names.index(gateway.interface)
                yield f"route replace default via 198.18.255.{index + 1} dev {gateway.interface} onlink table {table}"
                yield f"-6 route replace default via fd64::{index + 1:x} dev {gateway.interface} onlink table {table}"
            for family in ("", "-6 "):
                yield f"{family}rule add iif {port.interface} lookup {table} priority 1000"

    def _routes(self, port: EdgePort, table: str) -> Iterator[str]:
        index = self.names.index(port.interface) + 1
        for version, pairs, via in ((4, port.addresses.v4, f"198.18.255.{index}"),
                                    (6, port.addresses.v6, f"fd64::{index:x}")):  # fmt: skip
            for first, last in pairs:
                flag = "-6 " if version == 6 else ""
                span = Span(version, first, last)
                yield f"{flag}route replace {span} via {via} dev {port.interface} onlink table {table}"

    def _outside_lines(self) -> Iterator[str]:
        yield from (f"link set {name} up" for name in self.names)

    def _send(self, packet: Packet, index: int) -> None:
        payload = b"judge" + index.to_bytes(4, "big")
        datagram = craft(packet, payload)
        mine, theirs = self.macs[packet.ingress]
        if self.ethers and self.ethers[index]:
            theirs = bytes.fromhex(self.ethers[index].replace(":", ""))
        kind = b"\x08\x00" if datagram[0] >> 4 == 4 else b"\x86\xdd"
        self.wires[packet.ingress].send(mine + theirs + kind + datagram)


def _batch(netns: str, lines: list[str]) -> None:
    """Run `ip -batch` lines, then those that start with -6 in a batch of their own."""
    for family in ("-4", "-6"):
        chosen = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ") == (family == "-6")]
        options = ["-6"] if family == "-6" else []
        subprocess.run(
            ["ip", *options, "-n", netns, "-batch", "-"], input="".join(f"{line}\n" for line in chosen), text=True,
            check=True, timeout=30,
        )  # fmt: skip


def _lladdr(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
