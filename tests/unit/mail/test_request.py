"""What people write becomes an ask, or a list of what to write instead."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.mail.problem import Problem, ProblemCode
from fwguard.mail.request import Asked, Unclear, read_request
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.ports import ICMP, TCP, UDP
from fwguard.model.ticket import Ask

NOW = datetime(2026, 8, 4, 10, tzinfo=UTC)
SERVERS = ("web1", "db-1")
NEW_YEAR_EVE = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
FORM = "Serveur: web1\nPort: tcp/443\nDepuis: 198.51.100.0/24\nJusqu'au: 31/12/2026\nMotif: boutique"


def read(text: str, subject: str = "") -> Asked | Unclear:
    return read_request(text, subject=subject, servers=SERVERS, now=NOW)


def asked(text: str, subject: str = "") -> Ask:
    result = read(text, subject)
    assert isinstance(result, Asked), result
    return result.ask


def codes(text: str) -> list[str]:
    result = read(text)
    assert isinstance(result, Unclear), result
    return [problem.code.value for problem in result.problems]


WANTED = Ask(
    server="web1",
    protocol=TCP,
    source=AddressSet.parse("198.51.100.0/24"),
    ports=Intervals.single(443),
    ends_at=NEW_YEAR_EVE,
    reason="boutique",
)


@pytest.mark.parametrize(
    "text",
    [
        FORM,
        f"Bonjour,\n\n{FORM}\n\nCordialement,\nAnaïs",
        FORM.replace("\n", "\n\n"),
        "\n".join(reversed(FORM.split("\n"))),
        FORM.upper().replace("BOUTIQUE", "boutique"),
        FORM.replace(":", " :").replace("'", "’"),
        FORM.replace("Serveur", "  - serveur").replace("tcp/443", "443/TCP."),
        FORM.replace("tcp/443", "443\nProtocole: TCP"),
        FORM.replace("Port: tcp/443", "Port :\ntcp 443"),
        "Server: WEB1\nPort: tcp/443\nFrom: 198.51.100.0 / 24\nUntil: 2026-12-31\nReason: boutique",
        FORM.replace("31/12/2026", "31 décembre 2026"),
        FORM.replace("31/12/2026", "December 31st, 2026"),
        FORM.replace("31/12/2026", "le 31.12.2026"),
        "Merci d'ouvrir tcp/443 depuis 198.51.100.0/24 vers web1 jusqu'au 31/12/2026 pour boutique",
        "Bonjour,\nMerci d’ouvrir le port 443 en TCP depuis 198.51.100.0/24\nvers le serveur web1 jusqu'au "
        "31 décembre 2026, motif : boutique.\n\nAnaïs",
        "Hello. Please open tcp/443 from 198.51.100.0/24 to web1 until 2026-12-31 because boutique. Thanks!",
        "I would like to open tcp/443 on web1 from 198.51.100.0/24 until December 31, 2026 for boutique",
        "Please open web access: open tcp 443 to web1 from 198.51.100.0/24 until 2026-12-31 for boutique",
    ],
)
def test_one_request_in_many_forms(text: str) -> None:
    """Order, case, accents, spaces, language and form make no difference."""
    assert asked(text) == WANTED


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Merci d'ouvrir tcp/443 depuis 198.51.100.0/24 vers web1 jusqu'au 31/12/2026", "198.51.100.0/24"),
        ("please open tcp/443 from any to web1 until 2026-12-31", "any"),
    ],
)
def test_a_sentence_without_a_reason_is_its_own(sentence: str, source: str) -> None:
    """What the author wrote explains it best."""
    ask = asked(sentence)
    assert (AddressSet.parse(source), sentence, NEW_YEAR_EVE) == (ask.source, ask.reason, ask.ends_at)


def test_the_subject_is_the_reason_where_a_form_has_none() -> None:
    """A form without a reason takes the mail's subject, without its "Re:"."""
    assert (
        asked(FORM.replace("Motif: boutique", ""), "Re: RE : Nouvelle boutique").reason == "Nouvelle boutique"
    )


@pytest.mark.parametrize(
    "word", ["any", "partout", "Tout le monde", "n'importe où", "Internet", "0.0.0.0/0, ::/0"]
)
def test_words_for_everywhere(word: str) -> None:
    """Anywhere means both IP versions."""
    assert asked(FORM.replace("198.51.100.0/24", word)).source == AddressSet.parse("any")


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("2001:db8::/48", ("2001:db8::/48",)),
        ("198.51.100.7, 2001:db8::7", ("198.51.100.7", "2001:db8::7")),
        ("198.51.100.7 et 198.51.100.9", ("198.51.100.7", "198.51.100.9")),
        ("198.51.100.1 - 198.51.100.9", ("198.51.100.1-198.51.100.9",)),
    ],
)
def test_sources_of_both_versions(written: str, parts: tuple[str, ...]) -> None:
    """Addresses, networks, ranges and lists of either version."""
    assert asked(FORM.replace("198.51.100.0/24", written)).source == AddressSet.parse(*parts)


@pytest.mark.parametrize(
    ("written", "protocol", "ports"),
    [
        ("udp/53", UDP, Intervals.single(53)),
        ("tcp/8000-8010", TCP, Intervals.of((8000, 8010))),
        ("tcp/80,443", TCP, Intervals.single(80, 443)),
        ("80 et 443 (TCP)", TCP, Intervals.single(80, 443)),
        ("tcp/80, tcp/443", TCP, Intervals.single(80, 443)),
        ("ping", ICMP, Intervals()),
    ],
)
def test_ports(written: str, protocol: int, ports: Intervals) -> None:
    """Single ports, ranges, lists, and protocols without ports."""
    ask = asked(FORM.replace("tcp/443", written))
    assert (protocol, ports) == (ask.protocol, ask.ports)


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("2026-08-04", datetime(2026, 8, 4, 21, 59, 59, tzinfo=UTC)),
        ("30 jours", datetime(2026, 9, 3, 21, 59, 59, tzinfo=UTC)),
        ("30 days", datetime(2026, 9, 3, 21, 59, 59, tzinfo=UTC)),
        ("2 semaines", datetime(2026, 8, 18, 21, 59, 59, tzinfo=UTC)),
        ("6 mois", datetime(2027, 2, 4, 22, 59, 59, tzinfo=UTC)),
        ("1 an", datetime(2027, 8, 4, 21, 59, 59, tzinfo=UTC)),
        ("1er septembre 2026 à 18h00", datetime(2026, 9, 1, 16, 0, tzinfo=UTC)),
        ("2026-09-01 18:30", datetime(2026, 9, 1, 16, 30, tzinfo=UTC)),
        ("vendredi 25 décembre 2026", datetime(2026, 12, 25, 22, 59, 59, tzinfo=UTC)),
        ("sans fin", None),
        ("Illimité", None),
        ("no end", None),
    ],
)
def test_ends(written: str, end: datetime | None) -> None:
    """A date is the end of that day in Paris, summer and winter."""
    assert end == asked(FORM.replace("31/12/2026", written)).ends_at


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["empty"]),
        (" \n\t\n", ["empty"]),
        ("Bonjour, mon site ne marche pas.", ["not-understood"]),
        (FORM.replace("web1", "web9"), ["unknown-server"]),
        (FORM.replace("tcp/443", "tcp/70000"), ["port-range"]),
        (FORM.replace("tcp/443", "tcp/0"), ["port-range"]),
        (FORM.replace("tcp/443", "tcp/90-80"), ["port-reversed"]),
        (FORM.replace("tcp/443", "443"), ["no-protocol"]),
        (FORM.replace("tcp/443", "gre/443"), ["bad-protocol"]),
        (FORM.replace("tcp/443", "tcp"), ["bad-port"]),
        (FORM.replace("198.51.100.0/24", "chez moi"), ["bad-source"]),
        (FORM.replace("198.51.100.0/24", "198.51.100.0/33"), ["bad-source"]),
        (FORM.replace("31/12/2026", "31/12/2025"), ["end-passed"]),
        (FORM.replace("31/12/2026", "31/02/2027"), ["bad-end"]),
        (FORM.replace("31/12/2026", "12/31/2026"), ["bad-end"]),
        (FORM.replace("31/12/2026", "bientôt"), ["bad-end"]),
        (FORM.replace("31/12/2026", "31/12/2099"), ["end-too-far"]),
        (FORM.replace("31/12/2026", "9999 ans"), ["bad-end"]),
        (FORM.replace("Motif: boutique", "Motif:"), ["no-reason"]),
        ("Port: tcp/443", ["no-server", "no-source", "no-end", "no-reason"]),
        ("Serveur: web1", ["no-port", "no-source", "no-end", "no-reason"]),
        (FORM + "\n\n" + FORM.replace("443", "22"), ["several-requests"]),
        (FORM.replace("web1", "web1, db-1"), ["several-requests"]),
        (FORM.replace("tcp/443", "tcp/443, udp/443"), ["several-requests"]),
        (
            "Merci d'ouvrir tcp/443 vers web1. Merci d'ouvrir tcp/22 depuis partout vers db-1.",
            ["several-requests"],
        ),
        ("Merci d'ouvrir tcp/443 et udp/53 depuis partout vers web1 pendant 3 jours", ["several-requests"]),
        ("Merci d'ouvrir tcp/443 depuis partout vers web1", ["no-end"]),
        ("Please open tcp/443 from any to 192.0.2.10 until 2026-12-31", ["unknown-server"]),
        ("Please open port 70000 from any to web1 until 2020-01-01", ["port-range", "end-passed"]),
    ],
)
def test_every_problem_has_its_code(text: str, wanted: list[str]) -> None:
    """All that is wrong is said at once, each thing once."""
    assert wanted == codes(text)


def test_a_problem_says_what_was_written_and_what_is_known() -> None:
    """An unknown server is answered with the contact's own servers."""
    result = read(FORM.replace("web1", "web9"))
    assert isinstance(result, Unclear)
    assert [
        "Le serveur « web9 » n'est pas l'un des vôtres. Vos serveurs : db-1, web1.",
        'The server "web9" is not one of yours. Your servers: db-1, web1.',
    ] == [result.problems[0].words(language) for language in (Language.FR, Language.EN)]


def test_every_code_has_words_in_both_languages() -> None:
    """No code without an answer for a person."""
    for code in ProblemCode:
        problem = Problem(code, {"value": "x", "known": "y"})
        assert problem.words(Language.FR) != problem.words(Language.EN)


@pytest.mark.parametrize(
    "text",
    [
        " " * 19_000 + "x",
        "Port:" + " " * 19_000 + "x",
        "ouvrir depuis " * 1500,
        "ouvrir 1 et " * 1600,
        "a:" * 10_000,
        "Jusqu'au: " + "le " * 6000,
        "ouvrir " + "1," * 9000,
        "ouvrir. " * 2500,
    ],
    ids=range(8),
)
def test_nothing_stalls_the_reader(text: str) -> None:
    """Texts built to make patterns slow are read at once."""
    started = time.monotonic()
    read(text)
    assert time.monotonic() - started < 2


PIECES = re.compile(r"[^|]+").findall(
    "Serveur:|web1|Port:|tcp/443|tcp/|70000|Depuis:|any|::/0|\n|jusqu'au|ouvrir|31/12/2026|99/99/9999|pour|"
    "{value}|open|from|to|until|9999 days|-|.|é|ß"
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)))
def test_any_text_is_asked_or_unclear(text: str) -> None:
    """Nothing raises, an unclear mail always has a problem, and every problem has words."""
    result = read(text)
    if isinstance(result, Unclear):
        assert result.problems
        assert all(problem.words(Language.FR) for problem in result.problems)
    else:
        assert result.ask.server in SERVERS
        assert result.ask.ends_at is None or result.ask.ends_at > NOW
