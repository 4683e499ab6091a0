"""Who submitted a mail: only what the operator's own door stamped counts, never what From claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.mail.parse import ParsedMail
from fwguard.model.inventory import Contact, Language


class Why(StrEnum):
    """Why a sender is known, or is not."""

    SUBMITTED = "submitted"
    NO_STAMP = "no-stamp"
    FOREIGN_STAMP = "foreign-stamp"
    BELOW_FOREIGN_HOP = "below-foreign-hop"
    UNREADABLE_STAMP = "unreadable-stamp"
    NOT_AUTHENTICATED = "not-authenticated"
    UNKNOWN_LOGIN = "unknown-login"
    OTHER_SENDER = "other-sender"

    def words(self, language: Language) -> str:
        """Say it to the staff."""
        return _WORDS[self][0 if language is Language.FR else 1]


_WORDS: Final[Mapping[Why, tuple[str, str]]] = {
    Why.SUBMITTED: (
        "déposé par notre serveur de messagerie, après authentification",
        "submitted to our mail server, after authentication",
    ),
    Why.NO_STAMP: (
        "aucun résultat d'authentification de notre serveur",
        "no authentication result of our mail server",
    ),
    Why.FOREIGN_STAMP: (
        "le premier résultat d'authentification est celui d'un autre serveur",
        "the top-most authentication result is another server's",
    ),
    Why.BELOW_FOREIGN_HOP: (
        "le message est passé par un autre serveur après l'authentification annoncée",
        "the mail passed another server after the authentication that it claims",
    ),
    Why.UNREADABLE_STAMP: (
        "résultat d'authentification illisible ou contradictoire",
        "the authentication result is unreadable or contradicts itself",
    ),
    Why.NOT_AUTHENTICATED: (
        "déposé sans authentification",
        "submitted without authentication",
    ),
    Why.UNKNOWN_LOGIN: (
        "identifiant qui n'est celui d'aucun contact",
        "the login is no contact's",
    ),
    Why.OTHER_SENDER: (
        "l'adresse de l'expéditeur n'est pas celle de l'identifiant",
        "the sender's address is not the login's",
    ),
}  # fmt: skip

# Headers that final delivery puts above everything (RFC 5321 §4.4, and those of Postfix, Dovecot and Exim).
_DELIVERY: Final = frozenset(("return-path", "delivered-to", "x-original-to", "envelope-to", "delivery-date"))
# RFC 3848 and RFC 6531 §4.3: protocols that end in A or SA were authenticated.
_AUTHENTICATED_HOP: Final = re.compile(r"\bwith\s+(?:UTF8)?E?SMTPS?A\b", re.IGNORECASE)
_BY: Final = re.compile(r"\bby\s+([A-Za-z0-9.-]+)", re.IGNORECASE)
_TOKEN: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;="()]+)|([;=]))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a mail. `login` is what the door's stamp says, also when it is not believed for this mail;
    act only for a sender that is `known`."""

    known: bool
    login: str
    why: Why


def authenticate(mail: ParsedMail, *, authserv_id: str, contacts: Mapping[str, Contact]) -> Sender:
    """Say whose mail this is, by the top-most Authentication-Results, which must be ours.

    `authserv_id` is the name our door stamps with (RFC 8601 §2.2, §2.5); `contacts` are by login. The
    door must stamp every mail, authenticated or not, and take away stamps in its name (RFC 8601 §5);
    a stamp is believed only above every hop but the door's own authenticated one, so a forged one that
    was left in place lies too low. From must be the one address of the login's contact.
    """
    stamp, why = _top_stamp(mail.headers, authserv_id.lower())
    if why is not Why.SUBMITTED:
        return Sender(known=False, login="", why=why)
    logins = _logins(stamp)
    if logins is None:
        return Sender(known=False, login="", why=Why.UNREADABLE_STAMP)
    if not logins:
        return Sender(known=False, login="", why=Why.NOT_AUTHENTICATED)
    if len(logins) > 1:
        return Sender(known=False, login="", why=Why.UNREADABLE_STAMP)
    login = logins[0]
    contact = contacts.get(login)
    if contact is None:
        return Sender(known=False, login=login, why=Why.UNKNOWN_LOGIN)
    if not mail.sender or mail.sender != contact.mail.lower():
        return Sender(known=False, login=login, why=Why.OTHER_SENDER)
    return Sender(known=True, login=login, why=Why.SUBMITTED)


def _top_stamp(headers: tuple[tuple[str, str], ...], authserv_id: str) -> tuple[list[str], Why]:
    """Return the words of our stamp, or why there is none to believe."""
    ours = foreign = False
    for name, value in headers:
        if name == "authentication-results":
            words = _words(value)
            if words is None or not words:
                return [], Why.UNREADABLE_STAMP
            ours = words[0].lower() == authserv_id
            if foreign:
                return [], Why.BELOW_FOREIGN_HOP if ours else Why.FOREIGN_STAMP
            return (words, Why.SUBMITTED) if ours else ([], Why.FOREIGN_STAMP)
        if name == "received" and not _is_own_hop(value, authserv_id):
            foreign = True
        elif name not in _DELIVERY and name != "received":
            # Trace headers are prepended (RFC 5321 §4.4): below the first other header stands only
            # what the sender wrote.
            foreign = True
    return [], Why.NO_STAMP


def _is_own_hop(received: str, authserv_id: str) -> bool:
    """Tell whether our door took the mail in after authentication."""
    bare = _without_comments(received)
    by = _BY.search(bare or "")
    return bool(bare and by and by[1].lower() == authserv_id and _AUTHENTICATED_HOP.search(bare))


def _logins(words: list[str]) -> list[str] | None:
    """Return the logins of all `auth=pass` results of a stamp; None if it does not read well.

    Grammar: authserv-id [version] *( ";" method [ "/" version ] "=" result *( ptype "." property "="
    value ) ) (RFC 8601 §2.2), already cut to words, `;` and `=`.
    """
    logins: list[str] = []
    results: list[list[str]] = [[]]
    for word in words[1:]:
        if word == ";":
            results.append([])
        else:
            results[-1].append(word)
    if len(results[0]) > 1 or (results[0] and not results[0][0].isdecimal()):
        return None
    for result in results[1:]:
        if not result or result == ["none"]:
            continue
        if len(result) % 3 != 0 or any(result[index] != "=" for index in range(1, len(result), 3)):
            if result[0].partition("/")[0].lower() == "auth":
                return None
            continue
        pairs = [(result[i].lower(), result[i + 2]) for i in range(0, len(result), 3)]
        method, verdict = pairs[0]
        if method.partition("/")[0] != "auth" or verdict.lower() != "pass":
            continue
        named = [value for key, value in pairs[1:] if key == "smtp.auth"]
        if len(named) != 1:
            return None
        logins.append(named[0])
    return logins


def _words(value: str) -> list[str] | None:
    """Cut a header value into words, `;` and `=`, without comments; None if it does not read well."""
    bare = _without_comments(value)
    if bare is None:
        return None
    words: list[str] = []
    position = 0
    while bare[position:].strip():
        match = _TOKEN.match(bare, position)
        if match is None:
            return None
        quoted, plain, sign = match.groups()
        words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or sign)
        position = match.end()
    return words


def _without_comments(value: str) -> str | None:
    """Return a structured header without its comments, nested or not (RFC 5322 §3.2.2); None if unclosed."""
    kept: list[str] = []
    depth, quoted, index = 0, False, 0
    while index < len(value):
        char = value[index]
        if char == "\\" and (quoted or depth):
            if not depth:
                kept.append(value[index : index + 2])
            index += 2
            continue
        if char == '"' and not depth:
            quoted = not quoted
        if char == "(" and not quoted:
            depth += 1
        if not depth:
            kept.append(char)
        if char == ")" and depth:
            depth -= 1
            kept.append(" " if not depth else "")
        index += 1
    return None if depth or quoted else "".join(kept)
