"""French and English: complete, switched, and nothing said outside of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from fwguard.lab.people import contact_of
from fwguard.mail.events import Event
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.controls import ServiceKind
from fwguard.model.machine_state import MachineState
from fwguard.model.policy import Action, Hook, NatKind
from fwguard.model.registration import RegistrationState
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.addresses import Ending, Manner
from fwguard.store.inventory import WatchState
from fwguard.store.mail import MailState
from fwguard.store.people import UserRole
from fwguard.store.tickets import Channel, Decision, TicketKind
from fwguard.web.wording import NAMES

ROOT = Path(__file__).resolve().parents[3]
ALICE = contact_of("acme", "fr", 0)
TEMPLATES = sorted((ROOT / "web" / "templates").glob("*.html"))
# Words that are the same in every language.
NAMES_OF_THINGS = {"fwguard", "SHA-256", "Message-ID"}
SPOKEN = ("aria-label", "placeholder", "title", "alt")


@pytest.fixture(scope="module")
def texts() -> set[tuple[str | None, Any]]:
    """Give every text of the pages and of the code, with its context."""
    keywords = {"gettext": None, "ngettext": (1, 2), "_": None, "_p": ((1, "c"), 2)}
    found = set()
    for folder, method in (("fwguard/web", ("**.py", "python")), ("web/templates", ("**.html", "jinja2"))):
        for _, _, message, _, context in extract_from_dir(
            ROOT / folder, [method], keywords=keywords, strip_comment_tags=True
        ):
            found.add((context, message))
    return found


@pytest.fixture(scope="module")
def french() -> Catalog:
    """Give the French texts."""
    path = ROOT / "web" / "translations" / "fr" / "LC_MESSAGES" / "messages.po"
    return read_po(BytesIO(path.read_bytes()), locale="fr", abort_invalid=True)


def test_every_text_has_its_french(texts: Any, french: Catalog) -> None:
    """None is missing, half done or marked as doubtful."""
    done = {
        (message.context, message.id if isinstance(message.id, str) else tuple(message.id))
        for message in french
        if message.id
        and not message.fuzzy
        and (all(message.string) if isinstance(message.string, tuple) else message.string)
    }
    assert set() == {(context, text) for context, text in texts} - done


def test_no_french_is_left_over(texts: Any, french: Catalog) -> None:
    """A text that no page has any more is not kept."""
    kept = {(it.context, it.id if isinstance(it.id, str) else tuple(it.id)) for it in french if it.id}
    assert set() == kept - set(texts)


def test_what_is_filled_in_is_the_same_in_both(french: Catalog) -> None:
    """Every %(name)s of the source stands in the French, with the same kind."""
    assert [] == [(message.id, [str(it) for it in problems]) for message, problems in french.check()]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_nothing_untranslated(path: Path) -> None:
    """What is left of a template without its expressions and tags has no letter in it."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r' aria-(invalid|describedby)="[^"]*"', "", text)  # names of fields, which nobody reads
    said: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            said.append(data)

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            said.extend(value or "" for name, value in attrs if name in SPOKEN and ":" not in (value or ""))

    Reader().feed(text)
    words = {word for piece in said for word in re.findall(r"[^\W\d_][\w-]*", piece)}
    assert set() == words - NAMES_OF_THINGS


@pytest.mark.parametrize(
    "kind",
    [
        TicketState, TicketEvent, TicketKind, Channel, Decision, CaseKind, CaseState, CaseEvent, WatchState,
        MailState, UserRole, Hook, Action, NatKind, Event, ServiceKind, RegistrationState, MachineState, Manner,
        Ending,
    ],
)  # fmt: skip
def test_every_word_of_the_model_has_a_name(kind: Any) -> None:
    """A state or event that is new to the model must be new here too."""
    assert set(kind) == set(NAMES[kind])


def test_the_browser_decides_before_one_is_known(browser: Any) -> None:
    """Accept-Language, else English."""
    for header, language in (("fr-CA,fr;q=0.8", "fr"), ("de,en;q=0.5", "en"), ("ja", "en")):
        page = browser.get("/login", headers={"Accept-Language": header}).get_data(as_text=True)
        assert f'<html lang="{language}">' in page


def test_the_switch_goes_before_everything_and_back(browser: Any) -> None:
    """Whoever switches reads the same page in the other language, also after logging in."""
    answer = browser.post("/language", {"language": "en", "back": "/login?next=/cases"})
    assert "/login?next=/cases" == answer.location
    browser.log_in(ALICE)
    assert '<html lang="en">' in browser.get("/").get_data(as_text=True)


def test_a_language_that_there_is_not_changes_nothing(browser: Any) -> None:
    """Nor does the switch lead to another host."""
    answer = browser.post("/language", {"language": "xx", "back": "https://elsewhere.example"})
    assert "/" == answer.location
    assert 200 == browser.get("/login").status_code
