"""Abuse reports in ARF: a mail of three parts, whose second one is for machines.

`Source-IP` and `Arrival-Date` say who and when; without an address nothing can be looked up, and a person reads
it. `not-spam` takes a complaint back and accuses nobody. Source: RFC 5965 (format), RFC 6650 (use).
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.outside.mime import mail_date_s, read_fields, read_parts
from fwguard.detect.outside.reporting import WhoHad, address, moment, port, report, words
from fwguard.errors import InputError
from fwguard.model.detection import Detection, Detector
from fwguard.model.thresholds import Thresholds

_NO_ABUSE: Final = frozenset(("not-spam", "opt-out", "dmarc"))


def read_arf(data: bytes, thresholds: Thresholds, who_had: WhoHad, received_s: float) -> Detection | None:
    """Return the verdict of a mail; None: it accuses nobody of ours, or says not when within a year.

    Raises InputError on a mail without a feedback report.
    """
    headers, parts = read_parts(data)
    body = next((part.body for part in parts if part.kind == "message/feedback-report"), None)
    if body is None:
        raise InputError("no message/feedback-report", where="mail", expected="a report of RFC 5965")
    fields = read_fields(body)
    kind = fields.get("feedback-type", "").lower()
    accused = address(fields.get("source-ip", ""))
    if not accused or not kind or kind in _NO_ABUSE:
        return None
    dates = (fields.get("arrival-date"), fields.get("received-date"), headers.get("date"))
    said = next((one for one in dates if one), "")
    at_s = moment(mail_date_s(said), received_s)
    held = who_had(accused, at_s) if at_s is not None else None
    if held is None or at_s is None:
        return None
    return report(
        thresholds,
        Detector.ABUSE_REPORT,
        "abuse-report",
        {
            "kind": words(kind, 40),
            "by": words(headers.get("from"), 80),
            "said": words(headers.get("subject")),
        },
        accused=accused,
        held=held,
        at_s=at_s,
        server_port=port(fields.get("source-port", "")),
    )
