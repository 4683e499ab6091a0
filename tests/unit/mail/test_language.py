"""The language in which a stranger is answered."""

from __future__ import annotations

import pytest

from fwguard.mail.language import language_of
from fwguard.mail.parse import parse
from fwguard.model.inventory import Language


@pytest.mark.parametrize(
    ("headers", "text", "wanted"),
    [
        ("", "Hello, please open port 443 of the server for us.", Language.EN),
        ("", "Bonjour, veuillez ouvrir le port 443 du serveur.", Language.FR),
        ("", "", Language.FR),
        ("", "443 443 443", Language.FR),
        ("Content-Language: en-GB\n", "Bonjour", Language.EN),
        ("Accept-Language: fr-FR, en;q=0.5\n", "Hello, please open the port", Language.FR),
        ("Content-Language: de\n", "Hello, please open the port", Language.EN),
    ],
)
def test_a_stranger_is_answered_in_the_language_of_the_mail(
    headers: str, text: str, wanted: Language
) -> None:
    """What a header says counts, else the words; French where nothing tells."""
    mail = parse(f"From: a@b.example\nSubject: x\n{headers}\n{text}\n".encode())
    assert wanted is language_of(mail)
