"""From one FortiOS configuration to another, as `config … edit … set … next … end`.

Source: FortiOS CLI reference, "CLI basics" (edit, set, unset, delete, move, purge). Passwords are encrypted anew
by each listing and cannot be entered as they are shown: one that differs is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fwguard.dialects.fortios.canonical import ORDERED
from fwguard.dialects.fortios.tree import Entry, Setting, Table, parse
from fwguard.dialects.fortios.words import quoted
from fwguard.errors import CommitRefusedError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]+")
_EMPTY: Final = Entry("", 0)


def fortios_lines(before: str, after: str) -> list[str]:
    """Return the commands from one configuration to another. Raises CommitRefusedError where one of the two
    is not understood whole: what was not read cannot be put back by commands."""
    old, new = parse(before), parse(after)
    for tree in (old, new):
        if tree.unread:
            one = tree.unread[0]
            raise CommitRefusedError(f"line {one.line}: {one.text[:80]!r} is not understood ({one.why})")
    return list(_entry(old.root, new.root))


def _entry(before: Entry, after: Entry) -> Iterator[str]:
    for key, setting in after.settings.items():
        if key not in before.settings or _differs(before.settings[key], setting):
            yield f"set {key} {_words(setting)}"
    yield from (f"unset {key}" for key in before.settings if key not in after.settings)
    # What others name is made before it is named, and goes once nobody names it: tables in the order of the
    # device's own text, then what is gone from them in the opposite order.
    gone: list[str] = []
    for path in [*after.tables, *(path for path in before.tables if path not in after.tables)]:
        old, new = before.tables.get(path, Table(path, 0)), after.tables.get(path, Table(path, 0))
        inside = list(_changed(old, new))
        if inside:
            yield from (f"config {path}", *inside, "end")
        names = [name for name in old.entries if name not in new.entries]
        gone[:0] = [f"config {path}", *(f"delete {_word(name)}" for name in names), "end"] if names else []
    yield from gone


def _changed(before: Table, after: Table) -> Iterator[str]:
    yield from _entry(before.own, after.own)
    for name, entry in after.entries.items():
        inside = list(_entry(before.entries.get(name, _EMPTY), entry))
        if inside or name not in before.entries:
            yield from (f"edit {_word(name)}", *inside, "next")
    if after.path in ORDERED:
        stands = [name for name in before.entries if name in after.entries]
        stands += [name for name in after.entries if name not in stands]
        for number, name in enumerate(after.entries):
            if stands[number] != name:
                yield f"move {_word(name)} before {_word(stands[number])}"
                stands.remove(name)
                stands.insert(number, name)


def _differs(before: Setting, after: Setting) -> bool:
    if before.values[:1] == ["ENC"] and after.values[:1] == ["ENC"]:
        return False
    return before.values != after.values


def _words(setting: Setting) -> str:
    if setting.values[:1] == ["ENC"]:
        return " ".join(setting.values)
    return " ".join(_word(value) for value in setting.values) or '""'


def _word(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise CommitRefusedError(f"{value[:40]!r} holds a line break, which is not entered")
    return value if _PLAIN.fullmatch(value) else quoted(value)
