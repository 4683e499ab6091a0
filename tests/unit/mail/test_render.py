"""A mail of ours says what it must, in a form that nothing put into it can break."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.errors import InputError
from fwguard.mail.events import Event
from fwguard.mail.ids import message_id
from fwguard.mail.parse import Mark, parse
from fwguard.mail.render import Heading, render
from fwguard.model.inventory import Language

TEMPLATES = Path(__file__).parents[3] / "approvals" / "mail"
NOW = datetime(2026, 8, 4, 10, tzinfo=UTC)
MESSAGE_ID = message_id(
    b"k" * 32,
    domain="desk.host.example",
    subject="C-2026-0001",
    recipient="anais@client.example",
    event=Event.DRIFT_RESTORED,
)
VALUES: dict[str, Any] = {
    "number": "C-2026-0001",
    "desk_name": "Support",
    "desk_mail": "support@host.example",
    "contact_name": "Anaïs",
    "clause": "7.1.1",
    "page_url": "https://portal.host.example/cases/C-2026-0001",
    "contest_until": date(2026, 8, 14),
    "firewall": "fw1",
    "seen_at": NOW,
    "restored_at": NOW,
    "effects": ["ouvre tcp/3306"],
    "shown": "+ accept",
}


def heading(**changes: Any) -> Heading:
    return Heading(
        **{
            "sender": "support@host.example",
            "sender_name": "Support",
            "recipient": "anais@client.example",
            "recipient_name": "Anaïs",
            "message_id": MESSAGE_ID,
            "date": NOW,
            **changes,
        }
    )


def written(values: dict[str, Any] | None = None, head: Heading | None = None) -> EmailMessage:
    return render(
        Event.DRIFT_RESTORED, Language.FR, {**VALUES, **(values or {})}, head or heading(), folder=TEMPLATES
    )


def test_the_headers_that_the_standards_want() -> None:
    """Automatic, in a language, in its thread, with our id; text before HTML."""
    head = heading(in_reply_to="<b@client.example>", references=("<a@client.example>",))
    mail = message_from_bytes(written(head=head).as_bytes(), policy=policy.default)
    assert ("auto-generated", "fr") == (mail["Auto-Submitted"], mail["Content-Language"])
    assert (MESSAGE_ID, "<b@client.example>") == (mail["Message-ID"], mail["In-Reply-To"])
    assert mail["References"] == "<a@client.example> <b@client.example>"
    assert ["text/plain", "text/html"] == [part.get_content_type() for part in mail.iter_parts()]


def test_the_same_values_give_the_same_bytes() -> None:
    """A mail rendered again after a crash is the same mail."""
    assert written().as_bytes() == written().as_bytes()


def test_our_own_mail_is_never_answered_by_us() -> None:
    """Our reader knows our writer's mail as automatic."""
    parsed = parse(written().as_bytes())
    assert {Mark.AUTO} == parsed.marks
    assert parsed.message_id == MESSAGE_ID


def test_every_line_fits_and_is_ascii() -> None:
    """Any relay passes it: seven bits, lines within 998 characters (RFC 5322 §2.1.1)."""
    raw = written({"shown": "é" * 5000, "effects": ["x" * 5000]}).as_bytes()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_html_is_escaped_and_text_is_not() -> None:
    """What a client wrote in a rule stays text."""
    mail = written({"effects": ["<script>alert(1)</script>"]})
    plain, html = (part.get_content() for part in mail.iter_parts())
    assert "<script>alert(1)</script>" in plain
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_long_values_are_cut_and_say_so() -> None:
    """A client cannot make us send a novel."""
    mail = written({"shown": "x\n" * 50_000, "effects": ["y"] * 5000})
    assert len(mail.as_bytes()) < 100_000
    assert mail.as_string().count("=E2=80=A6") >= 2


def test_a_line_breaks_no_header() -> None:
    """Line breaks in what clients name things become spaces."""
    mail = written(
        {"firewall": "fw1\r\nBcc: eve@evil.example\r\n\r\n"}, heading(recipient_name="A\r\nBcc: x@y.z")
    )
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert "Bcc" not in read
    assert "fw1 Bcc: eve@evil.example" in read["Subject"]


def test_a_strangers_ids_that_are_none_are_left_out() -> None:
    """In-Reply-To comes from mails that anybody wrote."""
    head = heading(in_reply_to="<a@b>\r\nBcc: x@y.z", references=("no id", "<ok@client.example>"))
    mail = written(head=head)
    assert "In-Reply-To" not in mail
    assert mail["References"] == "<ok@client.example>"


def test_a_long_thread_keeps_its_beginning_and_its_end() -> None:
    """A thread of a thousand mails does not grow our headers without bound."""
    ids = tuple(f"<{number}@client.example>" for number in range(1000))
    kept = str(written(head=heading(references=ids))["References"]).split()
    assert [ids[0], *ids[-19:]] == kept


@pytest.mark.parametrize(
    "values",
    [
        {"seen_at": datetime(2026, 8, 4)},
        {"contest_until": NOW},
        {"effects": "a text"},
        {"shown": None},
        {"another": "value"},
    ],
)
def test_a_value_of_another_kind_is_refused(values: dict[str, Any]) -> None:
    """The table of values is the contract between flows and templates."""
    with pytest.raises(InputError):
        written(values)


def test_a_missing_value_is_named() -> None:
    """Whoever forgot it learns which."""
    with pytest.raises(InputError, match="firewall"):
        render(
            Event.DRIFT_RESTORED,
            Language.FR,
            {name: value for name, value in VALUES.items() if name != "firewall"},
            heading(),
            folder=TEMPLATES,
        )


@pytest.mark.parametrize(
    "change", [{"recipient": "a@b.fr\r\nBcc: x@y.z"}, {"sender": "nobody"}, {"message_id": "<x>"}]
)
def test_a_heading_that_is_none_is_refused(change: dict[str, str]) -> None:
    """Addresses and ids are checked before they reach a header."""
    with pytest.raises(InputError):
        written(head=heading(**change))


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=200), lines=st.lists(st.text(max_size=50), max_size=5))
def test_any_text_gives_a_mail_of_two_parts(text: str, lines: list[str]) -> None:
    """Nothing that a client writes changes the structure of our mail."""
    mail = written({"firewall": text, "effects": lines, "shown": text, "contact_name": text})
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert ["text/plain", "text/html"] == [part.get_content_type() for part in read.iter_parts()]
    assert set(mail.keys()) == set(read.keys())
