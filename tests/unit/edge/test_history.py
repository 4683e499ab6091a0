"""What an edge remembers of its answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.edge.history import MOST_CLAUSES, MOST_NOTICES, MOST_STANDING, MOST_TIMES, History
from fwguard.edge.measure import Action, Connection, Cut, Measure
from fwguard.errors import InputError
from fwguard.model.detection import Detector, Reason

ACTIONS = st.sampled_from([Action.FLOW, Action.PORT, Action.SERVICE, Action.SERVER])
TIMES = st.floats(0, 2e9, allow_nan=False)


@st.composite
def measures(draw: st.DrawFn) -> Measure:
    """Return anything that could have been done."""
    port, at_s = draw(st.integers(0, 40)), draw(TIMES)
    clause = draw(st.sampled_from([f"7.{n}" for n in range(20)]))
    cut = None
    if draw(st.booleans()) and port:
        action = draw(ACTIONS)
        number = draw(st.integers(1, 65535))
        connection = Connection(peer="2001:db8::1", protocol=6, server_port=number, peer_port=443)
        cut = Cut(
            action=action, port=port, clause=clause, since_s=at_s, until_s=draw(st.none() | TIMES),
            connection=connection if action is Action.FLOW else None,
            ranges=((6, number, number),) if action in (Action.PORT, Action.SERVICE) else (),
        )  # fmt: skip
    action = cut.action if cut else draw(st.sampled_from([Action.NOTHING, Action.WARN]))
    return Measure(
        action=action, detector=Detector.IRC, clause=clause, why=Reason("ladder"), at_s=at_s, port=port,
        client=draw(st.sampled_from(["a", "b", "é"])), cut=cut, breach=draw(st.booleans()),
        notice=draw(st.sampled_from(["", clause, "low " + clause])),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    done=st.lists(measures(), max_size=40),
    released=st.lists(st.tuples(st.integers(1, 40), TIMES), max_size=4),
)
def test_what_is_read_is_what_was_written(done: list[Measure], released: list[tuple[int, float]]) -> None:
    """Byte for byte, and every bound holds."""
    history = History(most_ports=8)
    for measure in done:
        history.take(measure, window_s=60)
    for port, at_s in released:
        history.released(port, at_s)
    written = history.to_bytes()
    assert written == json.dumps(json.loads(written), sort_keys=True, separators=(",", ":")).encode()
    assert written == history.to_bytes()
    again = History.from_bytes(written)
    assert (written, history.records, history.clients, history.now_s, history.dropped) == (
        again.to_bytes(), again.records, again.clients, again.now_s, again.dropped,
    )  # fmt: skip
    assert len(history.records) <= 8
    for record in history.records.values():
        assert len(record.breaches) <= MOST_CLAUSES and len(record.warned) <= MOST_NOTICES
        assert len(record.standing) <= MOST_STANDING and len(record.cut_at) <= MOST_TIMES


@settings(max_examples=150, deadline=None)
@given(noise=st.binary(max_size=200), at=st.integers(0, 300), value=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read(noise: bytes, at: int, value: int) -> None:
    """Nothing but InputError comes of what a disk gave back."""
    history = History()
    cut = Cut(action=Action.SERVER, port=3, clause="7.1", since_s=1.0)
    done = Measure(
        action=Action.SERVER, detector=Detector.FLOOD, clause="7.1", why=Reason("ladder"), at_s=1.0, port=3,
        client="a", cut=cut, breach=True,
    )  # fmt: skip
    history.take(done, window_s=60)
    damaged = bytearray(history.to_bytes())
    damaged[at % len(damaged)] = value
    for data in (noise, bytes(damaged), bytes(damaged[:at])):
        try:
            History.from_bytes(data)
        except InputError:
            continue


def test_what_stands_is_forgotten_last() -> None:
    """A full memory lets go of ports that are not cut."""
    history = History(most_ports=2)
    for port in (1, 2, 3):
        cut = Cut(action=Action.SERVER, port=port, clause="7.1", since_s=1.0) if port == 1 else None
        history.take(
            Measure(
                action=Action.SERVER if cut else Action.WARN, detector=Detector.IRC, clause="7.5",
                why=Reason("ladder"), at_s=float(port), port=port, cut=cut, breach=True,
            ),
            window_s=60,
        )  # fmt: skip
    assert ({1, 3}, 1) == (set(history.records), history.dropped)


def test_a_clock_that_is_set_back_stands_still() -> None:
    """So that nobody is forgotten by the breaker before its time."""
    history = History()
    history.now_s = 100.0
    assert (100.0, 101.0) == (history.at(5.0), history.at(101.0))


@pytest.mark.parametrize("data", [b"", b"[]", b'{"version":2}', b'{"version":1}', b"\xff"])
def test_what_is_no_history_is_refused(data: bytes) -> None:
    """With its file."""
    with pytest.raises(InputError, match="history"):
        History.from_bytes(data)
