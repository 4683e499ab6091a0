"""A client and the staff, each in a browser, before a portal that guards real firewalls."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from guarded import until
from playwright.sync_api import Browser, Page, expect

from fwguard.lab.control_room import code_of, next_code_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PORT = 8080


def logged_in(browser: Browser, guarded: Any, mail: str) -> Page:
    """Log someone in with both factors; a code counts once, so wait for the next if it was used."""
    person = guarded.lab.person(mail)
    locale = "fr-FR" if person.language == "fr" else "en-GB"
    page = browser.new_context(base_url=guarded.room.url, locale=locale).new_page()
    page.goto("/")
    page.fill("#login", person.login)
    page.fill("#password", person.password)
    page.click("main button")
    page.fill("#code", code_of(person))
    page.click("main button")
    if page.url.endswith("/login/code"):
        page.fill("#code", next_code_of(person))
        page.click("main button")
    expect(page.locator(".who")).to_contain_text(person.name)
    return page


@pytest.mark.parametrize(
    ("client", "approver", "server"),
    [
        ("alice@acme.example", "claire@operator.example", "acme-web"),  # French both
        ("grace@globex.example", "root@operator.example", "globex-web"),  # English both
    ],
)
def test_an_opening_goes_from_a_form_to_real_traffic(
    browser: Browser, guarded: Any, client: str, approver: str, server: str
) -> None:
    """Asked in one browser, approved in another, it carries traffic on both IP versions; ended, it does not."""
    firewall = guarded.lab.firewall(f"fw-{server.partition('-')[0]}")
    public = (firewall.public4[0], firewall.public6[0])
    assert not any(guarded.lab.connect("internet", address, PORT) for address in public)
    asking = logged_in(browser, guarded, client)
    asking.goto("/requests/new")
    asking.select_option("#server", server)
    asking.fill("#ports", str(PORT))
    asking.check('input[name="who"][value="anyone"]')
    asking.fill("#until", (date.today() + timedelta(days=30)).isoformat())
    asking.fill("#reason", "nouvelle boutique / new shop")
    asking.click('form[action="/requests/new"] button')
    asking.wait_for_url("**/tickets/T-*")
    number = asking.url.rpartition("/")[2]
    until(lambda: guarded.ticket(number).binding, f"the analysis of {number}")
    deciding = logged_in(browser, guarded, approver)
    deciding.goto(f"/tickets/{number}")
    expect(deciding.locator("main")).to_contain_text(f"tcp/{PORT}")
    deciding.click('button[value="approve"]')
    until(lambda: guarded.ticket(number).state.value == "open", f"{number} to be open")
    assert all(guarded.lab.connect("internet", address, PORT) for address in public)
    asking.goto(f"/tickets/{number}")
    asking.click(f'form[action="/tickets/{number}/withdrawal"] button')
    until(lambda: guarded.ticket(number).state.value == "closed", f"{number} to be closed")
    assert not any(guarded.lab.connect("internet", address, PORT) for address in public)


def test_a_drift_is_shown_to_its_client_in_words(browser: Browser, guarded: Any) -> None:
    """The case page says in French what was opened, and how to contest it."""
    known = len(guarded.cases("fw-acme"))
    guarded.lab.tamper("fw-acme", "open-port")
    until(
        lambda: [case for case in guarded.cases("fw-acme")[known:] if case.is_ended], "the case to be closed"
    )
    page = logged_in(browser, guarded, "bruno@acme.example")
    page.goto(f"/cases/{guarded.cases('fw-acme')[known].number}")
    expect(page.locator("main")).to_contain_text(f"ouvre tcp/{PORT}")
