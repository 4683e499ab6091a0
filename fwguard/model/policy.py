"""What a firewall does, in no vendor's words: chains of rules, NAT, routes, and what nobody could read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL


class Hook(StrEnum):
    """Where a packet is judged: through the firewall, to it, or from it."""

    FORWARD = "forward"
    INPUT = "input"
    OUTPUT = "output"


class Action(StrEnum):
    """What a rule does with a packet that it matches."""

    ACCEPT = "accept"  # this base chain lets it pass; later base chains of the hook still judge
    DROP = "drop"
    REJECT = "reject"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    CONTINUE = "continue"  # log, count, mark: no effect on the verdict
    UNKNOWN = "unknown"  # what it does could not be read


class CtState(StrEnum):
    """Connection-tracking states that a rule may ask for (nft(8) CONNTRACK EXPRESSIONS)."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"
    UNTRACKED = "untracked"


ANY_STATE: Final = frozenset(CtState)


@dataclass(frozen=True, slots=True)
class InterfaceSet:
    """Interfaces or zones by name; a name may end in `*`; `negated` means all but these.

    `but` takes names back out of a pattern in `names` (`eth*` but `eth0`); the most specific name
    decides. No firewall writes such a set; analysis needs it to say exactly what is left.
    """

    names: frozenset[str] = frozenset()
    negated: bool = True
    but: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *names: str) -> InterfaceSet:
        """Build the set of just these names."""
        return cls(frozenset(names), negated=False)

    @classmethod
    def all_but(cls, *names: str) -> InterfaceSet:
        """Build the set of every name but these."""
        return cls(frozenset(names), negated=True)

    def __contains__(self, name: str) -> bool:
        if self.but:
            fitting = [
                entry
                for entry in (*self.names, *self.but)
                if entry == name or (entry.endswith("*") and name.startswith(entry[:-1]))
            ]
            best = max(fitting, key=lambda entry: (entry == name, len(entry)), default="")
            return (bool(fitting) and best in self.names) != self.negated
        listed = name in self.names or any(
            pattern.endswith("*") and name.startswith(pattern[:-1]) for pattern in self.names
        )
        return listed != self.negated

    @property
    def is_any(self) -> bool:
        """Tell whether every interface is in the set."""
        return self.negated and not self.names

    def __str__(self) -> str:
        if self.is_any:
            return "any"
        but = f" but {','.join(sorted(self.but))}" if self.but else ""
        return ("not " if self.negated else "") + ",".join(sorted(self.names)) + but


ANY_INTERFACE: Final = InterfaceSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A product of sets: a packet matches when every field of it is in the set of that field.

    `dport` holds ICMP type * 256 + code where the protocol is ICMP or ICMPv6 (`ports.icmp_key`).
    Fields are independent; what they mean for a protocol without ports is not asked.
    `unknown` is the text of a further condition that could not be read: then the match covers *some
    subset* of the product, nobody knows which, and analysis answers with two bounds.
    """

    ingress: InterfaceSet = ANY_INTERFACE
    egress: InterfaceSet = ANY_INTERFACE
    source: AddressSet = ANY_ADDRESS
    target: AddressSet = ANY_ADDRESS
    protocol: Intervals = ANY_PROTOCOL
    sport: Intervals = ANY_PORT
    dport: Intervals = ANY_PORT
    states: frozenset[CtState] = ANY_STATE
    unknown: str = ""

    @property
    def can_be_new(self) -> bool:
        """Tell whether the first packet of a connection can match."""
        return CtState.NEW in self.states


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a chain: the union of `matches`, and what happens then."""

    matches: tuple[Match, ...]
    action: Action
    jump: str = ""  # the key in Policy.chains of a JUMP or GOTO
    line: int  # in the device's own text, for messages; 0 for a rule that no line says
    text: str = ""  # the device's own words
    comment: str = ""

    def __post_init__(self) -> None:
        if (self.action in (Action.JUMP, Action.GOTO)) != bool(self.jump):
            raise InputError(f"{self.action} to {self.jump!r}", where=f"line {self.line}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """An ordered list: the first rule that matches and decides, decides.

    `families` says which packets pass it at all: a packet of another family is not judged here.
    `default` is what happens at the end of a base chain; RETURN for a chain that is only jumped to.
    """

    name: str
    families: Family
    rules: tuple[Rule, ...]
    default: Action = Action.RETURN
    default_line: int = 0


class NatKind(StrEnum):
    """What is rewritten."""

    DNAT = "dnat"
    SNAT = "snat"
    MASQUERADE = "masquerade"
    REDIRECT = "redirect"
    NETMAP = "netmap"
    STATIC = "static"  # both directions
    EXEMPT = "exempt"  # a rule that ends NAT for what it matches
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatRule:
    """One address translation; `to` empty keeps the address, `to_ports` empty keeps the port."""

    kind: NatKind
    matches: tuple[Match, ...]
    to: AddressSet = AddressSet()
    to_ports: Intervals = Intervals()
    line: int
    text: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One static route; `kind` as in ip-route(8): unicast, blackhole, unreachable, prohibit…"""

    prefix: str
    via: str = ""
    interface: str = ""
    table: str = "main"
    metric: int = 0
    kind: str = "unicast"
    line: int = 0


EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class Connected:
    """A prefix that stands at an interface of the firewall; `interface` is named as rules name it.

    A prefix of everything: the interface learns its address, and the way to everywhere else, from outside.
    """

    prefix: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A line that the dialect did not understand: kept as text, compared as text, never dropped."""

    line: int
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole firewall. `hooks` lists the keys of base chains in the order that a packet passes them:
    it must be accepted by every one of its family.

    A packet of a family outside `families` was not spoken of: its verdict is unknown.
    A hook without a base chain of the packet's family, in a spoken-of family, accepts.
    """

    dialect: str
    families: Family = Family.BOTH
    chains: Mapping[str, Chain] = field(default_factory=dict)
    hooks: Mapping[Hook, tuple[str, ...]] = field(default_factory=dict)
    used_elsewhere: frozenset[str] = frozenset()  # chains that NAT, VPN or routing name, whatever filters
    nat: tuple[NatRule, ...] = ()  # DNAT kinds before filter, SNAT kinds after, each in order
    routes: tuple[Route, ...] = ()
    networks: tuple[Connected, ...] = ()  # of its interfaces, as far as the text says them
    unread: tuple[Unread, ...] = ()

    def __post_init__(self) -> None:
        for keys in self.hooks.values():
            for key in keys:
                if key not in self.chains:
                    raise InputError(f"base chain {key!r} does not exist")
        for chain in self.chains.values():
            for rule in chain.rules:
                if rule.jump and rule.jump not in self.chains:
                    raise InputError(
                        f"jump to {rule.jump!r}, which does not exist", where=f"line {rule.line}"
                    )

    @property
    def rule_count(self) -> int:
        """Return how many rules all chains hold, defaults not counted."""
        return sum(len(chain.rules) for chain in self.chains.values())
