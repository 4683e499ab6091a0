"""New entries put into a FortiOS text, and ours taken out of it again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.cisco.sheet import Sheet
from fwguard.dialects.fortios.tree import Entry, Table, Tree, domains
from fwguard.dialects.fortios.words import quoted
from fwguard.errors import InputError
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect
from fwguard.model.policy import ANY_INTERFACE, Match, Rule

# In this order: what a policy names stands before it.
TABLES: Final = (
    "firewall address", "firewall address6", "firewall service custom", "firewall vip", "firewall vip6",
    "firewall policy", "firewall policy6",
)  # fmt: skip
_MOVE: Final = re.compile(r"""\s*move "?(\d+)"? (?:before|after) "?\d+"?\s*""")


@dataclass(slots=True)
class New:
    """One entry to make: its table, its name, its settings; a policy also stands before another."""

    path: str
    name: str
    settings: list[tuple[str, str]]
    before: str = ""

    def lines(self) -> list[str]:
        """Return the entry as commands."""
        edit = self.name if self.name.isdecimal() else quoted(self.name)
        return [
            f"    edit {edit}",
            *(f"        set {key} {value}" for key, value in self.settings),
            "    next",
        ]


def put(new: list[New], holder: Entry, sheet: Sheet) -> None:
    """Write new entries at the end of their tables, or before a policy; show them as commands to paste."""
    for path in TABLES:
        own = [one for one in new if one.path == path]
        if not own:
            continue
        table = holder.tables.get(path)
        fresh: list[str] = []
        for one in own:
            where = _line(table, one)
            if where:
                sheet.insert(where, one.lines())
            else:
                fresh += one.lines()
        if fresh:
            sheet.insert(_new_table(sheet, holder, path), [f"config {path}", *fresh, "end"])
        moves = [f"    move {one.name} before {one.before}" for one in own if one.before]
        if table is not None and table.is_moved:
            sheet.insert(table.spans[-1][1], moves)
        shown = [f"config {path}", *(line for one in own for line in one.lines()), *moves, "end"]
        sheet.shown += [f"+ {line}" for line in shown]


def _line(table: Table | None, one: New) -> int:
    """Return the line of the text before which an entry may stand, 0 where its table is not there."""
    if table is None or not table.spans:
        return 0
    if one.before and not table.is_moved:
        return table.entries[one.before].spans[0][0]
    return table.spans[-1][1]


def _new_table(sheet: Sheet, holder: Entry, path: str) -> int:
    """Return where a new table may stand: before the policies, else behind the last table."""
    tables = holder.tables
    policies = [
        tables[name].spans[0][0] for name in ("firewall policy", "firewall policy6") if name in tables
    ]
    if policies and not path.startswith("firewall policy"):
        return min(policies)
    ends = [table.spans[-1][1] for table in tables.values() if table.spans]
    return max(ends, default=len(sheet.lines)) + 1


def comment_of(entry: Entry) -> str:
    """Return what an entry says of itself."""
    return entry.value("comments") or entry.value("comment")


def take_away(wanted: str, tree: Tree, sheet: Sheet) -> None:
    """Remove every entry with the comment, and a table of the text that held nothing else."""
    for _, holder in domains(tree):
        for path in reversed(TABLES):
            table = holder.tables.get(path)
            ours = [one for one in table.entries.values() if comment_of(one) == wanted] if table else []
            if table is not None and ours:
                _take_out(ours, table, tree, sheet)
    if not sheet.shown:
        raise InputError(f"nothing bears the comment {wanted}", expected="a change that was written before")


def _take_out(ours: list[Entry], table: Table, tree: Tree, sheet: Sheet) -> None:
    names = {entry.name for entry in ours}
    gone = {number for entry in ours for first, last in entry.spans for number in range(first, last + 1)}
    for first, last in table.spans:
        for number in range(first, last + 1):
            moved = _MOVE.fullmatch(tree.lines[number - 1])
            if moved and moved[1] in names:
                gone.add(number)
    for first, last in table.spans:
        if set(range(first + 1, last)) <= gone and first + 1 < last:
            gone |= {first, last}
    for number in sorted(gone):
        sheet.remove(number, tree.lines[number - 1].rstrip())


def names_of(names: Iterable[str]) -> str:
    """Write names as a list of words."""
    return " ".join(quoted(name) for name in names)


def icmp_settings(keys: Intervals) -> list[list[tuple[str, str]]]:
    """Return the settings of one service for each ICMP type, or type and code. Raises InputError for many."""
    found = []
    for low, high in keys:
        key = low
        while key <= high:
            if key & 0xFF == 0 and key + 255 <= high:
                found.append([("icmptype", str(key >> 8))])
                key += 256
            else:
                found.append([("icmptype", str(key >> 8)), ("icmpcode", str(key & 0xFF))])
                key += 1
            if len(found) > 256:
                raise InputError("more than 256 ICMP types and codes", expected="fewer")
    return found


def on_way(rule: Rule, way: Match) -> Rule:
    """Return what a rule does between some interfaces, its own interfaces no longer asked."""
    shared = (intersect(match, way) for match in rule.matches)
    matches = tuple(
        replace(match, ingress=ANY_INTERFACE, egress=ANY_INTERFACE) for match in shared if match is not None
    )
    return replace(rule, matches=matches)
