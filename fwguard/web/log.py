"""`/log`: every action with its author and clause, and the proof that nobody altered it."""

from __future__ import annotations

import json
from typing import Final

from flask import Blueprint, render_template, request

from fwguard.store.audit import entries
from fwguard.store.checkpoints import CHECKPOINTS_FILE, load_signing_key, read_checkpoints
from fwguard.store.pseudonyms import show
from fwguard.store.verify import verify
from fwguard.web.sessions import reading
from fwguard.web.shield import house_now, staff_only

PAGE_ROWS: Final = 50
MOST_FINDINGS: Final = 50
blueprint = Blueprint("log", __name__)


@blueprint.get("/log")
@staff_only
def log() -> str:
    """List entries, the newest first, filtered by subject, action or clause."""
    wanted = {name: request.args.get(name, "").strip()[:200] for name in ("subject", "action", "clause")}
    before = request.args.get("before", type=int)
    session = reading()
    rows = entries(session, limit=PAGE_ROWS + 1, before_seq=before, **wanted)
    known: dict[str, str] = {}
    for row in rows:
        for name in (row.actor, row.subject):
            known.setdefault(name, show(session, name))
    return render_template(
        "log.html", entries=rows[:PAGE_ROWS], more=rows[PAGE_ROWS - 1].seq if len(rows) > PAGE_ROWS else None,
        wanted=wanted, known=known, body=_body,
    )  # fmt: skip


@blueprint.get("/log/proof")
@staff_only
def proof() -> str:
    """Walk the whole log, hash every row that it vouches for again, and say what is not as it was."""
    folder = house_now().settings.state_dir
    key = load_signing_key(folder).public_key()
    report = verify(reading(), read_checkpoints(folder / CHECKPOINTS_FILE, key))
    return render_template("proof.html", report=report, findings=report.findings[:MOST_FINDINGS])


def _body(text: str) -> list[tuple[str, str]]:
    """Return the fields of an entry's body as texts."""
    found = json.loads(text)
    return [(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for key, value in found.items() if value not in ("", None, [], {})]  # fmt: skip
