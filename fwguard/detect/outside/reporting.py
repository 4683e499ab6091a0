"""What all readers of others' verdicts share: who held an address, bounded words, one way to put it together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from math import isfinite
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.thresholds import Thresholds

MOST_WORDS: Final = 120
OLDEST_S: Final = 366 * 86400  # connection data are kept for a year: nobody can say who it was before
SKEW_S: Final = 300


@dataclass(frozen=True, slots=True)
class Held:
    """Who held an address: the server's name, and the edge port that it is behind ("" where not known)."""

    server: str
    ingress: str = ""


WhoHad = Callable[[str, float], Held | None]
"""Who held an address (text) at a time (seconds since 1970); None: nobody of ours. Raises nothing."""


def read_json(data: bytes | str, most_bytes: int, where: str) -> Any:
    """Read JSON of bounded size. Raises InputError on anything else, however deep or long its numbers."""
    if len(data) > most_bytes:
        raise InputError(f"{len(data)} bytes", where=where, expected=f"at most {most_bytes}")
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {str(error)[:80]}", where=where, expected="JSON (RFC 8259)") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def words(value: object, most: int = MOST_WORDS) -> str:
    """Return what another wrote as one short printable line, "-" for nothing."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    text = "".join(one if one.isprintable() else "." for one in text[:most]).strip()
    return text or "-"


def address(value: object) -> str:
    """Return an address in its one form, "" for what is none (a zone index is none: RFC 4007)."""
    if not isinstance(value, str) or len(value) > 45 or "%" in value:
        return ""
    try:
        one = ip_address(value.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return ""
    mapped = getattr(one, "ipv4_mapped", None)
    return str(mapped or one)


def port(value: object) -> int:
    """Return a port number, 0 for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
    return value if good and isinstance(value, int) else 0


def moment(value: object, received_s: float) -> float | None:
    """Return a time given as ISO 8601 or seconds since 1970; None: unreadable, to come, or over a year ago."""
    at_s: float
    if isinstance(value, str):
        text = value.strip()[:40]
        try:
            at = datetime.fromisoformat(text)
            at_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        at_s = float(value)
    else:
        return None
    return at_s if isfinite(at_s) and received_s - OLDEST_S <= at_s <= received_s + SKEW_S else None


def report(
    thresholds: Thresholds,
    detector: Detector,
    key: str,
    facts: Mapping[str, str],
    *,
    accused: str,
    held: Held,
    at_s: float,
    peer: str = "",
    port_number: int = 0,
    protocol: str = "",
    server_port: int = 0,
    peer_port: int = 0,
    ingress: str = "",
    packets: tuple[int, ...] = (),
) -> Detection:
    """Return another's verdict as ours; `ingress` only where the sensor saw the packets come in there."""
    return Detection(
        detector=detector,
        server=accused,
        peer=peer,
        port=port_number,
        protocol=protocol,
        reason=Reason(key, (*facts.items(), ("held_by", held.server))),
        clause=thresholds.clauses[detector],
        first_packet=packets[0] if packets else 0,
        packets=packets,
        first_s=at_s,
        last_s=at_s,
        server_port=server_port,
        peer_port=peer_port,
        ingress=ingress,
    )
