"""The portal as a whole: `create_app(house)` puts it together, and no other module holds any state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from fwguard.flows.house import House
from fwguard.web import (
    addresses,
    cases,
    edge_pages,
    edges,
    firewalls,
    health,
    log,
    login,
    mails,
    registrations,
    requests,
    start,
    tickets,
)
from fwguard.web.configuration import configuration
from fwguard.web.identity import install_identity
from fwguard.web.language import install_language
from fwguard.web.presenting import install_presenting
from fwguard.web.problems import install_problems
from fwguard.web.sessions import install_sessions
from fwguard.web.shield import install_shield
from fwguard.web.tries import install_tries

PAGES = (
    start,
    login,
    requests,
    tickets,
    firewalls,
    addresses,
    registrations,
    cases,
    edge_pages,
    mails,
    log,
    health,
)


def create_app(house: House, given: Mapping[str, Any] | None = None) -> Flask:
    """Return the portal of a house; `given` are settings of Flask that go before ours.

    Raises InputError when the folder `web/` or the keys are missing.
    """
    folder = house.settings.web
    app = Flask(
        "fwguard.web", static_folder=str(folder / "static"), template_folder=str(folder / "templates")
    )
    app.config.update(configuration(house))
    app.config.update(given or {})
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["fwguard"] = house
    if proxies := house.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    csrf = CSRFProtect(app)
    install_identity(app, house)
    install_language(app, folder / "translations")
    install_sessions(app)
    install_shield(app)
    install_problems(app)
    install_presenting(app)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    app.register_blueprint(edges.blueprint)
    csrf.exempt(edges.blueprint)  # no cookie is believed there: each request is signed by an edge
    app.extensions["fwguard_edges_waiting"] = edges.waiting_of(house)
    install_tries(app)
    return app
