"""The contract as data."""

from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.model.inventory import Language
from fwguard.rules.clauses import digest_of, read_clause, read_clauses

RULES = Path(__file__).parents[3] / "rules"


def test_every_clause_we_ship_speaks_both_languages() -> None:
    """A notice can quote any clause to anyone."""
    clauses = read_clauses(RULES)
    assert {"7.1.1", "7.4", "7.5", "4", "8"} <= clauses.keys()
    assert all(set(Language) == set(clause.says) == set(clause.title) for clause in clauses.values())


@pytest.mark.parametrize(
    "text",
    ["", "clause: 7\n", "clause: 7\ntitle: {fr: a, en: b}\nsays: {fr: a}\n", "- 7\n", "clause: [\n", "\0"],
)
def test_a_bad_clause_is_refused_with_its_file(text: str) -> None:
    """Nothing half-read becomes a contract."""
    with pytest.raises(InputError, match=r"7\.yaml"):
        read_clause(text, "7.yaml")


def test_the_digest_moves_with_any_byte_and_any_name(tmp_path: Path) -> None:
    """An approval given under one wording does not hold under another."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text("x")
    first = digest_of(folder)
    (folder / "a.yaml").write_text("y")
    second = digest_of(folder)
    (folder / "a.yaml").rename(folder / "b.yaml")
    assert len({first, second, digest_of(folder)}) == 3
