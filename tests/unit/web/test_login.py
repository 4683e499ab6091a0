"""Coming in: two factors, each guess counted, nothing carried over, and going out everywhere."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import select

from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.store.audit import AuditRow
from fwguard.store.people import user_named

ALICE, CLAIRE = contact_of("acme", "fr", 0), staff()[0]


def test_nobody_is_let_in_without_logging_in(browser: Any) -> None:
    """A page asks for the login, and remembers where one wanted to go."""
    answer = browser.get("/tickets?state=open")
    assert (302, "/login?next=/tickets?state%3Dopen") == (answer.status_code, answer.location)


def test_password_alone_opens_nothing(browser: Any) -> None:
    """After the password one is asked for the code, and is still a stranger."""
    answer = browser.post("/login", {"login": ALICE.login, "password": ALICE.password})
    assert "/login/code" == answer.location
    assert 302 == browser.get("/").status_code


def test_both_factors_open_the_first_page(browser: Any) -> None:
    """With password and code the first page greets by name, in the person's language."""
    browser.log_in(ALICE)
    page = browser.get("/").get_data(as_text=True)
    assert ALICE.name in page and '<html lang="fr">' in page


def test_wrong_password_says_not_which_is_wrong(browser: Any) -> None:
    """An unknown login and a wrong password get the same answer."""
    texts = [
        browser.post("/login", data).get_data(as_text=True).replace(data["login"], "")
        for data in (
            {"login": ALICE.login, "password": "wrong"},
            {"login": "nobody@acme.example", "password": "wrong"},
        )
    ]
    strip = [text.split('name="csrf_token"')[0] for text in texts]
    assert strip[0] == strip[1] and 'role="alert"' in strip[0]


def test_a_code_counts_once(browser: Any, as_person: Any, app: Flask) -> None:
    """A code that let someone in lets nobody in again, in any browser."""
    code = browser.code(ALICE)
    for expected in (302, 422):
        browser.client = app.test_client()
        browser.post("/login", {"login": ALICE.login, "password": ALICE.password})
        assert expected == browser.post("/login/code", {"code": code}, page="/login/code").status_code


def test_a_code_of_another_minute_is_wrong(browser: Any) -> None:
    """A code is refused two minutes later."""
    code = browser.code(ALICE)
    browser.clock.pass_s(120)
    browser.post("/login", {"login": ALICE.login, "password": ALICE.password})
    assert 422 == browser.post("/login/code", {"code": code}, page="/login/code").status_code


def test_waiting_too_long_between_password_and_code_starts_again(browser: Any) -> None:
    """After five minutes the password is asked for again."""
    browser.post("/login", {"login": ALICE.login, "password": ALICE.password})
    browser.clock.pass_s(301)
    assert "/login" == browser.get("/login/code").location


def test_wrong_codes_are_bounded(browser: Any) -> None:
    """After ten wrong codes even the right one is not looked at."""
    browser.post("/login", {"login": ALICE.login, "password": ALICE.password})
    answers = [
        browser.post("/login/code", {"code": "000000"}, page="/login/code").status_code for _ in range(11)
    ]
    assert [422] * 10 + [429] == answers
    assert 429 == browser.post("/login/code", {"code": browser.code(ALICE)}, page="/login/code").status_code


def test_wrong_passwords_are_bounded(browser: Any) -> None:
    """After twenty wrong passwords for one login from one address, no more is looked at."""
    answers = [
        browser.post("/login", {"login": ALICE.login, "password": "wrong"}).status_code for _ in range(21)
    ]
    assert [422] * 20 + [429] == answers


def test_a_form_of_elsewhere_is_refused(browser: Any) -> None:
    """Without the token of a page of ours nothing is taken."""
    answer = browser.client.post("/login", data={"login": ALICE.login, "password": ALICE.password})
    assert 400 == answer.status_code


def test_what_was_planted_before_does_not_survive_logging_in(browser: Any) -> None:
    """Session and token from before are worth nothing after (session fixation)."""
    with browser.client.session_transaction() as session:
        session["planted"] = "by someone"
    before = browser.token("/login")
    browser.log_in(ALICE)
    with browser.client.session_transaction() as session:
        assert "planted" not in session
    assert before != browser.token("/")


def test_logging_out_ends_copied_cookies_too(browser: Any, app: Flask) -> None:
    """A cookie that was copied before logging out opens nothing afterwards."""
    browser.log_in(ALICE)
    cookie = browser.client.get_cookie("fwguard")
    assert cookie is not None
    browser.post("/logout", page="/")
    thief = app.test_client()
    thief.set_cookie("fwguard", cookie.value)
    assert 302 == thief.get("/").status_code


def test_a_session_ends_after_half_a_day(browser: Any) -> None:
    """Twelve hours after logging in one logs in again, however busy one was."""
    browser.log_in(ALICE)
    browser.clock.pass_s(12 * 3600)
    assert 302 == browser.get("/").status_code


def test_an_account_that_ended_is_out_at_once(browser: Any, house: House) -> None:
    """A person whose account is ended sees the login page with the next click."""
    browser.log_in(ALICE)
    with house.store.session() as session:
        user_named(session, ALICE.login).active = False
    assert 302 == browser.get("/").status_code


def test_after_logging_in_one_goes_nowhere_else(browser: Any) -> None:
    """A way back that leads to another host is not followed."""
    for target in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        browser.post("/login", {"login": ALICE.login, "password": ALICE.password, "next": target})
        with browser.client.session_transaction() as session:
            assert "/" == session["pending"]["next"]


def test_who_came_in_stands_in_the_log(browser: Any, house: House) -> None:
    """Coming in and a wrong code are both logged."""
    browser.post("/login", {"login": CLAIRE.login, "password": CLAIRE.password})
    browser.post("/login/code", {"code": "000000"}, page="/login/code")
    browser.log_in(CLAIRE)
    with house.store.reading() as session:
        actions = session.scalars(select(AuditRow.action).order_by(AuditRow.seq)).all()
    assert ["portal:login:wrong-code", "portal:login:done"] == list(actions)[-2:]


def test_every_answer_tells_browsers_what_to_refuse(browser: Any) -> None:
    """No inline script, no other host, no frame, nothing kept."""
    headers = browser.get("/login").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ("nosniff", "no-store") == (headers["X-Content-Type-Options"], headers["Cache-Control"])
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_the_portal_says_whether_it_is_well(browser: Any) -> None:
    """Machines read /health without logging in."""
    answer = browser.get("/health")
    assert (200, "ok\n") == (answer.status_code, answer.get_data(as_text=True))
