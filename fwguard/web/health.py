"""`/health` for machines: whether the portal answers and its database with it."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from fwguard.store.people import RoleRow
from fwguard.web.shield import house_now

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """Answer 200 "ok", or 503 when the database cannot be read; says nothing else to strangers."""
    try:
        with house_now().store.reading() as session:
            session.scalars(select(RoleRow.id).limit(1)).all()
    except SQLAlchemyError:
        return Response("the database cannot be read\n", status=503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")
