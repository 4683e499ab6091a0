"""The text of `ipset save` and `ipset list`: read to named sets, and compared.

Source: ipset(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fwguard.dialects.named_sets import TYPES, Member, NamedSet, service, spans_of
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import Family

MAX_TEXT: Final = 64 << 20
MAX_LINE: Final = 4096
MAX_MEMBERS: Final = 500_000  # of all sets; the kernel takes 65 536 to a set unless told otherwise
_NAME: Final = re.compile(r"\S{1,31}")  # IPSET_MAXNAMELEN is 32


def read_sets(text: str) -> Mapping[str, NamedSet]:
    """Read `ipset save` or `ipset list`. Raises UnreadableError with the line for what is neither."""
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_TEXT}")
    reader = _Reader()
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > MAX_LINE:
            raise UnreadableError(f"a line of {len(raw)} characters", line=number, expected=f"≤ {MAX_LINE}")
        reader.line(number, raw.strip())
    reader.join_lists()
    return reader.sets


class _Reader:
    def __init__(self) -> None:
        self.sets: dict[str, NamedSet] = {}
        self.listed: NamedSet | None = None  # the block of `ipset list` that we are in
        self.in_members = False
        self.members = 0

    def line(self, number: int, line: str) -> None:
        words = line.split()
        if not words or line.startswith("#"):
            self.in_members = self.in_members and bool(words)
            return
        if words[0] == "-exist":
            words = words[1:]
        verb = {"-N": "create", "n": "create", "-A": "add"}.get(words[0], words[0]) if words else ""
        if self.in_members:
            self._add(number, self.listed, words)
        elif verb in ("create", "add"):
            if len(words) < 3:
                raise UnreadableError(f"{line[:60]!r}", line=number, expected=f"{verb} NAME …")
            if verb == "create":
                self._create(number, words[1], words[2], words[3:])
            else:
                self._add(number, self._named(number, words[1]), words[2:])
        elif verb in ("flush", "destroy", "COMMIT", "quit"):
            return
        else:
            self._heading(number, line)

    def _heading(self, number: int, line: str) -> None:
        key, colon, value = line.partition(":")
        value = value.strip()
        if not colon or (key != "Name" and self.listed is None):
            raise UnreadableError(
                f"{line[:60]!r}", line=number, expected="ipset save: create NAME TYPE, add NAME MEMBER"
            )
        if key == "Name":
            self.listed = NamedSet(self._new_name(number, value), "", number)
            self.sets[value] = self.listed
        elif self.listed is not None and key == "Type":
            self.listed.kind = self._kind(number, value)
        elif self.listed is not None and key == "Header":
            self._options(number, self.listed, value.split())
        elif key == "Members":
            if self.listed is not None and not self.listed.kind:
                raise UnreadableError("members of a set without a type", line=number, expected="Type: …")
            self.in_members = True

    def _new_name(self, number: int, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UnreadableError(f"set name {name[:60]!r}", line=number, expected="at most 31 characters")
        if name in self.sets:
            raise UnreadableError(f"set {name} is created twice", line=number, expected="one create a set")
        return name

    @staticmethod
    def _kind(number: int, word: str) -> str:
        if word not in TYPES:
            raise UnreadableError(f"set type {word[:40]!r}", line=number, expected=", ".join(TYPES))
        return word

    def _create(self, number: int, name: str, kind: str, options: list[str]) -> None:
        created = NamedSet(self._new_name(number, name), self._kind(number, kind), number)
        self._options(number, created, options)
        self.sets[name] = created

    @staticmethod
    def _options(number: int, named: NamedSet, words: list[str]) -> None:
        for key, value in zip(words, [*words[1:], ""], strict=False):
            if key == "family":
                if value not in ("inet", "inet6"):
                    raise UnreadableError(f"family {value[:20]!r}", line=number, expected="inet or inet6")
                named.family = Family.V6 if value == "inet6" else Family.V4
            elif key == "netmask":
                named.netmask = value
            elif key == "timeout":
                named.volatile = True

    def _named(self, number: int, name: str) -> NamedSet:
        if name not in self.sets:
            raise UnreadableError(
                f"set {name[:60]!r} does not exist", line=number, expected="create before add"
            )
        return self.sets[name]

    def _add(self, number: int, named: NamedSet | None, words: list[str]) -> None:
        if named is None or not words:
            raise UnreadableError(
                "a member of no set", line=number, expected="a set that is created above, and a value"
            )
        values = tuple(words[0].split(","))
        if len(values) != len(TYPES[named.kind]) and named.kind not in ("bitmap:ip,mac",):
            raise UnreadableError(
                f"member {words[0][:60]!r} of {named.name}",
                line=number,
                expected=f"{named.kind.partition(':')[2]}",
            )
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise UnreadableError("too many members", line=number, expected=f"at most {MAX_MEMBERS}")
        named.members.append(Member(values, "nomatch" in words[1:]))
        try:
            for dimension, value in zip(TYPES[named.kind], values, strict=False):
                if dimension in ("ip", "net"):
                    named.span(value)
                elif dimension == "port":
                    service(value)
        except InputError as error:
            raise UnreadableError(
                f"member {words[0][:60]!r} of {named.name}: {error}", line=number, expected=named.kind
            ) from None

    def join_lists(self) -> None:
        for named in self.sets.values():
            if not named.kind:
                raise UnreadableError(f"set {named.name} has no type", line=named.line, expected="Type: …")
            if named.kind != "list:set":
                continue
            for member in named.members:
                part = self._named(named.line, member.values[0])
                if part.kind == "list:set":
                    raise UnreadableError(
                        f"list {named.name} holds list {part.name}",
                        line=named.line,
                        expected="sets of addresses",
                    )
                named.parts.append(part)


def canonical(text: str) -> str:
    """Return the sets by name, members sorted, without comments, counters and what only tunes memory."""
    lines: list[str] = []
    for name, named in sorted(read_sets(text).items()):
        options = (
            f" family inet{6 if named.family is Family.V6 else ''}" if named.kind.startswith("hash") else ""
        )
        options += f" netmask {named.netmask}" if named.netmask else ""
        options += " timeout" if named.volatile else ""
        lines.append(f"create {name} {named.kind}{options}")
        members = [_member_text(named, member) for member in named.members]
        # The order of a list's members decides nothing for a match: any of them may hold the packet.
        lines.extend(f"add {name} {member}" for member in sorted(members))
    return "\n".join(lines) + ("\n" if lines else "")


def _member_text(named: NamedSet, member: Member) -> str:
    parts: list[str] = []
    for dimension, value in zip(TYPES[named.kind], member.values, strict=False):
        parts.append(
            ",".join(spans_of([named.span(value)]).texts())
            if dimension in ("ip", "net")
            else value.lower()
            if dimension == "port"
            else value
        )
    parts.extend(member.values[len(parts) :])
    return ",".join(parts) + (" nomatch" if member.excluded else "")
