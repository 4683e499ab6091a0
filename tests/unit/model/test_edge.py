"""A state of an edge: what exists is valid, and its JSON form is exact."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.controls import Ladder, Reason, Rung
from fwguard.model.edge import EdgeState, PortState, Template
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import (
    ApprovedScan,
    EdgeIsolation,
    EdgeOpening,
    EdgeRegistration,
    Scope,
    Transfer,
)
from fwguard.model.edge_json import canonical_bytes, parse_state, state_from_json, state_to_json

Json = dict[str, Any]


def changed(change: Callable[[Json], None]) -> Json:
    """Return the JSON form of a good state with one thing changed."""
    value = json.loads(json.dumps(state_to_json(large_state(9, 1))))
    change(value)
    return dict(value)


def put(path: str, new: object) -> Callable[[Json], None]:
    """Return a change of one field, as "ports.3.macs"."""

    def change(value: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            value = value[int(step) if step.isdecimal() else step]
        value[int(last) if last.isdecimal() else last] = new

    return change


def test_the_json_form_is_exact() -> None:
    """What is written reads as the same state, and the same state gives the same bytes."""
    state = large_state(20, 3)
    data = canonical_bytes(state)
    assert state == parse_state(data)
    assert data == canonical_bytes(parse_state(data))
    assert b" " not in data


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        (put("ports.3.interface", "a b"), r"ports\[3\]\.interface", "1 to 15"),
        (put("ports.3.interface", "s" * 16), r"ports\[3\]\.interface", "1 to 15"),
        (put("ports.3.interface", 'x"; flush ruleset'), r"ports\[3\]\.interface", "1 to 15"),
        (put("ports.3.interface", "uplink"), r"ports\[3\]\.interface", "another interface"),
        (put("ports.3.interface", "s0-0"), r"ports\[3\]", "each once"),
        (put("ports.3.number", 1), r"ports\[3\]", "each once"),
        (put("ports.3.number", True), r"ports\[3\]\.number", "a whole number"),
        (put("ports.3.macs", ["01:00:5e:00:00:01"]), r"ports\[3\]\.macs", "unicast"),
        (put("ports.3.macs", []), r"ports\[3\]\.macs", "1 to 16"),
        (put("ports.3.macs", ["02:00:00:00:00:03"]), r"ports\[3\]\.macs", "one port each"),
        (put("ports.3.addresses", ["10.20.0.11"]), r"ports\[3\]\.addresses", "an address of one server"),
        (put("ports.3.addresses", ["10.20.0.0/24"]), r"ports\[\d\]\.addresses", "an address of one server"),
        (put("ports.3.addresses", []), r"ports\[3\]\.addresses", "spans"),
        (put("ports.3.addresses", ["10.20.0.9-10.20.0.1"]), r"ports\[3\]\.addresses", "range"),
        (put("ports.3.kind", "router"), r"ports\[3\]\.kind", "one of server"),
        (put("ports.3.zone", 0), r"ports\[3\]\.zone", "1 to 65535"),
        (put("ports.3.zone", 20000), r"ports\[3\]\.zone", "a zone for one client"),
        (put("ports.3.architecture", "c1"), r"ports\[3\]\.architecture", "its client"),
        (put("ports.3.color", "red"), r"ports\[3\]\.color", "one of number"),
        (put("openings.0.first_port", 9999), r"openings\[0\]\.ports", "the lower first"),
        (put("openings.0.public", "198.18.99.1"), r"openings\[0\]\.public", "IP version|addresses of the port"),
        (put("openings.0.port", 2), r"openings\[0\]\.port", "faces outside"),
        (put("openings.0.ticket", 'x"'), r"openings\[0\]\.ticket", "1 to 40"),
        (put("openings.0.clause", "; drop"), r"openings\[0\]\.clause", "clause"),
        (put("openings.0.sources", ["198.51.100.1"]), r"openings\[0\]\.sources", "target's version"),
        (put("openings.0.ends_at_s", -1), r"openings\[0\]\.ends_at_s", "1970"),
        (put("shares.0.number", 3), r"shares\[0\]\.number", "16 to 65520"),
        (put("shares.0.client", "nobody"), r"ports\[0\]\.client", "`shares`"),
        (put("uplink_bps", 0), "uplink_bps", "bit/s"),
        (put("uplinks", []), "uplinks", "1 to 16"),
        (put("controls.mail.ports", "25"), r"controls\.mail\.ports", "a list"),
        (put("architectures.0.own_sources", "any"), r"architectures\[0\]\.own_sources", "a list"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused_with_its_path(
    change: Callable[[Json], None], where: str, expected: str
) -> None:
    """The message names the path and what was expected there."""
    with pytest.raises(InputError, match=where) as caught:
        state_from_json(changed(change))
    assert any(word in str(caught.value) for word in expected.split("|"))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b'{"edge": NaN}', b'{"edge": "a", "edge": "b"}', b"[" * 100_000, b"\xff\xfe", b"null"],
)
def test_what_is_no_state_is_refused_with_its_file(data: bytes) -> None:
    """Whatever the bytes, the complaint is one line with the file's name."""
    with pytest.raises(InputError, match=r"^edge\.json: "):
        parse_state(data, "edge.json")


def test_two_clients_may_use_the_same_addresses_inside() -> None:
    """Their zones tell them apart; outside, no address is held twice."""
    state = large_state(16, 0)
    first, other = (port for port in state.ports if port.interface in ("s0-0", "s1-0"))
    assert first.addresses == other.addresses
    outer = replace(state.ports[0], addresses=state.outer_ports[1].addresses)
    with pytest.raises(InputError, match="an address of one server"):
        replace(state, ports=(outer, *state.ports[1:]))


def test_a_stopped_server_holds_no_address() -> None:
    """Its address may go to another (clause 4)."""
    state = large_state(2, 0)
    ports = list(state.ports)
    ports[2] = replace(ports[2], state=PortState.STOPPED)
    ports[3] = replace(ports[3], addresses=ports[2].addresses)
    assert replace(state, ports=tuple(ports)).ports[3].addresses == state.ports[2].addresses


def _state_with(**grants: Any) -> EdgeState:
    return replace(large_state(2, 0), **grants)


def _cut(**where: Any) -> EdgeIsolation:
    return EdgeIsolation(
        **{"scope": Scope.PORT, "reason": Reason.HACKED, "clause": "7.3", "case": 1, **where}
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: _cut(architecture="c0"), "scope"),
        (lambda: _cut(port=1, case=0), "case"),
        (lambda: _state_with(isolations=(_cut(port=99),)), "isolations"),
        (lambda: _state_with(registrations=(EdgeRegistration(port=1, kind="irc", ticket="R"),)), "registrations"),  # type: ignore[arg-type]
        (lambda: ApprovedScan(port=3, targets=ANY_ADDRESS, starts_at_s=9, ends_at_s=9, ticket="S"), "later"),
        (lambda: EdgeOpening(port=1, public=Span.parse("192.0.2.1"), protocol=1, first_port=8, last_port=8, ticket="T"),
         "no ports"),
        (lambda: replace(large_state(2, 0).architectures[0], template=Template.RETRIEVAL), "retrieval_ends_at_s"),
        (lambda: Transfer(public=Span(4, 9, 1), protocol=6, first_port=1, last_port=2, sources=AddressSet()), "lower"),
        (lambda: Ladder(rungs=(Rung.SERVER, Rung.WARN), window_s=1), "order"),
        (lambda: Ladder(rungs=(), window_s=1), "order"),
    ],
)  # fmt: skip
def test_a_grant_that_makes_no_sense_does_not_exist(make: Callable[[], object], expected: str) -> None:
    """What exists is valid."""
    with pytest.raises(InputError, match=expected):
        make()


def test_a_wide_prefix_is_no_clients_own_address() -> None:
    """Annex 2: a development architecture that the whole Internet reaches is none."""
    state = large_state(2, 0)
    wide = replace(
        state.architectures[0], template=Template.DEVELOPMENT, own_sources=AddressSet.parse("198.0.0.0/8")
    )
    with pytest.raises(InputError, match="Annex 2"):
        replace(state, architectures=(wide, *state.architectures[1:]))


def test_the_nth_breach_meets_the_nth_rung() -> None:
    """And every later one the last."""
    ladder = Ladder(rungs=(Rung.WARN, Rung.SERVER), window_s=60)
    assert [Rung.WARN, Rung.SERVER, Rung.SERVER] == [ladder.rung(earlier) for earlier in range(3)]
