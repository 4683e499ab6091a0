"""A client in a real browser, in French: asks, corrects, follows, and works without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e
ALICE = "alice@acme.example"


def _fill(page: Any, ports: str) -> None:
    page.select_option("#server", "acme-web")
    page.fill("#ports", ports)
    page.check("input[value=these]")
    page.fill("#addresses", "203.0.113.0/24, 2001:db8:aa::/48")
    page.fill("#reason", "Visite du prestataire")


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_client_asks_and_corrects_what_was_wrong(log_in: Any, portal: Any, javascript: bool) -> None:
    """A wrong port is said beside its field and nothing is lost; put right, the request arrives."""
    page = log_in(ALICE, javascript=javascript)
    page.goto("/requests/new")
    _fill(page, "70000")
    page.click("text=Envoyer la demande")
    expect(page.locator("#ports-problem")).to_contain_text("ports vont de 1 à 65535")
    expect(page.locator("#reason")).to_have_value("Visite du prestataire")
    expect(page.locator("input[value=these]")).to_be_checked()
    page.fill("#ports", "9443")
    page.click("text=Envoyer la demande")
    expect(page.locator("h1")).to_contain_text(re.compile(r"T-\d{4}-\d{4}"))
    expect(page.locator(".lead")).to_contain_text("tcp/9443 depuis 203.0.113.0/24")


def test_a_client_follows_its_request(log_in: Any, portal: Any) -> None:
    """The page of an opening that is open: words, change, timeline, mails; and it can be closed."""
    page = log_in(ALICE)
    page.goto("/tickets")
    page.click("text=T-" + page.locator("tbody a").last.inner_text()[2:])
    expect(page.locator("h1 .badge")).to_have_text("en vigueur")
    expect(page.locator(".moves").last).to_contain_text("Déployée et vérifiée")
    expect(page.locator("main")).to_contain_text("alice@acme.example")
    page.click("text=Fermer maintenant")
    expect(page.locator("h1 .badge")).to_have_text("en cours de fermeture")


def test_a_client_reads_what_was_undone(log_in: Any, portal: Any) -> None:
    """The case of a change that was put back says what it opened, the clause, and how to contest."""
    page = log_in(ALICE)
    page.goto("/cases")
    page.click("tbody th a")
    expect(page.locator(".words")).to_contain_text("ouvre tcp/3306")
    expect(page.locator("blockquote")).to_contain_text("sans l'accord exprès")
    expect(page.locator(".change .added")).to_contain_text("tcp dport 3306 accept")
    expect(page.locator("main")).to_contain_text("8 jours ouvrés")


@pytest.mark.parametrize(
    "path", ["/", "/requests/new", "/tickets", "/firewalls", "/firewalls/fw-acme", "/cases"]
)
def test_nothing_runs_off_a_phone(log_in: Any, portal: Any, path: str) -> None:
    """At 360 points of width no page scrolls sideways, and no browser message complains."""
    page = log_in(ALICE, width=360)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(path)
    assert 360 == page.evaluate("document.documentElement.scrollWidth")
    assert [] == said  # the Content-Security-Policy complains here


def test_the_keyboard_reaches_the_content(log_in: Any, portal: Any) -> None:
    """The first stop of the tabulator skips the menu."""
    page = log_in(ALICE)
    page.goto("/tickets")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_every_field_has_a_label(log_in: Any, portal: Any) -> None:
    """No field of the form is nameless to a screen reader, and the page says its language."""
    page = log_in(ALICE)
    page.goto("/requests/new")
    nameless = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        ".filter(field => !field.labels.length).map(field => field.name)"
    )
    assert [] == nameless
    assert "fr" == page.locator("html").get_attribute("lang")


def test_the_switch_changes_the_language_in_place(log_in: Any, portal: Any) -> None:
    """The same page comes back in English."""
    page = log_in(ALICE)
    page.goto("/cases?state=open")
    page.click("footer >> text=English")
    expect(page).to_have_url(re.compile(r"/cases\?state=open$"))
    expect(page.locator("h1")).to_have_text("Cases")


def test_logging_out_closes_the_way_back(log_in: Any, portal: Any) -> None:
    """After logging out the browser's "back" shows nothing."""
    page = log_in(ALICE)
    page.goto("/tickets")
    page.click("text=Se déconnecter")
    expect(page.locator("h1")).to_have_text("Se connecter")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Se connecter")
