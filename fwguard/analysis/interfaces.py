"""Interfaces as numbers: every name that any rule tells apart, so that they are a dimension like ports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fwguard.model.intervals import Pairs, normalised
from fwguard.model.policy import Hook, InterfaceSet, Policy


@dataclass(slots=True)
class InterfaceTable:
    """`names[i]` is an interface that stands for class `i`; the last one ("") for all that nobody names.

    A pattern `eth*` has a class of its own for the names that no rule mentions (`eth9`); `entries[i]`
    is what a person would write for class `i`.
    """

    names: tuple[str, ...]
    entries: tuple[str, ...]
    _numbers: dict[InterfaceSet, Pairs] = field(default_factory=dict)
    _shown: dict[Pairs, InterfaceSet] = field(default_factory=dict)

    @classmethod
    def of(cls, sets: Iterable[InterfaceSet]) -> InterfaceTable:
        """Build from every interface set that the policies in question hold."""
        mentioned = {name for one in sets for name in one.names}
        patterns = sorted(name for name in mentioned if name.endswith("*") and name != "*")
        plain = {name for name in mentioned if not name.endswith("*")}
        rows = [(name, name) for name in plain]
        rows += [(_unmentioned(pattern, plain, patterns), pattern) for pattern in patterns]
        rows.sort(key=lambda row: row[1])
        return cls((*(name for name, _ in rows), ""), (*(entry for _, entry in rows), "*"))

    @property
    def everything(self) -> Pairs:
        """Return the whole dimension."""
        return ((0, len(self.names) - 1),)

    @property
    def unnamed(self) -> int:
        """Return the class of the interfaces that no rule names."""
        return len(self.names) - 1

    def pairs(self, interfaces: InterfaceSet) -> Pairs:
        """Return the classes in a set."""
        known = self._numbers.get(interfaces)
        if known is None:
            if interfaces.is_any:
                known = self.everything
            else:
                known = normalised((i, i) for i, name in enumerate(self.names) if name in interfaces)
            self._numbers[interfaces] = known
        return known

    def number(self, name: str) -> int:
        """Return the class of one interface."""
        if name in self.names:
            return self.names.index(name)
        fitting = [
            (len(entry), i)
            for i, entry in enumerate(self.entries[:-1])
            if entry.endswith("*") and name.startswith(entry[:-1])
        ]
        return max(fitting)[1] if fitting else self.unnamed

    def show(self, pairs: Pairs) -> InterfaceSet:
        """Return the classes as a set of names; the most specific name decides."""
        known = self._shown.get(pairs)
        if known is None:
            known = self._shown[pairs] = self._show(pairs)
        return known

    def _show(self, pairs: Pairs) -> InterfaceSet:
        if pairs == self.everything:
            return InterfaceSet()
        inside = {i for low, high in pairs for i in range(low, high + 1)}
        negated = self.unnamed in inside
        listed = {i for i in range(self.unnamed) if (i in inside) != negated}
        names = {self.entries[i] for i in listed}
        patterns = tuple(name[:-1] for name in names if name.endswith("*"))
        but = {
            self.entries[i]
            for i in range(self.unnamed)
            if patterns and i not in listed and self.entries[i].startswith(patterns)
        }
        but = {name for name in but if name.rstrip("*") == name or name not in names}
        return InterfaceSet(frozenset(names), negated, frozenset(but))


def _unmentioned(pattern: str, plain: set[str], patterns: list[str]) -> str:
    """Return a name that `pattern` means and nothing more specific does."""
    stem = pattern[:-1]
    narrower = tuple(other[:-1] for other in patterns if other != pattern and other.startswith(stem))
    for number in range(9, 10 + len(plain) + 10 * len(narrower)):
        for mark in ("", "x", "-", "_"):
            name = f"{stem}{mark}{number}"
            if name not in plain and not (narrower and name.startswith(narrower)):
                return name
    return stem  # as many narrower patterns as there are characters: the bare stem is left


def interface_sets(policies: Iterable[Policy], hook: Hook) -> set[InterfaceSet]:
    """Return every interface set that a packet of the hook can meet."""
    seen: dict[int, InterfaceSet] = {}  # by identity: rules share their sets, and hashing them all costs more
    for policy in policies:
        todo = list(policy.hooks.get(hook, ()))
        chains = set(todo)
        while todo:
            for rule in policy.chains[todo.pop()].rules:
                if rule.jump and rule.jump not in chains:
                    chains.add(rule.jump)
                    todo.append(rule.jump)
                for match in rule.matches:
                    seen[id(match.ingress)] = match.ingress
                    seen[id(match.egress)] = match.egress
    return set(seen.values())
