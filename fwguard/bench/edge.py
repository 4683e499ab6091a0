"""What the edge's kernel side costs: the first load, a change, an isolation under traffic, an end of flows.

In two namespaces of its own with a wire between them; 100 000 openings are loaded during every figure. Times
are from the call to the kernel's acknowledgement.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from fwguard.bench.machine import load, machine
from fwguard.kernel import keys
from fwguard.kernel.elements import Element
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.quarantine import Cut, Kind, Origin, Quarantine, plain_places
from fwguard.kernel.ruleset import apply, compile_text
from fwguard.kernel.sets import NamedSet
from fwguard.lab import namespaces

SERVERS: Final = 10_000
OPENINGS_EACH: Final = 10
PACKETS_PER_S: Final = 20_000
CHANGES: Final = 300
ISOLATIONS: Final = 200
PORT: Final = 9_999
_EDGE: Final = Table("inet", "fwguard_bench")
_KINDS: Final = {Kind.PORT: "ifname", Kind.V4: "ipv4_addr", Kind.V6: "ipv6_addr", Kind.MAC: "ether_addr"}
_LINKS: Final = ("10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2")
_SETTLE_S: Final = 0.004


def run(*, servers: int = SERVERS, changes: int = CHANGES, isolations: int = ISOLATIONS) -> dict[str, Any]:
    """Measure, and return milliseconds unless a name says otherwise. Needs root; takes about fifteen seconds.

    `cpu_ms` is what the process and the kernel worked for it, whatever else ran on the machine.
    """
    with _wire() as (edge, peer), NetlinkSocket(netns=edge) as netlink:
        began = time.perf_counter()
        wanted = compile_text(_text())
        compiled = time.perf_counter()
        applied = apply(netlink, wanted)
        structure = {
            "read_by_nft_ms": _ms(compiled - began),
            "applied_and_read_back_ms": _ms(time.perf_counter() - compiled),
            "held": applied.held[0][1].value,
        }
        return {
            "machine": machine(),
            "load": load(),
            "structure": structure,
            "first_load": _first_load(netlink, servers),
            "one_server": _one_server(netlink, servers, changes),
            "isolate": {
                family: _isolate(netlink, edge, peer, family, isolations)
                for family in ("v4", "v6")
            },
        }  # fmt: skip


def _text() -> str:
    """Return a skeleton of the edge's shape: cuts before connection tracking, then state, then openings."""
    sets = "".join(
        f"set {origin}_{kind} {{ type {of}; {'flags timeout; ' if origin is Origin.ORDERED else ''}}}\n"
        for origin in Origin
        for kind, of in _KINDS.items()
    )
    matched = {Kind.PORT: "iifname", Kind.V4: "ip saddr", Kind.V6: "ip6 saddr", Kind.MAC: "ether saddr"}
    cuts = "".join(f"{field} @{origin}_{kind} drop\n" for origin in Origin for kind, field in matched.items())
    return f"""table {_EDGE} {{
{sets}
set openings {{ type ipv4_addr . inet_proto . inet_service; flags timeout; size 262144; }}
chain cuts {{ type filter hook prerouting priority -310; policy accept; {cuts} }}
chain input {{ type filter hook input priority 0; policy accept;
ct state established accept
ip daddr . meta l4proto . th dport @openings accept
}}
}}"""


def _openings(server: int) -> list[Element]:
    address, tcp = keys.ipv4(0x0A000000 + server), keys.protocol("tcp")
    return [
        Element(keys.concat(address, tcp, keys.port(8000 + i)), timeout_ms=86_400_000, comment=f"t-{server}")
        for i in range(OPENINGS_EACH)
    ]


def _first_load(netlink: NetlinkSocket, servers: int) -> dict[str, Any]:
    held = NamedSet(netlink, _EDGE, "openings")
    began, worked = time.perf_counter(), time.process_time()
    elements = [element for server in range(servers) for element in _openings(server)]
    made = time.perf_counter()
    held.add(elements)
    loaded, work_s = time.perf_counter(), time.process_time() - worked
    found = len(held.elements())
    return {
        "openings": found,
        "made_ms": _ms(made - began),
        "encoded_and_acknowledged_ms": _ms(loaded - made),
        "total_ms": _ms(loaded - began),
        "cpu_ms": _ms(work_s),
        "read_back_ms": _ms(time.perf_counter() - loaded),
    }


def _one_server(netlink: NetlinkSocket, servers: int, changes: int) -> dict[str, Any]:
    """Add and remove one server's ten openings, and one opening, with all the others loaded."""
    held = NamedSet(netlink, _EDGE, "openings")
    ten, one = _openings(servers + 1), _openings(servers + 2)[:1]
    add_10, remove_10 = _alternating(lambda: held.add(ten), lambda: held.remove(ten), changes)
    add_1, remove_1 = _alternating(lambda: held.add(one), lambda: held.remove(one), changes)
    return {
        "add_10": _spread(add_10),
        "remove_10": _spread(remove_10),
        "add_1": _spread(add_1),
        "remove_1": _spread(remove_1),
    }


def _alternating(
    act: Callable[[], object], undo: Callable[[], object], times: int
) -> tuple[list[float], list[float]]:
    """Return the seconds that each act and each undoing took, one after the other."""
    acting, undoing = [], []
    for _ in range(times):
        began = time.perf_counter()
        act()
        done = time.perf_counter()
        undo()
        acting.append(done - began)
        undoing.append(time.perf_counter() - done)
    return acting, undoing


def _isolate(netlink: NetlinkSocket, edge: str, peer: str, family: str, isolations: int) -> dict[str, Any]:
    """Cut a sender in full flow, again and again: how long it takes and how many packets still arrive.

    Leaked is what was sent after the call began and arrived; the packets bear their own time.
    """
    source, target = (_LINKS[1], _LINKS[0]) if family == "v4" else (_LINKS[3], _LINKS[2])
    cut = Cut(Kind.V4 if family == "v4" else Kind.V6, source)
    quarantine = Quarantine(netlink, plain_places(_EDGE))
    receiver = namespaces.socket_in(
        edge, socket.AF_INET if family == "v4" else socket.AF_INET6, socket.SOCK_DGRAM
    )
    receiver.bind((target, PORT))
    receiver.setblocking(False)
    seconds = 1.5 + isolations * 3.5 * _SETTLE_S
    sender = subprocess.Popen(
        ["ip", "netns", "exec", peer, sys.executable, "-m", "fwguard.bench.paced",
         target, str(PORT), str(PACKETS_PER_S), str(seconds)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    taken, leaked = [], []
    try:
        _wait_for_packets(receiver, sender)
        for _ in range(isolations):
            time.sleep(_SETTLE_S)
            _arrived(receiver)
            called_ns = time.monotonic_ns()
            taken.append(quarantine.isolate(cut, Origin.LOCAL))
            time.sleep(_SETTLE_S)
            leaked.append(sum(sent_ns > called_ns for sent_ns in _arrived(receiver)))
            quarantine.release(cut, Origin.LOCAL)
        still_sending = sender.poll() is None
        sent = int(sender.communicate(timeout=30)[0])
    finally:
        sender.kill()
        sender.wait()
        receiver.close()
    leaked.sort()
    return {
        **_spread(taken),
        # On a busy machine the sender comes in bursts: then the median is 0 and only the mean says something.
        "leaked_packets": {
            "mean": round(sum(leaked) / len(leaked), 2),
            "p50": _at(leaked, 50),
            "p99": _at(leaked, 99),
            "most": leaked[-1],
        },
        "packets_per_s": round(sent / seconds),
        "sent_to_the_end": still_sending,
    }


def _wait_for_packets(receiver: socket.socket, sender: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    while not _arrived(receiver):
        if time.monotonic() > deadline or sender.poll() is not None:
            raise RuntimeError("no packet of the sender arrives")
        time.sleep(0.01)


def _arrived(receiver: socket.socket) -> list[int]:
    """Return when each packet that waits was sent, in nanoseconds."""
    found = []
    try:
        while True:
            found.append(int.from_bytes(receiver.recv(64), "big"))
    except BlockingIOError:
        return found


def _spread(taken_s: Sequence[float]) -> dict[str, float]:
    ordered = sorted(taken_s)
    return {
        name: _ms(_at(ordered, percent)) for name, percent in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99))
    }


def _at(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)


@contextmanager
def _wire() -> Iterator[tuple[str, str]]:
    """Make two namespaces with names of this run, a wire between them, and remove them whatever happens."""
    run_name = f"{os.getpid():x}-{secrets.token_hex(2)}"
    edge, peer = f"bench-edge-{run_name}", f"bench-peer-{run_name}"
    edge4, peer4, edge6, peer6 = _LINKS
    try:
        namespaces.create((edge, peer))
        namespaces.ip_batch(
            [f"link add port0 type veth peer name eth0 netns {peer}", "link set port0 up",
             f"addr add {edge4}/24 dev port0", f"addr add {edge6}/64 dev port0 nodad"],
            netns=edge,
        )  # fmt: skip
        lines = ["link set eth0 up", f"addr add {peer4}/24 dev eth0", f"addr add {peer6}/64 dev eth0 nodad"]
        namespaces.ip_batch(lines, netns=peer)
        yield edge, peer
    finally:
        namespaces.remove((edge, peer))
