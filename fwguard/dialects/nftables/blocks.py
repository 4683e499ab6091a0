"""The blocks of a ruleset: tables, chains and sets as `nft list ruleset` prints them."""

from __future__ import annotations

import re
from typing import Final

from fwguard.dialects.nftables.lexer import STRING, WORD, Token
from fwguard.dialects.nftables.ruleset import ChainText, RuleText, SetText, TableText
from fwguard.dialects.nftables.stream import Stream, split_elements
from fwguard.errors import UnreadableError

# nft(8) CHAINS, "Standard priority names"; the bridge family has others.
PRIORITIES: Final = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
BRIDGE_PRIORITIES: Final = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
STATEFUL: Final = ("counter", "quota", "limit", "ct", "secmark", "synproxy", "tunnel")
SETTINGS: Final = (
    "type",
    "typeof",
    "flags",
    "size",
    "timeout",
    "gc-interval",
    "policy",
    "auto-merge",
    "counter",
)


class Blocks(Stream):
    """Reads what stands between braces."""

    def define(self, word: str) -> None:
        name = self.take("the name of a variable")
        if word == "undefine":
            self.ruleset.defines.pop(name, None)
            return
        self.sign("=")
        value = self.statement()
        if any(token.text == f"${name}" and token.kind == WORD for token in value):
            raise self.fail(f"variable {name} is defined by itself", "a value")
        self.ruleset.defines[name] = value

    def include(self) -> None:
        tokens = self.statement()
        self.unread(
            tokens[0].start, tokens[-1].end, "what an included file does is not in this text", wild=True
        )

    def rule(self, tokens: list[Token], form: str, command_start: int) -> RuleText:
        start, end = tokens[0].start, tokens[-1].end
        return RuleText(
            tokens,
            self.source.line(start),
            start,
            end,
            self.source.words(start, end),
            form,
            command_start,
            end,
        )

    def elements(self, tokens: list[Token]) -> list[list[Token]]:
        for token in tokens:
            if token.kind == WORD and token.text.startswith("@"):
                raise UnreadableError(
                    f"set {token.text} inside a set", line=self.source.line(token.start), expected="elements"
                )
        return split_elements(tokens)

    def chain(self, table: TableText, name: str, line: int) -> ChainText:
        return table.chains.setdefault(name, ChainText(name, line))

    def table_block(self, table: TableText) -> None:
        self.sign("{")
        self.skip_breaks()
        while self.peek() != "}":
            self.table_item(table)
            self.skip_breaks()
        self.at += 1

    def table_item(self, table: TableText) -> None:
        start = self.at
        first = self.tokens[start]
        line = self.source.line(first.start)
        word = self.take("chain, set, map, flags …")
        if word == "chain":
            name = self.take("the name of a chain")
            self.chain_block(table, self.chain(table, name, line), is_command=False)
        elif word in ("set", "map"):
            self.set_block(table, self.take(f"the name of a {word}"), line, is_map=word == "map")
        elif word == "flags":
            table.dormant |= any(token.text == "dormant" for token in self.statement())
        elif word in ("comment", "handle"):
            self.statement()
        elif word in ("define", "redefine", "undefine"):
            self.define(word)
        elif word == "include":
            self.at = start
            self.include()
        elif word in STATEFUL or word == "flowtable" or word == "meter":
            name = self.take("a name")
            if word == "ct":
                name += " " + self.take("a name")
            table.objects.append((f"{word} {name}", self.statement()))
        else:
            self.at = start
            tokens = self.statement()
            self.unread(first.start, tokens[-1].end, f"{word!r} is not understood in a table", wild=True)

    def chain_block(self, table: TableText, chain: ChainText, *, is_command: bool) -> None:
        self.sign("{")
        self.skip_breaks()
        while self.peek() != "}" or self.tokens[self.at].kind == STRING:
            token = self.tokens[self.at]
            if token.text == "type" and token.kind == WORD:
                self.hook(table, chain)
            elif token.text == "policy" and token.kind == WORD:
                self.at += 1
                words = self.statement()
                chain.policy, chain.policy_line = words[0].text, self.source.line(words[0].start)
            elif token.text in ("comment", "flags", "devices") and token.kind == WORD:
                self.setting(chain, self.statement())
            elif token.text == "include":
                self.include()
            elif token.text in ("define", "redefine"):
                self.at += 1
                self.define(token.text)
            else:
                chain.rules.append(self.block_rule(table))
            self.skip_breaks()
        if not is_command:
            chain.close = self.tokens[self.at].start
        self.at += 1

    def block_rule(self, table: TableText) -> RuleText:
        """Take one rule; a chain written inside it (`jump { … }`) becomes a chain of its own."""
        start = self.at
        rule = self.rule(self.statement(), "block", self.tokens[start].start)
        words = rule.tokens
        for index in range(len(words) - 1):
            if (
                words[index].text in ("jump", "goto")
                and words[index + 1].text == "{"
                and words[index].kind == WORD
            ):
                end = self.at
                self.at = start
                while not (
                    self.tokens[self.at].text == words[index].text and self.tokens[self.at + 1].text == "{"
                ):
                    self.at += 1
                self.at += 1
                self.anonymous += 1
                inner = ChainText(f"{{{self.anonymous}}}", rule.line)
                table.chains[inner.name] = inner
                self.chain_block(table, inner, is_command=True)
                if self.at > end:
                    raise self.fail("a chain inside a rule", "its end before the rule's")
                tail = self.statement() if self.at < end else []
                name = Token(inner.name, WORD, words[index + 1].start, words[index + 1].end)
                rule.tokens = [*words[: index + 1], name, *tail]
                break
        return rule

    def setting(self, chain: ChainText, tokens: list[Token]) -> None:
        if tokens[0].text == "flags":
            chain.flags = tuple(token.text for token in tokens[1:])
        elif tokens[0].text == "devices":
            chain.devices = tuple(token.text for token in tokens if token.kind in (WORD, STRING))[1:]

    def hook(self, table: TableText, chain: ChainText) -> None:
        """Read `type filter hook input device "x" priority filter + 10` (nft(8) CHAINS)."""
        tokens = self.statement()
        words = [token.text for token in tokens]
        if len(words) < 4 or words[2] != "hook" or "priority" not in words:
            raise self.fail(f"{' '.join(words)[:80]!r}", "type … hook … priority …")
        chain.kind, chain.hook = words[1], words[3]
        at = words.index("priority")
        middle = tokens[4:at]
        chain.devices = tuple(
            token.text
            for token in middle
            if token.kind in (WORD, STRING) and token.text not in ("device", "devices")
        )
        chain.priority = self.priority(words[at + 1 :], is_bridge=table.family == "bridge")
        chain.policy_line = chain.policy_line or self.source.line(tokens[0].start)

    def priority(self, words: list[str], *, is_bridge: bool) -> int:
        text = "".join(words)
        found = re.fullmatch(r"([a-z]*)([+-]?)(\d*)", text)
        names = BRIDGE_PRIORITIES if is_bridge else PRIORITIES | {"out": 100}
        if not found or not text or (found[1] and found[1] not in names) or (found[2] and not found[3]):
            raise self.fail(
                f"priority {text[:40]!r}", "a number, or filter, dstnat, raw … with + or - a number"
            )
        offset = int(found[3] or 0)
        return names.get(found[1], 0) + (-offset if found[2] == "-" else offset)

    def set_block(self, table: TableText, name: str, line: int, *, is_map: bool) -> None:
        target = table.sets.setdefault(name, SetText(name, line))
        target.is_map = is_map
        self.sign("{")
        self.skip_breaks()
        while self.peek() != "}":
            tokens = self.statement()
            word = tokens[0].text
            if word == "elements":
                target.elements += self.elements(tokens[2:])
            elif word in SETTINGS:
                target.head[word] = tuple(token.text for token in tokens[1:] if token.text != ",")
            elif word not in ("comment", "handle"):
                self.unread(
                    tokens[0].start, tokens[-1].end, f"{word!r} is not understood in a set", wild=False
                )
                target.is_updated = True
            self.skip_breaks()
        self.at += 1
