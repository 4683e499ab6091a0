"""Whether a mail may be answered: machines that answer machines never end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fwguard.mail.parse import Mark, ParsedMail

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer that we sent to this sender. `subject` is its ticket or case, empty if it had none."""

    at: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MayAnswer:
    """The decision, and why, for the log."""

    allowed: bool
    why: str

    def __bool__(self) -> bool:
        return self.allowed


def may_answer(
    mail: ParsedMail,
    recent_answers: Iterable[Answered],
    now: datetime,
    *,
    subject: str = "",
    per_sender_per_day: int = 10,
    per_subject_per_day: int = 5,
) -> MayAnswer:
    """Decide whether to answer a mail; what is not answered is still kept and shown to the staff.

    `recent_answers` are those to this sender, of any age; `subject` the ticket or case of the answer.
    Source: RFC 3834 §2 (never answer automatic mail, lists, bounces; limit the rate to a sender).
    """
    reasons = {
        Mark.AUTO: "automatic mail is never answered (RFC 3834 §2)",
        Mark.LIST: "mail of a list is never answered (RFC 3834 §2)",
        Mark.BOUNCE: "bounces are never answered (RFC 3834 §2)",
    }
    for mark, reason in reasons.items():
        if mark in mail.marks:
            return MayAnswer(allowed=False, why=reason)
    if not mail.sender:
        return MayAnswer(allowed=False, why="there is no one address to answer to")
    today = [answer for answer in recent_answers if timedelta(0) <= now - answer.at < DAY]
    if len(today) >= per_sender_per_day:
        return MayAnswer(allowed=False, why=f"{len(today)} answers to {mail.sender} within a day")
    of_subject = sum(1 for answer in today if subject and answer.subject == subject)
    if of_subject >= per_subject_per_day:
        return MayAnswer(
            allowed=False, why=f"{of_subject} answers to {mail.sender} on {subject} within a day"
        )
    return MayAnswer(allowed=True, why="written by a person, within the limits")
