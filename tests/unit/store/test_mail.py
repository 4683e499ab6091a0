"""Mail in is kept once, mail out leaves once it is committed, with one id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.model.inventory import Language
from fwguard.store import Store
from fwguard.store.mail import (
    MailState,
    OutboxRow,
    claim_outbox,
    keep_mail,
    mark_failed,
    mark_sent,
    new_mails,
    queue_mail,
    settle_mail,
)  # fmt: skip

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _keep(session: Session, raw: bytes, message_id: str = "<a@b>", content: str = "") -> tuple[int, bool]:
    row, is_new = keep_mail(
        session, raw, envelope_sender="ann@acme.example", envelope_recipient="desk@host.example",
        message_id=message_id, at=NOW, content_sha256=content,
    )  # fmt: skip
    return row.id, is_new


def _queue(session: Session, message_id: str = "<1@host.example>") -> bool:
    return queue_mail(
        session, b"raw", message_id=message_id, recipient="ann@acme.example", language=Language.FR,
        event="ticket-received", at=NOW,
    )  # fmt: skip


def test_the_same_mail_is_kept_once(store: Store) -> None:
    """The same id with another content is another mail: nobody can occupy an id in advance."""
    with store.session() as session:
        first, is_new = _keep(session, b"hello\xff\0")
        assert is_new
        assert (first, False) == _keep(session, b"hello\xff\0")
        assert _keep(session, b"other")[1]
        assert _keep(session, b"hello\xff\0", "<c@d>")[1]
    with store.session() as session:
        assert b"hello\xff\0" == new_mails(session, limit=1)[0].raw


def test_two_deliveries_of_one_mail_are_one(store: Store) -> None:
    """Where the caller's digest leaves out what the second delivery added."""
    with store.session() as session:
        assert _keep(session, b"Received: 1\nhello", content="c" * 64)[1]
        assert not _keep(session, b"Received: 2\nhello", content="c" * 64)[1]


def test_eight_deliveries_at_once_are_one(store: Store) -> None:
    """Those who come second find it."""
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: store.transact(lambda session: _keep(session, b"x")), range(8)))
    assert [True] == [is_new for _, is_new in kept if is_new]
    assert 1 == len({mail_id for mail_id, _ in kept})


def test_a_settled_mail_is_new_no_more(store: Store) -> None:
    """With what became of it."""
    with store.session() as session:
        _keep(session, b"x")
        (mail,) = new_mails(session, limit=9)
        settle_mail(mail, MailState.QUARANTINED, why="no proof of sender")
    with store.session() as session:
        assert [] == new_mails(session, limit=9)


def test_a_mail_is_queued_once(store: Store) -> None:
    """A flow that runs again after a crash queues nothing anew."""
    with store.session() as session:
        assert _queue(session)
        assert not _queue(session)


def test_nothing_leaves_before_commit(store: Store) -> None:
    """What was rolled back is never sent."""
    with store.session() as session:
        _queue(session)
        session.rollback()
    with store.session() as session:
        assert [] == claim_outbox(session, at=NOW, limit=9, lease_s=60)


def test_eight_senders_share_the_outbox(store: Store) -> None:
    """Each mail is claimed by one."""
    with store.session() as session:
        for number in range(20):
            _queue(session, f"<{number}@host.example>")

    def claim(_: int) -> list[str]:
        return store.transact(
            lambda session: [row.message_id for row in claim_outbox(session, at=NOW, limit=5, lease_s=60)]
        )

    with ThreadPoolExecutor(8) as pool:
        claimed = [message_id for batch in pool.map(claim, range(8)) for message_id in batch]
    claimed += claim(0) + claim(0) + claim(0)
    assert sorted(f"<{number}@host.example>" for number in range(20)) == sorted(claimed)


def test_a_claim_not_settled_is_due_again(store: Store) -> None:
    """A sender that died loses no mail; one that was sent or given up never comes again."""
    with store.session() as session:
        for name in ("sent", "failed", "given-up", "dead"):
            _queue(session, f"<{name}@host.example>")
        ids = {row.message_id: row.id for row in claim_outbox(session, at=NOW, limit=9, lease_s=60)}
        mark_sent(session, ids["<sent@host.example>"], at=NOW)
        mark_failed(session, ids["<failed@host.example>"], error="451", next_try_at=_later(90), at=NOW)
        mark_failed(session, ids["<given-up@host.example>"], error="550", next_try_at=None, at=NOW)

    def due(at: datetime) -> list[str]:
        with store.session() as session:
            return [row.message_id for row in claim_outbox(session, at=at, limit=9, lease_s=1000)]

    assert [] == due(_later(59))
    assert ["<dead@host.example>"] == due(_later(60))
    assert ["<failed@host.example>"] == due(_later(90))
    with store.reading() as session:
        failed = session.scalars(
            select(OutboxRow).where(OutboxRow.message_id == "<failed@host.example>")
        ).one()
        assert (2, "451") == (failed.attempts, failed.last_error)
