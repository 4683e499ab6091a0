"""From one tree of words to another, as `delete` and `set` commands, and `move` where the order acts.

Source: VyOS documentation, "Command Line Interface" (docs/cli.rst: set, delete); PAN-OS CLI Quick Start,
"Modify the Configuration" (set, delete, move).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from fwguard.dialects.panos.forms import form_of, parse_raw
from fwguard.dialects.set_lines import split_words
from fwguard.dialects.vyos.tree import parse as parse_vyos
from fwguard.dialects.vyos.tree import quoted as quoted_vyos
from fwguard.errors import CommitRefusedError

Path = tuple[str, ...]
_ORDERED: Final = frozenset({"rules"})  # of PAN-OS: the first rule that matches counts
_ONE_VSYS: Final = ("vsys", "vsys1")


def vyos_lines(before: str, after: str) -> list[str]:
    """Return the commands from one VyOS configuration to another; rules have numbers, so nothing moves."""
    old, new = (list(parse_vyos(text).root.leaves()) for text in (before, after))
    return path_lines(old, new, quoted_vyos)


def panos_lines(before: str, after: str) -> list[str]:
    """Return the commands from one PAN-OS configuration to another, XML or set lines.

    Raises CommitRefusedError where several virtual systems make a path mean different things.
    """
    old, new = (_panos_paths(text) for text in (before, after))
    return [*path_lines(old, new, _quoted_panos), *_moves(old, new)]


def path_lines(before: Sequence[Path], after: Sequence[Path], quoted: Callable[[str], str]) -> list[str]:
    """Return `delete` of the shortest path that is gone whole, then `set` of every path that is new."""
    kept = {path[:end] for path in after for end in range(1, len(path) + 1)}
    had = set(before)
    gone: dict[Path, None] = {}
    for path in before:
        if path not in kept:
            gone.setdefault(next(path[:end] for end in range(1, len(path) + 1) if path[:end] not in kept))
    lines = [_said("delete", path, quoted) for path in gone]
    return lines + [_said("set", path, quoted) for path in after if path not in had]


def _said(verb: str, path: Path, quoted: Callable[[str], str]) -> str:
    if any("\n" in word or "\r" in word for word in path):
        raise CommitRefusedError(f"{' '.join(path)[:80]!r} holds a line break, which no command line takes")
    return " ".join((verb, *(quoted(word) for word in path)))


def _panos_paths(text: str) -> list[Path]:
    root, _ = parse_raw(text)
    paths: list[Path] = []
    for nodes in root.paths():
        words = tuple(node.word for node in nodes)
        if words[:1] == ("config",):
            words = words[1:]
        if words[:1] == ("devices",):
            words = words[2:]
        paths.append(words)
    if form_of(text) == "xml":
        systems = {words[1] for words in paths if words[:1] == ("vsys",) and len(words) > 1}
        if systems - {"vsys1"}:
            raise CommitRefusedError(
                f"several virtual systems ({', '.join(sorted(systems))[:80]}): what `set` means depends on the "
                "session's target, so nothing is written"
            )
        paths = [words[2:] if words[:2] == _ONE_VSYS else words for words in paths]
    return [words for words in paths if words]


def _moves(before: Sequence[Path], after: Sequence[Path]) -> Iterator[str]:
    """New rules come last: put every rule of a list that changed its order behind the one before it."""
    old, new = _lists(before), _lists(after)
    for place, wanted in new.items():
        had = [name for name in old.get(place, ()) if name in wanted]
        stands = [*had, *(name for name in wanted if name not in had)]
        if stands == wanted:
            continue
        for number, name in enumerate(wanted):
            if stands[number] == name:
                continue
            stands.remove(name)
            stands.insert(number, name)
            where = f"after {_quoted_panos(wanted[number - 1])}" if number else "top"
            yield f"{_said('move', (*place, name), _quoted_panos)} {where}"


def _lists(paths: Iterable[Path]) -> dict[Path, list[str]]:
    found: dict[Path, dict[str, None]] = {}
    for path in paths:
        for at, word in enumerate(path[:-1]):
            if word in _ORDERED:
                found.setdefault(path[: at + 1], {}).setdefault(path[at + 1])
                break
    return {place: list(names) for place, names in found.items()}


def _quoted_panos(word: str) -> str:
    if word and split_words(word, 0) == [word] and not set(word) & set('[]"'):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
