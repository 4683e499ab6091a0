"""Abuse reports in X-ARF: lines in `report.txt` (version 0.2), or JSON in an attachment (versions 3 and 4).

Sources: the X-ARF 0.2 specification (abusix/xarf-specification), the JSON schemas of XARF 3 and XARF 4.
"""

from __future__ import annotations

from typing import Any, Final

from fwguard.detect.outside.mime import MOST_PART_BYTES, Part, mail_date_s, read_fields, read_parts
from fwguard.detect.outside.reporting import WhoHad, address, moment, port, read_json, report, words
from fwguard.errors import InputError
from fwguard.model.detection import Detection, Detector
from fwguard.model.thresholds import Thresholds

_PROTOCOLS: Final = ("tcp", "udp", "sctp", "icmp")


def read_xarf(data: bytes, thresholds: Thresholds, who_had: WhoHad, received_s: float) -> Detection | None:
    """Return the verdict of a mail; None: it accuses nobody of ours, or says not when within a year.

    Raises InputError on a mail without such a report.
    """
    headers, parts = read_parts(data)
    for part in parts:
        fields = _fields(part)
        if fields is not None:
            return _judged(fields, headers, thresholds, who_had, received_s)
    raise InputError("no report", where="mail", expected="X-ARF: report.txt, or JSON of XARF 3 or 4")


def _fields(part: Part) -> dict[str, Any] | None:
    """Return a report's fields under the names of version 0.2, None for any other part."""
    if part.kind in ("application/json", "text/json") or part.name.lower().endswith(".json"):
        try:
            value = read_json(part.body, MOST_PART_BYTES, part.name)
        except InputError:
            return None
        return _of_json(value) if isinstance(value, dict) else None
    if part.kind.startswith("text/"):
        fields = read_fields(part.body)
        if {"report-type", "source", "date"} <= fields.keys():
            return dict(fields)
    return None


def _of_json(value: dict[str, Any]) -> dict[str, Any] | None:
    if "xarf_version" in value:
        return {
            "source": value.get("source_identifier"),
            "date": value.get("timestamp"),
            "report-type": value.get("type"),
            "port": value.get("source_port"),
            "target": value.get("destination_ip"),
            "target-port": value.get("destination_port"),
            "protocol": value.get("protocol"),
        }
    inner = value.get("Report")
    if not isinstance(inner, dict):
        return None
    return {
        "source": inner.get("SourceIp"),
        "date": inner.get("Date"),
        "report-type": inner.get("ReportType"),
        "port": inner.get("SourcePort"),
        "target": inner.get("DestinationIp"),
        "target-port": inner.get("DestinationPort"),
        "protocol": inner.get("Protocol"),
    }


def _judged(
    fields: dict[str, Any],
    headers: dict[str, str],
    thresholds: Thresholds,
    who_had: WhoHad,
    received_s: float,
) -> Detection | None:
    accused = address(fields.get("source"))
    said = fields.get("date")
    at_s = moment(said, received_s)
    if at_s is None and isinstance(said, str):
        at_s = moment(mail_date_s(said), received_s)
    held = who_had(accused, at_s) if accused and at_s is not None else None
    if held is None or at_s is None:
        return None
    protocol = words(fields.get("protocol"), 8).lower()
    facts = {
        "kind": words(fields.get("report-type"), 40),
        "by": words(headers.get("from"), 80),
        "said": words(headers.get("subject")),
    }
    return report(
        thresholds,
        Detector.ABUSE_REPORT,
        "abuse-report",
        facts,
        accused=accused,
        held=held,
        at_s=at_s,
        peer=address(fields.get("target")),
        port_number=port(fields.get("target-port")),
        protocol=protocol if protocol in _PROTOCOLS else "",
        server_port=port(fields.get("port")),
        peer_port=port(fields.get("target-port")),
    )
