"""What was answered before: breaches, cuts and releases by port, and whom the circuit breaker counts.

Bounded, and with an exact serial form, so that a restart forgets nothing and doubles nothing. Time never runs
backwards here: a clock that is set back counts as standing still.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Final

from fwguard.edge.measure import CUTS, Action, Connection, Cut, Measure
from fwguard.errors import InputError

VERSION: Final = 1
MOST_PORTS: Final = 8192
MOST_CLAUSES: Final = 8
MOST_NOTICES: Final = 32
MOST_TIMES: Final = 8  # more than any ladder has rungs
MOST_STANDING: Final = 32
MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    """One port: when each clause was broken, what was warned of, when it was cut, what stands, when it came back."""

    breaches: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    warned: Mapping[str, float] = field(default_factory=dict)
    cut_at: tuple[float, ...] = ()
    standing: tuple[Cut, ...] = ()
    released_s: float = 0.0
    last_s: float = 0.0


_NEW: Final = PortRecord()


class History:
    """Records by edge port, and the clients that were cut lately. `dropped` counts records that were forgotten."""

    def __init__(self, *, most_ports: int = MOST_PORTS) -> None:
        self.most_ports = most_ports
        self.records: dict[int, PortRecord] = {}
        self.clients: dict[str, float] = {}  # client -> when it was last cut
        self.now_s = 0.0
        self.dropped = 0
        self._written: dict[int, tuple[PortRecord, str]] = {}

    def at(self, now_s: float) -> float:
        """Return the time that counts."""
        return max(now_s, self.now_s)

    def of(self, port: int) -> PortRecord:
        """Return the record of a port."""
        return self.records.get(port, _NEW)

    def breaches(self, port: int, clause: str, since_s: float) -> int:
        """Return how often a port broke a clause since then (at most 8 are remembered)."""
        return sum(at_s > since_s for at_s in self.of(port).breaches.get(clause, ()))

    def cuts(self, port: int, since_s: float) -> int:
        """Return how often a port was cut since then (at most 8 are remembered)."""
        return sum(at_s > since_s for at_s in self.of(port).cut_at)

    def clients_cut(self, since_s: float) -> set[str]:
        """Return the distinct clients that were cut since then."""
        return {client for client, at_s in self.clients.items() if at_s > since_s}

    def take(self, measure: Measure, *, window_s: float) -> None:
        """Remember what was done; `window_s` is the breaker's."""
        self.now_s = now_s = self.at(measure.at_s)
        if measure.cut is not None:
            self.clients = {one: at_s for one, at_s in self.clients.items() if at_s > now_s - window_s}
            self.clients[measure.client] = now_s
        if not measure.port or not (measure.breach or measure.cut or measure.notice):
            return
        record = replace(self.of(measure.port), last_s=now_s)
        if measure.breach:
            times = (*record.breaches.get(measure.clause, ()), now_s)[-MOST_TIMES:]
            record = replace(record, breaches=_newest(record.breaches, measure.clause, times, MOST_CLAUSES))
        if measure.notice:
            record = replace(record, warned=_newest(record.warned, measure.notice, now_s, MOST_NOTICES))
        if measure.cut is not None:
            kept = [one for one in record.standing if not measure.cut.covers(one)]
            record = replace(
                record,
                cut_at=(*record.cut_at, now_s)[-MOST_TIMES:],
                standing=(*kept, measure.cut)[-MOST_STANDING:],
            )
        self._keep(measure.port, record)

    def released(self, port: int, now_s: float, cut: Cut | None = None) -> None:
        """Take it that one cut of a port, or all of them, was released: it is on probation from now on."""
        self.now_s = now_s = self.at(now_s)
        record = self.of(port)
        standing = () if cut is None else tuple(one for one in record.standing if one != cut)
        self._keep(port, replace(record, standing=standing, released_s=now_s, last_s=now_s))

    def gone(self, ports: Iterable[int]) -> None:
        """Forget ports that no longer exist: a number is never given again to another server."""
        for number in ports:
            self.records.pop(number, None)

    def _keep(self, port: int, record: PortRecord) -> None:
        if port not in self.records and len(self.records) >= self.most_ports:
            # What stands is forgotten last: it must be known at its release.
            oldest = min(self.records, key=lambda one: (bool(self.of(one).standing), self.of(one).last_s))
            del self.records[oldest]
            self.dropped += 1
        self.records[port] = record

    # ------------------------------------------------------------------ serial form

    def to_bytes(self) -> bytes:
        """Return it as canonical JSON: equal histories give equal bytes."""
        # It is written after every answer, and one record changes: the others' text is kept.
        before, self._written = self._written, {}
        for number, record in self.records.items():
            known = before.get(number)
            text = known[1] if known is not None and known[0] is record else _dump(_record_to_json(record))
            self._written[number] = record, text
        records = sorted((str(number), text) for number, (_, text) in self._written.items())
        joined = ",".join(f'"{number}":{text}' for number, text in records)
        return (
            f'{{"clients":{_dump(self.clients)},"dropped":{self.dropped},"most_ports":{self.most_ports},'
            f'"now_s":{_dump(self.now_s)},"records":{{{joined}}},"version":{VERSION}}}'
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes, file: str = "history") -> History:
        """Read what `to_bytes` wrote. Raises InputError on anything else."""
        if len(data) > MOST_BYTES:
            raise InputError(f"{len(data)} bytes", where=file, expected=f"at most {MOST_BYTES}")
        try:
            value = json.loads(data)
            if value["version"] != VERSION:
                raise InputError(f"version {value['version']}", where=file, expected=str(VERSION))
            history = cls(most_ports=int(value["most_ports"]))
            history.now_s = _time(value["now_s"])
            history.dropped = int(value["dropped"])
            history.clients = {str(one): _time(at_s) for one, at_s in value["clients"].items()}
            history.records = {int(one): _record(record) for one, record in value["records"].items()}
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InputError(
                f"no history: {type(error).__name__} {str(error)[:80]}",
                where=file,
                expected="what an edge wrote of its earlier answers",
            ) from None
        return history


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _newest(known: Mapping[str, Any], name: str, value: Any, most: int) -> dict[str, Any]:
    """Return it with one name put last; of too many, the one that was put longest ago goes."""
    kept = {one: held for one, held in known.items() if one != name}
    if len(kept) >= most:
        del kept[next(iter(kept))]
    return {**kept, name: value}


def _record_to_json(record: PortRecord) -> dict[str, Any]:
    return {
        # Pairs and not objects: the order in which clauses were broken is part of it.
        "breaches": [[clause, list(times)] for clause, times in record.breaches.items()],
        "warned": [[clause, at_s] for clause, at_s in record.warned.items()],
        "cut_at": list(record.cut_at),
        "standing": [_cut_to_json(one) for one in record.standing],
        "released_s": record.released_s,
        "last_s": record.last_s,
    }


def _cut_to_json(cut: Cut) -> dict[str, Any]:
    one = cut.connection
    return {
        "action": cut.action.value,
        "port": cut.port,
        "clause": cut.clause,
        "since_s": cut.since_s,
        "until_s": cut.until_s,
        "connection": one and [one.peer, one.protocol, one.server_port, one.peer_port],
        "ranges": [list(span) for span in cut.ranges],
    }


def _record(value: Any) -> PortRecord:
    return PortRecord(
        breaches={
            str(clause): tuple(_time(at_s) for at_s in times)[-MOST_TIMES:]
            for clause, times in value["breaches"][-MOST_CLAUSES:]
        },
        warned={str(clause): _time(at_s) for clause, at_s in value["warned"][-MOST_NOTICES:]},
        cut_at=tuple(_time(at_s) for at_s in value["cut_at"])[-MOST_TIMES:],
        standing=tuple(_cut(one) for one in value["standing"])[-MOST_STANDING:],
        released_s=_time(value["released_s"]),
        last_s=_time(value["last_s"]),
    )


def _cut(value: Any) -> Cut:
    one = value["connection"]
    action = Action(value["action"])
    if action not in CUTS:
        raise ValueError(f"{action} is no cut")
    return Cut(
        action=action,
        port=int(value["port"]),
        clause=str(value["clause"]),
        since_s=_time(value["since_s"]),
        until_s=None if value["until_s"] is None else _time(value["until_s"]),
        connection=Connection(
            peer=str(one[0]), protocol=int(one[1]), server_port=int(one[2]), peer_port=int(one[3])
        )
        if one
        else None,
        ranges=tuple((int(protocol), int(first), int(last)) for protocol, first, last in value["ranges"]),
    )


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no time")
    return float(value)
