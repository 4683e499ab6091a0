"""The thresholds of the detectors as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.errors import InputError
from fwguard.model.detection import Detector
from fwguard.rules.clauses import read_clauses
from fwguard.rules.detectors import parse_detectors, read_detectors

RULES = Path(__file__).parents[3] / "rules"
TEXT = (RULES / "detectors.yaml").read_text()


def line_of(words: str) -> int:
    """Return the line that words stand on."""
    return TEXT[: TEXT.index(words)].count("\n") + 1


def test_every_detector_we_ship_speaks_under_a_clause_that_we_ship() -> None:
    """No verdict without a text to quote."""
    thresholds = read_detectors(RULES)
    assert set(Detector) == set(thresholds.clauses)
    assert set(thresholds.clauses.values()) <= read_clauses(RULES).keys()
    assert (60, 3600) == (thresholds.portscan.window_s, thresholds.portscan.slow_window_s)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  ports_most: 19 ", "  ports_most: many ", "portscan.ports_most: 'many' is no number"),
        ("  ports_most: 19 ", "  ports_most: 0 ", "portscan.ports_most: 0 is out of bounds"),
        ("  window_s: 60 s\n  answer_s", "  window_s: soon\n  answer_s", "hostscan.window_s: 'soon' is no duration"),
        ("  window_s: 60 s\n  answer_s", "  window_s: 0 s\n  answer_s", "hostscan.window_s: is zero"),
        ("  scanner_percent: 15 ", "  scanner_percent: 100 ", "out of bounds"),
        ("    - libera.chat", "    - Libera Chat", "irc.names[0]"),
        ("  syn_pps: 150 ", "  syn_pps: 150\n  syn_pps: 15 ", "flood.syn_pps: stands twice"),
        ("  syn_pps: 150 ", "  sin_pps: 150 ", "flood.sin_pps: is not known"),
        ('socks:\n  clause: "7.5"', 'socks:\n  clause: "some"', "socks.clause"),
        ("amplifier_ports: [17,", "amplifier_ports: [70000,", "flood.amplifier_ports[0]"),
    ],
)  # fmt: skip
def test_a_bad_threshold_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    """File, line, key, what was expected."""
    shift = 1 if old.startswith("socks") or "twice" in words else 0
    with pytest.raises(InputError) as caught:
        parse_detectors(TEXT.replace(old, new, 1), "detectors.yaml")
    assert words in str(caught.value)
    assert f"detectors.yaml:{line_of(old) + shift}" in str(caught.value)


@pytest.mark.parametrize("text", ["", "memory: 1\n", "- a\n", "\0", "memory: {flows_most: 20}\n"])
def test_what_is_no_document_of_detectors_is_refused(text: str) -> None:
    """With its file."""
    with pytest.raises(InputError, match="detectors.yaml"):
        parse_detectors(text, "detectors.yaml")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """Which file was looked for."""
    with pytest.raises(InputError, match="detectors.yaml"):
        read_detectors(tmp_path)
