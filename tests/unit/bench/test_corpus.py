"""How much of others' configurations is read: every file by some dialect, every count in this test's report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from fwguard.bench.corpus import Read, Refused, configurations, count, table

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"


def test_counts_by_folder_are_kept_and_no_file_is_refused(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules read and unread, by folder: `pytest -rP` and the report of a run print them."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is counted of others' configurations")
    counts = count(CORPUS)
    for one in counts:
        record_property(one.folder, asdict(one))
    with capsys.disabled():
        print(f"\n{table(counts)}")
    assert [] == [text for one in counts for text in one.refused]
    assert all(one.files and one.rules for one in counts)


def test_each_folder_is_counted_and_what_is_refused_is_named(tmp_path: Path) -> None:
    """With its path and why; lists of bounds and licences are no configurations."""
    rules = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -s 192.0.2.1/32 -j ACCEPT\n-A FORWARD -m odd -j DROP\nCOMMIT\n"
    for name, text in {
        "a/one": rules, "a/two": rules, "b/other": "hello\n", "a/one.lower": "x", "a/LICENSE.md": "x",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    read, refused = count(tmp_path)
    assert ("a", 2, 4, 2, []) == (read.folder, read.files, read.rules, read.unsure, read.refused)
    assert ("b", 0) == (refused.folder, refused.files)
    assert refused.refused[0].startswith("b/other: ")
    kinds = [type(one) for one in configurations(tmp_path)]
    assert [Read, Read, Refused] == kinds
    lines = table([read, refused]).split("\n")
    assert 4 == len(lines) and lines[0].startswith("folder")
