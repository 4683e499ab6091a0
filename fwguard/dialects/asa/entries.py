"""One entry of an extended access list: what it matches, and what it does.

Source: ASA command reference, `access-list extended`; general rules of the firewall configuration guide.
Users, security groups and time ranges narrow a match in a way that no text decides: it is then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.asa.objects import PORT_WORDS, Book, icmp_of, read_ports
from fwguard.dialects.bounds import (
    ALL_ADDRESSES,
    ALL_SERVICES,
    EVERYWHERE,
    Addresses,
    Services,
    crossed,
    join,
    matches,
    unknown_addresses,
    unknown_services,
)
from fwguard.dialects.bounds import Service as Plain
from fwguard.dialects.cisco.addresses import is_v6, with_mask
from fwguard.dialects.cisco.groups import Service, known_addresses, known_services, numbers
from fwguard.dialects.cisco.lines import Line, Words
from fwguard.dialects.cisco.names import is_protocol, protocols
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Match, Rule, Unread
from fwguard.model.ports import ANY_PORT

MAX_MATCHES: Final = 4096
ACTIONS: Final = {"permit": Action.ACCEPT, "deny": Action.DROP, "trust": Action.ACCEPT}
_IDENTITY: Final = {
    "user": 1, "user-group": 1, "object-group-user": 1, "object-group-security": 1, "security-group": 2,
}  # fmt: skip
# Words behind which "inactive" would be a name.
_NAMING: Final = frozenset({"object", "object-group", "object-group-user", "time-range", "host", "log"})
Ports = tuple[Intervals, Intervals, str]
ANY_PORTS: Final[Ports] = (ANY_PORT, ANY_PORT, "")


@dataclass(slots=True)
class Entries:
    """Reads entries; `own` are the addresses of interfaces by their names, None where they are not fixed."""

    book: Book
    own: Mapping[str, AddressSet | None]
    any_is_v4: bool = False
    unread: list[Unread] = field(default_factory=list)

    def rule(self, line: Line, start: int) -> Rule:
        """Read the entry whose action stands at word `start`. Never raises."""
        words = Words(line.words, start)
        action = ACTIONS.get(words.peek(), Action.UNKNOWN)
        if line.words[-1] == "inactive" and line.words[-2] not in _NAMING:
            whole = (Match(),)
            return Rule(
                matches=whole, action=Action.CONTINUE, line=line.number, text=line.text, comment="inactive"
            )
        try:
            if action is Action.UNKNOWN:
                raise InputError(f"{words.peek()[:40]!r}", expected="permit or deny")
            words.next("permit or deny")
            found = self._matches(words)
        except InputError as error:
            self._note(line, str(error))
            found = (Match(unknown=str(error)[:300]),)
        else:
            why = next((match.unknown for match in found if match.unknown), "")
            if any(text in why for text in ("does not exist", "itself", "too deep", "is empty", "disagree")):
                self._note(line, why)
        return Rule(matches=found, action=action, line=line.number, text=line.text)

    def standard(self, line: Line, start: int) -> Rule:
        """Read an entry of a standard list: a target alone."""
        words = Words(line.words, start)
        action = ACTIONS.get(words.next("permit or deny"), Action.UNKNOWN)
        try:
            found = matches(EVERYWHERE, ALL_ADDRESSES, self.address(words), ALL_SERVICES)
        except InputError as error:
            self._note(line, str(error))
            found = (Match(unknown=str(error)[:300]),)
        return Rule(matches=found, action=action, line=line.number, text=line.text)

    def _note(self, line: Line, why: str) -> None:
        self.unread.append(Unread(line=line.number, text=line.text, why=why))

    def _matches(self, words: Words) -> tuple[Match, ...]:
        conditions: list[str] = []
        services = self._services(words)
        self._identity(words, conditions)
        source = self.address(words)
        self._identity(words, conditions)
        sports = self._ports(words)
        self._identity(words, conditions)
        target = self.address(words)
        self._identity(words, conditions)
        dports = self._ports(words)
        if dports == ANY_PORTS:
            dports = self._icmp(words, services)
        self._tail(words, conditions)
        services = crossed(services, _on_ports(sports, dports))
        if len(services.most) > MAX_MATCHES:
            services = unknown_services(f"{len(services.most)} services")
        return matches(EVERYWHERE, source, target, services, join(*conditions))

    def _services(self, words: Words) -> Services:
        kind = words.take("object", "object-group")
        if not kind:
            word = words.next("a protocol")
            if not is_protocol(word):
                raise InputError(f"protocol {word[:40]!r}", expected="a protocol, object or object-group")
            return Services((Plain(protocols(word)),))
        name = words.next("a name")
        if name in self.book.protocols:
            found, doubt = self.book.protocols.resolve(name)
            return known_services((Service(numbers(found)),) if found else (), doubt)
        return known_services(*self.book.services.resolve(name))

    def _identity(self, words: Words, conditions: list[str]) -> None:
        while words.peek() in _IDENTITY:
            keyword = words.next("")
            named = [words.next("a name") for _ in range(_IDENTITY[keyword])]
            conditions.append(" ".join((keyword, *named)))

    def address(self, words: Words) -> Addresses:
        """Take an address off the words. Raises InputError."""
        word = words.next("an address")
        if word in ("any", "any4", "any6"):
            whole = ANY_V4 if self.any_is_v4 else ANY_ADDRESS
            return Addresses({"any": whole, "any4": ANY_V4, "any6": ANY_V6}[word])
        if word == "host":
            plain = self.book.plain(words.next("an address"))
            if "/" in plain or "-" in plain:
                raise InputError(f"address {plain[:40]!r}", expected="one address")
            return Addresses(AddressSet.parse(plain))
        if word in ("object", "object-group", "object-group-network-service"):
            return known_addresses(*self.book.networks.resolve(words.next("a name")), ANY_ADDRESS)
        if word == "interface":
            name = words.next("an interface")
            own = self.own.get(name)
            if not own:
                return unknown_addresses(f"the address of interface {name} is not in the text")
            return Addresses(own)
        word = self.book.plain(word)
        if is_v6(word):
            return Addresses(AddressSet.parse(word))
        addresses, exact = with_mask(word, words.next("a mask"))
        return (
            Addresses(addresses)
            if exact
            else Addresses(AddressSet(), addresses, "a mask with very many holes")
        )

    def _ports(self, words: Words) -> Ports:
        """Return the ports that surely match, those that may, and why."""
        if words.peek() in PORT_WORDS:
            ports, doubt = read_ports(words)
            return (Intervals(), ports, doubt) if doubt else (ports, ports, "")
        if words.peek() == "object-group" and words.peek(1) in self.book.ports:
            words.next("")
            parts, doubt = self.book.ports.resolve(words.next("a name"))
            return numbers(parts), ANY_PORT if doubt else numbers(parts), doubt
        return ANY_PORTS

    def _icmp(self, words: Words, services: Services) -> Ports:
        if words.peek() == "object-group":
            words.next("")
            parts, doubt = self.book.icmp.resolve(words.next("a name"))
            return numbers(parts), ANY_PORT if doubt else numbers(parts), doubt
        keys = icmp_of(words, numbers(tuple(service.protocol for service in services.most)))
        return (keys, keys, "") if keys else ANY_PORTS

    def _tail(self, words: Words, conditions: list[str]) -> None:
        while words.left:
            word = words.next("")
            if word == "log":
                if words.take("disable", "default"):
                    continue
                if words.peek() not in ("time-range", "interval", "rule-id", ""):
                    words.next("a level")
                if words.take("interval"):
                    words.number(1, 600)
            elif word == "time-range":
                conditions.append(f"time-range {words.next('a name')}")
            elif word == "rule-id":
                words.next("a number")
            elif word == "event-log":
                words.next("start, end or both")
            else:
                raise InputError(f"{word[:40]!r} after the addresses", expected="log, time-range or inactive")


def _on_ports(sports: Ports, dports: Ports) -> Services:
    """Return any protocol on some ports: certain on those that surely match."""
    why = join(sports[2], dports[2])
    sure = (Plain(dport=dports[0], sport=sports[0]),) if sports[0] and dports[0] else ()
    return Services(sure, (Plain(dport=dports[1], sport=sports[1]),) if why else (), why)
