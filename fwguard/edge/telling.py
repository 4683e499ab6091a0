"""What this edge tells: events made with an id that stays, and put into the spool."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog

from fwguard.edge.spool import Spool
from fwguard.model.edge_wire import EdgeEvent, EventKind

log = structlog.get_logger(__name__)


class Teller:
    """Makes events and keeps them. Threads may share it. `counts` are how many of each kind were told."""

    def __init__(self, spool: Spool, *, clock: Callable[[], float] = time.time) -> None:
        self._spool = spool
        self._clock = clock
        self.counts: dict[EventKind, int] = dict.fromkeys(EventKind, 0)

    def event(self, kind: EventKind, *, port: int = 0, id: str = "", **facts: Any) -> EdgeEvent:
        """Return an event of now. Without an `id` it gets one that nobody else has."""
        at_us = int(self._clock() * 1e6)
        made = id or f"{kind.value}-{at_us:x}-{secrets.token_hex(6)}"
        return EdgeEvent(id=made, kind=kind, at_us=at_us, port=port, facts=facts)

    def tell(self, *events: EdgeEvent) -> None:
        """Keep events until the controller has them."""
        for event in events:
            self.counts[event.kind] += 1
        self._spool.add(*events)

    def alarm(self, what: str, *, port: int = 0, **facts: Any) -> None:
        """Tell of something that a person must look at."""
        log.warning("alarm", what=what, port=port, **facts)
        self.tell(self.event(EventKind.ALARM, port=port, what=what[:500], **facts))
