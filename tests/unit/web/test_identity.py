"""One-time codes: accepted once by several at once, and forgotten when they could not come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from fwguard.errors import NotAllowedError
from fwguard.flows.house import House
from fwguard.lab.people import contact_of
from fwguard.store.people import TokenRow
from fwguard.web.credentials import check_login
from fwguard.web.identity import SPENT

ALICE = contact_of("acme", "fr", 0)


def _spent(house: House) -> int:
    with house.store.reading() as session:
        return session.scalars(select(func.count(TokenRow.id)).where(TokenRow.label == SPENT)).one()


def test_of_eight_who_show_one_code_one_comes_in(app: Flask, house: House, browser: Any) -> None:
    """Whoever stole a code and shows it at the same moment as its holder is one too many."""
    code = browser.code(ALICE)

    def come(_: int) -> bool:
        with app.app_context():
            try:
                house.store.transact(
                    lambda session: check_login(app, session, ALICE.login, ALICE.password, code)
                )
            except NotAllowedError:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert 1 == sum(pool.map(come, range(8)))


def test_spent_codes_do_not_pile_up(house: House, browser: Any) -> None:
    """What no clock accepts any more is forgotten with the next login."""
    for _ in range(3):
        browser.log_in(ALICE)
        browser.post("/logout", page="/")
        browser.clock.pass_s(601)
    assert 1 == _spent(house)


def test_a_code_may_be_written_with_a_space(browser: Any) -> None:
    """As many authenticators show it."""
    code = browser.code(ALICE)
    browser.post("/login", {"login": f" {ALICE.login} ", "password": ALICE.password})
    answer = browser.post("/login/code", {"code": f"{code[:3]} {code[3:]}"}, page="/login/code")
    assert 302 == answer.status_code and "/" == answer.location
