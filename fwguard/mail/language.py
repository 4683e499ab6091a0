"""Which of our languages a stranger wrote in: the header of the mail says so, or its words do."""

from __future__ import annotations

import re
from typing import Final

from fwguard.mail.parse import ParsedMail
from fwguard.model.inventory import Language

_TAG: Final = re.compile(r"\b(fr|en)\b(?:-[a-z0-9]+)*", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-zàâçéèêëîïôùûœ]+")
MOST_WORDS: Final = 2000
# The commonest words of each language that the other does not have.
_FRENCH: Final = (
    "bonjour le la les un une des du de et est sont nous vous je pour par avec dans sur que qui ne pas merci"
    " veuillez ouvrir serveur demande"
)
_ENGLISH: Final = (
    "hello dear the an and is are we you i for by with in of to that which not please thanks open server"
    " request"
)
_COMMON: Final = {
    Language.FR: frozenset(_FRENCH.split()),
    Language.EN: frozenset(_ENGLISH.split()),
}


def language_of(mail: ParsedMail) -> Language:
    """Return the language to answer in: of Content-Language or Accept-Language (RFC 3282), else of most words;
    French where neither tells, as the operator is French."""
    for name in ("content-language", "accept-language"):
        tag = _TAG.search(mail.header(name)[:200])
        if tag:
            return Language(tag[1].lower())
    words = _WORD.findall(f"{mail.subject} {mail.text}"[: MOST_WORDS * 10].lower())[:MOST_WORDS]
    count = {language: sum(word in common for word in words) for language, common in _COMMON.items()}
    return Language.EN if count[Language.EN] > count[Language.FR] else Language.FR
