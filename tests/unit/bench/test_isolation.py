"""The benchmark of detection, on small sizes: what it says is there, and what is absent is said."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from fwguard.bench import attacks, classifier_peer, detector_memory, log_peer
from fwguard.bench.isolation import run
from fwguard.config import load_settings
from fwguard.detect.engine import Engine
from fwguard.rules.detectors import read_detectors


def test_the_figures_are_there(tmp_path: Path) -> None:
    """Scan, verdicts, decisions, memory; a capture of our own frames stands for the corpus."""
    from fwguard.bench.isolation import _pcap

    (tmp_path / "scan.pcap").write_bytes(_pcap([(at_s, 1, frame) for at_s, frame in attacks.port_scan()]))
    (tmp_path / "labels.jsonl").write_text(
        json.dumps({"pcap": "scan.pcap", "l4": "TCP", "a": "10.0.0.1:1", "b": "10.0.0.2:2", "app": "DNS"})
        + "\n"
    )
    figures = run(corpus=str(tmp_path), flows=2000, servers=80, repeats=1, peers=False)
    assert (1, 40) == (figures["scan"]["files"], figures["scan"]["packets"])
    assert {"bruteforce", "flood", "hostscan", "portscan"} == figures["verdict_us"].keys()
    assert (80, 80) == (figures["decision"]["servers"], figures["decision"]["decisions"])
    assert figures["decision"]["evidence"]["bytes"] > 500
    assert (2000, 3200) == (figures["memory"]["flows"], figures["memory"]["packets"])


def test_absent_captures_are_said(tmp_path: Path) -> None:
    """No figure is made up."""
    figures = run(corpus=str(tmp_path / "none"), flows=100, servers=8, repeats=1, peers=False)
    assert "nothing was scanned" in figures["scan"]


@pytest.mark.parametrize(
    ("attack", "detector"),
    [
        (attacks.port_scan, "portscan"), (attacks.host_scan, "hostscan"), (attacks.flood, "flood"),
        (attacks.password_guesses, "bruteforce"),
    ],
)  # fmt: skip
def test_every_attack_is_one(attack: object, detector: str) -> None:
    """Its detector speaks, and no other."""
    engine = Engine(read_detectors(load_settings().rules))
    said = [
        one.detector.value
        for number, (at_s, frame) in enumerate(attack(), 1)  # type: ignore[operator]
        for one in engine.feed(number, at_s, 1, frame)
    ]
    assert {detector} == set(said)


def test_a_peer_that_is_absent_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each of the two."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "not installed" in classifier_peer.run_classifier(tmp_path, tmp_path, [])["nfstream"]
    assert "not installed" in log_peer.run_log_watcher(tmp_path)["fail2ban"]


def test_memory_is_measured_with_what_it_forgot() -> None:
    """Every flow is known or forgotten."""
    figures = detector_memory.measure(1000)
    assert 1000 == figures["flows_known"] + figures["flows_forgotten"]
