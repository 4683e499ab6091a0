"""What one edge shall enforce now, from the tables and the rules: read in one moment, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from fwguard.config import Settings
from fwguard.errors import FwguardError, InputError
from fwguard.flows.edge_openings import Asked, Outer, let_in
from fwguard.flows.house import House
from fwguard.model.address import AddressSet
from fwguard.model.controls import Controls, Passage
from fwguard.model.edge import EdgePort, EdgeState, PortKind, PortState
from fwguard.model.edge_grants import (
    ClientShare,
    CutRelease,
    EdgeIsolation,
    EdgeOpening,
    EdgeRegistration,
    PassageRule,
    Scope,
)
from fwguard.model.inventory import Role
from fwguard.model.machine_state import MachineState
from fwguard.store.addresses import subject_of
from fwguard.store.approved import BaselineRow
from fwguard.store.edge_ports import ArchitectureRow, EdgePortRow
from fwguard.store.edges import EdgeRow
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.isolations import IsolationRow, isolations_touching, to_take_back
from fwguard.store.machine_states import states_by_subject
from fwguard.store.openings import HolderRow, OpeningRow
from fwguard.store.registrations import registrations_holding

FIRST_SHARE = 16  # class numbers below are the kernel's own


@dataclass(frozen=True, slots=True)
class Content:
    """A state without its number (epoch and generation 0), and what a person should know about it."""

    state: EdgeState
    doubts: tuple[str, ...]


def content_of(session: Session, house: House, edge: EdgeRow) -> Content:
    """Return what the edge shall enforce. Raises InputError when the tables contradict each other."""
    rows, doubts = _port_rows(session, edge), list[str]()
    ports = _ports(session, rows, doubts)
    by_number = {row.id: row for row in rows}
    there = [by_number[port.number] for port in ports]
    controls = house.rulebook.controls
    state = EdgeState(
        edge=edge.name, epoch=0, generation=0, uplinks=edge.uplink_names, uplink_bps=edge.uplink_bps,
        ports=tuple(ports),
        architectures=tuple(one.value(controls.firewall.mode) for one in _architectures(there)),
        openings=tuple(_openings(session, there, {port.number: port for port in ports}, doubts)),
        registrations=tuple(_registrations(session, there, at=house.clock())),
        isolations=tuple(_isolations(session, there)),
        releases=tuple(
            CutRelease(port=row.cut_port, cut=row.cut_id or "", case=row.case_id) for row in to_take_back(session, edge)
        ),
        monitoring=AddressSet.parse(*house.settings.monitoring),
        passages=tuple(_passages(house.settings)),
        shares=tuple(_shares(there, controls)),
        controls=controls,
    )  # fmt: skip
    return Content(state, tuple(doubts))


def _port_rows(session: Session, edge: EdgeRow) -> list[EdgePortRow]:
    query = select(EdgePortRow).where(EdgePortRow.edge_id == edge.id).order_by(EdgePortRow.id)
    loaded = query.options(
        joinedload(EdgePortRow.client), joinedload(EdgePortRow.architecture).joinedload(ArchitectureRow.client),
        joinedload(EdgePortRow.server).selectinload(ServerRow.addresses),
        joinedload(EdgePortRow.firewall).options(
            selectinload(FirewallRow.public), selectinload(FirewallRow.servers).selectinload(ServerRow.addresses)
        ),
    )  # fmt: skip
    return list(session.scalars(loaded))


def _ports(session: Session, rows: Iterable[EdgePortRow], doubts: list[str]) -> list[EdgePort]:
    """Return the ports; one whose machine has no address is left out, so that nothing passes there."""
    states, ports = states_by_subject(session), list[EdgePort]()
    for row in rows:
        machine, kind = row.machine, row.kind
        texts = row.addresses.split()
        if row.server is not None:
            texts += [it.address for it in row.server.addresses]
        elif row.firewall is not None and kind is PortKind.FIREWALL_OUT:
            texts += [it.address for it in row.firewall.public]
        if not texts:
            doubts.append(f"{row.interface}: {machine.name} has no address, so nothing passes there")
            continue
        known = states.get(subject_of(machine))
        runs = known is None or known.state is MachineState.RUNNING
        ports.append(
            EdgePort(
                number=row.id, interface=row.interface, kind=kind, link=row.link, client=row.client.name,
                architecture=row.architecture.name, server=machine.name, macs=tuple(row.macs.split()),
                addresses=AddressSet.parse(*texts), role=row.server.role if row.server else Role.GENERAL,
                zone=row.zone, routing_table=row.routing_table,
                state=PortState.STARTED if runs else PortState.STOPPED,
            )
        )  # fmt: skip
    return ports


def _architectures(rows: Iterable[EdgePortRow]) -> list[ArchitectureRow]:
    found = {row.architecture_id: row.architecture for row in rows}
    return [found[number] for number in sorted(found)]


def _openings(
    session: Session, rows: list[EdgePortRow], ports: dict[int, EdgePort], doubts: list[str]
) -> Iterable[EdgeOpening]:
    """Yield what the approved policy of each firewall lets in; of one that nobody approved, nothing."""
    outer = [
        (row, row.firewall) for row in rows if row.kind is PortKind.FIREWALL_OUT and row.firewall is not None
    ]
    ids = {firewall.id for _, firewall in outer}
    query = select(BaselineRow).where(BaselineRow.current, BaselineRow.firewall_id.in_(ids))
    baselines = {row.firewall_id: row for row in session.scalars(query)}
    asked = _asked(session, ids)
    for row, firewall in outer:
        baseline = baselines.get(firewall.id)
        if baseline is None:
            doubts.append(f"{firewall.name} has no approved state, so nothing is opened to it")
            continue
        behind = [it.address for server in firewall.servers for it in server.addresses]
        there = Outer(
            number=row.id, held=ports[row.id].addresses, servers=AddressSet.parse(*behind),
            device_interface=row.device_interface,
        )  # fmt: skip
        try:
            let = let_in(firewall.platform, baseline.snapshot, there, tuple(asked.get(firewall.id, ())))
        except FwguardError as error:
            doubts.append(f"{firewall.name}: its approved state cannot be read, nothing is opened: {error}")
            continue
        doubts += [f"{firewall.name}: {doubt}" for doubt in let.doubts]
        yield from let.openings


def _asked(session: Session, firewalls: set[int]) -> dict[int, list[Asked]]:
    """Return what is open because someone asked: until its last holder's end, under its first holder's ticket."""
    query = select(OpeningRow).where(
        OpeningRow.firewall_id.in_(firewalls),
        OpeningRow.ended_at.is_(None),
        OpeningRow.deployed_at.is_not(None),
    )
    holders = selectinload(OpeningRow.holders).joinedload(HolderRow.ticket)
    asked: dict[int, list[Asked]] = {}
    for row in session.scalars(query.options(holders).order_by(OpeningRow.id)):
        live = [holder for holder in row.holders if holder.released_at is None]
        if not live:
            continue
        ends = [holder.ends_at for holder in live if holder.ends_at is not None]
        until = int(max(ends).timestamp()) if len(ends) == len(live) else None
        asked.setdefault(row.firewall_id, []).append(Asked(row.change, live[0].ticket.number, until))
    return asked


def _registrations(session: Session, rows: list[EdgePortRow], *, at: datetime) -> Iterable[EdgeRegistration]:
    ports = [(row.server_id, row.id) for row in rows if row.server_id is not None]
    for one in registrations_holding(session, at=at):
        for server_id, number in ports:
            if server_id == one.server_id:
                yield EdgeRegistration(
                    port=number, kind=one.software, ends_at_s=int(one.ends_at.timestamp()), ticket=one.number,
                    ports=tuple((one.protocol, low, high) for low, high in one.port_set),
                )  # fmt: skip


def _isolations(session: Session, rows: list[EdgePortRow]) -> Iterable[EdgeIsolation]:
    """Yield what is ordered cut here: at every port of the machine, or the architecture whole."""
    for one in isolations_touching(session, rows):
        if one.is_flow:
            continue
        if one.architecture is not None:
            yield _ordered(one, 0, one.architecture.name)
            continue
        for row in rows:
            if (row.server_id, row.firewall_id) == (one.server_id, one.firewall_id):
                yield _ordered(one, row.id, "")


def _ordered(one: IsolationRow, port: int, architecture: str) -> EdgeIsolation:
    return EdgeIsolation(
        scope=one.scope, port=port, architecture=architecture, protocol=one.protocol, first_port=one.first_port,
        last_port=one.last_port, reason=one.reason, clause=one.clause, case=one.case_id,
        stays_open=one.passages if one.scope is not Scope.SERVICE else (),
        ends_at_s=int(one.ends_at.timestamp()) if one.ends_at else None,
    )  # fmt: skip


def _passages(settings: Settings) -> Iterable[PassageRule]:
    for passage, peers, ports in (
        (Passage.CONSOLE, settings.console_from, settings.console_ports),
        (Passage.REMEDIATION, settings.remediation_to, settings.remediation_ports),
    ):
        if peers:
            try:
                numbers = tuple(int(port) for port in ports)
            except ValueError:
                raise InputError(f"{ports}", where=f"{passage}_ports", expected="port numbers") from None
            yield PassageRule(passage=passage, peers=AddressSet.parse(*peers), ports=numbers)


def _shares(rows: Iterable[EdgePortRow], controls: Controls) -> Iterable[ClientShare]:
    """Yield each client's share; its class has the same number on every edge, for good."""
    clients = {row.client_id: row.client.name for row in rows}
    for client_id, name in sorted(clients.items()):
        yield ClientShare(
            client=name, number=FIRST_SHARE + client_id, assured_bps=controls.bandwidth.assured_bps
        )
