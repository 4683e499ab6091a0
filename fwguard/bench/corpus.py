"""What a folder of real configurations holds, and how much of it is read: counts by folder, nothing hidden.

As a command: `python -m fwguard.bench.corpus FOLDER [--json]`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from fwguard.dialects.protocol import Dialect
from fwguard.dialects.table import detect
from fwguard.errors import InputError
from fwguard.model.policy import Action, Policy

MOST_BYTES: Final = 16 << 20
# What stands beside configurations and is none: licences, words about them, lists of proven bounds.
_BESIDE: Final = frozenset({".lower", ".upper", ".md", ".jsonl", ".py", ".sh"})


@dataclass(frozen=True, slots=True)
class Read:
    """One configuration that some dialect reads."""

    path: Path
    text: str
    dialect: Dialect
    policy: Policy


@dataclass(frozen=True, slots=True)
class Refused:
    """One file that none reads, and why."""

    path: Path
    why: str


@dataclass(slots=True)
class Count:
    """One folder: files and what they hold; `unsure` are rules of which only a part could be read.

    `unread` lines are kept as text; rules that they touch are unknown, never permitted.
    """

    folder: str
    files: int = 0
    rules: int = 0
    nat: int = 0
    routes: int = 0
    unread: int = 0
    unsure: int = 0
    refused: list[str] = field(default_factory=list)


def configurations(folder: Path) -> Iterator[Read | Refused]:
    """Read every configuration below a folder, in the dialect that its text is in, by path."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix in _BESIDE or path.stat().st_size > MOST_BYTES:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            dialect = detect(text)
            yield Read(path, text, dialect, dialect.read(text))
        except InputError as error:
            yield Refused(path, str(error))


def count(folder: Path) -> list[Count]:
    """Count what is read and unread, by the folders directly below `folder`."""
    counts: dict[str, Count] = {}
    for one in configurations(folder):
        parts = one.path.relative_to(folder).parts
        name = parts[0] if len(parts) > 1 else "."
        entry = counts.setdefault(name, Count(name))
        if isinstance(one, Refused):
            entry.refused.append(f"{one.path.relative_to(folder)}: {one.why}"[:200])
            continue
        entry.files += 1
        entry.rules += one.policy.rule_count
        entry.nat += len(one.policy.nat)
        entry.routes += len(one.policy.routes)
        entry.unread += len(one.policy.unread)
        entry.unsure += sum(
            rule.action is Action.UNKNOWN or any(match.unknown for match in rule.matches)
            for chain in one.policy.chains.values()
            for rule in chain.rules
        )
    return list(counts.values())


def table(counts: Sequence[Count]) -> str:
    """Write counts as a table for a terminal, what was refused below it."""
    rows: list[tuple[str, ...]] = [
        ("folder", "files", "rules", "nat", "routes", "unread", "unsure", "refused")
    ]
    rows += [
        (one.folder, *map(str, (one.files, one.rules, one.nat, one.routes, one.unread, one.unsure)),
         str(len(one.refused)))
        for one in counts
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{text:>{width}}" for text, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    lines += [f"refused: {text}" for one in counts for text in one.refused]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the counts of a folder."""
    names = [word for word in arguments if not word.startswith("--")]
    if len(names) != 1 or not Path(names[0]).is_dir():
        raise SystemExit("usage: python -m fwguard.bench.corpus FOLDER [--json]")
    counts = count(Path(names[0]))
    print(json.dumps([asdict(one) for one in counts]) if "--json" in arguments else table(counts))


if __name__ == "__main__":
    main(sys.argv[1:])
