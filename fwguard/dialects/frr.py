"""FRR's configuration as `show running-config` prints it: the static routes of a firewall.

FRR routes and filters nothing, so the policy is routes alone and speaks of no family: whether a packet
passes is for the filter beside it to say. What else stands in the text (routing protocols, route maps,
interfaces) is kept as unread, and compared as text.

Source: FRR's user guide, chapters "Static Routing Commands" (docs.frrouting.org/en/latest/static.html)
and "VTY shell" (…/vtysh.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.config_tree import check_text
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import Family, parse_span, show_span
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy, Route

NAME: Final = "frr"
MAX_LINE: Final = 4096
MAX_ROUTES: Final = 200_000
EXPECTED: Final = "FRR's running configuration"
DISTANCE: Final = 1  # of a static route that names none
_SNIFFED: Final = 64 << 10
# What vtysh prints around a configuration, and what changes with the release alone.
_NOISE: Final = re.compile(
    r"\s*(?:[!#].*|Building configuration\.*|Current configuration:|end|frr version .*)?"
)
# About the router itself: compared, but no word of it says where a packet goes.
_ITSELF: Final = re.compile(
    r"frr defaults |hostname |domainname |service |log |line vty|password |enable password |username |exit$"
    r"|no service |agentx$|debug |no debug |vrf \S+$|exit-vrf$"
)
# How any line at the margin of a running configuration may begin: without one, a text is another's.
_OWN: Final = re.compile(
    r"^(?:frr (?:version|defaults) |(?:no )?(?:ip|ipv6|service|debug) |hostname |domainname |interface |router "
    r"|route-map |line vty|vrf |log |password |access-list |bgp |mpls |key chain |pbr-map |segment-routing"
    r"|agentx$|Building configuration|Current configuration)", re.MULTILINE,
)  # fmt: skip
_ROUTE: Final = re.compile(r"(ip|ipv6) route (\S.*)")
_KINDS: Final = {"null0": "blackhole", "blackhole": "blackhole", "reject": "unreachable"}
_VALUES: Final = ("tag", "vrf", "table", "nexthop-vrf", "label", "color", "segments", "metric")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    vrf: str
    top: bool


class _NoRouteError(Exception):
    """A route line whose words are others than the manual's."""


class Frr:
    """Reads and compares FRR's text; writes nothing into it, since no opening is a matter of routes."""

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is of FRR, 0 to 100."""
        head = text[:_SNIFFED]
        if re.search(r"^frr (?:version|defaults) ", head, re.MULTILINE):
            return 95
        return 60 if re.search(r"^(?:ip|ipv6) route [0-9a-f.:]+/\d+ ", head, re.MULTILINE) else 0

    def read(self, text: str) -> Policy:
        """Return the static routes. Raises UnreadableError for what is no text of FRR, or too large."""
        check_text(text, EXPECTED)
        if text.strip(" \t\r\n!") and not _OWN.search(text):
            raise UnreadableError("nothing that FRR says", line=1, expected=EXPECTED)
        notes = Notes(text)
        routes: list[Route] = []
        for line in _lines(text):
            hit = _ROUTE.fullmatch(line.text)
            if hit is None:
                inside_vrf = bool(line.vrf) and not line.top
                if (inside_vrf or line.top) and not _ITSELF.match(line.text):
                    notes.add(line.number, line.text, "not about static routes")
                continue
            try:
                routes.append(_route(hit[1], hit[2].split(), line))
            except (_NoRouteError, InputError) as why:
                notes.add(line.number, line.text, str(why))
            if len(routes) > MAX_ROUTES:
                notes.add(line.number, line.text, f"more than {MAX_ROUTES} routes")
                break
        return Policy(dialect=NAME, families=Family(0), routes=tuple(routes), unread=notes.sorted())

    def write(self, change: Change, text: str) -> TextEdit:
        """Raise InputError: a static route opens nothing."""
        raise InputError(
            f"{change.tag}: an opening on a router that filters nothing",
            expected="the firewall's filter, which is a firewall of its own in the inventory",
        )

    def canonical(self, text: str) -> str:
        """Return the routes in one spelling, sorted (their order means nothing), then all other lines."""
        check_text(text, EXPECTED)
        routes: list[str] = []
        rest: list[str] = []
        for line in _lines(text):
            hit = _ROUTE.fullmatch(line.text)
            if hit is None:
                rest.append(line.text if line.top else f" {line.text}")
                continue
            try:
                routes.append(_spelled(_route(hit[1], hit[2].split(), line), hit[2].split()))
            except (_NoRouteError, InputError):
                routes.append(line.text)
        return "".join(f"{line}\n" for line in [*sorted(set(routes)), *rest])


FRR: Final = Frr()


def _lines(text: str) -> Iterator[_Line]:
    vrf = ""
    for number, raw in enumerate(text.split("\n"), 1):
        if _NOISE.fullmatch(raw):
            continue
        line = " ".join(raw[:MAX_LINE].split())
        top = not raw[:1].isspace()
        if top:
            vrf = line.split()[1] if line.startswith("vrf ") and len(line.split()) == 2 else ""
        yield _Line(number, line, vrf, top or line == "exit-vrf")
        if line == "exit-vrf":
            vrf = ""


def _route(command: str, words: list[str], line: _Line) -> Route:
    """Read `PREFIX [MASK] [from SOURCE] GATEWAY [INTERFACE] [tag N] [DISTANCE] [table N] …`."""
    version = 4 if command == "ip" else 6
    words = list(words)
    prefix = words.pop(0)
    if version == 4 and "/" not in prefix:
        prefix += f"/{words.pop(0)}" if words else ""
    said, low, high = parse_span(prefix)
    if said != version or "/" not in prefix:
        raise _NoRouteError(f"{prefix[:40]!r} is no prefix of IPv{version}")
    if words[:1] == ["from"]:
        raise _NoRouteError("a route by source as well")
    if not words:
        raise _NoRouteError("a route that leads nowhere")
    kind = _KINDS.get(words[0].lower(), "unicast")
    via = interface = ""
    if kind != "unicast":
        words.pop(0)
    else:
        via = _address(words[0], version)
        if via:
            words.pop(0)
        if words and not words[0].isdigit() and words[0] not in (*_VALUES, "onlink", "bfd"):
            interface = words.pop(0)
    table, metric, rest = line.vrf or "main", DISTANCE, iter(words)
    for word in rest:
        if word.isdigit() and len(word) <= 3:
            metric = int(word)
        elif word in _VALUES:
            value = next(rest, "")
            if not value:
                raise _NoRouteError(f"{word} has no value")
            if word in ("vrf", "table"):
                table = value
            elif word != "tag":
                raise _NoRouteError(f"{word} {value[:40]}")
        elif word != "onlink":
            raise _NoRouteError(f"{word[:40]!r}")
    shown = show_span(version, low, high)
    return Route(
        prefix=shown if "/" in shown else f"{shown}/{32 if version == 4 else 128}",
        via=via, interface=interface, table=table, metric=metric, kind=kind, line=line.number,
    )  # fmt: skip


def _address(word: str, version: int) -> str:
    if not (word[0].isdigit() or ":" in word):
        return ""
    said, low, high = parse_span(word)
    if said != version or low != high:
        raise _NoRouteError(f"{word[:40]!r} is no address of IPv{version}")
    return show_span(said, low, high)


def _spelled(route: Route, words: list[str]) -> str:
    command = "ipv6 route" if ":" in route.prefix else "ip route"
    said = [command, route.prefix]
    said += [word for word in (route.via, route.interface) if word] or [route.kind]
    said += ["onlink"] if "onlink" in words else []
    said += ["tag", words[words.index("tag") + 1]] if "tag" in words else []
    said += [str(route.metric)] if route.metric != DISTANCE else []
    return " ".join([*said, *(["table", route.table] if route.table != "main" else [])])
