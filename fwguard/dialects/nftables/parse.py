"""From tokens to tables, chains, sets and rules: blocks as nft prints them, commands as people write them."""

from __future__ import annotations

import re
from typing import Final

from fwguard.dialects.nftables.lexer import BREAK, STRING, WORD, Source, Token, open_source, tokens_of
from fwguard.dialects.nftables.ruleset import FAMILIES, ChainText, Ruleset, RuleText, SetText, TableText
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

MAX_EXPANDED_TOKENS: Final = 2_000_000
# nft(8) CHAINS, "Standard priority names"; the bridge family has others.
PRIORITIES: Final = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
BRIDGE_PRIORITIES: Final = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
STATEFUL: Final = ("counter", "quota", "limit", "ct", "secmark", "synproxy", "tunnel")
OBJECTS: Final = ("table", "chain", "rule", "set", "map", "element", "flowtable", *STATEFUL)
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
SPOILT: Final = "?"  # the first word of a rule that stands for a command nobody can follow
QUIET: Final = ("list", "reset", "monitor", "describe", "export")


def parse(text: str) -> Ruleset:
    """Read the structure of a whole text. Raises UnreadableError where it is no nftables at all."""
    source = open_source(text)
    return _Parser(source, tokens_of(source)).run()


class _Parser:
    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.at = 0
        self.end = len(tokens)
        self.expanded = 0
        self.anonymous = 0
        self.has_variables = "$" in source.text
        self.ruleset = Ruleset(source)

    # ------------------------------------------------------------------ tokens

    def fail(self, what: str, expected: str) -> UnreadableError:
        where = self.tokens[min(self.at, self.end - 1)].start if self.tokens else 0
        return UnreadableError(what, line=self.source.line(where), expected=expected)

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < self.end else ""

    def take(self, expected: str) -> str:
        if self.at >= self.end or self.tokens[self.at].kind not in (WORD, STRING):
            raise self.fail(f"{self.peek() or 'end of text'!r}", expected)
        self.at += 1
        return self.tokens[self.at - 1].text

    def sign(self, text: str) -> None:
        if self.peek() != text or self.tokens[self.at].kind == STRING:
            raise self.fail(f"{self.peek() or 'end of text'!r}", repr(text))
        self.at += 1

    def skip_breaks(self) -> None:
        while self.at < self.end and self.tokens[self.at].kind == BREAK:
            self.at += 1

    def statement(self) -> list[Token]:
        """Return the tokens up to the end of the statement; ends of lines in braces do not end it."""
        depth = 0
        start = self.at
        out: list[Token] = []
        tokens = self.tokens
        at = self.at
        while at < self.end:
            token = tokens[at]
            text, kind = token[0], token[1]
            if kind == BREAK:
                if depth == 0:
                    break
                at += 1
                continue
            if text == "{" and kind != STRING:
                depth += 1
            elif text == "}" and kind != STRING:
                if depth == 0:
                    break
                depth -= 1
            out.append(token)
            at += 1
        self.at = at
        if at == start:
            raise self.fail(f"{self.peek() or 'end of text'!r}", "a statement")
        return self.expand(out) if self.has_variables else out

    def expand(self, tokens: list[Token]) -> list[Token]:
        """Replace variables by what they were defined as (nft(8) SYMBOLIC VARIABLES)."""
        if not any(token.text.startswith("$") and token.kind == WORD for token in tokens):
            return tokens
        out: list[Token] = []
        for token in tokens:
            value = None
            if token.kind == WORD and token.text.startswith("$"):
                value = self.ruleset.defines.get(token.text[1:])
            if value is None:
                out.append(token)
            else:
                out += [Token(one.text, one.kind, token.start, token.end) for one in value]
                self.expanded += len(value)
                if self.expanded > MAX_EXPANDED_TOKENS:
                    raise self.fail("variables grow beyond measure", f"{MAX_EXPANDED_TOKENS} words at most")
        return out

    def unread(self, start: int, end: int, why: str, *, wild: bool) -> None:
        one = Unread(line=self.source.line(start), text=self.source.words(start, end), why=why)
        self.ruleset.unread.append(one)
        if wild:
            self.ruleset.wild.append(one)

    # ------------------------------------------------------------------ top level

    def run(self) -> Ruleset:
        self.skip_breaks()
        while self.at < self.end:
            self.command()
            if self.at < self.end and self.tokens[self.at].kind != BREAK:
                raise self.fail(f"{self.peek()!r}", "the end of the statement")
            self.skip_breaks()
        return self.ruleset

    def command(self) -> None:
        start = self.at
        word = self.peek()
        self.ruleset.commands += 1
        if word in ("define", "redefine", "undefine"):
            self.at += 1
            self.define(word)
        elif word == "include":
            self.include()
        elif word == "flush":
            self.flush(start)
        elif word in QUIET:
            self.statement()
        elif word in ("add", "create", "insert") or word in OBJECTS:
            verb = word if word in ("add", "create", "insert") else ""
            self.at += 1 if verb else 0
            self.add(start, verb or "add")
        elif word in ("delete", "destroy", "replace", "rename"):
            self.other(start)
        else:
            raise self.fail(
                f"{word[:40]!r} begins no statement of nftables", "table, add, flush, define, include …"
            )

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

    def family_and_name(self) -> tuple[str, str]:
        word = self.take("a family or the name of a table")
        after = self.tokens[self.at] if self.at < self.end else None
        if word in FAMILIES and after is not None and after.kind in (WORD, STRING):
            return word, self.take("the name of a table")
        return "ip", word

    def table(self, family: str, name: str, line: int) -> TableText:
        return self.ruleset.tables.setdefault((family, name), TableText(family, name, line))

    def chain(self, table: TableText, name: str, line: int) -> ChainText:
        return table.chains.setdefault(name, ChainText(name, line))

    def flush(self, start: int) -> None:
        self.at += 1
        kind = self.take("ruleset, table, chain or set")
        first = self.tokens[start].start
        tables = self.ruleset.tables
        if kind == "ruleset":
            family = self.take("a family") if self.peek() in FAMILIES else ""
            for key in [key for key in tables if not family or key[0] == family]:
                del tables[key]
            if not family:
                self.ruleset.flushes = True
                self.ruleset.wild.clear()
            return
        family, name = self.family_and_name()
        table = tables.get((family, name))
        if kind == "table":
            for chain in table.chains.values() if table else ():
                chain.rules.clear()
        elif kind == "chain":
            chain_name = self.take("the name of a chain")
            if table and chain_name in table.chains:
                table.chains[chain_name].rules.clear()
        elif kind in ("set", "map", "meter"):
            set_name = self.take("the name of a set")
            if table and set_name in table.sets:
                table.sets[set_name].elements.clear()
        else:
            while self.at < self.end and self.tokens[self.at].kind != BREAK:
                self.at += 1
            self.unread(first, self.tokens[self.at - 1].end, "this flush is not understood", wild=True)

    def add(self, start: int, verb: str) -> None:
        first = self.tokens[start]
        kind = self.take("table, chain, rule, set …")
        if kind not in OBJECTS:  # `add ip filter input …`: the word rule may be left out
            self.at -= 1
            kind = "rule"
        line = self.source.line(first.start)
        if kind == "ct":
            self.take("helper, timeout or expectation")
        family, name = self.family_and_name()
        table = self.table(family, name, line)
        if kind == "table":
            if self.peek() == "{":
                self.table_block(table)
            return
        if kind == "rule":
            self.rule_command(table, start, verb)
            return
        if kind == "element":
            self.element_command(table)
            return
        object_name = self.take(f"the name of a {kind}")
        if kind == "chain":
            chain = self.chain(table, object_name, line)
            if self.peek() == "{":
                self.chain_block(table, chain, is_command=True)
            chain.command_end = self.tokens[self.at - 1].end
        elif kind in ("set", "map"):
            self.set_block(table, object_name, line, is_map=kind == "map")
        else:
            tokens = self.statement() if self.at < self.end and self.tokens[self.at].kind != BREAK else []
            table.objects.append((f"{kind} {object_name}", tokens))

    def rule_command(self, table: TableText, start: int, verb: str) -> None:
        name = self.take("the name of a chain")
        chain = self.chain(table, name, self.source.line(self.tokens[start].start))
        where: tuple[str, str] | None = None
        if self.peek() in ("index", "position", "handle"):
            where = (self.take("index"), self.take("a number"))
        tokens = self.statement()
        rule = self.rule(tokens, verb, self.tokens[start].start)
        if where is None:
            chain.rules.insert(0 if verb == "insert" else len(chain.rules), rule)
        elif where[0] == "index" and where[1].isdecimal() and int(where[1]) < len(chain.rules):
            chain.rules.insert(int(where[1]) + (0 if verb == "insert" else 1), rule)
        else:
            self.unread(rule.command_start, rule.end, "its position is not known from this text", wild=False)
            self.spoil(chain, rule)

    def spoil(self, chain: ChainText, cause: RuleText) -> None:
        """Put a rule that nobody understands first: what the chain does is unknown."""
        cause.tokens = [Token(SPOILT, WORD, cause.start, cause.end), *cause.tokens]
        chain.rules.insert(0, cause)

    def rule(self, tokens: list[Token], form: str, command_start: int) -> RuleText:
        start, end = tokens[0].start, tokens[-1].end
        if tokens[-1].kind == STRING and self.source.text[end - 1 : end] != '"':
            end += 1
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

    def element_command(self, table: TableText) -> None:
        name = self.take("the name of a set")
        line = self.source.line(self.tokens[self.at - 1].start)
        tokens = self.statement()
        target = table.sets.setdefault(name, SetText(name, line))
        target.elements += self.elements(tokens)

    def elements(self, tokens: list[Token]) -> list[list[Token]]:
        for token in tokens:
            if token.kind == WORD and token.text.startswith("@"):
                raise UnreadableError(
                    f"set {token.text} inside a set", line=self.source.line(token.start), expected="elements"
                )
        return split_elements(tokens)

    def other(self, start: int) -> None:
        """Apply deletions of whole things; what needs a handle spoils the chain that it names."""
        verb = self.take("delete")
        kind = self.take("table, chain, rule …")
        first = self.tokens[start].start
        family, name = self.family_and_name()
        table = self.ruleset.tables.get((family, name))
        if kind == "table" and verb != "replace":
            self.ruleset.tables.pop((family, name), None)
            return
        item = self.take("a name")
        rest = self.statement() if self.at < self.end and self.tokens[self.at].kind != BREAK else []
        end = rest[-1].end if rest else self.tokens[self.at - 1].end
        if table is not None and not rest and verb in ("delete", "destroy"):
            if kind == "chain" and item in table.chains:
                del table.chains[item]
                return
            if kind in ("set", "map") and item in table.sets:
                del table.sets[item]
                return
        if kind in STATEFUL or kind == "flowtable":
            return
        self.unread(first, end, "it changes something that this text does not show", wild=table is None)
        if table is not None and kind == "element" and item in table.sets:
            table.sets[item].is_updated = True
        elif table is not None and kind in ("rule", "chain"):
            tokens = rest or [self.tokens[self.at - 1]]
            chain = self.chain(table, item, self.source.line(first))
            self.spoil(chain, self.rule(list(tokens), "block", first))
        elif table is not None:
            self.ruleset.wild.append(self.ruleset.unread[-1])

    # ------------------------------------------------------------------ blocks

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


def split_elements(tokens: list[Token]) -> list[list[Token]]:
    """Return the elements of `{ a, b : c }`; braces that a variable brought in are taken away."""
    out: list[list[Token]] = []
    current: list[Token] = []
    for token in tokens:
        if token.kind == STRING or token.text not in ("{", "}", ","):
            current.append(token)
        elif current:
            out.append(current)
            current = []
    if current:
        out.append(current)
    return out
