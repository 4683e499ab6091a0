"""Begins connections through an edge, some allowed and some not, and tells which came through: its own process.

`python -m fwguard.bench.witness FROM_NETNS TO_NETNS PACKETS_PER_S` prints a line when it runs, goes on until its
input ends, and prints one JSON object. Each SYN bears its own number and is for ports that both states of a
change open (or none does), so that whatever is lost or wrongly passed is seen as itself.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fwguard.bench.edge_path import INTERNET4, INTERNET6, WIRES, EdgePath
from fwguard.bench.edge_platform import CLOSED, FIRST_OPEN, public
from fwguard.bench.frames import number_of, syn, wire_of
from fwguard.lab import namespaces

_BURST: Final = 8
_SETTLE_S: Final = 0.2
_KINDS: Final = (
    (INTERNET4, 4, FIRST_OPEN), (INTERNET6, 6, FIRST_OPEN + 1), (INTERNET4, 4, CLOSED), (INTERNET6, 6, CLOSED),
)  # fmt: skip
_HEAD: Final = bytes.fromhex((WIRES[0].mac + WIRES[0].end_mac).replace(":", ""))


def watch(source: str, target: str, packets_per_s: int) -> dict[str, int]:
    """Send until the input ends; return what was sent, lost and wrongly passed."""
    wire = wire_of(source)
    ears = namespaces.inside(target, _ears)
    sent, arrived, due = 0, set[int](), time.monotonic()
    print("running", flush=True)
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        for _ in range(_BURST):
            address, version, dport = _KINDS[sent % len(_KINDS)]
            wire.send(
                _HEAD + syn(address, public(1 + sent % 7, version), 1024 + sent // 7 % 60_000, dport, sent)
            )
            sent += 1
        due += _BURST / packets_per_s
        _hear(ears, arrived)
    time.sleep(_SETTLE_S)
    _hear(ears, arrived)
    allowed = {number for number in range(sent) if number % len(_KINDS) < 2}
    return {
        "sent_allowed": len(allowed),
        "lost": len(allowed - arrived),
        "sent_forbidden": sent - len(allowed),
        "wrongly_passed": len(arrived - allowed),
    }


def _ears() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE: what it misses would count as lost
    made.bind(("eth0", 3))
    made.setblocking(False)
    return made


def _hear(ears: socket.socket, arrived: set[int]) -> None:
    try:
        while True:
            frame, sender = ears.recvfrom(128)
            number = number_of(frame)
            if number is not None and sender[2] != socket.PACKET_OUTGOING:
                arrived.add(number)
    except BlockingIOError:
        return


@contextmanager
def witnessed(path: EdgePath, packets_per_s: int = 4_000) -> Iterator[dict[str, Any]]:
    """Let a witness run during a block; the dictionary holds its account after it.

    Raises RuntimeError when the witness fails.
    """
    account: dict[str, Any] = {}
    child = subprocess.Popen(
        [sys.executable, "-m", "fwguard.bench.witness", path.ends["internet"], path.ends["firewall"],
         str(packets_per_s)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        if child.stdout.readline() != "running\n":
            raise RuntimeError("the witness does not start")
        began = time.monotonic()
        yield account
        took_s = time.monotonic() - began
        said, _ = child.communicate("", timeout=60)
        account.update(json.loads(said))
        account["packets_per_s"] = round((account["sent_allowed"] + account["sent_forbidden"]) / took_s)
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    print(json.dumps(watch(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
