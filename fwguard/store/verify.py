"""Proof of the log: walks the chain again, and hashes again every row that it vouches for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table, select, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from fwguard.store.addresses import HoldingRow
from fwguard.store.approved import BaselineRow
from fwguard.store.audit import GENESIS, AuditRow, Entry
from fwguard.store.base import Base, UtcDateTime, content_sha256, time_text
from fwguard.store.cases import EvidenceRow
from fwguard.store.checkpoints import Checkpoint
from fwguard.store.edge_states import EdgeStateRow
from fwguard.store.isolations import IsolationRow
from fwguard.store.registrations import RegistrationRow
from fwguard.store.tickets import ApprovalRow
from fwguard.store.triggers import missing_triggers
from fwguard.store.warrants import WarrantRow

SEALED: Final[tuple[type[Base], ...]] = (
    BaselineRow, ApprovalRow, WarrantRow, EvidenceRow, HoldingRow, RegistrationRow, EdgeStateRow, IsolationRow,
)  # fmt: skip
PURGES: Final = "retention:evidence:purge"  # the entry after which a row may be gone
MAX_FINDINGS: Final = 1000
_CHUNK_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the log says: where, and what."""

    where: str  # "audit entry 17", "baselines:3"
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What was walked and what was found; `findings` holds the first 1000."""

    entries: int
    records: int
    last_seq: int
    last_digest: str
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings


@dataclass(slots=True)
class _Vouched:
    seq: int
    sha256: str
    may_be_gone: bool


def verify(session: Session, checkpoints: Iterable[Checkpoint] = ()) -> AuditReport:
    """Check the whole log against itself, its rows, its triggers and earlier checkpoints.

    Cost: one pass over the log and over every sealed row; memory for one digest a row. Run it in
    `store.reading()`, which sees one moment.
    """
    findings: list[Finding] = []
    vouched: dict[str, _Vouched] = {}
    with _any_bytes(session):
        entries, seq, digest = _walk(session, dict(_by_seq(checkpoints)), vouched, findings)
        records = sum(
            _hash_again(session, row.metadata.tables[row.__tablename__], vouched, findings) for row in SEALED
        )
    findings += [
        Finding(record, f"is gone; audit entry {last.seq} names it")
        for record, last in vouched.items()
        if not last.may_be_gone
    ]
    findings += [Finding(f"trigger {name}", "is missing") for name in missing_triggers(session.connection())]
    return AuditReport(
        entries=entries,
        records=records,
        last_seq=seq,
        last_digest=digest,
        findings=tuple(findings[:MAX_FINDINGS]),
    )


def _by_seq(checkpoints: Iterable[Checkpoint]) -> Iterator[tuple[int, str]]:
    return ((checkpoint.seq, checkpoint.digest) for checkpoint in checkpoints)


def _walk(
    session: Session, checkpoints: dict[int, str], vouched: dict[str, _Vouched], findings: list[Finding]
) -> tuple[int, int, str]:
    """Follow the chain; fill `vouched` with the last entry about each record."""
    count, seq, previous = 0, 0, GENESIS
    table = Base.metadata.tables[AuditRow.__tablename__]
    for raw in _raw_rows(session, table, AuditRow.seq > 0):
        count += 1
        where = f"audit entry {raw['seq']}"
        if raw["seq"] != seq + 1:
            findings.append(Finding(where, f"follows entry {seq}: entries between are gone"))
        seq = raw["seq"]
        try:
            values = _strict(table, raw)
            entry = Entry(**{name: values[name] for name in Entry.__slots__})
            if values["previous"] != previous:
                findings.append(Finding(where, "does not continue the entry before it"))
            if entry.digest(seq, values["previous"]) != values["digest"]:
                findings.append(Finding(where, "was altered: its digest is another"))
            if entry.record:
                vouched[entry.record] = _Vouched(seq, entry.record_sha256, entry.action == PURGES)
        except (ValueError, TypeError) as error:
            findings.append(Finding(where, f"was altered: {error}"))
        previous = str(raw["digest"])
        if checkpoints.pop(seq, previous) != previous:
            findings.append(Finding(where, "is not the one that the checkpoint signed"))
    findings += [Finding(f"audit entry {gone}", "is gone; a checkpoint signed it") for gone in checkpoints]
    return count, seq, previous


def _hash_again(session: Session, table: Table, vouched: dict[str, _Vouched], findings: list[Finding]) -> int:
    count = 0
    (key,) = table.primary_key.columns
    for raw in _raw_rows(session, table):
        count += 1
        record = f"{table.name}:{raw[key.name]}"
        last = vouched.pop(record, None)
        if last is None:
            findings.append(Finding(record, "stands in no audit entry"))
            continue
        try:
            same = content_sha256(_strict(table, raw)) == last.sha256
        except (ValueError, TypeError):
            same = False
        if not same:
            findings.append(Finding(record, f"was altered: audit entry {last.seq} says otherwise"))
    return count


def _raw_rows(session: Session, table: Table, *where: Any) -> Iterator[dict[str, Any]]:
    """Yield rows as the database holds them, in the order of their key, in bounded memory."""
    columns = [type_coerce(column, NullType()).label(column.name) for column in table.columns]
    query = select(*columns).where(*where).order_by(*table.primary_key.columns)
    result = session.connection().execute(query, execution_options={"yield_per": _CHUNK_ROWS})
    for row in result.mappings():
        yield dict(row)


def _strict(table: Table, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the values as Python has them. Raises ValueError where SQLite would read one loosely."""
    return {name: _value(table.columns[name], value) for name, value in raw.items()}


def _value(column: Column[Any], raw: Any) -> Any:
    if raw is None:
        return None
    match column.type:
        case UtcDateTime():
            at = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
            if isinstance(raw, str) and time_text(at) != raw:
                raise ValueError(f"{column.name} is not in canonical form")
            return at
        case Boolean():
            if raw not in (0, 1) or not isinstance(raw, int):
                raise ValueError(f"{column.name} is neither true nor false")
            return bool(raw)
        case Integer():
            wanted: type = int
        case LargeBinary():
            wanted = bytes
        case _:
            wanted = str
    if not isinstance(raw, wanted):
        raise ValueError(f"{column.name} is no {wanted.__name__}")
    if isinstance(raw, str):
        raw.encode()  # raises UnicodeEncodeError, a ValueError, for bytes that are no UTF-8
    return raw


@contextmanager
def _any_bytes(session: Session) -> Iterator[None]:
    """Let SQLite hand over text that is no UTF-8, which is a finding and not the end of the walk."""
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    connection: Any = session.connection().connection.driver_connection
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = str
