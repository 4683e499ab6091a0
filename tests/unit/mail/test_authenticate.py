"""Only the door's own stamp says who submitted a mail, and only for that login's address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.mail.authenticate import Sender, Why, authenticate
from fwguard.mail.parse import parse
from fwguard.model.inventory import Contact, Language

CONTACTS = {
    "anais": Contact(mail="anais@client.example", name="Anaïs"),
    "boris@other.example": Contact(mail="boris@other.example", name="Boris"),
}
OURS = "Authentication-Results: mail.host.example; auth=pass smtp.auth=anais"
FROM = "From: anais@client.example\n"


def judged(head: str) -> Sender:
    mail = parse((head + "\n\nbody").encode())
    return authenticate(mail, authserv_id="mail.host.example", contacts=CONTACTS)


@pytest.mark.parametrize(
    "head",
    [
        f"{OURS}\n{FROM}",
        f"Return-Path: <anais@client.example>\nDelivered-To: desk\n{OURS}\nReceived: from x by y\n{FROM}",
        "Received: from pc ([192.0.2.7]) by mail.host.example with ESMTPSA id 1; now\n" + f"{OURS}\n{FROM}",
        f"Authentication-Results: MAIL.host.example 1;\n auth=pass (a; b) smtp.auth=anais; spf=none\n{FROM}",
        f'Authentication-Results: mail.host.example; auth/1 = pass smtp.auth="anais"\n{FROM}',
        f"Authentication-Results: mail.host.example; spf=pass; auth=pass smtp.auth=anais\n{FROM}",
        f"{OURS}\nFrom: =?utf-8?q?Ana=C3=AFs?= <Anais@Client.Example>\n",
    ],
)
def test_a_stamp_of_our_door_makes_the_sender_known(head: str) -> None:
    """Top-most, ours, passed, and From is the login's address."""
    assert Sender(known=True, login="anais", why=Why.SUBMITTED) == judged(head)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (FROM, Why.NO_STAMP),
        (f"Authentication-Results: evil.example; auth=pass\n{FROM}", Why.FOREIGN_STAMP),
        (f"Authentication-Results: evil.example; spf=pass\n{OURS}\n{FROM}", Why.FOREIGN_STAMP),
        (f"Authentication-Results: mail.host.example; none\n{OURS}\n{FROM}", Why.NOT_AUTHENTICATED),
        (f"Received: from evil by mail.host.example with ESMTP\n{OURS}\n{FROM}", Why.BELOW_FOREIGN_HOP),
        (f"Received: from evil by mx.evil.example with ESMTPSA\n{OURS}\n{FROM}", Why.BELOW_FOREIGN_HOP),
        (
            f"Received: from a (by mail.host.example with ESMTPSA) by mx.example with LMTP\n{OURS}\n{FROM}",
            Why.BELOW_FOREIGN_HOP,
        ),
        (f"{FROM}{OURS}", Why.BELOW_FOREIGN_HOP),
        (f"Subject: x\n{OURS}\n{FROM}", Why.BELOW_FOREIGN_HOP),
        (
            "Authentication-Results: mail.host.example; auth=fail smtp.auth=anais\n" + FROM,
            Why.NOT_AUTHENTICATED,
        ),
        (
            "Authentication-Results: mail.host.example; spf=pass smtp.auth=anais\n" + FROM,
            Why.NOT_AUTHENTICATED,
        ),
        (f"{OURS.replace('anais', 'eve')}\n{FROM}", Why.UNKNOWN_LOGIN),
        (f"{OURS}\nFrom: boris@other.example\n", Why.OTHER_SENDER),
        (f"{OURS}\nFrom: anais@client.example\nFrom: boris@other.example\n", Why.OTHER_SENDER),
        (f'{OURS}\nFrom: "anais@client.example" <eve@evil.example>\n', Why.OTHER_SENDER),
        (f"{OURS}; auth=pass smtp.auth=boris@other.example\n{FROM}", Why.UNREADABLE_STAMP),
        (f"{OURS} smtp.auth=boris@other.example\n{FROM}", Why.UNREADABLE_STAMP),
        ("Authentication-Results: mail.host.example; auth=pass\n" + FROM, Why.UNREADABLE_STAMP),
        (f"{OURS} (unclosed\n{FROM}", Why.UNREADABLE_STAMP),
        (
            'Authentication-Results: mail.host.example; auth=fail reason="; auth=pass smtp.auth=anais"\n'
            + FROM,
            Why.NOT_AUTHENTICATED,
        ),
        (
            "Authentication-Results: mail.host.example; auth=fail (; auth=pass smtp.auth=anais)\n" + FROM,
            Why.NOT_AUTHENTICATED,
        ),
    ],
)
def test_anything_else_leaves_the_sender_unknown(head: str, why: Why) -> None:
    """Each way to forge or to lack the stamp has its reason."""
    result = judged(head)
    assert (False, why) == (result.known, result.why)


def test_every_reason_has_words_in_both_languages() -> None:
    """The staff read why in their language."""
    for why in Why:
        assert why.words(Language.FR) != why.words(Language.EN)


@given(st.text(max_size=200))
def test_a_stamp_of_any_text_never_raises(value: str) -> None:
    """The header is hostile too."""
    judged(f"Authentication-Results: mail.host.example; {value}\n{FROM}")
