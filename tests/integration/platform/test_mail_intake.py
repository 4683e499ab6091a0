"""Mail to the desk: what becomes a ticket, what is kept in quarantine, and what everyone is answered."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest
from guarded import CONTACT, Guarded, text_of, until

from fwguard.lab.people import DESK
from fwguard.lab.visitor import Visitor
from fwguard.model.ticket import TicketState
from fwguard.store.mail import MailInRow, MailState

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("platform")]
BRUNO, HENRY, STRANGER = "bruno@initech.example", "henry@globex.example", "mallory@outside.example"
ASK_FR = """\
Serveur : initech-web
Port : {port}
Depuis : 198.51.100.0/24
Jusqu'au : {end}
Motif : nouvelle boutique
"""


def dealt_with(guarded: Guarded, mail: EmailMessage) -> MailInRow:
    """Wait until the desk has decided about a mail, and return it."""

    def found() -> MailInRow | None:
        rows = [it for it in guarded.mails_in() if it.message_id == mail["Message-ID"]]
        return rows[0] if rows and rows[0].state is not MailState.NEW else None

    row = until(found, "the desk's decision")
    assert row is not None
    return row


def answer_to(guarded: Guarded, mail: EmailMessage, address: str) -> EmailMessage:
    """Wait for the one answer in the mail's own thread."""

    def found() -> list[EmailMessage]:
        return [it for it in guarded.lab.mail(address) if it["In-Reply-To"] == mail["Message-ID"]]

    (answer,) = until(found, f"an answer to {address}")
    return answer


def test_a_mail_submitted_with_a_login_becomes_a_ticket(guarded: Guarded) -> None:
    """In the contact's name, acknowledged in the contact's language; the same mail again is the same ticket."""
    bruno = guarded.lab.person(BRUNO)
    text = ASK_FR.format(port="tcp/8080", end="sans fin")
    mail = guarded.post(text, sender=BRUNO, login=bruno, subject="Ouverture")
    row = dealt_with(guarded, mail)
    assert MailState.DONE is row.state
    (ticket,) = [it for it in guarded.tickets() if it.mail_id == row.id]
    guarded.reviewed(ticket.number)
    (acknowledged,) = until(
        lambda: guarded.mails(BRUNO, ticket.number, "bien reçue"), "the acknowledgement in French"
    )
    assert "initech-web" in text_of(acknowledged)
    before = len(guarded.mails_in()), len(guarded.tickets())
    for _ in range(2):
        guarded.lab.send(mail.as_bytes(), sender=BRUNO, recipients=[DESK], login=bruno)
    last = guarded.post("", sender=BRUNO, login=bruno)  # comes behind them
    dealt_with(guarded, last)
    assert (before[0] + 1, before[1]) == (len(guarded.mails_in()), len(guarded.tickets()))
    guarded.close(ticket.number)


@pytest.mark.parametrize(
    ("port", "end", "said"),
    [
        ("tcp/70000", "31/12/2030", "Le port 70000 n'existe pas"),
        ("tcp/8080", "01/01/2020", "est déjà passée"),
        ("tcp/8010-8000", "31/12/2030", "est à l'envers"),
        ("tcp/8080", "31/02/2030", "est illisible"),
    ],
)
def test_what_is_wrong_is_answered_in_the_contacts_language(
    guarded: Guarded, port: str, end: str, said: str
) -> None:
    """Every problem by name, no ticket."""
    before = len(guarded.tickets())
    mail = guarded.post(
        ASK_FR.format(port=port, end=end), sender=BRUNO, login=guarded.lab.person(BRUNO)
    )  # fmt: skip
    assert MailState.DONE is dealt_with(guarded, mail).state
    assert said in " ".join(text_of(answer_to(guarded, mail, BRUNO)).split())
    assert before == len(guarded.tickets())


def test_a_server_of_another_client_is_none_of_theirs(guarded: Guarded) -> None:
    """It is not even said to exist: the answer names their own."""
    before = len(guarded.tickets())
    mail = guarded.post(
        "Please open tcp/8080 from any to acme-db until 2030-12-31 for the shop.\n",
        sender=HENRY, login=guarded.lab.person(HENRY),
    )  # fmt: skip
    dealt_with(guarded, mail)
    text = " ".join(text_of(answer_to(guarded, mail, HENRY)).split())
    assert "is not one of yours" in text
    assert "globex-web" in text
    assert "acme-web" not in text
    assert before == len(guarded.tickets())


def test_an_empty_mail_is_answered(guarded: Guarded) -> None:
    """No text, no ticket, no exception."""
    mail = guarded.post("\n", sender=HENRY, login=guarded.lab.person(HENRY))
    dealt_with(guarded, mail)
    assert "contains no text" in " ".join(text_of(answer_to(guarded, mail, HENRY)).split())


def test_a_mail_of_20_megabytes_is_kept_and_answered(guarded: Guarded) -> None:
    """It is not read, and its sender is told how to do better."""
    before = len(guarded.tickets())
    text = ASK_FR.format(port="tcp/8080", end="sans fin") + ("x" * 76 + "\n") * (20_000_000 // 77)
    mail = guarded.post(text, sender=BRUNO, login=guarded.lab.person(BRUNO))
    row = dealt_with(guarded, mail)
    assert MailState.REFUSED is row.state
    assert len(row.raw) > 20_000_000
    assert "trop volumineux" in str(answer_to(guarded, mail, BRUNO)["Subject"])
    assert before == len(guarded.tickets())


@pytest.mark.parametrize(
    ("sender", "author"),
    [(STRANGER, STRANGER), (STRANGER, HENRY), (HENRY, HENRY)],
    ids=["a stranger", "a forged From", "a forged sender"],
)
def test_who_did_not_log_in_is_nobody(guarded: Guarded, sender: str, author: str) -> None:
    """Kept in quarantine where the staff sees it, answered politely, and no ticket, whatever From says."""
    before = len(guarded.tickets())
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = author, DESK, "Opening"
    mail["Message-ID"] = f"<{sender}.{author}.quarantine@outside.example>"
    mail["Authentication-Results"] = f"mail.operator.example; auth=pass smtp.auth={author}"
    mail.set_content("Please open tcp/22 from any to globex-web until 2030-12-31 for me.\n")
    guarded.lab.send(mail.as_bytes(), sender=sender, recipients=[DESK])
    row = dealt_with(guarded, mail)
    assert MailState.QUARANTINED is row.state
    assert row.why
    assert b"Please open tcp/22" in row.raw
    answer = answer_to(guarded, mail, author)
    assert str(row.id) in str(answer["Subject"])
    assert before == len(guarded.tickets())


def test_the_door_takes_no_other_from_than_the_logins_own(guarded: Guarded) -> None:
    """A client that is logged in cannot write in another's name."""
    before = len(guarded.mails_in())
    with pytest.raises(smtplib.SMTPDataError, match="From must be"):
        guarded.post("Hello\n", sender=HENRY, login=guarded.lab.person(HENRY), author="grace@globex.example")
    assert before == len(guarded.mails_in())


def test_quarantine_is_shown_to_the_staff_and_to_nobody_else(guarded: Guarded) -> None:
    """In the portal, with the reason and the mail as it came, nothing of it interpreted."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = STRANGER, DESK, "<script>alert(1)</script>"
    mail["Message-ID"] = "<shown@outside.example>"
    mail.set_content("<script>alert(2)</script>\n")
    guarded.lab.send(mail.as_bytes(), sender=STRANGER, recipients=[DESK])
    row = dealt_with(guarded, mail)
    staff = Visitor(guarded.room.url)
    staff.log_in(guarded.lab.person("root@operator.example"))
    assert STRANGER in staff.visit("/mail")
    page = staff.visit(f"/mail/{row.id}")
    assert "&lt;script&gt;alert(2)" in page
    assert "<script>alert(" not in page
    client = Visitor(guarded.room.url)
    client.log_in(guarded.lab.person("henry@globex.example"))
    for path in ("/mail", f"/mail/{row.id}"):
        client.visit(path)
        assert client.status in (403, 404)


def test_who_got_many_notices_today_is_still_answered(guarded: Guarded) -> None:
    """Only answers to mails count against the limit that keeps machines from answering each other."""
    address = CONTACT["fw-globex"]
    while len(guarded.lab.mail(address)) < 12:
        guarded.tamper_all({"fw-globex": "add-route"})
        sent = len(guarded.cases("fw-globex"))
        until(lambda sent=sent: len(guarded.lab.mail(address)) >= min(sent, 12), "the mails of the cases")
    mail = guarded.post("\n", sender=address, login=guarded.lab.person(address))
    row = dealt_with(guarded, mail)
    assert "not answered" not in row.why
    answer_to(guarded, mail, address)


def test_mail_that_comes_while_the_controller_is_away_waits_at_the_door(guarded: Guarded) -> None:
    """Nothing is lost: the door tries again, and the ticket comes once."""
    before = len(guarded.tickets())
    guarded.room.stop()
    try:
        mail = guarded.post(
            ASK_FR.format(port="tcp/8080", end="sans fin"), sender=BRUNO, login=guarded.lab.person(BRUNO)
        )
    finally:
        guarded.room.start()
    assert MailState.DONE is dealt_with(guarded, mail).state
    (ticket,) = guarded.tickets()[before:]
    guarded.reviewed(ticket.number)
    guarded.close(ticket.number)
    assert TicketState.WITHDRAWN is guarded.ticket(ticket.number).state
