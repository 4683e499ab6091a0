"""The nat table as one list of translations: jumps followed, returns taken off, in the order of a packet.

NAT is looked up for the first packet of a connection only; the first rule that translates or accepts ends
the look-up of its hook. Source: iptables(8) TABLES, iptables-extensions(8).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.iptables.blocks import Command
from fwguard.dialects.iptables.options import Parsed
from fwguard.dialects.iptables.targets import CONTINUE, TRANSLATIONS
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region, share, without
from fwguard.model.policy import Match, NatKind, NatRule, Unread

MAX_RULES: Final = 20_000
MAX_REGION: Final = 64
MAX_DEPTH: Final = 128
MAX_VISITS: Final = 300_000  # matches looked at
CHANGES_TARGET: Final = frozenset({NatKind.DNAT, NatKind.REDIRECT, NatKind.NETMAP, NatKind.UNKNOWN})


@dataclass(slots=True)
class NatLine:
    """One rule of the nat table, read: `jump` names a chain of the user's own."""

    command: Command
    parsed: Parsed
    matches: tuple[Match, ...]
    jump: str = ""

    @property
    def translates(self) -> bool:
        """Tell whether the rule ends the look-up for what it matches."""
        target = self.parsed.target
        return bool(target) and not self.jump and target != "RETURN" and target not in CONTINUE


@dataclass(slots=True)
class Translations:
    """What the nat table of one family does before the filter, after it, and what could not be read."""

    before: list[NatRule] = field(default_factory=list)
    after: list[NatRule] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def rewrites_targets(self) -> bool:
        """Tell whether any packet may come to the filter with another target than it was sent to."""
        return any(rule.kind in CHANGES_TARGET and rule.matches for rule in self.before)


def translations(chains: dict[str, list[NatLine]], family: Family) -> Translations:
    """Flatten a nat table.

    Rules that translate nothing here stay, matching nothing, so that every line of the text is in the
    list: jumps, logs, what is never reached, and what translates only the firewall's own connections.
    """
    flat = _Flattening(chains, family)
    everything = (Match(),)
    flat.follow("PREROUTING", everything, flat.done.before, 0)
    flat.follow("POSTROUTING", everything, flat.done.after, 0)
    for lines in chains.values():
        for line in lines:
            if line.command.line not in flat.seen:
                flat.keep(line, (), flat.done.after)
    return flat.done


class _Flattening:
    def __init__(self, chains: dict[str, list[NatLine]], family: Family) -> None:
        self.chains = chains
        self.family = family
        self.done = Translations()
        self.seen: set[int] = set()
        self.visits = 0
        self.gave_up = False

    def follow(self, name: str, region: Region, into: list[NatRule], depth: int) -> None:
        """Walk one chain with what may reach it. A jump takes nothing off: what is not translated there
        comes back, and what is has met an earlier rule of the list."""
        for line in self.chains.get(name, []):
            self.visits += len(region) * max(1, len(line.matches))
            if self.gave_up or len(into) > MAX_RULES or depth > MAX_DEPTH or self.visits > MAX_VISITS:
                self._give_up(line, into)
                return
            reached = tuple(match for match in share(region, line.matches) if match.can_be_new)
            if line.translates or line.command.line not in self.seen:
                self.keep(line, reached, into)
            if not reached:
                continue
            if line.jump:
                self.follow(line.jump, reached, into, depth + 1)
            if line.parsed.goto or line.parsed.target == "RETURN":
                region = self._left(region, line)

    def _left(self, region: Region, line: NatLine) -> Region:
        """Return what does not leave the chain here, as far as anybody knows."""
        rest = region
        for match in line.matches:
            rest = without(rest, (match,))
            if len(rest) > MAX_REGION:
                return (Match(unknown="what earlier NAT rules left over"),)
        if any(match.unknown for match in line.matches):
            return tuple(replace(one, unknown=one.unknown or f"not {line.command.text[:80]}") for one in rest)
        return rest

    def _give_up(self, line: NatLine, into: list[NatRule]) -> None:
        if not self.gave_up:
            self.gave_up = True
            why = "the jumps of the nat table unfold without end"
            self.done.unread.append(Unread(line=line.command.line, text=line.command.text, why=why))
            anything = (Match(unknown=why),)
            into.append(
                NatRule(
                    kind=NatKind.UNKNOWN, matches=anything, line=line.command.line, text=line.command.text
                )
            )

    def keep(self, line: NatLine, reached: Region, into: list[NatRule]) -> None:
        """Add one rule to the list with what reaches it."""
        first = line.command.line not in self.seen
        if not reached and not first:
            return
        self.seen.add(line.command.line)
        to, ports = AddressSet(), Intervals()
        kind = NatKind.EXEMPT
        if not line.translates:
            reached = ()
        elif line.parsed.target != "ACCEPT":
            kind = TRANSLATIONS.get(line.parsed.target, NatKind.UNKNOWN)
            try:
                if kind is NatKind.UNKNOWN or line.parsed.torn:
                    raise InputError(f"target {line.parsed.target[:40]} in table nat")
                to, ports = destination(line.parsed, kind, self.family)
            except InputError as error:
                kind = NatKind.UNKNOWN
                if first:
                    self.done.unread.append(
                        Unread(line=line.command.line, text=line.command.text, why=str(error))
                    )
        into.append(
            NatRule(
                kind=kind, matches=tuple(_of_family(match, self.family) for match in reached), to=to,
                to_ports=ports, line=line.command.line, text=line.command.text, comment=line.parsed.comment,
            )
        )  # fmt: skip


def _of_family(match: Match, family: Family) -> Match:
    """One list holds the rules of both families: each says which it is for."""
    return replace(match, source=match.source.of_family(family), target=match.target.of_family(family))


def destination(parsed: Parsed, kind: NatKind, family: Family) -> tuple[AddressSet, Intervals]:
    """Return the addresses and ports that a translation goes to; empty keeps what was."""
    if kind in (NatKind.MASQUERADE, NatKind.REDIRECT):
        words = parsed.values("--to-ports") or parsed.values("--to-port")
        return AddressSet(), _ports(words[0]) if words else Intervals()
    wanted = {NatKind.DNAT: "--to-destination", NatKind.SNAT: "--to-source"}.get(kind, "--to")
    words = parsed.values(wanted) or parsed.values("--to")
    if not words:
        raise InputError(f"{parsed.target} without {wanted}")
    if len([option for option in parsed.target_options if option.name == wanted]) > 1:
        raise InputError(f"more than one {wanted}")
    text, ports = words[0], ""
    if text.startswith("["):
        text, _, ports = text[1:].partition("]")
        ports = ports.removeprefix(":")
    elif family is Family.V4:
        text, _, ports = text.partition(":")
    addresses = AddressSet.parse(text) if text else AddressSet()
    if addresses and addresses.families is not family:
        raise InputError(f"{wanted} {words[0][:60]}", expected="an address of the table's own family")
    return addresses, _ports(ports) if ports else Intervals()


def _ports(text: str) -> Intervals:
    """Read "80" or "80-90"; "80-90/100" shifts ports one by one, which the model cannot say."""
    if "/" in text:
        raise InputError(f"shifted ports {text[:40]!r}", expected="a port or a range")
    return names.port_span(text.replace("-", ":"))
