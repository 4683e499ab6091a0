"""A firewall with a command line of its own (see Device): read whole, written by lines, saved when confirmed."""

from __future__ import annotations

from typing import ClassVar, Final

import structlog

from fwguard.devices.command_line.pending import Pending, PendingWrites
from fwguard.devices.command_line.plan import has_startup, make_plan, same, way_back, without_chatter
from fwguard.devices.command_line.session import CommandSession
from fwguard.devices.command_line.table import COMMAND_LINES, Deadline
from fwguard.devices.protocol import Endpoint, Flow
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    InputError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

_log: Final = structlog.get_logger(__name__)


class CommandLineDevice:
    """One session to one firewall of a platform in the table (table.py).

    What runs is written by `apply` and saved by `confirm`: until then a restart takes the write back, on
    every platform that keeps the two apart. No connections are ended: `end` is the device's own matter.
    """

    written_by_confirm: ClassVar[frozenset[str]] = frozenset({"startup"})
    _pending: ClassVar[PendingWrites] = PendingWrites()

    def __init__(self, endpoint: Endpoint) -> None:
        platform = endpoint.firewall.platform
        if platform not in COMMAND_LINES:
            raise InputError(
                f"{endpoint.firewall.name}: platform {platform} has no command line that we know",
                expected=", ".join(COMMAND_LINES),
            )
        self._endpoint = endpoint
        self._row = COMMAND_LINES[platform]
        self._session = CommandSession(endpoint, self._row)
        self._where = self._session.where

    def read(self) -> Snapshot:
        """Return `running`, and `startup` where it is kept apart; see Device.read."""
        row = self._row
        parts = {"running": without_chatter(row, self._session.listing(row.running))}
        if row.startup:
            parts["startup"] = without_chatter(row, self._session.listing(row.startup))
        elif row.startup_file:
            parts["startup"] = self._session.file(row.startup_file)
        if not parts["running"]:
            raise PartialReadingError(f"{self._where} shows no configuration: may our user see it there?")
        if row.hidden is not None and row.hidden.search(parts["running"]):
            raise PartialReadingError(f"{self._where} hides secrets from our user: let it see them there")
        return Snapshot({name: text for name, text in parts.items() if text})

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Return None: all that it prints is one listing; see Device.glance."""
        return None

    def apply(
        self,
        before: Snapshot,
        after: Snapshot,
        *,
        warrant: Warrant,
        confirm_s: int,
        end: tuple[Flow, ...] = (),
    ) -> None:
        """Write what runs if the device still holds `before`; see Device.apply. It is saved by `confirm`."""
        warrant.require(
            subject=f"firewall:{self._endpoint.firewall.name}", before=before.digest, after=after.digest
        )
        if not 1 <= confirm_s <= 9999:
            raise InputError(f"confirm_s {confirm_s}", expected="1 to 9999 seconds")
        plan = make_plan(self._row, before, after, id=warrant.id, confirm_s=confirm_s)
        now = self.read()
        if not all(same(self._row, before.get(part), now.get(part)) for part in ("running", "startup")):
            raise PreimageMovedError(
                f"{self._where} no longer holds what this was approved for: read it again"
            )
        ours = self._row.deadline is Deadline.OURS and bool(plan.write)
        self._pending.add(
            warrant.id,
            Pending(before=before, after=after, plan=plan),
            undo_in_s=confirm_s if ours else 0,
            undo=lambda: self._time_is_up(warrant.id),
        )
        done, refused = self._enter(plan.write)
        if refused and (not done or self._row.candidate):  # nothing of it acts
            self._pending.take(warrant.id)
            raise CommitRefusedError(f"{self._where} refuses: {refused}; nothing was written")
        if not refused and not same(self._row, self._running(), after.get("running")):
            refused = "it reads back otherwise"
        if refused:
            self._take_back(warrant.id)
            raise CommitRefusedError(f"{self._where} refuses: {refused}; taken back")

    def confirm(self, warrant: Warrant) -> None:
        """Make the write final, and save it; see Device.confirm. Raises DeviceError when it was not saved."""
        write = self._pending.take(warrant.id)
        if write is None:
            raise NotPendingError(
                f"{self._where}: no write of warrant {warrant.id} waits here (its time ran out, it is final, "
                "or another process made it): read again"
            )
        _, refused = self._enter(write.plan.confirm)
        if refused:
            raise DeviceError(f"{self._where} did not confirm: {refused}: read again")
        if has_startup(self._row) and not same(
            self._row, self.read().get("startup"), write.after.get("startup")
        ):
            raise DeviceError(f"{self._where} said ok, but did not save what runs: read again")

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now; see Device.roll_back."""
        self._take_back(warrant.id)

    def close(self) -> None:
        """End the session; never raises."""
        self._session.close()

    def _running(self) -> str:
        return without_chatter(self._row, self._session.listing(self._row.running))

    def _enter(self, lines: tuple[str, ...]) -> tuple[int, str]:
        """Enter lines up to the first that is refused; return how many were taken, and its refusal if any."""
        for number, line in enumerate(lines):
            answer = self._session.say(line, patience_s=self._row.patience_s)
            if self._row.complaint.search(answer):
                for leaving in self._row.leave:
                    self._session.say(leaving)
                return number, f"{line[:80]!r}: {' '.join(answer.split())[:200]}"
        return len(lines), ""

    def _take_back(self, id: str) -> None:
        """Put back what was there before a write of ours; a write that is not ours to undo any more is left."""
        write = self._pending.take(id)
        if write is None:
            raise NotPendingError(f"{self._where}: no write of warrant {id} waits to be undone: read again")
        if not write.plan.write:
            return
        now, before = self._running(), write.before.get("running")  # whatever of it was entered
        if same(self._row, now, before) and self._row.deadline is Deadline.OURS:
            return
        _, refused = self._enter(way_back(self._row, now, before, id=id))
        if refused:
            raise DeviceError(f"{self._where} does not take its write back: {refused}: a person must look")

    def _time_is_up(self, id: str) -> None:
        """Our own deadline passed without a confirm: undo over a new session, since this one may be gone."""
        device: CommandLineDevice | None = None
        try:
            device = type(self)(self._endpoint)
            device._take_back(id)
        except NotPendingError:
            return
        except (DeviceError, InputError) as error:
            _log.warning("not taken back", firewall=self._endpoint.firewall.name, warrant=id, why=str(error))
        finally:
            if device is not None:
                device.close()
