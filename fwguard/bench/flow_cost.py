"""What a new allowed flow and a denied packet cost: through the whole contract, an empty chain, linear iptables.

All stand at the same time and are measured in turn, round by round, so that what else the machine does meets
each alike. A packet's cost is the sending thread's processor time, in which the kernel works the packet's whole
way; a connection is a real connect(2) to a listening socket behind the edge, on the clock.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from fwguard.bench.edge_path import (
    EMPTY,
    INTERNET4,
    INTERNET6,
    WIRES,
    EdgePath,
    load_elements,
    load_skeleton,
)
from fwguard.bench.edge_platform import BEHIND, CLOSED, NOW_S, opened, platform, public
from fwguard.bench.frames import Frames, syn_frames, wire_of
from fwguard.bench.linear import linear_text
from fwguard.compile.compiled import compile_edge
from fwguard.errors import DeviceError
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.ruleset import apply, compile_text
from fwguard.lab import namespaces

LIMIT: Final = 1.15
EMPTY_NAME, LINEAR_NAME = "empty_chain", "linear_iptables"
_SOURCES: Final = {4: INTERNET4, 6: INTERNET6}
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_SPREAD: Final = 7919  # prime: each packet is for another server, far from the one before
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Bed:
    """One arrangement: its path, its frames by (IP version, allowed), what was taken in microseconds."""

    path: EdgePath
    netlink: NetlinkSocket
    servers: int
    wire: socket.socket
    frames: dict[tuple[int, bool], Frames]
    loaded_s: float
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    wall_us: dict[str, list[float]] = field(default_factory=dict)
    connect_us: dict[str, list[float]] = field(default_factory=dict)


def measure(
    *,
    sizes: Sequence[int] = (100, 10_000),
    linear_servers: int = 1_000,
    packets: int = 10_000,
    rounds: int = 8,
    connections: int = 400,
) -> dict[str, Any]:
    """Measure, and return microseconds and their ratios; the best round of each counts, the median stands beside.

    Raises DeviceError: a packet passed or did not pass against the contract.
    """
    with ExitStack() as stack:
        beds = {EMPTY_NAME: _bed(stack, EMPTY_NAME, sizes[-1], packets)}
        for servers in sizes:
            beds[f"{servers}_servers"] = _bed(stack, "contract", servers, packets)
        beds[LINEAR_NAME] = _bed(stack, LINEAR_NAME, linear_servers, packets // 10)
        for _ in range(rounds):
            for name, bed in beds.items():
                for (version, allowed), frames in bed.frames.items():
                    _packets(name, bed, version, allowed, frames)
        for bed in beds.values():
            _answer(bed)
        for _ in range(rounds // 2):
            for bed in beds.values():
                for version in _SOURCES:
                    _connections(bed, version, connections)
        return _figures(beds, sizes, linear_servers)


def _bed(stack: ExitStack, kind: str, servers: int, packets: int) -> _Bed:
    path = stack.enter_context(EdgePath())
    netlink = stack.enter_context(path.socket())
    began = time.perf_counter()
    if kind == EMPTY_NAME:
        apply(netlink, compile_text(EMPTY))
    elif kind == LINEAR_NAME:
        path.run("iptables-nft-restore", text=linear_text(servers, 4))
        path.run("ip6tables-nft-restore", text=linear_text(servers, 6))
    else:
        compiled = compile_edge(platform(servers), now_s=NOW_S)
        load_skeleton(netlink, compiled)
        load_elements(netlink, compiled, now_s=NOW_S)
    loaded_s = time.perf_counter() - began
    wire = stack.enter_context(wire_of(path.ends["internet"]))
    made = {
        (version, allowed): Frames(
            syn_frames(
                _flows(servers, version, packets, allowed=allowed),
                source_mac=WIRES[0].end_mac,
                target_mac=WIRES[0].mac,
            )
        )
        for version in _SOURCES
        for allowed in (True, False)
    }
    return _Bed(path, netlink, servers, wire, made, loaded_s)


def _flows(servers: int, version: int, count: int, *, allowed: bool) -> Iterator[tuple[str, str, int, int]]:
    """Yield flows to all servers in turn, each new."""
    for number in range(count):
        server = number * _SPREAD % servers
        ports = opened(server, version)
        dport = ports[number // servers % len(ports)] if allowed else CLOSED
        yield _SOURCES[version], public(server, version), 1024 + number // servers, dport


def _packets(name: str, bed: _Bed, version: int, allowed: bool, frames: Frames) -> None:
    before = _passed(bed)
    taken = frames.send(bed.wire)
    bed.path.forget_flows(bed.netlink)
    passed = _passed(bed) - before
    wanted = len(frames) if allowed or name == EMPTY_NAME else 0
    if passed - wanted not in range(3):  # a neighbour's or a router's message may be among them
        raise DeviceError(f"{name}: {passed} packets of {len(frames)} passed instead of {wanted}")
    key = f"{'allowed' if allowed else 'denied'}_v{version}"
    bed.cpu_us.setdefault(key, []).append(taken.cpu_s / len(frames) * 1e6)
    bed.wall_us.setdefault(key, []).append(taken.wall_s / len(frames) * 1e6)


def _passed(bed: _Bed) -> int:
    """Return how many packets the edge has sent to the firewall."""

    def read() -> int:
        with open("/proc/thread-self/net/dev") as lines:
            line = next(one for one in lines if one.strip().startswith("eth0:"))
        return int(line.split(":")[1].split()[1])

    return namespaces.inside(bed.path.ends["firewall"], read)


def _answer(bed: _Bed) -> None:
    """Let the machine behind the edge hold every public address: connections are answered."""
    lines = ["route add local 198.18.0.0/15 dev lo", "-6 route add local 2001:db8::/96 dev lo"]
    namespaces.ip_batch(lines, netns=bed.path.ends["firewall"])


def _connections(bed: _Bed, version: int, count: int) -> None:
    """Connect to the first client's servers in turn, and note the median: behind its port answers only they may."""
    taken = []
    with _listening(bed.path.ends["firewall"], version) as port:
        for number in range(count):
            address = public(number % BEHIND, version)
            one = _caller(bed, version)
            try:
                began = time.perf_counter()
                one.connect((address, port))
                taken.append(time.perf_counter() - began)
            finally:
                one.close()
    bed.path.forget_flows(bed.netlink)
    bed.connect_us.setdefault(f"allowed_v{version}", []).append(median(taken) * 1e6)


def _caller(bed: _Bed, version: int) -> socket.socket:
    """Return a socket of the internet that resets its connection when it is closed."""
    made = namespaces.socket_in(bed.path.ends["internet"], _FAMILIES[version], socket.SOCK_STREAM)
    made.settimeout(5)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return made


@contextmanager
def _listening(netns: str, version: int) -> Iterator[int]:
    """Listen at a port that is open at every server; the queue is long, so nobody need accept."""
    port = opened(0, version)[0]
    with namespaces.socket_in(netns, _FAMILIES[version], socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("::" if version == 6 else "0.0.0.0", port))
        door.listen(4096)
        yield port


def _figures(beds: dict[str, _Bed], sizes: Sequence[int], linear_servers: int) -> dict[str, Any]:
    small, large = (f"{servers}_servers" for servers in (sizes[0], sizes[-1]))
    found: dict[str, Any] = {
        "limit": LIMIT,
        "linear_iptables_servers": linear_servers,
        "loaded_s": {name: round(bed.loaded_s, 2) for name, bed in beds.items()},
    }
    for what, of in (("packet_cpu_us", "cpu_us"), ("packet_us", "wall_us"), ("connection_us", "connect_us")):
        taken = {name: getattr(bed, of) for name, bed in beds.items()}
        best = {name: {key: min(values) for key, values in one.items()} for name, one in taken.items()}
        base = best[EMPTY_NAME]
        keys = list(best[large])
        found[what] = {
            name: {key: {"best": round(best[name][key], 2), "median": round(median(values), 2)}
                   for key, values in one.items()}
            for name, one in taken.items()
        } | {
            "large_to_empty": {key: round(best[large][key] / base[_like(key)], 3) for key in keys},
            "small_to_empty": {key: round(best[small][key] / base[_like(key)], 3) for key in keys},
            "large_to_small": {key: round(best[large][key] / best[small][key], 3) for key in keys},
            "linear_to_large": {key: round(best[LINEAR_NAME][key] / best[large][key], 1) for key in keys},
        }  # fmt: skip
    return found


def _like(key: str) -> str:
    """An empty chain denies nothing: a denied packet is compared with one that it lets pass."""
    return key.replace("denied", "allowed")
