"""One clause of the contract: what it is called and what it says, for notices, tickets and the log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fwguard.errors import InputError
from fwguard.model.document import Field, read_document
from fwguard.model.inventory import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A clause by its number in the contract; `title` and `says` per language."""

    number: str
    title: Mapping[Language, str]
    says: Mapping[Language, str]


def _both_languages(field: Field) -> dict[Language, str]:
    words = field.mapping(required=("fr", "en"))
    return {Language.FR: words["fr"].text().strip(), Language.EN: words["en"].text().strip()}


def read_clause(text: str, file: str) -> Clause:
    """Read one clause file. Raises InputError with file, line and what was expected."""
    fields = read_document(text, file).mapping(required=("clause", "title", "says"), optional=("controls",))
    return Clause(
        number=fields["clause"].text(),
        title=_both_languages(fields["title"]),
        says=_both_languages(fields["says"]),
    )


def read_clauses(folder: Path) -> dict[str, Clause]:
    """Read every file of `rules/clauses`, by clause number."""
    clauses: dict[str, Clause] = {}
    for path in sorted((folder / "clauses").glob("*.yaml")):
        clause = read_clause(path.read_text(encoding="utf-8"), str(path))
        if clause.number in clauses:
            raise InputError(f"clause {clause.number} stands in two files", where=str(path))
        clauses[clause.number] = clause
    if not clauses:
        raise InputError("no clause", where=str(folder / "clauses"), expected="one YAML file per clause")
    return clauses


def digest_of(*folders: Path) -> str:
    """Return the SHA-256 over names and bytes of every file below the folders: what decided a ticket."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}".encode()
            body = path.read_bytes()
            total.update(len(name).to_bytes(8, "big") + name + len(body).to_bytes(8, "big") + body)
    return total.hexdigest()
