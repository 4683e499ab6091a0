"""What a state of an edge says about a verdict: whose port it is, what it may do, what the ladder is. Pure.

Built once for each generation; every question afterwards is a look-up or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwguard.model.answering import Answers
from fwguard.model.controls import Ladder, Rung, ServiceKind
from fwguard.model.detection import Detection, Detector
from fwguard.model.edge import EdgePort, EdgeState, PortKind
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.edge_grants import ApprovedScan, EdgeRegistration, Scope
from fwguard.model.inventory import Role
from fwguard.model.ports import SCTP, TCP, UDP

KIND_OF: Final = {
    Detector.IRC: ServiceKind.IRC,
    Detector.SOCKS: ServiceKind.PROXY,
    Detector.HTTP_PROXY: ServiceKind.PROXY,
    Detector.TOR: ServiceKind.PROXY,
    Detector.VIDEOCHAT: ServiceKind.VIDEOCHAT,
}
SCANS: Final = frozenset((Detector.PORTSCAN, Detector.HOSTSCAN, Detector.BRUTEFORCE))
NUMBERS: Final = {"tcp": TCP, "udp": UDP, "sctp": SCTP}
MOST_PORTS_OF_SERVICE: Final = 1024
_WARN_ONLY: Final = Ladder(rungs=(Rung.WARN,), window_s=86400)


class Grounds:
    """The look-ups of one state."""

    def __init__(self, state: EdgeState, answers: Answers) -> None:
        self.state = state
        self.answers = answers
        self.by_interface = {port.interface: port for port in state.ports}
        walled = walled_architectures(state)
        self._outer = [port for port in state.ports if port.is_started and is_outer(port, walled)]
        self._zones: dict[int, list[EdgePort]] = {}
        for port in state.ports:
            self._zones.setdefault(port.zone, []).append(port)
        self._registrations = _registrations(state)
        self._scans: dict[int, list[ApprovedScan]] = {}
        for scan in state.approved_scans:
            self._scans.setdefault(scan.port, []).append(scan)
        self.clients = len({port.client for port in state.ports})
        self.breaker_most = answers.breaker_most(self.clients)
        controls = state.controls
        self._ladders = {
            "7.1": controls.intrusion.ladder,
            "7.1.1": controls.firewall.ladder,
            "7.4": controls.mail.ladder,
            "7.5": controls.registration.ladder,
        }

    def accused(self, detection: Detection) -> EdgePort | None:
        """Return the port by which the packets came in, if it is one of ours and they can be its own.

        A firewall forwards for everyone: it answers only for what bears one of its own addresses.
        """
        port = self.by_interface.get(detection.ingress)
        if port is None or port.kind is PortKind.SERVER:
            return port
        return port if _holds(port, detection.server) else None

    def by_address(self, address: str) -> EdgePort | None:
        """Return the outer port that holds a public address, for a notice; never to cut by."""
        return next((port for port in self._outer if _holds(port, address)), None)

    def ladder(self, clause: str) -> Ladder:
        """Return a clause's ladder; where an edge has none for it, it only warns."""
        return self._ladders.get(clause, _WARN_ONLY)

    def is_monitoring(self, *addresses: str) -> bool:
        """Tell whether one of these is our own monitoring (clause 7.10)."""
        monitoring = self.state.monitoring
        return bool(monitoring) and any(one and _is_address(one) and one in monitoring for one in addresses)

    def approved_scan(self, port: EdgePort, detection: Detection) -> ApprovedScan | None:
        """Return the agreed scan that this is, by target and time of its packets."""
        if detection.detector not in SCANS or not _is_address(detection.peer):
            return None
        for scan in self._scans.get(port.number, ()):
            if scan.starts_at_s <= detection.last_s < scan.ends_at_s and detection.peer in scan.targets:
                return scan
        return None

    def registration(self, port: EdgePort, detection: Detection, now_s: float) -> EdgeRegistration | None:
        """Return the registration that covers the service's port (clause 7.5)."""
        kind = KIND_OF.get(detection.detector)
        protocol = NUMBERS.get(detection.protocol, -1)
        for one in self._registrations.get(port.number, ()) if kind else ():
            if one.kind is not kind or (one.ends_at_s is not None and one.ends_at_s <= now_s):
                continue
            if any(p == protocol and first <= detection.port <= last for p, first, last in one.ports) or (
                not one.ports and self._is_known(kind, protocol, detection.port)
            ):
                return one
        return None

    def _is_known(self, kind: ServiceKind, protocol: int, number: int) -> bool:
        return any(
            one.kind is kind and one.protocol == protocol and one.first_port <= number <= one.last_port
            for one in self.state.controls.registration.services
        )

    def may_mail(self, port: EdgePort, detection: Detection) -> str:
        """Return why a mail session is none of the clause (7.4), or ""."""
        if detection.detector is not Detector.SMTP:
            return ""
        if port.role is Role.MAIL:
            return "mail-server"
        if detection.server_port and detection.server_port == detection.port:
            return "receives-mail"  # it was called; the clause speaks of sending
        if self.is_neighbour(port, detection.peer):
            return "own-mail"
        return ""

    def is_neighbour(self, port: EdgePort, address: str) -> bool:
        """Tell whether an address is that of another port of the same client's inside."""
        return any(
            one.number != port.number and one.kind is PortKind.SERVER and _holds(one, address)
            for one in self._zones[port.zone]
        )

    def is_isolated(self, port: EdgePort, now_s: float) -> bool:
        """Tell whether the controller has cut the whole of this port already."""
        return any(
            (one.port == port.number or one.architecture == port.architecture)
            and one.scope is not Scope.SERVICE
            and (one.ends_at_s is None or one.ends_at_s > now_s)
            for one in self.state.isolations
        )

    def service_ranges(self, detection: Detection) -> tuple[tuple[int, int, int], ...]:
        """Return every port of the service that a detection is about, its own port too; at most 1024."""
        protocol = NUMBERS.get(detection.protocol)
        if protocol is None or not detection.port:
            return ()
        own = (protocol, detection.port, detection.port)
        controls = self.state.controls
        ranges: list[tuple[int, int, int]] = []
        kind = KIND_OF.get(detection.detector)
        if kind is not None:
            ranges = [
                (one.protocol, one.first_port, one.last_port)
                for one in controls.registration.services
                if one.kind is kind
            ]
        elif detection.detector in (Detector.SMTP, Detector.SPAM_BURST):
            ranges = [(TCP, number, number) for number in controls.mail.ports]
        if not any(p == protocol and first <= detection.port <= last for p, first, last in ranges):
            ranges.append(own)
        if sum(last - first + 1 for _, first, last in ranges) > MOST_PORTS_OF_SERVICE:
            return (own,)
        return tuple(sorted(set(ranges)))


def _registrations(state: EdgeState) -> dict[int, list[EdgeRegistration]]:
    """By port: a server's, and of the firewall's outside that hides it."""
    outsides: dict[str, list[int]] = {}
    ports = {port.number: port for port in state.ports}
    for port in state.ports:
        if port.kind is PortKind.FIREWALL_OUT:
            outsides.setdefault(port.architecture, []).append(port.number)
    found: dict[int, list[EdgeRegistration]] = {}
    for one in state.registrations:
        hidden: Iterable[int] = outsides.get(ports[one.port].architecture, ())
        for number in (one.port, *hidden):
            found.setdefault(number, []).append(one)
    return found


def _is_address(text: str) -> bool:
    """Tell an IP address from an Ethernet one or nothing: detectors write either."""
    return "." in text or (":" in text and not _is_mac(text))


def _is_mac(text: str) -> bool:
    return len(text) == 17 and all(len(part) == 2 for part in text.split(":")) and text.count(":") == 5


def _holds(port: EdgePort, address: str) -> bool:
    return _is_address(address) and address in port.addresses
