"""From tokens to tables, chains, sets and rules: the commands that people write, and blocks as nft prints."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.nftables.blocks import STATEFUL, Blocks
from fwguard.dialects.nftables.lexer import BREAK, MAX_LINE_CHARS, STRING, WORD, Token, open_source, tokens_of
from fwguard.dialects.nftables.ruleset import FAMILIES, ChainText, Ruleset, RuleText, SetText, TableText

OBJECTS: Final = ("table", "chain", "rule", "set", "map", "element", "flowtable", *STATEFUL)
SPOILT: Final = "?"  # the first word of a rule that stands for a command nobody can follow
QUIET: Final = ("list", "reset", "monitor", "describe", "export")


def parse(text: str, *, longest_line: int = MAX_LINE_CHARS) -> Ruleset:
    """Read the structure of a whole text. Raises UnreadableError where it is no nftables at all."""
    source = open_source(text, longest_line=longest_line)
    return _Parser(source, tokens_of(source)).run()


class _Parser(Blocks):
    """Reads a whole text."""

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

    def family_and_name(self) -> tuple[str, str]:
        word = self.take("a family or the name of a table")
        after = self.tokens[self.at] if self.at < self.end else None
        if word in FAMILIES and after is not None and after.kind in (WORD, STRING):
            return word, self.take("the name of a table")
        return "ip", word

    def table(self, family: str, name: str, line: int) -> TableText:
        return self.ruleset.tables.setdefault((family, name), TableText(family, name, line))

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

    def element_command(self, table: TableText) -> None:
        name = self.take("the name of a set")
        line = self.source.line(self.tokens[self.at - 1].start)
        tokens = self.statement()
        target = table.sets.setdefault(name, SetText(name, line))
        target.elements += self.elements(tokens)

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
