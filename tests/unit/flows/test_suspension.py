"""A person cuts and lifts, with a clause and a reason; the client reads both."""

from __future__ import annotations

from typing import Any

import pytest

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows import suspension
from fwguard.flows.suspension import Service
from fwguard.model.case import CaseState
from fwguard.model.controls import Passage, Reason
from fwguard.model.edge_grants import Scope
from fwguard.model.warrant import Ground
from fwguard.store.people import user_named
from fwguard.store.warrants import WarrantRow


def suspend(plugged: Any, name: str, **how: Any) -> str:
    """Suspend as olga; return the case's number."""
    with plugged.house.store.session() as session:
        user = user_named(session, how.pop("user", "olga"))
        values = {"clause": "14.5", "why": "invoice 7 is unpaid"} | how
        number: str = suspension.suspend(session, plugged.house, name, user=user, **values).number
        return number


def test_a_server_is_suspended_until_a_person_lifts_it(plugged: Any) -> None:
    """Ordered to the edge without an end; the notice says why, and what to do."""
    number = suspend(plugged, "web1")
    (order,) = plugged.work_out().isolations
    assert (Scope.PORT, Reason.PAYMENT, None, ()) == (
        order.scope,
        order.reason,
        order.ends_at_s,
        order.stays_open,
    )
    assert ["suspension-notice"] == plugged.scene.mails()
    with plugged.house.store.session() as session:
        suspension.resume(session, plugged.house, number, why="paid", user=user_named(session, "olga"))
    assert () == plugged.work_out().isolations
    assert ["suspension-notice", "release-notice"] == plugged.scene.mails()
    assert [CaseState.CLOSED] == [case.state for case in plugged.scene.cases()]


def test_an_isolated_server_keeps_its_console(plugged: Any) -> None:
    """What stays open is by its reason (clause 8)."""
    with plugged.house.store.session() as session:
        suspension.isolate(
            session, plugged.house, "web1", clause="7.3", why="it was hacked", user=user_named(session, "olga"),
            reason=Reason.HACKED,
        )  # fmt: skip
    (order,) = plugged.work_out().isolations
    assert Passage.CONSOLE in order.stays_open
    assert ["isolation-notice"] == plugged.scene.mails()


def test_a_service_is_suspended_alone(plugged: Any) -> None:
    """Its ports of that one server."""
    suspend(plugged, "web1", clause="7.4", why="no mail server", service=Service.parse("tcp/25"))
    (order,) = plugged.work_out().isolations
    assert (Scope.SERVICE, 25, 25) == (order.scope, order.first_port, order.last_port)


def test_an_architecture_is_suspended_whole(plugged: Any) -> None:
    """One order for all of its ports."""
    suspend(plugged, "fw-acme", architecture=True)
    (order,) = plugged.work_out().isolations
    assert (Scope.ARCHITECTURE, "fw-acme", 0) == (order.scope, order.architecture, order.port)


def test_an_order_of_a_person_has_that_persons_warrant(plugged: Any) -> None:
    """With its clause, before any edge hears of it."""
    plugged.work_out()
    suspend(plugged, "web1")
    plugged.work_out()
    with plugged.house.store.reading() as session:
        rows = (
            session.query(WarrantRow)
            .filter(WarrantRow.subject == "edge:edge1")
            .order_by(WarrantRow.issued_at)
        )
        last = rows.all()[-1]
    assert (Ground.EMERGENCY, "14.5", "user:olga") == (last.ground, last.clause, last.author)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"user": "ann"}, NotAllowedError),
        ({"why": "  "}, InputError),
        ({"clause": "99"}, InputError),
        ({"architecture": True, "service": Service(6, 25, 25)}, InputError),
    ],
    ids=["a client", "no reason", "no clause", "a service of an architecture"],
)
def test_what_is_not_allowed_changes_nothing(
    plugged: Any, how: dict[str, Any], error: type[Exception]
) -> None:
    """No case, no cut, no mail."""
    with pytest.raises(error):
        suspend(plugged, "fw-acme" if how.get("architecture") else "web1", **how)
    assert ([], ()) == (plugged.scene.cases(), plugged.work_out().isolations)


def test_lifting_twice_is_told(plugged: Any) -> None:
    """The second finds that nothing is cut any more."""
    number = suspend(plugged, "web1")
    for error in (None, ConflictError):
        with plugged.house.store.session() as session:
            user = user_named(session, "olga")
            if error is None:
                suspension.resume(session, plugged.house, number, why="paid", user=user)
            else:
                with pytest.raises(error):
                    suspension.resume(session, plugged.house, number, why="paid", user=user)


@pytest.mark.parametrize("text", ["", "tcp", "tcp/0", "icmp/8", "tcp/1-5000", "tcp/1,3"])
def test_what_is_no_service(text: str) -> None:
    """Said with an example."""
    with pytest.raises(InputError):
        Service.parse(text)
