"""The ways through the portal, for clients and for the staff."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from flask import request, url_for
from flask_babel import lazy_gettext as _

from fwguard.web.shield import is_staff


class Way(NamedTuple):
    """One entry of the menu; `current` when the page that is shown belongs to it."""

    url: str
    text: Any
    current: bool


_CLIENT: Final = (
    ("start.start", _("Start")),
    ("requests.new", _("New request")),
    ("tickets.tickets", _("Requests")),
    ("firewalls.firewalls", _("Firewalls")),
    ("addresses.addresses", _("Addresses")),
    ("registrations.registrations", _("Registrations")),
    ("cases.cases", _("Cases")),
)
_STAFF: Final = (
    ("start.start", _("Start")),
    ("tickets.queue", _("Queue")),
    ("tickets.tickets", _("Requests")),
    ("firewalls.firewalls", _("Firewalls")),
    ("addresses.addresses", _("Addresses")),
    ("registrations.registrations", _("Registrations")),
    ("cases.cases", _("Cases")),
    ("edge_pages.edges", _("Edges")),
    ("mails.mails", _("Mail")),
    ("log.log", _("Log")),
)


def menu() -> list[Way]:
    """Return the menu of the person here."""
    here = request.path
    ways = [(url_for(endpoint), text) for endpoint, text in (_STAFF if is_staff() else _CLIENT)]
    return [Way(url, text, here == url or (url != "/" and here.startswith(url + "/"))) for url, text in ways]
