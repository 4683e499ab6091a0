"""Isolate and release: one set element in one transaction on a warm socket.

Two origins, never mixed: what was cut on the spot (`cut_local`) has no timeout and goes only by a release that
names it; what the controller ordered (`cut_ordered`) may end by itself. The rules look the sets up before
connection tracking, so that open connections stop too. Clauses 6.1, 7.1, 8 of the contract.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.errors import InputError
from fwguard.kernel import keys
from fwguard.kernel.elements import Element, Verdict
from fwguard.kernel.messages import Request
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.refusals import numbers, raise_refused
from fwguard.kernel.sets import NamedSet

_TRIES: Final = 3


class Kind(StrEnum):
    """What is cut: an edge port by its interface, an address, or a MAC address on any port."""

    PORT = "port"
    V4 = "v4"
    V6 = "v6"
    MAC = "mac"


class Origin(StrEnum):
    """Who cut it; the value begins the sets' names."""

    LOCAL = "cut_local"
    ORDERED = "cut_ordered"


_PACKED: Final[Mapping[Kind, Callable[[str], bytes]]] = {
    Kind.PORT: keys.interface, Kind.V4: keys.ipv4, Kind.V6: keys.ipv6, Kind.MAC: keys.ether,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """One thing to isolate: `Cut(Kind.PORT, "srv-17")`. Raises InputError when the value is none of its kind."""

    kind: Kind
    value: str

    def __post_init__(self) -> None:
        _PACKED[self.kind](self.value)

    @property
    def key(self) -> bytes:
        """Return it as the sets hold it."""
        return _PACKED[self.kind](self.value)


@dataclass(frozen=True, slots=True)
class Place:
    """A set, or map of verdicts, in which a cut stands."""

    table: Table
    name: str
    is_map: bool = False


Places = Mapping[tuple[Origin, Kind], Sequence[Place]]


def plain_places(table: Table) -> Places:
    """Return one set for each origin and kind: `cut_local_port`, `cut_ordered_v6`, …"""
    return {
        (origin, kind): (Place(table, f"{origin}_{kind}"),) for origin in Origin for kind in Kind
    }  # fmt: skip


class Quarantine:
    """Cuts and releases over one socket. A cut that stands in several sets enters them in one transaction."""

    def __init__(self, socket: NetlinkSocket, places: Places) -> None:
        """Take a socket (the tables' owner, where they have one) and the sets of each origin and kind."""
        self._socket = socket
        self._places = places

    def isolate(
        self,
        cut: Cut,
        origin: Origin,
        *,
        timeout_ms: int = 0,
        verdict: Verdict | None = None,
        comment: str = "",
    ) -> float:
        """Cut it and return the seconds from the call to the kernel's acknowledgement.

        Cut already: a local cut stays as it is; an ordered one lives `timeout_ms` from now on. `verdict` is
        what maps give for it (a jump to what stays open), `drop` when left out.

        Raises:
            InputError: a timeout for a local cut, which has none.
            CommitRefusedError: the set is full. ConflictError: the set is missing.
        """
        started = time.perf_counter()
        if origin is Origin.LOCAL and timeout_ms:
            raise InputError(
                "a local cut with a timeout", where=cut.value, expected="0: it ends by a release only"
            )
        held = [
            (
                NamedSet(self._socket, place.table, place.name),
                Element(
                    cut.key, timeout_ms=timeout_ms, comment=comment,
                    data=(verdict or Verdict("drop")) if place.is_map else None,
                ),
            )
            for place in self._where(cut, origin)
        ]  # fmt: skip
        where = f"isolating {cut.kind} {cut.value}"
        for _ in range(_TRIES):
            requests: list[Request] = []
            for one, element in held:
                # An ordered cut may change its time or what stays open, which adding does not do: out and in.
                if origin is Origin.ORDERED and one.find(element) is not None:
                    requests += one.removing((element,))
                requests += one.adding((element,), exclusive=origin is Origin.ORDERED)
            refused = self._socket.transact(requests)
            if not numbers(refused) & {errno.EEXIST, errno.ENOENT}:
                break
        raise_refused(refused, where)
        return time.perf_counter() - started

    def release(self, cut: Cut, origin: Origin) -> bool:
        """Release a cut of this origin and no other; return whether it was there.

        Raises ConflictError when its set is missing.
        """
        found = False
        for place in self._where(cut, origin):
            held = NamedSet(self._socket, place.table, place.name)
            found = bool(held.discard((Element(cut.key),))) or found
        return found

    def isolated(self, origin: Origin) -> tuple[tuple[Kind, bytes], ...]:
        """Return what is cut by this origin: kind and key as packed, each once."""
        found: dict[tuple[Kind, bytes], None] = {}
        for (of, kind), places in self._places.items():
            if of is origin:
                for place in places:
                    held = NamedSet(self._socket, place.table, place.name)
                    found |= dict.fromkeys((kind, element.key) for element in held.elements())
        return tuple(found)

    def _where(self, cut: Cut, origin: Origin) -> Sequence[Place]:
        places = self._places.get((origin, cut.kind), ())
        if not places:
            raise InputError(f"no set for {origin} by {cut.kind}", where=cut.value, expected="a place for it")
        return places
