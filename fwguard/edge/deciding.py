"""From verdict to action, on the edge itself: one pure function, read from top to bottom.

What a detector said, what the state of the edge grants, and what was answered before, give one `Measure`. It
accuses the port by which the packets came in and no other (nobody is cut for what was sent in its name), is never
more severe than the clause's ladder, and cuts nobody once too many clients would be cut at once: then the fault
is ours, or a feed's, and a person must look. Contract clauses 6.1, 7.1, 7.4, 7.5, 7.10, 8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fwguard.edge.grounds import NUMBERS, Grounds
from fwguard.edge.history import History
from fwguard.edge.measure import CUTS, Action, Connection, Cut, Measure, cut_reason
from fwguard.model.answering import DetectorMode
from fwguard.model.controls import Rung
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.edge import EdgePort

_CAPPED: Final = {Rung.SERVER: Rung.SERVICE}


def decide(detection: Detection, grounds: Grounds, history: History, now_s: float) -> Measure:
    """Return what is done about one detection. `now_s` is seconds since 1970; nothing is remembered here.

    Call `history.take` with the measure before the next decision.
    """
    now_s = history.at(now_s)
    nobody = Measure(
        action=Action.NOTHING, detector=detection.detector, clause=detection.clause, why=Reason("no-port"),
        at_s=now_s, reason=cut_reason(detection),
    )  # fmt: skip
    if grounds.is_monitoring(detection.server, detection.peer):
        return replace(nobody, why=Reason("monitoring"))
    port = grounds.accused(detection)
    if port is None:
        return _by_address(detection, grounds, history, nobody)
    on_port = replace(nobody, port=port.number, interface=port.interface, client=port.client)
    granted = _granted(detection, port, grounds, now_s)
    if granted is not None:
        return replace(on_port, why=granted)
    measure = _by_ladder(detection, port, grounds, history, on_port)
    if grounds.answers.trust[detection.detector].mode is DetectorMode.DRY_RUN:
        return replace(
            on_port, action=Action.DRY_RUN, would=measure.action,
            why=Reason("dry-run", (("would", measure.action.value),)),
        )  # fmt: skip
    return _within_breaker(measure, grounds, history)


def _by_address(detection: Detection, grounds: Grounds, history: History, nobody: Measure) -> Measure:
    """Answer a verdict that names an address only: anyone can write an address, so nothing is cut by it."""
    port = None if detection.ingress else grounds.by_address(detection.server)
    if port is None:
        return nobody
    on_port = replace(nobody, port=port.number, interface=port.interface, client=port.client)
    why = Reason("by-address", (("address", detection.server),))
    if grounds.answers.trust[detection.detector].mode is DetectorMode.DRY_RUN:
        return replace(on_port, action=Action.DRY_RUN, would=Action.WARN, why=why)
    # No breach: else whoever writes reports would lead a server up its ladder.
    return replace(
        _warn(on_port, "address " + detection.clause, grounds, history, why, person=True), breach=False
    )


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


def _by_ladder(
    detection: Detection, port: EdgePort, grounds: Grounds, history: History, on_port: Measure
) -> Measure:
    """Answer a breach by the rung that the earlier ones of this port lead to."""
    answers, now_s = grounds.answers, on_port.at_s
    record = history.of(port.number)
    clause = detection.clause
    ladder = grounds.ladder(clause)
    earlier = history.breaches(port.number, clause, now_s - ladder.window_s)
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
        why = Reason("low-confidence", facts)
        return replace(_warn(on_port, "low " + clause, grounds, history, why, person=True), breach=False)
    if trusted < answers.server_from_percent:
        rung = _CAPPED.get(rung, rung)
    if rung is Rung.WARN:
        return _warn(on_port, clause, grounds, history, Reason("ladder", facts), person=False)
    cut = _cut(rung, detection, port, grounds, history, on_port)
    if cut is None:
        return _warn(
            on_port, "small " + clause, grounds, history, Reason("nothing-smaller", facts), person=True
        )
    # What was on its way when its port was cut is no further breach, whatever the next rung is.
    least = _cut(Rung.PORT, detection, port, grounds, history, on_port) or cut
    if any(one.covers(least) for one in record.standing):
        return replace(on_port, why=Reason("cut-already", facts))
    left_s = _left_of_grace_s(clause, on_port, grounds, history)
    if left_s > 0 and not probation:
        return replace(on_port, why=Reason("grace", (("seconds", f"{left_s:.0f}"),)))
    return replace(on_port, action=cut.action, cut=cut, breach=True, why=Reason("ladder", facts))


def _warn(
    on_port: Measure, notice: str, grounds: Grounds, history: History, why: Reason, *, person: bool
) -> Measure:
    """Warn, once in a grace period for each kind of notice."""
    left_s = _left_of_grace_s(notice, on_port, grounds, history)
    if left_s > 0:
        return replace(on_port, why=Reason("grace", (("seconds", f"{left_s:.0f}"),)))
    return replace(on_port, action=Action.WARN, breach=True, notice=notice, why=why, calls_person=person)


def _left_of_grace_s(notice: str, on_port: Measure, grounds: Grounds, history: History) -> float:
    warned_s = history.of(on_port.port).warned.get(notice)
    return 0.0 if warned_s is None else warned_s + grounds.answers.grace_s - on_port.at_s


def _cut(
    rung: Rung, detection: Detection, port: EdgePort, grounds: Grounds, history: History, on_port: Measure
) -> Cut | None:
    """Return what a rung cuts; None where the detection names no port, and a server would be too much."""
    answers, now_s = grounds.answers, on_port.at_s
    times = history.cuts(port.number, now_s - grounds.ladder(detection.clause).window_s)
    cut = Cut(
        action=Action.SERVER, port=port.number, clause=detection.clause, since_s=now_s,
        until_s=now_s + answers.cut_for_s[times] if times < len(answers.cut_for_s) else None,
    )  # fmt: skip
    if rung is Rung.SERVER:
        return cut
    protocol = NUMBERS.get(detection.protocol)
    if protocol is None or not detection.port:
        return None
    if rung is Rung.SERVICE:
        return replace(cut, action=Action.SERVICE, ranges=grounds.service_ranges(detection))
    calls_out = detection.peer_port == detection.port and detection.server_port not in (0, detection.port)
    if calls_out and detection.port in answers.shared_ports:
        connection = Connection(
            peer=detection.peer, protocol=protocol, server_port=detection.server_port,
            peer_port=detection.peer_port,
        )  # fmt: skip
        return replace(cut, action=Action.FLOW, connection=connection)
    return replace(cut, action=Action.PORT, ranges=((protocol, detection.port, detection.port),))


def _within_breaker(measure: Measure, grounds: Grounds, history: History) -> Measure:
    """Warn in place of a cut that would be one client too many within the window."""
    if measure.action not in CUTS:
        return measure
    cut = history.clients_cut(measure.at_s - grounds.answers.breaker_window_s)
    if measure.client in cut or len(cut) < grounds.breaker_most:
        return measure
    facts = ("clients", str(len(cut))), ("most", str(grounds.breaker_most)), ("would", measure.action.value)
    return replace(
        measure, action=Action.WARN, cut=None, breach=False, would=measure.action, calls_person=True,
        why=Reason("breaker", facts),
    )  # fmt: skip


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
