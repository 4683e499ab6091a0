"""A restore file as a policy: its chains at the hooks in the kernel's order, NAT beside them.

Source: iptables(8), the priorities of netfilter hooks (linux/netfilter_ipv4.h).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.iptables import first_packet
from fwguard.dialects.iptables.blocks import Blocks, ChainBlock, Command, TableBlock, split_blocks
from fwguard.dialects.iptables.conditions import Surroundings, conditions
from fwguard.dialects.iptables.nat import NatLine, Translations, translations
from fwguard.dialects.iptables.options import Parsed, parse_rule
from fwguard.dialects.iptables.targets import CONTINUE, KNOWN, VERDICTS, leads_to
from fwguard.dialects.named_sets import NamedSet
from fwguard.errors import UnreadableError
from fwguard.model.address import Family
from fwguard.model.policy import Action, Chain, Hook, Match, Policy, Rule, Unread

NAME: Final = "iptables"
FAMILY_NAMES: Final = {Family.V4: "ip", Family.V6: "ip6"}
# The base chains that a packet passes, in order; nat stands between and is no chain of verdicts.
HOOKS: Final[Mapping[Hook, tuple[tuple[str, str], ...]]] = {
    Hook.FORWARD: (
        ("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "FORWARD"), ("filter", "FORWARD"),
        ("security", "FORWARD"), ("mangle", "POSTROUTING"),
    ),
    Hook.INPUT: (
        ("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "INPUT"), ("filter", "INPUT"),
        ("security", "INPUT"),
    ),
    Hook.OUTPUT: (
        ("raw", "OUTPUT"), ("mangle", "OUTPUT"), ("filter", "OUTPUT"), ("security", "OUTPUT"),
        ("mangle", "POSTROUTING"),
    ),
}  # fmt: skip


def chain_key(family: Family, table: str, chain: str) -> str:
    """Return the key of a chain in Policy.chains: "ip filter FORWARD"."""
    return f"{FAMILY_NAMES[family]} {table} {chain}"


@dataclass(slots=True)
class _Line:
    command: Command
    parsed: Parsed
    jump: str


@dataclass(slots=True)
class _Table:
    block: TableBlock
    chains: dict[str, list[_Line]]


def read_policy(
    text: str, family: Family | None = None, ipsets: Mapping[str, NamedSet] | None = None
) -> Policy:
    """Read one or more tables of one or both families. See Iptables.read."""
    return policy_of(split_blocks(text, family), ipsets)


def policy_of(blocks: Blocks, ipsets: Mapping[str, NamedSet] | None = None) -> Policy:
    """Read what `split_blocks` found."""
    tables = [_parse_table(block) for block in blocks.tables]
    unread = list(blocks.unread)
    nat: list[Translations] = []
    chains: dict[str, Chain] = {}
    families = Family(0)
    for family in (Family.V4, Family.V6):
        own = [table for table in tables if table.block.family is family]
        if not own:
            continue
        families |= family
        around = Surroundings(family=family, sets=ipsets)
        for table in own:
            if table.block.name == "nat":
                nat.append(_read_nat(table, around, unread))
                around.rewritten = nat[-1].rewrites_targets
        read: dict[str, list[Rule]] = {}
        for table in own:
            if table.block.name != "nat":
                read.update(_read_chains(table, around, unread))
        before = (
            [rule for one in nat if one.rewrites_targets for rule in one.before] if around.rewritten else []
        )
        first_packet.judge_before_nat(read, FAMILY_NAMES[family], before)
        first_packet.follow_untracked(read, FAMILY_NAMES[family])
        for table in own:
            if table.block.name != "nat":
                chains.update(_chains(table.block, read))
    unread.sort(key=lambda one: one.line)
    return Policy(
        dialect=NAME,
        families=families,
        chains=chains,
        hooks=_hooks(chains),
        nat=tuple([rule for one in nat for rule in one.before] + [rule for one in nat for rule in one.after]),
        unread=tuple(unread),
    )


def _hooks(chains: Mapping[str, Chain]) -> dict[Hook, tuple[str, ...]]:
    hooks: dict[Hook, tuple[str, ...]] = {}
    for hook, places in HOOKS.items():
        keys = (chain_key(family, table, name) for family in (Family.V4, Family.V6) for table, name in places)
        hooks[hook] = tuple(key for key in keys if key in chains)
    return hooks


def _parse_table(block: TableBlock) -> _Table:
    chains: dict[str, list[_Line]] = {}
    for name, chain in block.chains.items():
        lines = chains[name] = []
        for command in chain.rules:
            parsed = parse_rule(command.words)
            lines.append(_Line(command, parsed, _jump(block, chain, command, parsed)))
    _refuse_loops(block, chains)
    return _Table(block, chains)


def _jump(block: TableBlock, chain: ChainBlock, command: Command, parsed: Parsed) -> str:
    """Return the chain that the rule goes to, if any. Raises UnreadableError when it does not exist."""
    if parsed.torn or not leads_to(parsed.target, block.chains, bool(parsed.target_options)):
        if parsed.goto and not parsed.torn:
            raise UnreadableError(
                f"-g {parsed.target[:60]}", line=command.line, expected="a chain of the table"
            )
        return ""
    found = block.chains.get(parsed.target)
    if found is None or found.policy:
        raise UnreadableError(
            f"rule of {chain.name} goes to {parsed.target[:60]!r}, which table {block.name} does not have",
            line=command.line, expected=f":{parsed.target[:60]} - in the table, or a known target",
        )  # fmt: skip
    return parsed.target


def _refuse_loops(block: TableBlock, chains: Mapping[str, list[_Line]]) -> None:
    """Raise UnreadableError for chains that lead to themselves, as iptables-restore refuses them."""
    finished: set[str] = set()
    for start in chains:
        if start in finished:
            continue
        path: dict[str, None] = {start: None}
        walks = [iter(chains[start])]
        while walks:
            line = next((one for one in walks[-1] if one.jump and one.jump not in finished), None)
            if line is None:
                walks.pop()
                finished.add(path.popitem()[0])
            elif line.jump in path:
                raise UnreadableError(
                    f"chains of table {block.name} go in a loop: {' → '.join([*path, line.jump])[:200]}",
                    line=line.command.line, expected="chains that end",
                )  # fmt: skip
            else:
                path[line.jump] = None
                walks.append(iter(chains[line.jump]))


def _read_nat(table: _Table, around: Surroundings, unread: list[Unread]) -> Translations:
    chains: dict[str, list[NatLine]] = {}
    for name, lines in table.chains.items():
        chains[name] = [
            NatLine(line.command, line.parsed, _matches(line, around, unread), line.jump) for line in lines
        ]
    flat = translations(chains, around.family)
    unread.extend(flat.unread)
    return flat


def _matches(line: _Line, around: Surroundings, unread: list[Unread]) -> tuple[Match, ...]:
    read = conditions(line.parsed, around)
    if read.problems:
        why = "; ".join(dict.fromkeys(read.problems))[:512]
        unread.append(Unread(line=line.command.line, text=line.command.text, why=why))
    return read.matches


def _read_chains(table: _Table, around: Surroundings, unread: list[Unread]) -> dict[str, list[Rule]]:
    family, name = around.family, table.block.name
    read: dict[str, list[Rule]] = {}
    for chain, lines in table.chains.items():
        rules = read[chain_key(family, name, chain)] = []
        for line in lines:
            matches = _matches(line, around, unread)
            action = _action(line, unread)
            rules.append(
                Rule(
                    matches=matches, action=action,
                    jump=chain_key(family, name, line.jump) if line.jump else "",
                    line=line.command.line, text=line.command.text, comment=line.parsed.comment,
                )
            )  # fmt: skip
    return read


def _action(line: _Line, unread: list[Unread]) -> Action:
    target = line.parsed.target
    if line.parsed.torn:
        return Action.UNKNOWN  # already in `unread`, for the problem that tore it
    if line.jump:
        return Action.GOTO if line.parsed.goto else Action.JUMP
    if not target or target in CONTINUE:
        return Action.CONTINUE
    action = VERDICTS.get(target)
    if action is not None:
        return action
    if target not in KNOWN:
        why = f"target {target[:40]} is not known"
        unread.append(Unread(line=line.command.line, text=line.command.text, why=why))
    return Action.UNKNOWN


def _chains(block: TableBlock, read: Mapping[str, list[Rule]]) -> Iterable[tuple[str, Chain]]:
    for name, chain in block.chains.items():
        key = chain_key(block.family, block.name, name)
        default = {"ACCEPT": Action.ACCEPT, "DROP": Action.DROP}.get(chain.policy, Action.RETURN)
        yield key, Chain(
            name=name if block.name == "filter" else f"{block.name} {name}", families=block.family,
            rules=tuple(read[key]), default=default, default_line=chain.line if chain.policy else 0,
        )  # fmt: skip
