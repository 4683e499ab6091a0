"""Elements of `cut_local` sets in and out of the kernel: what the edge itself writes, and no state ever touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fwguard.compile.compiled import Compiled
from fwguard.compile.elements import Held, Key
from fwguard.compile.sets import SetSpec
from fwguard.edge.encoding import elements_of, table_of
from fwguard.errors import ConflictError
from fwguard.kernel.elements import Element
from fwguard.kernel.messages import Request
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.sets import NamedSet

Placed = tuple[str, str, Key]
"""One element of a `cut_local` set: family, set, key."""


def put(socket: NetlinkSocket, placed: Iterable[Placed], compiled: Compiled, *, timeout_ms: int = 0) -> None:
    """Put elements, in one transaction; one that is there stays as it is. `timeout_ms` where a set has times.

    Raises CommitRefusedError when a set is full, ConflictError when it is missing.
    """
    batch: list[Request] = []
    for spec, elements in _grouped(placed, compiled):
        lasting_ms = timeout_ms if spec.has_timeout else 0
        timed = (replace(one, timeout_ms=lasting_ms) for one in elements) if lasting_ms else elements
        batch += NamedSet(socket, table_of(spec), spec.name).adding(timed)
    if batch:
        raise_refused(socket.transact(batch), "cut on the spot")


def take(socket: NetlinkSocket, placed: Iterable[Placed], compiled: Compiled) -> int:
    """Take elements out and return how many were there. Raises ConflictError when a set is missing."""
    return sum(
        NamedSet(socket, table_of(spec), spec.name).discard(elements)
        for spec, elements in _grouped(placed, compiled)
    )


def _grouped(placed: Iterable[Placed], compiled: Compiled) -> list[tuple[SetSpec, list[Element]]]:
    groups: dict[tuple[str, str], dict[Key, None]] = {}
    for family, name, key in placed:
        groups.setdefault((family, name), {})[key] = None
    found = []
    for where, wanted in groups.items():
        spec = compiled.specs.get(where)
        if spec is None or not spec.is_local:
            raise ConflictError(f"set {' '.join(where)}: there is none in this state")
        found.append((spec, [elements_of(spec, key, Held(), now_s=0)[0] for key in wanted]))
    return found
