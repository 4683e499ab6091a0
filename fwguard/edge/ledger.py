"""Cuts made on the spot: written down with fsync, in force over restarts and reboots until a release names them.

A cut's name is the id of the event that told of it. Clauses 6.1, 7.1, 8.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fwguard.compile.elements import Key
from fwguard.edge.durable import make_private, write_whole
from fwguard.edge.journal import Journal, read_lines
from fwguard.errors import InputError

_RESERVE_BYTES: Final = 1 << 20
_COMPACT_AT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCut:
    """One cut: elements of `cut_local` sets as (family, set, key), of one port, under one clause."""

    id: str
    port: int
    clause: str
    reason: str
    at_us: int
    elements: tuple[tuple[str, str, Key], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "id": self.id, "port": self.port, "clause": self.clause, "reason": self.reason, "at_us": self.at_us,
            "elements": [[family, name, list(key)] for family, name, key in self.elements],
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> LocalCut:
        """Read what was written down. Raises KeyError, TypeError, ValueError."""
        elements = tuple((str(f), str(name), tuple(key)) for f, name, key in value["elements"])
        return cls(
            id=value["id"], port=value["port"], clause=value["clause"], reason=value["reason"],
            at_us=value["at_us"], elements=elements,
        )  # fmt: skip


class Ledger:
    """The cuts that hold. Threads may share it.

    On a full disk a reserve that was set aside makes room; what still cannot be written holds in the kernel and
    in memory, `trouble` says so, and `settle` tries again.
    """

    def __init__(self, folder: Path) -> None:
        """Read it. Raises InputError when the folder or the file cannot be used."""
        make_private(folder)
        self._path = folder / "cuts.log"
        self._reserve = folder / "reserve"
        self._lock = threading.Lock()
        self._cuts: dict[str, LocalCut] = {}
        self._waiting: list[bytes] = []
        self.trouble = ""
        for line in read_lines(self._path):
            self._take(line.text)
        try:
            self._journal = Journal(self._path)
        except OSError as error:
            raise InputError(f"{error}", where=str(self._path), expected="a file of ours") from None
        self._set_aside()

    def cuts(self) -> tuple[LocalCut, ...]:
        """Return the cuts that hold, oldest first."""
        with self._lock:
            return tuple(self._cuts.values())

    def get(self, cut: str) -> LocalCut | None:
        """Return a cut by its name."""
        return self._cuts.get(cut)

    def holds(self, element: tuple[str, str, Key]) -> bool:
        """Tell whether any cut put this element."""
        with self._lock:
            return any(element in cut.elements for cut in self._cuts.values())

    def add(self, cut: LocalCut) -> None:
        """Write a cut down; when this returns it lasts, unless `trouble` says otherwise."""
        with self._lock:
            self._cuts[cut.id] = cut
            self._write({"cut": cut.to_json()})

    def release(self, cut: str) -> LocalCut | None:
        """Write down that a cut is taken back; return it, None when there is no such cut."""
        with self._lock:
            found = self._cuts.pop(cut, None)
            if found is not None:
                self._write({"released": cut})
        return found

    def settle(self) -> bool:
        """Try again to write what could not be written; return whether everything is on disk."""
        with self._lock:
            self._flush()
            return not self._waiting

    def close(self) -> None:
        """Write what waits, if it can be, and close the file."""
        self.settle()
        self._journal.close()

    def _take(self, text: bytes) -> None:
        try:
            value = json.loads(text)
            if "released" in value:
                self._cuts.pop(value["released"], None)
            else:
                cut = LocalCut.from_json(value["cut"])
                self._cuts[cut.id] = cut
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"a line that is no cut: {error}", where=str(self._path), expected="what an agent wrote"
            ) from None

    def _write(self, value: dict[str, Any]) -> None:
        self._waiting.append(json.dumps(value, separators=(",", ":")).encode("ascii"))
        self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        for is_last in (False, True):
            try:
                last = self._journal.last
                self._journal.append((last + n, text) for n, text in enumerate(self._waiting, 1))
            except OSError as error:
                self.trouble = str(error)
                if is_last:
                    return
                self._reserve.unlink(missing_ok=True)
            else:
                self._waiting.clear()
                self.trouble = ""
                break
        if self._journal.last > _COMPACT_AT and self._journal.last > 4 * len(self._cuts):
            self._compact(self._cuts.values())
        self._set_aside()

    def _compact(self, cuts: Iterable[LocalCut]) -> None:
        """Write the file anew with what holds."""
        aside = self._path.with_name("cuts.compact")
        aside.unlink(missing_ok=True)
        try:
            fresh = Journal(aside)
            lines = [json.dumps({"cut": cut.to_json()}, separators=(",", ":")).encode() for cut in cuts]
            fresh.append(enumerate(lines, 1))
            aside.replace(self._path)
        except OSError as error:
            self.trouble = str(error)
            return
        self._journal.close()
        self._journal = fresh

    def _set_aside(self) -> None:
        if not self._reserve.exists() and not self.trouble:
            try:
                write_whole(self._reserve, bytes(_RESERVE_BYTES))
            except OSError as error:
                self.trouble = str(error)
