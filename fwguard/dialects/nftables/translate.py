"""One rule -> its meaning: conditions met from left to right, then what is done (nft(8) STATEMENTS)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects.nftables import conditions
from fwguard.dialects.nftables.comparison import Comparer
from fwguard.dialects.nftables.conditions import ANYTHING, NEVER, cross, unknown
from fwguard.dialects.nftables.cursor import BINARY, OPERATORS, Cursor
from fwguard.dialects.nftables.lexer import STRING, WORD
from fwguard.dialects.nftables.ruleset import RuleText, TableText
from fwguard.dialects.nftables.selectors import Kind, Selector
from fwguard.dialects.nftables.translation import Translation, nat_of
from fwguard.dialects.nftables.values import NotUnderstood
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region
from fwguard.model.policy import Action, Match, NatKind
from fwguard.model.ports import TCP

VERDICTS: Final = {
    "accept": Action.ACCEPT, "drop": Action.DROP, "return": Action.RETURN, "continue": Action.CONTINUE,
    "jump": Action.JUMP, "goto": Action.GOTO,
}  # fmt: skip
NAT: Final = {
    "dnat": NatKind.DNAT, "snat": NatKind.SNAT, "masquerade": NatKind.MASQUERADE,
    "redirect": NatKind.REDIRECT,
}  # fmt: skip
LOG_OPTIONS: Final = ("prefix", "level", "group", "snaplen", "queue-threshold")
TCP_ONLY: Final = Match(protocol=Intervals.single(TCP))  # a reset answers nothing else


@dataclass(slots=True)
class Piece:
    """What a rule does with one part of what it matches; a verdict map has several."""

    region: Region
    action: Action
    jump: str = ""
    nat: tuple[Translation, ...] = ()


@dataclass(slots=True)
class Meaning:
    """A rule's pieces, in order; `unread` says what was not understood."""

    pieces: list[Piece] = field(default_factory=list)
    comment: str = ""
    unread: str = ""
    untracked: Region = NEVER


def meaning_of(rule: RuleText, table: TableText, memo: dict[tuple[str, ...], Region]) -> Meaning:
    """Return what a rule does. What is not understood makes it unknown from there on, never less."""
    translator = _Translator(Cursor(rule.tokens, table), memo)
    meaning = translator.meaning
    try:
        translator.run()
    except NotUnderstood as found:
        meaning.unread = str(found) or "not understood"
        text = f"not understood: {rule.text}"[:200]
        region = tuple(replace(one, unknown=one.unknown or text) for one in translator.region)
        meaning.pieces = [Piece(region, Action.UNKNOWN)]
        tail = rule.tokens[-2:]
        if len(tail) == 2 and tail[0].text == "comment" and tail[1].kind == STRING:
            meaning.comment = tail[1].text
    return meaning


class _Translator:
    def __init__(self, cursor: Cursor, memo: dict[tuple[str, ...], Region]) -> None:
        self.cursor = cursor
        self.memo = memo
        self.comparer = Comparer(cursor, memo)
        self.region: Region = ANYTHING
        self.meaning = Meaning()
        self.is_done = False

    def run(self) -> None:
        cursor = self.cursor
        while cursor.at < cursor.end:
            token = cursor.tokens[cursor.at]
            if token.kind != WORD:
                raise NotUnderstood(f"{token.text[:40]!r}")
            if token.text == "comment":
                cursor.at += 1
                self.meaning.comment = cursor.take("a comment")
            elif self.is_done:
                raise NotUnderstood(f"{token.text[:40]!r} after the verdict")
            else:
                self.statement(token.text)
        if not self.is_done:
            self.emit(Action.CONTINUE)

    def emit(self, action: Action, jump: str = "", nat: tuple[Translation, ...] = ()) -> None:
        self.meaning.pieces.append(Piece(self.region, action, jump, nat))
        self.is_done = True

    def maybe(self, start: int) -> None:
        """Add a condition that nobody can decide from the text."""
        text = self.cursor.words(start)
        self.region = cross(self.region, unknown(Match(), text), text)

    def statement(self, word: str) -> None:
        cursor = self.cursor
        if word in VERDICTS:
            action, jump = self.verdict()
            self.emit(action, jump)
        elif word == "counter":
            self.counter()
        elif word == "log":
            self.log()
        elif word in NAT and (len(cursor.tokens) == cursor.at + 1 or cursor.peek(1) != "set"):
            cursor.at += 1
            nat = nat_of(cursor, NAT[word], self.region)
            self.region = tuple(
                match for one in nat for match in one.region
            )  # a map without the key: no match
            self.emit(Action.ACCEPT, nat=nat)
        elif word == "reject":
            self.reject()
        elif word in ("limit", "quota", "meter") or (word == "ct" and cursor.peek(1) == "count"):
            self.limit(word)
        elif word in ("add", "update", "delete", "set") and self.updates():
            pass
        elif word == "notrack":
            cursor.at += 1
            self.meaning.untracked = self.region
        elif word in ("queue", "tproxy", "synproxy"):  # somebody else decides, or nobody does
            cursor.at = cursor.end - (2 if cursor.tokens[-2:][0].text == "comment" else 0)
            self.emit(Action.UNKNOWN)
        elif word in ("flow", "dup", "last"):
            self.passing(word)
        else:
            self.condition()

    # ------------------------------------------------------------------ statements

    def verdict(self) -> tuple[Action, str]:
        """Take a verdict and return it with the key of the chain that it leads to."""
        cursor = self.cursor
        action = VERDICTS.get(cursor.peek())
        if action is None:
            raise NotUnderstood(f"{cursor.peek()!r} is no verdict")
        cursor.at += 1
        if action not in (Action.JUMP, Action.GOTO):
            return action, ""
        name = cursor.take("a chain")
        if name not in cursor.table.chains:
            raise NotUnderstood(f"chain {name} is not in this table")
        return action, f"{cursor.table.family} {cursor.table.name} {name}"

    def counter(self) -> None:
        cursor = self.cursor
        cursor.at += 1
        if cursor.peek() == "name":
            cursor.at += 2
        elif cursor.at < cursor.end and cursor.tokens[cursor.at].kind == STRING:
            cursor.at += 1
        while cursor.peek() in ("packets", "bytes"):
            cursor.at += 2

    def log(self) -> None:
        cursor = self.cursor
        cursor.at += 1
        while True:
            if cursor.peek() in LOG_OPTIONS:
                cursor.at += 2
            elif cursor.peek() == "flags":
                cursor.at += 2
                while cursor.peek() in ("sequence", "options", ","):
                    cursor.at += 1
            else:
                return

    def reject(self) -> None:
        """Take `reject [with icmp|icmpv6|icmpx [type] WHAT | tcp reset]`."""
        cursor = self.cursor
        cursor.at += 1
        if cursor.took("with"):
            kind = cursor.take("what to reject with")
            cursor.took("type")
            cursor.take(f"what of {kind} to reject with")
            if kind == "tcp":
                self.region = cross(self.region, (TCP_ONLY,), "tcp reset")
        self.emit(Action.REJECT)

    def limit(self, word: str) -> None:
        """Take a limit, quota, count or meter: whether it lets this packet on depends on others."""
        cursor = self.cursor
        start = cursor.at
        cursor.at += 2 if word == "ct" else 1
        if word == "meter":
            cursor.take("a name")
            if cursor.took("size"):
                cursor.take("a size")
            cursor.block()
        elif cursor.took("name") or (cursor.at < cursor.end and cursor.tokens[cursor.at].kind == STRING):
            cursor.take("a name")
        else:
            cursor.took("rate")
            while cursor.peek() in ("over", "until"):
                cursor.at += 1
            cursor.take("an amount")
            units = ("bytes", "kbytes", "mbytes", "gbytes", "packets", "burst", "used", "/", "second",
                     "minute", "hour", "day", "week")  # fmt: skip
            while (text := cursor.peek()) and (text.split("/")[0] in units or text[0].isdigit()):
                cursor.at += 1
        self.maybe(start)

    def updates(self) -> bool:
        """Take `add @set { … }` or `set add … @set`: it may fail on a full set, and may hold a limit."""
        cursor = self.cursor
        start = cursor.at
        if cursor.peek(1).startswith("@"):
            cursor.at += 2
            cursor.block()
        elif cursor.peek() == "set" and cursor.peek(1) in ("add", "update"):
            cursor.at += 2
            while cursor.at < cursor.end and not cursor.peek().startswith("@"):
                cursor.at += 1
            cursor.take("a set")
        else:
            return False
        self.maybe(start)
        return True

    def passing(self, word: str) -> None:
        """Take a statement that never ends a packet's way."""
        cursor = self.cursor
        cursor.at += 1
        if word == "flow":
            cursor.take("add")
            cursor.take("a flowtable")
        elif word == "last":
            if cursor.took("used"):
                while (cursor.at < cursor.end and cursor.peek()[:1].isdigit()) or cursor.peek() == "never":
                    cursor.at += 1
        else:
            cursor.took("to")
            cursor.skip_expression()
            if cursor.took("device"):
                cursor.take("a device")

    # ------------------------------------------------------------------ conditions

    def condition(self) -> None:
        cursor = self.cursor
        start = cursor.at
        selectors = cursor.selectors()
        if not selectors:
            raise NotUnderstood(f"{cursor.tokens[cursor.at].text[:40]!r}")
        if cursor.took("set"):
            if any(one.kind is not Kind.UNKNOWN for one in selectors):
                raise NotUnderstood(f"{selectors[0].text} is changed")
            cursor.skip_expression()
            self.region = cross(self.region, (selectors[0].base,), selectors[0].text)
            return
        if cursor.peek() in BINARY or cursor.peek() == "(":
            region = self.comparer.masked(selectors[0], start)
        elif cursor.took("vmap"):
            self.verdict_map(selectors, start)
            return
        else:
            operator = ""
            if cursor.peek() in OPERATORS:
                operator = OPERATORS[cursor.peek()]
                cursor.at += 1
            region = self.comparer.right_side(selectors, operator, start)
        self.region = cross(self.region, region, cursor.words(start))

    def verdict_map(self, selectors: list[Selector], start: int) -> None:
        """Make one piece of each verdict; the catch-all `*` is what no other key has."""
        cursor = self.cursor
        found = cursor.set_at()
        words = cursor.words(start)
        if found is None:
            raise NotUnderstood("vmap without a map")
        named, elements = found
        if named is not None and named.is_volatile:
            raise NotUnderstood(f"map @{named.name} changes with packets or time")
        by_verdict: dict[tuple[Action, str], list[list[str]]] = {}
        for element in elements:
            inner = _Translator(Cursor(element.data, cursor.table), self.memo)
            by_verdict.setdefault(inner.verdict(), []).append(element.key)
        others = [element.key for element in elements if element.key != ["*"]]
        whole = self.region
        for (action, jump), keys in by_verdict.items():
            named_keys = [key for key in keys if key != ["*"]]
            region = conditions.lookup(selectors, named_keys, words) if named_keys else NEVER
            if len(named_keys) < len(keys):
                region += conditions.lookup(selectors, others, words, negated=True)
            self.meaning.pieces.append(Piece(cross(whole, region, words), action, jump))
        if not self.meaning.pieces:
            self.meaning.pieces.append(Piece(NEVER, Action.CONTINUE))
        self.is_done = True
