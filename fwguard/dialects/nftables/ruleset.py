"""What an nftables text holds: tables, chains, sets and rules as tokens, before anybody asks what they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.nftables.lexer import Source, Token
from fwguard.model.address import Family
from fwguard.model.policy import Unread

FAMILIES: Final = {
    "ip": Family.V4, "ip6": Family.V6, "inet": Family.BOTH,
    "arp": Family(0), "bridge": Family(0), "netdev": Family(0),
}  # fmt: skip


@dataclass(slots=True)
class RuleText:
    """One rule: its tokens with variables replaced, and its place in the source."""

    tokens: list[Token]
    line: int
    start: int
    end: int
    text: str
    form: str  # "block", "add" or "insert": how it stands in the text
    command_start: int  # where its command, or the rule in its block, begins
    command_end: int


@dataclass(slots=True)
class ChainText:
    """One chain; `hook` is empty for a chain that is only jumped to."""

    name: str
    line: int
    kind: str = ""
    hook: str = ""
    devices: tuple[str, ...] = ()
    priority: int = 0
    policy: str = "accept"
    policy_line: int = 0
    rules: list[RuleText] = field(default_factory=list)
    close: int = -1  # offset of the brace that closes the chain's last block; -1 if it has none
    command_end: int = -1  # end of the command that adds it, in command form
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class SetText:
    """One named set or map; `elements` are tokens, variables replaced."""

    name: str
    line: int
    is_map: bool = False
    head: dict[str, tuple[str, ...]] = field(default_factory=dict)  # type, flags, size, timeout, policy …
    elements: list[list[Token]] = field(default_factory=list)
    is_updated: bool = False  # some rule adds to it or updates it

    @property
    def is_volatile(self) -> bool:
        """Tell whether packets or time change what is in it."""
        flags = self.head.get("flags", ())
        return "dynamic" in flags or "timeout" in flags or "timeout" in self.head or self.is_updated


@dataclass(slots=True)
class TableText:
    """One table of one family."""

    family: str
    name: str
    line: int
    dormant: bool = False
    chains: dict[str, ChainText] = field(default_factory=dict)
    sets: dict[str, SetText] = field(default_factory=dict)
    objects: list[tuple[str, list[Token]]] = field(default_factory=list)  # counters, quotas, flowtables …


@dataclass(slots=True)
class Ruleset:
    """A whole text. `wild` are lines whose effect on any packet is unknown, such as an include."""

    source: Source
    tables: dict[tuple[str, str], TableText] = field(default_factory=dict)
    defines: dict[str, list[Token]] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    wild: list[Unread] = field(default_factory=list)
    flushes: bool = False
    commands: int = 0
