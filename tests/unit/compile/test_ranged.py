"""Openings with ranges: boxes that cover the same, each point once, as long as the longest holds it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.compile.ranged import Box, disjoint, shards_of, without
from fwguard.model.address import AddressSet
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import EdgeOpening
from fwguard.model.intervals import Intervals

small = st.integers(0, 7)
pairs = st.tuples(small, small).map(lambda two: (min(two), max(two)))
boxes = st.tuples(pairs, pairs, pairs)
openings = st.lists(
    st.builds(
        lambda public, sources, ports, ends: EdgeOpening(
            port=1, public=Span(4, *public), protocol=6, first_port=ports[0], last_port=ports[1],
            sources=AddressSet(Intervals.of(*sources)), ends_at_s=ends, ticket="T",
        ),
        pairs, st.lists(pairs, min_size=1, max_size=2), pairs, st.sampled_from((None, 100, 200)),
    ),
    max_size=6,
)  # fmt: skip


def points(box: Box) -> set[tuple[int, int, int]]:
    """Return every point of a small box."""
    (a, b), (c, d), (e, f) = box
    return {(x, y, z) for x in range(a, b + 1) for y in range(c, d + 1) for z in range(e, f + 1)}


@given(boxes, boxes)
def test_without_takes_away_exactly_the_other_box(box: Box, other: Box) -> None:
    """The parts are disjoint, and are the points of one that are not of the other."""
    parts = [points(part) for part in without(box, other)]
    assert points(box) - points(other) == set().union(*parts)
    assert sum(map(len, parts)) == len(points(box) - points(other))


@settings(deadline=None)
@given(openings)
def test_every_point_is_held_once_and_longest(given_openings: list[EdgeOpening]) -> None:
    """A point is in one box alone, and ends when the last opening that holds it does."""
    ends: dict[tuple[int, int, int], int] = {}
    for opening in given_openings:
        for source in opening.sources.v4.pairs:
            box = (
                (opening.public.first, opening.public.last),
                source,
                (opening.first_port, opening.last_port),
            )
            for point in points(box):
                ends[point] = max(ends.get(point, 0), opening.ends_at_s or 1 << 40)
    held: dict[tuple[int, int, int], int] = {}
    for box, one in disjoint(given_openings):
        for point in points(box):
            assert point not in held
            held[point] = one.ends_at_s or 1 << 40
    assert ends == held


def test_a_shard_that_changes_is_a_new_set() -> None:
    """The name follows from the content: the same openings give the same set, whatever their order."""
    first = EdgeOpening(
        port=1, public=Span.parse("192.0.2.1"), protocol=6, first_port=80, last_port=90, ticket="T1"
    )
    other = EdgeOpening(
        port=1, public=Span.parse("192.0.2.1"), protocol=6, first_port=95, last_port=99, ticket="T2"
    )
    ((number, both),) = shards_of([first, other]).items()
    ((_, turned),) = shards_of([other, first]).items()
    ((_, alone),) = shards_of([first]).items()
    assert both.set_names(number) == turned.set_names(number) != alone.set_names(number)
