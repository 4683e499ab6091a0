"""The controls of `clauses/*.yaml`: what clauses make an edge do, every value checked, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

from fwguard.errors import InputError
from fwguard.model.controls import (
    BandwidthControl,
    Controls,
    DevelopmentControl,
    FirewallControl,
    IntrusionControl,
    IsolationControl,
    KnownService,
    Ladder,
    MailControl,
    Mode,
    Passage,
    Reason,
    RegistrationControl,
    RetrievalControl,
    Rung,
    ServiceKind,
    VpnControl,
    WatchControl,
)
from fwguard.model.document import Field, read_document
from fwguard.model.ports import TCP
from fwguard.rules.services import ServicePorts, read_services

T = TypeVar("T")
# clause -> its control; what is no control of the edge is checked by its own reader
CONTROLS_BY_CLAUSE: Final[Mapping[str, str]] = {
    "4": "address",
    "6.1": "isolation",
    "7.1": "intrusion",
    "7.1.1": "firewall",
    "7.4": "mail",
    "7.5": "registration",
    "7.7": "bandwidth",
    "7.10": "watch",
    "8": "suspension",
    "13.2": "retrieval",
    "annex-2": "development",
    "annex-3": "vpn",
}
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "scan_targets_per_s": (1, 100_000),
    "scan_burst_targets": (1, 1_000_000),
    "mail_burst_targets": (1, 1_000_000),
    "flood_packets_per_s": (1, 10_000_000),
    "flood_burst_packets": (1, 10_000_000),
    "memory_most": (1024, 1 << 22),
    "assured_bps": (1000, 10**13),
    "quantum_bytes": (1500, 60_000),
    "queue_bytes": (3000, 1 << 24),
    "packets_most": (0, 64),
    "refusals_per_s": (1, 100_000),
    "shortest_prefix4": (8, 32),
    "shortest_prefix6": (16, 128),
    "snaplen_bytes": (40, 9000),
}


def read_controls(folder: Path) -> Controls:
    """Read all controls of the folder `rules/`. Raises InputError with file, line and what was expected."""
    services = read_services(folder)
    found: dict[str, Field] = {}
    for path in sorted((folder / "clauses").glob("*.yaml")):
        for name, field in _controls_of(path):
            if name in found:
                raise field.fail("stands in two clauses", "one of them")
            found[name] = field
    for clause, name in CONTROLS_BY_CLAUSE.items():
        if name not in found:
            where = str(folder / "clauses")
            raise InputError(
                f"clause {clause} lacks its control", where=where, expected=f"`controls:` with `{name}:`"
            )
    return Controls(
        firewall=_firewall(found["firewall"]),
        intrusion=_filled(IntrusionControl, found["intrusion"]),
        mail=_mail(found["mail"], services),
        registration=_registration(found["registration"], services),
        bandwidth=_filled(BandwidthControl, found["bandwidth"]),
        isolation=_isolation(found["isolation"], found["suspension"]),
        retrieval=_filled(RetrievalControl, found["retrieval"]),
        development=_filled(DevelopmentControl, found["development"]),
        vpn=_filled(VpnControl, found["vpn"]),
        watch=_filled(WatchControl, found["watch"]),
    )


def _controls_of(path: Path) -> Iterator[tuple[str, Field]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{error}", where=str(path), expected="a readable clause") from None
    root = read_document(text, str(path)).mapping(
        required=("clause", "title", "says"), optional=("controls",)
    )
    if "controls" in root:
        own = CONTROLS_BY_CLAUSE.get(root["clause"].text())
        if own is None:
            raise root["controls"].fail("is not known here", f"clauses {', '.join(CONTROLS_BY_CLAUSE)}")
        yield own, root["controls"].mapping(required=(own,))[own]


def _filled(kind: type[T], section: Field) -> T:
    """Fill a dataclass from lines of the same names; a name's end says how its value is read."""
    names = tuple(one.name for one in fields(kind))  # type: ignore[arg-type]
    lines = section.mapping(required=names)
    made: dict[str, Any] = {}
    for name in names:
        made[name] = _ladder(lines[name]) if name == "ladder" else _number(name, lines[name])
    return kind(**made)


def _number(name: str, field: Field) -> int:
    if name.endswith("_s") and not name.endswith("per_s"):
        seconds = field.integer(1, 1 << 31) if field.text().isdecimal() else field.seconds()
        if not 1 <= seconds <= 1 << 31:
            raise field.fail("is out of bounds", "a duration of 1 s or more")
        return seconds
    return field.integer(*_BOUNDS[name])


def _ladder(field: Field) -> Ladder:
    lines = field.mapping(required=("window_s", "rungs"))
    rungs = tuple(one.choice({rung.value: rung for rung in Rung}) for one in lines["rungs"].sequence())
    try:
        return Ladder(rungs=rungs, window_s=_number("window_s", lines["window_s"]))
    except InputError:
        raise lines["rungs"].fail(", ".join(rungs), "rungs, each once, the mildest first") from None


def _firewall(section: Field) -> FirewallControl:
    lines = section.mapping(required=("mode", "ladder"))
    mode = lines["mode"].choice({mode.value: mode for mode in Mode})
    return FirewallControl(mode=mode, ladder=_ladder(lines["ladder"]))


def _named(field: Field, services: Mapping[str, ServicePorts]) -> list[tuple[int, int, int]]:
    return [ports for one in field.sequence() for ports in one.choice(services)]


def _mail(section: Field, services: Mapping[str, ServicePorts]) -> MailControl:
    lines = section.mapping(required=("services", "ladder"))
    ports: set[int] = set()
    for protocol, first, last in _named(lines["services"], services):
        if protocol != TCP or last - first >= 64:
            raise lines["services"].fail("names what is no mail", "services on few TCP ports")
        ports.update(range(first, last + 1))
    return MailControl(ports=tuple(sorted(ports)), ladder=_ladder(lines["ladder"]))


def _registration(section: Field, services: Mapping[str, ServicePorts]) -> RegistrationControl:
    kinds = tuple(kind.value for kind in ServiceKind)
    lines = section.mapping(required=(*kinds, "ladder"))
    known: list[KnownService] = []
    for kind in ServiceKind:
        for protocol, first, last in _named(lines[kind.value], services):
            for other in known:
                if other.protocol == protocol and first <= other.last_port and other.first_port <= last:
                    raise lines[kind.value].fail(
                        f"port {max(first, other.first_port)} is that of {other.kind} too", "each port once"
                    )
            known.append(KnownService(kind=kind, protocol=protocol, first_port=first, last_port=last))
    return RegistrationControl(services=tuple(known), ladder=_ladder(lines["ladder"]))


def _isolation(isolation: Field, suspension: Field) -> IsolationControl:
    reasons = suspension.mapping(required=("stays_open",))["stays_open"].mapping(
        required=tuple(reason.value for reason in Reason)
    )
    return IsolationControl(
        stays_open={reason: _passages(reasons[reason.value]) for reason in Reason},
        on_the_spot=_passages(isolation.mapping(required=("on_the_spot",))["on_the_spot"]),
    )


def _passages(field: Field) -> tuple[Passage, ...]:
    found = tuple(one.choice({passage.value: passage for passage in Passage}) for one in field.sequence())
    if len(set(found)) != len(found):
        raise field.fail("says the same twice", "each once")
    return found
