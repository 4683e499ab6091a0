"""From a verdict to a cut on the spot: decided, in the kernel, written down, told; and taken back by name."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import structlog

from fwguard.compile.local_cuts import cut_flow, cut_port, cut_service
from fwguard.edge import deciding
from fwguard.edge.durable import write_whole
from fwguard.edge.enforcing import Enforcer
from fwguard.edge.grounds import Grounds
from fwguard.edge.history import History
from fwguard.edge.ledger import Ledger, LocalCut
from fwguard.edge.local_sets import Placed
from fwguard.edge.measure import CUTS, Action, Cut, Measure
from fwguard.edge.telling import Teller
from fwguard.errors import FwguardError, InputError
from fwguard.model.answering import Answers
from fwguard.model.controls import Rung
from fwguard.model.detection import Detection
from fwguard.model.edge import EdgePort, EdgeState, Link
from fwguard.model.edge_wire import MOST_EVENT_BYTES, EventKind

log = structlog.get_logger(__name__)
Decide = Callable[[Detection, Grounds, History, float], Measure]
"""What decides: the detection, what the state grants, what was answered before, the time."""

_RUNGS: Final = {
    Action.FLOW: Rung.PORT, Action.PORT: Rung.PORT, Action.SERVICE: Rung.SERVICE, Action.SERVER: Rung.SERVER,
}  # fmt: skip
_CLAUSES: Final = {"scan": "7.1", "flood": "7.1"}


class Answering:
    """Answers verdicts. Threads may share it; one verdict at a time."""

    def __init__(
        self,
        *,
        enforcer: Enforcer,
        ledger: Ledger,
        teller: Teller,
        answers: Answers,
        history_file: Path,
        decide: Decide = deciding.decide,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._enforcer, self._ledger, self._teller = enforcer, ledger, teller
        self._answers, self._decide, self._clock = answers, decide, clock
        self._file = history_file
        self._history = _read_history(history_file)
        self._grounds: Grounds | None = None
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self.cut_s: list[float] = []

    def follow(self, state: EdgeState) -> None:
        """Judge by this state from now on, take back the cuts that it releases, own up to those of the kernel."""
        with self._lock:
            self._grounds = Grounds(state, self._answers)
            # A port's number is never another's: what is gone need not be remembered.
            self._history.gone(self._history.records.keys() - {port.number for port in state.ports})
            for release in state.releases:
                self._release(release.cut, release.port, release.case)
        self.own_up(state)

    def on_detection(self, detection: Detection, capture: Callable[[Detection], bytes]) -> Measure | None:
        """Answer what a detector said; `capture` gives the packets that prove it, as a capture file."""
        with self._lock:
            if self._grounds is None:
                return None
            measure = self._decide(detection, self._grounds, self._history, self._clock())
            if measure.action is Action.NOTHING:
                return measure
            event = self._teller.event(EventKind.VERDICT, port=measure.port)
            trouble = ""
            if measure.action in CUTS and measure.cut is not None:
                port = self._grounds.by_interface[measure.interface]
                trouble = self._cut(event.id, event.at_us, measure.cut, port, measure.reason.value)
            self._history.take(measure, window_s=self._answers.breaker_window_s)
            self._keep_history()
            facts = _facts(detection, measure)
            facts["evidence"] = base64.b64encode(capture(detection)).decode("ascii")
            if len(json.dumps(facts)) > MOST_EVENT_BYTES - 1024:
                facts["evidence"] = ""
            self._teller.tell(self._teller.event(EventKind.VERDICT, port=measure.port, id=event.id, **facts))
        if trouble:
            self._teller.alarm(f"a cut is not in the kernel: {trouble}", port=measure.port)
        return measure

    def on_kernel_cut(self, interface: str, what: str, evidence: str) -> None:
        """Own up to a port that the kernel cut by itself: `what` is scan or flood, or found (at a start)."""
        with self._lock:
            self._own(interface, what, evidence)

    def own_up(self, state: EdgeState) -> None:
        """Write down and tell of the ports that the kernel cut while nobody listened."""
        known = {port.interface for port in state.ports}
        for family in ("inet", "netdev"):
            for element in self._enforcer.elements_of(family, "cut_local_port"):
                name = element.key.rstrip(b"\0").decode("ascii", "replace")
                if name in known:
                    self.on_kernel_cut(name, "found", "")

    def _own(self, interface: str, what: str, evidence: str) -> None:
        grounds = self._grounds
        port = grounds.by_interface.get(interface) if grounds is not None else None
        if grounds is None or port is None:
            return
        (placed,) = cut_port(port)
        if self._ledger.holds(placed):
            return
        clause = _CLAUSES.get(what, "7.1")
        measure = deciding.kernel_cut(port, clause, grounds, self._history, self._clock(), what=what)
        event = self._teller.event(
            EventKind.CUT, port=port.number, reason="intrusion", clause=clause, what=what, evidence=evidence,
            until_s=measure.cut.until_s if measure.cut is not None else None, calls_person=measure.calls_person,
        )  # fmt: skip
        self._ledger.add(
            LocalCut(id=event.id, port=port.number, clause=clause, reason="intrusion", at_us=event.at_us,
                     elements=(placed,))
        )  # fmt: skip
        self._teller.tell(event)
        self._history.take(measure, window_s=self._answers.breaker_window_s)
        self._keep_history()
        log.warning("the kernel cut a port", port=port.number, interface=interface, what=what)

    def _cut(self, name: str, at_us: int, cut: Cut, port: EdgePort, reason: str) -> str:
        """Cut: first the kernel, then the disk; return what went wrong, if anything."""
        elements = tuple(dict.fromkeys(placed_by(cut, port)))
        trouble = ""
        try:
            self.cut_s.append(self._enforcer.cut(elements))
            del self.cut_s[:-1000]
        except FwguardError as error:
            trouble = str(error)
        self._ledger.add(
            LocalCut(
                id=name, port=port.number, clause=cut.clause, reason=reason, at_us=at_us, elements=elements
            )
        )
        log.warning("cut on the spot", cut=name, port=port.number, action=cut.action.value, clause=cut.clause)
        return trouble

    def _release(self, name: str, port: int, case: int) -> None:
        """Take a cut back: first the kernel, so that a crash in between leaves it cut, not forgotten."""
        cut = self._ledger.get(name)
        if cut is None and name in self._told:
            return
        if cut is not None:
            others = {e for one in self._ledger.cuts() if one.id != name for e in one.elements}
            try:
                self._enforcer.uncut(element for element in cut.elements if element not in others)
            except FwguardError as error:
                log.warning("a release did not find its set", cut=name, why=str(error))
            self._ledger.release(name)
            self._history.released(cut.port, self._clock())
            self._keep_history()
            log.info("released", cut=name, port=cut.port, case=case)
        self._told.add(name)
        self._teller.tell(
            self._teller.event(
                EventKind.RELEASED,
                port=port,
                id=f"released.{case}.{name}"[:80],
                cut=name,
                case=case,
                known=cut is not None,
            )
        )

    def _keep_history(self) -> None:
        try:
            write_whole(self._file, self._history.to_bytes())
        except OSError as error:
            log.warning("the history is not on disk", why=str(error))


def placed_by(cut: Cut, port: EdgePort) -> Iterable[Placed]:
    """Return the elements of `cut_local` sets that a cut comes to; of a bridged port only the whole can be cut."""
    one = cut.connection
    if one is not None and port.link is Link.ROUTED:
        return cut_flow(
            port, peer=one.peer, protocol=one.protocol, server_port=one.server_port, peer_port=one.peer_port
        )
    if cut.ranges and port.link is Link.ROUTED:
        return [
            element
            for protocol, first, last in cut.ranges
            for element in cut_service(port, protocol=protocol, ports=range(first, last + 1))
        ]
    return cut_port(port)


def _facts(detection: Detection, measure: Measure) -> dict[str, Any]:
    said: dict[str, Any] = {one.name: getattr(detection, one.name) for one in fields(detection)}
    said["detector"] = detection.detector.value
    said["reason"] = {"key": detection.reason.key, "facts": [list(one) for one in detection.reason.facts]}
    said["packets"] = list(detection.packets)
    cut = measure.cut
    return {
        "detection": said,
        "action": measure.action.value,
        "rung": _RUNGS.get(measure.action, Rung.WARN).value,
        "ranges": [list(one) for one in cut.ranges] if cut is not None else [],
        "until_s": None if cut is None else cut.until_s,
        "reason": measure.reason.value,
        "why": {"key": measure.why.key, "facts": [list(one) for one in measure.why.facts]},
        "would": measure.would.value,
        "calls_person": measure.calls_person,
    }


def _read_history(path: Path) -> History:
    try:
        return History.from_bytes(path.read_bytes(), str(path))
    except FileNotFoundError:
        return History()
    except (OSError, InputError) as error:
        log.warning("the history of answers begins anew", why=str(error))
        return History()
