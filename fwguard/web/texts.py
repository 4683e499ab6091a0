"""Text in the reader's language, with types: what flask-babel gives has none."""

from __future__ import annotations

import flask_babel


def gettext(text: str, /, **values: object) -> str:
    """Return a text of the source in the language of this request, with `%(name)s` filled in."""
    return str(flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, num: int) -> str:
    """Return the text for one or for many, with `%(num)d` filled in."""
    return str(flask_babel.ngettext(one, many, num))
