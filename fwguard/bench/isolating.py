"""Isolating a server in full flow at an edge that holds everybody: how long it takes and what still leaks."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import Any, Final

from fwguard.bench.changing import at, spread_ms
from fwguard.bench.edge_path import SERVERS4, SERVERS6, EdgePath
from fwguard.compile.names import TABLE
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.quarantine import Cut, Kind, Origin, Quarantine, plain_places
from fwguard.lab import namespaces

PACKETS_PER_S: Final = 20_000
PORT: Final = 9_999
_SETTLE_S: Final = 0.004


def isolate(path: EdgePath, netlink: NetlinkSocket, version: int, isolations: int) -> dict[str, Any]:
    """Cut server 0 again and again while it sends to server 1.

    Leaked is what was sent after the call began and arrived; the packets bear their own time.
    Raises RuntimeError: nothing of the sender arrives.
    """
    target = SERVERS4[1] if version == 4 else SERVERS6[1]
    cut = Cut(Kind.PORT, "s0")
    quarantine = Quarantine(netlink, plain_places(Table("inet", TABLE)))
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    receiver = namespaces.socket_in(path.ends["server1"], family, socket.SOCK_DGRAM)
    receiver.bind((target, PORT))
    seconds = 1.5 + isolations * 3.5 * _SETTLE_S
    sender = subprocess.Popen(
        ["ip", "netns", "exec", path.ends["server0"], sys.executable, "-m", "fwguard.bench.paced",
         target, str(PORT), str(PACKETS_PER_S), str(seconds)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    taken, leaked = [], []
    try:
        _answer_first(receiver, sender)
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
        **spread_ms(taken),
        # On a busy machine the sender comes in bursts: then the median is 0 and only the mean says something.
        "leaked_packets": {
            "mean": round(sum(leaked) / len(leaked), 2),
            "p50": at(leaked, 50),
            "p99": at(leaked, 99),
            "most": leaked[-1],
        },
        "packets_per_s": round(sent / seconds),
        "sent_to_the_end": still_sending,
    }


def _answer_first(receiver: socket.socket, sender: subprocess.Popen[str]) -> None:
    """Answer the first packet: only then it is one connection, and not a flood of beginnings."""
    receiver.settimeout(10)
    try:
        _, source = receiver.recvfrom(64)
    except TimeoutError:
        raise RuntimeError(f"no packet of the sender arrives (exit code {sender.poll()})") from None
    receiver.sendto(b"", source)
    receiver.setblocking(False)


def _arrived(receiver: socket.socket) -> list[int]:
    """Return when each packet that waits was sent, in nanoseconds."""
    found = []
    try:
        while True:
            found.append(int.from_bytes(receiver.recv(64), "big"))
    except BlockingIOError:
        return found
