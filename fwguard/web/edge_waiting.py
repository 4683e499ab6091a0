"""Edges that wait for a newer state: a bounded number at once, woken by one thread that looks for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from fwguard.flows.house import House
from fwguard.store.edges import EdgeRow

LOOK_S: Final = 0.1
Number = tuple[int, int]


class Waiting:
    """Lets at most `most` threads wait; while any does, another looks at the numbers of all edges."""

    def __init__(self, house: House, most: int) -> None:
        self._house = house
        self._places = threading.BoundedSemaphore(most)
        self._changed = threading.Condition()
        self._numbers: Mapping[str, Number] = {}
        self._waiters = 0
        self._looker: threading.Thread | None = None

    def for_newer(self, name: str, has: Number, wait_s: float) -> bool:
        """Wait until the edge's number is above `has`, at most `wait_s`; False when every place is taken."""
        if not self._places.acquire(blocking=False):
            return False
        try:
            self._wait(name, has, wait_s)
            return True
        finally:
            self._places.release()

    def _wait(self, name: str, has: Number, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        with self._changed:
            self._waiters += 1
            self._start()
            try:
                while (left_s := deadline - time.monotonic()) > 0:
                    if self._numbers.get(name, has) > has:
                        return
                    self._changed.wait(left_s)
            finally:
                self._waiters -= 1

    def _start(self) -> None:
        if self._looker is None or not self._looker.is_alive():
            self._numbers = {}  # of the last time that anyone waited
            self._looker = threading.Thread(target=self._look, name="edge-states", daemon=True)
            self._looker.start()

    def _look(self) -> None:
        """Read all numbers in one query, tell who waits; end when nobody does."""
        while True:
            try:
                with self._house.store.reading() as session:
                    made = select(EdgeRow.name, EdgeRow.epoch, EdgeRow.generation).where(
                        EdgeRow.generation > 0
                    )
                    rows = session.execute(made).all()
                numbers = {name: (epoch, generation) for name, epoch, generation in rows}
            except SQLAlchemyError:
                numbers = {}  # the database is away: who waits waits on, and asks again
            with self._changed:
                self._numbers = numbers
                self._changed.notify_all()
                if not self._waiters:
                    self._looker = None
                    return
            time.sleep(LOOK_S)
