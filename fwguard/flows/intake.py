"""Mail to the desk: kept, read, believed or not, made a ticket or answered (clauses 4, 7.1.1)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows.asking import ask_opening
from fwguard.flows.house import House
from fwguard.flows.notices import ANSWERS, answer_mail
from fwguard.mail.authenticate import Sender, authenticate
from fwguard.mail.language import language_of
from fwguard.mail.loops import Answered, may_answer
from fwguard.mail.parse import Flaw, ParsedMail, parse
from fwguard.mail.problem import Problem
from fwguard.mail.request import Unclear, read_request
from fwguard.model.inventory import Language
from fwguard.model.ticket import Ask
from fwguard.store.audit import append
from fwguard.store.inventory import ServerRow
from fwguard.store.mail import MailInRow, MailState, OutboxRow, keep_mail, settle_mail
from fwguard.store.people import ContactRow, UserRow, contacts_with_mail
from fwguard.store.tickets import Channel

CLAUSE = "4-third-parties"


def keep(house: House, raw: bytes, *, sender: str, recipient: str) -> None:
    """Store a mail as it came and ask for a look at it; once this returns the door may say 250.

    The same mail delivered twice is stored once.
    """
    mail = parse(raw, envelope_sender=sender)
    with house.store.session() as session:
        row, new = keep_mail(
            session, raw, envelope_sender=sender, envelope_recipient=recipient, message_id=mail.message_id,
            content_sha256=mail.content_digest, at=house.clock(),
        )  # fmt: skip
    if new:
        house.work.poke("mail", str(row.id))


def look(mail_id: str, house: House) -> None:
    """Deal with one stored mail, in one transaction: what became of it, its ticket, and the answer."""
    with house.store.session() as session:
        row = session.get(MailInRow, int(mail_id))
        if row is None or row.state is not MailState.NEW:
            return
        mail = parse(row.raw, envelope_sender=row.envelope_sender)
        _deal_with(session, house, row, mail)
        append(
            session, actor=f"mail:{mail.sender or 'nobody'}", action=f"mail:desk:{row.state}", clause=CLAUSE,
            subject=f"mail:{row.id}", at=house.clock(), body={"why": row.why, "sha256": row.content_sha256},
        )  # fmt: skip


def _deal_with(session: Session, house: House, row: MailInRow, mail: ParsedMail) -> None:
    sender, contacts = _sender(session, house, mail)
    if not sender.known:
        settle_mail(row, MailState.QUARANTINED, why=sender.why.words(Language.EN))
        _answer(session, house, row, mail, "sender-unknown", language_of(mail))
        return
    language = contacts[0].language
    if mail.flaws & {Flaw.TOO_LARGE, Flaw.TOO_COMPLEX}:
        settle_mail(row, MailState.REFUSED, why="too large to be read", client_id=contacts[0].client_id)
        _answer(session, house, row, mail, "too-large", language)
        return
    clients = {contact.client_id for contact in contacts}
    servers = session.scalars(select(ServerRow).where(ServerRow.client_id.in_(clients))).all()
    found = read_request(
        mail.text, subject=mail.subject, servers=[server.name for server in servers], now=house.clock()
    )
    if isinstance(found, Unclear):
        _unclear(session, house, row, mail, contacts[0], [_words(it, language) for it in found.problems])
        return
    owner = next(it.client_id for it in servers if it.name == found.ask.server)
    contact = next(it for it in contacts if it.client_id == owner)
    _ticket(session, house, row, mail, contact, found.ask)


def _ticket(
    session: Session, house: House, row: MailInRow, mail: ParsedMail, contact: ContactRow, ask: Ask
) -> None:
    try:
        with session.begin_nested():
            ticket = ask_opening(
                session, house, ask, channel=Channel.MAIL, contact=contact, mail_id=row.id,
                idempotency_key=f"mail:{mail.content_digest}",
            )  # fmt: skip
    except (InputError, NotAllowedError) as error:
        _unclear(session, house, row, mail, contact, [str(error)])
        return
    except ConflictError:
        return  # the same mail is being dealt with elsewhere: look at this one again later
    settle_mail(
        row, MailState.DONE, why=f"ticket {ticket.number}", ticket_id=ticket.id, client_id=contact.client_id
    )


def _unclear(
    session: Session, house: House, row: MailInRow, mail: ParsedMail, contact: ContactRow, problems: list[str]
) -> None:
    settle_mail(row, MailState.DONE, why="unclear: " + " ".join(problems), client_id=contact.client_id)
    _answer(session, house, row, mail, "request-unclear", contact.language, problems=problems)


def _sender(session: Session, house: House, mail: ParsedMail) -> tuple[Sender, list[ContactRow]]:
    """Return who sent it, and the contact (of one client or several) that this makes."""
    rows = contacts_with_mail(session, mail.sender) if mail.sender else []
    by_login = {row.mail: row.value() for row in rows}
    users = session.scalars(
        select(UserRow).where(UserRow.contact_id.in_([row.id for row in rows]), UserRow.active)
    )
    by_login |= {user.username: user.contact.value() for user in users if user.contact is not None}
    return authenticate(mail, authserv_id=house.settings.authserv_id, contacts=by_login), rows


def _answer(
    session: Session,
    house: House,
    row: MailInRow,
    mail: ParsedMail,
    event: str,
    language: Language,
    problems: list[str] | None = None,
) -> None:
    """Answer a mail, unless it comes from a machine or its sender had enough answers today."""
    now = house.clock()
    recent = session.scalars(
        select(OutboxRow.created_at).where(
            OutboxRow.recipient == mail.sender,
            OutboxRow.created_at > now - timedelta(days=1),
            OutboxRow.event.in_([event.value for event in ANSWERS]),
        )
    )
    decision = may_answer(mail, [Answered(at=at) for at in recent], now)
    if decision:
        answer_mail(session, house, row, mail, event, language, problems=problems or [])
    else:
        row.why = f"{row.why}; not answered: {decision.why}"[:2000]


def _words(problem: Problem, language: Language) -> str:
    return problem.words(language)
