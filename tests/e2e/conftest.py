"""A browser before a portal: the base URL, the people and the platform come from here, and nothing else.

The portal serves a store that was filled by the flows themselves (`portal_story.py`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fwguard.config import Settings, make_secret_key
from fwguard.flows.house import House, open_house
from fwguard.lab.people import Person
from fwguard.lab.plan import Plan
from fwguard.web.app import create_app
from fwguard.web.serving import serve

sys.path.insert(0, str(Path(__file__).parent))
import portal_story

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
# Thirteen people are enrolled for every test: a cheap hash, which the unit tests of the portal have too.
CHEAP = {"SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {"scrypt__rounds": 2, "scrypt__parallelism": 1}}
FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--no-first-run", "--disable-dev-shm-usage",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Portal:
    """A portal that runs: where it is, who may log in, and the house behind it."""

    url: str
    plan: Plan
    house: House
    used: dict[str, int]  # the time step of each person's last code

    def person(self, login: str) -> Person:
        """Return one of the people by login."""
        return portal_story.person(self.plan, login)

    def code(self, person: Person) -> str:
        """Return a code that was not used yet, of a step that the portal accepts now."""
        # Codes are taken one step ahead of the clock at most: whoever logs in a third time waits.
        step = max(self._step(), self.used.get(person.login, 0) + 1)
        while step > self._step() + 1:
            time.sleep(0.5)
        self.used[person.login] = step
        return pyotp.TOTP(person.totp).at(step * 30)

    def _step(self) -> int:
        return int(self.house.clock().timestamp()) // 30


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give Debian's chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """Give a portal on a port of its own, over the filled store."""
    settings = Settings(
        state_dir=tmp_path, rules_dir=ROOT / "rules", approvals_dir=ROOT / "approvals", web_dir=ROOT / "web",
        desk_address="desk@operator.example", mail_domain="operator.example", authserv_id="mail.operator.example",
    )  # fmt: skip
    make_secret_key(settings.secret_key_file)
    house = open_house(settings, name="e2e")
    house.store.upgrade()
    app = create_app(house, CHEAP)
    plan = portal_story.fill(house, app, tmp_path)
    server = serve(app, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Portal(url=f"http://127.0.0.1:{server.port}", plan=plan, house=house, used={})
    server.close()
    thread.join(timeout=10)
    house.store.dispose()


@pytest.fixture
def log_in(browser: Browser, portal: Portal) -> Iterator[Callable[..., Page]]:
    """Give a function that logs someone in with both factors, in a browser of their own."""
    contexts = []

    def opened(login: str, *, width: int = 1280, javascript: bool = True) -> Page:
        person = portal.person(login)
        context = browser.new_context(
            base_url=portal.url, viewport={"width": width, "height": 900}, java_script_enabled=javascript,
            locale="fr-FR" if person.language == "fr" else "en-GB", accept_downloads=False,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.goto("/")
        page.fill("#login", person.login)
        page.fill("#password", person.password)
        page.click("main button")
        page.fill("#code", portal.code(person))
        page.click("main button")
        expect(page.locator(".who")).to_contain_text(person.name)
        return page

    yield opened
    for context in contexts:
        context.close()
