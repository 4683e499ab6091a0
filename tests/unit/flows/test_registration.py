"""The register: a client asks, another decides, and it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows import registration as flow
from fwguard.model.controls import ServiceKind
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.registration import Registration, RegistrationState
from fwguard.store.audit import AuditRow
from fwguard.store.people import user_named
from fwguard.store.registrations import RegistrationRow, registrations_holding


class Register:
    """The shortest way to use the register."""

    def __init__(self, scene: Any) -> None:
        self.house, self.clock = scene.house, scene.clock

    def ask(self, who: str = "ann", days: float = 30, key: str | None = None, server: str = "web1") -> str:
        """Ask; return the number."""
        asked = Registration(
            server=server, software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6660-6669"),
            ends_at=self.clock.at + timedelta(days=days), reason="team chat",
        )  # fmt: skip
        with self.house.store.session() as session:
            user = user_named(session, who)
            return flow.ask_registration(
                session, self.house, asked, user=user, source="portal", idempotency_key=key
            ).number

    def decide(self, number: str, who: str, grant: bool = True, why: str = "fine") -> None:
        """Decide."""
        with self.house.store.session() as session:
            flow.decide(
                session,
                self.house,
                number,
                grant=grant,
                why=why,
                user=user_named(session, who),
                source="portal",
            )

    def end(self, number: str, who: str = "ann", why: str = "over") -> None:
        """End it."""
        with self.house.store.session() as session:
            flow.end(session, self.house, number, why=why, user=user_named(session, who), source="portal")

    def state(self, number: str) -> RegistrationState:
        """Return where it stands."""
        with self.house.store.reading() as session:
            return (
                session.scalars(select(RegistrationRow).where(RegistrationRow.number == number)).one().state
            )

    def holding(self) -> list[str]:
        """Return what an edge lets pass now."""
        with self.house.store.reading() as session:
            return [row.number for row in registrations_holding(session, at=self.clock.at)]


@pytest.fixture
def register(scene: Any) -> Register:
    """Give the register."""
    return Register(scene)


def test_it_holds_from_the_decision_to_the_end(register: Register) -> None:
    """Not before someone said yes, not after its day."""
    number = register.ask()
    assert [] == register.holding()
    register.decide(number, "bob")
    assert [number] == register.holding()
    register.clock.at += timedelta(days=30)
    assert [] == register.holding()


def test_who_asked_never_decides(register: Register) -> None:
    """Someone of the staff who asks for a client neither; nor does someone who approves nothing."""
    number = register.ask("bob")
    for who in ("bob", "olga", "ann"):
        with pytest.raises(NotAllowedError):
            register.decide(number, who)
    register.decide(number, "eve")
    assert RegistrationState.GRANTED is register.state(number)


def test_the_database_refuses_one_hand(register: Register) -> None:
    """Whoever writes past our code."""
    register.ask("bob")
    for statement in (
        "UPDATE registrations SET state = 'granted', decider_id = requester_id, decided_at = requested_at",
        "UPDATE registrations SET state = 'granted'",
        "UPDATE registrations SET requester_id = requester_id + 1",
        "UPDATE registrations SET ports = '1-65535'",
    ):
        with pytest.raises(IntegrityError), register.house.store.session() as session:
            session.execute(text(statement))


def test_a_refusal_has_a_reason_and_ends_it(register: Register) -> None:
    """Nobody decides twice."""
    number = register.ask()
    with pytest.raises(InputError, match="without a reason"):
        register.decide(number, "bob", grant=False, why=" ")
    register.decide(number, "bob", grant=False, why="an open proxy")
    assert RegistrationState.REFUSED is register.state(number)
    with pytest.raises(ConflictError, match="is refused"):
        register.decide(number, "eve")
    with pytest.raises(ConflictError, match="is refused"):
        register.end(number)


def test_a_client_takes_back_and_ends(register: Register) -> None:
    """What waits is withdrawn, what holds ends; with a reason."""
    first, second = register.ask(), register.ask()
    with pytest.raises(InputError, match="no reason"):
        register.end(first, why="")
    register.end(first)
    register.decide(second, "bob")
    register.end(second)
    assert [RegistrationState.WITHDRAWN, RegistrationState.ENDED] == [
        register.state(first),
        register.state(second),
    ]
    assert [] == register.holding()


@pytest.mark.parametrize(
    ("given", "words"),
    [({"server": "nobody"}, "no server"), ({"days": -1}, "is past"), ({"days": 4000}, "ten years")],
)
def test_bad_input_is_refused(register: Register, given: dict[str, Any], words: str) -> None:
    """With what was expected."""
    with pytest.raises(InputError, match=words):
        register.ask(**given)


def test_the_same_form_makes_one(register: Register) -> None:
    """However often it is sent."""
    assert register.ask(key="form:1") == register.ask(key="form:1") != register.ask(key="form:2")


def test_a_request_that_waited_too_long_is_not_granted(register: Register) -> None:
    """Its day has come before the decision."""
    number = register.ask(days=1)
    register.clock.at += timedelta(days=2)
    with pytest.raises(InputError, match="a new request"):
        register.decide(number, "bob")


def test_every_step_stands_in_the_log_under_its_clause(register: Register) -> None:
    """Asked, granted, ended."""
    number = register.ask()
    register.decide(number, "bob")
    register.end(number)
    with register.house.store.reading() as session:
        query = select(AuditRow).where(AuditRow.subject == f"registration:{number}").order_by(AuditRow.seq)
        found = [(row.action, row.clause) for row in session.scalars(query)]
    assert [(f"portal:registration:{what}", "7.5") for what in ("request", "grant", "end")] == found
