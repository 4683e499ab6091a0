"""Sends UDP packets at a steady rate for a while, each with the moment it was sent: run inside a namespace.

`python -m fwguard.bench.paced ADDRESS PORT PACKETS_PER_S SECONDS`. The moment is of the monotonic clock in
nanoseconds, 8 bytes in network order; one machine has one such clock in all its namespaces.
"""

from __future__ import annotations

import socket
import sys
import time


def send(address: str, port: int, packets_per_s: int, seconds: float) -> int:
    """Send, and return how many were sent. A send that is late is made up for, never left out."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    gap_ns = 1_000_000_000 // packets_per_s
    clock, sent = time.monotonic_ns, 0
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((address, port))
        due = clock()
        end = due + int(seconds * 1e9)
        while (now := clock()) < end:
            if now < due:
                continue
            sender.send(now.to_bytes(8, "big"))
            due += gap_ns
            sent += 1
    return sent


if __name__ == "__main__":
    print(send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
