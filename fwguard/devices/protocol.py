"""What every device can do, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import ClassVar, Protocol

from fwguard.model.inventory import Firewall
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to reach one firewall. `host_key` is the pinned key, as in known_hosts ("ssh-ed25519 AAAA…");
    another key is refused with HostKeyChangedError. `private_key` is OpenSSH PEM text."""

    firewall: Firewall
    private_key: str
    host_key: str
    connect_s: float = 5.0
    answer_s: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Established connections to end after an opening closed: those to `port` of `address` before NAT.

    `port` None: all of the protocol. `source` a prefix, or empty for any.
    """

    protocol: int
    address: str
    port: int | None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSeen:
    """The device streamed that something changed. `what` is its own words, bounded, for messages only."""

    at: datetime
    what: str


class Device(Protocol):
    """One session to one firewall. Not shared between threads; every call has a deadline.

    `written_by_confirm` are the parts that `apply` leaves and `confirm` writes: where the device's own way
    back is to start again, what starts must not be saved before.
    """

    written_by_confirm: ClassVar[frozenset[str]]

    def read(self) -> Snapshot:
        """Return all parts, running and boot. Raises PartialReadingError unless every part is whole."""
        ...

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Return `approved` with some of its parts replaced by what the device holds, where those can be
        read much sooner than all. None where they cannot.

        It may show that a firewall is not as approved; never that it is, and nothing is written on its word.
        Raises PartialReadingError.
        """
        ...

    def apply(
        self,
        before: Snapshot,
        after: Snapshot,
        *,
        warrant: Warrant,
        confirm_s: int,
        end: tuple[Flow, ...] = (),
    ) -> None:
        """Write `after`, running and boot, if the device still holds `before`; undone by the device itself
        unless `confirm` is called within `confirm_s` seconds, also when we and the line are gone.

        One detached operation on the device: lock, compare, arm, write. `end` lists connections to cut
        once the write holds. Returns when all is written. Raises PreimageMovedError (nothing written),
        CommitRefusedError (undone), DeviceError (unknown: the device's own timer decides; read again).
        """
        ...

    def confirm(self, warrant: Warrant) -> None:
        """Make the write of this warrant final. Raises DeviceError when its timer ran out first."""
        ...

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now."""
        ...

    def close(self) -> None:
        """End the session; never raises."""
        ...


class Watcher(Protocol):
    """Streams changes of one firewall until told to stop."""

    def run(self, on_change: Callable[[ChangeSeen], None], stop: Event) -> None:
        """Block until `stop`; call `on_change` for every change streamed. Raises DeviceError when the
        stream breaks; the caller reconnects with backoff and reads, since it may have missed some."""
        ...
