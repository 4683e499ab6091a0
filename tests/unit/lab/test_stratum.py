"""The pool and the miner of the lab speak to each other over real sockets."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from fwguard.lab import stratum


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_miner_gets_work_and_its_shares_are_taken(address: str) -> None:
    """Over both families."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    door = socket.create_server((address, 0), family=family)
    Thread(target=stratum.pool, args=(door,), daemon=True).start()
    taken = stratum.miner(address, door.getsockname()[1])
    assert stratum.SHARES == taken


def test_what_a_pool_does_not_know_is_an_error_with_the_number_of_the_question() -> None:
    """As JSON-RPC has it."""
    assert [{"id": 7, "result": None, "error": [20, "Other/Unknown", None]}] == stratum.answers(
        {"id": 7, "method": "mining.fly"}
    )
