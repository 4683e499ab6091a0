"""What holds for every page, whoever wrote it: closed to strangers, read-only by GET, safe to go back from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from fwguard.flows.house import House
from fwguard.lab.people import contact_of
from fwguard.web.app import create_app
from fwguard.web.shield import OPEN, way_back

ALICE = contact_of("acme", "fr", 0)
VALUES = {
    "number": "T-2026-0001", "name": "fw-globex", "mail_id": 1, "filename": "portal.css", "address": "192.0.2.20",
    "evidence_id": 1,
}  # fmt: skip


def _paths(app: Flask, method: str) -> list[tuple[str, str]]:
    adapter = app.url_map.bind("localhost")
    return [
        (
            rule.endpoint,
            adapter.build(rule.endpoint, {key: VALUES[key] for key in rule.arguments}, method=method),
        )
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or ())
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_strangers_get_no_page(app: Flask, browser: Any, method: str) -> None:
    """Every address but those that are open by name leads to the login, with either method."""
    app.config["WTF_CSRF_ENABLED"] = False
    for endpoint, path in _paths(app, method):
        if endpoint not in OPEN:
            answer = browser.client.open(path, method=method)
            assert (302, True) == (answer.status_code, answer.location.startswith("/login")), path


def test_every_form_needs_its_token(app: Flask, as_person: Any) -> None:
    """Logged in or not, a post without the token of a page of ours is refused."""
    alice = as_person(ALICE)
    forms = [path for endpoint, path in _paths(app, "POST") if not endpoint.startswith("edges.")]
    assert {400} == {alice.client.post(path).status_code for path in forms}


def test_no_page_shows_a_client_what_is_anothers(as_person: Any, app: Flask, ask: Any) -> None:
    """Alice opens every address with names of globex in it: nothing of globex is on any page."""
    grace = contact_of("globex", "en", 0)
    ask(grace, "web-globex", reason="a secret of globex")
    alice = as_person(ALICE)
    for _, path in _paths(app, "GET"):
        page = alice.get(path, follow_redirects=True).get_data(as_text=True)
        assert "secret of globex" not in page and grace.name not in page and "web-globex" not in page, path


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/tickets/T-2026-0001", True), ("/tickets?state=open", True), ("https://elsewhere.example/", False),
        ("//elsewhere.example/", False), ("/\\elsewhere.example", False), ("javascript:alert(1)", False),
        ("/\t/elsewhere.example", False), ("", False), ("tickets", False),
    ],
)  # fmt: skip
def test_one_goes_back_to_pages_of_ours_only(target: str, kept: bool) -> None:
    """Anything that a browser might take for another host is the first page."""
    assert (target if kept else "/") == way_back(target)


def test_a_page_that_is_not_there_is_said_kindly(as_person: Any) -> None:
    """With the menu, in the reader's language."""
    answer = as_person(ALICE).get("/nowhere")
    assert 404 == answer.status_code
    assert "Cette page n&#39;existe pas" in answer.get_data(as_text=True)


def test_a_bug_says_nothing_of_itself(app: Flask, as_person: Any, monkeypatch: Any) -> None:
    """What broke is for our log, not for the page."""

    def broken(**_: Any) -> str:
        raise RuntimeError("a secret of the inside")

    app.view_functions["cases.cases"] = broken
    answer = as_person(ALICE).get("/cases")
    page = answer.get_data(as_text=True)
    assert 500 == answer.status_code and "secret of the inside" not in page and "notre côté" in page


def test_a_form_that_is_too_large_is_refused(as_person: Any) -> None:
    """More than 256 KiB is taken by no form."""
    answer = as_person(ALICE).post("/requests/new", {"reason": "x" * 300_000}, page="/requests/new")
    assert 413 == answer.status_code


def test_over_tls_cookies_and_browsers_keep_to_it(house: House) -> None:
    """A portal with an https address marks its cookie and says so for a year."""

    house.settings = replace(house.settings, portal_url="https://portal.example", trusted_proxies=1)
    client = create_app(house).test_client()
    headers = client.get("/login", headers={"X-Forwarded-Proto": "https"}).headers
    assert "max-age=31536000" == headers["Strict-Transport-Security"]
    assert headers["Set-Cookie"].startswith("__Host-fwguard=") and "Secure" in headers["Set-Cookie"]


def test_static_files_may_be_kept(browser: Any) -> None:
    """The style sheet is cached; pages are not."""
    assert "no-store" not in browser.get("/static/portal.css").headers["Cache-Control"]
