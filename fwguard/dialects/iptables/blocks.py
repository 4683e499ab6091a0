"""The outer shape of a restore file: tables, chains, commands, COMMIT, and the words of each command.

Source: iptables-restore(8), iptables-save(8); quoting as iptables-save writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fwguard.errors import UnreadableError
from fwguard.model.address import Family
from fwguard.model.policy import Unread

MAX_TEXT: Final = 64 << 20  # characters
MAX_LINE: Final = 64 << 10  # iptables-restore itself stops at 10 240
MAX_RULES: Final = 200_000
MAX_CHAIN_NAME: Final = 256

TABLES: Final = ("raw", "mangle", "nat", "filter", "security")
BUILT_IN: Final = {
    "raw": frozenset({"PREROUTING", "OUTPUT"}),
    "mangle": frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}),
    "nat": frozenset({"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}),
    "filter": frozenset({"INPUT", "FORWARD", "OUTPUT"}),
    "security": frozenset({"INPUT", "FORWARD", "OUTPUT"}),
}
POLICIES: Final = frozenset({"ACCEPT", "DROP"})
_COUNTERS: Final = re.compile(r"\[\d+:\d+\]\s*")
_V6_WORDS: Final = re.compile(
    r"\s(?:-p|--protocol)\s+(?:ipv6-icmp|icmpv6|icmp6|58)\s|--icmpv6-type\s|\s(?:icmp6-|adm-prohibited)"
    r"|\s(?:-s|-d|--src|--dst|--source|--destination)\s+[0-9a-fA-F]*:[0-9a-fA-F:]*"
    r"|--(?:src|dst)-range\s+[0-9a-fA-F]*:|--to-(?:destination|source)\s+\[?[0-9a-fA-F]*:[0-9a-fA-F]*:"
)
_V4_WORDS: Final = re.compile(
    r"\s(?:-s|-d|--src|--dst|--source|--destination)\s+\d+\.\d+\.|\s(?:-p|--protocol)\s+(?:icmp|1)\s"
    r"|--icmp-type\s|\sicmp-(?:port|net|host|proto|admin)-|--(?:src|dst)-range\s+\d+\.\d+\."
    r"|--to-(?:destination|source)\s+\d+\.\d+\."
)


class Quoted(str):
    """A word that stood in quotes: never an option, even when it starts with a dash."""

    __slots__ = ()


@dataclass(slots=True)
class Command:
    """One rule as it stands in the text: `words` are what follows the chain's name."""

    line: int
    words: list[str]
    text: str


@dataclass(slots=True)
class ChainBlock:
    """One chain of a table; `policy` is empty for a chain of the user's own."""

    name: str
    line: int
    policy: str = ""
    rules: list[Command] = field(default_factory=list)


@dataclass(slots=True)
class TableBlock:
    """One `*table … COMMIT`, with the lines of both."""

    name: str
    line: int
    family: Family
    commit: int = 0
    chains: dict[str, ChainBlock] = field(default_factory=dict)


@dataclass(slots=True)
class Blocks:
    """A whole text: its tables, and the lines that say that something is not shown here."""

    tables: list[TableBlock]
    unread: list[Unread]
    lines: list[str]


def split_words(text: str, line: int) -> list[str]:
    """Split a command into words; double quotes keep spaces together, a backslash in them escapes."""
    if '"' not in text:
        return text.split()
    words: list[str] = []
    position, end = 0, len(text)
    while position < end:
        if text[position].isspace():
            position += 1
            continue
        parts: list[str] = []
        quoted = False
        while position < end and not text[position].isspace():
            if text[position] != '"':
                start = position
                while position < end and text[position] != '"' and not text[position].isspace():
                    position += 1
                parts.append(text[start:position])
                continue
            quoted = True
            position += 1
            while position < end and text[position] != '"':
                if text[position] == "\\" and position + 1 < end:
                    position += 1
                parts.append(text[position])
                position += 1
            if position >= end:
                raise UnreadableError("a quote is never closed", line=line, expected='a closing "')
            position += 1
        word = "".join(parts)
        words.append(Quoted(word) if quoted else word)
    return words


def split_blocks(text: str, family: Family | None = None) -> Blocks:
    """Split a text into its tables. `family` is V4 or V6 where the caller knows it, else it is inferred.

    Raises UnreadableError with the line for anything that iptables-restore would not take as a whole file.
    """
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_TEXT}")
    if "\0" in text[: 1 << 16] or "\0" in text:
        raise UnreadableError(
            "holds NUL bytes", line=text[: text.index("\0")].count("\n") + 1, expected="text"
        )
    blocks = _Splitter(text, family).split()
    if not blocks.tables and not blocks.unread:
        raise UnreadableError("has no table", line=1, expected="iptables-save output: *filter … COMMIT")
    return blocks


class _Splitter:
    def __init__(self, text: str, family: Family | None) -> None:
        self.lines = text.split("\n")
        self.family = family
        self.hint: Family | None = None  # what the last "Generated by" comment said
        self.tables: list[TableBlock] = []
        self.unread: list[Unread] = []
        self.table: TableBlock | None = None
        self.rules = 0

    def split(self) -> Blocks:
        for number, raw in enumerate(self.lines, 1):
            if len(raw) > MAX_LINE:
                raise UnreadableError(
                    f"a line of {len(raw)} characters", line=number, expected=f"≤ {MAX_LINE}"
                )
            line = raw.strip()
            if not line:
                continue
            first = line[0]
            if first == "#":
                self._comment(number, line)
            elif first == "*":
                self._open(number, line)
            elif self.table is None:
                raise UnreadableError(
                    f"{line[:60]!r} stands outside a table", line=number, expected="*table, or a # comment"
                )
            elif first == ":":
                self._declare(self.table, number, line)
            elif line == "COMMIT":
                self.table.commit = number
                self.table = None
            else:
                self._command(self.table, number, line)
        if self.table is not None:
            raise UnreadableError(
                f"half a file: table {self.table.name} of line {self.table.line} has no COMMIT",
                line=len(self.lines), expected="COMMIT",
            )  # fmt: skip
        return Blocks(self.tables, self.unread, self.lines)

    def _comment(self, number: int, line: str) -> None:
        if "Generated by" in line:
            self.hint = Family.V6 if "ip6tables" in line else Family.V4 if "iptables" in line else None
        elif "incompatible, use 'nft'" in line:
            self.unread.append(
                Unread(line=number, text=line, why="the table holds what iptables cannot show")
            )

    def _open(self, number: int, line: str) -> None:
        if self.table is not None:
            raise UnreadableError(
                f"table {self.table.name} of line {self.table.line} has no COMMIT", line=number,
                expected="COMMIT before the next table",
            )  # fmt: skip
        name = line[1:].strip()
        if name not in TABLES:
            raise UnreadableError(f"table {name[:40]!r}", line=number, expected=", ".join(TABLES))
        family = self.family or self._infer(number, name)
        for other in self.tables:
            if (other.name, other.family) == (name, family):
                raise UnreadableError(
                    f"table {name} stands twice, first at line {other.line}", line=number,
                    expected="each table once: the second would replace the first",
                )  # fmt: skip
        self.table = TableBlock(name, number, family)
        self.tables.append(self.table)

    def _infer(self, number: int, name: str) -> Family:
        """Return the family of the table that starts here: by its words, the comment before, or its place."""
        for index in range(number, len(self.lines)):
            line = self.lines[index]
            if line.startswith(("COMMIT", "*")):
                break
            if "-" not in line or len(line) > MAX_LINE:
                continue
            padded = f"{line} "
            if _V4_WORDS.search(padded):
                return Family.V4
            if _V6_WORDS.search(padded):
                return Family.V6
        if self.hint:
            return self.hint
        seen = {table.family for table in self.tables if table.name == name}
        if Family.V4 in seen and Family.V6 not in seen:
            return Family.V6
        return self.tables[-1].family if self.tables else Family.V4

    def _declare(self, table: TableBlock, number: int, line: str) -> None:
        words = line[1:].split()
        if len(words) < 2 or len(words) > 3:
            raise UnreadableError(f"{line[:60]!r}", line=number, expected=":CHAIN POLICY [packets:bytes]")
        self._add_chain(table, number, words[0], "" if words[1] == "-" else words[1])

    def _add_chain(self, table: TableBlock, number: int, name: str, policy: str) -> None:
        known = table.chains.get(name)
        if known is not None and known.rules:
            raise UnreadableError(
                f"chain {name} is declared after its rules", line=number, expected="its : line before them"
            )
        if len(name) > MAX_CHAIN_NAME:
            raise UnreadableError(
                f"a chain name of {len(name)} characters", line=number, expected=f"at most {MAX_CHAIN_NAME}"
            )
        built_in = name in BUILT_IN[table.name]
        if built_in and policy not in POLICIES:
            raise UnreadableError(f"policy {policy or '-'} of {name}", line=number, expected="ACCEPT or DROP")
        if not built_in and policy:
            raise UnreadableError(
                f"policy {policy} of {name}, which table {table.name} does not have built in", line=number,
                expected=f":{name} -",
            )  # fmt: skip
        table.chains[name] = ChainBlock(name, number, policy)

    def _command(self, table: TableBlock, number: int, line: str) -> None:
        if first := _COUNTERS.match(line):
            line = line[first.end() :]
        words = split_words(line, number)
        verb = {"--append": "-A", "--insert": "-I", "--new-chain": "-N", "--policy": "-P"}.get(
            words[0], words[0]
        )
        if verb not in ("-A", "-I", "-N", "-P") or len(words) < 2:
            raise UnreadableError(
                f"{line[:60]!r}", line=number, expected="-A CHAIN rule, :CHAIN POLICY, COMMIT or *table"
            )
        name = words[1]
        if verb == "-N":
            self._add_chain(table, number, name, "")
            return
        chain = table.chains.get(name)
        if chain is None and name in BUILT_IN[table.name]:
            # A file that does not name a built-in chain leaves its policy: ACCEPT in a fresh kernel.
            chain = table.chains[name] = ChainBlock(name, number, "ACCEPT")
        if chain is None:
            raise UnreadableError(
                f"chain {name[:60]!r} of table {table.name} does not exist",
                line=number,
                expected=f":{name[:60]} - before it",
            )
        if verb == "-P":
            if name not in BUILT_IN[table.name] or len(words) < 3 or words[2] not in POLICIES:
                raise UnreadableError(f"{line[:60]!r}", line=number, expected="-P BUILT-IN ACCEPT or DROP")
            chain.policy, chain.line = words[2], number
            return
        self.rules += 1
        if self.rules > MAX_RULES:
            raise UnreadableError("too many rules", line=number, expected=f"at most {MAX_RULES}")
        if verb == "-A":
            chain.rules.append(Command(number, words[2:], line))
            return
        index, start = 1, 2
        if len(words) > 2 and words[2].isdecimal():
            index, start = int(words[2][:9]), 3
        if not 1 <= index <= len(chain.rules) + 1:
            raise UnreadableError(f"-I {name} {index}", line=number, expected=f"1 to {len(chain.rules) + 1}")
        chain.rules.insert(index - 1, Command(number, words[start:], line))
