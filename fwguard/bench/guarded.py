"""A lab of its own whose firewalls are approved and watched by a real controller: what is measured on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import select

from fwguard.config import load_settings
from fwguard.errors import DeviceError
from fwguard.flows.asking import ask_baseline
from fwguard.flows.deciding import approve
from fwguard.flows.house import House, open_house
from fwguard.lab.control_room import ControlRoom
from fwguard.lab.platform import Lab
from fwguard.model.ticket import TicketState
from fwguard.store.approved import last_reading
from fwguard.store.inventory import FirewallRow
from fwguard.store.people import MAY_APPROVE, UserRole, UserRow
from fwguard.store.tickets import TicketKind, TicketRow

T = TypeVar("T")
READY_S: Final = 120.0


class _TalkingRoom(ControlRoom):
    """Its controller's interpreter writes every import into the log; it costs nothing once all is loaded."""

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"PYTHONVERBOSE": "1"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """The lab, its controller, and a house of our own over the same tables."""

    lab: Lab
    room: ControlRoom
    house: House

    def imported(self, module: str) -> list[str]:
        """Return the modules below `module` that the controller has imported since its start.

        The interpreter itself says so (PYTHONVERBOSE writes each import into the controller's log).
        Raises DeviceError when it said nothing at all.
        """
        lines = self.room.log.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.split("'")[1] for line in lines if line.startswith("import '")]
        if "fwguard.cli.serve" not in names:
            raise DeviceError("the controller's log names no import: PYTHONVERBOSE did not reach it")
        return sorted(name for name in names if name == module or name.startswith(f"{module}."))


@contextmanager
def guarded_lab(*, firewalls: int, settings: Mapping[str, Any]) -> Iterator[Guarded]:
    """Build a lab and its controller, have every firewall approved as it is, and tear all down at the end."""
    lab = Lab.up(firewalls=firewalls, bound=True)
    room: ControlRoom | None = None
    try:
        room = _TalkingRoom(lab, settings=settings)
        room.set_up()
        room.start()
        house = open_house(load_settings(room.config), name="bench")
        try:
            _approve_all(house)
            yield Guarded(lab, room, house)
        finally:
            house.sessions.close()
            house.store.dispose()
    finally:
        if room is not None:
            room.close()
        lab.down()


def until(found: Callable[[], T], what: str, *, within_s: float, every_s: float = 0.02) -> T:
    """Wait for something to become true and return it. Raises DeviceError with what was waited for."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        if time.monotonic() > deadline:
            raise DeviceError(f"waited {within_s:g} s for {what}")
        time.sleep(every_s)
    return value


def _approve_all(house: House) -> None:
    """One person asks that every firewall be approved as it is, others say yes, the controller adopts it."""

    def names(state: TicketState | None = None) -> set[str]:
        with house.store.reading() as session:
            query = select(TicketRow).where(TicketRow.kind == TicketKind.BASELINE)
            return {row.number for row in session.scalars(query) if state is None or row.state is state}

    with house.store.reading() as session:
        firewalls = [(row.id, row.name) for row in session.scalars(select(FirewallRow))]
        asker = session.scalars(select(UserRow).where(UserRow.role == UserRole.OPERATOR)).first()
        approvers = session.scalars(select(UserRow).where(UserRow.role.in_(MAY_APPROVE))).all()
    assert asker is not None

    def all_read() -> bool:
        with house.store.reading() as session:
            return all(last_reading(session, firewall_id) for firewall_id, _ in firewalls)

    until(all_read, "every firewall's first reading", within_s=READY_S, every_s=0.1)
    with house.store.session() as session:
        for _, name in firewalls:
            ask_baseline(session, house, name, user=session.get_one(UserRow, asker.id))

    def all_reviewed() -> bool:
        with house.store.reading() as session:
            rows = session.scalars(select(TicketRow).where(TicketRow.kind == TicketKind.BASELINE)).all()
            return all(row.state is TicketState.REVIEW and row.binding for row in rows)

    until(all_reviewed, "every review", within_s=READY_S, every_s=0.1)
    for user in approvers:
        with house.store.session() as session:
            for ticket in session.scalars(select(TicketRow).where(TicketRow.state == TicketState.REVIEW)):
                approve(
                    session, house, ticket, session.get_one(UserRow, user.id), digest=ticket.binding,
                    source="bench",
                )  # fmt: skip
    until(
        lambda: names() and not names(TicketState.APPROVED) and not names(TicketState.REVIEW),
        "every approved state", within_s=READY_S, every_s=0.1,
    )  # fmt: skip


class ClientAtWork:
    """A client's hands inside its firewall; see bench/client.py."""

    def __init__(self, lab: Lab, firewall: str) -> None:
        self._child = subprocess.Popen(
            lab.command(firewall, [sys.executable, "-m", "fwguard.bench.client"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def change(self, order: Mapping[str, Any]) -> tuple[int, int]:
        """Make one change; return when it began and when the client's command returned, in ns since 1970.

        Raises DeviceError: the firewall refused it.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(order) + "\n")
        answer = json.loads(self._child.stdout.readline() or '{"error": "the client died"}')
        if "error" in answer:
            raise DeviceError(answer["error"])
        return answer["began_ns"], answer["returned_ns"]

    def close(self) -> None:
        """End it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(5)
