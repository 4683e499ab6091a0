"""What can be registered, and how a registration moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from fwguard.errors import ConflictError, InputError
from fwguard.model.controls import ServiceKind
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ICMP, TCP, parse_ports
from fwguard.model.registration import (
    MOVES,
    Registration,
    RegistrationEvent,
    RegistrationState,
    next_state,
)

NOW = datetime(2026, 3, 4, tzinfo=UTC)
GOOD = Registration(
    server="chat1", software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6660-6669"),
    ends_at=NOW + timedelta(days=30), reason="team chat",
)  # fmt: skip


def test_without_ports_it_is_meant_on_every_known_one() -> None:
    """Video chat has no port of its own."""
    assert not replace(GOOD, software=ServiceKind.VIDEOCHAT, ports=Intervals()).ports


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"protocol": ICMP}, "tcp, udp or sctp"),
        ({"ports": parse_ports("1-2000")}, "at most 1024"),
        ({"ends_at": datetime(2027, 1, 1)}, "time zone"),
        ({"reason": "  "}, "what it is for"),
        ({"reason": "x" * 3000}, "at most 2000"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, object], words: str) -> None:
    """Each with what was expected."""
    with pytest.raises(InputError, match=words):
        replace(GOOD, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("days", "words"), [(-1, "past"), (0, "past"), (3661, "ten years")])
def test_it_ends_in_bounds(days: int, words: str) -> None:
    """Not before now, and not for ever."""
    with pytest.raises(InputError, match=words):
        replace(GOOD, ends_at=NOW + timedelta(days=days)).must_end_after(NOW)
    GOOD.must_end_after(NOW)


def test_every_other_move_is_refused() -> None:
    """What is over stays over, and nobody decides twice."""
    for state, event in product(RegistrationState, RegistrationEvent):
        if (state, event) in MOVES:
            assert MOVES[state, event] is next_state(state, event)
        else:
            with pytest.raises(ConflictError, match=str(state)):
                next_state(state, event)
