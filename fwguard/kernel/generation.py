"""The ruleset's generation: its number, and who changed it, as the kernel tells at each commit.

Source: net/netfilter/nf_tables_api.c, nf_tables_gen_notify and the notifications before it; nft(8), MONITOR.
A transaction comes as one message for each object that it changed and one NFT_MSG_NEWGEN at its end.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from fwguard.errors import PartialReadingError
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.messages import NFNL_SUBSYS_NFTABLES, Message, netfilter
from fwguard.kernel.netlink import NetlinkSocket

_FAMILY_NAMES: Final = {number: name for name, number in n.FAMILIES.items()}
_SUBSYSTEM: Final = NFNL_SUBSYS_NFTABLES << 8
_LISTENING_BYTES: Final = 32 << 20  # a reload of 100 000 elements is announced element by element


@dataclass(frozen=True, slots=True)
class Transaction:
    """One commit by anyone: its generation, process, the netlink ports that asked for it, tables touched.

    `tables` may be incomplete when `lost`: the kernel had more to tell than the buffer took, so that
    everything must be read again. A lost transaction has generation 0.
    """

    generation: int
    pid: int
    process: str
    ports: frozenset[int]
    tables: frozenset[n.Table]
    lost: bool = False

    def touches(self, table: n.Table) -> bool:
        """Tell whether it may have changed this table."""
        return self.lost or table in self.tables

    def is_by(self, ports: Collection[int]) -> bool:
        """Tell whether all of it came from these netlink ports (NetlinkSocket.port)."""
        return not self.lost and bool(self.ports) and self.ports <= frozenset(ports)


def generation(socket: NetlinkSocket) -> int:
    """Return the generation of the ruleset: it changes with every commit by anyone."""
    request = netfilter(NFNL_SUBSYS_NFTABLES, n.NFT_MSG_GETGEN, 0, what="generation of the ruleset")
    messages, refusal = socket.ask(request)
    for message in messages:
        found = a.first(message.body[4:], n.NFTA_GEN_ID)
        if found is not None:
            return a.read_be32(found)
    raise PartialReadingError(
        f"generation of the ruleset: {refusal.words if refusal else 'no answer'}; read again"
    )


class GenerationWatch:
    """Listens to every commit, from its construction on. `fileno` for a selector."""

    def __init__(self, *, netns: str | None = None, receive_bytes: int = _LISTENING_BYTES) -> None:
        """Join NFNLGRP_NFTABLES. Raises NotAllowedError without CAP_NET_ADMIN."""
        self._socket = NetlinkSocket(netns=netns, groups=(n.NFNLGRP_NFTABLES,), receive_bytes=receive_bytes)
        self._ports: set[int] = set()
        self._tables: set[n.Table] = set()

    def __enter__(self) -> GenerationWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, readable when something was committed."""
        return self._socket.fileno()

    def wait(self, timeout_s: float) -> tuple[Transaction, ...]:
        """Return the commits that were announced, at once when there are some, none after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        found: list[Transaction] = []
        while True:
            # Once something was found, only what is there already is taken with it.
            left = 0.0 if found else max(deadline - time.monotonic(), 0.0)
            try:
                messages = list(self._socket.events(left))
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # What was gathered belongs to a transaction whose rest is lost.
                self._reset()
                found.append(Transaction(0, 0, "", frozenset(), frozenset(), lost=True))
                continue
            found += [done for one in messages if (done := self._take(one))]
            if not messages and (found or time.monotonic() >= deadline):
                return tuple(found)

    def _take(self, message: Message) -> Transaction | None:
        if message.kind & 0xFF00 != _SUBSYSTEM:
            return None
        operation = message.kind & 0xFF
        if operation != n.NFT_MSG_NEWGEN:
            # The table's name is the first attribute of every object: NFTA_TABLE_NAME, NFTA_RULE_TABLE, ...
            named = a.first(message.body[4:], n.NFTA_TABLE_NAME)
            family = _FAMILY_NAMES.get(message.body[0])
            if named is not None and family is not None and operation != n.NFT_MSG_TRACE:
                self._tables.add(n.Table(family, a.read_text(named)))
                self._ports.add(message.port)
            return None
        parts = a.table_of(message.body[4:])
        done = Transaction(
            a.read_be32(parts[n.NFTA_GEN_ID]),
            a.read_be32(parts.get(n.NFTA_GEN_PROC_PID, b"")),
            a.read_text(parts.get(n.NFTA_GEN_PROC_NAME, b"")),
            frozenset(self._ports | {message.port}),
            frozenset(self._tables),
        )
        self._reset()
        return done

    def _reset(self) -> None:
        self._ports, self._tables = set(), set()
