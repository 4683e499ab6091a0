"""The benchmark of the analysis, on small sizes: what it says is there, and both tools answer alike."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from fwguard.analysis.compare import compare
from fwguard.bench import peer
from fwguard.bench.analysis import run
from fwguard.bench.generated import generated_policy, iptables_text
from fwguard.dialects.table import dialect


def test_the_figures_are_there(tmp_path: Path) -> None:
    """Sizes, the curve, reading, and the folders of the corpus."""
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "rules.v4").write_text(iptables_text(generated_policy(600)))
    (folder / "noise").write_bytes(b"no firewall\n")
    figures = run(sizes=(300, 600), corpus=str(tmp_path), repeats=1, peer=False)
    assert [603, 603] == figures["lint_curve"]["rules"]
    assert 0 == figures["reading"]["unread"]
    assert 603 == figures["corpus"][0]["rules"]
    (counted,) = figures["corpus_folders"]
    assert ("one", 1, 603, 0) == tuple(counted[key] for key in ("folder", "files", "rules", "unread"))
    assert counted["refused"][0].startswith("one/noise: ")


def test_generated_text_means_the_generated_policy() -> None:
    """What is read is what was written, so that both are timed on the same content."""
    policy = generated_policy(600)
    read = dialect("iptables").read(iptables_text(policy))
    assert policy.rule_count == read.rule_count
    difference = compare(policy, replace(read, families=policy.families))
    assert not difference.passes_differently


def test_a_peer_that_is_absent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is made up."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "not installed" in peer.run_peer()["aerleon"]


def test_the_peer_answers_alike() -> None:
    """Every packet, and every rule that it calls shaded is accused by us too."""
    figures = peer.run_peer(rules=300, packets=40)
    assert 40 == figures["answers_alike"]
    assert figures["aerleon"]["shaded"] == figures["shaded_that_lint_accuses_too"] > 0
