"""A FortiOS text as tables of entries: what `edit`, `set`, `append`, `rename`, `move`… leave behind.

A script is carried out as the device would: `rename` also renames where the thing is used, `move` changes
the order, a command about what does not exist fails and is kept as unread.
Source: FortiOS CLI reference, "CLI basics", table and object commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.fortios.words import EXPECTED, Command, commands, physical_lines
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

MAX_DEPTH: Final = 24
MAX_UNREAD_TEXT: Final = 300
# Tables whose entries are numbers; `edit 0` makes a new one there.
NUMBERED: Final = frozenset({
    "firewall policy", "firewall policy6", "firewall central-snat-map", "firewall local-in-policy",
    "firewall local-in-policy6", "firewall multicast-policy", "firewall multicast-policy6", "firewall acl",
    "firewall acl6", "router static", "router static6", "firewall security-policy", "firewall policy46",
    "firewall policy64", "firewall ttl-policy",
})  # fmt: skip
HIGHEST: Final = 4294967294
NAME_LENGTH: Final = {"system zone": 35}
# Another kind of thing forgets what the old one was given.
KINDS: Final = {
    "firewall service custom": ("protocol", frozenset({
        "protocol-number", "icmptype", "icmpcode", "tcp-portrange", "udp-portrange", "sctp-portrange",
    })),
    "firewall address": ("type", frozenset({
        "subnet", "start-ip", "end-ip", "wildcard", "fqdn", "country", "interface",
    })),
}  # fmt: skip
# Where the names of a table are used: fields of tables.
ADDRESS_FIELDS: Final = frozenset({
    "srcaddr", "dstaddr", "member", "exclude-member", "orig-addr", "dst-addr", "mapped-addr", "src-filter-addr",
})  # fmt: skip
USES: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "firewall address": (frozenset({
        "firewall policy", "firewall addrgrp", "firewall central-snat-map", "firewall local-in-policy",
        "router static", "firewall acl", "firewall multicast-policy",
    }), ADDRESS_FIELDS),
    "firewall address6": (frozenset({"firewall policy", "firewall policy6", "firewall addrgrp6",
                                     "firewall local-in-policy6", "firewall acl6"}),
                          frozenset({"srcaddr6", "dstaddr6", "member", "exclude-member", "srcaddr", "dstaddr"})),
    "firewall service custom": (frozenset({
        "firewall policy", "firewall policy6", "firewall service group", "firewall local-in-policy",
        "firewall local-in-policy6", "firewall acl", "firewall acl6",
    }), frozenset({"service", "member"})),
    "system zone": (frozenset({
        "firewall policy", "firewall policy6", "firewall central-snat-map", "firewall local-in-policy",
        "firewall multicast-policy",
    }), frozenset({"srcintf", "dstintf", "intf"})),
}  # fmt: skip
SAME_NAMES: Final = {
    "firewall addrgrp": "firewall address", "firewall vip": "firewall address",
    "firewall vipgrp": "firewall address", "firewall addrgrp6": "firewall address6",
    "firewall vip6": "firewall address6", "firewall vipgrp6": "firewall address6",
    "firewall service group": "firewall service custom",
}  # fmt: skip


@dataclass(slots=True)
class Setting:
    """One `set` with its values."""

    values: list[str]
    line: int
    text: str


@dataclass(slots=True)
class Entry:
    """One thing: its settings, and the tables inside it. `spans` are the lines it stands on, each time."""

    name: str
    line: int
    settings: dict[str, Setting] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def value(self, key: str, default: str = "") -> str:
        """Return the first value of a setting."""
        found = self.settings.get(key)
        return found.values[0] if found and found.values else default

    def values(self, key: str) -> list[str]:
        """Return all values of a setting."""
        found = self.settings.get(key)
        return found.values if found else []

    def table(self, path: str) -> dict[str, Entry]:
        """Return the entries of a table inside."""
        return self.tables[path].entries if path in self.tables else {}

    def of(self, path: str) -> Entry:
        """Return what is set directly under `config PATH`: an empty entry where nothing is."""
        return self.tables[path].own if path in self.tables else Entry("", 0)


@dataclass(slots=True)
class Table:
    """`config PATH … end`: entries by name in their order, and what is set without an entry."""

    path: str
    line: int
    entries: dict[str, Entry] = field(default_factory=dict)
    own: Entry = field(default_factory=lambda: Entry("", 0))
    spans: list[tuple[int, int]] = field(default_factory=list)
    is_moved: bool = False  # the order is not that of the text


@dataclass(slots=True)
class Tree:
    """The whole text."""

    lines: list[str]
    root: Entry
    unread: list[Unread]


def parse(text: str) -> Tree:
    """Read a text. Raises UnreadableError for another language, half a text, or nesting without measure."""
    lines = physical_lines(text)
    builder = _Builder(lines)
    for command in commands(lines):
        builder.take(command)
    return builder.done()


@dataclass(slots=True)
class _Level:
    """Where we are: in a table, perhaps in one of its entries. `dead` swallows an entry that was refused."""

    table: Table
    entry: Entry | None
    start: int
    entry_start: int = 0
    dead: bool = False


class _Builder:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.root = Entry("", 1)
        self.levels: list[_Level] = []
        self.unread: list[Unread] = []
        self.begun = False

    def take(self, command: Command) -> None:
        verb = command.words[0] if command.words else ""
        if not self.begun and verb != "config":
            raise UnreadableError(f"{command.text[:60]!r}", line=command.line, expected=EXPECTED)
        self.begun = True
        if verb == "config":
            self._config(command)
        elif not self.levels:
            if verb == "end":
                raise UnreadableError("an end too many", line=command.line, expected="config before it")
            self._note(command, "not inside config")
        elif verb == "end":
            level = self.levels.pop()
            self._close_entry(level, command.line - 1)
            level.table.spans.append((level.start, command.line))
        elif verb == "next":
            self._close_entry(self.levels[-1], command.line)
        elif verb == "edit":
            self._edit(command)
        elif self.levels[-1].dead:
            self._note(command, "of an entry that the device refuses")
        elif verb in ("set", "append", "unset", "unselect", "select"):
            self._set(command, verb)
        elif verb in ("delete", "purge", "rename", "move", "clone"):
            self._rearrange(command, verb)
        else:
            self._note(command, "no command that is known here")

    def done(self) -> Tree:
        if self.levels:
            raise UnreadableError(
                f"config {self.levels[-1].table.path} is not closed", line=len(self.lines), expected="end"
            )
        if not self.begun:
            raise UnreadableError("an empty text", line=1, expected=EXPECTED)
        return Tree(self.lines, self.root, self.unread)

    def _note(self, command: Command, why: str) -> None:
        self.unread.append(Unread(line=command.line, text=command.text[:MAX_UNREAD_TEXT], why=why))

    def _config(self, command: Command) -> None:
        if len(self.levels) >= MAX_DEPTH:
            raise UnreadableError(
                "nested too deep", line=command.line, expected=f"at most {MAX_DEPTH} levels"
            )
        path = " ".join(command.words[1:])
        holder = self.root
        if self.levels:
            level = self.levels[-1]
            holder = level.entry if level.entry is not None else level.table.own
        table = holder.tables.setdefault(path, Table(path, command.line))
        dead = bool(self.levels) and self.levels[-1].dead
        self.levels.append(
            _Level(table if not dead else Table(path, command.line), None, command.line, dead=dead)
        )

    def _edit(self, command: Command) -> None:
        level = self.levels[-1]
        self._close_entry(level, command.line - 1)
        name = command.words[1] if len(command.words) > 1 else ""
        path = level.table.path
        level.entry_start = command.line
        if path in NUMBERED and not _is_number(name):
            self._note(command, "not a number that an entry of this table can have")
            level.dead = True
            return
        if path in NUMBERED and int(name) == 0:
            name = f"0 at line {command.line}"
        level.entry = level.table.entries.setdefault(name, Entry(name, command.line))

    def _close_entry(self, level: _Level, line: int) -> None:
        if level.entry is not None:
            level.entry.spans.append((level.entry_start, line))
            level.entry = None
        inherited = len(self.levels) > 1 and self.levels[-1] is level and self.levels[-2].dead
        level.dead = level.dead and inherited

    def _set(self, command: Command, verb: str) -> None:
        level = self.levels[-1]
        entry = level.entry if level.entry is not None else level.table.own
        if len(command.words) < 2:
            self._note(command, "expected what to set")
            return
        key, values = command.words[1], command.words[2:]
        if verb == "unset":
            entry.settings.pop(key, None)
        elif verb in ("append", "select") and key in entry.settings:
            entry.settings[key].values += values
        elif verb == "unselect" and key in entry.settings:
            kept = [value for value in entry.settings[key].values if value not in values]
            entry.settings[key].values = kept
        elif verb != "unselect":
            kind, forgotten = KINDS.get(level.table.path, ("", frozenset()))
            if key == kind and entry.value(key) not in ("", values[0] if values else ""):
                for gone in forgotten & entry.settings.keys():
                    del entry.settings[gone]
            entry.settings[key] = Setting(values, command.line, command.text)

    def _rearrange(self, command: Command, verb: str) -> None:
        table = self.levels[-1].table
        words = command.words
        entries = table.entries
        name = words[1] if len(words) > 1 else ""
        if verb == "purge":
            entries.clear()
        elif name not in entries:
            self._note(command, f"no entry {name[:60]!r}")
        elif verb == "delete":
            del entries[name]
        elif verb == "move" and len(words) == 4 and words[2] in ("before", "after") and words[3] in entries:
            self._move(table, name, words[3], words[2] == "after")
        elif (
            verb in ("rename", "clone")
            and len(words) == 4
            and words[2] == "to"
            and self._free(table, words[3])
        ):
            if verb == "clone":
                entries[words[3]] = _copy(entries[name], words[3], command.line)
            else:
                self._rename(table, name, words[3])
        else:
            self._note(command, "it cannot be done")

    def _free(self, table: Table, name: str) -> bool:
        """Tell whether a new name can be given."""
        if table.path in NUMBERED and not _is_number(name):
            return False
        if len(name) > NAME_LENGTH.get(table.path, 79):
            return False
        if table.path == "system zone" and name in self._around().table("system interface"):
            return False
        return name not in table.entries

    def _around(self) -> Entry:
        """Return what holds the table that we are in: the whole text, or one virtual domain."""
        if len(self.levels) < 2:
            return self.root
        above = self.levels[-2]
        return above.entry if above.entry is not None else above.table.own

    def _move(self, table: Table, name: str, other: str, after: bool) -> None:
        if name == other:
            return
        table.is_moved = True
        moved = table.entries[name]
        order = [entry for entry in table.entries.values() if entry is not moved]
        place = next(at for at, entry in enumerate(order) if entry.name == other) + after
        order.insert(place, moved)
        table.entries.clear()
        table.entries.update((entry.name, entry) for entry in order)

    def _rename(self, table: Table, old: str, new: str) -> None:
        renamed = {(new if name == old else name): entry for name, entry in table.entries.items()}
        renamed[new].name = new
        table.entries.clear()
        table.entries.update(renamed)
        users, fields = USES.get(SAME_NAMES.get(table.path, table.path), (frozenset(), frozenset()))
        for path, other in self._around().tables.items():
            if path in users:
                for entry in other.entries.values():
                    for key in fields & entry.settings.keys():
                        values = entry.settings[key].values
                        # Who named it so before it was called that named nothing.
                        values[:] = [
                            new if value == old else f"{value} (not there yet)" if value == new else value
                            for value in values
                        ]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 11 and int(name) <= HIGHEST


def _copy(entry: Entry, name: str, line: int) -> Entry:
    settings = {key: Setting(list(one.values), one.line, one.text) for key, one in entry.settings.items()}
    return Entry(name, line, settings, dict(entry.tables))


def domains(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the virtual domains with what each holds; without any, the whole text is "root"."""
    listed = tree.root.table("vdom")
    if not listed:
        yield "root", tree.root
        return
    yield from listed.items()


def everywhere(tree: Tree) -> Entry:
    """Return what holds for all domains: `config global`, or the whole text."""
    return tree.root.of("global") if "global" in tree.root.tables else tree.root
