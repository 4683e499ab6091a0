"""A mining pool and a miner that speak stratum over real sockets and compute nothing: Debian has neither.

Started as `python -m fwguard.lab.stratum pool|miner ADDRESS PORT`. Lines of JSON: subscribe, authorize, a
difficulty and a job from the pool, shares from the miner. Source: the stratum protocol as Slush Pool wrote it
down (mining.subscribe, mining.authorize, mining.set_difficulty, mining.notify, mining.submit).
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any, Final

SHARES: Final = 3
TIMEOUT_S: Final = 5.0
_WORKER: Final = "lab.worker1"
_JOB: Final = "bf"
_EXTRANONCE2_BYTES: Final = 4
_TIME: Final = "504e86ed"
_VERSION, _BITS = "00000002", "1c2ac4af"


def answers(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a pool says to one line of a miner."""
    number, method = question.get("id"), question.get("method")
    if method == "mining.subscribe":
        session = [
            [["mining.set_difficulty", "b4b6"], ["mining.notify", "ae68"]],
            "08000002",
            _EXTRANONCE2_BYTES,
        ]
        return [{"id": number, "result": session, "error": None}]
    if method == "mining.authorize":
        job = [_JOB, "4d16b6f8" * 8, "01" * 40, "02" * 20, [], _VERSION, _BITS, _TIME, True]
        return [
            {"id": number, "result": True, "error": None},
            {"id": None, "method": "mining.set_difficulty", "params": [16]},
            {"id": None, "method": "mining.notify", "params": job},
        ]
    if method == "mining.submit":
        return [{"id": number, "result": True, "error": None}]
    return [{"id": number, "result": None, "error": [20, "Other/Unknown", None]}]


def pool(door: socket.socket) -> None:
    """Serve one miner after another at a listening socket until killed."""
    while True:
        miner, _ = door.accept()
        miner.settimeout(TIMEOUT_S)
        with miner, miner.makefile("rwb") as lines:
            try:
                while line := lines.readline(4096):
                    for answer in answers(json.loads(line)):
                        _say(lines, answer)
            except (OSError, ValueError):
                continue  # this miner is gone


def miner(address: str, port: int) -> int:
    """Subscribe, log in, submit some shares; return how many the pool took."""
    taken = 0
    with socket.create_connection((address, port), TIMEOUT_S) as door, door.makefile("rwb") as lines:
        _say(lines, {"id": 1, "method": "mining.subscribe", "params": ["lab/1.0"]})
        lines.readline(4096)
        _say(lines, {"id": 2, "method": "mining.authorize", "params": [_WORKER, "x"]})
        for _ in range(3):  # its answer, the difficulty, the job
            lines.readline(4096)
        for share in range(SHARES):
            found = [_WORKER, _JOB, f"{share:08x}", _TIME, f"{share:08x}"]
            _say(lines, {"id": 4 + share, "method": "mining.submit", "params": found})
            taken += bool(json.loads(lines.readline(4096) or b"{}").get("result"))
    return taken


def _say(lines: Any, words: dict[str, Any]) -> None:
    lines.write(json.dumps(words).encode() + b"\n")
    lines.flush()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def main(role: str, address: str, port: int) -> int:
    """Be one of the two; return the exit code."""
    if role == "pool":
        with socket.create_server((address, port), family=_family(address)) as door:
            pool(door)
    try:
        taken = miner(address, port)
    except OSError as error:
        print(f"no pool: {error}")
        return 1
    print(f"{taken} of {SHARES} shares taken")
    return 0 if taken == SHARES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
