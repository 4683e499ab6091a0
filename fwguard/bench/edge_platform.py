"""The platform on which the edge is measured: clients of eight servers behind a firewall, ten openings a server."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any, Final

from fwguard.compile.compiled import compile_edge
from fwguard.config import load_settings
from fwguard.model.address import AddressSet
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, PortKind
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import ClientShare, EdgeOpening
from fwguard.model.ports import TCP
from fwguard.rules.controls import read_controls

EACH: Final = 10
BEHIND: Final = 8  # servers of a client
FIRST_OPEN: Final = 8000
CLOSED: Final = 9000
NOW_S: Final = 1_800_000_000
_DAY_S: Final = 86_400
_PUBLIC4: Final = 0xC6120000  # 198.18.0.0/15: for benchmarks (RFC 2544)


def platform(servers: int, *, generation: int = 1) -> EdgeState:
    """Return the state of an edge with so many servers and ten openings each, half v4, half v6, with an end."""
    ports: list[EdgePort] = []
    openings: list[EdgeOpening] = []
    clients = -(-servers // BEHIND)
    for client in range(clients):
        behind = min(BEHIND, servers - client * BEHIND)
        here = [client * BEHIND + at for at in range(behind)]
        publics = [text for server in here for text in (public(server, 4), public(server, 6))]
        ports.append(_port(client, 0, f"o{client}", PortKind.FIREWALL_OUT, publics, 20000 + client))
        ports.append(
            _port(client, 1, f"i{client}", PortKind.FIREWALL_IN, ["10.20.0.1", "fd20::1"], 1 + client)
        )
        for at, server in enumerate(here):
            own = [f"10.20.0.{11 + at}", f"fd20::{11 + at:x}"]
            ports.append(_port(client, 2 + at, f"s{server}", PortKind.SERVER, own, 1 + client))
            openings += [_opening(ports[client * (BEHIND + 2)].number, server, n) for n in range(EACH)]
    names = [f"c{client}" for client in range(clients)]
    return EdgeState(
        edge="bench", epoch=1, generation=generation, uplinks=("uplink",), uplink_bps=10**10,
        ports=tuple(ports),
        architectures=tuple(EdgeArchitecture(name=name, client=name) for name in names),
        openings=tuple(openings),
        shares=tuple(
            ClientShare(client=name, number=16 + n, assured_bps=101_000_000) for n, name in enumerate(names)
        ),
        controls=read_controls(load_settings().rules),
    )  # fmt: skip


def public(server: int, version: int) -> str:
    """Return the address at which the openings of a server are."""
    number = _PUBLIC4 + server if version == 4 else (0x20010DB8 << 96) + 0x10000 + server
    return str(Span(version, number, number))


def mac_of(number: int) -> str:
    """Return a locally administered MAC address."""
    return ":".join(f"{byte:02x}" for byte in (2, *number.to_bytes(5, "big")))


def opened(server: int, version: int) -> range:
    """Return the TCP ports that are open at a server's address of an IP version."""
    return range(FIRST_OPEN + (version == 6), FIRST_OPEN + EACH, 2)


def _opening(port: int, server: int, n: int) -> EdgeOpening:
    version = 6 if n % 2 else 4
    return EdgeOpening(
        port=port, public=Span.parse(public(server, version)), protocol=TCP, first_port=FIRST_OPEN + n,
        last_port=FIRST_OPEN + n, ends_at_s=NOW_S + _DAY_S, ticket=f"T{server}-{n}",
    )  # fmt: skip


def _port(client: int, at: int, name: str, kind: PortKind, addresses: list[str], zone: int) -> EdgePort:
    number = client * (BEHIND + 2) + at + 1
    return EdgePort(
        number=number, interface=name, kind=kind, client=f"c{client}", architecture=f"c{client}", server=name,
        macs=(mac_of(number),), addresses=AddressSet.parse(*addresses), zone=zone,
    )  # fmt: skip


def measure_compiling(servers: int) -> dict[str, Any]:
    """Compile once; run in a process of its own, so that the memory is that of the state and the compiler."""
    state = platform(servers)
    with_state_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, worked = time.perf_counter(), time.process_time()
    compiled = compile_edge(state, now_s=NOW_S)
    took_s, work_s = time.perf_counter() - began, time.process_time() - worked
    return {
        "servers": servers,
        "openings": len(state.openings),
        "elements": sum(map(len, compiled.contents.values())),
        "seconds": round(took_s, 3),
        "cpu_seconds": round(work_s, 3),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "of_which_before_compiling_mb": round(with_state_kb / 1024, 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure_compiling(int(sys.argv[1]))))
