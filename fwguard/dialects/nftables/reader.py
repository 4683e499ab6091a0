"""A whole nftables text -> Policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.nftables.flatten import Step, flatten
from fwguard.dialects.nftables.hooks import (
    Base,
    check_jumps,
    may_drop,
    no_egress,
    no_ingress,
    order,
    untracked,
)
from fwguard.dialects.nftables.parse import SPOILT
from fwguard.dialects.nftables.ruleset import FAMILIES, ChainText, Ruleset, TableText
from fwguard.dialects.nftables.translate import Meaning, meaning_of
from fwguard.model.address import ANY_ADDRESS, Family
from fwguard.model.matching import Region
from fwguard.model.policy import (
    Action,
    Chain,
    Hook,
    InterfaceSet,
    Match,
    NatKind,
    NatRule,
    Policy,
    Rule,
    Unread,
)

L3: Final = ("ip", "ip6", "inet")
DESTINATION: Final = ("prerouting", "output")
UPDATES: Final = ("add", "update", "delete")


def key_of(table: TableText, chain: str) -> str:
    """Return the key of a chain in Policy.chains: family, table and name."""
    return f"{table.family} {table.name} {chain}"


@dataclass(frozen=True, slots=True)
class Reading:
    """A policy, and for each chain which rule of the text each of its rules comes from."""

    policy: Policy
    origins: Mapping[str, list[int]]


def read_ruleset(ruleset: Ruleset) -> Reading:
    """Return what a ruleset does. Raises UnreadableError for a loop of chains."""
    reader = _Reader(ruleset)
    return Reading(reader.policy(), reader.origins)


class _Reader:
    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.unread: list[Unread] = list(ruleset.unread)
        self.wild: list[Unread] = list(ruleset.wild)
        self.chains: dict[str, Chain] = {}
        self.steps: dict[str, tuple[Step, ...]] = {}
        self.bases: list[Base] = []
        self.not_tracked: Region = ()
        self.origins: dict[str, list[int]] = {}

    def policy(self) -> Policy:
        for table in self.ruleset.tables.values():
            self.mark_updates(table)
            memo: dict[tuple[str, ...], Region] = {}
            for chain in table.chains.values():
                self.read_chain(table, chain, memo)
        check_jumps(self.chains)
        for table in self.ruleset.tables.values():
            if table.family not in L3:
                self.below_ip(table)
        if self.not_tracked:
            self.loosen_states()
        nat = self.nat()
        hooks = order(self.chains, self.bases, nat)
        self.add_wild(hooks)
        first = [rule for base, rule in nat if base.hook in DESTINATION]
        last = [rule for base, rule in nat if base.hook not in DESTINATION]
        return Policy(
            dialect="nftables",
            chains=self.chains,
            hooks={hook: hooks[hook] for hook in Hook if hook in hooks},
            nat=(*first, *last),
            unread=tuple(sorted(self.unread, key=lambda one: one.line)),
        )

    def mark_updates(self, table: TableText) -> None:
        """Find the sets that some rule changes: what is in them depends on packets."""
        if not table.sets:
            return
        for chain in table.chains.values():
            for rule in chain.rules:
                for index, token in enumerate(rule.tokens[1:]):
                    if token.text.startswith("@") and rule.tokens[index].text in UPDATES:
                        named = table.sets.get(token.text[1:])
                        if named is not None:
                            named.is_updated = True

    # ------------------------------------------------------------------ chains

    def read_chain(self, table: TableText, chain: ChainText, memo: dict[tuple[str, ...], Region]) -> None:
        key = key_of(table, chain.name)
        is_ip = table.family in L3
        rules: list[Rule] = []
        steps: list[Step] = []
        origins = self.origins[key] = []
        for index, one in enumerate(chain.rules):
            meaning = meaning_of(one, table, memo)
            if meaning.unread and one.tokens[0].text != SPOILT:
                self.unread.append(Unread(line=one.line, text=one.text, why=meaning.unread))
            self.not_tracked += meaning.untracked
            rules += _rules(meaning, one.line, one.text)
            origins += [index] * len(meaning.pieces)
            if chain.kind == "nat" or not chain.hook:
                steps.append(Step(tuple(meaning.pieces), one.line, one.text, meaning.comment))
        default = Action.RETURN
        if chain.hook:
            default = Action.ACCEPT if chain.policy == "accept" else Action.DROP
            if chain.policy not in ("accept", "drop"):  # a variable that an include defines
                text = f"policy {chain.policy}"
                self.unread.append(Unread(line=chain.policy_line, text=text, why="no such policy"))
                doubt = Match(unknown=text[:200])
                rules.append(Rule(matches=(doubt,), action=Action.UNKNOWN, line=chain.policy_line, text=text))
        self.chains[key] = Chain(
            name=chain.name,
            families=FAMILIES[table.family],
            rules=tuple(rules),
            default=default,
            default_line=chain.policy_line if chain.hook else 0,
        )
        self.steps[key] = tuple(steps)
        if not chain.hook or table.dormant or not is_ip:
            return
        base = Base(key, chain.hook, chain.priority, chain.kind != "nat")
        if chain.hook in ("ingress", "egress"):
            self.doubt_below_ip(base.key, chain)
        else:
            self.bases.append(base)

    def below_ip(self, table: TableText) -> None:
        """Keep the rules of a table below IP that may drop: no IP verdict holds them, none ignores them."""
        for chain in table.chains.values():
            if table.family == "arp" or not chain.hook or table.dormant:
                continue
            self.doubt_below_ip(key_of(table, chain.name), chain)

    def doubt_below_ip(self, key: str, chain: ChainText) -> None:
        if not may_drop(self.chains, key):
            return
        one = Unread(line=chain.line, text=f"chain {key}", why="it may drop packets below the IP layer")
        self.unread.append(one)
        self.wild.append(one)

    def loosen_states(self) -> None:
        for key, chain in self.chains.items():
            rules = tuple(
                replace(
                    rule,
                    matches=tuple(new for old in rule.matches for new in untracked(old, self.not_tracked)),
                )
                for rule in chain.rules
            )
            self.chains[key] = replace(chain, rules=rules)

    def add_wild(self, hooks: dict[Hook, tuple[str, ...]]) -> None:
        """Let each hook end in a chain that nobody knows, for lines that may do anything anywhere."""
        if not self.wild:
            return
        key = "what was not read"
        self.chains[key] = Chain(
            name=key,
            families=Family.BOTH,
            rules=tuple(
                Rule(
                    matches=(Match(unknown=one.text[:200]),),
                    action=Action.UNKNOWN,
                    line=one.line,
                    text=one.text,
                )
                for one in self.wild
            ),
            default=Action.ACCEPT,
        )
        for hook in Hook:
            hooks[hook] = (*hooks.get(hook, ()), key)

    # ------------------------------------------------------------------ NAT

    def nat(self) -> list[tuple[Base, NatRule]]:
        out: list[tuple[Base, NatRule]] = []
        bases = sorted((base for base in self.bases if not base.is_filter), key=lambda base: base.priority)
        for index, base in enumerate(bases):
            families = self.chains[base.key].families
            later = [
                other for other in bases[index + 1 :]
                if other.hook == base.hook and self.chains[other.key].families & families
            ]  # fmt: skip
            whole = ANY_ADDRESS.of_family(families)
            start = Match(source=whole, target=whole)
            found = flatten(self.steps, base.key, (start,), is_last=not later)
            if base.hook == "input":
                for rule in found:
                    if rule.kind is not NatKind.EXEMPT:
                        why = "source NAT towards the firewall itself is not in the model"
                        self.unread.append(Unread(line=rule.line, text=rule.text, why=why))
                continue
            out += [(base, one) for rule in found if (one := _in_place(rule, base.hook)) is not None]
        return out


def _rules(meaning: Meaning, line: int, text: str) -> list[Rule]:
    return [
        Rule(
            matches=piece.region, action=piece.action, jump=piece.jump, line=line, text=text,
            comment=meaning.comment,
        )
        for piece in meaning.pieces
    ]  # fmt: skip


def _in_place(rule: NatRule, hook: str) -> NatRule | None:
    """Read a NAT rule where its hook stands; one in output speaks of what the firewall itself sends.

    Such packets have no incoming interface; `lo` stands for it, by which no other packet is forwarded.
    """
    if hook == "prerouting":
        matches = tuple(new for old in rule.matches for new in no_egress(old))
    elif hook == "output":
        own = InterfaceSet.of("lo")
        matches = tuple(replace(new, ingress=own) for old in rule.matches for new in no_ingress(old))
    else:
        matches = rule.matches
    return replace(rule, matches=matches) if matches else None
