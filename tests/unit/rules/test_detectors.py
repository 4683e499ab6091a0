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
        ("  grace_s: 15 min", "  grace_s: 0 min", "answers.grace_s: is zero"),
        ("  cut_for_s: [10 min", "  cut_for_s: [never", "answers.cut_for_s[0]: 'never' is no duration"),
        ("  cut_from_percent: 80", "  cut_from_percent: 101", "answers.cut_from_percent: 101 is out of bounds"),
        ("  breaker_clients: 20", "  breaker_clients: 0", "answers.breaker_clients: 0 is out of bounds"),
        ("  shared_ports: [53,", "  shared_ports: [0,", "answers.shared_ports[0]: 0 is out of bounds"),
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


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  mode: act\n  confidence_percent: 97", "  mode: off\n  confidence_percent: 97", "tor.mode"),
        (
            "  mode: act\n  confidence_percent: 97",
            "  mode: act\n  confidence_percent: 0",
            "tor.confidence_percent",
        ),
        ("  mode: act\n  confidence_percent: 97", "  mode: act", "confidence_percent"),
        (
            "cut_for_s: [10 min, 1 h, 1 d]",
            "cut_for_s: [1 s, 1 s, 1 s, 1 s, 1 s, 1 s, 1 s, 1 s, 1 s]",
            "has 9 times",
        ),
    ],
)
def test_a_bad_answer_is_refused(old: str, new: str, words: str) -> None:
    """A mode that is none, a trust of nothing, too many times."""
    with pytest.raises(InputError, match="detectors.yaml") as caught:
        parse_detectors(TEXT.replace(old, new, 1), "detectors.yaml")
    assert words in str(caught.value)


def test_how_verdicts_are_answered_is_read() -> None:
    """Trust of every detector, and how long cuts last."""
    answers = read_detectors(RULES).answers
    assert set(Detector) == set(answers.trust)
    assert ((600, 3600, 86400), 900) == (answers.cut_for_s, answers.grace_s)
