"""Who is told what: the values of each mail, and the outbox that takes it in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.approvals.calendar import PARIS, working_days_after
from fwguard.flows.house import House
from fwguard.mail.events import Event
from fwguard.mail.ids import message_id
from fwguard.mail.parse import MAX_BYTES, ParsedMail
from fwguard.mail.render import Heading, render
from fwguard.mail.wording import ask_words
from fwguard.model.inventory import Language
from fwguard.store.cases import CaseRow
from fwguard.store.edges import EdgeRow
from fwguard.store.mail import MailInRow, queue_mail
from fwguard.store.people import MAY_APPROVE, ContactRow, UserRow
from fwguard.store.tickets import TicketKind, TicketRow

CONTEST_DAYS: Final = 8  # French working days, clause 6.1
DESK_NAME: Final = "Support"
ANSWERS: Final = frozenset(
    {Event.SENDER_UNKNOWN, Event.REQUEST_UNCLEAR, Event.TOO_LARGE}
)  # to mails themselves
# Why an opening closed, in the words of whoever reads it.
_END: Final[Mapping[bool, Mapping[Language, str]]] = {
    False: {Language.FR: "sa date de fin est arrivée, ou vous l'avez retirée",
            Language.EN: "its end date has come, or you withdrew it"},
    True: {Language.FR: "votre demande est terminée ; l'accès reste ouvert pour une autre demande",
           Language.EN: "your request is over; the access stays open for another request"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Someone to write to."""

    name: str
    mail: str
    language: Language


def tell_asker(session: Session, house: House, ticket: TicketRow, event: str, **extra: Any) -> None:
    """Write to whoever asked about their ticket. Who asks for a baseline sits at the desk and reads it there."""
    if ticket.kind is TicketKind.BASELINE:
        return
    reader, what = _asker(ticket), Event(event)
    values: dict[str, Any] = {
        "contact_name": reader.name,
        "what": ask_words(ticket.ask, reader.language),
        "clause": ticket.clause,
        "page_url": _page(house, "tickets", ticket.number),
        **_ticket_values(house, ticket, what, reader.language, extra),
    }
    _queue(
        session, house, what, reader, ticket.number, values, serial=ticket.round - 1,
        ticket_id=ticket.id, client_id=ticket.client_id,
    )  # fmt: skip


def tell_client(
    session: Session, house: House, case: CaseRow, event: str, *, serial: int = 0, **extra: Any
) -> None:
    """Write to every contact of the client about a case, each in their language.

    `serial` tells several mails of one event apart; `extra` are values that the case does not hold, where a
    mapping by language is said in the reader's.
    """
    contacts = session.scalars(
        select(ContactRow).where(ContactRow.client_id == case.client_id, ContactRow.active)
    )
    what = Event(event)
    for contact in contacts:
        reader = Reader(name=contact.name, mail=contact.mail, language=contact.language)
        values: dict[str, Any] = {
            "contact_name": reader.name,
            "clause": case.clause,
            "page_url": _page(house, "cases", case.number),
            "contest_until": _contest_until(house),
            **(_said(extra, reader.language) or _case_values(house, case, what, reader.language)),
        }
        _queue(
            session, house, what, reader, case.number, values, serial=serial, case_id=case.id,
            client_id=case.client_id,
        )  # fmt: skip


def tell_staff(session: Session, house: House, case: CaseRow, *, why: str, serial: int = 0) -> None:
    """Call everyone who may decide: a person is needed for a case."""
    _call(
        session,
        house,
        case.number,
        case.clause,
        _page(house, "cases", case.number),
        why,
        serial=serial,
        case_id=case.id,
    )


def tell_staff_of_ticket(session: Session, house: House, ticket: TicketRow, *, why: str) -> None:
    """Call everyone who may decide: a person is needed for a ticket."""
    _call(
        session, house, ticket.number, ticket.clause, _page(house, "tickets", ticket.number), why,
        serial=ticket.round - 1, ticket_id=ticket.id,
    )  # fmt: skip


def tell_staff_of_edge(session: Session, house: House, edge: EdgeRow, *, why: str, serial: int) -> None:
    """Call everyone who may decide: a person is needed for an edge. `serial` tells its calls apart."""
    number = f"edge-{edge.name}"[:40].rstrip("-")
    _call(session, house, number, "7.10", _page(house, "edges", edge.name), why, serial=serial)


def answer_mail(
    session: Session,
    house: House,
    row: MailInRow,
    mail: ParsedMail,
    event: str,
    language: Language,
    *,
    problems: list[str],
) -> None:
    """Answer one mail to the desk, in its thread."""
    what, number = Event(event), f"M-{row.id}"
    values: dict[str, Any] = {"received_at": row.received_at}
    if what is Event.REQUEST_UNCLEAR:
        values |= {"contact_name": mail.sender_name or mail.sender, "clause": "7.1.1", "problems": problems}
    if what is Event.TOO_LARGE:
        values |= {"size": mail.size_bytes, "limit": MAX_BYTES}
    reader = Reader(name=mail.sender_name or mail.sender, mail=mail.sender, language=language)
    _queue(
        session, house, what, reader, number, values, client_id=row.client_id,
        in_reply_to=mail.message_id, references=(*mail.references, mail.message_id),
    )  # fmt: skip


def _said(values: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {name: it[language] if isinstance(it, Mapping) else it for name, it in values.items()}


def _asker(ticket: TicketRow) -> Reader:
    if ticket.contact is not None:
        return Reader(name=ticket.contact.name, mail=ticket.contact.mail, language=ticket.contact.language)
    assert ticket.requester is not None  # noqa: S101  # a constraint: someone asks
    return Reader(name=ticket.requester.name, mail=ticket.requester.email, language=ticket.requester.language)


def _ticket_values(
    house: House, ticket: TicketRow, event: Event, language: Language, extra: Mapping[str, Any]
) -> dict[str, Any]:
    now, firewall = house.clock(), ticket.firewall.name
    match event:
        case Event.REQUEST_RECEIVED:
            return {"reason": ticket.ask.reason, "received_at": ticket.created_at, "ends_at": ticket.ends_at}
        case Event.REQUEST_REFUSED:
            return {"refused_at": now, "why": extra["why"], "contest_until": _contest_until(house)}
        case Event.REQUEST_APPROVED:
            return {"approved_at": now, "ends_at": ticket.ends_at}
        case Event.OPENING_OPEN:
            shown = (ticket.analysis or {}).get("shown", "")
            return {"firewall": firewall, "opened_at": now, "ends_at": ticket.ends_at, "shown": shown}
        case Event.OPENING_ALREADY_OPEN:
            return {"firewall": firewall, "ends_at": ticket.ends_at}
        case Event.OPENING_CLOSED:
            why = _END[extra["stays_open"]][language]
            return {
                "firewall": firewall,
                "closed_at": now,
                "why": why,
                "contest_until": _contest_until(house),
            }
        case Event.OPENING_FAILED:
            return {"firewall": firewall, "failed_at": now, "why": extra["why"]}
        case _:
            raise ValueError(f"{event} is no mail about a ticket")


def _case_values(house: House, case: CaseRow, event: Event, language: Language) -> dict[str, Any]:
    now, summary = house.clock(), case.summary_fr if language is Language.FR else case.summary_en
    effects, shown = summary.splitlines(), str(case.facts.get("changed", ""))
    firewall = case.firewall.name if case.firewall is not None else ""
    match event:
        case Event.DRIFT_RESTORED:
            return {"firewall": firewall, "seen_at": case.opened_at, "restored_at": now, "effects": effects,
                    "shown": shown}  # fmt: skip
        case Event.DRIFT_HELD:
            return {"firewall": firewall, "seen_at": case.opened_at, "why": str(case.facts.get("held", "policy")),
                    "effects": effects, "shown": shown}  # fmt: skip
        case Event.HOST_KEY_CHANGED:
            return {"firewall": firewall, "seen_at": case.opened_at,
                    "expected_key": str(case.facts.get("pinned", "")),
                    "shown_key": str(case.facts.get("shown", ""))}  # fmt: skip
        case Event.CASE_CLOSED:
            gone = {
                Language.FR: "l'état approuvé est revenu de lui-même",
                Language.EN: "the approved state is back",
            }
            return {"what": summary or firewall, "closed_at": now, "why": gone[language]}
        case _:
            raise ValueError(f"{event} is no mail about a case")


def _call(
    session: Session,
    house: House,
    number: str,
    clause: str,
    page_url: str,
    why: str,
    *,
    serial: int,
    ticket_id: int | None = None,
    case_id: int | None = None,
) -> None:
    values = {"what": why, "since": house.clock(), "why": why, "clause": clause, "page_url": page_url}
    for user in session.scalars(select(UserRow).where(UserRow.role.in_(MAY_APPROVE), UserRow.active)):
        reader = Reader(name=user.name, mail=user.email, language=user.language)
        _queue(
            session,
            house,
            Event.STAFF_CALL,
            reader,
            number,
            values,
            serial=serial,
            ticket_id=ticket_id,
            case_id=case_id,
        )


def _queue(
    session: Session,
    house: House,
    event: Event,
    reader: Reader,
    number: str,
    values: Mapping[str, Any],
    *,
    serial: int = 0,
    in_reply_to: str = "",
    references: tuple[str, ...] = (),
    ticket_id: int | None = None,
    case_id: int | None = None,
    client_id: int | None = None,
) -> None:
    """Write one mail to the outbox; the same mail twice is one (its Message-ID says so)."""
    settings = house.settings
    heading = Heading(
        sender=settings.desk_address,
        sender_name=DESK_NAME,
        recipient=reader.mail,
        recipient_name=reader.name,
        message_id=message_id(
            house.mail_key, domain=settings.mail_domain, subject=number, recipient=reader.mail, event=event,
            serial=serial,
        ),
        date=house.clock(),
        in_reply_to=in_reply_to,
        references=references,
    )  # fmt: skip
    common = {"number": number, "desk_name": DESK_NAME, "desk_mail": settings.desk_address}
    mail = render(event, reader.language, {**common, **values}, heading, folder=settings.approvals / "mail")
    queue_mail(
        session, mail.as_bytes(), message_id=heading.message_id, recipient=reader.mail,
        language=reader.language, event=event.value, at=house.clock(), client_id=client_id,
        ticket_id=ticket_id, case_id=case_id,
    )  # fmt: skip
    house.work.poke("outbox", "", after_s=0.1)


def _page(house: House, kind: str, number: str) -> str:
    return f"{house.settings.portal_url.rstrip('/')}/{kind}/{number}"


def contest_until(fact: datetime) -> datetime:
    """Return the moment from which on what was done at a time can be contested no more (clause 6.1)."""
    return working_days_after(fact, CONTEST_DAYS)


def _contest_until(house: House) -> date:
    """Return the last day to contest what happened now (clause 6.1)."""
    end = working_days_after(house.clock(), CONTEST_DAYS)
    return (end.astimezone(PARIS) - timedelta(seconds=1)).date()
