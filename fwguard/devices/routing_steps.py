"""From one list of routes and rules to another, as lines of `ip -batch` (ip-route(8), ip-rule(8))."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

_TYPES: Final = frozenset(
    ("unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw")
)
Key = tuple[str, ...]


def route_key(line: str) -> Key:
    """Return what makes a route the same place in a table: prefix, table, metric, TOS."""
    words = line.split()
    prefix = words[1] if words[0] in _TYPES and len(words) > 1 else words[0]
    options = dict(pairwise(words))
    return prefix, *(options.get(word, "") for word in ("table", "metric", "tos"))


def route_lines(now: str, wanted: str) -> list[str]:
    """Return the changes, no route away for longer than it must: replaced in place where that is possible,
    added before the old ones go, those on a link before those through a gateway."""
    old, new = _grouped(now, route_key), _grouped(wanted, route_key)
    replaced: list[str] = []
    added: list[str] = []
    deleted: list[str] = []
    for key, lines in new.items():
        before = old.get(key, [])
        if before == lines:
            continue
        if len(before) == len(lines) == 1:
            replaced.append(f"route replace {lines[0]}")
            continue
        replaced += [f"route del {line}" for line in before]  # alternatives to one prefix: order matters
        added += [f"route append {line}" for line in lines]
    for key, lines in old.items():
        if key not in new:
            deleted += [f"route del {line}" for line in lines]
    changes = sorted(replaced + added, key=_through_gateway)
    changes.sort(key=lambda line: not line.startswith("route del"))
    return changes + sorted(deleted, key=_through_gateway, reverse=True)


def rule_lines(now: str, wanted: str) -> list[str]:
    """Return the changes of `ip rule`. A `missing` line is a default rule that was taken away."""
    old, new = _grouped(now, _priority), _grouped(wanted, _priority)
    lines: list[str] = []
    last: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, []), new.get(key, [])
        kept = [line for line in before if line in after]
        if after[: len(kept)] == kept:
            lines += [_rule(line, "add") for line in after[len(kept) :]]
            last += [_rule(line, "del") for line in before if line not in kept]
        else:  # rules of one priority count in the order that they were added
            lines += [_rule(line, "del") for line in before] + [_rule(line, "add") for line in after]
    return lines + last


def _rule(line: str, verb: str) -> str:
    if line.startswith("missing "):
        line, verb = line.removeprefix("missing "), {"add": "del", "del": "add"}[verb]
    priority, _, rest = line.partition(":")
    return f"rule {verb} pref {priority.strip()} {rest.strip()}"


def _priority(line: str) -> Key:
    head, _, _ = line.removeprefix("missing ").partition(":")
    return (head.strip().zfill(10), "missing" if line.startswith("missing ") else "")


def _through_gateway(line: str) -> bool:
    return " via " in line or " nexthop " in line


def _grouped(text: str, key: Callable[[str], Key]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for line in text.split("\n"):
        if line.strip():
            groups.setdefault(key(line), []).append(line.strip())
    return groups
