"""From an event of an edge to a case, a cut, a notice, and the way back; once each, whatever is killed when."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import datetime, timedelta
from email import message_from_bytes
from typing import Any

import pytest
from sqlalchemy import select

from fwguard.errors import ConflictError, InputError
from fwguard.flows import edge_events, incident, releasing
from fwguard.model.case import CaseState
from fwguard.model.edge import PortKind
from fwguard.model.edge_grants import Scope
from fwguard.model.edge_wire import EventKind
from fwguard.model.inventory import Client, Contact, Firewall, Language, Platform, Server, Transport
from fwguard.store.audit import AuditRow
from fwguard.store.cases import CaseRow, case_numbered
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import edge_named
from fwguard.store.inventory import add_firewall, add_server, server_named
from fwguard.store.isolations import IsolationRow
from fwguard.store.mail import OutboxRow
from fwguard.store.people import add_client
from fwguard.store.verify import verify

PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + b"packets"
IRC = {
    "detector": "irc", "server": "10.20.0.11", "peer": "198.51.100.9", "port": 6667, "protocol": "tcp",
    "reason": {"key": "irc", "facts": [["said", "NICK x"], ["replied", ":srv 001 x"]]}, "clause": "7.5",
    "first_packet": 1, "packets": [4, 6], "first_s": 1.0, "last_s": 2.0, "server_port": 40000, "peer_port": 6667,
    "ingress": "s0",
}  # fmt: skip


def verdict(plugged: Any, action: str = "server", **facts: Any) -> str:
    """Tell of an IRC client on the server, and what the edge did."""
    named: str = plugged.tell(
        EventKind.VERDICT, detection=IRC, action=action, rung=action,
        evidence=base64.b64encode(PCAP).decode(), **facts,
    )  # fmt: skip
    return named


def the_case(plugged: Any) -> CaseRow:
    """Return the only case."""
    (case,) = plugged.scene.cases()
    return case


def cuts(plugged: Any) -> list[IsolationRow]:
    """Return every cut, oldest first."""
    with plugged.house.store.reading() as session:
        return list(session.scalars(select(IsolationRow).order_by(IsolationRow.id)))


def text_of(plugged: Any, event: str, recipient: str = "ann@acme.example") -> str:
    """Return the text of the last mail of an event."""
    with plugged.house.store.reading() as session:
        query = select(OutboxRow.raw).where(OutboxRow.event == event, OutboxRow.recipient == recipient)
        raw = session.scalars(query.order_by(OutboxRow.id.desc())).first()
    assert raw is not None
    part = message_from_bytes(raw).get_payload(0)
    return part.get_payload(decode=True).decode()  # type: ignore[union-attr]


def pass_s(plugged: Any, seconds: float) -> datetime:
    """Let time pass."""
    plugged.scene.clock.at += timedelta(seconds=seconds)
    at: datetime = plugged.scene.clock.at
    return at


def test_a_cut_becomes_a_case_an_order_a_notice_and_a_call(plugged: Any) -> None:
    """Each once, with the packets as evidence, and the edge hears of the order by its next state."""
    name = verdict(plugged)
    plugged.deal()
    case, (cut,) = the_case(plugged), cuts(plugged)
    assert (CaseState.ISOLATED, "7.5") == (case.state, case.clause)
    assert (Scope.PORT, name, "edge:edge1") == (cut.scope, cut.cut_id, cut.author)
    assert ["isolation-notice"] == plugged.scene.mails()
    assert ["staff-call"] == plugged.scene.mails("bob@host.example")
    (order,) = plugged.work_out().isolations
    assert (plugged.ports["s0"], "registration", case.id) == (order.port, order.reason, order.case)
    with plugged.house.store.reading() as session:
        (evidence,) = case_numbered(session, case.number).evidence
        assert ("packets", PCAP) == (evidence.kind, evidence.content)
        assert verify(session).is_whole


def test_the_notice_says_what_when_which_clause_and_what_to_do(plugged: Any) -> None:
    """The packets in words, the way out, and until when it can be contested."""
    verdict(plugged)
    plugged.deal()
    text = text_of(plugged, "isolation-notice")
    for words in ("web1", "7.5", "NICK x", "198.51.100.9", "tcp/6667", "register it with the desk",
                  "8 French working days", the_case(plugged).number):  # fmt: skip
        assert words in " ".join(text.split()), text


def test_a_warning_cuts_nothing(plugged: Any) -> None:
    """The client learns until when it can act; a quiet day later the case closes by itself."""
    verdict(plugged, "warn")
    plugged.deal()
    assert (CaseState.OPEN, []) == (the_case(plugged).state, cuts(plugged))
    assert ["violation-warning"] == plugged.scene.mails()
    pass_s(plugged, plugged.house.rulebook.answers.probation_s + 1)
    releasing.look_ends("", plugged.house)
    assert CaseState.CLOSED is the_case(plugged).state
    assert ["violation-warning", "case-closed"] == plugged.scene.mails()


@pytest.mark.parametrize("action", ["nothing", "dry-run"])
def test_what_led_to_nothing_is_only_kept(plugged: Any, action: str) -> None:
    """No case and no mail."""
    verdict(plugged, action)
    plugged.deal()
    assert ([], []) == (plugged.scene.cases(), plugged.scene.mails())


def test_a_service_is_cut_by_its_ports(plugged: Any) -> None:
    """Each range is ordered; the notice says that only those are cut."""
    verdict(plugged, "service", ranges=[[6, 6660, 6669], [6, 6697, 6697]])
    plugged.deal()
    orders = plugged.work_out().isolations
    assert {(6660, 6669), (6697, 6697)} == {(one.first_port, one.last_port) for one in orders}
    assert "web1 (tcp/6660-6669, tcp/6697 only)" in " ".join(text_of(plugged, "isolation-notice").split())


def test_one_connection_is_not_ordered(plugged: Any) -> None:
    """The edge cut it on the spot; a state cannot name it, and its release does."""
    name = verdict(plugged, "flow")
    plugged.deal()
    assert () == plugged.work_out().isolations
    pass_s(plugged, 700)
    releasing.look_ends("", plugged.house)
    assert [name] == [one.cut for one in plugged.work_out().releases]


def test_a_cut_ends_by_itself_and_the_next_lasts_longer(plugged: Any) -> None:
    """Ten minutes, an hour, a day, then until a person: catch and release on probation."""
    lasted = []
    for _ in range(4):
        begun = plugged.scene.clock.at
        verdict(plugged)
        plugged.deal()
        ends_at = cuts(plugged)[-1].ends_at
        lasted.append(round((ends_at - begun).total_seconds()) if ends_at else None)
        if ends_at:
            plugged.scene.clock.at = ends_at
            assert releasing.look_ends("", plugged.house) is None
    assert [600, 3600, 86400, None] == lasted
    assert [CaseState.CLOSED] * 3 + [CaseState.ISOLATED] == [case.state for case in plugged.scene.cases()]
    assert Counter({"isolation-notice": 4, "release-notice": 3}) == Counter(plugged.scene.mails())


def test_a_release_names_the_cut_until_the_edge_took_it_back(plugged: Any) -> None:
    """It stands in every state until then, and in none after."""
    name = verdict(plugged)
    plugged.deal()
    with plugged.house.store.session() as session:
        case = case_numbered(session, the_case(plugged).number)
        releasing.release(session, plugged.house, case, actor="user:bob", why="repaired")
    state = plugged.work_out()
    assert ((), [name]) == (state.isolations, [one.cut for one in state.releases])
    plugged.tell(EventKind.RELEASED, cut=name, case=case.id)
    plugged.deal()
    assert () == plugged.work_out().releases
    assert cuts(plugged)[0].taken_back_at is not None


def test_an_edge_that_releases_by_itself_is_told_of(plugged: Any) -> None:
    """An edge releases nothing without an order: a person is called, and the order stands."""
    name = verdict(plugged)
    plugged.deal()
    plugged.tell(EventKind.RELEASED, cut=name, case=1)
    plugged.deal()
    assert 2 == len(plugged.scene.mails("bob@host.example"))
    assert 1 == len(plugged.work_out().isolations)


def test_the_kernels_own_cut_is_one_too(plugged: Any) -> None:
    """A scan, cut before user space heard of it (clause 7.1)."""
    plugged.tell(EventKind.CUT, reason="intrusion", clause="7.1", what="scan")
    plugged.deal()
    assert ("7.1", CaseState.ISOLATED) == (the_case(plugged).clause, the_case(plugged).state)
    assert "scan: too many different addresses" in " ".join(text_of(plugged, "isolation-notice").split())


def test_more_of_the_same_stays_one_case(plugged: Any) -> None:
    """A second verdict under the same clause adds to it: a larger cut, and a notice of its own."""
    verdict(plugged, "port")
    verdict(plugged, "server")
    plugged.deal()
    assert [Scope.SERVICE, Scope.PORT] == [cut.scope for cut in cuts(plugged)]
    assert CaseState.ISOLATED is the_case(plugged).state
    assert ["isolation-notice", "isolation-notice"] == plugged.scene.mails()


def test_a_case_keeps_a_few_captures_only(plugged: Any) -> None:
    """An attacker writes them: what it sends does not fill our disk."""
    for _ in range(incident.MOST_EVIDENCE + 4):
        verdict(plugged, "warn")
    plugged.deal()
    with plugged.house.store.reading() as session:
        assert incident.MOST_EVIDENCE == len(case_numbered(session, the_case(plugged).number).evidence)
        assert {None} == set(session.scalars(select(EdgeEventRow.evidence)))


def test_a_port_of_another_edge_cannot_be_accused(plugged: Any) -> None:
    """It is set aside, and a person is called; the events behind it are dealt with all the same."""
    plugged.ports["elsewhere"] = 999
    plugged.tell(EventKind.VERDICT, "elsewhere", detection=IRC, action="server", rung="server")
    verdict(plugged)
    plugged.deal()
    assert 1 == len(plugged.scene.cases())
    with plugged.house.store.reading() as session:
        first = session.scalars(select(EdgeEventRow).order_by(EdgeEventRow.id)).first()
        assert first is not None
        assert "accuses port 999" in first.outcome


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"detection": "irc", "action": "server"},
        {"detection": {**IRC, "clause": "'; DROP"}, "action": "server"},
        {"detection": IRC, "action": "everything"},
        {"detection": IRC, "action": "port", "ranges": [[6, 9, 1]]},
        {"detection": IRC, "action": "port", "ranges": [["tcp", None]]},
        {"detection": {**IRC, "detector": 7}, "action": "warn"},
    ],
)
def test_facts_that_are_none_are_set_aside(plugged: Any, facts: dict[str, Any]) -> None:
    """Whatever an edge sends, nothing stops and nobody is cut by it."""
    plugged.tell(EventKind.VERDICT, **facts)
    plugged.deal()
    assert ([], []) == (plugged.scene.cases(), cuts(plugged))
    with plugged.house.store.reading() as session:
        assert [] == session.scalars(select(EdgeEventRow).where(EdgeEventRow.handled_at.is_(None))).all()


def test_words_that_no_table_has_are_said_in_general(plugged: Any) -> None:
    """A reason of a newer detector, or facts that do not fill it, still give a notice."""
    detection = {**IRC, "reason": {"key": "unheard-of", "facts": [["a"], 7]}}
    plugged.tell(EventKind.VERDICT, detection=detection, action="server", rung="server")
    plugged.deal()
    assert "seen by irc" in text_of(plugged, "isolation-notice")


def plug_in_clients(plugged: Any, count: int) -> list[str]:
    """Give the edge more clients with a server each; return their interfaces."""
    names = []
    with plugged.house.store.session() as session:
        edge, at = edge_named(session, "edge1"), plugged.scene.clock()
        for number in range(count):
            contact = Contact(mail=f"c{number}@x.example", name="C", language=Language.FR)
            add_client(session, Client(name=f"c{number}", title="C", contacts=(contact,)))
            add_firewall(
                session,
                Firewall(name=f"f{number}", client=f"c{number}", platform=Platform.LINUX, transport=Transport.SSH,
                         address="172.30.2.1", port=22, username="root"),
            )  # fmt: skip
            server = add_server(
                session,
                Server(
                    name=f"s{number}",
                    client=f"c{number}",
                    firewall=f"f{number}",
                    addresses=(f"10.9.{number}.1",),
                ),
            )
            row = add_port(session, edge, f"p{number}", server, kind=PortKind.SERVER, zone=3000 + number,
                           macs=(f"02:00:00:00:01:{number:02x}",), actor="user:olga", at=at)  # fmt: skip
            plugged.ports[f"p{number}"] = row.id
            names.append(f"p{number}")
    return names


def test_too_many_clients_at_once_trip_the_breaker(plugged: Any) -> None:
    """Twenty are cut; the next is warned, its cut is taken back, and a person is called."""
    for name in plug_in_clients(plugged, 22):
        plugged.tell(EventKind.VERDICT, name, detection=IRC, action="server", rung="server")
    plugged.deal()
    held = [case for case in plugged.scene.cases() if case.state is CaseState.HELD]
    assert 2 == len(held)
    assert 20 == len(plugged.work_out().isolations)
    assert 2 == len(plugged.work_out().releases)
    assert ["violation-warning"] == plugged.scene.mails("c21@x.example")


def test_the_breaker_forgets_after_a_minute(plugged: Any) -> None:
    """It counts clients within its window, and none that it held itself."""
    names = plug_in_clients(plugged, 22)
    for name in names[:21]:
        plugged.tell(EventKind.VERDICT, name, detection=IRC, action="server", rung="server")
    plugged.deal()
    pass_s(plugged, 61)
    plugged.tell(EventKind.VERDICT, names[21], detection=IRC, action="server", rung="server")
    plugged.deal()
    assert CaseState.ISOLATED is plugged.scene.cases()[-1].state


def test_check_again_releases_what_is_quiet(plugged: Any) -> None:
    """After a minute without a sign, and only then; the edge hears of it."""
    verdict(plugged)
    plugged.deal()
    number = the_case(plugged).number
    for wait_s, ok in ((10, False), (51, True)):
        pass_s(plugged, wait_s)
        with plugged.house.store.session() as session:
            case = case_numbered(session, number)
            if ok:
                releasing.check_again(session, plugged.house, case, actor="user:ann")
            else:
                with pytest.raises(ConflictError):
                    releasing.check_again(session, plugged.house, case, actor="user:ann")
    assert CaseState.CLOSED is the_case(plugged).state
    assert ["isolation-notice", "release-notice"] == plugged.scene.mails()


def test_check_again_says_no_while_it_still_happens(plugged: Any) -> None:
    """Refused packets at its port are a sign."""
    verdict(plugged)
    plugged.deal()
    at = pass_s(plugged, 120)
    plugged.tell(EventKind.REFUSAL, at=at, clause="7.5", packets=9)
    with pytest.raises(ConflictError), plugged.house.store.session() as session:
        releasing.check_again(
            session, plugged.house, case_numbered(session, the_case(plugged).number), actor="user:ann"
        )


def test_what_waits_for_a_person_is_not_released_by_a_check(plugged: Any) -> None:
    """The edge said so: no end."""
    verdict(plugged, until_s=None)
    plugged.deal()
    pass_s(plugged, 120)
    with pytest.raises(ConflictError, match="waits for a person"), plugged.house.store.session() as session:
        releasing.check_again(
            session, plugged.house, case_numbered(session, the_case(plugged).number), actor="user:ann"
        )


def test_a_contest_is_kept_and_calls_a_person(plugged: Any) -> None:
    """In the client's own words, until eight French working days are over."""
    verdict(plugged)
    plugged.deal()
    number = the_case(plugged).number
    with plugged.house.store.session() as session:
        releasing.contest(
            session, plugged.house, case_numbered(session, number), "it was a test", actor="user:ann"
        )
    assert 2 == len(plugged.scene.mails("bob@host.example"))
    pass_s(plugged, 15 * 86400)
    with pytest.raises(InputError), plugged.house.store.session() as session:
        releasing.contest(session, plugged.house, case_numbered(session, number), "late", actor="user:ann")


def test_reading_evidence_is_in_the_log(plugged: Any) -> None:
    """Who, which, when (clause 15)."""
    verdict(plugged)
    plugged.deal()
    with plugged.house.store.session() as session:
        case = case_numbered(session, the_case(plugged).number)
        content = releasing.read_evidence(session, plugged.house, case, case.evidence[0].id, actor="user:bob")
    assert PCAP == content
    with plugged.house.store.reading() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.action == "incident:evidence:read")).one()
        assert (f"case:{case.number}", "15") == (row.subject, row.clause)


class Killed(BaseException):
    """The process dies here."""


STEPS = ("open_case", "add_isolation", "add_evidence", "move_case", "tell_client", "tell_staff", "end_event")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_ends_in_one_case_one_cut_one_notice(
    plugged: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any step, started again, and the same event sent once more: all of it once."""
    verdict(plugged)
    room = edge_events if step == "end_event" else incident
    real = getattr(room, step)

    def dies(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(room, step, dies)
        with pytest.raises(Killed):
            plugged.deal()
    plugged.scene.house = plugged.scene.restart()
    plugged.sent = 0
    verdict(plugged)
    plugged.deal()
    plugged.deal()
    assert (1, 1) == (len(plugged.scene.cases()), len(cuts(plugged)))
    assert ["isolation-notice"] == plugged.scene.mails()
    assert ["staff-call"] == plugged.scene.mails("bob@host.example")
    with plugged.house.store.reading() as session:
        assert verify(session).is_whole
        assert 1 == len(server_named(session, "web1").addresses)


@pytest.mark.parametrize("step", ["end_isolation", "move_case", "tell_client"])
def test_a_kill_while_a_cut_ends_is_gone_on_from(
    plugged: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends once, with one notice."""
    verdict(plugged)
    plugged.deal()
    pass_s(plugged, 601)
    real = getattr(releasing, step)

    def dies(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(releasing, step, dies)
        with pytest.raises(Killed):
            releasing.look_ends("", plugged.house)
    plugged.scene.house = plugged.scene.restart()
    releasing.look_ends("", plugged.house)
    releasing.look_ends("", plugged.house)
    assert CaseState.CLOSED is the_case(plugged).state
    assert ["isolation-notice", "release-notice"] == plugged.scene.mails()
