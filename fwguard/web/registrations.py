"""`/registrations`: IRC, proxies and video chat that a client uses (clause 7.5), from the request to the end."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_security import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from werkzeug.wrappers import Response

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows import registration as flow
from fwguard.model.controls import ServiceKind
from fwguard.model.registration import Registration, RegistrationState
from fwguard.store.inventory import ServerRow
from fwguard.store.people import UserRow
from fwguard.store.registrations import RegistrationRow, registration_numbered
from fwguard.web.login import shown_code
from fwguard.web.registration_form import PROTOCOLS, RegistrationForm, tidy_reason
from fwguard.web.sessions import reading, writing
from fwguard.web.shield import house_now, is_approver, is_fresh
from fwguard.web.texts import gettext

PAGE_ROWS: Final = 50
blueprint = Blueprint("registrations", __name__)
Answer = str | Response | tuple[str, int]


@blueprint.get("/registrations")
def registrations() -> Answer:
    """List registrations, what waits first, then the newest; a client's session holds its own only."""
    query = select(RegistrationRow).options(
        joinedload(RegistrationRow.server), joinedload(RegistrationRow.client)
    )
    before = request.args.get("before", type=int)
    if before is not None:
        query = query.where(RegistrationRow.id < before)
    waiting = RegistrationRow.state == RegistrationState.REQUESTED
    first = (
        []
        if before is not None
        else list(reading().scalars(query.where(waiting).order_by(RegistrationRow.id)))
    )
    rows = list(
        reading().scalars(query.where(~waiting).order_by(RegistrationRow.id.desc()).limit(PAGE_ROWS + 1))
    )
    more = rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None
    return render_template(
        "registrations.html", registrations=first + rows[:PAGE_ROWS], more=more, now=house_now().clock()
    )


@blueprint.get("/registrations/new")
def new() -> Answer:
    """Show an empty form."""
    return _form(RegistrationForm(server=request.args.get("server", "")[:40]))


@blueprint.post("/registrations/new")
def send() -> Answer:
    """Take a request, once however often the form is sent, or show what is wrong with it."""
    form = RegistrationForm.of(request.form)
    asked = form.asked({row.name for row in _servers()}, house_now().clock())
    if asked is None:
        return _form(form), 422
    try:
        number = _ask(asked, form)
    except ConflictError:
        number = _ask(asked, form)  # the same form arrived twice at one moment: now there is its registration
    except InputError as error:
        form.problems["form"] = gettext("This cannot be asked: %(why)s", why=error)
        return _form(form), 422
    flash(gettext("Your request %(number)s has arrived. A person decides about it.", number=number))
    return redirect(url_for("registrations.registration", number=number))


@blueprint.get("/registrations/<number>")
def registration(number: str) -> Answer:
    """Show one registration."""
    return _page(number)


@blueprint.post("/registrations/<number>/decision")
def decision(number: str) -> Answer:
    """Say yes or no, by someone who did not ask and whose second factor is fresh."""
    if not is_approver():
        raise NotAllowedError(gettext("You are not an approver: someone else decides."))
    why, grant = request.form.get("why", "")[:2000].strip(), request.form.get("decision") == "grant"
    if not grant and not why:
        return _page(number, problem=gettext("A refusal needs a reason: the client is told.")), 422
    if not is_fresh() and not shown_code(request.form.get("code", "")):
        problem = gettext("To decide, show a code of your authenticator that was not used yet.")
        return _page(number, problem=problem, why=why), 422
    with writing() as (session, user):
        flow.decide(session, house_now(), number, grant=grant, why=why, user=user, source="portal")
    flash(gettext("%(number)s is granted.", number=number) if grant
          else gettext("%(number)s is refused.", number=number))  # fmt: skip
    return redirect(url_for("registrations.registration", number=number))


@blueprint.post("/registrations/<number>/end")
def end(number: str) -> Answer:
    """Take a request back, or end a registration before its day."""
    try:
        why = tidy_reason(request.form.get("why", ""))
    except InputError as error:
        return _page(number, problem=str(error)), 422
    with writing() as (session, user):
        flow.end(session, house_now(), number, why=why, user=user, source="portal")
    flash(gettext("%(number)s has ended.", number=number))
    return redirect(url_for("registrations.registration", number=number))


def _ask(asked: Registration, form: RegistrationForm) -> str:
    with writing() as (session, user):
        return flow.ask_registration(
            session,
            house_now(),
            asked,
            user=user,
            source="portal",
            idempotency_key=form.idempotency_key(user.id),
        ).number


def _servers() -> list[ServerRow]:
    """Return the servers that this person may ask for: a client's session holds its own only."""
    query = select(ServerRow).options(selectinload(ServerRow.client)).order_by(ServerRow.name)
    return list(reading().scalars(query))


def _form(form: RegistrationForm) -> str:
    return render_template(
        "registration_new.html", form=form, servers=_servers(), kinds=list(ServiceKind), protocols=PROTOCOLS,
        today=house_now().clock().date(), of_client=current_user.client_id is not None,
        clause=house_now().rulebook.clauses.get("7.5"),
    )  # fmt: skip


def _page(number: str, *, problem: str = "", why: str = "") -> str:
    session = reading()
    row = registration_numbered(session, number)
    people = {
        user.id: user.name
        for user in session.scalars(
            select(UserRow).where(UserRow.id.in_((row.requester_id, row.decider_id or 0)))
        )
    }
    return render_template(
        "registration.html", registration=row, problem=problem, why=why, now=house_now().clock(),
        asker=people.get(row.requester_id, gettext("the operator")),
        decider=people.get(row.decider_id or 0, gettext("the operator")),
        may_decide=is_approver() and row.requester_id != current_user.id
        and row.state is RegistrationState.REQUESTED,
        may_end=row.state in (RegistrationState.REQUESTED, RegistrationState.GRANTED),
        WAITS=RegistrationState.REQUESTED, clause=house_now().rulebook.clauses.get("7.5"),
    )  # fmt: skip
