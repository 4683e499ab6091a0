"""A Linux firewall over SSH: what the controller asks of the gate there (gate.sh), and what it answers."""

from __future__ import annotations

import re
from typing import ClassVar, Final

import structlog

from fwguard.devices.bundle import build_bundle, write_bundle
from fwguard.devices.frame import parse_reading, reading_digest
from fwguard.devices.protocol import Endpoint, Flow
from fwguard.devices.ssh_session import Answer, SshSession
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    DeviceUnreachableError,
    FwguardError,
    InputError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

# gate.sh, its first comment
NOT_LISTED, BROKEN_BUNDLE, NO_READING, BUSY, WARRANT_USED = 64, 65, 70, 75, 76
MOVED, REFUSED, UNKNOWN, TOO_LATE, NO_WARRANT = 77, 78, 79, 80, 81
GLANCED: Final = ("iptables", "ip6tables", "routes4", "routes6", "rules4", "rules6")
_log: Final = structlog.get_logger(__name__)
_NOT_WRITTEN: Final = frozenset({NOT_LISTED, BROKEN_BUNDLE, BUSY, WARRANT_USED, REFUSED})
_WARRANT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class SshDevice:
    """A session to the gate of one firewall (see Device)."""

    written_by_confirm: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, endpoint: Endpoint) -> None:
        self._name = endpoint.firewall.name
        self._session = SshSession(endpoint)

    def read(self) -> Snapshot:
        """Return all parts, running and boot; see Device.read."""
        answer = self._session.run("read")
        if answer.status == 0:
            return parse_reading(answer.stdout)
        if answer.status is None and not answer.stdout:
            raise DeviceUnreachableError(
                f"{self._session.where} does not answer `read` in time: is it overloaded?"
            )
        if answer.status is None:
            raise PartialReadingError(f"{self._session.where} stopped in the middle of a listing: read again")
        if answer.status == NO_READING:
            raise PartialReadingError(f"{self._session.where}: {answer.stderr}")
        raise self._refusal("read", answer)

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Read iptables and routing alone where there are iptables tables, whose whole reading waits for the
        proof that iptables-save tells all of them; see Device.glance."""
        if not any(approved.get(part) for part in ("iptables", "ip6tables")):
            return None
        answer = self._session.run("glance")
        if answer.status != 0:
            return None  # the whole reading will say what is wrong
        some = parse_reading(answer.stdout, GLANCED)
        return approved.with_parts({part: some.get(part) for part in GLANCED})

    def apply(
        self,
        before: Snapshot,
        after: Snapshot,
        *,
        warrant: Warrant,
        confirm_s: int,
        end: tuple[Flow, ...] = (),
    ) -> None:
        """Write `after` if the device still holds `before`; see Device.apply.

        `end` is carried out by `confirm`: a write that is undone cuts nobody off.
        """
        warrant.require(subject=f"firewall:{self._name}", before=before.digest, after=after.digest)
        if not 1 <= confirm_s <= 9999:
            raise InputError(f"confirm_s {confirm_s}", expected="1 to 9999 seconds")
        bundle = write_bundle(build_bundle(before, after, end))
        command = f"apply {_id(warrant)} {confirm_s} {reading_digest(before)}"
        answer = self._session.run(command, bundle)
        said = answer.stderr or "no word of why"
        where = self._session.where
        if answer.status == 0:
            return
        if answer.status == MOVED:
            raise PreimageMovedError(
                f"{where}: {said}; it was approved for another state: read and decide again"
            )
        if answer.status == NO_READING:
            raise PartialReadingError(f"{where}: {said}")
        if answer.status in _NOT_WRITTEN:
            raise CommitRefusedError(f"{where}: {said}")
        if answer.status is None:
            raise DeviceError(
                f"{where}: the line broke during a write; it undoes itself in {confirm_s} s: read again"
            )
        raise self._refusal("apply", answer)

    def confirm(self, warrant: Warrant) -> None:
        """Make the write of this warrant final: boot files, then the ended flows; see Device.confirm."""
        self._decide("confirm", warrant)

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now; see Device.roll_back."""
        self._decide("rollback", warrant)

    def close(self) -> None:
        """End the session; never raises."""
        self._session.close()

    def _decide(self, verb: str, warrant: Warrant) -> None:
        answer = self._session.run(f"{verb} {_id(warrant)}")
        if answer.status == 0:
            if answer.stderr:  # final, but connections that were to end may go on
                _log.warning("gate complains", verb=verb, firewall=self._name, said=answer.stderr)
            return
        if answer.status == REFUSED:
            raise CommitRefusedError(f"{self._session.where}: {answer.stderr}")
        if answer.status in (TOO_LATE, NO_WARRANT):
            raise NotPendingError(f"{self._session.where}: {answer.stderr}")
        if answer.status is None:
            raise DeviceError(f"{self._session.where}: the line broke during {verb}: ask again, or read")
        raise self._refusal(verb, answer)

    def _refusal(self, verb: str, answer: Answer) -> FwguardError:
        where, said = self._session.where, answer.stderr or "no word of why"
        if answer.status in (126, 127):
            return DeviceError(f"{where} has no gate ({said}): install /usr/local/sbin/fwguard-gate there")
        return DeviceError(f"{where} ends {verb} with {answer.status}: {said}")


def _id(warrant: Warrant) -> str:
    if not _WARRANT_ID.fullmatch(warrant.id):
        raise InputError(f"warrant {warrant.id!r}", expected="letters, digits and -, at most 64")
    return warrant.id
