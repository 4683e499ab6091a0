"""The form of a request: every field checked, every problem said beside its field, nothing typed lost."""

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
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.ports import WITH_PORTS, parse_ports, parse_protocol
from fwguard.model.ticket import Ask
from fwguard.web.texts import gettext

PROTOCOLS: Final = ("tcp", "udp", "sctp", "icmp", "icmpv6")
ANYONE: Final = "anyone"
THESE: Final = "these"
MOST_ADDRESSES: Final = 100
MOST_LETTERS: Final = 2000  # of any field
LONGEST: Final = timedelta(days=3660)


@dataclass(slots=True, kw_only=True)
class RequestForm:
    """What was typed, and after `ask` what is wrong with it, by field."""

    server: str = ""
    protocol: str = "tcp"
    ports: str = ""
    who: str = ""
    addresses: str = ""
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
            server=text("server"), protocol=text("protocol"), ports=text("ports"), who=text("who"),
            addresses=text("addresses"), until=text("until"), reason=text("reason"), key=text("key"),
        )  # fmt: skip

    def ask(self, servers: Collection[str], now: datetime) -> Ask | None:
        """Return what is asked, or None and the problems; `servers` are those that this person may name."""
        self.problems = {}
        protocol = parse_protocol(self.protocol) if self.protocol in PROTOCOLS else None
        if self.server not in servers:
            self.problems["server"] = gettext("Choose one of your servers.")
        if protocol is None:
            self.problems["protocol"] = gettext("Choose one of these protocols.")
        ports = self._ports(protocol is None or protocol in WITH_PORTS)
        source, ends_at = self._source(), self._end(now)
        if not self.reason:
            self.problems["reason"] = gettext("Say what it is for: whoever decides reads it.")
        if self.problems or protocol is None:
            return None
        return Ask(
            server=self.server, protocol=protocol, source=source, ports=ports, ends_at=ends_at,
            reason=self.reason,
        )  # fmt: skip

    def idempotency_key(self, user_id: int) -> str:
        """Return the same key for the same form of the same page, and another once anything is changed."""
        content = {**asdict(self), "problems": None, "user": user_id}
        return "form:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _ports(self, wanted: bool) -> Intervals:
        words = [word for word in self.ports.replace(",", " ").replace(";", " ").split() if word]
        if not wanted:
            if words:
                self.problems["ports"] = gettext("Ping has no ports: leave this empty.")
            return Intervals()
        if not words:
            self.problems["ports"] = gettext("Which port? Write 443, for example, or 8000-8010.")
        for word in words:
            if problem := wrong_port(word):
                self.problems["ports"] = problem
                return Intervals()
        return parse_ports(",".join(words)) if words else Intervals()

    def _source(self) -> AddressSet:
        if self.who == ANYONE:
            return AddressSet.parse("any")
        words = self.addresses.replace(",", " ").replace(";", " ").split()
        if self.who != THESE:
            self.problems["who"] = gettext("Say who may come: everyone, or only some addresses.")
        elif not words:
            self.problems["addresses"] = gettext("Which addresses? Write 198.51.100.0/24, for example.")
        elif len(words) > MOST_ADDRESSES:
            self.problems["addresses"] = gettext(
                "At most %(most)d addresses fit one request.", most=MOST_ADDRESSES
            )
        else:
            for word in words:
                try:
                    AddressSet.parse(word)
                except InputError:
                    self.problems["addresses"] = gettext(
                        "“%(word)s” is no address: write 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32.",
                        word=word[:80],
                    )
                    return AddressSet()
            return AddressSet.parse(*words)
        return AddressSet()

    def _end(self, now: datetime) -> datetime | None:
        """Return the end of the last day, in Paris; None for no end."""
        if not self.until:
            return None
        try:
            last = date.fromisoformat(self.until)
            end = datetime.combine(last + timedelta(days=1), time(), PARIS).astimezone(UTC)
        except (ValueError, OverflowError):
            self.problems["until"] = gettext("This is no day: write 2026-12-31, for example.")
            return None
        if end <= now:
            self.problems["until"] = gettext("This day is past.")
        elif end > now + LONGEST:
            self.problems["until"] = gettext("This is more than ten years away: leave it empty for no end.")
        return end


def wrong_port(word: str) -> str:
    """Return what is wrong with one port or range, or an empty text."""
    low, dash, high = word.partition("-")
    numbers = [low, high] if dash else [low]
    if not all(number.isascii() and number.isdecimal() for number in numbers):
        return gettext("“%(word)s” is no port: write 443, for example, or 8000-8010.", word=word[:80])
    for number in numbers:
        if len(number) > 5 or not 1 <= int(number) <= 65535:
            return gettext("There is no port %(port)s: ports go from 1 to 65535.", port=number[:20])
    if dash and int(low) > int(high):
        return gettext("%(word)s runs backwards: write %(high)s-%(low)s.", word=word, high=high, low=low)
    return ""
