"""What the controller ordered cut, and what stays open by reason (clauses 6.1 and 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fwguard.compile.elements import Held, put
from fwguard.compile.places import Contents
from fwguard.model.controls import Passage
from fwguard.model.edge import EdgePort, EdgeState, Link
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.edge_grants import EdgeIsolation, Scope

COMBINATIONS: Final = (
    ("none", frozenset[Passage]()),
    ("console", frozenset({Passage.CONSOLE})),
    ("remediation", frozenset({Passage.REMEDIATION})),
    ("both", frozenset(Passage)),
)
_NAMES: Final = {passages: name for name, passages in COMBINATIONS}


def combination(passages: Iterable[Passage]) -> str:
    """Return the name of what stays open, as the chains `cut_NAME_from` and `cut_NAME_to` bear it."""
    return _NAMES[frozenset(passages)]


def isolated_ports(state: EdgeState, isolation: EdgeIsolation) -> Iterator[EdgePort]:
    """Return the started ports that an isolation speaks of."""
    for port in state.ports:
        if port.is_started and (port.number == isolation.port or port.architecture == isolation.architecture):
            yield port


def put_isolations(contents: Contents, state: EdgeState, now_s: int) -> None:
    """Fill the ordered cuts: by port and MAC, and by public address where one faces outside.

    What two isolations leave open together stays open; a cut of both lasts as long as the longer.
    """
    walled = walled_architectures(state)
    whole: dict[int, list[EdgeIsolation]] = {}
    ports = {port.number: port for port in state.ports}
    some: dict[int, list[EdgeIsolation]] = {}
    for isolation in state.isolations:
        if isolation.ends_at_s is not None and isolation.ends_at_s <= now_s:
            continue
        for port in isolated_ports(state, isolation):
            if isolation.scope is Scope.SERVICE:
                _put_service(contents, port, isolation)
                some.setdefault(port.number, []).append(isolation)
            else:
                whole.setdefault(port.number, []).append(isolation)
    for number, isolations in some.items():
        if number not in whole and ports[number].link is Link.ROUTED:
            _put_gate(contents, ports[number], isolations)
    for number, isolations in whole.items():
        _put_whole(contents, ports[number], isolations, is_outer(ports[number], walled))
    for rule in state.passages:
        for family in ("inet", "netdev"):
            for v, pairs in (("4", rule.peers.v4.pairs), ("6", rule.peers.v6.pairs)):
                for pair in pairs:
                    contents[family, f"{rule.passage}_peers{v}"][(pair,)] = Held(comment=f"8 {rule.passage}")
            for number in rule.ports:
                contents[family, f"{rule.passage}_ports"][(number,)] = Held(comment=f"8 {rule.passage}")


def _put_service(contents: Contents, port: EdgePort, isolation: EdgeIsolation) -> None:
    held = Held(ends_at_s=isolation.ends_at_s, comment=f"{isolation.clause} case {isolation.case}")
    if port.link is Link.BRIDGED:
        return
    for number in range(isolation.first_port, isolation.last_port + 1):
        put(contents["inet", "cut_ordered_service"], (port.interface, isolation.protocol, number), held)


def _put_gate(contents: Contents, port: EdgePort, isolations: list[EdgeIsolation]) -> None:
    """Lead the packets of a port with suspended services, and of no other, past the suspensions."""
    first = isolations[0]
    comment = f"{first.clause} case {first.case} {first.reason}"
    for name, chain in (("cut_ordered_from", "suspended_from"), ("cut_ordered_to", "suspended_to")):
        held = Held(data=f"jump {chain}", ends_at_s=_last_end(isolations), comment=comment)
        contents["inet", name][(port.interface,)] = held


def _last_end(isolations: list[EdgeIsolation]) -> int | None:
    ends = [one.ends_at_s for one in isolations]
    return None if None in ends else max(one for one in ends if one is not None)


def _put_whole(contents: Contents, port: EdgePort, isolations: list[EdgeIsolation], outer: bool) -> None:
    family = "inet" if port.link is Link.ROUTED else "netdev"
    stays = frozenset(Passage)
    for isolation in isolations:
        stays &= frozenset(isolation.stays_open)
    name = combination(stays)
    ends_at_s = _last_end(isolations)
    first = isolations[0]
    comment = f"{first.clause} case {first.case} {first.reason}"
    away = Held(data=f"jump cut_{name}_from", ends_at_s=ends_at_s, comment=comment)
    back = Held(data=f"jump cut_{name}_to", ends_at_s=ends_at_s, comment=comment)
    contents[family, "cut_ordered_from"][(port.interface,)] = away
    contents[family, "cut_ordered_to"][(port.interface,)] = back
    for mac in port.macs:
        contents[family, "cut_ordered_mac"][(mac,)] = away
    if outer and name == "none" and family == "inet":
        for v, pairs in (("v4", port.addresses.v4.pairs), ("v6", port.addresses.v6.pairs)):
            for low, high in pairs:
                if low == high:
                    held = Held(ends_at_s=ends_at_s, comment=comment)
                    contents["inet", f"cut_ordered_{v}"][(low,)] = held
