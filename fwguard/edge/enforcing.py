"""The kernel made to hold a state: structure in one transaction, elements by updates, read back, repaired.

What packets and this edge itself write (`cut_local`, the memory of scans) is never touched by a state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from fwguard.compile.compiled import Compiled, compile_edge
from fwguard.compile.grants import next_moment_s
from fwguard.edge import local_sets, set_updates, structure, tables_in_force
from fwguard.edge.classes import Classes
from fwguard.edge.encoding import table_of
from fwguard.edge.endings import (
    Inbound,
    changed_ports,
    end_each,
    ended_flows,
    hushes,
    next_end_s,
    refuse_midstream,
)
from fwguard.edge.local_sets import Placed
from fwguard.edge.set_updates import Sets
from fwguard.edge.structure import OUR_TABLES, Structure, wanted_sets
from fwguard.errors import ConflictError, DeviceError, FwguardError
from fwguard.kernel import ruleset, scratch, tables
from fwguard.kernel.elements import Element
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.sets import NamedSet
from fwguard.model.edge import EdgeState

HUSH_MS: Final = 3_600_000  # how long a datagram flow whose opening ended is kept from beginning anew
_TRIES: Final = 4
_MOST_WORDS: Final = 20


@dataclass(frozen=True, slots=True)
class Enforced:
    """What applying came to.

    `found` is what stood otherwise and was put right (in words, bounded), `absent` the bridged interfaces that
    are not there, `trouble` what could not be done beside the policy (traffic control, connections).
    """

    epoch: int
    generation: int
    took_s: float
    restructured: bool
    added: int
    removed: int
    absent: tuple[str, ...]
    ended_connections: int
    found: tuple[str, ...]
    trouble: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Now:
    """What the kernel was last made to hold."""

    state: EdgeState
    compiled: Compiled
    sets: Sets
    text: str
    now_s: int
    absent: tuple[str, ...]
    inbound: Inbound


@dataclass(slots=True)
class _Work:
    """What one application did."""

    text: str = ""
    absent: tuple[str, ...] = ()
    restructured: bool = False
    added: int = 0
    removed: int = 0
    found: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


class Enforcer:
    """Holds the tables: its socket owns them where the kernel has owned tables. Threads may share it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        local: Callable[[], Iterable[Placed]] = tuple,
        owned: bool = True,
    ) -> None:
        """`local` gives the elements of the cuts made on the spot, which are put back whenever they are gone.

        `owned` False leaves the tables open to others, as every kernel before Linux 6.9 does.
        """
        self._owned = owned
        self._clock = clock
        self._local = local
        self._lock = threading.RLock()
        self._structure = Structure()
        self._classes = Classes()
        self._now: _Now | None = None
        self._is_closed = False
        self._hushed: dict[int, list[Placed]] = {}
        self.socket = NetlinkSocket()
        self.holds: dict[str, tables.Hold] = {}

    @property
    def state(self) -> EdgeState | None:
        """Return the state that is enforced, None without one."""
        now = self._now
        return None if now is None else now.state

    @property
    def is_firm(self) -> bool:
        """Tell whether nobody else can change the tables while we live."""
        return bool(self.holds) and all(hold.is_firm for hold in self.holds.values())

    @property
    def compiled(self) -> Compiled | None:
        """Return what that state compiled to."""
        now = self._now
        return None if now is None else now.compiled

    def check(self, state: EdgeState) -> None:
        """Have nft and the kernel read what a state comes to, in an empty namespace. Raises InputError."""
        with self._lock:
            self._structure.of(compile_edge(state, now_s=int(self._clock())))

    def apply(self, state: EdgeState) -> Enforced:
        """Make the kernel hold this state, and read it back; the connections of ended openings end.

        Raises:
            InputError: nft refuses what it comes to; nothing was changed.
            NotAllowedError: another program owns a table. ConflictError, CommitRefusedError: the kernel refused.
            DeviceError: what was read back is another.
        """
        with self._lock:
            return self._apply(state, trusting=True)

    def repair(self) -> Enforced | None:
        """Read everything back and put right what differs; None when there is no state to enforce."""
        with self._lock:
            if self._now is not None:
                return self._apply(self._now.state, trusting=False)
            if self._is_closed:
                self.close_traffic()
            return None

    def tick(self) -> Enforced | None:
        """Do what the clock alone asks for: openings that ended, agreed scans that begin; devices that came."""
        with self._lock:
            return None if self._now is None else self._apply(self._now.state, trusting=True)

    def rebuild(self, state: EdgeState) -> Enforced:
        """Remove what stands and load the state anew, when it cannot be led to it; closed in between, not open.

        Raises as `apply`; then nothing is forwarded.
        """
        with self._lock:
            ruleset.apply(self.socket, self._structure.shut)
            tables_in_force.remove(self.socket, OUR_TABLES)
            self._now = None
            return self._apply(state, trusting=False)

    def close_traffic(self) -> bool:
        """Forward nothing, as there is no state to enforce; return False when tables of ours stand already.

        Those stay as they are: they are the last good state, or closed.
        """
        with self._lock:
            if not self._is_closed and (held := tables_in_force.take_over(self.socket)):
                self.holds = held
                return False
            applied = ruleset.apply(self.socket, structure.closed())
            self.holds = {str(table): hold for table, hold in applied.held}
            self._is_closed = True
            return True

    def cut(self, placed: Iterable[Placed]) -> float:
        """Put elements into `cut_local` sets; return the seconds until the kernel had them.

        Without the lock of an application, which may take long: no state ever touches these sets.
        Raises CommitRefusedError when a set is full, ConflictError when it is missing.
        """
        started = time.perf_counter()
        now = self._now
        if now is None:
            raise ConflictError(
                "nothing is enforced yet: there are no sets to cut by; it is put there at once"
            )
        local_sets.put(self.socket, placed, now.compiled)
        return time.perf_counter() - started

    def uncut(self, placed: Iterable[Placed]) -> int:
        """Take elements out of `cut_local` sets; return how many were there. Raises ConflictError."""
        now = self._now
        return 0 if now is None else local_sets.take(self.socket, placed, now.compiled)

    def elements_of(self, family: str, name: str) -> list[Element]:
        """Return what the kernel holds in one set of ours; nothing where the set is not there."""
        now = self._now
        spec = now.compiled.specs.get((family, name)) if now is not None else None
        return [] if spec is None else NamedSet(self.socket, table_of(spec), name).elements()

    def full_sets(self) -> tuple[str, ...]:
        """Return the sets that packets fill and that hold as much as they can: from then on they learn nothing."""
        compiled = self.compiled
        specs = compiled.specs.values() if compiled is not None else ()
        return tuple(
            f"{spec.family} {spec.name}"
            for spec in specs
            if spec.is_dynamic and spec.size and len(self.elements_of(spec.family, spec.name)) >= spec.size
        )

    def differences(self) -> tuple[str, ...]:
        """Return in words what the kernel holds otherwise than the state says."""
        with self._lock:
            now = self._now
            if now is None:
                return ()
            _, made = self._structure.of(now.compiled)
            made, _ = structure.without_absent(made, now.state, structure.interfaces())
            found = list(ruleset.differences(self.socket, made, keep=_kept(now.sets, now.compiled)))
            found += [
                f"table {table} is dormant" for table in tables_in_force.dormant(self.socket, made.tables)
            ]
            elements = set_updates.prepared(now.sets, now_s=int(self._clock()))
            found += set_updates.against_kernel(self.socket, now.sets, elements).words
            with suppress(FwguardError):
                found += self._classes.differences()
            return tuple(found)

    def class_differences(self) -> tuple[str, ...]:
        """Return in words what traffic control holds otherwise. Raises ConflictError when a device vanished."""
        with self._lock:
            return self._classes.differences()

    def next_moment_s(self) -> int | None:
        """Return when the clock alone changes something, None for never."""
        now = self._now
        if now is None:
            return None
        moments = (next_moment_s(now.state, now.now_s), next_end_s(now.state, now.now_s))
        return min((one for one in moments if one is not None), default=None)

    def close(self) -> None:
        """Give the tables up; they stay as they are and go on enforcing."""
        self.socket.close()

    # ------------------------------------------------------------------ one application

    def _apply(self, state: EdgeState, *, trusting: bool) -> Enforced:
        started = time.perf_counter()
        now_s = int(self._clock())
        old, before = self._now, self._now if trusting else None
        if old is not None and old.state is state and not trusting:
            compiled, sets = old.compiled, old.sets  # a repair: as it was, and as soon as can be
        else:
            compiled = compile_edge(state, now_s=now_s)
            sets = wanted_sets(compiled)
        for attempt in range(_TRIES):
            work = _Work()
            try:
                self._once(work, state, compiled, sets, before, now_s)
                break
            except ConflictError:
                # Somebody, or the clock, moved something; or a device vanished. Read everything again.
                before = None
                if attempt + 1 == _TRIES:
                    raise
        inbound = Inbound(state, now_s=now_s)
        self._now = _Now(state, compiled, sets, work.text, now_s, work.absent, inbound)
        self._is_closed = False
        ended = self._beside(work, compiled, old, inbound, trusting=trusting)
        return Enforced(
            state.epoch, state.generation, time.perf_counter() - started, work.restructured, work.added,
            work.removed, work.absent, ended, tuple(work.found[:_MOST_WORDS]), tuple(work.trouble),
        )  # fmt: skip

    def _once(
        self, work: _Work, state: EdgeState, compiled: Compiled, sets: Sets, before: _Now | None, now_s: int
    ) -> None:
        work.text, made = self._structure.of(compiled)
        made, work.absent = structure.without_absent(made, state, structure.interfaces())
        if before is None or before.text != work.text or before.absent != work.absent:
            work.found += self._restructure(compiled, made, sets, now_s, tell=before is None)
            work.restructured = True
        elements = set_updates.prepared(sets, now_s=now_s) if before is None else {}
        if before is None:
            update = set_updates.against_kernel(self.socket, sets, elements)
        else:
            update = set_updates.between(before.sets, sets, now_s=now_s)
        work.found += update.words
        set_updates.send(self.socket, update)
        work.added, work.removed = update.counts
        if work.restructured:
            self._cut_again(work, compiled)
        if before is not None:
            set_updates.confirm(self.socket, update)
        elif not update.is_empty:
            left = set_updates.against_kernel(self.socket, sets, elements)
            if not left.is_empty:
                raise DeviceError(f"the kernel holds another: {'; '.join(left.words[:5])}; apply it again")

    def _restructure(
        self, compiled: Compiled, made: scratch.Compiled, sets: Sets, now_s: int, *, tell: bool
    ) -> list[str]:
        """Apply what is not elements; return what stood otherwise."""
        missing = tables_in_force.absent(self.socket, made.tables)
        if OUR_TABLES[0] in missing:
            # Nothing is in force, or somebody removed it: closed at once, for as long as loading takes.
            ruleset.apply(self.socket, self._structure.shut)
        # The elements of what is made anew go in with it: tables in one transaction, shards beside the old.
        ranged = {where: held for where, held in sets.items() if where not in compiled.specs}
        fresh = set_updates.prepared(sets if missing else ranged, now_s=now_s)
        found, self.holds = tables_in_force.lead_to(
            self.socket,
            structure.filled(made, fresh),
            keep=_kept(sets, compiled),
            owned=self._owned,
            tell=tell,
        )
        return found

    def _cut_again(self, work: _Work, compiled: Compiled) -> None:
        """Put the cuts made on the spot where they are gone: into a table that was made anew."""
        for placed in self._local():
            try:
                local_sets.put(self.socket, (placed,), compiled)
            except ConflictError:
                continue  # of a bridged port that is no more: it has no set, and passes nothing
            except FwguardError as error:
                work.trouble.append(str(error))

    def _beside(
        self, work: _Work, compiled: Compiled, old: _Now | None, inbound: Inbound, *, trusting: bool
    ) -> int:
        """Do what stands beside the policy: its failure takes nothing back, and is told."""
        refuse_midstream()
        try:
            present = structure.interfaces()
            work.found += self._classes.apply(compiled.shaping, present, trusting=trusting)
        except FwguardError as error:
            work.trouble.append(str(error))
        if old is None:
            return 0
        try:
            return self._end(old, inbound, compiled)
        except FwguardError as error:
            work.trouble.append(str(error))
            return 0

    def _end(self, old: _Now, inbound: Inbound, compiled: Compiled) -> int:
        """End the connections whose opening ended; what is open anew is kept quiet no more."""
        changed = {port.number for port in changed_ports(old.inbound, inbound)}
        if not changed:
            return 0
        for number in changed & self._hushed.keys():
            local_sets.take(self.socket, self._hushed.pop(number), compiled)
        with NetlinkSocket() as connections:
            ended = ended_flows(connections, old.inbound, inbound)
            standing = set(self._local())  # what a cut that was written down holds is not ours to take out
            for port, flow in ended:
                placed = [one for one in hushes(port, flow) if one not in standing]
                self._hushed.setdefault(port.number, []).extend(placed)
                local_sets.put(self.socket, placed, compiled, timeout_ms=HUSH_MS)
            return end_each(connections, (flow for _, flow in ended))


def _kept(sets: Sets, compiled: Compiled) -> set[str]:
    """Return the sets whose elements are not part of the structure."""
    return {name for _, name in sets} | {spec.name for spec in compiled.specs.values() if spec.is_local}
