"""`/edge/v1`: the doors for edges (`model/edge_wire.py`). No session and no cookie: each request is signed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import structlog
from flask import Blueprint, current_app, request
from limits import parse
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wrappers import Response

from fwguard.errors import ConflictError, FwguardError, InputError, NotAllowedError
from fwguard.flows import edge_events, edge_state
from fwguard.flows.house import House
from fwguard.model.edge_wire import MOST_EVENTS, MOST_WAIT_S, EdgeEvent
from fwguard.store.edges import enrol_edge, locked_edge, note_report
from fwguard.web.edge_signature import UnknownEdgeError, edge_here
from fwguard.web.edge_waiting import Waiting
from fwguard.web.shield import house_now
from fwguard.web.tries import may_ask, must_have_tries_left, note_wrong_guess

log = structlog.get_logger(__name__)
MOST_BODY_BYTES: Final = 4 << 20  # a full batch of events with their evidence
MOST_REPORT_BYTES: Final = 64 << 10
MOST_ENROL_BYTES: Final = 4096
BUSY_S: Final = 2
WRONG_TOKENS: Final = parse("20 per 15 minutes")
REQUESTS: Final = parse("600 per minute")  # of one edge: a full spool leaves at 500 events each
blueprint = Blueprint("edges", __name__, url_prefix="/edge/v1")


def waiting_of(house: House) -> Waiting:
    """Return the places for edges that wait, made with the portal."""
    return Waiting(house, house.settings.edges_waiting)


def signed(view: Callable[[str], Response]) -> Callable[[], Response]:
    """Call a view with the name of the edge that signed the request; others are refused."""

    @wraps(view)
    def guarded() -> Response:
        name = edge_here(house_now())
        if not may_ask(REQUESTS, f"edge {name}"):
            raise TooManyRequests
        return view(name)

    return guarded


@blueprint.before_request
def _bound() -> None:
    bounds = {"edges.enrol": MOST_ENROL_BYTES, "edges.report": MOST_REPORT_BYTES}
    request.max_content_length = bounds.get(request.endpoint or "", MOST_BODY_BYTES)


@blueprint.post("/enrol")
def enrol() -> Response:
    """Spend a one-time token: pin the edge's key, and give it ours."""
    house, who = house_now(), str(request.remote_addr)
    must_have_tries_left(WRONG_TOKENS, who)
    asked = _object()
    texts = [asked.get(name) for name in ("edge", "token", "public_key")]
    if not all(isinstance(text, str) and len(text) <= 200 for text in texts):
        raise InputError("no enrolment", expected="edge, token and public_key")
    name, token, key = (str(text) for text in texts)
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("no base64", where="public_key", expected="a raw Ed25519 key") from None

    def spend(session: Session) -> None:
        enrol_edge(session, name, token, raw, at=house.clock())

    try:
        house.store.transact(spend)
    except NotAllowedError:
        note_wrong_guess(WRONG_TOKENS, who)
        raise
    house.work.poke("edge", name)
    return _json(200, {"controller_key": edge_state.controller_key(house)})


@blueprint.get("/state")
@signed
def state(name: str) -> Response:
    """Give the edge its newest state, now or once there is one; 204 while it has it."""
    house = house_now()
    has = _number("epoch"), _number("generation")
    wait_s = min(_number("wait_s"), MOST_WAIT_S)
    sent = edge_state.newer(house, name, *has)
    if sent is None and wait_s:
        waiting: Waiting = current_app.extensions["fwguard_edges_waiting"]
        if not waiting.for_newer(name, has, wait_s):
            busy = _json(503, {"error": "too many edges wait: ask again"})
            busy.headers["Retry-After"] = str(BUSY_S)
            return busy
        sent = edge_state.newer(house, name, *has)
    if sent is None:
        return Response(status=204)
    # The very bytes that were signed stand in the answer.
    body = b'{"signature":"' + sent.signature.encode() + b'","state":' + sent.body + b"}"
    return Response(body, mimetype="application/json")


@blueprint.post("/events")
@signed
def events(name: str) -> Response:
    """Store what the edge tells, each event once; all of it, or nothing when one is no event."""
    raw = _object().get("events")
    if not isinstance(raw, list) or len(raw) > MOST_EVENTS:
        raise InputError("no events", where="events", expected=f"a list of at most {MOST_EVENTS}")
    read = []
    for index, one in enumerate(raw):
        try:
            read.append(EdgeEvent.from_json(one))
        except InputError as error:
            raise InputError(str(error), where=f"events[{index}]") from None
    return _json(200, {"stored": edge_events.receive(house_now(), name, read)})


@blueprint.post("/report")
@signed
def report(name: str) -> Response:
    """Keep what the edge says of itself."""
    house, said = house_now(), _object()

    def keep(session: Session) -> None:
        note_report(locked_edge(session, name), said, at=house.clock())

    house.store.transact(keep)
    return _json(200, {})


def _object() -> dict[str, Any]:
    try:
        value = json.loads(request.get_data(cache=True), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError("no JSON", where="body", expected="an object") from None
    if not isinstance(value, dict):
        raise InputError("no object", where="body", expected="an object")
    return value


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _number(name: str) -> int:
    text = request.args.get(name, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InputError(f"{text[:20]!r}", where=name, expected="a whole number, 0 or more")
    return int(text)


def _json(code: int, value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), status=code, mimetype="application/json")


@blueprint.errorhandler(UnknownEdgeError)
def _unknown(error: UnknownEdgeError) -> Response:
    log.warning("edge refused", address=request.remote_addr, why=str(error))
    return _json(error.code, {"error": str(error)})


@blueprint.errorhandler(FwguardError)
def _refused(error: FwguardError) -> Response:
    code = 403 if isinstance(error, NotAllowedError) else 409 if isinstance(error, ConflictError) else 400
    return _json(code, {"error": str(error)[:500]})


@blueprint.errorhandler(OperationalError)
def _busy(_error: OperationalError) -> Response:
    return _json(503, {"error": "the database is busy: ask again"})


@blueprint.errorhandler(HTTPException)
def _of_http(error: HTTPException) -> Response:
    return _json(error.code or 500, {"error": error.name})


@blueprint.errorhandler(Exception)
def _bug(error: Exception) -> Response:
    log.error("bug at the door of edges", path=request.path, why=repr(error)[:300], exc_info=True)
    return _json(500, {"error": "the fault is ours, and it is in our log"})
