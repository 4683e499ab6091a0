"""Clause 7.1.1: what a firewall streams is seen without any polling, by every firewall that can show it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guarded import STREAMED, Guarded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("platform")]
NEVER_S = 600


@pytest.fixture(scope="module")
def unpolled(guarded: Guarded) -> Iterator[Guarded]:
    """The same platform with a controller that polls so seldom that it never does here."""
    guarded.room.restart(poll_s=NEVER_S)
    yield guarded
    guarded.room.restart(poll_s=5)


@pytest.mark.parametrize("way", STREAMED)
def test_what_a_firewall_streams_is_seen_undone_and_told(unpolled: Guarded, way: str) -> None:
    """Each way ends in one closed case with words, a firewall as approved, and a mail to the contact."""
    names = unpolled.having(way)
    if way == "set-add":  # iptables has its sets from ipset, which streams nothing
        names.remove("fw-globex")
    unpolled.seen_undone_and_told(way, names)
