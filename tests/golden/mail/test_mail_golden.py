"""Every event in every language, the whole mail: review reads these files as the texts that people get."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from fwguard.mail.events import COMMON, VALUES, Event, Kind
from fwguard.mail.ids import message_id
from fwguard.mail.render import Heading, render
from fwguard.model.inventory import Language

HERE = Path(__file__).parent
TEMPLATES = HERE.parents[2] / "approvals" / "mail"
CASES = sorted(path.parent for path in HERE.glob("*/input.json"))
KEY = bytes(range(32))


def value(kind: Kind, written: Any) -> Any:
    if kind in (Kind.MOMENT, Kind.END) and written is not None:
        return datetime.fromisoformat(written)
    return date.fromisoformat(written) if kind is Kind.DAY else written


def transcript(case: Path) -> str:
    """Return the mail as its reader sees it: every header, then each part decoded."""
    given = json.loads((case / "input.json").read_text(encoding="utf-8"))
    event, language = Event(given["event"]), Language(given["language"])
    kinds = {**COMMON, **VALUES[event]}
    values = {name: value(kinds[name], written) for name, written in given["values"].items()}
    recipient = "anais@client.example"
    heading = Heading(
        sender=values["desk_mail"],
        sender_name=values["desk_name"],
        recipient=recipient,
        recipient_name="Anaïs Martin",
        message_id=message_id(
            KEY,
            domain="desk.host.example",
            subject=values["number"],
            recipient=recipient,
            event=event,
            serial=1,
        ),
        date=datetime.fromisoformat("2026-08-04T12:00:00+02:00"),
        in_reply_to="<question@client.example>",
        references=("<first@client.example>",),
    )
    mail = render(event, language, values, heading, folder=TEMPLATES)
    lines = [f"{name}: {text}" for name, text in mail.items()]
    for part in mail.iter_parts():
        lines += ["", "=" * 72, f"Content-Type: {part['Content-Type']}", "", part.get_content()]
    return "\n".join(lines).rstrip("\n") + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_mail_is_as_reviewed(case: Path, pytestconfig: pytest.Config) -> None:
    """Letter for letter; `--update-golden` rewrites."""
    got = transcript(case)
    if pytestconfig.getoption("--update-golden", default=False):
        (case / "want.txt").write_text(got, encoding="utf-8")
    assert (case / "want.txt").read_text(encoding="utf-8") == got


def test_every_event_has_a_case_in_every_language() -> None:
    """A new event comes with its texts and its cases."""
    assert {f"{event}-{language}" for event in Event for language in Language} == {
        case.name for case in CASES
    }
