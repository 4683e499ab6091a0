"""Openings with sources, port ranges or address ranges: boxes made disjoint, spread over shards.

Two elements of an interval set must not overlap (the kernel refuses them as `File exists`). Where openings
overlap, the one that stays longest holds the common part, so that each end closes only what nobody else
holds open.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fwguard.compile.elements import Content, Held
from fwguard.compile.names import SHARDS, WIDE
from fwguard.compile.sets import Field, SetSpec
from fwguard.model.edge_grants import EdgeOpening

Pair = tuple[int, int]
Box = tuple[Pair, Pair, Pair]  # public addresses, sources, ports
_FOREVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Shard:
    """The boxes of one shard, both families; `v4` and `v6` are contents of interval sets."""

    v4: Content
    v6: Content

    def set_names(self, shard: int) -> dict[int, str]:
        """Return the name of each family's set; it follows from the content, so a change is a new set."""
        return {
            version: f"ranged{version}_{shard:03x}_{_digest(content)}"
            for version, content in ((4, self.v4), (6, self.v6))
            if content
        }


def shard_spec(name: str, version: int) -> SetSpec:
    """Return what a shard's set is."""
    target, source = (
        (Field.V4_TARGET, Field.V4_SOURCE) if version == 4 else (Field.V6_TARGET, Field.V6_SOURCE)
    )
    key = (target, source, Field.PROTOCOL, Field.DPORT)
    return SetSpec(family="inet", name=name, key=key, is_interval=True, has_timeout=True)


def shard_of(version: int, address: int) -> int:
    """Return the shard that holds the openings of one public address."""
    return zlib.crc32(address.to_bytes(16, "big"), version) % SHARDS


def shards_of(openings: Iterable[EdgeOpening]) -> dict[int, Shard]:
    """Return the shards that hold anything, boxes disjoint, in a stable order.

    Cost: the square of the openings that share a public address (or a port, for ranges of addresses).
    """
    groups: dict[tuple[int, int, int, int], list[EdgeOpening]] = {}
    for opening in openings:
        version, first, last = opening.public
        # Ranges of one port may overlap each other; those of two ports cannot.
        where = (
            (version, opening.protocol, first, -1)
            if first == last
            else (version, opening.protocol, -1, opening.port)
        )
        groups.setdefault(where, []).append(opening)
    shards: dict[int, Shard] = {}
    for version, protocol, address, port in sorted(groups):
        number = WIDE if address < 0 else shard_of(version, address)
        shard = shards.setdefault(number, Shard({}, {}))
        content = shard.v4 if version == 4 else shard.v6
        for (target, source, ports), held in disjoint(groups[version, protocol, address, port]):
            content[target, source, (protocol, protocol), ports] = held
    return dict(sorted(shards.items()))


def disjoint(openings: Iterable[EdgeOpening]) -> list[tuple[Box, Held]]:
    """Return boxes that cover exactly what the openings of one family and protocol cover, each point once."""
    placed: list[tuple[Box, Held]] = []
    for opening in sorted(openings, key=_by_end):
        held = Held(ends_at_s=opening.ends_at_s, comment=f"{opening.clause} {opening.ticket}")
        sources = opening.sources.v4 if opening.public.version == 4 else opening.sources.v6
        for source in sources.pairs:
            new: list[Box] = [
                ((opening.public.first, opening.public.last), source, (opening.first_port, opening.last_port))
            ]
            for box, _ in placed:
                new = [part for one in new for part in without(one, box)]
            placed += ((box, held) for box in new)
    return placed


def _by_end(opening: EdgeOpening) -> tuple[object, ...]:
    ends = _FOREVER if opening.ends_at_s is None else opening.ends_at_s
    return (
        -ends,
        opening.ticket,
        opening.public,
        opening.first_port,
        opening.last_port,
        opening.sources.texts(),
    )


def without(box: Box, other: Box) -> list[Box]:
    """Return the parts of a box outside another, disjoint."""
    if any(a[1] < b[0] or b[1] < a[0] for a, b in zip(box, other, strict=True)):
        return [box]
    parts: list[Box] = []
    rest = list(box)
    for axis, (low, high) in enumerate(other):
        first, last = rest[axis]
        if first < low:
            parts.append(_with(rest, axis, (first, low - 1)))
        if last > high:
            parts.append(_with(rest, axis, (high + 1, last)))
        rest[axis] = (max(first, low), min(last, high))
    return parts


def _with(box: list[Pair], axis: int, pair: Pair) -> Box:
    changed = [*box]
    changed[axis] = pair
    return changed[0], changed[1], changed[2]


def _digest(content: Content) -> str:
    """Return a name part that differs whenever what the kernel would hold differs."""
    text = repr(sorted((key, held.ends_at_s or 0) for key, held in content.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:10]
