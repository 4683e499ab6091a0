"""A decision diagram: header space cut one dimension after the other, equal parts of it kept once.

A node is a dimension and, for each of its disjoint sets of numbers, where it goes on: to another node or to
a leaf. Numbers of a dimension that no edge holds go to leaf 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fwguard.analysis.space import Space
from fwguard.model.intervals import Pair, Pairs, normalised

RawBox = tuple[Pairs, ...]
# The last dimension (connection state) is fixed to NEW when policies are compared.
LEVELS: Final = 7
LEAVES: Final = 6
Edges = tuple[tuple[Pairs, int], ...]
Suffix = tuple[int, ...]


class Diagram:
    """Nodes are numbered from LEAVES on, each after those it leads to; smaller numbers are leaves."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.nodes: list[tuple[int, Edges]] = []
        self._number: dict[tuple[int, Edges], int] = {}
        self._counts: dict[int, list[int]] = {}

    def node(self, level: int, edges: Mapping[int, list[Pair]]) -> int:
        """Return the node that cuts dimension `level` so: an equal one where it exists, its only child
        where nothing is cut."""
        if not edges:
            return 0
        sorted_edges = tuple(sorted((normalised(pairs), child) for child, pairs in edges.items()))
        if len(sorted_edges) == 1 and sorted_edges[0][0] == self.space.tables[level].universe:
            return sorted_edges[0][1]
        node = (level, sorted_edges)
        number = self._number.get(node)
        if number is None:
            number = self._number[node] = len(self.nodes) + LEAVES
            self.nodes.append(node)
        return number

    def is_whole(self, root: int) -> bool:
        """Tell whether no part of the space ends in leaf 0."""
        differs = {number: number != 0 for number in range(LEAVES)}
        for number, (level, edges) in enumerate(self.nodes, LEAVES):
            cut = normalised(pair for pairs, _ in edges for pair in pairs)
            whole = cut == self.space.tables[level].universe
            differs[number] = whole and all(differs[child] for _, child in edges)
        return differs[root]

    def count(self, root: int, leaf: int) -> int:
        """Return how many ways through the diagram end in `leaf`, without walking them."""
        ways = self._counts.get(leaf)
        if ways is None:
            ways = self._counts[leaf] = [int(number == leaf) for number in range(LEAVES)]
            for _, edges in self.nodes:
                ways.append(sum([ways[child] for _, child in edges]))
        return ways[root]

    def ways(self, root: int, leaf: int) -> Iterator[RawBox]:
        """Read the boxes that end in `leaf`: disjoint, one for each way through the diagram."""
        ways = self._counts[leaf] if self.count(root, leaf) else []
        universe = [table.universe for table in self.space.tables]

        def walk(number: int, box: list[Pairs]) -> Iterator[RawBox]:
            if number < LEAVES:
                yield tuple(box[:LEVELS])
                return
            level, edges = self.nodes[number - LEAVES]
            for pairs, child in edges:
                if ways[child]:
                    yield from walk(child, [*box[:level], pairs, *box[level + 1 :]])

        if ways:
            yield from walk(root, universe)

    def boxes(self, root: int, leaf: int) -> list[RawBox]:
        """Read the boxes that end in `leaf`, disjoint, those that go on alike joined from the last dimension
        up. Cost: the ways through the diagram."""
        if not self.count(root, leaf):
            return []
        ways = self._counts[leaf]
        sets = [table.universe for table in self.space.tables[:LEVELS]]
        known: dict[Pairs, int] = {}
        joined: dict[tuple[int, ...], int] = {}
        below: dict[int, tuple[int, list[Suffix]]] = {leaf: (LEVELS, [()])}

        def number_of(pairs: Pairs) -> int:
            number = known.setdefault(pairs, len(sets))
            if number == len(sets):
                sets.append(pairs)
            return number

        def union_of(level: int, numbers: tuple[int, ...]) -> int:
            number = joined.get(numbers)
            if number is None:
                pairs = normalised(pair for one in numbers for pair in sets[one])
                number = joined[numbers] = level if pairs == sets[level] else number_of(pairs)
            return number

        for number in sorted(self._below(root, ways)):
            level, edges = self.nodes[number - LEAVES]
            alike: dict[Suffix, list[int]] = {}
            for pairs, child in edges:
                if ways[child]:
                    own = number_of(pairs)
                    start, suffixes = below[child]
                    between = tuple(range(level + 1, start))  # dimensions not cut: the universe of each
                    for suffix in suffixes:
                        alike.setdefault(between + suffix, []).append(own)
            below[number] = (
                level,
                [
                    (parts[0] if len(parts) == 1 else union_of(level, tuple(parts)), *suffix)
                    for suffix, parts in alike.items()
                ],
            )
        start, suffixes = below[root]
        before = tuple(range(start))
        return [tuple([sets[number] for number in before + suffix]) for suffix in suffixes]

    def _below(self, root: int, ways: list[int]) -> set[int]:
        """Return the nodes that some way to the leaf goes through."""
        seen: set[int] = set()
        todo = [root] if root >= LEAVES else []
        while todo:
            number = todo.pop()
            if number not in seen:
                seen.add(number)
                todo += [
                    child for _, child in self.nodes[number - LEAVES][1] if child >= LEAVES and ways[child]
                ]
        return seen
