"""The text of a request mail to what is asked, or to everything that is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fwguard.errors import InputError
from fwguard.mail.enddate import read_end
from fwguard.mail.problem import Problem, ProblemCode
from fwguard.mail.visible import one_line
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ICMP, ICMPV6, SCTP, TCP, UDP, parse_ports
from fwguard.model.ticket import Ask

MAX_CHARS: Final = 20_000
MAX_SENTENCE_CHARS: Final = 600
MAX_SOURCES: Final = 100

_KEYS: Final[Mapping[str, str]] = {
    word: field
    for field, words in {
        "server": "serveur server svp machine hote host cible target destination vers to",
        "port": "port ports port(s) service services",
        "protocol": "protocole protocol proto",
        "source": "depuis from source sources origine origin",
        "end": "jusqu'au jusqu'a jusque until till fin end echeance duree duration pendant expire expires",
        "reason": "motif raison reason justification pourquoi why",
    }.items()
    for word in words.split()
} | {"date de fin": "end", "end date": "end", "adresse source": "source", "source address": "source"}
_PROTOCOLS: Final[Mapping[str, int]] = {
    "tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP, "ping": ICMP, "icmpv6": ICMPV6, "icmp6": ICMPV6,
}  # fmt: skip
_ANY: Final = frozenset(
    ("any", "anywhere", "anyone", "everyone", "everywhere", "all", "internet", "the internet", "l'internet")
) | {"partout", "n'importe ou", "tous", "toutes", "tout le monde", "tout internet", "toute adresse", "*"}

_VERB: Final = re.compile(r"\b(?:ouvrir|ouvrez|ouverture|ouvriez|autoriser|open|opening|allow|unblock)\b")
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)|\n\s*\n")
_PORT_LIST: Final = r"\d+(?:\s?-\s?\d+)?(?:\s?(?:,|et|and|&)\s?\d+(?:\s?-\s?\d+)?){0,20}"
_PORT_WORDS: Final = re.compile(
    rf"\b(tcp|udp|sctp)\s?[/: ]\s?(?:ports?\s)?({_PORT_LIST})\b"
    rf"|\b(?:ports?\s)?({_PORT_LIST})\s?(?:/|en|in)?\s?(tcp|udp|sctp)\b"
    rf"|\b(icmp(?:v6)?|ping)\b|\bports?\s({_PORT_LIST})\b"
)
_STOP: Final = (
    r"(?=\s(?:vers|to|sur|on|until|till|jusqu|a destination|pendant|pour|for|because|car|parce|afin|motif"
    r"|reason|depuis|from|en tcp|en udp|in tcp|in udp)\b|[,;]?$|,\s(?!\d))"
)
_SOURCE_WORDS: Final = re.compile(rf"\b(?:depuis|from|en provenance de|a partir de)\s(.{{1,400}}?){_STOP}")
_SERVER_WORDS: Final = re.compile(
    r"\b(?:vers|to|sur|on|a destination de|of|du serveur|de la machine)\s"
    r"(?:(?:le|la|l'|the|mon|my|our|notre)\s?)?(?:(?:serveur|server|machine|svp|host)\s)?"
    r"(?!tcp\b|udp\b|port|open|allow|have|ask|request)([a-z0-9][a-z0-9.-]{0,60})\b"
)
_END_WORDS: Final = re.compile(
    r"\b(?:jusqu'?\s?(?:au|a|en)|until|till)\s(.{1,60}?)"
    r"(?=\s(?:vers|to|sur|for|pour|because|car|parce|afin|depuis|from)\b|[,;]\s(?!\d{4})|$)"
    r"|\b(?:pendant|pour|for|during)\s(\d{1,4}\s?[a-z]+)\b"
    r"|\b(sans (?:date de )?fin|sans limite|without end|no end|permanente?)\b"
)
_REASON_WORDS: Final = re.compile(
    r"\b(?:pour|for|because|car|parce que|afin de|motif\s?:|reason\s?:)\s(?!\d)(.+)$"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The mail asks for exactly this."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Unclear:
    """The mail cannot be acted on; every problem found, in the order of the form."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the author wrote for each field, not yet judged; None where nothing was written."""

    server: str | None = None
    port: str | None = None
    protocol: str | None = None
    source: str | None = None
    end: str | None = None
    reason: str | None = None


def read_request(text: str, *, subject: str = "", servers: Collection[str], now: datetime) -> Asked | Unclear:
    """Read a request in French or English: lines such as "Port: tcp/443", or one sentence.

    `text` is a mail's own words (`ParsedMail.text`), `subject` serves as the reason where none is given,
    `servers` are the names that this contact may ask for. One request a mail.
    """
    text = _tidy(text[:MAX_CHARS])
    if not text.strip():
        return Unclear((Problem(ProblemCode.EMPTY),))
    found = _structured(text)
    if found is None:
        found = _sentence(text, servers)
    if isinstance(found, Problem):
        return Unclear((found,))
    if found.reason is None:
        found = replace(found, reason=re.sub(r"^\s*(?:(?:re|tr|fw|fwd)\s*:\s*)+", "", subject, flags=re.I))
    return _judged(found, servers, now)


def _tidy(text: str) -> str:
    """Return text with one kind of space, dash and apostrophe, so that patterns need one of each."""
    text = re.sub(r"[^\S\n]", " ", text)
    return re.sub(r"[’‘`´]", "'", re.sub(r"[‐‑‒–—−]", "-", text))


def _folded(text: str) -> str:
    """Return text in lower case without accents, character for character: positions stay."""
    return "".join((unicodedata.normalize("NFD", char)[0].lower() or char)[0] for char in text)


def _structured(text: str) -> _Words | Problem | None:
    """Return the fields written as "Key: value" lines; None where the text is no such form."""
    values: dict[str, str] = {}
    current = ""
    for line in text.split("\n"):
        key, value = _key_and_value(line)
        if key:
            current = key if not value or key == "reason" else ""
            if values.get(key, "") and _folded(values[key]).split() != _folded(value).split():
                return Problem(ProblemCode.SEVERAL_REQUESTS)
            values[key] = value
        elif not line.strip():
            current = "" if values.get(current) else current
        elif current:  # a reason over several lines, or a value below its key
            values[current] = f"{values[current]} {line.strip()}".strip()
            current = current if current == "reason" else ""
    if not values.keys() & {"server", "port", "source"}:
        return None
    return _Words(**{key: value for key, value in values.items() if value})


def _key_and_value(line: str) -> tuple[str, str]:
    """Return (field, value) of a line of the form, ("", "") of any other."""
    bare = line.strip().lstrip("-*• ")
    sign = re.search(r"[:=]", bare[:40])
    key = _KEYS.get(" ".join(_folded(bare[: sign.start()]).split()), "") if sign else ""
    return (key, bare[sign.end() :].strip()) if sign and key else ("", "")


def _sentence(text: str, servers: Collection[str]) -> _Words | Problem:
    """Return the fields of the one sentence that asks for an opening."""
    folded = _folded(text)
    sentences: list[tuple[str, str]] = []
    start = 0
    for end in [match.start() for match in _SENTENCE_END.finditer(folded)] + [len(folded)]:
        piece = slice(start, min(end, start + MAX_SENTENCE_CHARS))
        start = end + 1
        if _VERB.search(folded[piece]):
            sentences.append((" ".join(folded[piece].split()), " ".join(text[piece].split())))
    asking = [pair for pair in sentences if _PORT_WORDS.search(pair[0]) or _SOURCE_WORDS.search(pair[0])]
    if len(asking) > 1:
        return Problem(ProblemCode.SEVERAL_REQUESTS)
    if not sentences:
        return Problem(ProblemCode.NOT_UNDERSTOOD)
    sentence, written = (asking or sentences)[0]
    ports = list(_PORT_WORDS.finditer(sentence))
    named = _SERVER_WORDS.findall(sentence)
    # "to", "on", "pour" lead to more than servers: a name that is known is the one that is meant.
    known = [name for name in named if name in {server.lower() for server in servers}]
    if len({match[0] for match in ports}) > 1 or len(set(known)) > 1:
        return Problem(ProblemCode.SEVERAL_REQUESTS)
    source, end_words = _SOURCE_WORDS.search(sentence), _END_WORDS.search(sentence)
    reason = _REASON_WORDS.search(sentence)
    port = ports[0] if ports else None
    return _Words(
        server=known[0] if known else named[-1] if named else None,
        port=(port[2] or port[3] or port[6] or "") if port else None,
        protocol=(port[1] or port[4] or port[5]) if port else None,
        source=source[1] if source else None,
        end=(end_words[1] or end_words[2] or end_words[3]) if end_words else None,
        reason=written[reason.start(1) :] if reason and len(written) == len(sentence) else written,
    )


def _judged(words: _Words, servers: Collection[str], now: datetime) -> Asked | Unclear:
    """Return what is asked, or every problem at once: nobody likes to be told one at a time."""
    problems: list[Problem] = []
    server = _server(words.server, servers, problems)
    protocol, ports = _service(words.port, words.protocol, problems)
    source = _source(words.source, problems)
    ends_at: datetime | None = None
    if words.end is None:
        problems.append(Problem(ProblemCode.NO_END))
    else:
        end = read_end(_folded(words.end), written=words.end, now=now)
        if isinstance(end, Problem):
            problems.append(end)
        else:
            ends_at = end
    reason = one_line(words.reason or "")
    if not reason:
        problems.append(Problem(ProblemCode.NO_REASON))
    if problems or source is None:
        return Unclear(tuple(problems))
    try:
        ask = Ask(
            server=server, protocol=protocol, source=source, ports=ports, ends_at=ends_at, reason=reason
        )
    except InputError as error:
        return Unclear((Problem(ProblemCode.BAD_PORT, _value(str(error))),))
    return Asked(ask)


def _value(text: str) -> dict[str, str]:
    return {"value": one_line(text, 80)}


def _server(word: str | None, servers: Collection[str], problems: list[Problem]) -> str:
    if word is None:
        problems.append(Problem(ProblemCode.NO_SERVER))
        return ""
    named = _folded(word).strip(" .;,'\"")
    for name in servers:
        if named == name.lower():
            return name
    # Several names are several requests, unlike one wrong name.
    if len(names := [piece for piece in re.split(r"\s*(?:,|;| et | and | )\s*", named) if piece]) > 1 and all(
        name in servers for name in names
    ):
        problems.append(Problem(ProblemCode.SEVERAL_REQUESTS))
        return ""
    known = one_line(", ".join(sorted(servers)), 300) or "-"
    problems.append(Problem(ProblemCode.UNKNOWN_SERVER, {**_value(word), "known": known}))
    return ""


def _service(port: str | None, protocol: str | None, problems: list[Problem]) -> tuple[int, Intervals]:
    """Return protocol and ports; "tcp/443", "443/tcp", "443" with the protocol apart, "icmp"."""
    if port is None and not (protocol and _folded(protocol).strip(" .") in ("icmp", "icmpv6", "ping")):
        problems.append(Problem(ProblemCode.NO_PORT))
        return 0, Intervals()
    text = re.sub(r"\s*(?:\bet\b|\band\b|&|;)\s*", ",", _folded(port or "")).strip(" .,")
    names = re.findall(r"[a-z][a-z0-9]*", text) + re.findall(r"[a-z][a-z0-9]*", _folded(protocol or ""))
    names = [name for name in names if name not in ("port", "ports")]
    numbers = re.sub(r"[a-z][a-z0-9]*", " ", text)
    numbers = re.sub(r"\s*([,-])\s*", r"\1", re.sub(r"[/:()]", " ", numbers)).strip(" ,")
    numbers = re.sub(r"\s+", ",", numbers)
    unknown = next((name for name in names if name not in _PROTOCOLS), None)
    if unknown is not None:
        problems.append(Problem(ProblemCode.BAD_PROTOCOL, _value(unknown)))
        return 0, Intervals()
    if len(set(names)) > 1:
        problems.append(Problem(ProblemCode.SEVERAL_REQUESTS))
        return 0, Intervals()
    number = _PROTOCOLS[names[0]] if names else 0
    if number in (ICMP, ICMPV6) and not numbers:
        return number, Intervals()
    ports = _ports(numbers, port or "", problems)
    if ports and not names:
        problems.append(Problem(ProblemCode.NO_PROTOCOL, _value(numbers)))
    return number, ports


def _ports(numbers: str, written: str, problems: list[Problem]) -> Intervals:
    if not re.fullmatch(r"\d{1,10}(?:-\d{1,10})?(?:,\d{1,10}(?:-\d{1,10})?){0,50}", numbers):
        problems.append(Problem(ProblemCode.BAD_PORT, _value(written)))
        return Intervals()
    for word in numbers.split(","):
        low, _, high = word.partition("-")
        for number in (low, high or low):
            if not 1 <= int(number) <= 65535:
                problems.append(Problem(ProblemCode.PORT_RANGE, _value(number)))
                return Intervals()
        if int(low) > int(high or low):
            problems.append(Problem(ProblemCode.PORT_REVERSED, _value(word)))
            return Intervals()
    return parse_ports(numbers)


def _source(word: str | None, problems: list[Problem]) -> AddressSet | None:
    if word is None:
        problems.append(Problem(ProblemCode.NO_SOURCE))
        return None
    text = _folded(word).strip(" .;,!")
    if text in _ANY:
        return AddressSet.parse("any")
    text = re.sub(r"\s*([/-])\s*", r"\1", text)
    text = re.sub(
        r"^(?:l'adresse|les adresses|le reseau|the network|the address|adresse|network|address)\s+", "", text
    )
    pieces = [piece for piece in re.split(r"\s*[,;]\s*|\s+(?:et|and)\s+|\s+", text) if piece]
    try:
        if not pieces or len(pieces) > MAX_SOURCES or "any" in pieces:
            raise InputError("no list of addresses")
        return AddressSet.parse(*pieces)
    except InputError:
        problems.append(Problem(ProblemCode.BAD_SOURCE, _value(word)))
        return None
