"""The tables themselves: adopted, woken, made, removed; and their rules led to what they shall be."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fwguard.edge.structure import OUR_TABLES, SHUT_TABLES
from fwguard.errors import FwguardError
from fwguard.kernel import ruleset, scratch, tables
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import NFT_TABLE_F_DORMANT, Table
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.tables import Hold


def lead_to(
    socket: NetlinkSocket, wanted: scratch.Compiled, *, keep: Collection[str], owned: bool, tell: bool
) -> tuple[list[str], dict[str, Hold]]:
    """Make the rules and sets as wanted, the elements of `keep` left alone, and remove tables of ours beyond.

    Return in words what stood otherwise (where `tell` asks for it), and how each table is held.
    Raises as `ruleset.apply`.
    """
    asleep = dormant(socket, wanted.tables)
    for table in wanted.tables:
        # Adopted and woken apart: in the transaction that changes a table's flags no base chain can be made.
        there = tables.state_of(socket, table)
        if there is not None and there.is_orphan and owned:
            tables.hold(socket, table)
        elif there is not None and table in asleep:
            waking = tables.making(table, there.flags & ~NFT_TABLE_F_DORMANT, exclusive=False)
            raise_refused(socket.transact((waking,)), f"table {table}")
    found = [f"table {table} was dormant" for table in asleep]
    missing = absent(socket, wanted.tables)
    found += [f"table {table} was missing" for table in missing]
    if tell and not missing:
        found += ruleset.differences(socket, wanted, keep=keep)
    applied = ruleset.apply(socket, wanted, keep=keep, owned=owned)
    remove(socket, (table for table in (*OUR_TABLES, *SHUT_TABLES) if table not in wanted.tables))
    return found, {str(table): hold for table, hold in applied.held}


def absent(socket: NetlinkSocket, which: Iterable[Table]) -> list[Table]:
    """Return those of these tables that are not there."""
    return [table for table in which if tables.state_of(socket, table) is None]


def dormant(socket: NetlinkSocket, which: Iterable[Table]) -> list[Table]:
    """Return the tables that somebody put to sleep: nothing of them is asked (nft(8), TABLES)."""
    states = ((table, tables.state_of(socket, table)) for table in which)
    return [table for table, there in states if there is not None and there.flags & NFT_TABLE_F_DORMANT]


def remove(socket: NetlinkSocket, which: Iterable[Table]) -> None:
    """Remove tables of ours; one that is not there is no error. Raises NotAllowedError, CommitRefusedError."""
    for table in which:
        if tables.state_of(socket, table) is not None:
            tables.hold(socket, table)
            raise_refused(socket.transact((tables.removing(table),)), f"table {table}")


def take_over(socket: NetlinkSocket) -> dict[str, Hold]:
    """Adopt the tables of ours that are there, as they are; empty without any. Raises NotAllowedError."""
    return {
        str(table): tables.hold(socket, table)
        for table in OUR_TABLES
        if tables.state_of(socket, table) is not None
    }


def holds_tables() -> bool:
    """Tell whether the kernel holds a table of ours, whoever put it there."""
    try:
        with NetlinkSocket() as socket:
            return tables.state_of(socket, OUR_TABLES[0]) is not None
    except (FwguardError, OSError):
        return False
