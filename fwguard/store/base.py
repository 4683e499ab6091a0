"""What all tables share: names of constraints, column types, and the digest of a row's content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import TIMESTAMP, Dialect, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, object_mapper
from sqlalchemy.types import TypeDecorator, TypeEngine

E = TypeVar("E", bound=StrEnum)

NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def time_text(at: datetime) -> str:
    """Write an aware time in UTC with microseconds, always 32 characters, so that text sorts as time."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def json_text(value: Any) -> str:
    """Write canonical JSON: sorted keys, no spaces, characters as they are, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC: `timestamptz` on PostgreSQL, sortable ISO text on SQLite. Naive times raise."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return time_text(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """Plain data as canonical JSON text, the same bytes on both databases. Assign anew, do not mutate."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Word(TypeDecorator[E]):
    """A StrEnum by its value; a value that the enum does not know raises ValueError, in and out."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> E | None:
        return None if value is None else self.words(value)


class Base(DeclarativeBase):
    """All tables of fwguard."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime()}


class Sealed:
    """A row whose whole content an audit entry names by digest: an altered byte is found by `verify`.

    Empty (NULL) columns are left out of the digest, so a later nullable column moves no old one.
    """

    @property
    def record(self) -> str:
        """Return how the audit log names this row: "table:primary key"."""
        mapper = object_mapper(self)
        keys = ":".join(str(key) for key in mapper.primary_key_from_instance(self))
        return f"{mapper.local_table}:{keys}"

    @property
    def content_sha256(self) -> str:
        """Return the SHA-256 over name and value of every column that is set, as hex."""
        return content_sha256(
            {
                attribute.columns[0].name: getattr(self, attribute.key)
                for attribute in object_mapper(self).column_attrs
            }
        )


def content_sha256(values: Mapping[str, Any]) -> str:
    """Return the digest of a row's values by column name; see `Sealed`."""
    fields: list[bytes] = []
    for name, value in sorted(values.items()):
        if value is not None:
            fields += [name.encode(), _as_bytes(value)]
    return hashlib.sha256(with_lengths(*fields)).hexdigest()


def _as_bytes(value: Any) -> bytes:
    match value:
        case bytes():
            return value
        case datetime():
            return time_text(value).encode()
        case str():
            return str(value).encode()
        case _:
            return json_text(value).encode()


def with_lengths(*fields: bytes) -> bytes:
    """Join fields, each behind its length in eight bytes, so that no two lists give the same bytes."""
    return b"".join(len(field).to_bytes(8, "big") + field for field in fields)
