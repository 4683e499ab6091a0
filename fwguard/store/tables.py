"""Every table, imported once, so that metadata, migrations and relationships are whole."""

from __future__ import annotations

from sqlalchemy.orm import configure_mappers

from fwguard.store.addresses import HoldingRow
from fwguard.store.approved import BaselineRow, ReadingRow
from fwguard.store.audit import AuditRow
from fwguard.store.base import Base
from fwguard.store.cases import CaseMoveRow, CaseRow, EvidenceRow
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_ports import ArchitectureRow, EdgePortRow
from fwguard.store.edge_states import EdgeStateBodyRow, EdgeStateRow
from fwguard.store.edges import EdgeNonceRow, EdgeRow, EdgeTokenRow
from fwguard.store.inventory import FirewallRow, PublicAddressRow, ServerAddressRow, ServerRow
from fwguard.store.isolations import IsolationRow
from fwguard.store.jobs import JobRow
from fwguard.store.locks import DeviceLockRow
from fwguard.store.machine_states import MachineStateRow
from fwguard.store.mail import MailInRow, OutboxRow
from fwguard.store.numbers import NumberRow
from fwguard.store.openings import HolderRow, OpeningRow
from fwguard.store.people import ClientRow, ContactRow, RoleRow, TokenRow, UserRow
from fwguard.store.pools import PoolRow
from fwguard.store.pseudonyms import PseudonymRow
from fwguard.store.registrations import RegistrationRow
from fwguard.store.tickets import ApprovalRow, TicketEditorRow, TicketMoveRow, TicketRow
from fwguard.store.warrants import WarrantRow

configure_mappers()
METADATA = Base.metadata

__all__ = [
    "METADATA", "ApprovalRow", "ArchitectureRow", "AuditRow", "BaselineRow", "CaseMoveRow", "CaseRow",
    "ClientRow", "ContactRow", "DeviceLockRow", "EdgeEventRow", "EdgeNonceRow", "EdgePortRow", "EdgeRow",
    "EdgeStateBodyRow", "EdgeStateRow", "EdgeTokenRow", "EvidenceRow", "FirewallRow", "HolderRow",
    "HoldingRow", "IsolationRow", "JobRow", "MachineStateRow", "MailInRow", "NumberRow", "OpeningRow",
    "OutboxRow", "PoolRow", "PseudonymRow", "PublicAddressRow", "ReadingRow", "RegistrationRow",
    "RoleRow", "ServerAddressRow", "ServerRow", "TicketEditorRow", "TicketMoveRow", "TicketRow",
    "TokenRow", "UserRow", "WarrantRow",
]  # fmt: skip
