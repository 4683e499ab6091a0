"""A Junos firewall over NETCONF: its own operations, since those of RFC 6241 have no whole text and no minutes.

It has met no Junos device: requests and answers are those of Juniper's documents (junos_rpc.py), and only the
session under it is proven, on netconfd. The same platform over its command line is in command_line/.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

import structlog
from ncclient.operations import RaiseMode
from ncclient.xml_ import to_ele

from fwguard.devices import junos_rpc as rpc
from fwguard.devices.command_line.pending import Pending, PendingWrites
from fwguard.devices.command_line.plan import same, without_chatter
from fwguard.devices.command_line.table import COMMAND_LINES
from fwguard.devices.netconf_conversation import Conversation
from fwguard.devices.protocol import Endpoint, Flow
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.model.inventory import Platform
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

_log: Final = structlog.get_logger(__name__)
_ROW: Final = COMMAND_LINES[Platform.JUNOS]  # how its text is compared, and what in it is no configuration


class JunosNetconfDevice(Conversation):
    """One session to one firewall. Implements devices/protocol.py's Device.

    Written is the whole text, in the candidate under its lock, by a confirmed commit: the device itself goes
    back unless a second commit comes within the minutes. What is committed is what starts, so there is one
    part. A Junos commit knows no id: what waits is told from the text that the device runs, and any commit,
    whoever makes it, makes it final.

    A device that restarts within the minutes may keep the write; the next reading shows it. No connections
    are ended: `end` is the device's own matter.
    """

    written_by_confirm: ClassVar[frozenset[str]] = frozenset()
    tried: ClassVar[str] = ""  # on no device
    _pending: ClassVar[PendingWrites] = PendingWrites()

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint, probe=False)
        # Warnings come as rpc-errors, in answers of success too: junos_rpc.py tells them apart.
        self._manager.raise_mode = RaiseMode.NONE
        self._manager.huge_tree = True  # a whole configuration is one text; the session bounds its bytes

    def read(self) -> Snapshot:
        """Return `running`, what is committed; see Device.read."""
        return Snapshot({"running": self._committed()})

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Nothing is read sooner than all; see Device.glance."""
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
        """Write `after` if the device holds `before`; see Device.apply."""
        warrant.require(
            subject=f"firewall:{self._endpoint.firewall.name}", before=before.digest, after=after.digest
        )
        if not self._has(rpc.CAPABILITY):
            raise CommitRefusedError(f"{self._where} does not say that it is a Junos: nothing is written")
        new = after.get("running")
        plan = rpc.write_plan(new, id=warrant.id, confirm_s=confirm_s)
        stage, commit = plan.write
        with self._locked():
            if not same(_ROW, self._committed(), before.get("running")):
                raise PreimageMovedError(
                    f"{self._where} no longer holds what this was approved for: read it again"
                )
            self._require_candidate(before.get("running"), "somebody's unfinished work is in the candidate")
            self._tell(stage)
            self._require_candidate(new, "the candidate reads back otherwise")
            self._pending.add(warrant.id, Pending(before=before, after=after, plan=plan), undo=lambda: None)
            try:
                self._tell(commit)
            except CommitRefusedError:
                self._pending.take(warrant.id)
                raise
        if not same(_ROW, self._committed(), new):
            self.roll_back(warrant)
            raise CommitRefusedError(f"{self._where} said ok, but reads back otherwise: rolled back")

    def confirm(self, warrant: Warrant) -> None:
        """Make the write final by a second commit. Raises NotPendingError when the device went back before."""
        write = self._take(warrant)
        new = write.after.get("running")
        with self._locked():
            self._require_committed(new)
            self._require_candidate(new, "somebody's unfinished work is in the candidate, and would run too")
            for request in write.plan.confirm:
                self._tell(request)
            if not same(_ROW, self._committed(), new):
                raise DeviceError(f"{self._where} said ok, but does not hold what was confirmed: read again")

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now, unless the device did."""
        write = self._take(warrant)
        back, commit = write.plan.undo
        with self._locked():
            if not same(_ROW, self._committed(), write.before.get("running")):
                self._tell(back)
                self._require_candidate(
                    write.before.get("running"), "`rollback 1` is not what it held before"
                )
                self._tell(commit)

    def _take(self, warrant: Warrant) -> Pending:
        write = self._pending.take(warrant.id)
        if write is None:
            raise NotPendingError(
                f"{self._where}: no write of warrant {warrant.id} waits here (it is final, was undone, or "
                "another process made it): read again"
            )
        return write

    def _require_committed(self, text: str) -> None:
        if not same(_ROW, self._committed(), text):
            raise NotPendingError(
                f"{self._where} no longer runs what was written: its time ran out, or somebody committed: read again"
            )

    def _require_candidate(self, text: str, otherwise: str) -> None:
        """A commit takes all of the candidate, whoever wrote it."""
        if not same(_ROW, self._text(rpc.CANDIDATE), text):
            raise CommitRefusedError(f"{self._where}: {otherwise}; nothing was committed")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the candidate; what was staged and not committed is discarded, a line that is gone does so too."""
        self._tell(rpc.LOCK)
        try:
            yield
        except DeviceError:
            try:
                self._tell(rpc.DISCARD)
                self._tell(rpc.UNLOCK)
            except DeviceError:
                self.close()
            raise
        try:
            self._tell(rpc.UNLOCK)
        except CommitRefusedError:  # what was committed is; the lock goes with the session
            self.close()

    def _committed(self) -> str:
        text = self._text(rpc.COMMITTED)
        if _ROW.hidden is not None and _ROW.hidden.search(text):
            raise PartialReadingError(f"{self._where} hides secrets from our user: let it see them there")
        return text

    def _text(self, request: str) -> str:
        reply = self._ask(lambda manager: manager.dispatch(to_ele(request))).xml
        try:
            text = without_chatter(_ROW, rpc.configuration(reply))
        except PartialReadingError as error:
            raise PartialReadingError(f"{self._where} was not read: {error}") from None
        if not text:
            raise PartialReadingError(f"{self._where} shows no configuration: may our user see it there?")
        return text

    def _tell(self, request: str) -> None:
        """Ask for something to be done. Raises CommitRefusedError with the device's words."""
        reply = self._ask(lambda manager: manager.dispatch(to_ele(request))).xml
        if said := rpc.refusal(reply):
            raise CommitRefusedError(f"{self._where} refuses: {said}")
        for warning in rpc.warnings(reply):
            _log.warning("warned", firewall=self._endpoint.firewall.name, why=warning)
