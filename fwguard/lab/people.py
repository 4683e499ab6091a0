"""Who logs in to the lab's portal and writes to its desk, with passwords that everyone may know."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

OPERATOR_DOMAIN: Final = "operator.example"
DESK: Final = f"desk@{OPERATOR_DOMAIN}"
OUTSIDE_DOMAIN: Final = "outside.example"  # mailboxes of people who are nobody's contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone with a login (which is also that of the mail door), a mailbox and a second factor."""

    login: str
    mail: str
    name: str
    role: str  # client, approver, operator, admin
    client: str | None
    language: str
    password: str
    totp: str  # base32, RFC 6238 with 30 s and 6 digits


_NAMES: Final = {
    "fr": (("alice", "Alice Martin"), ("bruno", "Bruno Petit")),
    "en": (("grace", "Grace Hill"), ("henry", "Henry Stone")),
}


def contact_of(client: str, language: str, number: int) -> Person:
    """Return the contact `number` (0 or 1) of a client."""
    first, name = _NAMES[language][number]
    return _person(f"{first}@{client}.example", name, "client", client, language)


def staff() -> tuple[Person, ...]:
    """Return the operator's people: two who may approve, one at the desk, one administrator."""
    return (
        _person(f"claire@{OPERATOR_DOMAIN}", "Claire Durand", "approver", None, "fr"),
        _person(f"david@{OPERATOR_DOMAIN}", "David Moore", "approver", None, "en"),
        _person(f"olivier@{OPERATOR_DOMAIN}", "Olivier Blanc", "operator", None, "fr"),
        _person(f"root@{OPERATOR_DOMAIN}", "Rita Roth", "admin", None, "en"),
    )


def outsiders() -> tuple[Person, ...]:
    """Return people with a mailbox who are nobody's contact."""
    return (_person(f"mallory@{OUTSIDE_DOMAIN}", "Mallory", "outsider", None, "en"),)


def _person(mail: str, name: str, role: str, client: str | None, language: str) -> Person:
    digest = hashlib.sha256(f"fwguard lab {mail}".encode()).digest()
    return Person(
        login=mail,
        mail=mail,
        name=name,
        role=role,
        client=client,
        language=language,
        password=f"lab-{digest.hex()[:16]}",
        totp=base64.b32encode(digest[:20]).decode(),
    )
