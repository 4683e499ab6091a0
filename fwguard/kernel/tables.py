"""A table that outlives its owner and that nobody else may change, where the kernel has such tables.

Linux 6.9 on: NFT_TABLE_F_OWNER ties a table to one netlink socket (others get EPERM, and their `flush ruleset`
leaves it out); with NFT_TABLE_F_PERSIST it stays when that socket closes, as an orphan that another socket may
adopt. From the moment that the owner is gone until it is adopted, anyone may change it.

Source: net/netfilter/nf_tables_api.c, nf_tables_newtable, nf_tables_updtable, nft_rcv_nl_event.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from fwguard.errors import ConflictError, NotAllowedError, PartialReadingError
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.generation import generation
from fwguard.kernel.messages import (
    NFNL_SUBSYS_NFTABLES,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Refusal,
    Request,
    netfilter,
)
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import error_for, numbers, raise_refused

T = TypeVar("T")
_STEADY_TRIES: Final = 10
OWNED: Final = n.NFT_TABLE_F_OWNER | n.NFT_TABLE_F_PERSIST


class Hold(Enum):
    """How firmly a table is held; the value is what an operator reads."""

    CREATED = "made anew, owned by this process and persistent"
    ADOPTED = "found without an owner and adopted with all that it held"
    KEPT = "owned by this socket already"
    SHARED = (
        "not owned (it was not asked for, or this kernel has no owned, persistent tables: Linux 6.9 on): anyone "
        "with CAP_NET_ADMIN may change or flush it, and traffic passes unjudged until it is repaired"
    )
    LOOSE = (
        "the table is there without the persist flag, which cannot be given later: anyone with CAP_NET_ADMIN "
        "may change or flush it until it is made anew"
    )

    @property
    def is_firm(self) -> bool:
        """Tell whether another's `flush ruleset` leaves the table in place."""
        return self in (Hold.CREATED, Hold.ADOPTED, Hold.KEPT)


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as the kernel shows it; `owner` is a netlink port id, 0 for none."""

    table: n.Table
    flags: int
    owner: int

    @property
    def is_orphan(self) -> bool:
        """Tell whether it persists and has no owner, so that it can be adopted."""
        return self.flags & OWNED == n.NFT_TABLE_F_PERSIST


def state_of(socket: NetlinkSocket, table: n.Table) -> TableState | None:
    """Return the table's flags and owner, None when there is no such table."""
    request = netfilter(
        NFNL_SUBSYS_NFTABLES, n.NFT_MSG_GETTABLE, table.number, a.text(n.NFTA_TABLE_NAME, table.name),
        what=f"table {table}",
    )  # fmt: skip
    messages, refusal = socket.ask(request)
    if refusal is not None and refusal.number != errno.ENOENT:
        raise error_for(refusal.number, f"table {table}", refusal.words)
    for message in messages:
        parts = a.table_of(message.body[4:])
        flags, owner = parts.get(n.NFTA_TABLE_FLAGS, b""), parts.get(n.NFTA_TABLE_OWNER, b"")
        return TableState(table, a.read_be32(flags), a.read_be32(owner))
    return None


def hold(socket: NetlinkSocket, table: n.Table) -> Hold:
    """Make the table, or adopt it with all that it holds, so that only this socket may change it.

    A table that is there stays as it is, with all its elements. Where the kernel has no such flags a plain
    table is made, and the answer says so.

    Raises:
        NotAllowedError: another socket owns it; the message names its port.
    """
    # Tried again: a table may come or go between looking and writing.
    for _ in range(3):
        found = state_of(socket, table)
        refused, held = _attempt(socket, table, found)
        if not refused:
            return held
        if not numbers(refused) <= {errno.EEXIST, errno.ENOENT, errno.EOPNOTSUPP}:
            raise_refused(refused, f"table {table}")
    raise ConflictError(f"table {table}: it was made and removed while being taken; end the other program")


def _attempt(
    socket: NetlinkSocket, table: n.Table, found: TableState | None
) -> tuple[tuple[Refusal, ...], Hold]:
    if found is None:
        refused = socket.transact((making(table, OWNED),))
        if numbers(refused) == {errno.EOPNOTSUPP}:
            return socket.transact((making(table, 0),)), Hold.SHARED
        return refused, Hold.CREATED
    if found.owner == socket.port:
        return (), Hold.KEPT
    if found.flags & n.NFT_TABLE_F_OWNER:
        raise owned_by_another(found)
    if found.is_orphan:
        return socket.transact((making(table, OWNED, exclusive=False),)), Hold.ADOPTED
    return (), Hold.LOOSE if supports_owned_tables(socket) else Hold.SHARED


def owned_by_another(found: TableState) -> NotAllowedError:
    """Return the error for a table that another living socket owns."""
    return NotAllowedError(
        f"table {found.table}: owned by the netlink port {found.owner} of another program (as a rule its "
        "process id); end that program, then try again"
    )


def supports_owned_tables(socket: NetlinkSocket) -> bool:
    """Tell whether this kernel has persistent owned tables, by a transaction that cannot be committed.

    A made-up table with these flags, and the removal of one that cannot be there: old kernels refuse the
    flags, new ones only the removal; neither leaves a trace.
    """
    name = f"fwguard-asks-{socket.port}"
    batch = (making(n.Table("inet", name), OWNED), removing(n.Table("inet", f"{name}-none")))
    refused = socket.transact(batch)
    return errno.EOPNOTSUPP not in numbers(refused)


def making(table: n.Table, flags: int, *, exclusive: bool = True) -> Request:
    """Return the message that makes a table with these flags, or changes the flags of one that is there."""
    return netfilter(
        NFNL_SUBSYS_NFTABLES, n.NFT_MSG_NEWTABLE, table.number,
        a.text(n.NFTA_TABLE_NAME, table.name), a.be32(n.NFTA_TABLE_FLAGS, flags),
        flags=NLM_F_CREATE | NLM_F_EXCL if exclusive else NLM_F_CREATE, what=f"table {table}",
    )  # fmt: skip


def removing(table: n.Table) -> Request:
    """Return the message that removes a table with all that it holds."""
    name = a.text(n.NFTA_TABLE_NAME, table.name)
    return netfilter(NFNL_SUBSYS_NFTABLES, n.NFT_MSG_DELTABLE, table.number, name, what=f"table {table}")


def steadily(socket: NetlinkSocket, table: n.Table, read: Callable[[], T]) -> T:
    """Return a reading of a table that nobody changed meanwhile.

    The kernel continues a listing of elements by counting, and does not say when they changed in between: one
    that is removed makes it leave out another. So a reading counts when the generation is the same before and
    after it, or when nobody but this socket, which was busy reading, may change the table.

    Raises:
        PartialReadingError: others kept changing the ruleset.
    """
    for _ in range(_STEADY_TRIES):
        before = generation(socket)
        found = read()
        if generation(socket) == before:
            return found
        state = state_of(socket, table)
        if state is not None and state.owner == socket.port:
            return found
    raise PartialReadingError(
        f"table {table}: the ruleset changed during each of {_STEADY_TRIES} readings; read later"
    )
