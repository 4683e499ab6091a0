"""Datastores as policies, as they are compared, and after a change. `--update-golden` rewrites them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fwguard.dialects.rfc8519 import RFC8519
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy_json import policy_to_json

INPUTS = sorted(Path(__file__).parent.glob("*/input.*"))
CHANGE = Change(
    tag="golden-1",
    openings=(
        Opening(
            protocol=6,
            source=AddressSet.parse("any"),
            target=AddressSet.parse("10.2.0.10", "2001:db8:2::10"),
            ports=Intervals.of((8443, 8443), (9000, 9010)),
        ),
    ),
    redirections=(
        Redirection(protocol=6, public="203.0.113.9", public_port=8443, inner="10.2.0.10", inner_port=8443),
    ),
)


def check(path: Path, actual: str, pytestconfig: pytest.Config) -> None:
    """Compare with the wanted text, or write it."""
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(actual)
    assert path.read_text() == actual


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_reads_to_the_reviewed_policy(path: Path, pytestconfig: pytest.Config) -> None:
    """Every entry, attachment, translation, route and unread line."""
    policy = policy_to_json(RFC8519.read(path.read_text()))
    actual = json.dumps(policy, indent=1, ensure_ascii=False) + "\n"
    check(path.parent / "want.json", actual, pytestconfig)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_is_compared_as_the_reviewed_text(path: Path, pytestconfig: pytest.Config) -> None:
    """No whitespace, prefix, description, counter, default, nor order without meaning."""
    check(path.parent / "want.xml", RFC8519.canonical(path.read_text()), pytestconfig)


@pytest.mark.parametrize(
    "path", [path for path in INPUTS if "office" in path.parent.name or "two" in path.parent.name],
    ids=lambda path: path.parent.name,
)  # fmt: skip
def test_a_change_is_told_as_the_reviewed_text(path: Path, pytestconfig: pytest.Config) -> None:
    """In the form of the input, before the drop that would stop it."""
    edit = RFC8519.write(CHANGE, path.read_text())
    check(path.parent / "want.shown", edit.shown + "\n", pytestconfig)
    check(path.parent / f"want.after{path.suffix}", edit.after, pytestconfig)


def test_both_forms_of_the_office_are_one_policy() -> None:
    """RFC 7951 says the same as the XML, but for the lines and comments."""
    texts = [path.read_text() for path in INPUTS if "office" in path.parent.name]
    xml, other = (RFC8519.canonical(text) for text in texts)
    assert xml == other
