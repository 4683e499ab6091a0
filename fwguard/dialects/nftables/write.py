"""A change into an nftables text: each new rule where it works, in the text's own form and indentation.

The forward base chains are edited that would drop the opening, each at the place that `placement.place`
names; everything else of the text stays byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.nftables.lexer import STRING
from fwguard.dialects.nftables.parse import parse
from fwguard.dialects.nftables.reader import L3, Reading, key_of, read_ruleset
from fwguard.dialects.nftables.ruleset import FAMILIES, ChainText, Ruleset, RuleText, TableText
from fwguard.dialects.nftables.wording import opening_rules, redirection_rule
from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.intervals import Intervals
from fwguard.model.matching import share
from fwguard.model.policy import Action, CtState, Hook, Match
from fwguard.model.ports import WITH_PORTS, show_protocol

OWN_TABLE: Final = "fwguard_nat"  # made only where the text has no destination NAT chain of the family
_EMPTY_OWN_TABLE: Final = re.compile(
    rf"table ip6? {OWN_TABLE} \{{\s*chain prerouting \{{\s*type nat hook prerouting priority (?:dstnat|-100); "
    r"policy accept;\s*\}\s*\}\n?"
)


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text to put at an offset; `order` keeps insertions at one offset as they were made."""

    offset: int
    order: int
    text: str


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError where the text has no place for it."""
    ruleset = parse(text)
    return _remove(change, ruleset) if change.remove else _Writer(change, ruleset).edit()


def mark(tag: str) -> str:
    """Return the comment that marks every rule of a change."""
    return f"fwguard:{tag}"


class _Writer:
    def __init__(self, change: Change, ruleset: Ruleset) -> None:
        self.change = change
        self.ruleset = ruleset
        self.reading: Reading = read_ruleset(ruleset)
        self.insertions: list[Insertion] = []
        self.shown: list[str] = []
        self.new_tables: dict[str, list[str]] = {}
        self.by_key: dict[str, tuple[TableText, ChainText]] = {
            key_of(table, chain.name): (table, chain)
            for table in ruleset.tables.values()
            for chain in table.chains.values()
        }

    def edit(self) -> TextEdit:
        if self.change.openings and not any(
            chain.hook == "forward" and table.family in L3 and not table.dormant
            for table, chain in self.by_key.values()
        ):
            raise InputError(
                "no base chain filters what is forwarded", expected="a chain with type filter hook forward"
            )
        for opening in self.change.openings:
            self.open(opening)
        for redirection in self.change.redirections:
            self.redirect(redirection)
        text = self.ruleset.source.text
        out: list[str] = []
        at = 0
        for one in sorted(self.insertions, key=lambda one: (one.offset, one.order)):
            out += [text[at : one.offset], one.text]
            at = one.offset
        out.append(text[at:])
        after = "".join(out)
        for family, rules in self.new_tables.items():
            after = after if after.endswith("\n") or not after else after + "\n"
            after += _own_table(family, rules)
        return TextEdit(after=after, shown="".join(f"{line}\n" for line in self.shown))

    # ------------------------------------------------------------------ openings

    def open(self, opening: Opening) -> None:
        """Put an accepting rule into every forward base chain that would drop the opening.

        Before and after the forward hook only allow-lists are edited (policy drop): what drops there by
        a rule of its own, such as forged sources, an opening must not lift.
        """
        for key in self.reading.policy.hooks.get(Hook.FORWARD, ()):
            base = " ".join(key.split(" ")[:3])
            if base not in self.by_key:
                continue
            table, chain = self.by_key[base]
            if chain.hook != "forward" and chain.policy != "drop":
                continue
            for family in (Family.V4, Family.V6):
                if not family & opening.families & FAMILIES[table.family]:
                    continue
                index = place(self.reading.policy, key, opening, family)
                if index is None:
                    continue
                for words in opening_rules(opening, family):
                    self.insert(table, chain, self.source_index(base, index), self.marked(words))

    def source_index(self, key: str, index: int) -> int:
        """Return which rule of the text the `index`-th rule of the model comes from."""
        origins = self.reading.origins[key]
        return origins[index] if index < len(origins) else len(self.by_key[key][1].rules)

    def marked(self, words: str) -> str:
        return f'{words} comment "{mark(self.change.tag)}"'

    # ------------------------------------------------------------------ redirections

    def redirect(self, one: Redirection) -> None:
        """Put a dnat rule before the first rule of the first NAT chain that would take the connection."""
        version, public, _ = parse_span(one.public)
        if one.protocol not in WITH_PORTS:
            raise InputError(
                f"a redirection of {show_protocol(one.protocol)}", expected="a protocol with ports"
            )
        if parse_span(one.inner)[0] != version:
            raise InputError(f"{one.public} to {one.inner}", expected="addresses of one IP version")
        family = Family.V4 if version == 4 else Family.V6
        found = self.nat_chain(family)
        if found is None:
            name = "ip" if version == 4 else "ip6"
            words = self.marked(redirection_rule(one, name))
            if name not in self.new_tables:
                self.shown.append(f"+ table {name} {OWN_TABLE}, chain prerouting: there was none for dnat")
            self.new_tables.setdefault(name, []).append(words)
            self.shown.append(f"+ {words}")
            return
        table, chain = found
        pair = Intervals(((public, public),))
        target = AddressSet(v4=pair) if version == 4 else AddressSet(v6=pair)
        region = (
            Match(
                target=target,
                protocol=Intervals.single(one.protocol),
                dport=Intervals.single(one.public_port),
                states=frozenset({CtState.NEW}),
            ),
        )
        rules = self.reading.policy.chains[key_of(table, chain.name)].rules
        index = next(
            (
                index
                for index, rule in enumerate(rules)
                if rule.action is not Action.CONTINUE and share(region, rule.matches)
            ),
            len(rules),
        )
        at = self.source_index(key_of(table, chain.name), index)
        self.insert(table, chain, at, self.marked(redirection_rule(one, table.family)))

    def nat_chain(self, family: Family) -> tuple[TableText, ChainText] | None:
        """Return the prerouting NAT chain of a family that a packet passes first."""
        found = [
            (table, chain)
            for table, chain in self.by_key.values()
            if chain.kind == "nat"
            and chain.hook == "prerouting"
            and FAMILIES[table.family] & family
            and not table.dormant
        ]
        return min(found, key=lambda pair: pair[1].priority, default=None)

    # ------------------------------------------------------------------ places in the text

    def insert(self, table: TableText, chain: ChainText, index: int, words: str) -> None:
        where = f"{table.family} {table.name} {chain.name}"
        header = f"  {where}:"
        if header not in self.shown:
            self.shown.append(header)
        self.shown.append(f"+ {words}")
        if index < len(chain.rules):
            self.before(chain.rules[index], where, words)
        elif chain.close >= 0 and (not chain.rules or chain.rules[-1].form == "block"):
            self.at_close(chain, words)
        else:
            ends = [chain.command_end, *(rule.command_end for rule in chain.rules)]
            if max(ends) < 0:
                raise InputError(f"chain {where} has no place in the text for a rule")
            self.put(max(ends), f"\nadd rule {where} {words}")

    def put(self, offset: int, text: str) -> None:
        self.insertions.append(Insertion(offset, len(self.insertions), text))

    def before(self, rule: RuleText, where: str, words: str) -> None:
        if rule.form == "insert":  # what is inserted later stands earlier
            self.put(rule.command_end, f"\ninsert rule {where} {words}")
            return
        if rule.form not in ("block", "add"):
            raise InputError(
                f"the rule before which this belongs was put by {rule.form}",
                where=f"line {rule.line}",
                expected="a chain written in its order",
            )
        new = words if rule.form == "block" else f"add rule {where} {words}"
        indent = self.indent(rule.command_start)
        if indent is None:
            self.put(rule.command_start, f"{new}; ")
        else:
            self.put(rule.command_start - len(indent), f"{indent}{new}\n")

    def indent(self, offset: int) -> str | None:
        """Return the blanks before an offset if nothing else stands before it on its line."""
        text = self.ruleset.source.text
        start = text.rfind("\n", 0, offset) + 1
        blanks = text[start:offset]
        is_continued = text[:start].endswith("\\\n")
        return blanks if not blanks.strip() and not is_continued else None

    def at_close(self, chain: ChainText, words: str) -> None:
        text = self.ruleset.source.text
        indent = self.indent(chain.close)
        if indent is None:
            head = text[: chain.close].rstrip()
            self.put(len(head), f"{'' if head[-1] in ';{' else ';'} {words};")
            return
        inner = indent + "\t"
        if chain.rules:
            inner = self.indent(chain.rules[-1].command_start) or inner
        self.put(chain.close - len(indent), f"{inner}{words}\n")


def _own_table(family: str, rules: list[str]) -> str:
    body = "".join(f"\t\t{rule}\n" for rule in rules)
    return (
        f"table {family} {OWN_TABLE} {{\n\tchain prerouting {{\n"
        f"\t\ttype nat hook prerouting priority dstnat; policy accept;\n{body}\t}}\n}}\n"
    )


# ---------------------------------------------------------------------- removing


def _remove(change: Change, ruleset: Ruleset) -> TextEdit:
    """Take away exactly the rules that bear the change's mark, and a table of ours that is then empty."""
    text = ruleset.source.text
    wanted = mark(change.tag)
    cuts: list[tuple[int, int]] = []
    shown: list[str] = []
    for table in ruleset.tables.values():
        for chain in table.chains.values():
            for rule in chain.rules:
                if _comment(rule) == wanted:
                    cuts.append(_whole_line(text, rule.command_start, rule.command_end))
                    header = f"  {table.family} {table.name} {chain.name}:"
                    shown += [header] if header not in shown else []
                    shown.append(f"- {rule.text}")
    out: list[str] = []
    at = 0
    for start, end in sorted(cuts):
        out.append(text[at:start])
        at = max(at, end)
    out.append(text[at:])
    after = "".join(out)
    if cuts:
        after, emptied = _EMPTY_OWN_TABLE.subn("", after)
        shown += [f"- table {OWN_TABLE}, now empty"] if emptied else []
    return TextEdit(after=after, shown="".join(f"{line}\n" for line in shown))


def _comment(rule: RuleText) -> str:
    tokens = rule.tokens
    if len(tokens) > 1 and tokens[-2].text == "comment" and tokens[-1].kind == STRING:
        return tokens[-1].text
    return ""


def _whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a rule to its line, with the handle that follows it, if it stands there alone."""
    line = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    rest = text[end:stop].strip()
    if not text[line:start].strip() and (not rest or rest == ";" or re.fullmatch(r";?\s*# handle \d+", rest)):
        return line, min(stop + 1, len(text))
    if rest.startswith(";"):
        end = text.index(";", end) + 1
        while text[end : end + 1] == " ":
            end += 1
    return start, end
