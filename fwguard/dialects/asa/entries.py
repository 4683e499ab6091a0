"""One entry of an extended access list: what it matches, and what it does.

Source: ASA command reference, `access-list extended`; general rules of the firewall configuration guide.
Users, security groups and time ranges narrow a match in a way that no text decides: it is then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.asa.objects import PORT_WORDS, Book, icmp_of, read_ports
from fwguard.dialects.cisco.addresses import is_v6, with_mask
from fwguard.dialects.cisco.groups import Service, doubted, numbers, union
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
KINDS: Final = frozenset({"extended", "standard", "remark", "ethertype", "webtype", "advanced", "line"})


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
        if "inactive" in line.words[start:]:
            return Rule(
                matches=(Match(),),
                action=Action.CONTINUE,
                line=line.number,
                text=line.text,
                comment="inactive",
            )
        try:
            if action is Action.UNKNOWN:
                raise InputError(f"{words.peek()[:40]!r}", expected="permit or deny")
            words.next("permit or deny")
            matches = self._matches(words)
        except InputError as error:
            self._note(line, str(error))
            matches = (Match(unknown=str(error)[:300]),)
        else:
            why = next((match.unknown for match in matches if match.unknown), "")
            if any(text in why for text in ("does not exist", "itself", "too deep", "is empty", "disagree")):
                self._note(line, why)
        return Rule(matches=matches, action=action, line=line.number, text=line.text)

    def standard(self, line: Line, start: int) -> Rule:
        """Read an entry of a standard list: a target alone."""
        words = Words(line.words, start)
        action = ACTIONS.get(words.next("permit or deny"), Action.UNKNOWN)
        doubts: list[str] = []
        try:
            match = Match(target=self.address(words, doubts))
        except InputError as error:
            self._note(line, str(error))
            match = Match(unknown=str(error)[:300])
        return Rule(
            matches=(doubted(match, "; ".join(doubts)),), action=action, line=line.number, text=line.text
        )

    def _note(self, line: Line, why: str) -> None:
        self.unread.append(Unread(line=line.number, text=line.text, why=why))

    def _matches(self, words: Words) -> tuple[Match, ...]:
        doubts: list[str] = []
        services = self._services(words, doubts)
        protocol = numbers(tuple(service.protocol for service in services))
        self._identity(words, doubts)
        source = self.address(words, doubts)
        self._identity(words, doubts)
        sport = self._ports(words, doubts)
        self._identity(words, doubts)
        target = self.address(words, doubts)
        self._identity(words, doubts)
        dport = self._ports(words, doubts)
        if dport == ANY_PORT:
            dport = self._icmp(words, protocol, doubts)
        self._tail(words, doubts)
        if len(services) > MAX_MATCHES:
            services, doubts = [Service()], [*doubts, f"{len(services)} services"]
        doubt = "; ".join(dict.fromkeys(doubts))
        return tuple(
            doubted(
                Match(
                    source=source, target=target, protocol=service.protocol,
                    sport=service.sport & sport, dport=service.dport & dport,
                ),
                "; ".join(filter(None, (service.doubt, doubt))),
            )
            for service in services
        )  # fmt: skip

    def _services(self, words: Words, doubts: list[str]) -> list[Service]:
        kind = words.take("object", "object-group")
        if not kind:
            word = words.next("a protocol")
            if not is_protocol(word):
                raise InputError(f"protocol {word[:40]!r}", expected="a protocol, object or object-group")
            return [Service(protocols(word))]
        name = words.next("a name")
        if name in self.book.protocols:
            found, doubt = self.book.protocols.resolve(name)
            doubts.append(doubt) if doubt else None
            return [Service(numbers(found))] if found else [Service()]
        parts, doubt = self.book.services.resolve(name)
        if doubt:
            doubts.append(doubt)
        return list(parts) or [Service()]

    def _identity(self, words: Words, doubts: list[str]) -> None:
        while words.peek() in _IDENTITY:
            keyword = words.next("")
            named = [words.next("a name") for _ in range(_IDENTITY[keyword])]
            doubts.append(" ".join((keyword, *named)))

    def address(self, words: Words, doubts: list[str]) -> AddressSet:
        """Take an address off the words; what is not exact goes to `doubts`. Raises InputError."""
        word = words.next("an address")
        if word in ("any", "any4", "any6"):
            whole = ANY_V4 if self.any_is_v4 else ANY_ADDRESS
            return {"any": whole, "any4": ANY_V4, "any6": ANY_V6}[word]
        if word == "host":
            plain = self.book.plain(words.next("an address"))
            if "/" in plain or "-" in plain:
                raise InputError(f"address {plain[:40]!r}", expected="one address")
            return AddressSet.parse(plain)
        if word in ("object", "object-group", "object-group-network-service"):
            parts, doubt = self.book.networks.resolve(words.next("a name"))
            if doubt:
                doubts.append(doubt)
                return ANY_ADDRESS
            return union(parts)
        if word == "interface":
            name = words.next("an interface")
            own = self.own.get(name)
            if own is None or not own:
                doubts.append(f"the address of interface {name} is not in the text")
                return ANY_ADDRESS
            return own
        word = self.book.plain(word)
        if is_v6(word):
            return AddressSet.parse(word)
        addresses, exact = with_mask(word, words.next("a mask"))
        if not exact:
            doubts.append("a mask with very many holes")
        return addresses

    def _ports(self, words: Words, doubts: list[str]) -> Intervals:
        if words.peek() in PORT_WORDS:
            ports, doubt = read_ports(words)
            if doubt:
                doubts.append(doubt)
            return ports
        if words.peek() == "object-group" and words.peek(1) in self.book.ports:
            words.next("")
            parts, doubt = self.book.ports.resolve(words.next("a name"))
            if doubt:
                doubts.append(doubt)
                return ANY_PORT
            return numbers(parts)
        return ANY_PORT

    def _icmp(self, words: Words, protocol: Intervals, doubts: list[str]) -> Intervals:
        if words.peek() == "object-group":
            words.next("")
            parts, doubt = self.book.icmp.resolve(words.next("a name"))
            if doubt:
                doubts.append(doubt)
                return ANY_PORT
            return numbers(parts)
        return icmp_of(words, protocol) or ANY_PORT

    def _tail(self, words: Words, doubts: list[str]) -> None:
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
                doubts.append(f"time-range {words.next('a name')}")
            elif word == "rule-id":
                words.next("a number")
            elif word == "event-log":
                words.next("start, end or both")
            else:
                raise InputError(f"{word[:40]!r} after the addresses", expected="log, time-range or inactive")
