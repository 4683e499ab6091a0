"""What an edge says of a verdict or a cut, read with bounds: packets that attackers wrote are behind every word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fwguard.detect.words import say
from fwguard.errors import InputError
from fwguard.model.controls import Reason
from fwguard.model.detection import Reason as Words
from fwguard.model.edge_fields import CLAUSE
from fwguard.model.edge_grants import Scope
from fwguard.model.inventory import Language
from fwguard.model.ports import WITH_PORTS, parse_protocol, show_protocol
from fwguard.store.edge_events import EdgeEventRow

QUIET: Final = frozenset({"nothing", "none", "dry-run"})
WARN: Final = "warn"
CUTS: Final = frozenset({"flow", "port", "service", "server"})
_MOST_RANGES: Final = 16
_MOST_LETTERS: Final = 300
_MOST_S: Final = 1 << 40
# What a clause accuses of, where the edge does not say it.
REASONS: Final[Mapping[str, Reason]] = {
    "6.1": Reason.DANGER, "7.1": Reason.INTRUSION, "7.3": Reason.HACKED, "7.4": Reason.MAIL,
    "7.5": Reason.REGISTRATION, "7.8": Reason.LICENCE, "7.9": Reason.ABUSE, "14.5": Reason.PAYMENT,
}  # fmt: skip
_KERNEL: Final[Mapping[str, Mapping[Language, str]]] = {
    "scan": {
        Language.FR: "balayage : trop d'adresses et de ports différents en peu de temps",
        Language.EN: "scan: too many different addresses and ports in a short time",
    },
    "flood": {
        Language.FR: "inondation : trop de paquets restés sans réponse",
        Language.EN: "flood: too many packets that nobody answered",
    },
}
_UNSAID: Final = {Language.FR: "constaté par {detector}", Language.EN: "seen by {detector}"}
_BETWEEN: Final = {
    Language.FR: "entre {server} et {peer}, {service}",
    Language.EN: "between {server} and {peer}, {service}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One verdict: under which clause, what was done on the spot (`action`), and why, in each language.

    `ranges` are what was cut as (protocol, first, last), none for a whole server or one connection. `until` is
    the end that the edge gave the cut, `lasts` tells whether it gave any (None then: until a person).
    """

    clause: str
    reason: Reason
    detector: str
    action: str
    words: Mapping[Language, tuple[str, ...]]
    ranges: tuple[tuple[int, int, int], ...] = ()
    until: datetime | None = None
    lasts: bool = False
    calls_person: bool = False
    why: str = ""

    @property
    def scope(self) -> Scope:
        """Return how much was cut."""
        return Scope.PORT if self.action == "server" else Scope.SERVICE


def read_verdict(event: EdgeEventRow) -> Spoken:
    """Read what a detector said. Raises InputError naming the fact that is none."""
    facts = event.facts
    detection = facts.get("detection")
    if not isinstance(detection, dict):
        raise InputError("no detection", where="facts.detection", expected="an object")
    action = _word(facts.get("action"), "action")
    if action not in QUIET | CUTS | {WARN}:
        raise InputError(f"{action!r}", where="facts.action", expected="a word of what is done")
    clause, detector = (
        _clause(detection.get("clause")),
        _word(detection.get("detector"), "detection.detector"),
    )
    lasts = "until_s" in facts
    why = facts.get("why")
    return Spoken(
        clause=clause, reason=_reason(facts.get("reason"), clause, detector), detector=detector, action=action,
        words=_words(detection, detector), ranges=_ranges(facts, detection) if action in ("port", "service") else (),
        until=_time(facts.get("until_s")) if lasts else None, lasts=lasts,
        calls_person=facts.get("calls_person") is True,
        why=str(why.get("key", ""))[:40] if isinstance(why, dict) else "",
    )  # fmt: skip


def read_kernel_cut(event: EdgeEventRow) -> Spoken:
    """Read what the kernel cut by itself: the whole server, at once."""
    facts = event.facts
    clause, what = (
        _clause(facts.get("clause")),
        str(facts.get("what") or facts.get("detector") or "scan")[:40],
    )
    known = _KERNEL["flood" if "flood" in what else "scan"]
    lasts = "until_s" in facts
    return Spoken(
        clause=clause, reason=_reason(facts.get("reason"), clause, what), detector=what, action="server",
        words={language: (known[language],) for language in Language},
        until=_time(facts.get("until_s")) if lasts else None, lasts=lasts,
        calls_person=facts.get("calls_person") is True, why="kernel-cut",
    )  # fmt: skip


def _words(detection: Mapping[str, Any], detector: str) -> dict[Language, tuple[str, ...]]:
    reason = detection.get("reason")
    key = reason.get("key") if isinstance(reason, dict) else ""
    raw = reason.get("facts") if isinstance(reason, dict) else ()
    pairs = raw.items() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    facts = tuple(
        (str(pair[0])[:40], str(pair[1])[:_MOST_LETTERS])
        for pair in list(pairs)[:16]
        if isinstance(pair, list | tuple) and len(pair) == 2
    )
    out: dict[Language, tuple[str, ...]] = {}
    for language in Language:
        try:
            said = say(Words(str(key), facts), language)
        except (KeyError, IndexError, ValueError):
            said = _UNSAID[language].format(detector=detector)
        out[language] = (said[: 2 * _MOST_LETTERS], _between(detection, language))
    return out


def _between(detection: Mapping[str, Any], language: Language) -> str:
    port, protocol = detection.get("port"), str(detection.get("protocol", ""))[:20]
    return _BETWEEN[language].format(
        server=str(detection.get("server", ""))[:64], peer=str(detection.get("peer", ""))[:64],
        service=f"{protocol}/{port}" if isinstance(port, int) and port else protocol,
    )  # fmt: skip


def _ranges(facts: Mapping[str, Any], detection: Mapping[str, Any]) -> tuple[tuple[int, int, int], ...]:
    """Return what was cut: as the edge says, else the one port of the detection."""
    raw = facts.get("ranges")
    if not isinstance(raw, list) or not raw:
        raw = [
            [
                parse_protocol(str(detection.get("protocol", "tcp"))),
                detection.get("port"),
                detection.get("port"),
            ]
        ]
    found = []
    for row in raw[:_MOST_RANGES]:
        if not isinstance(row, list) or len(row) != 3 or not all(type(number) is int for number in row):
            raise InputError(f"{str(row)[:60]}", where="facts.ranges", expected="[protocol, first, last]")
        protocol, first, last = row
        if protocol not in WITH_PORTS or not 1 <= first <= last <= 65535 or last - first >= 1024:
            raise InputError(
                f"{show_protocol(protocol) if 0 <= protocol <= 255 else protocol} {first}-{last}",
                where="facts.ranges", expected="tcp, udp or sctp, 1 to 1024 ports",
            )  # fmt: skip
        found.append((protocol, first, last))
    return tuple(found)


def _reason(value: Any, clause: str, detector: str) -> Reason:
    if isinstance(value, str) and value in set(Reason):
        return Reason(value)
    if detector == "spam-burst":
        return Reason.SPAM
    return REASONS.get(clause, Reason.CHECK)


def _clause(value: Any) -> str:
    if not isinstance(value, str) or not CLAUSE.fullmatch(value):
        raise InputError(f"{str(value)[:60]!r}", where="facts.clause", expected="a clause's number")
    return value


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 40:
        raise InputError(f"{str(value)[:60]!r}", where=f"facts.{where}", expected="a word")
    return value


def _time(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST_S:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
