"""Device events: one thread a firewall that streams, reconnecting with backoff; each event asks for a look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final

import structlog

from fwguard.devices.protocol import ChangeSeen, Watcher
from fwguard.errors import FwguardError

log = structlog.get_logger(__name__)
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 60.0


class Watching:
    """Watches firewalls by name. `open_watcher` returns a watcher, or None for one that streams nothing
    (it is polled); `poke` asks for a look."""

    def __init__(self, open_watcher: Callable[[str], Watcher | None], poke: Callable[[str], None]) -> None:
        self._open_watcher = open_watcher
        self._poke = poke
        self._threads: dict[str, tuple[threading.Thread, threading.Event]] = {}

    def follow(self, names: Collection[str]) -> None:
        """Watch exactly these firewalls: start what is new, stop what is gone."""
        wanted = set(names)
        for name in self._threads.keys() - wanted:
            _, stop = self._threads.pop(name)
            stop.set()
        for name in wanted - self._threads.keys():
            stop = threading.Event()
            thread = threading.Thread(target=self._run, args=(name, stop), name=f"watch-{name}", daemon=True)
            self._threads[name] = (thread, stop)
            thread.start()

    def stop(self, *, wait_s: float = 5.0) -> None:
        """Stop watching; wait a moment for the threads."""
        for _, stop in self._threads.values():
            stop.set()
        for thread, _ in self._threads.values():
            thread.join(wait_s)
        self._threads.clear()

    def _run(self, name: str, stop: threading.Event) -> None:
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            try:
                watcher = self._open_watcher(name)
                if watcher is None:
                    return
                self._poke(name)  # what changed while nobody watched
                started = time.monotonic()
                try:
                    watcher.run(lambda change: self._seen(name, change), stop)
                finally:
                    if time.monotonic() - started > LAST_RETRY_S:
                        retry_s = FIRST_RETRY_S  # it had worked
            except FwguardError as error:
                log.info("watch broke", firewall=name, why=str(error), retry_s=retry_s)
            except Exception:
                log.exception("watch broke by a bug", firewall=name)
            stop.wait(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)

    def _seen(self, name: str, change: ChangeSeen) -> None:
        log.debug("change seen", firewall=name, what=change.what)
        self._poke(name)
