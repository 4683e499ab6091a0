"""The elements of one named set or map of this host's nf_tables: add, extend, remove, replace, read.

Each call is one transaction on a warm socket, from the call to the kernel's answer. nft(8), SETS and MAPS.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from fwguard.errors import ConflictError
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.elements import Element, decode, encode, encode_key, requests
from fwguard.kernel.messages import (
    NFNL_SUBSYS_NFTABLES,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    Request,
    netfilter,
)
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import error_for, numbers, raise_refused
from fwguard.kernel.tables import steadily

UPDATES_TIMEOUTS_FROM: Final = (6, 12)  # Linux: adding an element again changes its timeout in place
_TRIES: Final = 3
_YIELD_S: Final = 0.0002
_FEW: Final = 64  # up to here asking for each is quicker than reading the set


@dataclass(frozen=True, slots=True)
class NamedSet:
    """One set or map. `updates_in_place` None: as this kernel's version says."""

    socket: NetlinkSocket
    table: n.Table
    name: str
    updates_in_place: bool | None = None

    def add(self, elements: Iterable[Element], *, exclusive: bool = False) -> None:
        """Add elements, all or none. One that is there stays as it is (timeout too: see `extend`).

        `exclusive` refuses with ConflictError when one is there. Raises as `raise_refused`.
        """
        self._send(self.adding(elements, exclusive=exclusive))

    def add_in_steps(self, elements: Iterable[Element], *, step: int = 2_000) -> int:
        """Add many in transactions of `step` each, and return how many; an isolation gets in between.

        The kernel has one transaction at a time, and so has this socket: 100 000 elements at once would let a
        cut wait for half a second. What was added stays when a later step is refused. Raises as `add`.
        """
        added = 0
        rest = iter(elements)
        while some := list(islice(rest, step)):
            self.add(some)
            added += len(some)
            time.sleep(_YIELD_S)  # a lock that is taken again at once is never given to who waits
        return added

    def remove(self, elements: Iterable[Element]) -> None:
        """Remove elements, all or none. Raises ConflictError when one is not there."""
        self._send(self.removing(elements))

    def discard(self, elements: Sequence[Element]) -> int:
        """Remove those that are there and return how many were; an element that timed out is no error."""
        for _ in range(_TRIES):
            # Looked for first: a refused transaction waits for all processors, 10 to 30 ms (synchronize_rcu).
            there = self.present(elements)
            refused = self.socket.transact(self.removing(there))
            if not refused:
                return len(there)
            if numbers(refused) != {errno.ENOENT}:
                raise_refused(refused, self.where)
        raise ConflictError(f"{self.where}: it changed during each of {_TRIES} tries; try again")

    def extend(self, elements: Sequence[Element]) -> None:
        """Add elements so that each lives its own `timeout_ms` from now on, there or not.

        In place from Linux 6.12; below, delete and add stand in one transaction, so that no packet sees the
        set without it. Raises as `raise_refused`; ConflictError when the set keeps changing.
        """
        in_place = self.updates_in_place
        if n.kernel_release() >= UPDATES_TIMEOUTS_FROM if in_place is None else in_place:
            # The kernel keeps the old expiration unless told; the timeout alone does not restart it.
            self.add(replace(e, expires_ms=e.expires_ms or e.timeout_ms) for e in elements)
            return
        for _ in range(_TRIES):
            known = self.present(elements)
            batch = (*self.removing(known), *self.adding(elements, exclusive=True))
            refused = self.socket.transact(batch)
            if not refused:
                return
            if not numbers(refused) <= {errno.ENOENT, errno.EEXIST}:
                raise_refused(refused, self.where)
        raise_refused(refused, self.where)

    def replace(self, elements: Iterable[Element]) -> None:
        """Make these the whole content, in one transaction. Not without loss for interval sets: see ruleset.py."""
        self._send((self.flushing(), *self.adding(elements)))

    def flush(self) -> None:
        """Remove every element."""
        self._send((self.flushing(),))

    def elements(self) -> list[Element]:
        """Read every element, over all messages of the listing.

        Raises ConflictError when there is no such set, PartialReadingError when it keeps changing.
        """
        head = a.text(n.NFTA_SET_ELEM_LIST_TABLE, self.table.name)
        head += a.text(n.NFTA_SET_ELEM_LIST_SET, self.name)
        request = netfilter(
            NFNL_SUBSYS_NFTABLES, n.NFT_MSG_GETSETELEM, self.table.number, head, what=f"listing {self.where}"
        )
        try:
            found = steadily(self.socket, self.table, lambda: self.socket.dump(request, _elements_of))
        except OSError as error:
            raise error_for(error.errno or errno.EIO, self.where) from None
        return [element for some in found for element in some]

    def find(self, element: Element) -> Element | None:
        """Return the element with these keys as the kernel holds it now, None when there is none.

        Raises ConflictError when there is no such set.
        """
        head = a.text(n.NFTA_SET_ELEM_LIST_TABLE, self.table.name)
        head += a.text(n.NFTA_SET_ELEM_LIST_SET, self.name)
        head += a.nested(n.NFTA_SET_ELEM_LIST_ELEMENTS, encode_key(element))
        operation = n.NFT_MSG_GETSETELEM
        request = netfilter(
            NFNL_SUBSYS_NFTABLES, operation, self.table.number, head, what=f"reading {self.where}"
        )
        messages, refusal = self.socket.ask(request)
        if refusal is not None and refusal.number != errno.ENOENT:
            raise_refused((refusal,), self.where)
        for message in messages:
            for one in _elements_of(message):
                # An interval set answers with the interval that a key lies in.
                if (one.key, one.key_end, one.ends_interval) == _identity(element):
                    return one
        return None

    def present(self, elements: Sequence[Element]) -> list[Element]:
        """Return those of these elements that are there, by their keys."""
        if len(elements) <= _FEW:
            return [one for one in elements if self.find(one) is not None]
        there = {_identity(one) for one in self.elements()}
        return [one for one in elements if _identity(one) in there]

    def adding(self, elements: Iterable[Element], *, exclusive: bool = False) -> tuple[Request, ...]:
        """Return the messages that add elements, to stand in a larger transaction."""
        flags = NLM_F_CREATE | NLM_F_EXCL if exclusive else NLM_F_CREATE
        encoded = (encode(element) for element in elements)
        return tuple(requests(n.NFT_MSG_NEWSETELEM, self.table, self.name, encoded, flags=flags))

    def removing(self, elements: Iterable[Element]) -> tuple[Request, ...]:
        """Return the messages that remove elements."""
        encoded = (encode_key(element) for element in elements)
        return tuple(requests(n.NFT_MSG_DELSETELEM, self.table, self.name, encoded))

    def flushing(self) -> Request:
        """Return the message that removes every element: a removal that names none."""
        head = a.text(n.NFTA_SET_ELEM_LIST_TABLE, self.table.name)
        head += a.text(n.NFTA_SET_ELEM_LIST_SET, self.name)
        operation = n.NFT_MSG_DELSETELEM
        return netfilter(
            NFNL_SUBSYS_NFTABLES, operation, self.table.number, head, what=f"flushing {self.where}"
        )

    @property
    def where(self) -> str:
        """Return its name for messages: `set inet edge openings4`."""
        return f"set {self.table} {self.name}"

    def _send(self, batch: Sequence[Request]) -> None:
        raise_refused(self.socket.transact(batch), self.where)


def _elements_of(message: Message) -> list[Element]:
    listed = a.first(message.body[4:], n.NFTA_SET_ELEM_LIST_ELEMENTS)
    return [] if listed is None else [decode(one) for _, one in a.walk(listed)]


def _identity(element: Element) -> tuple[bytes, bytes, bool]:
    return element.key, element.key_end, element.ends_interval
