"""The first page: what waits for whoever looks at it."""

from __future__ import annotations

from flask import Blueprint, render_template

blueprint = Blueprint("start", __name__)


@blueprint.get("/")
def start() -> str:
    """Show what waits for this person."""
    return render_template("start.html")
