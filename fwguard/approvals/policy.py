"""Who must say yes to what: quorum and limits by risk class, from `approvals/policy.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fwguard.model.document import read_document

RISK_CLASSES: Final = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """`quorum`: how many different people must approve; `longest_s`: how long an opening of this risk
    may last at most (None: no end needed); `stale_s`: after how long a review is asked anew."""

    quorum: Mapping[str, int]
    longest_s: Mapping[str, int | None]
    fresh_factor_s: int
    risk: Mapping[str, Any]

    def needs(self, risk_class: str) -> int:
        """Return how many approvals a ticket of this risk class needs."""
        return self.quorum[risk_class]


def read_policy(text: str, file: str) -> ApprovalPolicy:
    """Read the policy. Raises InputError with file, line and what was expected."""
    fields = read_document(text, file).mapping(required=("quorum", "longest", "fresh_second_factor", "risk"))
    quorum = fields["quorum"].mapping(required=RISK_CLASSES)
    longest = fields["longest"].mapping(required=RISK_CLASSES)
    return ApprovalPolicy(
        quorum={name: quorum[name].integer(1, 9) for name in RISK_CLASSES},
        longest_s={
            name: None if longest[name].text() == "unlimited" else longest[name].seconds()
            for name in RISK_CLASSES
        },
        fresh_factor_s=fields["fresh_second_factor"].seconds(),
        risk=fields["risk"].plain(),
    )


def load_policy(folder: Path) -> ApprovalPolicy:
    """Read `policy.yaml` of the folder `approvals/`."""
    path = folder / "policy.yaml"
    return read_policy(path.read_text(encoding="utf-8"), str(path))
