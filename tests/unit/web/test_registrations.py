"""Registrations in the portal: asked for one's own servers, decided by someone else, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.registration import RegistrationState
from fwguard.store.registrations import RegistrationRow, registration_numbered

ALICE, GRACE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0)
CLAIRE, DAVID, OLIVIER, _ = staff()


def _text(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def _good(clock: Any, **changed: str) -> dict[str, str]:
    day = str((clock() + timedelta(days=60)).date())
    return {
        "server": "web-acme", "kind": "irc", "protocol": "tcp", "ports": "6660-6669, 6697", "until": day,
        "reason": "<b>équipe</b>", "key": "a",
    } | changed  # fmt: skip


def _count(house: House) -> int:
    with house.store.reading() as session:
        return session.scalars(select(func.count(RegistrationRow.id))).one()


def _state(house: House, number: str) -> RegistrationState:
    with house.store.reading() as session:
        return registration_numbered(session, number).state


@pytest.fixture
def asked(as_person: Any, clock: Any) -> str:
    """Give the number of a registration that a client asked for."""
    answer = as_person(ALICE).post("/registrations/new", _good(clock), page="/registrations/new")
    return str(answer.location.rsplit("/", 1)[1])


def test_a_request_is_shown_to_its_client_and_the_staff(as_person: Any, asked: str) -> None:
    """With ports, reason and end; nothing of it works as markup; another client finds nothing."""
    for person in (ALICE, OLIVIER):
        page = _text(as_person(person).get(f"/registrations/{asked}"))
        assert "tcp/6660-6669,6697" in page and "&lt;b&gt;équipe&lt;/b&gt;" in page and "<b>é" not in page
        assert asked in _text(as_person(person).get("/registrations"))
    grace = as_person(GRACE)
    assert 404 == grace.get(f"/registrations/{asked}").status_code
    assert asked not in _text(grace.get("/registrations"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"server": "web-globex"}, "Choisissez l&#39;un de vos serveurs."),
        ({"kind": "game"}, "Choisissez le type de logiciel."),
        ({"ports": "70000"}, "Le port 70000 n&#39;existe pas"),
        ({"ports": "1-2000"}, "1024 ports au plus"),
        ({"until": ""}, "Jusqu&#39;à quel jour"),
        ({"until": "2020-01-01"}, "Ce jour est passé."),
        ({"until": "2999-01-01"}, "plus de dix ans"),
        ({"reason": " "}, "Dites à quoi"),
    ],
)
def test_an_error_keeps_what_was_typed(
    as_person: Any, house: House, clock: Any, changed: dict[str, str], said: str
) -> None:
    """The problem stands beside its field, and nothing is stored."""
    answer = as_person(ALICE).post("/registrations/new", _good(clock, **changed), page="/registrations/new")
    page = _text(answer)
    assert (422, 0, True) == (answer.status_code, _count(house), said in page), page
    assert 'name="kind" value="irc" checked' in page or changed.get("kind")


def test_a_double_click_makes_one(as_person: Any, house: House, clock: Any) -> None:
    """The same form of the same page gives the same registration."""
    alice, form = as_person(ALICE), _good(clock)
    first, second = (
        alice.post("/registrations/new", form, page="/registrations/new").location for _ in range(2)
    )
    assert (first, 1) == (second, _count(house))


def test_ports_may_be_left_out(as_person: Any, clock: Any) -> None:
    """Then it is meant on every known one."""
    form = _good(clock, kind="videochat", ports="")
    answer = as_person(ALICE).post("/registrations/new", form, page="/registrations/new")
    assert "tous les ports connus" in _text(as_person(ALICE).get(answer.location))


def test_someone_else_decides_with_a_fresh_factor(
    as_person: Any, house: House, clock: Any, asked: str
) -> None:
    """An approver who did not ask; the client reads the reason, and not who it was."""
    path = f"/registrations/{asked}"
    assert 403 == as_person(OLIVIER).post(f"{path}/decision", {"decision": "grant"}, page=path).status_code
    assert 403 == as_person(ALICE).post(f"{path}/decision", {"decision": "grant"}, page=path).status_code
    claire = as_person(CLAIRE)
    clock.pass_s(3600)
    late = claire.post(f"{path}/decision", {"decision": "grant"}, page=path)
    assert (422, RegistrationState.REQUESTED) == (late.status_code, _state(house, asked))
    form = {"decision": "grant", "why": "for the team", "code": claire.code(CLAIRE)}
    assert 302 == claire.post(f"{path}/decision", form, page=path).status_code
    assert RegistrationState.GRANTED is _state(house, asked)
    page = _text(as_person(ALICE).get(path))
    assert "accordée" in page and "for the team" in page and CLAIRE.name not in page


def test_a_refusal_needs_a_reason(as_person: Any, house: House, asked: str) -> None:
    """And then it is over: a second decision finds it moved."""
    path, claire = f"/registrations/{asked}", as_person(CLAIRE)
    assert 422 == claire.post(f"{path}/decision", {"decision": "refuse"}, page=path).status_code
    claire.post(f"{path}/decision", {"decision": "refuse", "why": "open proxy"}, page=path)
    assert RegistrationState.REFUSED is _state(house, asked)
    again = as_person(DAVID).post(f"{path}/decision", {"decision": "grant"}, page=path)
    assert 409 == again.status_code


def test_who_asked_finds_no_button_and_no_way(as_person: Any, house: House, clock: Any) -> None:
    """Someone of the staff may ask for a client; another decides."""
    claire = as_person(CLAIRE)
    answer = claire.post("/registrations/new", _good(clock, server="web-globex"), page="/registrations/new")
    assert "quelqu'un d'autre décide" in (page := _text(claire.get(answer.location)))
    assert "/decision" not in page
    done = claire.post(f"{answer.location}/decision", {"decision": "grant"}, page=answer.location)
    assert (403, 1) == (done.status_code, _count(house))
    assert "/decision" in _text(as_person(DAVID).get(answer.location))


def test_a_client_takes_it_back(as_person: Any, house: House, asked: str) -> None:
    """With a reason; another client's it cannot end."""
    path = f"/registrations/{asked}"
    assert 404 == as_person(GRACE).post(f"{path}/end", {"why": "x"}, page="/registrations").status_code
    alice = as_person(ALICE)
    assert 422 == alice.post(f"{path}/end", {"why": " "}, page=path).status_code
    assert 302 == alice.post(f"{path}/end", {"why": "plus besoin"}, page=path).status_code
    assert RegistrationState.WITHDRAWN is _state(house, asked)
    assert "plus besoin" in _text(alice.get(path))


def test_it_speaks_english_too(as_person: Any) -> None:
    """An English reader gets English."""
    page = _text(as_person(GRACE).get("/registrations/new"))
    assert "What kind of software?" in page and "IRC (chat, bots, bouncers)" in page
