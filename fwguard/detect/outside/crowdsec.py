"""CrowdSec's decisions: what its local API gives, whole or as a stream of changes.

A decision about one of our own addresses says that others saw it attack. Ranges are of many servers, and a
simulated decision is none: both are counted and left.
Source: CrowdSec's local API, `GET /v1/decisions` and `GET /v1/decisions/stream`.
"""

from __future__ import annotations

from typing import Any, Final

from fwguard.detect.outside.reporting import WhoHad, address, read_json, report, words
from fwguard.errors import InputError
from fwguard.model.detection import Detection, Detector
from fwguard.model.thresholds import Thresholds

MOST_BYTES: Final = 8 << 20
MOST_DECISIONS: Final = 100_000


def read_decisions(
    data: bytes, thresholds: Thresholds, who_had: WhoHad, received_s: float
) -> tuple[list[Detection], int]:
    """Return the verdicts about addresses of ours, and how many decisions could not be read or name no address.

    Raises InputError on what is no answer of that API.
    """
    answer = read_json(data, MOST_BYTES, "crowdsec")
    if isinstance(answer, dict) and {"new", "deleted"} & answer.keys():
        answer = answer.get("new")
    if answer is None:
        return [], 0
    if not isinstance(answer, list) or len(answer) > MOST_DECISIONS:
        raise InputError("no list", where="crowdsec", expected=f"at most {MOST_DECISIONS} decisions")
    found: list[Detection] = []
    left = 0
    for decision in answer:
        accused = _address_of(decision)
        if not accused:
            left += 1
            continue
        held = who_had(accused, received_s)
        if held is not None:
            facts = {"said": words(decision.get("scenario")), "origin": words(decision.get("origin"), 40)}
            found.append(
                report(
                    thresholds,
                    Detector.CROWDSEC,
                    "crowdsec",
                    facts,
                    accused=accused,
                    held=held,
                    at_s=received_s,
                )
            )
    return found, left


def _address_of(decision: Any) -> str:
    """Return the one address that a decision is about, or ""."""
    if not isinstance(decision, dict) or decision.get("simulated") is True:
        return ""
    scope, value = decision.get("scope"), decision.get("value")
    if not isinstance(scope, str) or not isinstance(value, str):
        return ""
    if scope.lower() == "range" and len(value) < 50:
        one, slash, length = value.partition("/")
        found = address(one)
        whole = slash + length == ("/128" if ":" in found else "/32")
        return found if whole else ""
    return address(value) if scope.lower() == "ip" else ""
