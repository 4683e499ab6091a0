"""From verdict to action, on the edge itself: one pure function, read from top to bottom.

What a detector said, what the state of the edge grants, and what was answered before, give one `Measure`. It
accuses the port by which the packets came in and no other (nobody is cut for what was sent in its name), is never
more severe than the clause's ladder, and cuts nobody once too many clients would be cut at once: then the fault
is ours, or a feed's, and a person must look. Contract clauses 6.1, 7.1, 7.4, 7.5, 7.10, 8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fwguard.edge.grounds import NUMBERS, Grounds
from fwguard.edge.history import History
from fwguard.edge.measure import CUTS, Action, Connection, Cut, Measure, PortRange, cut_reason
from fwguard.model.answering import DetectorMode
from fwguard.model.controls import Rung
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.edge import EdgePort

_CAPPED: Final = {Rung.SERVER: Rung.SERVICE}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One detection to be answered, and who stands accused (None: nobody yet)."""

    detection: Detection
    grounds: Grounds
    history: History
    at_s: float
    port: EdgePort | None = None

    def answer(
        self,
        action: Action,
        why: Reason,
        *,
        cut: Cut | None = None,
        would: Action = Action.NOTHING,
        breach: bool = False,
        notice: str = "",
        calls_person: bool = False,
    ) -> Measure:
        """Return the measure."""
        port, detection = self.port, self.detection
        return Measure(
            action=action,
            detector=detection.detector,
            clause=detection.clause,
            why=why,
            at_s=self.at_s,
            port=port.number if port else 0,
            interface=port.interface if port else "",
            client=port.client if port else "",
            reason=cut_reason(detection),
            cut=cut,
            would=would,
            breach=breach,
            notice=notice,
            calls_person=calls_person,
        )

    @property
    def on_trial(self) -> bool:
        """Tell whether the detector only says what it would have done."""
        return self.grounds.answers.trust[self.detection.detector].mode is DetectorMode.DRY_RUN


def decide(detection: Detection, grounds: Grounds, history: History, now_s: float) -> Measure:
    """Return what is done about one detection. `now_s` is seconds since 1970; nothing is remembered here.

    Call `history.take` with the measure before the next decision.
    """
    now_s = history.at(now_s)
    port = grounds.accused(detection)
    asked = _Asked(detection, grounds, history, now_s, port)
    if grounds.is_monitoring(detection.server, detection.peer):
        return asked.answer(Action.NOTHING, Reason("monitoring"))
    if port is None:
        return _by_address(asked)
    granted = _granted(detection, port, grounds, now_s)
    if granted is not None:
        return asked.answer(Action.NOTHING, granted)
    measure = _by_ladder(asked, port)
    if asked.on_trial:
        why = Reason("dry-run", (("would", measure.action.value),))
        return asked.answer(Action.DRY_RUN, why, would=measure.action)
    return _within_breaker(asked, measure)


def _by_address(asked: _Asked) -> Measure:
    """Answer a verdict that names an address only: anyone can write an address, so nothing is cut by it."""
    detection = asked.detection
    port = None if detection.ingress else asked.grounds.by_address(detection.server)
    if port is None:
        return asked.answer(Action.NOTHING, Reason("no-port"))
    asked = replace(asked, port=port)
    why = Reason("by-address", (("address", detection.server),))
    if asked.on_trial:
        return asked.answer(Action.DRY_RUN, why, would=Action.WARN)
    # No breach: else whoever writes reports would lead a server up its ladder.
    return _warn(asked, "address " + detection.clause, why, person=True, breach=False)


def _granted(detection: Detection, port: EdgePort, grounds: Grounds, now_s: float) -> Reason | None:
    """Return the permission that makes it no breach, or None."""
    scan = grounds.approved_scan(port, detection)
    if scan is not None:
        return Reason("approved-scan", (("ticket", scan.ticket),))
    registration = grounds.registration(port, detection, now_s)
    if registration is not None:
        return Reason("registered", (("kind", registration.kind.value), ("ticket", registration.ticket)))
    mail = grounds.may_mail(port, detection)
    if mail:
        return Reason(mail, (("server", port.server),))
    if grounds.is_isolated(port, now_s):
        return Reason("isolated", (("server", port.server),))
    return None


def _by_ladder(asked: _Asked, port: EdgePort) -> Measure:
    """Answer a breach by the rung that the earlier ones of this port lead to."""
    detection, answers, now_s = asked.detection, asked.grounds.answers, asked.at_s
    record = asked.history.of(port.number)
    clause = detection.clause
    ladder = asked.grounds.ladder(clause)
    earlier = asked.history.breaches(port.number, clause, now_s - ladder.window_s)
    probation = bool(record.released_s) and now_s < record.released_s + answers.probation_s
    rung = ladder.rung(earlier + probation)
    trusted = answers.trust[detection.detector].confidence_percent
    facts = (
        ("nth", str(earlier + 1)),
        ("rung", rung.value),
        ("probation", "yes" if probation else "no"),
        ("confidence", str(trusted)),
    )
    if rung is not Rung.WARN and trusted < answers.cut_from_percent:
        return _warn(asked, "low " + clause, Reason("low-confidence", facts), person=True, breach=False)
    if trusted < answers.server_from_percent:
        rung = _CAPPED.get(rung, rung)
    if rung is Rung.WARN:
        return _warn(asked, clause, Reason("ladder", facts))
    cut = _cut(rung, asked, port)
    if cut is None:
        return _warn(asked, "small " + clause, Reason("nothing-smaller", facts), person=True)
    if record.standing:
        # What was on its way when its port was cut is no further breach, whatever the next rung is.
        least = _cut(Rung.PORT, asked, port) or cut
        if any(one.covers(least) for one in record.standing):
            return asked.answer(Action.NOTHING, Reason("cut-already", facts))
    left_s = _left_of_grace_s(asked, clause)
    if left_s > 0 and not probation:
        return asked.answer(Action.NOTHING, Reason("grace", (("seconds", f"{left_s:.0f}"),)))
    return asked.answer(cut.action, Reason("ladder", facts), cut=cut, breach=True)


def _warn(asked: _Asked, notice: str, why: Reason, *, person: bool = False, breach: bool = True) -> Measure:
    """Warn, once in a grace period for each kind of notice."""
    left_s = _left_of_grace_s(asked, notice)
    if left_s > 0:
        return asked.answer(Action.NOTHING, Reason("grace", (("seconds", f"{left_s:.0f}"),)))
    return asked.answer(Action.WARN, why, breach=breach, notice=notice, calls_person=person)


def _left_of_grace_s(asked: _Asked, notice: str) -> float:
    warned_s = asked.history.of(asked.port.number if asked.port else 0).warned.get(notice)
    return 0.0 if warned_s is None else warned_s + asked.grounds.answers.grace_s - asked.at_s


def _cut(rung: Rung, asked: _Asked, port: EdgePort) -> Cut | None:
    """Return what a rung cuts; None where the detection names no port, and a server would be too much."""
    detection, grounds, now_s = asked.detection, asked.grounds, asked.at_s
    answers, clause = grounds.answers, detection.clause
    action, connection = Action.SERVER, None
    ranges: tuple[PortRange, ...] = ()
    if rung is not Rung.SERVER:
        protocol = NUMBERS.get(detection.protocol)
        if protocol is None or not detection.port:
            return None
        calls_out = detection.peer_port == detection.port and detection.server_port not in (0, detection.port)
        if rung is Rung.SERVICE:
            action, ranges = Action.SERVICE, grounds.service_ranges(detection)
        elif calls_out and detection.port in answers.shared_ports:
            action = Action.FLOW
            connection = Connection(
                peer=detection.peer, protocol=protocol, server_port=detection.server_port,
                peer_port=detection.peer_port,
            )  # fmt: skip
        else:
            action, ranges = Action.PORT, ((protocol, detection.port, detection.port),)
    times = asked.history.cuts(port.number, now_s - grounds.ladder(clause).window_s)
    until_s = now_s + answers.cut_for_s[times] if times < len(answers.cut_for_s) else None
    return Cut(
        action=action, port=port.number, clause=clause, since_s=now_s, until_s=until_s, connection=connection,
        ranges=ranges,
    )  # fmt: skip


def _within_breaker(asked: _Asked, measure: Measure) -> Measure:
    """Warn in place of a cut that would be one client too many within the window."""
    if measure.action not in CUTS:
        return measure
    grounds = asked.grounds
    cut = asked.history.clients_cut(measure.at_s - grounds.answers.breaker_window_s)
    if measure.client in cut or len(cut) < grounds.breaker_most:
        return measure
    facts = ("clients", str(len(cut))), ("most", str(grounds.breaker_most)), ("would", measure.action.value)
    return asked.answer(Action.WARN, Reason("breaker", facts), would=measure.action, calls_person=True)


def kernel_cut(
    port: EdgePort, clause: str, grounds: Grounds, history: History, now_s: float, *, what: str
) -> Measure:
    """Return the measure for a port that the kernel cut by itself (`what`: scan or flood), for the history.

    It stands already; where it is one client too many, a person is called.
    """
    now_s = history.at(now_s)
    ladder = grounds.ladder(clause)
    times = history.cuts(port.number, now_s - ladder.window_s)
    lasting = grounds.answers.cut_for_s
    cut = history.clients_cut(now_s - grounds.answers.breaker_window_s)
    many = port.client not in cut and len(cut) >= grounds.breaker_most
    detector = Detector.FLOOD if what == "flood" else Detector.HOSTSCAN
    return Measure(
        action=Action.SERVER, detector=detector, clause=clause, at_s=now_s, port=port.number,
        interface=port.interface, client=port.client, breach=True, calls_person=many,
        why=Reason("kernel-cut", (("what", what), ("clients", str(len(cut) + 1)), ("most", str(grounds.breaker_most)))),
        cut=Cut(
            action=Action.SERVER, port=port.number, clause=clause, since_s=now_s,
            until_s=now_s + lasting[times] if times < len(lasting) else None,
        ),
    )  # fmt: skip
