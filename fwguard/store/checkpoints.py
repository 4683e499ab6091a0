"""Signed checkpoints of the log, kept elsewhere: who cuts its end off cannot sign what was there."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.store.audit import AuditRow, tail
from fwguard.store.base import json_text, time_text, with_lengths

KEY_FILE: Final = "checkpoint.key"
EDGE_KEY_FILE: Final = "edge-states.key"  # signs what edges are told to enforce
CHECKPOINTS_FILE: Final = "checkpoints.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log ended with entry `seq` and this digest at this time, signed (Ed25519, base64)."""

    seq: int
    digest: str
    at: str
    signature: str

    @property
    def line(self) -> str:
        """Return it as one line of JSON."""
        fields = {"seq": self.seq, "digest": self.digest, "at": self.at, "signature": self.signature}
        return json_text(fields) + "\n"


def load_signing_key(state_dir: Path, name: str = KEY_FILE) -> Ed25519PrivateKey:
    """Return the key that signs checkpoints, or that of another file; made (mode 0600) when there is none.

    Several controllers of one database share their keys: copy the files. Edges pin the key of `EDGE_KEY_FILE`.
    """
    path = state_dir / name
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError("is no Ed25519 key", where=str(path), expected="the key that was made") from None
        return key
    key = Ed25519PrivateKey.generate()
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key as base64, to be kept beside checkpoints sent elsewhere."""
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def checkpoint(session: Session, key: Ed25519PrivateKey, *, at: datetime) -> Checkpoint | None:
    """Sign where the log ends now; None while it is empty."""
    seq, digest = tail(session)
    if seq == 0:
        return None
    signature = key.sign(_signed_bytes(seq, digest, time_text(at)))
    return Checkpoint(
        seq=seq, digest=digest, at=time_text(at), signature=base64.b64encode(signature).decode()
    )


def keep_checkpoint(state_dir: Path, made: Checkpoint) -> None:
    """Add a checkpoint to the file in the state directory, on disk when this returns."""
    with (state_dir / CHECKPOINTS_FILE).open("a", encoding="ascii") as file:
        file.write(made.line)
        file.flush()
        os.fsync(file.fileno())


def read_checkpoints(path: Path, key: Ed25519PublicKey) -> list[Checkpoint]:
    """Read a file of checkpoints. Raises InputError with file and line where one is not signed by `key`."""
    if not path.exists():
        return []
    out = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        where = f"{path}:{number}"
        try:
            made = Checkpoint(**json.loads(line))
            signed = _signed_bytes(made.seq, made.digest, made.at)
            key.verify(base64.b64decode(made.signature, validate=True), signed)
        except InvalidSignature:
            raise InputError("signature does not fit", where=where, expected="as it was written") from None
        except (ValueError, TypeError):
            raise InputError("no checkpoint", where=where, expected="as it was written") from None
        out.append(made)
    return out


def export(session: Session, out: TextIO, *, after_seq: int = 0) -> int:
    """Write every entry after `after_seq` as one line of JSON, digests included; return how many."""
    count = 0
    query = select(AuditRow).where(AuditRow.seq > after_seq).order_by(AuditRow.seq)
    for row in session.scalars(query.execution_options(yield_per=1000)):
        fields = {
            "seq": row.seq, "at": time_text(row.at), "actor": row.actor, "action": row.action,
            "clause": row.clause, "subject": row.subject, "record": row.record,
            "record_sha256": row.record_sha256, "body": json.loads(row.body), "previous": row.previous,
            "digest": row.digest,
        }  # fmt: skip
        out.write(json_text(fields) + "\n")
        count += 1
    return count


def _signed_bytes(seq: int, digest: str, at: str) -> bytes:
    return with_lengths(b"fwguard checkpoint", str(seq).encode(), digest.encode(), at.encode())
