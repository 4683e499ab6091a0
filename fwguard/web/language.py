"""French and English: which one a request speaks, and one file of translations, read as it is."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Blueprint, Flask, has_request_context, redirect, request, session
from flask_babel import Babel, Domain, get_locale
from flask_security import current_user
from werkzeug.wrappers import Response

from fwguard.model.inventory import Language
from fwguard.web.shield import way_back

SOURCE: Final = Language.EN  # what the templates are written in
TIME_ZONE: Final = "Europe/Paris"
blueprint = Blueprint("language", __name__)


class Catalogs(Domain):  # type: ignore[misc]  # flask-babel has no types
    """Translations from `messages.po` itself: a clone and a wheel need no compiled file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._catalogs = {language.value: read_catalog(folder, language) for language in Language}

    def get_translations(self) -> Translations:
        """Return the translations of this request's language."""
        return self._catalogs[language_now().value]


def read_catalog(folder: Path, language: Language) -> Translations:
    """Return the translations of one language; none for the language that the source is written in."""
    if language is SOURCE:
        return Translations()
    with (folder / language.value / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalog = read_po(file, locale=language.value, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def install_language(app: Flask, folder: Path) -> None:
    """Let every text of the application come in the language of its reader."""
    babel = Babel(app, default_locale=SOURCE.value, default_timezone=TIME_ZONE, locale_selector=_wanted)
    babel.domain_instance = Catalogs(folder)
    app.extensions["babel"].instance = babel
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(language_now=language_now, languages=list(Language))


def _wanted() -> str:
    """Return the language that was switched to, else the person's own, else the browser's."""
    if not has_request_context():
        return SOURCE.value
    chosen = session.get("language")
    if chosen in {language.value for language in Language}:
        return str(chosen)
    if current_user and current_user.is_authenticated:
        return str(current_user.language.value)
    return request.accept_languages.best_match([language.value for language in Language]) or SOURCE.value


def language_now() -> Language:
    """Return the language of this request."""
    locale = get_locale()
    return Language(locale.language) if locale is not None else SOURCE


@blueprint.post("/language")
def switch() -> Response:
    """Speak another language from now on, and go back to where one was."""
    wanted = request.form.get("language", "")
    if wanted in {language.value for language in Language}:
        session["language"] = wanted
    return redirect(way_back(request.form.get("back", "")))
