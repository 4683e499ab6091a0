"""States from the controller: asked for, checked, on disk, in the kernel, read back, told; and events to it.

A state that is not for this edge, not signed, older, or that does not parse is refused: what holds stays.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from fwguard.edge.enforcing import Enforced, Enforcer
from fwguard.edge.identity import Identity
from fwguard.edge.last_good import LastGood, SignedState, accept
from fwguard.edge.line import Line
from fwguard.edge.spool import Spool
from fwguard.edge.telling import Teller
from fwguard.errors import AuthenticationError, DeviceError, FwguardError, InputError
from fwguard.model.edge import EdgeState
from fwguard.model.edge_wire import MOST_EVENTS, EventKind

log = structlog.get_logger(__name__)
FIRST_WAIT_S: Final = 0.5
MOST_WAIT_S: Final = 30.0
MOST_BODY_BYTES: Final = 1 << 20
REPORT_EVERY_S: Final = 30.0


class Backoff:
    """Waits that double up to a bound, each by chance up to half shorter, so that edges do not come in step."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._next_s = FIRST_WAIT_S

    def wait(self) -> None:
        """Wait, or until told to stop."""
        self._stop.wait(self._next_s * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)
        self._next_s = min(self._next_s * 2, MOST_WAIT_S)

    def reset(self) -> None:
        """Begin anew: it went well."""
        self._next_s = FIRST_WAIT_S


class Pulling(threading.Thread):
    """Keeps the newest state in force. `is_reached` tells whether the controller answered last."""

    def __init__(
        self,
        *,
        line: Line,
        identity: Identity,
        last_good: LastGood,
        enforcer: Enforcer,
        teller: Teller,
        version: tuple[int, int] | None,
        follow: Callable[[EdgeState], None],
        report: Callable[[Enforced | None], dict[str, Any]],
        wait_s: int = 25,
    ) -> None:
        """`version` is what is in force; `follow` gets each state once the kernel has it."""
        super().__init__(name="pulling", daemon=True)
        self._line, self._identity, self._last_good = line, identity, last_good
        self._enforcer, self._teller, self._follow, self._report = enforcer, teller, follow, report
        self._wait_s = wait_s
        self._ended = threading.Event()
        self._backoff = Backoff(self._ended)
        self._told = ""
        self._reported_at = 0.0
        self.version = version
        self.last: Enforced | None = None
        self.is_reached = False

    def stop(self) -> None:
        """End the thread, also while it waits for an answer."""
        self._ended.set()
        self._line.close()
        self.join(timeout=10)

    def run(self) -> None:
        """Pull until told to stop."""
        while not self._ended.is_set():
            try:
                self._once()
                self._backoff.reset()
                self.is_reached = True
            except InputError as error:
                self.is_reached = True
                self._refuse(None, str(error))
            except DeviceError as error:
                if self.is_reached or isinstance(error, AuthenticationError):
                    log.warning("no state from the controller", why=str(error))
                self.is_reached = False
                self._backoff.wait()
            except Exception:
                log.exception("pulling goes on after an error")
                self._backoff.wait()

    def _once(self) -> None:
        epoch, generation = self.version or (0, 0)
        found = self._line.state(epoch, generation, wait_s=self._wait_s if self.version else 0)
        if found is None:
            if self.version is None:
                self._ended.wait(1.0)
        else:
            self._take(*found)
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._tell_report()

    def _take(self, data: bytes, signature: str) -> None:
        try:
            signed = accept(data, signature, self._identity, newest=self.version)
        except InputError as error:
            self._refuse(_claimed(data), str(error))
            return
        if signed.version == self.version:
            good = self._last_good.read()
            if good is not None and good.data != signed.data:
                self._refuse(signed.version, "another state under the number of the one that is enforced")
            else:
                self._ended.wait(1.0)
            return
        self.enforce(signed)

    def enforce(self, signed: SignedState) -> bool:
        """Put a checked state into force; return False when the kernel did not take it: what held then holds."""
        before = self._enforcer.state
        try:
            self._enforcer.check(signed.state)
        except FwguardError as error:
            self._refuse(signed.version, str(error))
            return False
        self._propose(signed)
        try:
            done = self._enforcer.apply(signed.state)
        except FwguardError as error:
            self._last_good.withdraw()
            if before is not None:
                self._enforcer.repair()
            self._refuse(signed.version, str(error))
            return False
        try:
            self._last_good.confirm()
        except OSError as error:
            self._teller.alarm(f"the state is in force and not on disk: {error}")
        self.version, self.last, self._told = signed.version, done, ""
        tell_applied(self._teller, done)
        self._follow(signed.state)
        self._tell_report()
        log.info("in force", epoch=done.epoch, generation=done.generation, took_s=round(done.took_s, 3))
        return True

    def _propose(self, signed: SignedState) -> None:
        try:
            self._last_good.propose(signed)
        except OSError as error:
            # Enforcement goes on with a full disk; after a restart the older state holds until the next pull.
            self._teller.alarm(f"a state cannot be kept on disk: {error}")

    def _refuse(self, version: tuple[int, int] | None, why: str) -> None:
        """Tell once why a state is not applied, and ask again later."""
        if why != self._told:
            self._told = why
            epoch, generation = version or (None, None)
            log.warning("a state was refused", epoch=epoch, generation=generation, why=why)
            self._teller.tell(
                self._teller.event(EventKind.REFUSED, epoch=epoch, generation=generation, why=why[:1000])
            )
        self._backoff.wait()

    def _tell_report(self) -> None:
        try:
            self._line.report(self._report(self.last))
            self._reported_at = time.monotonic()
        except FwguardError as error:
            log.warning("no report", why=str(error))


def _claimed(data: bytes) -> tuple[int, int] | None:
    """Return the number that a refused state claims to have, so that the controller knows which one is meant."""
    try:
        value = json.loads(data)
        epoch, generation = value["epoch"], value["generation"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(epoch) is not int or type(generation) is not int:
        return None
    return epoch, generation


def tell_applied(teller: Teller, done: Enforced) -> None:
    """Tell that a state is in force. Its id follows from the state: told again at a start, it is stored once."""
    teller.tell(
        teller.event(
            EventKind.APPLIED, id=f"applied.{done.epoch}.{done.generation}", epoch=done.epoch,
            generation=done.generation, took_ms=round(done.took_s * 1e3, 1), added=done.added,
            removed=done.removed, ended_connections=done.ended_connections, absent=list(done.absent),
            trouble=list(done.trouble),
        )
    )  # fmt: skip


class Delivering(threading.Thread):
    """Brings events to the controller: in order, at least once. `set_aside` counts those it never takes."""

    def __init__(self, *, line: Line, spool: Spool) -> None:
        super().__init__(name="delivering", daemon=True)
        self._line, self._spool = line, spool
        self._ended = threading.Event()
        self._backoff = Backoff(self._ended)
        self._most = MOST_EVENTS
        self.delivered = self.set_aside = 0

    def stop(self) -> None:
        """End the thread; what is not delivered stays on disk."""
        self._ended.set()
        self._spool.arrived.set()
        self._line.close()
        self.join(timeout=10)

    def run(self) -> None:
        """Deliver until told to stop."""
        while not self._ended.is_set():
            if not self._spool.arrived.wait(1.0) or self._ended.is_set():
                continue
            try:
                self._once()
                self._backoff.reset()
            except DeviceError:
                self._backoff.wait()
            except Exception:
                log.exception("delivering goes on after an error")
                self._backoff.wait()

    def _once(self) -> None:
        batch = self._spool.head(self._most)
        size = 0
        for at, (_, event) in enumerate(batch):
            size += len(str(event.facts)) + 200
            if at and size > MOST_BODY_BYTES:
                batch = batch[:at]
                break
        if not batch:
            return
        try:
            stored = self._line.deliver([event for _, event in batch])
        except InputError as error:
            # One of them is not taken: found by asking for each alone, and set aside, so that the rest go on.
            if len(batch) > 1:
                self._most = 1
                return
            log.error("an event is not taken and set aside", id=batch[0][1].id, why=str(error))
            self.set_aside += 1
            stored = frozenset({batch[0][1].id})
        last = 0
        for number, event in batch:
            if event.id not in stored:
                break
            last = number
            self.delivered += 1
        if not last:
            raise DeviceError("the controller stored nothing")
        self._most = min(MOST_EVENTS, self._most * 2)
        self._spool.acknowledge(last)
