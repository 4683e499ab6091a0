"""Addresses: own ones for a client; pools, who has what and who had it for the staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fwguard.approvals.calendar import PARIS
from fwguard.flows import address as flow
from fwguard.flows import service_life
from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.machine_state import MachineState, Sighting
from fwguard.model.pool import Pool
from fwguard.store.people import user_named

ALICE, GRACE, CLAIRE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0), staff()[0]


def _text(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


@pytest.fixture
def given(app: Any, house: House, clock: Any) -> House:
    """Give a house with two pools: acme had an address that is globex's by now, and has another."""
    with house.store.session() as session:
        user = user_named(session, CLAIRE.login)
        for name, prefix in (("paris4", "198.51.100.0/30"), ("paris6", "2001:db8:4::/64")):
            flow.open_pool(
                session, house, Pool(name=name, prefix=prefix, country="FR"), user=user, why="<b>first</b>"
            )
        flow.allocate(session, house, "web-acme", user=user, why="<i>in service</i>")
        flow.reserve(session, house, "198.51.100.2", user=user, why="<u>gateway</u>")
    clock.pass_s(3600)
    with house.store.session() as session:
        flow.release(session, house, "198.51.100.1", user=user_named(session, CLAIRE.login), why="left")
    clock.pass_s(31 * 86400)
    with house.store.session() as session:
        user = user_named(session, CLAIRE.login)
        flow.allocate(session, house, "web-globex", user=user, why="in service", pool="paris4")
        service_life.declare(
            session, house, Sighting(name="web-acme", state=MachineState.STOPPED), user=user, why="seen"
        )
    return house


def test_a_client_sees_its_own_addresses_only(as_person: Any, given: House) -> None:
    """With the state of its server, in its language; no pool, no search, no other's."""
    page = _text(as_person(ALICE).get("/addresses"))
    assert "2001:db8:4::1" in page and "arrêté" in page and "part le " in page
    assert "198.51.100" not in page and "paris4" not in page and 'name="at"' not in page
    page = _text(as_person(GRACE).get("/addresses?address=2001:db8:4::1&pool=paris6")).split("<footer")[0]
    assert "198.51.100.1" in page and "2001:db8:4" not in page and "given when it entered service" in page


def test_a_clients_history_of_an_address_is_its_own_time(as_person: Any, given: House) -> None:
    """Who had it before or after is not there; an address that was never its own is not found."""
    page = _text(as_person(ALICE).get("/addresses/198.51.100.1"))
    assert "web-acme" in page and "rendue" in page
    assert "globex" not in page and "in service" not in page
    assert 404 == as_person(ALICE).get("/addresses/198.51.100.2").status_code
    assert 404 == as_person(GRACE).get("/addresses/2001:db8:4::1").status_code


def test_the_staff_sees_pools_and_who_has_what(as_person: Any, given: House) -> None:
    """How full each is, and every holding; nothing of what people wrote works as markup."""
    claire = as_person(CLAIRE)
    page = _text(claire.get("/addresses"))
    assert all(
        word in page for word in ("paris4", "198.51.100.0/30", "Acme SA", "Globex SA", "plus d'un million")
    )
    only = _text(claire.get("/addresses?pool=paris6"))
    assert "Acme SA" in only and "Globex SA" not in only
    history = _text(claire.get("/addresses/198.51.100.1"))
    assert history.index("web-globex") < history.index("web-acme")
    assert "&lt;i&gt;in service&lt;/i&gt;" in history and "<i>" not in history


def test_who_had_it_is_answered_for_a_time_in_paris(as_person: Any, given: House, clock: Any) -> None:
    """Then acme, nobody between, now globex; a reservation says why."""
    claire, now = as_person(CLAIRE), clock().astimezone(PARIS)

    def had(address: str, ago: timedelta | None = None) -> str:
        at = (now - ago).strftime("%Y-%m-%dT%H:%M") if ago is not None else ""
        return _text(claire.get("/addresses", query_string={"address": address, "at": at}))

    assert "198.51.100.1 appartenait à web-globex, de Globex SA." in had("198.51.100.1")
    assert "198.51.100.1 appartenait à web-acme, de Acme SA." in had(
        "198.51.100.1", timedelta(days=31, minutes=30)
    )
    assert "Personne ne l'avait" in had("198.51.100.1", timedelta(days=15))
    assert "était réservée : &lt;u&gt;gateway" in had("198.51.100.2")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"address": "web1"}, "Ce n&#39;est pas une adresse"),
        ({"address": "203.0.113.7"}, "dans aucune de nos réserves"),
        ({"address": "198.51.100.1", "at": "2999-01-01T00:00"}, "pas un moment passé"),
        ({"address": "198.51.100.1", "at": "hier"}, "pas un moment passé"),
    ],
)
def test_a_wrong_question_is_said_beside_its_field(
    as_person: Any, given: House, query: dict[str, str], said: str
) -> None:
    """And what was typed stays."""
    answer = as_person(CLAIRE).get("/addresses", query_string=query)
    page = _text(answer)
    assert (422, True) == (answer.status_code, said in page)
    assert f'value="{query["address"]}"' in page and "-problem" in page


def test_no_address_is_no_bug(as_person: Any, app: Any) -> None:
    """An empty house, and a path that is no address."""
    claire = as_person(CLAIRE)
    assert "pas encore de réserve" in _text(claire.get("/addresses"))
    assert 404 == claire.get("/addresses/nonsense").status_code
    assert "Personne n'a d'adresse ici" in _text(as_person(ALICE).get("/addresses"))
