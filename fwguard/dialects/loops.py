"""Named groups that hold groups: one that holds itself, directly or round about, is a broken text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final, TypeVar

from fwguard.errors import UnreadableError

Key = TypeVar("Key", bound=Hashable)
MAX_SHOWN: Final = 8  # names of one loop in a message
MAX_NAME: Final = 60


def refuse_loops(
    names: Iterable[Key],
    held: Callable[[Key], Iterable[Key]],
    *,
    kind: str,
    line_of: Callable[[Key], int],
    name_of: Callable[[Key], str] = str,
) -> None:
    """Raise UnreadableError where a group leads back to itself: with its line, and the way round.

    `held` returns the groups that a group names; those without a group of their own hold nothing. Without
    recursion; each group and each of its names is followed once, so a diamond of any depth is cheap.

    Nobody can say what such a group means; a reader that took it for empty would lose a rule.
    """
    done: set[Key] = set()
    for start in names:
        if start in done:
            continue
        way: dict[Key, Iterator[Key]] = {start: iter(held(start))}
        while way:
            current = next(reversed(way))
            following = next(way[current], None)
            if following is None:
                del way[current]
                done.add(current)
            elif following in way:
                keys = list(way)
                raise _loop(keys[keys.index(following) :], kind, line_of, name_of)
            elif following not in done:
                way[following] = iter(held(following))


def _loop(
    loop: list[Key], kind: str, line_of: Callable[[Key], int], name_of: Callable[[Key], str]
) -> UnreadableError:
    """Say a loop from the group that stands first in the text."""
    first = min(range(len(loop)), key=lambda at: line_of(loop[at]))
    names = [name_of(key)[:MAX_NAME] for key in (*loop[first:], *loop[: first + 1])]
    if len(names) > MAX_SHOWN:
        left_out = len(names) - MAX_SHOWN + 1
        names[MAX_SHOWN // 2 : MAX_SHOWN // 2 + left_out] = [f"… {left_out} more …"]
    return UnreadableError(
        f"{kind} {names[0]} holds itself: {' > '.join(names)}",
        line=line_of(loop[first]),
        expected="groups that do not lead back to themselves",
    )
