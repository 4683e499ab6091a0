"""From one compiled state to the next: elements that come and go, shards that flip, rules only if they differ.

Two transactions. The first only sets new shard sets beside the old ones; the second flips to them and does all
the rest. Filling a large interval set in the transaction that uses it loses packets of what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fwguard.compile.compiled import Compiled, shard_rules_text, shard_sets_text
from fwguard.compile.elements import Content, add_text, delete_text
from fwguard.compile.grants import effective_openings
from fwguard.compile.names import TABLE, shard_chain
from fwguard.compile.ranged import Shard
from fwguard.compile.shaping import tc_change_text
from fwguard.model.edge import EdgeState
from fwguard.model.edge_grants import EdgeOpening


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs. `removed` and `added` are contents by (family, set); a changed element is in both.

    `flipped` are the shards whose sets get new names. `is_structural`: rules differ, the skeleton is loaded
    again. Sets that packets and the edge itself write are in none of them.
    """

    is_structural: bool
    removed: Mapping[tuple[str, str], Content]
    added: Mapping[tuple[str, str], Content]
    flipped: tuple[int, ...]
    tc: str

    @property
    def is_empty(self) -> bool:
        """Tell whether the kernel already holds what is wanted."""
        return not (self.is_structural or self.removed or self.added or self.flipped or self.tc)


def changes(before: Compiled, after: Compiled) -> Changes:
    """Compare two compilations. Cost: their elements."""
    removed: dict[tuple[str, str], Content] = {}
    added: dict[tuple[str, str], Content] = {}
    for key in after.contents.keys() | before.contents.keys():
        old, new = before.contents.get(key, {}), after.contents.get(key, {})
        if old == new:
            continue
        if gone := {one: held for one, held in old.items() if new.get(one) != held}:
            removed[key] = gone
        if come := {one: held for one, held in new.items() if old.get(one) != held}:
            added[key] = come
    flipped = tuple(
        number
        for number in sorted(before.shards.keys() | after.shards.keys())
        if _names(before.shards, number) != _names(after.shards, number)
    )
    return Changes(
        is_structural=before.skeleton != after.skeleton,
        removed=dict(sorted(removed.items())),
        added=dict(sorted(added.items())),
        flipped=flipped,
        tc="" if before.shaping == after.shaping else tc_change_text(before.shaping, after.shaping),
    )


def change_texts(before: Compiled, after: Compiled, *, now_s: int) -> tuple[str, str]:
    """Return the two nft transactions that lead from one state to the next, in order; either may be empty."""
    what = changes(before, after)
    return "".join(_beside(before, after, what, now_s)), "".join(_turn(before, after, what, now_s))


def _beside(before: Compiled, after: Compiled, what: Changes, now_s: int) -> Iterator[str]:
    """The new sets alone: no rule asks them yet. A family's set that did not change keeps its name."""
    for number in what.flipped:
        present = set(_names(before.shards, number).values())
        shard = after.shards.get(number)
        if shard is not None:
            kept_v4 = {} if shard.set_names(number).get(4) in present else shard.v4
            kept_v6 = {} if shard.set_names(number).get(6) in present else shard.v6
            yield from shard_sets_text(number, Shard(kept_v4, kept_v6), now_s)


def _turn(before: Compiled, after: Compiled, what: Changes, now_s: int) -> Iterator[str]:
    if what.is_structural:
        yield from _restructure(before, after)
        for number, shard in after.shards.items():
            yield from shard_rules_text(number, shard)
    else:
        for number in what.flipped:
            yield f"flush chain inet {TABLE} {shard_chain(number)}\n"
            if number in after.shards:
                yield from shard_rules_text(number, after.shards[number])
    for number in what.flipped:
        kept = set(_names(after.shards, number).values())
        yield from (
            f"delete set inet {TABLE} {name}\n"
            for name in _names(before.shards, number).values()
            if name not in kept
        )
    for key, content in what.removed.items():
        if key in after.specs:
            yield from _remove_text(before, key, content, now_s)
    for key, content in what.added.items():
        yield from add_text(after.specs[key], content, now_s)


def _restructure(before: Compiled, after: Compiled) -> Iterator[str]:
    """Every rule anew; a set whose declaration changed is made again, and what it remembered is forgotten."""
    families = {family for family, _ in after.specs}
    for family in sorted({family for family, _ in before.specs} - families):
        yield f"delete table {family} {TABLE}\n"
    changed = [key for key, spec in after.specs.items() if before.specs.get(key, spec) != spec]
    if changed:
        for family in sorted({family for family, _ in changed}):
            yield f"flush table {family} {TABLE}\n"
        yield from (f"delete set {family} {TABLE} {name}\n" for family, name in changed)
    yield after.skeleton


def _remove_text(before: Compiled, key: tuple[str, str], content: Content, now_s: int) -> Iterator[str]:
    """Deleting what ended meanwhile fails the whole transaction: what may end is added first, for a while."""
    spec = before.specs[key]
    mortal = {
        one: held._replace(ends_at_s=now_s + 60)
        for one, held in content.items()
        if held.ends_at_s is not None
    }
    yield from add_text(spec, mortal, now_s)
    yield from delete_text(spec, content)


def _names(shards: Mapping[int, Shard], number: int) -> Mapping[int, str]:
    return shards[number].set_names(number) if number in shards else {}


def ended_openings(before: EdgeState, after: EdgeState, *, now_s: int) -> tuple[EdgeOpening, ...]:
    """Return what was open and is no more, by the new state or by the clock.

    Their connections end with them: of the entries in the zone of the opening's port, remove those that
    `Contract(after).judge` does not let begin (another opening may hold them too).
    """
    still = {_meaning(one) for one in effective_openings(after) if _is_open(one, now_s)}
    return tuple(one for one in effective_openings(before) if _meaning(one) not in still)


def _is_open(one: EdgeOpening, now_s: int) -> bool:
    return one.ends_at_s is None or one.ends_at_s > now_s


def _meaning(one: EdgeOpening) -> tuple[object, ...]:
    return one.port, one.public, one.protocol, one.first_port, one.last_port, one.sources
