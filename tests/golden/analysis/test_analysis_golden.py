"""Changes as their readers get them: one folder a case, reviewed as files.

`FWGUARD_UPDATE_GOLDEN=1` writes what is said now over what was wanted; review reads the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fwguard.analysis.compare import compare
from fwguard.analysis.explain import explain
from fwguard.analysis.lint import lint
from fwguard.dialects.table import detect
from fwguard.model.inventory import Language

HERE = Path(__file__).parent
CASES = sorted(folder for folder in HERE.iterdir() if (folder / "ORIGIN").exists())


def said_of(case: Path) -> str:
    """Write down the difference in both languages, and what lint says of the second text."""
    (before_path,) = case.glob("input.before.*")
    (after_path,) = case.glob("input.after.*")
    before, after = (path.read_text(encoding="utf-8") for path in (before_path, after_path))
    dialect = detect(before)
    old, new = dialect.read(before), dialect.read(after)
    difference = compare(old, new)
    blocks = []
    for language in Language:
        lines = explain(difference, language=language, max_lines=40)
        lines += [f"lint {one.line} {one.kind.value}: {one.why(language)}" for one in lint(new)]
        blocks.append("\n".join([f"[{language.value}]", *lines]))
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_change_is_said_as_reviewed(case: Path) -> None:
    """Word for word, in French and English."""
    want = case / "want.txt"
    said = said_of(case)
    if os.environ.get("FWGUARD_UPDATE_GOLDEN"):
        want.write_text(said, encoding="utf-8")
    assert want.read_text(encoding="utf-8") == said
