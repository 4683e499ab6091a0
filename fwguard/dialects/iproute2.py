"""Routes and policy rules of Linux, from `ip route show`, `ip rule show` and `ip -batch` files.

Source: ip-route(8), ip-rule(8), ip(8) -batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import Family, parse_span, show_span
from fwguard.model.policy import Route

MAX_TEXT: Final = 64 << 20
MAX_LINE: Final = 8192
KINDS: Final = frozenset({
    "unicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "local", "broadcast", "anycast",
    "multicast",
})  # fmt: skip
# Not put there by a person: the kernel's own, and what router advertisements, DHCP and daemons learn.
LEARNED: Final = frozenset({
    "kernel", "ra", "redirect", "dhcp", "bird", "zebra", "bgp", "ospf", "isis", "rip", "eigrp", "babel",
    "openr", "keepalived", "gated", "mrt", "mrouted", "xorp", "ntk",
})  # fmt: skip
KERNELS_OWN: Final = frozenset({"local", "broadcast", "anycast", "multicast"})
# Without a value; the second group tells how things stand, not what was configured.
FLAGS: Final = frozenset({"onlink", "pervasive"})
PASSING: Final = frozenset(
    {"dead", "linkdown", "offload", "rt_offload", "trap", "cache", "notify", "unresolved"}
)
PASSING_VALUES: Final = frozenset({"expires", "error", "users", "age", "used", "cachemtu"})
FAMILY_FLAGS: Final = {"-4": Family.V4, "-6": Family.V6, "-inet": Family.V4, "-inet6": Family.V6}
_WORD: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class _Hop:
    via: str
    interface: str
    more: tuple[str, ...]


@dataclass(slots=True)
class _Entry:
    line: int
    kind: str
    prefix: str
    hops: list[_Hop]
    more: list[str]
    table: str = "main"
    metric: int = 0
    protocol: str = ""

    @property
    def learned(self) -> bool:
        """Tell whether the route comes by itself and goes by itself."""
        return self.protocol in LEARNED or (self.kind in KERNELS_OWN and self.table == "local")


def read_routes(text: str, family: Family | None = None) -> tuple[Route, ...]:
    """Return the configured routes of a listing or batch file, one for each next hop.

    `family` V4 or V6 where the text does not say (a listing that names only "default").
    Raises UnreadableError with the line for what is no route.
    """
    return tuple(
        Route(
            prefix=entry.prefix, via=hop.via, interface=hop.interface, table=entry.table,
            metric=entry.metric, kind=entry.kind, line=entry.line,
        )
        for entry in _entries(text, family)
        for hop in entry.hops
    )  # fmt: skip


def canonical_routes(text: str, family: Family | None = None) -> str:
    """Return the configured routes and rules in one spelling, sorted: their order decides nothing."""
    lines = [_spell(entry) for entry in _entries(text, family)]
    lines += [line for number, line in _lines(text) if _is_rule(line) and number]
    return "".join(f"{line}\n" for line in sorted(set(lines)))


def canonical_rules(text: str) -> str:
    """Return `ip rule show` in one spelling; the number at the front is the order."""
    lines: list[tuple[int, str]] = []
    for number, line in _lines(text):
        priority, colon, rest = line.partition(":")
        if not colon or not priority.strip().isdecimal() or len(priority) > 10:
            raise UnreadableError(f"{line[:60]!r}", line=number, expected="PRIORITY: from … lookup TABLE")
        lines.append((int(priority), " ".join(rest.split())))
    return "".join(f"{priority}: {rest}\n" for priority, rest in sorted(lines))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_TEXT}")
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > MAX_LINE:
            raise UnreadableError(f"a line of {len(raw)} characters", line=number, expected=f"≤ {MAX_LINE}")
        line = raw.partition("#")[0].strip().rstrip("\\").rstrip()
        if line:
            yield number, line


def _is_rule(line: str) -> bool:
    words = [word for word in line.split() if word not in FAMILY_FLAGS and word != "ip"]
    return bool(words) and words[0] in ("rule", "ru")


def _entries(text: str, family: Family | None) -> list[_Entry]:
    found: list[_Entry] = []
    for number, line in _lines(text):
        words = line.split()
        if not all(_WORD.fullmatch(word) for word in words):
            raise UnreadableError(f"{line[:60]!r}", line=number, expected="a route in plain ASCII")
        if words[0] == "nexthop":
            if not found:
                raise UnreadableError("a next hop of no route", line=number, expected="a prefix before it")
            found[-1].hops.append(_hop(number, words[1:]))
            continue
        if _is_rule(line):
            continue
        said, words = _without_command(number, words)
        found.append(_entry(number, words, said or family))
    for entry in found:
        if not entry.hops:
            entry.hops.append(_Hop("", "", ()))
        elif len(entry.hops) > 1 and entry.hops[0] == _Hop("", "", ()):
            entry.hops.pop(0)  # the line of a multipath route names no hop of its own
    return [entry for entry in found if not entry.learned]


def _without_command(number: int, words: list[str]) -> tuple[Family | None, list[str]]:
    """Take `ip -6 route add` off the front of a batch line."""
    family: Family | None = None
    if words[0] == "ip":
        words = words[1:]
    while words and words[0] in FAMILY_FLAGS:
        family, words = FAMILY_FLAGS[words[0]], words[1:]
    if words and words[0] in ("route", "ro", "r"):
        if len(words) < 3 or words[1] not in ("add", "replace", "append", "a", "prepend", "change"):
            raise UnreadableError(f"{' '.join(words)[:60]!r}", line=number, expected="route add PREFIX …")
        words = words[2:]
    if not words:
        raise UnreadableError("no route", line=number, expected="PREFIX via ADDRESS dev INTERFACE")
    return family, words


def _entry(number: int, words: list[str], family: Family | None) -> _Entry:
    kind = "unicast"
    if words[0] in KINDS:
        kind, words = words[0], words[1:]
    if not words:
        raise UnreadableError(f"{kind} without a prefix", line=number, expected="a prefix")
    entry = _Entry(number, kind, "", [], [])
    hops: list[list[str]] = [[]]
    own: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word == "nexthop":
            hops.append([])
        elif len(hops) > 1 or word in ("via", "dev", "onlink", "weight", "encap"):
            hops[-1].append(word)
            if word not in FLAGS | PASSING:
                hops[-1].extend(_values(word, rest, number))
        elif word in FLAGS:
            own.append(word)
        elif word not in PASSING:
            values = _values(word, rest, number)
            if word == "table":
                entry.table = {"254": "main", "255": "local", "253": "default"}.get(values[0], values[0])
            elif word in ("metric", "preference", "priority"):
                entry.metric = _metric(number, values[0])
            elif word in ("proto", "protocol"):
                entry.protocol = values[0]
            elif word not in PASSING_VALUES:
                own.append(" ".join([word, *values]))
    entry.more = sorted(own)
    entry.hops = [_hop(number, hop) for hop in hops if hop]
    via = next((hop.via for hop in entry.hops if hop.via), "")
    entry.prefix = _prefix(number, words[0], family, via)
    return entry


def _values(word: str, rest: Iterator[str], number: int) -> list[str]:
    values = [next(rest, "")]
    if (word == "via" and values[0] in ("inet", "inet6")) or values[0] == "lock":
        values = [*values[: values[0] == "lock"], next(rest, "")]
    if not values[-1]:
        raise UnreadableError(f"{word[:30]} has no value", line=number, expected=f"{word[:30]} VALUE")
    return values


def _hop(number: int, words: list[str]) -> _Hop:
    via = interface = ""
    more: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in FLAGS:
            more.append(word)
        elif word not in PASSING:
            values = _values(word, rest, number)
            if word == "via":
                via = _address(number, values[-1])
            elif word == "dev":
                interface = values[0]
            elif word not in PASSING_VALUES:
                more.append(" ".join([word, *values]))
    return _Hop(via, interface, tuple(sorted(more)))


def _address(number: int, text: str) -> str:
    try:
        return show_span(*parse_span(text))
    except InputError as error:
        raise UnreadableError(f"address {text[:60]!r}", line=number, expected=error.expected) from None


def _metric(number: int, text: str) -> int:
    try:
        return int(text[:12], 0)
    except ValueError:
        raise UnreadableError(f"metric {text[:20]!r}", line=number, expected="a number") from None


def _prefix(number: int, text: str, family: Family | None, via: str) -> str:
    if text in ("default", "any", "all"):
        if family is None:
            family = Family.V6 if ":" in via else Family.V4
        return "::/0" if family is Family.V6 else "0.0.0.0/0"
    try:
        version, low, high = parse_span(text)
    except InputError:
        raise UnreadableError(
            f"{text[:60]!r} is no prefix", line=number, expected="PREFIX via ADDRESS dev INTERFACE"
        ) from None
    if "-" in text or (family and (version == 6) != (family is Family.V6)):
        raise UnreadableError(f"prefix {text[:60]!r}", line=number, expected="one of the listing's family")
    shown = show_span(version, low, high)
    return shown if "/" in shown else f"{shown}/{32 if version == 4 else 128}"


def _spell(entry: _Entry) -> str:
    words = [] if entry.kind == "unicast" else [entry.kind]
    words.append(entry.prefix)
    hops = sorted(entry.hops, key=lambda hop: (hop.via, hop.interface, hop.more))
    for hop in hops:
        if len(hops) > 1:
            words.append("nexthop")
        words += ["via", hop.via] if hop.via else []
        words += ["dev", hop.interface] if hop.interface else []
        words += hop.more
    words += ["table", entry.table] if entry.table != "main" else []
    words += ["metric", str(entry.metric)] if entry.metric else []
    words += ["proto", entry.protocol] if entry.protocol not in ("", "boot", "static") else []
    return " ".join([*words, *entry.more])
