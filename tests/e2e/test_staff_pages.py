"""The staff in a real browser: approves, refuses, restores, and reads what strangers wrote."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e
CLAIRE, DAVID, OLIVIER = (f"{name}@operator.example" for name in ("claire", "david", "olivier"))


def _open(page: Any, what: str) -> None:
    page.goto("/queue")
    page.locator("tr", has_text=what).locator("th a").click()


def test_two_approvers_open_a_risky_one(log_in: Any, portal: Any) -> None:
    """The first yes is counted, the second decides, each in their own language."""
    claire = log_in(CLAIRE)
    _open(claire, "tcp/22")
    expect(claire.locator(".badge.risk-high")).to_have_text("risque élevé")
    claire.click("text=Approuver")
    expect(claire.locator(".note.good")).to_contain_text("1 sur 2")
    expect(claire.locator("#decide")).to_contain_text("Vous avez déjà décidé")
    david = log_in(DAVID)
    _open(david, "tcp/22")
    david.click("text=Approve")
    expect(david.locator("h1 .badge")).to_have_text("approved, to be deployed")


def test_a_refusal_without_reason_is_sent_back(log_in: Any, portal: Any) -> None:
    """The form says what is missing; with it the ticket is refused."""
    page = log_in(DAVID)
    _open(page, "tcp/5000-5010")
    page.click("text=Refuse")
    expect(page.locator("[role=alert]")).to_contain_text("needs a reason")
    page.fill("#comment", "Use the VPN.")
    page.click("button.danger")
    expect(page.locator("h1 .badge")).to_have_text("refused")


def test_a_held_firewall_is_restored_by_a_button(log_in: Any, portal: Any) -> None:
    """The start page leads to it; the drift is explained; the order is taken once."""
    page = log_in(OLIVIER)
    page.click("section >> text=fw-globex")
    expect(page.locator(".alarm")).to_contain_text("tcp/3306")
    page.click("text=Rétablir l'état approuvé")
    expect(page.locator(".note.good")).to_contain_text("fw-globex")
    expect(page.locator(".alarm .badge")).to_have_text("en cours de rétablissement")
    expect(page.locator("text=Rétablir l'état approuvé")).to_have_count(0)


def test_a_new_firewall_is_approved_by_someone_else(log_in: Any, portal: Any) -> None:
    """Olivier asks that it be approved as it stands; he cannot decide, Claire does."""
    olivier = log_in(OLIVIER)
    olivier.goto("/firewalls/fw-initech")
    olivier.click("text=Demander son approbation")
    expect(olivier.locator(".lead")).to_have_text("Approuver fw-initech tel qu'il est")
    expect(olivier.locator("#decide")).to_have_count(0)


def test_what_a_stranger_wrote_is_text(log_in: Any, portal: Any) -> None:
    """No markup of a quarantined mail works, and no link."""
    page = log_in(DAVID)
    page.goto("/mail")
    page.click("tbody th a")
    expect(page.locator("pre")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("pre a")).to_have_count(0)


def test_the_log_is_proven_on_a_page(log_in: Any, portal: Any) -> None:
    """From the log one click leads to its proof."""
    page = log_in(DAVID)
    page.goto("/log")
    page.click("text=Prove the log")
    expect(page.locator("[role=status]")).to_contain_text("The log is whole")


@pytest.mark.parametrize(
    "path", ["/", "/queue", "/tickets", "/firewalls/fw-globex", "/mail/1", "/log", "/log/proof"]
)
def test_nothing_runs_off_a_phone(log_in: Any, portal: Any, path: str) -> None:
    """At 360 points of width no page of the staff scrolls sideways, and no browser message complains."""
    page = log_in(CLAIRE, width=360)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(path)
    assert 360 == page.evaluate("document.documentElement.scrollWidth")
    assert [] == said


def test_dark_and_light_have_contrast(log_in: Any, portal: Any) -> None:
    """Text on badges, notes and buttons stands out as WCAG 2.2 asks (1.4.3: 4.5 to 1), in both schemes."""
    page = log_in(DAVID)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in ("/", "/queue", "/firewalls/fw-globex", "/cases", "/log/proof"):
            page.goto(path)
            assert [] == page.evaluate(_TOO_FAINT), (scheme, path)


# Returns every text whose colour is too near to what is painted behind it (WCAG 2.2 relative luminance).
_TOO_FAINT = re.sub(
    r"\s+",
    " ",
    """
    () => {
      const parse = c => c.match(/[\\d.]+/g).map(Number);
      const light = c => c.slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const behind = element => {
        for (let at = element; at; at = at.parentElement) {
          const colour = parse(getComputedStyle(at).backgroundColor);
          if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
      };
      return [...document.querySelectorAll('body *')]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
        .filter(e => e.offsetParent !== null && !e.closest('.void'))
        .map(e => {
          const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
          return [e.textContent.trim().slice(0, 40), (a + 0.05) / (b + 0.05)];
        })
        .filter(([, ratio]) => ratio < 4.5);
    }
    """,
)
