"""A FortiOS text as it is compared: what its commands leave behind, in one spelling.

Left out: comments, identifiers that the device gives, passwords (each export encrypts them anew), the order
of tables, of things that are looked up by name, and of the names in a list. Kept: the order of policies.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.fortios.objects import subnet
from fwguard.dialects.fortios.tree import NUMBERED, Entry, Setting, Table, parse
from fwguard.dialects.fortios.words import quoted
from fwguard.errors import InputError

COMMENTS: Final = frozenset({"uuid", "comment", "comments", "description", "snmp-index", "color"})
PREFIXES: Final = frozenset({"subnet", "ip", "dst", "src", "ip6", "ip6-address"})
# The first to match counts there; elsewhere numbers are only names.
ORDERED: Final = NUMBERED - {"router static", "router static6"}
LISTS: Final = frozenset({
    "srcintf", "dstintf", "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "member", "interface",
    "exclude-member", "groups", "users", "poolname", "tcp-portrange", "udp-portrange", "sctp-portrange", "orig-addr",
    "dst-addr", "allowaccess", "source-interface", "mappedip",
})  # fmt: skip


def canonical(text: str) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    tree = parse(text)
    lines: list[str] = []
    _entry(tree.root, 0, lines)
    lines += sorted(f"unread {one.text}" for one in tree.unread)
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    for key in sorted(entry.settings):
        if key not in COMMENTS and (words := _values(key, entry.settings[key])):
            lines.append(f"{pad}set {key} {words}")
    for path in sorted(entry.tables):
        _table(entry.tables[path], depth, lines)


def _table(table: Table, depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    inner: list[str] = []
    _entry(table.own, depth + 1, inner)
    entries = list(table.entries.values())
    if table.path not in ORDERED:
        entries.sort(key=lambda entry: entry.name)
    for entry in entries:
        name = "0" if entry.name.startswith("0 at line ") else entry.name
        inner.append(f"{pad}  edit {quoted(name)}")
        _entry(entry, depth + 2, inner)
    if inner:
        lines += [f"{pad}config {table.path}", *inner]


def _values(key: str, setting: Setting) -> str:
    values = list(setting.values)
    if values[:1] == ["ENC"]:
        return ""
    if key in PREFIXES and values:
        try:
            return " ".join(values) if key == "ip" and len(values) > 2 else _with_host(values)
        except InputError:
            return " ".join(quoted(value) for value in values)
    if key in LISTS:
        values = sorted(dict.fromkeys(values))
    return " ".join(quoted(value) for value in values) or '""'


def _with_host(values: list[str]) -> str:
    """Write an address with its prefix, the host part kept: an interface's address is one."""
    return f"{values[0].partition('/')[0].lower()} of {', '.join(subnet(values).texts())}"
