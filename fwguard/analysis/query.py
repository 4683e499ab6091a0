"""What a firewall does with a packet, and which line decides."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fwguard.analysis.classify import Classifier, Point, bits
from fwguard.analysis.interfaces import InterfaceTable, interface_sets
from fwguard.analysis.program import ACCEPT, DROP, REJECT, SKIP, Program, flatten
from fwguard.analysis.space import Dim, Space
from fwguard.analysis.translate import Way, check_addresses, destination_rules, translated
from fwguard.model.address import Family, parse_span
from fwguard.model.packet import Answer, Packet, Verdict
from fwguard.model.policy import Hook, Policy

_ANSWERS: Final = {ACCEPT: Answer.ACCEPT, DROP: Answer.DROP, REJECT: Answer.REJECT}
_VERBS: Final = {ACCEPT: "accepts", DROP: "drops", REJECT: "rejects", SKIP: "lets pass"}
_MOST_WORDS: Final = 200
_MOST_KEPT: Final = 20_000
# Bits of what may happen.
_PASS: Final = 1
_BLOCK: Final = 2


def verdict(policy: Policy, packet: Packet) -> Verdict:
    """Return what the policy does with the first packet of a connection, destination NAT applied first.

    UNKNOWN when a rule that could not be read may decide between passing and not. `line` is the line that
    decides (for UNKNOWN: the first that is in doubt), 0 when no line does. Raises InputError on an address
    that is none, or on two of different IP versions.
    """
    check_addresses(packet)
    ways = translated(policy, packet)
    return _of_ways([(way, _filtered(policy, way.packet)) for way in ways])


def _of_ways(verdicts: Sequence[tuple[Way, Verdict]]) -> Verdict:
    way, first = verdicts[0]
    if all((other.answer is first.answer) for _, other in verdicts):
        return replace(first, why=way.words + first.why) if way.words else first
    answers = " or ".join(sorted({other.answer.value for _, other in verdicts}))
    whys = "; or ".join(dict.fromkeys(way.words + other.why for way, other in verdicts))
    return Verdict(answer=Answer.UNKNOWN, line=way.line or first.line, why=f"{answers}: {whys}")


def _filtered(policy: Policy, packet: Packet) -> Verdict:
    """Flatten the policy for just this packet: what is left is what it meets."""
    table = InterfaceTable.of(interface_sets((policy,), packet.hook))
    family, point = point_of(packet, table)
    space = Space.of(packet.hook, family, table, {dim: ((point[dim], point[dim]),) for dim in Dim})
    program = flatten(policy, space)
    return judge(program, range(len(program.op)))


def point_of(packet: Packet, table: InterfaceTable) -> tuple[Family, Point]:
    """Return a packet as its IP version and one number for every dimension, in their order."""
    version, source, _ = parse_span(packet.source)
    _, target, _ = parse_span(packet.target)
    return Family.V4 if version == 4 else Family.V6, (
        table.unnamed if packet.hook is Hook.INPUT else table.number(packet.egress),
        table.unnamed if packet.hook is Hook.OUTPUT else table.number(packet.ingress),
        source,
        target,
        packet.protocol,
        packet.dport if packet.icmp_type is None else packet.icmp_type,
        packet.sport,
        0,
    )


def judge(program: Program, items: Sequence[int]) -> Verdict:
    """Return the verdict of a packet that meets exactly these items of a program, in order."""
    ops, unknown, targets = program.op, program.unknown, program.target
    first_doubt = -1
    place = 0
    while True:  # the way of a packet to which no unknown condition applies
        item = items[place]
        if unknown[item]:
            first_doubt = item if first_doubt < 0 else first_doubt
            place += 1
        elif ops[item] == SKIP:
            place = bisect_left(items, targets[item], place + 1)
        else:
            break
    words = _words(program, item)
    sure = Verdict(answer=_ANSWERS[ops[item]], line=program.origin[item].line, why=words)
    if first_doubt < 0:
        return sure
    fates, odd = _fates(program, items, _PASS if ops[item] == ACCEPT else _BLOCK)
    if fates != _PASS | _BLOCK:
        return sure
    origin = program.origin[first_doubt]
    doubt = f"cannot be read: {_short(unknown[first_doubt])}"
    doubt = f"line {origin.line} {doubt}" if origin.line else doubt
    return Verdict(
        answer=Answer.UNKNOWN,
        line=origin.line,
        why=f"{doubt}. If that applies, {_words(program, odd)}; if not, {words}",
    )


def _fates(program: Program, items: Sequence[int], usual: int) -> tuple[int, int]:
    """Return what may happen, and an item that does something else than the usual."""
    last = len(items) - 1
    fates = [0] * (last + 1)
    odd = [-1] * (last + 1)
    for place in range(last, -1, -1):
        item = items[place]
        if program.op[item] == SKIP:
            onward = bisect_left(items, program.target[item], place + 1)
            fate, strange = fates[onward], odd[onward]
        else:
            fate = _PASS if program.op[item] == ACCEPT else _BLOCK
            strange = item if fate != usual else -1
        if program.unknown[item]:
            fate |= fates[place + 1]
            strange = strange if strange >= 0 else odd[place + 1]
        fates[place], odd[place] = fate, strange
    return fates[0], odd[0]


def _words(program: Program, item: int) -> str:
    """Say which line does what, with the line itself."""
    origin = program.origin[item]
    verb = _VERBS[program.op[item]]
    if origin.rule is not None:
        text = origin.rule.text or origin.rule.comment
        return f"line {origin.line} {verb}" + (f": {_short(text)}" if text else "")
    if origin.chain:
        where = f" (line {origin.line})" if origin.line else ""
        return f"no rule decides; chain {origin.title} {verb} by default{where}"
    hook = program.space.hook.value
    return f"no chain judges {hook} packets; the firewall {verb} them"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_WORDS else text[: _MOST_WORDS - 1] + "…"


class Judge:
    """The verdicts of one policy on many packets: built once, then microseconds a packet.

    Hooks and IP versions are prepared when a packet of theirs comes first.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._redirects = bool(destination_rules(policy))
        self._ready: dict[tuple[Hook, Family], _Prepared] = {}
        self._tables: dict[Hook, InterfaceTable] = {}

    def verdict(self, packet: Packet) -> Verdict:
        """Return the same as `verdict(policy, packet)`."""
        check_addresses(packet)
        if not self._redirects:
            return self._filtered(packet)
        ways = translated(self.policy, packet)
        return _of_ways([(way, self._filtered(way.packet)) for way in ways])

    def table(self, hook: Hook) -> InterfaceTable:
        """Return the interfaces that the rules of a hook tell apart."""
        table = self._tables.get(hook)
        if table is None:
            table = self._tables[hook] = InterfaceTable.of(interface_sets((self.policy,), hook))
        return table

    def prepared(self, hook: Hook, family: Family) -> _Prepared:
        """Return one hook and IP version, built when first asked for."""
        ready = self._ready.get((hook, family))
        if ready is None:
            space = Space.of(hook, family, self.table(hook))
            ready = self._ready[hook, family] = _Prepared(flatten(self.policy, space))
        return ready

    def _filtered(self, packet: Packet) -> Verdict:
        family, point = point_of(packet, self.table(packet.hook))
        return self.prepared(packet.hook, family).verdict(point)


class _Prepared:
    """One flattened program and its classifier; verdicts by the item that decides."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.classifier = Classifier(program.space, program.sets)
        self._known: dict[int, Verdict] = {}
        self._doubtful: dict[int, Verdict] = {}

    def verdict(self, point: Point) -> Verdict:
        """Return the verdict of the packet at a point of the space.

        The items that hold it are walked one bit after the other: the first ones decide nearly always.
        """
        mask = self.classifier.mask(point)
        ops, unknown, targets = self.program.op, self.program.unknown, self.program.target
        left, passed = mask, 0
        while True:
            step = (left & -left).bit_length()
            item = passed + step - 1
            if unknown[item]:
                return self._in_doubt(mask)
            if ops[item] != SKIP:
                break
            left >>= targets[item] - passed
            passed = targets[item]
        known = self._known.get(item)
        if known is None:
            known = self._known[item] = judge(self.program, (item,))
        return known

    def _in_doubt(self, mask: int) -> Verdict:
        known = self._doubtful.get(mask)
        if known is None:
            if len(self._doubtful) > _MOST_KEPT:
                self._doubtful.clear()
            known = self._doubtful[mask] = judge(self.program, bits(mask))
        return known
