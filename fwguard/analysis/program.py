"""A policy as one flat list for one hook and IP version: jumps written out, returns as skips forward.

The list is what a packet really meets, in order. Every item is a product of sets, what happens to a
packet in it, and whether that is sure. Skips only go forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fwguard.analysis.space import ANYWHERE, Space
from fwguard.model.policy import Action, Chain, Match, Policy, Rule

# What happens to a packet in an item. BLOCK is drop and reject alike where only passing counts.
ACCEPT: Final = 0
DROP: Final = 1
REJECT: Final = 2
SKIP: Final = 3
MARK: Final = 4  # nothing happens; lint wants to know whether a packet gets here
TERMINAL: Final = (ACCEPT, DROP, REJECT)

# Chains that jump to chains that jump… double with every level. What lies deeper than the kernel's own
# limit (16 in nft, and iptables refuses loops), or past this many rules walked, is taken as unknown.
MAX_DEPTH: Final = 64
MAX_RULES_WALKED: Final = 400_000

_TERMINALS: Final = {Action.ACCEPT: ACCEPT, Action.DROP: DROP, Action.REJECT: REJECT}
NOT_SPOKEN_OF: Final = "the configuration does not speak of this IP version"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which rule of which chain an item comes from; no rule, place -1: the default of a base chain."""

    chain: str
    rule: Rule | None
    line: int
    place: int = -1
    title: str = ""  # the chain's name as people know it


@dataclass(slots=True)
class Program:
    """The items, as parallel lists; `target[i]` is where a SKIP goes on."""

    space: Space
    sets: list[tuple[int, ...]] = field(default_factory=list)
    op: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    origin: list[Origin] = field(default_factory=list)

    def add(self, sets: tuple[int, ...], op: int, origin: Origin, unknown: str = "") -> int:
        """Append one item and return its place."""
        self.sets.append(sets)
        self.op.append(op)
        self.target.append(0)
        self.unknown.append(unknown)
        self.origin.append(origin)
        return len(self.op) - 1


def flatten(policy: Policy, space: Space, *, marks: bool = False) -> Program:
    """Return the list that packets of the space's hook and family meet, its last item a sure default.

    With `marks`, rules that decide nothing by themselves (jumps, log) leave an item as well.
    Cost: linear in the rules that touch the space, times how often their chain is reached.
    """
    return _Flattener(policy, space, marks).run()


class _Flattener:
    """Writes chains out one after another; `ends` collects the skips whose target is not known yet."""

    def __init__(self, policy: Policy, space: Space, marks: bool) -> None:
        self.policy = policy
        self.space = space
        self.marks = marks
        self.program = Program(space)
        self.stack: list[str] = []
        self.walked = 0

    def run(self) -> Program:
        program, family = self.program, self.space.family
        none = Origin("", None, 0)
        if not self.policy.families & family:
            program.add(ANYWHERE, DROP, none, NOT_SPOKEN_OF)
            program.add(ANYWHERE, ACCEPT, none)
            return program
        keys = self.policy.hooks.get(self.space.hook, ())
        chains = [(key, self.policy.chains[key]) for key in keys if self.policy.chains[key].families & family]
        for number, (key, chain) in enumerate(chains):
            accepted: list[int] | None = [] if number + 1 < len(chains) else None
            returned: list[int] = []
            self._chain(key, chain, ANYWHERE, returned, accepted)
            self._aim(returned)
            self._default(key, chain, accepted)
            self._aim(accepted or [])
        if not chains:
            program.add(ANYWHERE, ACCEPT, none)
        return program

    def _aim(self, skips: list[int]) -> None:
        here = len(self.program.op)
        for place in skips:
            self.program.target[place] = here

    def _default(self, key: str, chain: Chain, accepted: list[int] | None) -> None:
        origin = Origin(key, None, chain.default_line, title=chain.name)
        if chain.default is Action.UNKNOWN:
            self.program.add(ANYWHERE, DROP, origin, "the default of the chain")
        self._accept(ANYWHERE, _TERMINALS.get(chain.default, ACCEPT), origin, "", accepted)

    def _accept(
        self, sets: tuple[int, ...], op: int, origin: Origin, unknown: str, accepted: list[int] | None
    ) -> None:
        """Append a terminal item; to be accepted by a base chain is only to go on to the next one."""
        if op == ACCEPT and accepted is not None:
            accepted.append(self.program.add(sets, SKIP, origin, unknown))
        else:
            self.program.add(sets, op, origin, unknown)

    def _chain(
        self, key: str, chain: Chain, context: tuple[int, ...], ends: list[int], accepted: list[int] | None
    ) -> None:
        self.stack.append(key)
        self.walked += 1 + len(chain.rules)
        for place, rule in enumerate(chain.rules):
            origin = Origin(key, rule, rule.line, place, chain.name)
            if rule.action in (Action.JUMP, Action.GOTO):
                self._jump(rule, origin, context, ends, accepted)
                continue
            for match in rule.matches:
                sets = self.space.numbers(match, context)
                if sets is not None:
                    self._plain(rule.action, sets, origin, match.unknown, ends, accepted)
        self.stack.pop()

    def _plain(
        self,
        action: Action,
        sets: tuple[int, ...],
        origin: Origin,
        unknown: str,
        ends: list[int],
        accepted: list[int] | None,
    ) -> None:
        if action in _TERMINALS:
            self._accept(sets, _TERMINALS[action], origin, unknown, accepted)
        elif action is Action.RETURN:
            ends.append(self.program.add(sets, SKIP, origin, unknown))
        elif action is Action.UNKNOWN:
            # Nobody knows what it does: each of the things that a rule can do, perhaps.
            why = unknown or "what the rule does"
            self.program.add(sets, DROP, origin, why)
            self._accept(sets, ACCEPT, origin, why, accepted)
            ends.append(self.program.add(sets, SKIP, origin, why))
        elif self.marks:
            self.program.add(sets, MARK, origin, unknown)

    def _jump(
        self,
        rule: Rule,
        origin: Origin,
        context: tuple[int, ...],
        ends: list[int],
        accepted: list[int] | None,
    ) -> None:
        numbered = [(match, self.space.numbers(match, context)) for match in rule.matches]
        matches = [(match, sets) for match, sets in numbered if sets is not None]
        if not matches:
            return
        chain = self.policy.chains[rule.jump]
        too_deep = rule.jump in self.stack or len(self.stack) > MAX_DEPTH
        if too_deep or self.walked + len(chain.rules) > MAX_RULES_WALKED:
            why = f"chains nest too deep at {rule.jump}"
            for match, sets in matches:
                self._plain(Action.UNKNOWN, sets, origin, match.unknown or why, ends, accepted)
            return
        if self.marks:
            for match, sets in matches:
                self.program.add(sets, MARK, origin, match.unknown)
        after: list[int] = []
        inner = matches[0][1] if len(matches) == 1 else context
        if len(matches) > 1 or matches[0][0].unknown:
            self._gate(matches, origin, inner, after)
        returned: list[int] = []
        self._chain(rule.jump, chain, inner, returned, accepted)
        self._aim(returned)
        if rule.action is Action.GOTO:
            ends.append(self.program.add(inner, SKIP, origin))
        self._aim(after)

    def _gate(
        self,
        matches: list[tuple[Match, tuple[int, ...]]],
        origin: Origin,
        inner: tuple[int, ...],
        after: list[int],
    ) -> None:
        """Let a union of matches, or one that is unknown, into a block that is written once.

        Each match skips over the way round the block; whoever matches none takes that way.
        """
        entries = [self.program.add(sets, SKIP, origin, match.unknown) for match, sets in matches]
        after.append(self.program.add(inner, SKIP, origin))
        self._aim(entries)
