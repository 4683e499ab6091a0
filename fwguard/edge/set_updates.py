"""What must change in the sets: from what we put there before, or from what the kernel says is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fwguard.compile.elements import Content, is_live
from fwguard.compile.sets import SetSpec
from fwguard.edge.encoding import elements_of, identity, live_elements, table_of
from fwguard.errors import ConflictError
from fwguard.kernel.elements import Element
from fwguard.kernel.messages import Request
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.sets import NamedSet

Sets = Mapping[tuple[str, str], tuple[SetSpec, Content]]
Prepared = Mapping[tuple[str, str], Sequence[Element]]
_TIME_SLACK_MS: Final = 5_000  # what an ending may differ: seconds are whole, and reading takes time


@dataclass(slots=True)
class Update:
    """Elements to remove and to add, by set; `words` name the sets that differed."""

    removed: dict[SetSpec, list[Element]] = field(default_factory=dict)
    added: dict[SetSpec, list[Element]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is to do."""
        return not self.removed and not self.added

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many elements are added and removed."""
        return sum(map(len, self.added.values())), sum(map(len, self.removed.values()))

    def put(self, spec: SetSpec, gone: list[Element], new: list[Element]) -> None:
        """Note what changes in one set."""
        if gone:
            self.removed[spec] = gone
        if new:
            self.added[spec] = new


def between(before: Sets, after: Sets, *, now_s: int) -> Update:
    """Return what leads from one content to another of the same sets; sets of one side only are left out."""
    update = Update()
    for where, (spec, new) in after.items():
        if where not in before or before[where][1] == new:
            continue
        old = before[where][1]
        gone = [one for key, held in old.items() if new.get(key) != held and is_live(held, now_s)
                for one in elements_of(spec, key, held, now_s=now_s)]  # fmt: skip
        come = [one for key, held in new.items() if old.get(key) != held and is_live(held, now_s)
                for one in elements_of(spec, key, held, now_s=now_s)]  # fmt: skip
        if spec.is_interval and len(spec.key) == 1:
            come.sort(key=lambda one: (one.key, not one.ends_interval))
        update.put(spec, gone, come)
    return update


def prepared(sets: Sets, *, now_s: int) -> Prepared:
    """Return every set's elements as the kernel shall hold them from now on."""
    return {where: list(live_elements(spec, content, now_s=now_s)) for where, (spec, content) in sets.items()}


def against_kernel(socket: NetlinkSocket, sets: Sets, elements: Prepared) -> Update:
    """Return what leads from what the kernel holds to these elements; times may differ by 5 s."""
    update = Update()
    for where, (spec, _) in sets.items():
        there = {identity(one): one for one in NamedSet(socket, table_of(spec), spec.name).elements()}
        should = {identity(one): one for one in elements[where]}
        front = _front(there) if spec.is_interval else None
        gone = [one for ident, one in there.items() if ident not in should and ident != front]
        new = [one for ident, one in should.items() if ident not in there]
        for ident in there.keys() & should.keys():
            if not _ends_alike(there[ident], should[ident]):
                gone.append(there[ident])
                new.append(should[ident])
        if gone or new:
            update.put(spec, gone, new)
            update.words.append(f"set {' '.join(where)} lacks {len(new)} elements, has {len(gone)} too many")
    return update


def send(socket: NetlinkSocket, update: Update) -> None:
    """Make the changes in one transaction.

    Raises ConflictError when something moved (an element ended by itself); CommitRefusedError.
    """
    batch: list[Request] = []
    for spec, elements in update.removed.items():
        batch += NamedSet(socket, table_of(spec), spec.name).removing(elements)
    for spec, elements in update.added.items():
        batch += NamedSet(socket, table_of(spec), spec.name).adding(elements)
    if batch:
        raise_refused(socket.transact(batch), "elements of the state")


def confirm(socket: NetlinkSocket, update: Update) -> None:
    """Read back what was changed. Raises ConflictError when the kernel holds another."""
    for spec, elements in update.added.items():
        held = NamedSet(socket, table_of(spec), spec.name)
        if len(held.present(elements)) != len(elements):
            raise ConflictError(f"{held.where}: an element that was added is not there; read again")
    for spec, elements in update.removed.items():
        again = {_place(one) for one in update.added.get(spec, ())}
        alone: Sequence[Element] = [one for one in elements if _place(one) not in again]
        held = NamedSet(socket, table_of(spec), spec.name)
        if alone and held.present(alone):
            raise ConflictError(f"{held.where}: an element that was removed is there; read again")


def _place(element: Element) -> tuple[bytes, bytes, bool]:
    return element.key, element.key_end, element.ends_interval


def _front(there: Mapping[tuple[object, ...], Element]) -> tuple[object, ...] | None:
    """Return the identity of the end at zero that nft puts at the front of an interval set; it says nothing."""
    first = next(iter(there.values()), None)
    return None if first is None else (bytes(len(first.key)), b"", True, "", None)


def _ends_alike(there: Element, should: Element) -> bool:
    if not there.timeout_ms or not should.timeout_ms:
        return there.timeout_ms == should.timeout_ms
    return abs((there.expires_ms or there.timeout_ms) - should.timeout_ms) <= _TIME_SLACK_MS
