"""How long addresses wait, as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.rules.addresses import parse_address_rules, read_address_rules

RULES = Path(__file__).parents[3] / "rules"
TEXT = (RULES / "clauses" / "04-address.yaml").read_text(encoding="utf-8")


def test_what_we_ship_is_read() -> None:
    """A stopped server has a week, an address cools for thirty days."""
    rules = read_address_rules(RULES)
    assert (7 * 86400, 30 * 86400) == (rules.stopped_grace_s, rules.cooling_s)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "cooling_s: 2592000",
            "cooling_s: -1",
            r"04\.yaml:\d+: controls.address.cooling_s: -1 is out of bounds",
        ),
        ("cooling_s: 2592000", "cooling_s: soon", "is no number"),
        ("cooling_s: 2592000", "cooling_d: 30", "cooling_d: is not known"),
        ("    overlap_s: 1209600", "", "lacks overlap_s"),
        ("  address:", "  adress:", "lacks address"),
        ("controls:", "control:", "lacks controls"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    """The whole file, and nothing of it is used."""
    assert old in TEXT
    with pytest.raises(InputError, match=words):
        parse_address_rules(TEXT.replace(old, new), "04.yaml")


def test_no_file_says_which(tmp_path: Path) -> None:
    """Its path, and what it should hold."""
    with pytest.raises(InputError, match=r"04-address\.yaml.*clause 4"):
        read_address_rules(tmp_path)
