"""Clients see their own and nothing else: a session limited to one client cannot read another's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Column, ColumnClause, ColumnElement, TextClause, event, false, or_, select, true
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql import visitors

from fwguard.errors import NotAllowedError
from fwguard.store.addresses import HoldingRow
from fwguard.store.approved import BaselineRow, ReadingRow
from fwguard.store.audit import StoreSession
from fwguard.store.base import Base
from fwguard.store.cases import CaseMoveRow, CaseRow, EvidenceRow
from fwguard.store.edge_ports import ArchitectureRow, EdgePortRow
from fwguard.store.inventory import FirewallRow, PublicAddressRow, ServerAddressRow, ServerRow
from fwguard.store.isolations import IsolationRow
from fwguard.store.machine_states import MachineStateRow
from fwguard.store.mail import MailInRow, OutboxRow
from fwguard.store.openings import HolderRow, OpeningRow
from fwguard.store.people import ClientRow, ContactRow, RoleRow, UserRow
from fwguard.store.registrations import RegistrationRow
from fwguard.store.tickets import ApprovalRow, TicketMoveRow, TicketRow

_CLIENT: Final = "fwguard_client_id"


def _through(column: Any, parent: type[Base]) -> Callable[[int], ColumnElement[bool]]:
    """Return the criterion of rows that belong to a client through another table."""
    table = Base.metadata.tables[parent.__tablename__]

    def criterion(client_id: int) -> ColumnElement[bool]:
        result: ColumnElement[bool] = column.in_(select(table.c.id).where(table.c.client_id == client_id))
        return result

    return criterion


def _of_machines(client_id: int) -> ColumnElement[bool]:
    """Return the criterion of rows that belong to a client's server or firewall."""
    return or_(
        _through(MachineStateRow.server_id, ServerRow)(client_id),
        _through(MachineStateRow.firewall_id, FirewallRow)(client_id),
    )


# A table that does not stand here cannot be read by a limited session at all.
VISIBLE: Final[Mapping[type[Base], Callable[[int], ColumnElement[bool]]]] = {
    ClientRow: lambda client_id: ClientRow.id == client_id,
    ContactRow: lambda client_id: ContactRow.client_id == client_id,
    UserRow: lambda client_id: UserRow.client_id == client_id,
    RoleRow: lambda _: true(),
    FirewallRow: lambda client_id: FirewallRow.client_id == client_id,
    PublicAddressRow: _through(PublicAddressRow.firewall_id, FirewallRow),
    ServerRow: lambda client_id: ServerRow.client_id == client_id,
    ServerAddressRow: _through(ServerAddressRow.server_id, ServerRow),
    BaselineRow: _through(BaselineRow.firewall_id, FirewallRow),
    ReadingRow: _through(ReadingRow.firewall_id, FirewallRow),
    TicketRow: lambda client_id: TicketRow.client_id == client_id,
    TicketMoveRow: _through(TicketMoveRow.ticket_id, TicketRow),
    ApprovalRow: _through(ApprovalRow.ticket_id, TicketRow),
    OpeningRow: lambda client_id: OpeningRow.client_id == client_id,
    HolderRow: _through(HolderRow.opening_id, OpeningRow),
    CaseRow: lambda client_id: CaseRow.client_id == client_id,
    CaseMoveRow: _through(CaseMoveRow.case_id, CaseRow),
    EvidenceRow: _through(EvidenceRow.case_id, CaseRow),
    MailInRow: lambda client_id: MailInRow.client_id == client_id,
    OutboxRow: lambda client_id: OutboxRow.client_id == client_id,
    HoldingRow: lambda client_id: HoldingRow.client_id == client_id,
    MachineStateRow: _of_machines,
    RegistrationRow: lambda client_id: RegistrationRow.client_id == client_id,
    ArchitectureRow: lambda client_id: ArchitectureRow.client_id == client_id,
    EdgePortRow: lambda client_id: EdgePortRow.client_id == client_id,
    IsolationRow: lambda client_id: IsolationRow.client_id == client_id,
}


def limit_to_client(session: Session, client_id: int) -> Session:
    """Make a fresh session see rows of one client only, and write nothing; return it.

    Every ORM query, `get` and relationship is filtered. Raises NotAllowedError, then and later: the
    session has read already, another table, text or table queries, any write.
    """
    if len(session.identity_map) or session.new or not isinstance(session, StoreSession):
        raise NotAllowedError("this session has seen rows already: limit a fresh one")
    session.info[_CLIENT] = client_id
    return session


@event.listens_for(StoreSession, "do_orm_execute")
def _filter(state: ORMExecuteState) -> None:
    client_id = state.session.info.get(_CLIENT)
    if client_id is None:
        return
    hidden = [mapper.class_.__name__ for mapper in state.all_mappers if mapper.class_ not in VISIBLE]
    by_hand = not state.is_relationship_load and not state.is_column_load
    if not state.is_select or not state.is_orm_statement or hidden or (by_hand and _is_bare(state)):
        raise NotAllowedError(f"a client's session reads {', '.join(hidden) or 'only its own rows'}: refused")
    state.statement = state.statement.options(
        *(
            with_loader_criteria(
                mapper.class_,
                VISIBLE[mapper.class_](client_id) if mapper.class_ in VISIBLE else false(),
                include_aliases=True,
            )
            for mapper in Base.registry.mappers
        )
    )


def _is_bare(state: ORMExecuteState) -> bool:
    """Tell whether a statement names a column of a table, or text, which no criterion reaches."""
    # `get` compares the bare key column of the very table that it reads, which is filtered.
    read = {mapper.local_table for mapper in state.all_mappers}
    return any(
        isinstance(part, TextClause)
        or (isinstance(part, ColumnClause) and part.is_literal and part.name != "*")
        or (isinstance(part, Column) and "parententity" not in part._annotations and part.table not in read)
        for part in visitors.iterate(state.statement)  # type: ignore[arg-type]  # every Select can be walked
    )


@event.listens_for(StoreSession, "before_flush")
def _refuse_writes(session: Session, _context: Any, _instances: Any) -> None:
    if session.info.get(_CLIENT) is not None and (session.new or session.dirty or session.deleted):
        raise NotAllowedError("a client's session writes nothing")
