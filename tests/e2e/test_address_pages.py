"""Addresses and registrations in a real browser, in French and in English, wide and on a phone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from fwguard.flows import address, registration, service_life
from fwguard.model.controls import ServiceKind
from fwguard.model.machine_state import MachineState, Sighting
from fwguard.model.pool import Pool
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.registration import Registration
from fwguard.store.people import user_named

pytestmark = pytest.mark.e2e
ALICE, GRACE = "alice@acme.example", "grace@globex.example"
CLAIRE, DAVID = "claire@operator.example", "david@operator.example"


@pytest.fixture
def given(portal: Any) -> Any:
    """Give a portal with pools, addresses, a move, a stopped server and two registrations that wait."""
    house = portal.house
    with house.store.session() as session:
        user = user_named(session, CLAIRE)
        for name, prefix, country in (
            ("paris4", "203.0.113.64/27", "FR"), ("paris6", "2001:db8:40::/64", "FR"),
            ("anvers4", "203.0.113.96/28", "BE"),
        ):  # fmt: skip
            address.open_pool(
                session,
                house,
                Pool(name=name, prefix=prefix, country=country),
                user=user,
                why="première réserve",
            )
        for name in ("acme-web", "acme-db", "globex-web"):
            address.allocate(session, house, name, user=user, why="mise en service")
        address.reserve(session, house, "203.0.113.94", user=user, why="passerelle")
        address.migrate(session, house, "203.0.113.97", user=user, why="plaintes C-2026-0007", pool="paris4")
        stopped = Sighting(name="acme-db", state=MachineState.STOPPED)
        service_life.declare(session, house, stopped, user=user, why="vu arrêté")
        for login, server in ((ALICE, "acme-web"), (GRACE, "globex-web")):
            asked = Registration(
                server=server, software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6697"),
                ends_at=house.clock() + timedelta(days=90), reason="Discussion de l'équipe",
            )  # fmt: skip
            registration.ask_registration(
                session, house, asked, user=user_named(session, login), source="portal"
            )
    return portal


def test_a_client_finds_its_addresses_in_french(log_in: Any, given: Any) -> None:
    """Its own with the state of each server, and none of another's."""
    page = log_in(ALICE)
    page.click("nav >> text=Adresses")
    expect(page.locator("h1")).to_have_text("Adresses")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(5)
    expect(page.locator("tbody")).to_contain_text("acme-db")
    expect(page.locator("tbody")).to_contain_text("arrêté")
    expect(page.locator("main")).not_to_contain_text("globex")
    page.click("tbody a >> nth=0")
    expect(page.locator(".moves")).to_contain_text("maintenant")


def test_a_client_registers_in_english_and_the_staff_decides(log_in: Any, given: Any) -> None:
    """A mistake is said beside its field and nothing is lost; granted by someone of the staff, it is shown so."""
    page = log_in(GRACE)
    page.click("nav >> text=Registrations")
    page.click("text=Ask for a registration")
    page.select_option("#server", "globex-db")
    page.check("input[value=videochat]")
    page.fill("#ports", "10000-30000")
    page.fill("#reason", "Meetings with clients")
    day = str((given.house.clock() + timedelta(days=30)).date())
    page.fill("#until", day)
    page.click("text=Send the request")
    expect(page.locator("#ports-problem")).to_contain_text("1024")
    expect(page.locator("#reason")).to_have_value("Meetings with clients")
    expect(page.locator("input[value=videochat]")).to_be_checked()
    page.fill("#ports", "")
    page.click("text=Send the request")
    expect(page.locator("h1")).to_contain_text(re.compile(r"R-\d{4}-\d{4}"))
    expect(page.locator("h1 .badge")).to_have_text("waiting for a decision")
    number = page.locator("h1").inner_text().split()[0]
    staff = log_in(CLAIRE)
    staff.goto(f"/registrations/{number}")
    staff.fill("#why", "Accordé pour l'année")
    staff.click("text=Accorder")
    expect(staff.locator("h1 .badge")).to_have_text("accordée")
    page.reload()
    expect(page.locator("h1 .badge")).to_have_text("granted")
    expect(page.locator(".moves")).to_contain_text("the operator")
    page.fill("#end-why", "We moved")
    page.click("text=End it now")
    expect(page.locator("h1 .badge")).to_have_text("ended")


def test_the_staff_asks_who_had_an_address(log_in: Any, given: Any) -> None:
    """Now, and before there was anyone; a wrong address is said beside its field."""
    page = log_in(DAVID)
    page.goto("/addresses")
    expect(page.locator("main")).to_contain_text("anvers4")
    page.fill("#address", "203.0.113.97")
    page.click("main button")
    expect(page.locator("[role=status]")).to_contain_text("acme-web")
    page.fill("#at", "2020-01-01T12:00")
    page.click("main button")
    expect(page.locator("[role=status]")).not_to_contain_text("acme-web")
    page.fill("#address", "203.0.113.9")
    page.click("main button")
    expect(page.locator("#address-problem")).to_be_visible()
    page.goto("/addresses/203.0.113.97")
    expect(page.locator(".moves")).to_contain_text("acme-web")


@pytest.mark.parametrize("login", [ALICE, CLAIRE])
@pytest.mark.parametrize(
    "path", ["/addresses", "/addresses/203.0.113.97", "/registrations", "/registrations/new", "R"]
)
def test_nothing_runs_off_a_phone(log_in: Any, given: Any, login: str, path: str) -> None:
    """At 360 points of width no page scrolls sideways, and no browser message complains."""
    page = log_in(login, width=360)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    if path == "R":
        page.goto("/registrations")
        path = str(page.locator("tbody a").first.get_attribute("href"))
    page.goto(path)
    assert 360 == page.evaluate("document.documentElement.scrollWidth")
    assert [] == said  # the Content-Security-Policy complains here


@pytest.mark.parametrize("path", ["/addresses", "/registrations/new"])
def test_every_field_has_a_label(log_in: Any, given: Any, path: str) -> None:
    """No field is nameless to a screen reader."""
    page = log_in(CLAIRE)
    page.goto(path)
    nameless = page.evaluate(
        "[...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]"
        ".filter(field => !field.labels.length).map(field => field.name)"
    )
    assert [] == nameless
