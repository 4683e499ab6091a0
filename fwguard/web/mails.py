"""`/mail`: what came to the desk and was not acted on, with the reason; the raw text is shown as text."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import defer

from fwguard.errors import InputError
from fwguard.store.mail import MailInRow, MailState
from fwguard.store.tickets import TicketRow
from fwguard.web.sessions import reading
from fwguard.web.shield import staff_only

PAGE_ROWS: Final = 50
MOST_SHOWN: Final = 64 << 10  # bytes of a raw mail on a page
blueprint = Blueprint("mails", __name__)


@blueprint.get("/mail")
@staff_only
def mails() -> str:
    """List mails to the desk, those in quarantine unless another state is asked for."""
    asked = request.args.get("state", MailState.QUARANTINED.value)
    state = MailState(asked) if asked in set(MailState) else MailState.QUARANTINED
    before = request.args.get("before", type=int)
    query = select(MailInRow).options(defer(MailInRow.raw)).where(MailInRow.state == state)
    if before is not None:
        query = query.where(MailInRow.id < before)
    rows = list(reading().scalars(query.order_by(MailInRow.id.desc()).limit(PAGE_ROWS + 1)))
    more = rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None
    return render_template(
        "mails.html", mails=rows[:PAGE_ROWS], more=more, state=state, states=list(MailState)
    )


@blueprint.get("/mail/<int:mail_id>")
@staff_only
def mail(mail_id: int) -> str:
    """Show one mail as it came: nothing of it is interpreted."""
    session = reading()
    row = session.get(MailInRow, mail_id)
    if row is None:
        raise InputError(f"no mail {mail_id}")
    made = session.get(TicketRow, row.ticket_id) if row.ticket_id is not None else None
    text = _as_text(row.raw)
    return render_template("mail.html", mail=row, text=text, ticket=made, is_cut=len(row.raw) > MOST_SHOWN)


def _as_text(raw: bytes) -> str:
    """Return the beginning of a mail as text; what does not print becomes a mark."""
    text = raw[:MOST_SHOWN].decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
