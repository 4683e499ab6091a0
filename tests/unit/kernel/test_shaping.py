"""tc texts: what classes they make."""

from __future__ import annotations

import pytest

from fwguard.errors import InputError
from fwguard.kernel.shaping import ShapedClass, rate_bps, wanted_classes

_TEXT = """qdisc replace dev uplink root handle 1: htb default 0
class replace dev uplink parent 1: classid 1:1 htb rate 1gbit quantum 1514
# a client
class replace dev uplink parent 1:1 classid 1:002A htb rate 101mbit ceil 1gbit burst 32k
qdisc replace dev uplink parent 1:2a bfifo limit 64kb
"""


def test_the_classes_of_a_text() -> None:
    """Handles in one form, rates in bit/s, a ceiling left out is the rate."""
    assert (
        ShapedClass("uplink", "1:1", "root", 10**9, 10**9),
        ShapedClass("uplink", "1:2a", "1:1", 101_000_000, 10**9),
    ) == wanted_classes(_TEXT)


@pytest.mark.parametrize(
    ("word", "bps"),
    [
        ("101mbit", 101_000_000),
        ("1gbit", 10**9),
        ("1.5kbit", 1500),
        ("500kbps", 4_000_000),
        ("1kibit", 1024),
        ("8", 8),
    ],
)
def test_rates_as_tc_writes_them(word: str, bps: int) -> None:
    """Bits, or bytes with `bps`; factors of 1000, or 1024 with `i`."""
    assert bps == rate_bps(word)


@pytest.mark.parametrize(
    "bad", ["class add dev v0 parent 1: classid 1:2 htb rate fast", "class add dev v0 htb"]
)
def test_a_class_that_cannot_be_read_is_named_by_its_line(bad: str) -> None:
    """Nothing is applied from such a text."""
    with pytest.raises(InputError, match="tc line 2"):
        wanted_classes(f"\n{bad}\n")
