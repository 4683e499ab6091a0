"""Personal data in the log stands as salted hashes; when the salt is purged, the log names nobody."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Any, Final

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.store.base import Base
from fwguard.store.inserts import insert_into

_MAIL: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_PERSONAL: Final = ("user:", "mail:")
MASK_HEX: Final = 24  # 96 bits: no two people meet by chance


class PseudonymRow(Base):
    """One person's word (a login, a mail address), its salt, and the hash that stands for it in the log."""

    __tablename__ = "pseudonyms"
    mask: Mapped[str] = mapped_column(String(MASK_HEX), primary_key=True)
    word: Mapped[str] = mapped_column(String(320), unique=True)
    salt: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


def mask_of(session: Session, word: str, *, at: datetime) -> str:
    """Return the hash that stands for a word, the same until it is purged."""
    word = word.strip().lower()[:320]
    known = session.scalar(select(PseudonymRow.mask).where(PseudonymRow.word == word))
    if known is not None:
        return known
    salt = secrets.token_hex(32)
    mask = hmac.new(bytes.fromhex(salt), word.encode(), hashlib.sha256).hexdigest()[:MASK_HEX]
    session.execute(
        insert_into(session, PseudonymRow)
        .values(mask=mask, word=word, salt=salt, created_at=at)
        .on_conflict_do_nothing(index_elements=["word"])
    )
    return session.scalars(select(PseudonymRow.mask).where(PseudonymRow.word == word)).one()


def hide(session: Session, name: str, *, at: datetime) -> str:
    """Mask what follows "user:" or "mail:"; other names ("system", "firewall:f1") stay."""
    for prefix in _PERSONAL:
        if name.startswith(prefix):
            return prefix + mask_of(session, name.removeprefix(prefix), at=at)
    return name


def hide_all(session: Session, value: Any, *, at: datetime) -> Any:
    """Mask every mail address within plain data, and every "user:LOGIN" that is a whole text."""
    match value:
        case str():
            masked = hide(session, str(value), at=at)
            return _MAIL.sub(lambda found: "mail:" + mask_of(session, found[0], at=at), masked)
        case dict():
            return {str(key): hide_all(session, item, at=at) for key, item in value.items()}
        case list() | tuple():
            return [hide_all(session, item, at=at) for item in value]
        case _:
            return value


def show(session: Session, name: str) -> str:
    """Return who stands behind "user:MASK" or "mail:MASK", for a reader who may know; else the mask."""
    for prefix in _PERSONAL:
        if name.startswith(prefix):
            word = session.scalar(
                select(PseudonymRow.word).where(PseudonymRow.mask == name.removeprefix(prefix))
            )
            return prefix + (word or name.removeprefix(prefix))
    return name


def purge(session: Session, word: str) -> bool:
    """Forget who a hash stood for (retention); the log stays whole. Returns whether it was known."""
    gone = delete(PseudonymRow).where(PseudonymRow.word == word.strip().lower()[:320])
    return session.execute(gone.returning(PseudonymRow.mask)).first() is not None
