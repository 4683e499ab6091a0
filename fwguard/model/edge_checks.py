"""What must hold over a whole state of an edge, so that the compiler never meets a contradiction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from fwguard.errors import InputError
from fwguard.model.address import show_address
from fwguard.model.edge_fields import check_interface, check_name

if TYPE_CHECKING:
    from fwguard.model.edge import EdgePort, EdgeState

MOST_UPLINKS: Final = 16
MOST_PORTS: Final = 65536
MOST_OPENINGS: Final = 1_000_000
MOST_OTHERS: Final = 262_144


def check_state(state: EdgeState) -> None:
    """Raise InputError that names the first field that contradicts another. Cost: n log n."""
    check_name("edge", state.edge)
    for where, number in (("epoch", state.epoch), ("generation", state.generation)):
        if not 0 <= number < 1 << 63:
            raise InputError(f"{number}", where=where, expected="0 or more")
    if not 1000 <= state.uplink_bps <= 10**13:
        raise InputError(f"{state.uplink_bps}", where="uplink_bps", expected="1000 to 10**13 bit/s")
    _check_sizes(state)
    for index, name in enumerate(state.uplinks):
        check_interface(f"uplinks[{index}]", name)
    _check_once("uplinks", state.uplinks)
    _check_architectures(state)
    _check_ports(state)
    _check_addresses(state)
    _check_grants(state)
    _check_shares(state)
    _check_once("passages", (rule.passage for rule in state.passages))


def walled_architectures(state: EdgeState) -> frozenset[str]:
    """Return the architectures that stand behind a firewall: only its outside faces the others."""
    return frozenset(port.architecture for port in state.ports if port.kind.value != "server")


def is_outer(port: EdgePort, walled: frozenset[str]) -> bool:
    """Tell whether a port faces the uplinks and other clients, given the walled architectures."""
    return port.kind.value == "firewall-out" or port.architecture not in walled


def _check_sizes(state: EdgeState) -> None:
    bounds = (
        ("uplinks", state.uplinks, 1, MOST_UPLINKS),
        ("ports", state.ports, 0, MOST_PORTS),
        ("architectures", state.architectures, 0, MOST_PORTS),
        ("openings", state.openings, 0, MOST_OPENINGS),
        ("registrations", state.registrations, 0, MOST_OTHERS),
        ("isolations", state.isolations, 0, MOST_OTHERS),
        ("releases", state.releases, 0, MOST_OTHERS),
        ("approved_scans", state.approved_scans, 0, MOST_OTHERS),
        ("passages", state.passages, 0, 2),
        ("shares", state.shares, 0, MOST_PORTS),
    )
    for where, values, least, most in bounds:
        if not least <= len(values) <= most:
            raise InputError(f"{len(values)} of them", where=where, expected=f"{least} to {most}")


def _check_once(where: str, values: Iterable[object]) -> None:
    first_at: dict[object, int] = {}
    for index, value in enumerate(values):
        if value in first_at:
            raise InputError(
                f"{value} stands at {where}[{first_at[value]}] already",
                where=f"{where}[{index}]",
                expected="each once",
            )
        first_at[value] = index


def _check_architectures(state: EdgeState) -> None:
    _check_once("architectures", (one.name for one in state.architectures))
    own = state.controls.development
    for index, one in enumerate(state.architectures):
        for pairs, bits in (
            (one.own_sources.v4.pairs, 32 - own.shortest_prefix4),
            (one.own_sources.v6.pairs, 128 - own.shortest_prefix6),
        ):
            if one.template.value == "development" and any(
                last - first >= 1 << bits for first, last in pairs
            ):
                raise InputError(
                    f"{one.own_sources}",
                    where=f"architectures[{index}].own_sources",
                    expected=f"prefixes of /{own.shortest_prefix4} or /{own.shortest_prefix6} at least (Annex 2)",
                )
    clients = {one.name: one.client for one in state.architectures}
    for index, port in enumerate(state.ports):
        if clients.get(port.architecture) != port.client:
            raise InputError(
                f"architecture {port.architecture} of client {port.client}",
                where=f"ports[{index}].architecture",
                expected="an architecture of `architectures` and its client",
            )


def _check_ports(state: EdgeState) -> None:
    _check_once("ports", (port.number for port in state.ports))
    _check_once("ports", (port.interface for port in state.ports))
    macs: dict[str, int] = {}
    uplinks = set(state.uplinks)
    zones: dict[int, tuple[str, bool]] = {}
    walled = walled_architectures(state)
    for index, port in enumerate(state.ports):
        if port.interface in uplinks:
            raise InputError(
                f"{port.interface} is an uplink",
                where=f"ports[{index}].interface",
                expected="another interface",
            )
        for mac in port.macs:
            if macs.setdefault(mac, index) != index:
                raise InputError(
                    f"{mac} is that of ports[{macs[mac]}] too",
                    where=f"ports[{index}].macs",
                    expected="one port each",
                )
        side = port.client, is_outer(port, walled)
        if zones.setdefault(port.zone, side) != side:
            raise InputError(
                f"zone {port.zone} is that of {zones[port.zone][0]}",
                where=f"ports[{index}].zone",
                expected="a zone for one client, its inside or its outside",
            )


def _check_addresses(state: EdgeState) -> None:
    """No address has two holders: among all that face outside, and within each client's inside (clause 4)."""
    walled = walled_architectures(state)
    spans: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for index, port in enumerate(state.ports):
        if not port.is_started:
            continue
        side = 0 if is_outer(port, walled) else port.zone
        spans.setdefault((side, 4), []).extend((low, high, index) for low, high in port.addresses.v4.pairs)
        spans.setdefault((side, 6), []).extend((low, high, index) for low, high in port.addresses.v6.pairs)
    for (_, version), all_spans in spans.items():
        all_spans.sort()
        for (_, before_last, before), (first, _, index) in pairwise(all_spans):
            if first <= before_last:
                holder = state.ports[before]
                raise InputError(
                    f"{show_address(version, first)} is that of {holder.server} (ports[{before}]) too",
                    where=f"ports[{index}].addresses",
                    expected="an address of one server",
                )


def _check_grants(state: EdgeState) -> None:
    walled = walled_architectures(state)
    ports = {port.number: port for port in state.ports}
    outer = {port.number: port.addresses for port in state.ports if is_outer(port, walled)}
    for index, opening in enumerate(state.openings):
        held = outer.get(opening.port)
        if held is None:
            raise InputError(
                f"{opening.port}",
                where=f"openings[{index}].port",
                expected="the id of a port that faces outside",
            )
        version, first, last = opening.public
        pairs = held.v4.pairs if version == 4 else held.v6.pairs
        if not any(low <= first and last <= high for low, high in pairs):
            raise InputError(
                f"{opening.public} is not held by port {opening.port}",
                where=f"openings[{index}].public",
                expected="addresses of the port",
            )
    for index, registration in enumerate(state.registrations):
        if registration.port not in ports or ports[registration.port].kind.value != "server":
            raise InputError(
                f"{registration.port}",
                where=f"registrations[{index}].port",
                expected="the id of a server's port",
            )
    names = {one.name for one in state.architectures}
    for index, isolation in enumerate(state.isolations):
        if isolation.port not in ports if isolation.port else isolation.architecture not in names:
            raise InputError(
                f"{isolation.port or isolation.architecture}",
                where=f"isolations[{index}]",
                expected="one that exists",
            )
    for index, scan in enumerate(state.approved_scans):
        if scan.port not in ports:
            raise InputError(
                f"{scan.port}", where=f"approved_scans[{index}].port", expected="the id of a port"
            )
    _check_transfers(state, walled)


def _check_transfers(state: EdgeState, walled: frozenset[str]) -> None:
    held: dict[str, list[tuple[int, int, int]]] = {}
    for port in state.ports:
        if is_outer(port, walled):
            spans = held.setdefault(port.architecture, [])
            spans += [(4, *pair) for pair in port.addresses.v4.pairs]
            spans += [(6, *pair) for pair in port.addresses.v6.pairs]
    for index, one in enumerate(state.architectures):
        for at, transfer in enumerate(one.transfers):
            version, first, last = transfer.public
            if not any(
                v == version and low <= first and last <= high for v, low, high in held.get(one.name, [])
            ):
                raise InputError(
                    f"{transfer.public}",
                    where=f"architectures[{index}].transfers[{at}].public",
                    expected=f"an outer address of {one.name}",
                )


def _check_shares(state: EdgeState) -> None:
    _check_once("shares", (share.client for share in state.shares))
    _check_once("shares", (share.number for share in state.shares))
    known = {share.client for share in state.shares}
    for index, port in enumerate(state.ports):
        if port.client not in known:
            raise InputError(
                f"client {port.client} has no share",
                where=f"ports[{index}].client",
                expected="a line in `shares`",
            )
