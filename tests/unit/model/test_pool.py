"""What a pool may give, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.errors import InputError
from fwguard.model.pool import Pool, Used, choose, parse_one, parse_prefix, why_not_given

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
V4, V6 = Pool(name="p4", prefix="198.51.100.0/29"), Pool(name="p6", prefix="2001:db8::/125")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("198.51.100.1/24", "expected 198.51.100.0/24"),
        ("2001:db8::1/64", "expected 2001:db8::/64"),
        ("198.51.100.7", "as 192.0.2.0/24"),
        ("10/8", "as 192.0.2.0/24"),
        ("", "as 192.0.2.0/24"),
        ("127.0.0.0/24", "no loopback"),
        ("169.254.1.0/24", "no loopback"),
        ("224.0.0.0/24", "no loopback"),
        ("0.0.0.0/0", "no loopback"),
        ("fe80::/64", "no loopback"),
        ("ff02::/64", "no loopback"),
        ("::/0", "no loopback"),
        ("::ffff:192.0.2.0/120", "no loopback"),
    ],
)
def test_a_wrong_prefix_says_what_is_expected(text: str, words: str) -> None:
    """Host bits, a bare address, and what no server can have."""
    with pytest.raises(InputError, match=words):
        parse_prefix(text)


@pytest.mark.parametrize(
    "text", ["", "192.0.2.0/24", "192.0.2", "192.0.2.256", "web1", "fe80::1%eth0", "2001:db8::g"]
)
def test_a_wrong_address_is_refused(text: str) -> None:
    """One whole address and nothing else."""
    with pytest.raises(InputError, match="one IPv4 or IPv6 address"):
        parse_one(text)


def test_an_address_has_one_text() -> None:
    """However it was written (RFC 5952)."""
    assert (6, "2001:db8::7") == (parse_one("2001:DB8:0:0::0007")[0], parse_one("2001:DB8:0:0::0007")[2])


@pytest.mark.parametrize(
    ("prefix", "first", "count"),
    [
        ("198.51.100.0/29", "198.51.100.1", 6),
        ("198.51.100.0/31", "198.51.100.0", 2),
        ("198.51.100.7/32", "198.51.100.7", 1),
        ("2001:db8::/64", "2001:db8::1", 2**64 - 1),
        ("2001:db8::/127", "2001:db8::", 2),
        ("2001:db8::7/128", "2001:db8::7", 1),
    ],
)
def test_what_no_server_has_is_left_out(prefix: str, first: str, count: int) -> None:
    """The net's own and the broadcast address, the routers' anycast; of two addresses both are hosts'."""
    usable = Pool(name="p", prefix=prefix).usable
    assert (parse_one(first)[1], count) == (usable.first, usable.size)


@pytest.mark.parametrize(
    ("other", "answer"),
    [
        ("198.51.100.0/24", True), ("198.51.100.4/30", True), ("198.51.100.8/29", False),
        ("2001:db8::/125", False), ("198.51.100.0/29", True),
    ],
)  # fmt: skip
def test_pools_overlap_when_they_share_an_address(other: str, answer: bool) -> None:
    """Inside, around, the same; not beside, and never of the other family."""
    assert answer == V4.overlaps(Pool(name="o", prefix=other)) == Pool(name="o", prefix=other).overlaps(V4)


@pytest.mark.parametrize("pool", [V4, V6], ids=str)
def test_what_nobody_ever_had_comes_first(pool: Pool) -> None:
    """The lowest of it; an address that was given back rests as long as there is another."""
    first = pool.usable.first
    used = [Used(first, NOW - timedelta(days=900)), Used(first + 1, None)]
    assert first + 2 == choose(pool, used, now=NOW)


@pytest.mark.parametrize("pool", [V4, V6], ids=str)
def test_then_what_is_free_for_longest(pool: Pool) -> None:
    """Of the addresses that have cooled."""
    first, size = pool.usable.first, pool.usable.size
    used = [Used(first + place, NOW - timedelta(hours=place % 4)) for place in range(size)]
    assert first + 3 == choose(pool, used, now=NOW)


@pytest.mark.parametrize("pool", [V4, V6], ids=str)
def test_an_exhausted_pool_says_so_and_when_it_is_not(pool: Pool) -> None:
    """How many are held, how many cool, and when the next is free."""
    first, size = pool.usable.first, pool.usable.size
    used = [Used(first, LATER), *(Used(first + place, None) for place in range(1, size))]
    with pytest.raises(
        InputError, match=rf"exhausted: {size - 1} held or reserved, 1 cooling.*2026-03-05 00:00"
    ):
        choose(pool, used, now=NOW)
    assert first == choose(pool, used, now=LATER)


def test_why_an_address_cannot_be_given() -> None:
    """Held, cooling, the net's own; nothing for a free one."""
    first = V4.usable.first
    used = [Used(first, None), Used(first + 1, LATER), Used(first + 2, NOW)]
    said = [
        why_not_given(V4, number, used, now=NOW)
        for number in (first - 1, first, first + 1, first + 2, first + 3)
    ]
    assert ["net", "held", "cools", "", ""] == [
        next((word for word in ("net", "held", "cools") if word in one), one) for one in said
    ]


@given(
    st.sampled_from([V4, V6, Pool(name="big", prefix="2001:db8:1::/64")]),
    st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(-3, 3))), max_size=12),
)
def test_what_is_chosen_may_be_given(pool: Pool, drawn: list[tuple[int, int | None]]) -> None:
    """Never held, never cooling, always of the pool; and none is left when none is chosen."""
    first, last = pool.span
    used = [
        Used(min(first + place, last), NOW + timedelta(days=days) if days is not None else None)
        for place, days in dict(drawn).items()
    ]
    used = list({one.number: one for one in used}.values())
    numbers = range(first, min(last, first + 20) + 1)
    givable = [number for number in numbers if not why_not_given(pool, number, used, now=NOW)]
    if givable:
        assert choose(pool, used, now=NOW) in givable
    else:
        with pytest.raises(InputError):
            choose(pool, used, now=NOW)


@pytest.mark.parametrize(
    ("name", "country"), [("", ""), ("P 4", ""), ("p4", "fr"), ("p4", "FRA"), ("p4", "F1 ")]
)
def test_a_wrong_name_or_country_is_refused(name: str, country: str) -> None:
    """Names as everywhere; a country is two capitals."""
    with pytest.raises(InputError):
        Pool(name=name, prefix="198.51.100.0/24", country=country)
