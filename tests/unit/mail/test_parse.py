"""Any bytes become a bounded value; what a person wrote is found, and what others wrote is not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.mail.parse import Flaw, Mark, parse

MEBIBYTE = 2**20
PLAIN = b"""Message-ID: <a1@client.example>\r
From: =?utf-8?q?Ana=C3=AFs?= <Anais@Client.Example>\r
Subject: =?utf-8?q?Ouverture_d=27un_port?=\r
Date: Tue, 4 Aug 2026 10:00:00 +0200\r
In-Reply-To: <b2@desk.example>\r
References: <b1@desk.example>\r
 <b2@desk.example>\r
Content-Type: text/plain; charset=utf-8\r
\r
Serveur: web1\r
"""
SNIPPETS = st.sampled_from(
    b"From: |a@b.fr|\r\n|\n\n|Content-Type: |multipart/mixed; boundary=|--|x|text/html|charset=utf-99|"
    b"=?utf-8?b?|?=|Content-Transfer-Encoding: base64|<!--|message/rfc822|Subject: |"
    b"uuencode|\xff\xfe|\0|(((|\"|<a b='|"
    b"format=flowed".split(b"|")
)


def mail(body: str, **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = "anais@client.example"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body, cte="8bit")
    return message.as_bytes()


def test_reads_who_what_when_and_the_thread() -> None:
    """An ordinary mail gives every value, decoded."""
    parsed = parse(PLAIN)
    assert ("anais@client.example", "Anaïs") == (parsed.sender, parsed.sender_name)
    assert parsed.subject == "Ouverture d'un port"
    assert parsed.text == "Serveur: web1"
    assert datetime(2026, 8, 4, 8, 0, tzinfo=UTC) == parsed.date
    assert ("<a1@client.example>", "<b2@desk.example>") == (parsed.message_id, parsed.in_reply_to)
    assert ("<b1@desk.example>", "<b2@desk.example>") == parsed.references
    assert (frozenset(), frozenset()) == (parsed.marks, parsed.flaws)


@pytest.mark.parametrize(
    "text",
    [
        "Port: tcp/443\n\n-- \nAnaïs\nPort: tcp/22",
        "Port: tcp/443\n> Port: tcp/22\n",
        "Port: tcp/443\n\nLe mar. 4 août 2026 à 10:00, Support <desk@host.example> a écrit :\n> Port: tcp/22",
        "Port: tcp/443\n\nLe mar. 4 août 2026 à 10:00, Support\n<desk@host.example> a écrit :\nPort: tcp/22",
        "Port: tcp/443\n\nOn Tue, Aug 4, 2026 at 10:00 AM Support <desk@host.example> wrote:\nPort: tcp/22",
        "On Tue, Aug 4, 2026 at 10:00 AM Support wrote:\n> Port: tcp/22\n\nPort: tcp/443",
        "Port: tcp/443\n\n-----Message d'origine-----\nPort: tcp/22",
        "Port: tcp/443\n\nDe : Support <desk@host.example>\nEnvoyé : mardi 4 août 2026 10:00\nPort: tcp/22",
    ],
)
def test_quotes_and_signatures_are_not_read(text: str) -> None:
    """Only what the sender wrote now is an order."""
    assert parse(mail(text)).text == "Port: tcp/443"


def test_a_structured_line_named_from_is_no_quoted_header() -> None:
    """The English form's "From:" line stays."""
    text = "Server: web1\nFrom: 198.51.100.0/24\nUntil: 2026-12-31"
    assert text == parse(mail(text)).text


def test_html_only_mail_gives_its_text() -> None:
    """Markup, styles, scripts and quotes go; lines and entities stay."""
    html = (
        "<html><head><title>t</title><style>p{}</style></head><body><!-- Port: tcp/1 -->"
        "<p>Port:&nbsp;tcp/443</p><div>Serveur: w&eacute;b<br>ok &lt; 2</div>"
        "<script>if (1<2) { 'Port: tcp/2' }</script>"
        '<div class="gmail_quote"><div>Port: tcp/3</div></div><blockquote>Port: tcp/4</blockquote>'
    )
    raw = b"From: a@b.fr\nContent-Type: text/html; charset=utf-8\n\n" + html.encode()
    assert parse(raw).text == "Port: tcp/443\n\nServeur: wéb\nok < 2"


def test_plain_text_is_preferred_and_attachments_are_not_read() -> None:
    """An attached text or mail is no order."""
    message = EmailMessage()
    message["From"] = "a@b.fr"
    message.set_content("Port: tcp/443")
    message.add_alternative("<p>Port: tcp/22</p>", subtype="html")
    message.add_attachment("Port: tcp/23", filename="a.txt")
    inner = EmailMessage()
    inner.set_content("Port: tcp/24")
    message.add_attachment(inner)
    assert parse(message.as_bytes()).text == "Port: tcp/443"


def test_flowed_lines_are_joined() -> None:
    """Soft line breaks are no ends of values (RFC 3676)."""
    raw = b"From: a@b.fr\nContent-Type: text/plain; format=flowed\n\nMotif: a \nb\n-- \nx"
    assert parse(raw).text == "Motif: a b"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-15", "ascii", "no-such-charset", "punycode"])
def test_a_wrong_charset_loses_nothing_that_is_ascii(charset: str) -> None:
    """A charset that is unknown or untrue falls back."""
    raw = f"From: a@b.fr\nContent-Type: text/plain; charset={charset}\n\n".encode() + "é Port".encode() + b"!"
    assert parse(raw).text.endswith("Port!")


def test_a_missing_message_id_becomes_one_of_the_content() -> None:
    """The same mail has the same id however it came; another one has another."""
    raw = b"From: a@b.fr\r\nSubject: s\r\n\r\nbody\r\n"
    other_way = b"Received: from x by y; now\n" + raw.replace(b"\r\n", b"\n")
    assert Flaw.NO_MESSAGE_ID in parse(raw).flaws
    assert parse(raw).message_id == parse(other_way).message_id
    assert parse(raw).content_digest == parse(other_way).content_digest
    assert parse(raw).message_id != parse(raw + b"more").message_id


@pytest.mark.parametrize(
    ("raw", "flaw"),
    [
        (b"Subject: x\n\nbody", Flaw.NO_SENDER),
        (b"From: nobody\n\nbody", Flaw.NO_SENDER),
        (b"From: a@b.fr, c@d.fr\n\nbody", Flaw.SEVERAL_SENDERS),
        (b"From: a@b.fr\nFrom: c@d.fr\n\nbody", Flaw.SEVERAL_SENDERS),
        (b"From: " + b"(" * 990 + b"a@b.fr\n\nbody", Flaw.NO_SENDER),
        (b"From: =?utf-8?q?boss=40host=2Eexample?=\n\nbody", Flaw.NO_SENDER),
    ],
)
def test_a_sender_is_one_plain_address_or_none(raw: bytes, flaw: Flaw) -> None:
    """Nothing is guessed from a doubtful From."""
    parsed = parse(raw)
    assert parsed.sender == ""
    assert flaw in parsed.flaws


def test_headers_carry_no_line_breaks_or_invisible_characters() -> None:
    """What an encoded word hides cannot reach a header of ours."""
    raw = b"From: a@b.fr\nSubject: =?utf-8?q?hi=0D=0ABcc:_x=E2=80=AEy=00?=\n\nbody"
    assert parse(raw).subject == "hi Bcc: xy"


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ("Auto-Submitted: auto-replied", Mark.AUTO),
        ("Auto-Submitted: auto-generated (vacation)", Mark.AUTO),
        ("Precedence: bulk", Mark.LIST),
        ("List-Id: <l.example>", Mark.LIST),
        ("Return-Path: <>", Mark.BOUNCE),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", Mark.BOUNCE),
    ],
)
def test_marks_of_mail_that_no_person_wrote(header: str, mark: Mark) -> None:
    """Automatic answers, lists and bounces are known by their headers (RFC 3834)."""
    assert {mark} == parse(f"From: a@b.fr\n{header}\n\nbody".encode()).marks


def test_the_null_sender_is_a_bounce_and_a_complaint_report_is_not() -> None:
    """MAIL FROM:<> marks a bounce; an abuse report (RFC 5965) is for people to read."""
    assert {Mark.BOUNCE} == parse(b"From: a@b.fr\n\nx", envelope_sender="").marks
    assert {Mark.BOUNCE} == parse(b"From: MAILER-DAEMON@b.fr\n\nx").marks
    report = b"From: a@b.fr\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\nx"
    assert frozenset() == parse(report).marks
    assert frozenset() == parse(b"From: a@b.fr\nAuto-Submitted: no\n\nx", envelope_sender="a@b.fr").marks


def test_a_mail_that_is_too_large_is_known_but_not_read() -> None:
    """A 20 MB mail says who sent it, and no more."""
    parsed = parse(PLAIN + b"x" * (20 * MEBIBYTE))
    assert frozenset({Flaw.TOO_LARGE}) == parsed.flaws
    assert ("anais@client.example", "") == (parsed.sender, parsed.text)


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000)),
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(200))
        + b"-\n" * 300_000,
        b"Content-Type: message/rfc822\n\n" * 600,
        b"Content-Type: text/html\n\n" + b"<!--" * 100_000,
        b"Content-Type: text/html\n\n" + b"<a b='" * 100_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        + (b"--b\nContent-Type: text/html\n\n" + b"<" * 40_000 + b"\n") * 100,
        b"Content-Type: text/plain; charset=punycode\n\n" + b"\xe9" + b"a" * 400_000,
        b"A: b\n" * 200_000,
        b"From: a@b.fr\n\n" + (b"le " + b"a <x@" * 40 + b"\n") * 20_000,
    ],
    ids=["nested", "nested-long", "mails", "comments", "quotes", "parts", "codec", "headers", "attributions"],
)
def test_nothing_stalls_the_reader(raw: bytes) -> None:
    """Mails built to be slow are read within a bound that leaves a wide margin."""
    started = time.monotonic()
    parse(raw)
    assert time.monotonic() - started < 10


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=2000), st.lists(SNIPPETS, max_size=60).map(b"".join)))
def test_never_raises_and_every_value_is_printable(raw: bytes) -> None:
    """Any bytes give a value that fits a database, a page and a header."""
    parsed = parse(raw)
    for text in (parsed.sender, parsed.sender_name, parsed.subject, parsed.message_id, parsed.in_reply_to):
        assert text.isprintable()
    assert "\0" not in parsed.text
    assert parsed.text.encode() is not None
    assert parsed == parse(raw)
