"""`/requests/new`: a client asks for an opening."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_security import current_user
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from fwguard.errors import ConflictError, InputError
from fwguard.flows.asking import ask_opening
from fwguard.model.ticket import Ask
from fwguard.store.inventory import ServerRow
from fwguard.store.tickets import Channel
from fwguard.web.request_form import ANYONE, PROTOCOLS, THESE, RequestForm
from fwguard.web.sessions import reading, writing
from fwguard.web.shield import house_now
from fwguard.web.texts import gettext

blueprint = Blueprint("requests", __name__)
Answer = str | Response | tuple[str, int]


@blueprint.get("/requests/new")
def new() -> Answer:
    """Show an empty form."""
    return _page(RequestForm(server=request.args.get("server", "")))


@blueprint.post("/requests/new")
def send() -> Answer:
    """Take a request, once however often the form is sent, or show what is wrong with it."""
    form = RequestForm.of(request.form)
    ask = form.ask({row.name for row in _servers()}, house_now().clock())
    if ask is None:
        return _page(form), 422
    try:
        number = _ask(ask, form)
    except ConflictError:
        number = _ask(ask, form)  # the same form arrived twice at one moment: now there is its ticket
    except InputError as error:
        form.problems["form"] = gettext("This cannot be asked: %(why)s", why=error)
        return _page(form), 422
    flash(
        gettext(
            "Your request %(number)s has arrived. It is analysed now; then a person decides.", number=number
        )
    )
    return redirect(url_for("tickets.ticket", number=number))


def _ask(ask: Ask, form: RequestForm) -> str:
    with writing() as (session, user):
        ticket = ask_opening(
            session, house_now(), ask, channel=Channel.FORM, user=user,
            idempotency_key=form.idempotency_key(user.id),
        )  # fmt: skip
        return ticket.number


def _servers() -> list[ServerRow]:
    """Return the servers that this person may ask for: a client's session holds its own only."""
    query = select(ServerRow).options(selectinload(ServerRow.addresses), selectinload(ServerRow.client))
    return list(reading().scalars(query.order_by(ServerRow.name)))


def _page(form: RequestForm) -> str:
    return render_template(
        "request_new.html", form=form, servers=_servers(), protocols=PROTOCOLS, ANYONE=ANYONE, THESE=THESE,
        today=house_now().clock().date(), of_client=current_user.client_id is not None,
    )  # fmt: skip
