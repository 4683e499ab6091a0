"""What every flow works with: the store, the texts that decide, the devices, the clock, and the work."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from fwguard.approvals.calendar import Calendar, load_calendar
from fwguard.approvals.policy import ApprovalPolicy, load_policy
from fwguard.config import Settings
from fwguard.devices.open import open_device
from fwguard.devices.protocol import Endpoint
from fwguard.devices.sessions import Sessions
from fwguard.errors import ConflictError
from fwguard.model.answering import Answers
from fwguard.model.controls import Controls
from fwguard.model.machine_state import AddressRules
from fwguard.model.risk import RiskWeights
from fwguard.rules.addresses import read_address_rules
from fwguard.rules.clauses import Clause, digest_of, read_clauses
from fwguard.rules.controls import read_controls
from fwguard.rules.detectors import read_detectors
from fwguard.store.connection import Store
from fwguard.store.inventory import FirewallRow, device_secret
from fwguard.store.locks import free_locks_of, last_token, live_holders, release_lock, renew_lock, take_lock
from fwguard.store.vault import Vault
from fwguard.work.protocol import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The texts under `rules/` and `approvals/` as they were read together, and their digest."""

    clauses: Mapping[str, Clause]
    policy: ApprovalPolicy
    calendar: Calendar
    weights: RiskWeights
    addresses: AddressRules
    controls: Controls
    answers: Answers
    digest: str


def read_rulebook(rules: Path, approvals: Path) -> Rulebook:
    """Read both folders whole. Raises InputError with file and line; then nothing of it is used."""
    policy = load_policy(approvals)
    return Rulebook(
        clauses=read_clauses(rules),
        policy=policy,
        calendar=load_calendar(approvals),
        weights=RiskWeights.from_mapping(policy.risk),
        addresses=read_address_rules(rules),
        controls=read_controls(rules),
        answers=read_detectors(rules).answers,
        digest=digest_of(rules, approvals),
    )


def open_house(settings: Settings, *, work: Work | None = None, name: str | None = None) -> House:
    """Return the house of this process. Raises InputError when settings, keys or rules do not hold.

    Without `work`, what is asked for is found by the controller's next sweep.
    """
    keys = settings.keys
    return House(
        settings=settings,
        store=Store(settings.database_url),
        vault=Vault(keys),
        mail_key=keys.derive("mail ids"),
        rulebook=read_rulebook(settings.rules, settings.approvals),
        sessions=Sessions(open_device),
        work=work or NoWork(),
        name=name or process_name(os.getpid()),
    )


def process_name(pid: int) -> str:
    """Name a process of this host for the locks it holds: host, PID namespace (pid_namespaces(7)), number."""
    namespace = os.stat("/proc/self/ns/pid").st_ino
    return f"{socket.gethostname()}:{namespace}:{pid}"


def free_locks_of_the_dead(house: House) -> int:
    """Free the locks that a killed process of this very host left: else its firewalls wait for the lease.

    Returns how many. A process of another host or PID namespace is never judged dead from here.
    """
    here = process_name(0).removesuffix("0")
    with house.store.session() as session:
        dead = [
            holder
            for holder in live_holders(session, at=house.clock())
            if holder.startswith(here) and not Path(f"/proc/{holder.removeprefix(here)}").exists()
        ]
        return sum(free_locks_of(session, holder, at=house.clock()) for holder in dead)


class NoWork:
    """Work for commands that only write tables: the controller's sweep finds what they asked for."""

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Do nothing: a look that is lost loses nothing."""


@dataclass(slots=True, kw_only=True)
class House:
    """Handed to every flow; holds no state of its own but open sessions."""

    settings: Settings
    store: Store
    vault: Vault
    mail_key: bytes  # of the HMAC in our Message-IDs
    rulebook: Rulebook
    sessions: Sessions
    work: Work
    name: str  # of this process, as the holder of locks
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def endpoint(self, row: FirewallRow) -> Endpoint:
        """Return how to reach a firewall, its key opened."""
        return Endpoint(
            firewall=row.value(),
            private_key=device_secret(row, self.vault),
            host_key=row.host_key,
            connect_s=float(self.settings.connect_s),
            answer_s=float(self.settings.answer_s),
        )

    def last_hand(self, session: Session, firewall_id: int) -> int:
        """Return the token of whoever held the device last. Raises ConflictError while someone does."""
        token = last_token(session, firewall_id, at=self.clock())
        if token is None:
            raise ConflictError(f"firewall {firewall_id} is in another hand: tried again soon")
        return token

    @contextmanager
    def hand_on(self, firewall_id: int, *, since: int) -> Iterator[Hand]:
        """Hold the one hand on a device, if nobody held it since the token `since` (see `last_hand`).

        So what was read of device and tables since then still stands. Raises ConflictError when not.
        """
        with self.store.session() as session:
            token = take_lock(
                session, firewall_id, holder=self.name, at=self.clock(), lease_s=float(self.settings.lease_s)
            )
        if token is None:
            raise ConflictError(f"firewall {firewall_id} is in another hand: tried again soon")
        hand = Hand(self, firewall_id, token)
        try:
            if token != since + 1:
                raise ConflictError(f"firewall {firewall_id} was in another hand meanwhile: read again")
            yield hand
        finally:
            with self.store.session() as session:
                release_lock(session, firewall_id, token, at=self.clock())


@dataclass(frozen=True, slots=True)
class Hand:
    """The lock on one device, with its fencing token."""

    house: House
    firewall_id: int
    token: int

    def renew(self, session: Session) -> None:
        """Prolong the lease within a transaction. Raises ConflictError when it went to another."""
        if not renew_lock(
            session,
            self.firewall_id,
            self.token,
            at=self.house.clock(),
            lease_s=float(self.house.settings.lease_s),
        ):
            raise ConflictError(f"the lock on firewall {self.firewall_id} went to another: start again")
