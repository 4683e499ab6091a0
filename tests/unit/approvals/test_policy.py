"""Who may say yes, as the operator wrote it."""

from pathlib import Path

import pytest

from fwguard.approvals.policy import RISK_CLASSES, load_policy, read_policy
from fwguard.errors import InputError

APPROVALS = Path(__file__).parents[3] / "approvals"


def test_the_policy_we_ship_asks_more_people_for_more_risk() -> None:
    """The quorum never falls as the risk rises."""
    policy = load_policy(APPROVALS)
    quorums = [policy.needs(name) for name in RISK_CLASSES]
    assert sorted(quorums) == quorums


@pytest.mark.parametrize("bad", ["low: 0", "low: two", "low: 1\n  lower: 1"])
def test_a_quorum_of_nobody_is_refused(bad: str) -> None:
    """Zero approvals, a word or an unknown class: refused with file and line."""
    text = (APPROVALS / "policy.yaml").read_text(encoding="utf-8").replace("low: 1", bad, 1)
    with pytest.raises(InputError, match=r"policy\.yaml:\d+"):
        read_policy(text, "policy.yaml")
