"""The outbox: mails leave after the commit that wrote them, at least once, with one Message-ID each."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from fwguard.flows.house import House
from fwguard.mail.send import Outcome, Relay, send
from fwguard.store.mail import OutboxRow, claim_outbox, mark_failed, mark_sent

log = structlog.get_logger(__name__)
BATCH: Final = 20
GIVE_UP_AFTER: Final = timedelta(days=5)  # RFC 5321 4.5.4.1: at least 4-5 days


def look(_subject: str, house: House) -> float | None:
    """Send what is due; return at once when there is more, None when the outbox is empty for now."""
    with house.store.session() as session:
        rows = claim_outbox(session, at=house.clock(), limit=BATCH, lease_s=house.settings.mail_lease_s)
    for row in rows:
        _send(house, row)
    return 0.0 if len(rows) == BATCH else None


def _send(house: House, row: OutboxRow) -> None:
    settings = house.settings
    relay = Relay(host=settings.smtp_host, port=settings.smtp_port, helo=settings.mail_domain)
    result = send(row.raw, envelope_sender=settings.desk_address, recipient=row.recipient, relay=relay)
    now = house.clock()
    with house.store.session() as session:
        if result.outcome is Outcome.ACCEPTED:
            mark_sent(session, row.id, at=now)
            return
        over = result.outcome is Outcome.PERMANENT or now - row.created_at > GIVE_UP_AFTER
        wait_s = min(settings.mail_retry_s * 2 ** min(row.attempts - 1, 10), 3600)
        next_try_at = None if over else now + timedelta(seconds=wait_s)
        mark_failed(session, row.id, error=result.said, next_try_at=next_try_at, at=now)
    log.warning(
        "mail not sent", recipient=row.recipient, event_name=row.event, why=result.said, given_up=over
    )
