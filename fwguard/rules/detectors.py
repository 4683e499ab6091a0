"""When detectors speak: `detectors.yaml`, every value checked, every complaint with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final, TypeVar

from fwguard.errors import InputError
from fwguard.model.answering import Answers, DetectorMode, Trust
from fwguard.model.detection import Detector
from fwguard.model.document import Field, read_document
from fwguard.model.thresholds import (
    ArpSpoof,
    BruteForce,
    Flood,
    HostScan,
    Memory,
    PortScan,
    SpamBurst,
    Thresholds,
    UnapprovedAnswer,
)

T = TypeVar("T")
_NAME: Final = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_CLAUSE: Final = re.compile(r"[0-9]+(\.[0-9]+)*(-[a-z-]+)?")
_KINDS: Final[Mapping[Detector, type]] = {
    Detector.PORTSCAN: PortScan,
    Detector.HOSTSCAN: HostScan,
    Detector.BRUTEFORCE: BruteForce,
    Detector.FLOOD: Flood,
    Detector.SPAM_BURST: SpamBurst,
    Detector.ARP_SPOOF: ArpSpoof,
    Detector.UNAPPROVED_OPENING: UnapprovedAnswer,
}
_NAMED: Final = (Detector.IRC, Detector.VIDEOCHAT, Detector.MINING)
_HIGHEST: Final = 1 << 24
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "head_bytes": (512, 16384),
    "packets_most": (4, 64),
    "held_bytes_most": (1 << 16, 1 << 34),
    "flows_most": (16, 1 << 22),
    "sources_most": (16, 1 << 20),
    "doubt_ppm": (1, 100_000),
    "private_weight_percent": (100, 1000),
    "claims_most": (0, 1000),
    "answers_most": (0, 1000),
}


def read_detectors(folder: Path) -> Thresholds:
    """Read `detectors.yaml` of the folder `rules/`. Raises InputError with file, line, what was expected."""
    path = folder / "detectors.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{error}", where=str(path), expected="the thresholds of the detectors") from None
    return parse_detectors(text, str(path))


def parse_detectors(text: str, file: str) -> Thresholds:
    """Read the text of `detectors.yaml`: every detector has its section, every section all of its values."""
    sections = read_document(text, file).mapping(
        required=("memory", "answers", *(one.value for one in Detector))
    )
    clauses: dict[Detector, str] = {}
    names: dict[Detector, tuple[str, ...]] = {}
    kinds: dict[Detector, object] = {}
    trust: dict[Detector, Trust] = {}
    for detector in Detector:
        section = sections[detector.value]
        kind = _KINDS.get(detector)
        own = tuple(one.name for one in fields(kind)) if kind else ()
        named = ("names",) if detector in _NAMED else ()
        values = section.mapping(required=("clause", "mode", "confidence_percent", *own, *named))
        clauses[detector] = values["clause"].parsed(_clause)
        trust[detector] = Trust(
            mode=values["mode"].choice({one.value: one for one in DetectorMode}),
            confidence_percent=values["confidence_percent"].integer(1, 100),
        )
        if kind:
            kinds[detector] = _filled(kind, values)
        if named:
            names[detector] = tuple(one.parsed(_name) for one in values["names"].sequence())
    memory = sections["memory"].mapping(required=tuple(one.name for one in fields(Memory)))
    return Thresholds(
        memory=_filled(Memory, memory),
        clauses=clauses,
        names=names,
        portscan=_of(PortScan, kinds[Detector.PORTSCAN]),
        hostscan=_of(HostScan, kinds[Detector.HOSTSCAN]),
        bruteforce=_of(BruteForce, kinds[Detector.BRUTEFORCE]),
        flood=_of(Flood, kinds[Detector.FLOOD]),
        spam_burst=_of(SpamBurst, kinds[Detector.SPAM_BURST]),
        arp_spoof=_of(ArpSpoof, kinds[Detector.ARP_SPOOF]),
        unapproved=_of(UnapprovedAnswer, kinds[Detector.UNAPPROVED_OPENING]),
        answers=_answers(sections["answers"], trust),
    )


def _filled(kind: type[T], values: Mapping[str, Field]) -> T:
    """Fill a dataclass from fields of the same names; the unit at a name's end says how it is read."""
    filled = {one.name: _value(one.name, values[one.name]) for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**filled)


def _answers(section: Field, trust: Mapping[Detector, Trust]) -> Answers:
    values = section.mapping(required=tuple(one.name for one in fields(Answers) if one.name != "trust"))
    lasting = values["cut_for_s"].sequence()
    if len(lasting) > 8:
        raise values["cut_for_s"].fail(f"has {len(lasting)} times", "at most 8")
    return Answers(
        cut_from_percent=values["cut_from_percent"].integer(1, 100),
        server_from_percent=values["server_from_percent"].integer(1, 100),
        grace_s=_seconds(values["grace_s"]),
        cut_for_s=tuple(_seconds(one) for one in lasting),
        probation_s=_seconds(values["probation_s"]),
        breaker_clients=values["breaker_clients"].integer(1, 1 << 20),
        breaker_percent=values["breaker_percent"].integer(0, 100),
        breaker_window_s=_seconds(values["breaker_window_s"]),
        shared_ports=frozenset(one.integer(1, 65535) for one in values["shared_ports"].sequence()),
        trust=trust,
    )


def _seconds(field: Field) -> int:
    seconds = field.seconds() if not field.text().isdigit() else field.integer(1, 1 << 24)
    if not seconds:
        raise field.fail("is zero", "a duration")
    return seconds


def _value(name: str, field: Field) -> int | frozenset[int]:
    if name == "amplifier_ports":
        return frozenset(one.integer(1, 65535) for one in field.sequence())
    if name.endswith("_s"):
        return _seconds(field)
    if name in ("benign_percent", "scanner_percent", "answered_percent", "refused_weight_percent"):
        return field.integer(1, 99)
    return field.integer(*_BOUNDS.get(name, (1, _HIGHEST)))


def _of(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError(f"{text!r}", expected="a host name in lower case, as example.org")
    return text


def _clause(text: str) -> str:
    if not _CLAUSE.fullmatch(text):
        raise InputError(f"{text!r}", expected="a clause's number in quotation marks")
    return text
