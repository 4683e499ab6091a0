"""Who else changes what we hold: tables, traffic classes, interfaces. Put right within a second, and told."""

from __future__ import annotations

import errno
import select
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from fwguard.edge.enforcing import Enforcer
from fwguard.edge.structure import OUR_TABLES, interfaces
from fwguard.edge.telling import Teller
from fwguard.errors import FwguardError
from fwguard.kernel.generation import GenerationWatch, Transaction
from fwguard.kernel.netlink import NETLINK_ROUTE, NetlinkSocket
from fwguard.model.edge_wire import EventKind

log = structlog.get_logger(__name__)
RTNLGRP_LINK, RTNLGRP_TC = 1, 4  # <linux/rtnetlink.h>
_LINK_KINDS: Final = frozenset((16, 17))  # RTM_NEWLINK, RTM_DELLINK
_WAIT_S: Final = 1.0
_TC_QUIET_S: Final = 0.2
_RETRY_S: Final = 0.5
_MOST_FOUND: Final = 10


class Watching(threading.Thread):
    """One thread over two sockets. `repairs` counts what was put right, `took_s` how long the last one took."""

    def __init__(
        self, *, enforcer: Enforcer, teller: Teller, on_links: Callable[[], None] = lambda: None
    ) -> None:
        """Listen from now on: what changes before `start` is seen too. `on_links` is told of interfaces."""
        super().__init__(name="watching", daemon=True)
        self._enforcer, self._teller, self._on_links = enforcer, teller, on_links
        self._generation = GenerationWatch()
        self._route = NetlinkSocket(NETLINK_ROUTE, groups=(RTNLGRP_LINK, RTNLGRP_TC), receive_bytes=4 << 20)
        self._present = interfaces()
        self._tc_at: float | None = None
        self._retry_at: float | None = None
        self._ended = threading.Event()
        self.repairs = 0
        self.took_s = 0.0

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(timeout=5)

    def run(self) -> None:
        """Watch until told to stop; an error is told and the next change is taken."""
        while not self._ended.is_set():
            try:
                self._once()
            except Exception:
                log.exception("watching goes on after an error")
                time.sleep(0.05)
        self._generation.close()
        self._route.close()

    def _once(self) -> None:
        tables, links = self._generation.fileno(), self._route.fileno()
        ready = select.select((tables, links), (), (), self._wait_s())[0]
        if tables in ready:
            started = time.perf_counter()
            foreign = [one for one in self._generation.wait(0) if self._is_foreign(one)]
            if foreign:
                self._repair(foreign, started)
        if links in ready:
            self._route_changed()
        now = time.monotonic()
        if self._tc_at is not None and now >= self._tc_at:
            self._tc_at = None
            self._check_classes()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._repair([], time.perf_counter())

    def _wait_s(self) -> float:
        due = [at for at in (self._tc_at, self._retry_at) if at is not None]
        return max(0.0, min([_WAIT_S, *(at - time.monotonic() for at in due)]))

    def _is_foreign(self, change: Transaction) -> bool:
        if change.lost and self._enforcer.is_firm:
            return False  # nobody else could have changed what only our socket may change
        return not change.is_by((self._enforcer.socket.port,)) and any(
            change.touches(table) for table in OUR_TABLES
        )

    def _repair(self, by: list[Transaction], started: float) -> None:
        try:
            done = self._enforcer.repair()
        except FwguardError as error:
            log.warning("a repair failed and is tried again", why=str(error))
            self._retry_at = time.monotonic() + _RETRY_S
            return
        if done is None or not (done.found or done.added or done.removed):
            return
        self.repairs += 1
        self.took_s = time.perf_counter() - started
        who = ", ".join(sorted({f"{one.process} ({one.pid})" for one in by if one.process})) or "unknown"
        log.warning("repaired", by=who, what=list(done.found), took_ms=round(self.took_s * 1e3, 1))
        self._teller.tell(
            self._teller.event(
                EventKind.REPAIRED, what=list(done.found[:_MOST_FOUND]), by=who,
                took_ms=round(self.took_s * 1e3, 1),
            )
        )  # fmt: skip

    def _route_changed(self) -> None:
        kinds = set()
        try:
            kinds = {message.kind for message in self._route.events(0)}
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            kinds = set(_LINK_KINDS) | {0}
        if kinds - _LINK_KINDS:
            # Our own changes are announced as well: looked at once it is quiet.
            self._tc_at = time.monotonic() + _TC_QUIET_S
        if kinds & _LINK_KINDS:
            self._links_changed()

    def _links_changed(self) -> None:
        present = interfaces()
        gone, come = self._present - present, present - self._present
        if not gone and not come:
            return
        self._present = present
        self._on_links()
        state = self._enforcer.state
        ours = {} if state is None else {port.interface: port.number for port in state.ports}
        uplinks = () if state is None else state.uplinks
        for name in sorted(gone):
            if name in ours or name in uplinks:
                self._teller.alarm(f"interface {name} vanished", port=ours.get(name, 0))
        try:
            self._enforcer.tick()
        except FwguardError as error:
            log.warning("after a change of interfaces", why=str(error))
            self._retry_at = time.monotonic() + _RETRY_S

    def _check_classes(self) -> None:
        started = time.perf_counter()
        try:
            found = self._enforcer.class_differences()
        except FwguardError:
            found = ()
        if found:
            self._repair([], started)
