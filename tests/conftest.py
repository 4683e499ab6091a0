"""What every test may ask for."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`: write what came out beside what was wanted; review then reads it as code."""
    parser.addoption("--update-golden", action="store_true", default=False, help="rewrite golden files")
