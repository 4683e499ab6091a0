"""A firewall over NETCONF (RFC 6241): candidate datastore, confirmed commit that outlives its session."""

from __future__ import annotations

import threading
from functools import lru_cache
from operator import methodcaller
from typing import ClassVar, Final

from lxml import etree
from ncclient import NCClientError
from ncclient.xml_ import to_ele

from fwguard.devices.netconf_conversation import Conversation
from fwguard.devices.netconf_edit import differing_subtrees, edit_of, whole_startup
from fwguard.devices.protocol import Endpoint, Flow
from fwguard.dialects.rfc8519 import RFC8519, lay_out
from fwguard.dialects.rfc8519.names import TOPS
from fwguard.dialects.rfc8519.tree import BASE_NS, namespace_of
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
    UnreadableError,
)
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

FILTER: Final = [f'<{name} xmlns="{namespace_of(module)}"/>' for module, name in TOPS]
_REMEMBERED: Final = 256  # unconfirmed writes whose startup we could still put back


@lru_cache(maxsize=64)
def _canonical(text: str) -> str:
    """A write compares the same few texts again and again."""
    return RFC8519.canonical(text)


class NetconfDevice(Conversation):
    """One session to one firewall. Implements devices/protocol.py's Device.

    Written is what differs of interfaces, acls, nat and routing, each subtree replaced whole in the
    candidate, under locks on candidate and running; a confirmed commit with `persist` = the warrant's id
    makes the device itself go back unless a later session confirms (RFC 6241 section 8.4). A device
    without these capabilities is read and never written.

    The startup datastore has no such timer: it is written after the commit, and `roll_back` puts it back.
    When only the device's timer undid a write, startup still holds it, which the next reading shows.

    NETCONF knows no connections: `end` is left to the device. The lab's renderer ends, as many firewalls
    do, those that the new lists no longer pass.
    """

    written_by_confirm: ClassVar[frozenset[str]] = frozenset()
    _startups: Final[dict[str, tuple[str, str]]] = {}  # warrant id -> startup before and after
    _guard: Final = threading.Lock()

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._parts = ("running", "startup") if self._has(":startup") else ("running",)

    def read(self) -> Snapshot:
        """Return `running`, and `startup` where the device has one, each laid out one node a line.

        Raises PartialReadingError, DeviceUnreachableError.
        """
        return Snapshot({part: self._read_part(part) for part in self._parts})

    def _read_part(self, part: str, whole: bool = False) -> str:
        try:
            reply = self._ask(lambda m: m.get_config(part, **({} if whole else {"filter": FILTER})))
        except CommitRefusedError as error:
            raise PartialReadingError(f"{self._where}: {part} was not read: {error}") from None
        try:
            return whole_text(reply.xml) if whole else lay_out(whole_text(reply.xml))
        except UnreadableError as error:
            raise PartialReadingError(f"{self._where}: {part} is not what was asked for: {error}") from None

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
        """Write `after` if the device holds `before`; see Device.apply. `end` is the device's own matter."""
        warrant.require(
            subject=f"firewall:{self._endpoint.firewall.name}", before=before.digest, after=after.digest
        )
        for capability in (":candidate", ":confirmed-commit:1.1"):
            if not self._has(capability):
                raise CommitRefusedError(
                    f"{self._where} lacks {capability}: nothing is written where nothing could undo it"
                )
        locked: list[str] = []
        try:
            for datastore in ("candidate", "running"):
                self._ask(methodcaller("lock", datastore))
                locked.append(datastore)
            now = self.read()
            if now.digest != before.digest:
                raise PreimageMovedError(
                    f"{self._where} no longer holds {before.digest[:12]} but {now.digest[:12]}: read it again"
                )
            self._stage(before, after)
            self._commit_and_unlock(warrant, confirm_s, locked)
        except DeviceError:
            self._give_back(locked)
            raise
        try:
            self._write_startup(before, after, warrant)
        except CommitRefusedError:
            self.roll_back(warrant)
            raise
        self._check(after, warrant)

    def _stage(self, before: Snapshot, after: Snapshot) -> None:
        """Put into the candidate what running shall become."""
        self._ask(lambda m: m.discard_changes())
        subtrees = differing_subtrees(before.get("running"), after.get("running"))
        if subtrees:
            self._ask(lambda m: m.edit_config(edit_of(subtrees), target="candidate"))

    def _commit_and_unlock(self, warrant: Warrant, confirm_s: int, locked: list[str]) -> None:
        """Commit and unlock in one piece.

        netconfd cannot go back while a session holds the lock on running ("config locked"), so the line
        must not break between the two.
        """
        manager, refused = self._manager, None
        manager.async_mode = True
        try:
            with self._session.corked():
                commit = manager.commit(confirmed=True, timeout=str(confirm_s), persist=warrant.id)
                unlocks = [manager.unlock(datastore) for datastore in reversed(locked)]
        except NCClientError as error:
            raise self._broken(error) from None
        finally:
            manager.async_mode = False
        try:
            self._answer(commit)
        except CommitRefusedError as error:
            refused = error
        for unlock in unlocks:
            self._answer(unlock)
        locked.clear()
        if refused is not None:
            self._ask(lambda m: m.discard_changes())
            raise refused

    def _write_startup(self, before: Snapshot, after: Snapshot, warrant: Warrant) -> None:
        if "startup" not in self._parts:
            return
        wanted, held = (_canonical(shot.get("startup")) for shot in (after, before))
        if wanted == held:
            return
        with self._guard:
            self._startups[warrant.id] = before.get("startup"), after.get("startup")
            for stale in list(self._startups)[:-_REMEMBERED]:
                del self._startups[stale]
        if wanted == _canonical(after.get("running")):
            self._ask(lambda m: m.copy_config(source="running", target="startup"))
        else:
            self._copy_to_startup(after.get("startup"))

    def _copy_to_startup(self, text: str) -> None:
        """Replace our subtrees in startup and leave the other modules' as they are."""
        request = whole_startup(self._read_part("startup", whole=True), text)
        self._ask(lambda m: m.dispatch(to_ele(request)))

    def _check(self, after: Snapshot, warrant: Warrant) -> None:
        """Believe no `ok`: netconfd answers it to a commit after `validate` and applies nothing."""
        now = self.read()
        for part in self._parts:
            if _canonical(now.get(part)) != _canonical(after.get(part)):
                self.roll_back(warrant)
                raise CommitRefusedError(
                    f"{self._where} said ok, but {part} reads back otherwise: rolled back"
                )

    def confirm(self, warrant: Warrant) -> None:
        """Make the write of this warrant final, from whatever session. Raises DeviceError."""
        try:
            self._ask(lambda m: m.commit(persist_id=warrant.id))
        except CommitRefusedError as error:
            raise NotPendingError(
                f"{self._where}: no write of warrant {warrant.id} waits to be confirmed (its time ran out, "
                f"or it is final already): {error}"
            ) from None
        with self._guard:
            _, wanted = self._startups.pop(warrant.id, ("", ""))
        # netconfd saves running as startup when it is confirmed, even where startup shall be another.
        if wanted and _canonical(self._read_part("startup")) != _canonical(wanted):
            self._copy_to_startup(wanted)

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now, startup too."""
        try:
            self._ask(lambda m: m.cancel_commit(persist_id=warrant.id))
        except CommitRefusedError as error:
            raise NotPendingError(
                f"{self._where}: no write of warrant {warrant.id} waits to be undone: {error}"
            ) from None
        finally:
            with self._guard:
                startup, _ = self._startups.pop(warrant.id, ("", ""))
            if startup:
                self._copy_to_startup(startup)

    def _give_back(self, locked: list[str]) -> None:
        """Undo what was staged and unlock; a line that is gone has done both."""
        try:
            if "candidate" in locked:
                self._ask(lambda m: m.discard_changes())
            for datastore in reversed(locked):
                self._ask(methodcaller("unlock", datastore))
        except DeviceError:
            self.close()


def whole_text(reply: str) -> str:
    """Return an `<rpc-reply>` that holds one `<data>`. Raises PartialReadingError."""
    try:
        root = etree.fromstring(reply.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise PartialReadingError(f"an answer that is no XML: {error.msg}") from None
    data = root.find(f"{{{BASE_NS}}}data")
    if data is None:
        raise PartialReadingError("an answer without data")
    return reply
