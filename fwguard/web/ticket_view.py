"""What the page of a ticket shows: only what is there, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.approvals.lifecycle import TICKET_MOVES
from fwguard.flows.deciding import quorum
from fwguard.flows.house import House
from fwguard.mail.events import Event
from fwguard.mail.wording import ask_words
from fwguard.model.address import AddressSet
from fwguard.model.ports import parse_ports
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.mail import OutboxRow
from fwguard.store.people import MAY_APPROVE, UserRow
from fwguard.store.tickets import TicketEditorRow, TicketKind, TicketRow, approval_count
from fwguard.web.language import language_now
from fwguard.web.policy_tables import NameOf, addresses_words
from fwguard.web.texts import gettext
from fwguard.web.wording import name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLine:
    """New connections that pass differently, in words, with an example of them."""

    source: str
    target: str
    service: str
    way: str
    example: tuple[str, ...]  # sender and receiver of one packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the analysis found; a part that is not there is empty."""

    already: str
    words: tuple[str, ...]
    opens: tuple[BoxLine, ...]
    wider: tuple[BoxLine, ...]
    closes: tuple[BoxLine, ...]
    undecided: tuple[BoxLine, ...]
    shown: str
    risk: str
    score: int
    why: tuple[str, ...]


def analysis_of(ticket: TicketRow, name_of_server: NameOf = lambda _: None) -> Analysis | None:
    """Return what was found, or None while nothing is; servers are named by `name_of_server`."""
    found, language = ticket.analysis, language_now()
    if not found:
        return None
    risk = found.get("risk", {})
    return Analysis(
        already=found.get("already", ""),
        words=tuple(found.get("words", {}).get(language.value, ())),
        opens=_boxes(found, "opens", name_of_server),
        wider=_boxes(found, "wider", name_of_server),
        closes=_boxes(found, "closes", name_of_server),
        undecided=_boxes(found, "undecided", name_of_server),
        shown=found.get("shown", ""),
        risk=risk.get("class", ""),
        score=int(risk.get("score", 0)),
        why=tuple(risk.get("why", {}).get(language.value, ())),
    )


def _boxes(found: Mapping[str, Any], key: str, name_of_server: NameOf) -> tuple[BoxLine, ...]:
    return tuple(
        BoxLine(
            source=addresses_words(AddressSet.parse(*box["src"]), name_of_server),
            target=addresses_words(AddressSet.parse(*box["dst"]), name_of_server),
            service=_service(box["proto"], box["dport"]),
            way=f"{_interfaces(box['in'])} → {_interfaces(box['out'])}",
            example=_example(box.get("witness")),
        )
        for box in found.get(key, ())
    )


def _interfaces(text: str) -> str:
    """Return interfaces as `InterfaceSet` writes them, in the reader's language."""
    if text == "any":
        return gettext("any interface")
    return gettext("all but %(names)s", names=text[4:]) if text.startswith("not ") else text


def _service(protocol: str, dport: str) -> str:
    """Return protocol and ports; of ICMP the types, which stand there times 256 (model/ports.py)."""
    if dport == "any":
        return protocol
    if protocol in ("icmp", "icmpv6"):
        types = sorted({low >> 8 for low, _ in parse_ports(dport)})
        return f"{protocol} {','.join(map(str, types))}"
    return f"{protocol}/{dport}"


def _example(packet: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the two ends of an example packet: "198.51.100.7:40000", "→ 10.20.0.11:443"."""
    if not packet:
        return ()
    if "icmp_type" in packet:
        return packet["src"], f"→ {packet['dst']}"
    first, second = (
        f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        for address, port in ((packet["src"], packet["sport"]), (packet["dst"], packet["dport"]))
    )
    return first, f"→ {second}"


def what_of(ticket: TicketRow) -> str:
    """Return in one line what a ticket asks for."""
    if ticket.kind is TicketKind.BASELINE:
        return gettext("Approve %(firewall)s as it stands", firewall=ticket.firewall.name)
    return ask_words(ticket.ask, language_now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """How far the decision is, and whether this person may take part in it."""

    given: int
    needed: int
    may: bool
    why_not: str = ""


def deciding_of(session: Session, house: House, ticket: TicketRow, user: UserRow) -> Deciding | None:
    """Return what stands about the decision; None unless the ticket waits for one.

    The store refuses what is not allowed whatever a page says; this only says it before.
    """
    if ticket.state is not TicketState.REVIEW or not ticket.binding:
        return None
    why_not = _why_not(session, ticket, user)
    return Deciding(
        given=approval_count(session, ticket), needed=quorum(house, ticket), may=not why_not, why_not=why_not
    )


def _why_not(session: Session, ticket: TicketRow, user: UserRow) -> str:
    if user.role not in MAY_APPROVE:
        return gettext("You are not an approver: someone else decides.")
    if ticket.requester_id == user.id:
        return gettext("You asked for this: someone else must decide.")
    if session.get(TicketEditorRow, (ticket.id, user.id)) is not None:
        return gettext("You changed what this asks for: someone else must decide.")
    if any(row.user_id == user.id and row.round == ticket.round for row in ticket.approvals):
        return gettext("You have decided already; now someone else must.")
    return ""


def may_withdraw(ticket: TicketRow) -> bool:
    """Tell whether a ticket can still be taken back."""
    return (ticket.state, TicketEvent.WITHDRAWN) in TICKET_MOVES


def _event(word: str) -> str:
    return name_of(Event(word)) if word in set(Event) else word


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail about a ticket or case."""

    event: str
    recipient: str
    at: datetime
    sent_at: datetime | None
    given_up: bool


def mails_about(session: Session, *, ticket_id: int | None = None, case_id: int | None = None) -> list[Mail]:
    """Return the mails about a ticket or a case that this session may see, oldest first."""
    query = select(OutboxRow).order_by(OutboxRow.id)
    column = OutboxRow.ticket_id if ticket_id is not None else OutboxRow.case_id
    return [
        Mail(event=_event(row.event), recipient=row.recipient, at=row.created_at, sent_at=row.sent_at,
             given_up=row.given_up_at is not None)
        for row in session.scalars(query.where(column == (ticket_id or case_id)))
    ]  # fmt: skip
