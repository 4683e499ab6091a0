"""The form of a registration: every field checked, every problem said beside its field, nothing typed lost."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

from fwguard.approvals.calendar import PARIS
from fwguard.errors import InputError
from fwguard.model.controls import ServiceKind
from fwguard.model.intervals import Intervals
from fwguard.model.ports import parse_ports, parse_protocol
from fwguard.model.registration import LONGEST, MOST_PORTS, Registration
from fwguard.web.request_form import wrong_port
from fwguard.web.texts import gettext

PROTOCOLS: Final = ("tcp", "udp", "sctp")
MOST_LETTERS: Final = 2000  # of any field


@dataclass(slots=True, kw_only=True)
class RegistrationForm:
    """What was typed, and after `asked` what is wrong with it, by field."""

    server: str = ""
    kind: str = ""
    protocol: str = "tcp"
    ports: str = ""
    until: str = ""
    reason: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Take what a browser sent, each field bounded."""

        def text(name: str) -> str:
            return given.get(name, "")[:MOST_LETTERS].strip()

        return cls(
            server=text("server"), kind=text("kind"), protocol=text("protocol"), ports=text("ports"),
            until=text("until"), reason=text("reason"), key=text("key"),
        )  # fmt: skip

    def asked(self, servers: Collection[str], now: datetime) -> Registration | None:
        """Return what is asked, or None and the problems; `servers` are those that this person may name."""
        self.problems = {}
        if self.server not in servers:
            self.problems["server"] = gettext("Choose one of your servers.")
        if self.kind not in set(ServiceKind):
            self.problems["kind"] = gettext("Choose what kind of software it is.")
        if self.protocol not in PROTOCOLS:
            self.problems["protocol"] = gettext("Choose one of these protocols.")
        ports, ends_at = self._ports(), self._end(now)
        if not self.reason:
            self.problems["reason"] = gettext("Say what it is for: whoever decides reads it.")
        if self.problems or ends_at is None:
            return None
        return Registration(
            server=self.server, software=ServiceKind(self.kind), protocol=parse_protocol(self.protocol),
            ports=ports, ends_at=ends_at, reason=self.reason,
        )  # fmt: skip

    def idempotency_key(self, user_id: int) -> str:
        """Return the same key for the same form of the same page, and another once anything is changed."""
        content = {**asdict(self), "problems": None, "user": user_id}
        return "form:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _ports(self) -> Intervals:
        words = self.ports.replace(",", " ").replace(";", " ").split()
        for word in words:
            if problem := wrong_port(word):
                self.problems["ports"] = problem
                return Intervals()
        ports = parse_ports(",".join(words)) if words else Intervals()
        if ports.size > MOST_PORTS:
            self.problems["ports"] = gettext("At most %(most)d ports fit one registration.", most=MOST_PORTS)
        return ports

    def _end(self, now: datetime) -> datetime | None:
        """Return the end of the last day, in Paris."""
        try:
            last = date.fromisoformat(self.until)
            end = datetime.combine(last + timedelta(days=1), time(), PARIS).astimezone(UTC)
        except (ValueError, OverflowError):
            self.problems["until"] = gettext("Until which day? Write 2026-12-31, for example.")
            return None
        if end <= now:
            self.problems["until"] = gettext("This day is past.")
        elif end > now + LONGEST:
            self.problems["until"] = gettext("This is more than ten years away.")
        return end


def tidy_reason(text: str) -> str:
    """Return a reason as it is kept. Raises InputError when there is none."""
    text = text[:MOST_LETTERS].strip()
    if not text:
        raise InputError(gettext("Say why: it stands in the log, and the other side reads it."))
    return text
