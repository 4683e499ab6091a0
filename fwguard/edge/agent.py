"""`fwguard edge run`: everything that runs on an edge, started and stopped together; and what a boot loads.

Whatever of it dies, the kernel goes on enforcing: the agent only changes what is enforced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from fwguard.edge import deciding
from fwguard.edge.answering import Answering, Decide
from fwguard.edge.durable import Alone, make_private
from fwguard.edge.enforcing import Enforced, Enforcer
from fwguard.edge.identity import Identity, open_identity, pin_controller
from fwguard.edge.last_good import LastGood, SignedState
from fwguard.edge.ledger import Ledger
from fwguard.edge.line import Line
from fwguard.edge.listening import Listening
from fwguard.edge.local_sets import Placed
from fwguard.edge.metering import EVERY_S, Metering
from fwguard.edge.metrics import MetricsDoor
from fwguard.edge.pulling import Delivering, Pulling, tell_applied
from fwguard.edge.sensing import Sensing, open_source
from fwguard.edge.settings import EdgeSettings
from fwguard.edge.spool import Spool
from fwguard.edge.telling import Teller
from fwguard.edge.watching import Watching
from fwguard.errors import FwguardError, InputError
from fwguard.model.edge import EdgeState
from fwguard.model.edge_wire import EventKind
from fwguard.model.thresholds import Thresholds

log = structlog.get_logger(__name__)
_TICK_S: Final = 0.5
_FULLNESS_S: Final = 60.0
_MOST_TOLD: Final = 200  # cuts, and clients' usage, in one report of at most 64 KiB
_LATE_S: Final = 1.0  # the kernel ends an element within its garbage collection


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a start came to: the version in force, None when nothing passes (or what was there stays)."""

    version: tuple[int, int] | None
    enforced: Enforced | None
    why: str


def enrol(settings: EdgeSettings, token: str) -> Identity:
    """Enrol once: make our key, show it with the token, pin the controller's key.

    Raises AuthenticationError for a token that is refused; DeviceError; ConflictError when another controller is
    pinned.
    """
    identity = open_identity(settings.state_dir, settings.name)
    line = Line(settings.controller, identity, ca_file=settings.ca_file, answer_s=settings.answer_s)
    try:
        pin_controller(settings.state_dir, line.enrol(token))
    finally:
        line.close()
    return open_identity(settings.state_dir, settings.name)


class Agent:
    """All parts of one edge. `start` puts the last good state into force before anything else."""

    def __init__(
        self,
        settings: EdgeSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open what is on disk. Raises ConflictError when another agent runs; InputError."""
        make_private(settings.state_dir)
        self.settings = settings
        self.clock = clock
        self._alone = Alone(settings.state_dir)
        self.identity = open_identity(settings.state_dir, settings.name)
        self.last_good = LastGood(settings.state_dir, self.identity)
        self.ledger = Ledger(settings.state_dir / "cuts")
        self.spool = Spool(settings.state_dir / "spool", most_bytes=settings.spool_most_bytes)
        self.teller = Teller(self.spool, clock=clock)
        self.enforcer = Enforcer(clock=clock, local=self._placed)

    def load(self) -> Loaded:
        """Put the last good state and the cuts made on the spot into force.

        Without one, or with a broken one, nothing is forwarded; tables of ours that stand already stay as they are.
        Raises DeviceError, CommitRefusedError, NotAllowedError when not even that can be done.
        """
        why, good = "", None
        try:
            good = self.last_good.read()
        except InputError as error:
            why = str(error)
        waiting = self.last_good.read_next(good.version if good is not None else None)
        for signed in (waiting, good):
            if signed is not None:
                try:
                    return self._put(signed, confirm=signed is waiting)
                except FwguardError as error:
                    why = f"{signed.version}: {error}"
                    if signed is waiting:
                        self.last_good.withdraw()
        closed = self.enforcer.close_traffic()
        why = why or "no state was ever pulled"
        what = "nothing is forwarded" if closed else "what the kernel holds stays"
        self.teller.alarm(f"no state to load: {what}: {why}")
        return Loaded(None, None, f"{what}: {why}")

    def _put(self, signed: SignedState, *, confirm: bool) -> Loaded:
        try:
            done = self.enforcer.apply(signed.state)
        except FwguardError as error:
            # What stands there may be anything: a state that was good once is loaded anew in its place.
            log.warning("the state does not go onto what is there", why=str(error))
            done = self.enforcer.rebuild(signed.state)
        if confirm:
            with suppress(OSError):
                self.last_good.confirm()
        # A kill between disk and event leaves nothing untold.
        tell_applied(self.teller, done)
        if done.found:
            self.teller.tell(
                self.teller.event(
                    EventKind.REPAIRED, what=list(done.found), by="unknown: while no agent ran",
                    took_ms=round(done.took_s * 1e3, 1),
                )
            )  # fmt: skip
        return Loaded(signed.version, done, "")

    def _placed(self) -> Iterable[Placed]:
        return [element for cut in self.ledger.cuts() for element in cut.elements]

    def close(self) -> None:
        """Close what is on disk and give the tables up; they stay."""
        self.enforcer.close()
        self.ledger.close()
        self.spool.close()
        self._alone.close()


class Running:
    """The agent with all of its threads. `loaded` is what the start came to."""

    def __init__(self, agent: Agent, thresholds: Thresholds, *, decide: Decide = deciding.decide) -> None:
        """Put the last good state into force, then begin to watch, listen, pull, deliver and count."""
        self.agent = agent
        settings, clock = agent.settings, agent.clock
        self._stop = threading.Event()
        self._troubles: dict[str, str] = {}
        self.loaded = agent.load()
        self.answering = Answering(
            enforcer=agent.enforcer, ledger=agent.ledger, teller=agent.teller, answers=thresholds.answers,
            history_file=settings.state_dir / "history", decide=decide, clock=clock,
        )  # fmt: skip
        self.listening = Listening(thresholds=thresholds, answering=self.answering, teller=agent.teller)
        self.sensing = (
            Sensing(source=open_source(settings.suricata), thresholds=thresholds, answering=self.answering)
            if settings.suricata
            else None
        )
        self.watching = Watching(
            enforcer=agent.enforcer, teller=agent.teller, on_links=self.listening.forget_names
        )
        self.metering = Metering(clock=clock)
        self.pulling = Pulling(
            line=self._line(), identity=agent.identity, last_good=agent.last_good, enforcer=agent.enforcer,
            teller=agent.teller, version=self.loaded.version, follow=self._follow, report=self.report,
        )  # fmt: skip
        self.delivering = Delivering(line=self._line(), spool=agent.spool)
        self.ticking = threading.Thread(target=self._tick, name="ticking", daemon=True)
        self.metrics = (
            MetricsDoor(settings.metrics, self.figures, self.metering)
            if settings.metrics is not None
            else None
        )
        if (state := agent.enforcer.state) is not None:
            self._follow(state)
        self.watching.start()
        if not agent.enforcer.is_firm:
            agent.enforcer.repair()  # what changed between loading and listening was not announced
        self.listening.start()
        if self.sensing is not None:
            self.sensing.start()
        self.ticking.start()
        self.delivering.start()
        if agent.identity.is_enrolled:
            self.pulling.start()
        else:
            agent.teller.alarm(
                "this edge is not enrolled: `fwguard edge enrol` with a token of the controller"
            )

    def stop(self) -> None:
        """Stop in the order that loses least: no new states, then the ears, then what they told; tables stay."""
        self._stop.set()
        if self.pulling.is_alive():
            self.pulling.stop()
        self.listening.stop()
        if self.sensing is not None:
            self.sensing.stop()
        self.watching.stop()
        self.ticking.join(timeout=10)
        self.delivering.stop()
        if self.metrics is not None:
            self.metrics.close()
        self.metering.close()
        self.agent.close()

    def _line(self) -> Line:
        settings = self.agent.settings
        return Line(
            settings.controller, self.agent.identity, ca_file=settings.ca_file, answer_s=settings.answer_s,
            clock=self.agent.clock,
        )  # fmt: skip

    def _follow(self, state: EdgeState) -> None:
        self.listening.follow(state)
        if self.sensing is not None:
            self.sensing.follow(state)
        self.metering.follow(state)
        self.answering.follow(state)

    def _tick(self) -> None:
        counted_at, checked_at = 0.0, time.monotonic()
        while not self._stop.wait(_TICK_S):
            try:
                self._settle()
                moment_s = self.agent.enforcer.next_moment_s()
                if moment_s is not None and self.agent.clock() >= moment_s + _LATE_S:
                    self.agent.enforcer.tick()
                if time.monotonic() - counted_at >= EVERY_S:
                    counted_at = time.monotonic()
                    self.metering.take()
                if time.monotonic() - checked_at >= _FULLNESS_S:
                    checked_at = time.monotonic()
                    self._tell_of("full", ", ".join(self.agent.enforcer.full_sets()), "sets are full")
            except Exception:
                log.exception("the clock goes on after an error")

    def _settle(self) -> None:
        """Write what could not be written; tell once of a disk that is full, and once that it is not."""
        agent = self.agent
        agent.spool.settle()
        agent.ledger.settle()
        words = "cannot be kept on disk, and wait in memory"
        self._tell_of("events", agent.spool.trouble, f"events {words}")
        self._tell_of("cuts", agent.ledger.trouble, f"cuts {words}")
        self._tell_of("lost", str(agent.spool.lost or ""), "events were lost: disk and memory are full")

    def _tell_of(self, name: str, trouble: str, what: str) -> None:
        """Raise an alarm when a trouble begins, and note when it is over."""
        before = self._troubles.get(name, "")
        self._troubles[name] = trouble
        if trouble and not before:
            self.agent.teller.alarm(f"{what}: {trouble}")
        elif before and not trouble:
            log.info("over", what=what)

    def report(self, last: Enforced | None) -> dict[str, Any]:
        """Return how things stand, for the controller."""
        agent, state = self.agent, self.agent.enforcer.state
        return {
            "edge": agent.settings.name,
            "at_us": int(agent.clock() * 1e6),
            "epoch": state.epoch if state is not None else None,
            "generation": state.generation if state is not None else None,
            "ports": len(state.ports) if state is not None else 0,
            "absent": list(last.absent)[:_MOST_TOLD] if last is not None else [],
            "trouble": list(last.trouble) if last is not None else [],
            "holds": {table: hold.value for table, hold in agent.enforcer.holds.items()},
            "cuts": [{"cut": cut.id, "port": cut.port} for cut in agent.ledger.cuts()[:_MOST_TOLD]],
            "undelivered": agent.spool.undelivered,
            "usage": self.metering.usage(most=_MOST_TOLD),
            "figures": dict(self.figures()),
        }

    def figures(self) -> dict[str, float]:
        """Return plain figures by name, for metrics and report."""
        agent, listening, last = self.agent, self.listening, self.pulling.last
        state = agent.enforcer.state
        found: dict[str, float] = {
            "epoch": state.epoch if state is not None else -1,
            "generation": state.generation if state is not None else -1,
            "enrolled": agent.identity.is_enrolled,
            "controller_reached": self.pulling.is_reached,
            "ports": len(state.ports) if state is not None else 0,
            "cuts_standing": len(agent.ledger.cuts()),
            "apply_seconds": last.took_s if last is not None else 0.0,
            "repairs_total": self.watching.repairs,
            "repair_seconds": self.watching.took_s,
            "cut_seconds": self.answering.cut_s[-1] if self.answering.cut_s else 0.0,
            "events_undelivered": agent.spool.undelivered,
            "events_delivered_total": self.delivering.delivered,
            "events_set_aside_total": self.delivering.set_aside,
            "events_lost_total": agent.spool.lost,
            "counters_dropped_total": agent.spool.dropped,
            "spool_bytes": agent.spool.bytes,
            "disk_trouble": bool(agent.spool.trouble or agent.ledger.trouble),
            "packets_not_seen_total": listening.lost,
        }
        found |= {f"log_{group.name.lower()}_packets_total": n for group, n in listening.seen.items()}
        found |= {f"events_{kind.value}_total": n for kind, n in agent.teller.counts.items()}
        found |= {
            f"detections_{name.replace('-', '_')}_total": n for name, n in dict(listening.spoken).items()
        }
        return {name: float(value) for name, value in found.items()}
