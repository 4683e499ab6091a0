"""The table of benchmarks names modules that can be run."""

from __future__ import annotations

import importlib

import pytest
from click.testing import CliRunner

from fwguard.cli.bench import BENCHES, command


@pytest.mark.parametrize("name", BENCHES)
def test_every_name_has_a_run(name: str) -> None:
    """A name that is listed is built: its module has `run`."""
    assert callable(importlib.import_module(BENCHES[name]).run)


def test_unknown_name_is_bad_input() -> None:
    """What is not built is not listed, and ends with 2."""
    assert 2 == CliRunner().invoke(command, ["moon"]).exit_code
