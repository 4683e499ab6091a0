"""Our ids are ours: any change of what they say is seen."""

from __future__ import annotations

import pytest

from fwguard.errors import InputError
from fwguard.mail.events import Event
from fwguard.mail.ids import OurMail, claimed_subject, message_id, recognise

KEY = b"0123456789abcdef0123456789abcdef"
DOMAIN = "desk.host.example"
ANAIS = "anais@client.example"


def made(**changes: object) -> str:
    values = {
        "subject": "T-2026-0001",
        "recipient": ANAIS,
        "event": Event.OPENING_OPEN,
        "serial": 3,
        **changes,
    }
    return message_id(KEY, domain=DOMAIN, **values)  # type: ignore[arg-type]


def test_an_id_of_ours_is_recognised_for_its_recipient() -> None:
    """All that went into it comes out of it, whatever the case of the address."""
    wanted = OurMail(
        subject="T-2026-0001", event=Event.OPENING_OPEN, serial=3, recipient="Anais@Client.example"
    )
    participants = ["boris@client.example", "Anais@Client.example"]
    assert wanted == recognise(made(), key=KEY, domain=DOMAIN, recipients=participants)


def test_ids_are_stable_and_differ_by_every_part() -> None:
    """The outbox may make one again; no two mails share one."""
    variants = [
        made(),
        made(subject="T-2026-0002"),
        made(recipient="boris@client.example"),
        made(event=Event.OPENING_CLOSED),
        made(serial=4),
    ]
    assert made() == variants[0]
    assert len(variants) == len(set(variants))


@pytest.mark.parametrize(
    "text",
    [
        made().replace("0001", "0002"),
        made().replace("opening-open", "opening-closed"),
        made().replace(".3.", ".4."),
        made().replace("@desk", "@desk2"),
        made().replace("opening-open", "no-event"),
        "<a@b>",
        "",
        made() * 2,
    ],
)
def test_what_we_did_not_make_is_not_recognised(text: str) -> None:
    """A number that someone guessed opens nothing."""
    assert recognise(text, key=KEY, domain=DOMAIN, recipients=[ANAIS]) is None


def test_another_recipient_or_key_does_not_fit() -> None:
    """An id that leaked to someone else does not make that one a participant."""
    assert recognise(made(), key=KEY, domain=DOMAIN, recipients=["eve@evil.example"]) is None
    assert recognise(made(), key=KEY[::-1], domain=DOMAIN, recipients=[ANAIS]) is None


def test_the_claimed_subject_needs_no_key() -> None:
    """To look up participants; a claim and nothing more."""
    assert ["T-2026-0001", ""] == [claimed_subject(made()), claimed_subject("<a@b>")]


@pytest.mark.parametrize("change", [{"subject": "T 1"}, {"subject": "a@b"}, {"subject": ""}, {"serial": -1}])
def test_what_fits_no_id_is_refused(change: dict[str, object]) -> None:
    """No id that could not be read again."""
    with pytest.raises(InputError):
        made(**change)


def test_a_short_key_is_refused() -> None:
    """128 bits or nothing."""
    with pytest.raises(InputError):
        message_id(b"short", domain=DOMAIN, subject="T-1", recipient=ANAIS, event=Event.TOO_LARGE)
