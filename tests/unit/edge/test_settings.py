"""The settings of an edge: every value checked, every complaint with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.edge.settings import EdgeSettings, read_settings
from fwguard.errors import InputError

PACKAGED = Path(__file__).resolve().parents[3] / "packaging" / "edge.yaml"


def _read(tmp_path: Path, text: str) -> EdgeSettings:
    path = tmp_path / "edge.yaml"
    path.write_text(text)
    return read_settings(path)


def test_the_packaged_example_is_read() -> None:
    """What is installed as an example holds."""
    assert "edge1" == read_settings(PACKAGED).name


def test_every_setting_is_read(tmp_path: Path) -> None:
    """With its type and unit."""
    read = _read(
        tmp_path,
        "name: e2\ncontroller: https://c.example:8443/\nca_file: /etc/ca.pem\nstate_dir: /srv/e2\n"
        "metrics: '[::1]:9000'\nspool_most_mib: 2\nanswer_s: 3\n",
    )
    assert read == EdgeSettings(
        name="e2", controller="https://c.example:8443", ca_file=Path("/etc/ca.pem"), state_dir=Path("/srv/e2"),
        metrics=("::1", 9000), spool_most_bytes=2 << 20, answer_s=3,
    )  # fmt: skip


def test_metrics_can_be_left_out(tmp_path: Path) -> None:
    """`none` listens nowhere."""
    assert _read(tmp_path, "name: e2\ncontroller: https://c.example\nmetrics: none\n").metrics is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: e2\n", "controller"),
        ("name: E 2\ncontroller: https://c.example\n", r"edge\.yaml:1.*name"),
        ("name: e2\ncontroller: http://c.example\n", r"edge\.yaml:2.*https"),
        ("name: e2\ncontroller: https://c.example\nmetrics: 9469\n", r"edge\.yaml:3.*ADDRESS:PORT"),
        ("name: e2\ncontroller: https://c.example\nmetrics: localhost:9469\n", r"edge\.yaml:3"),
        ("name: e2\ncontroller: https://c.example\nanswer_s: 0\n", r"edge\.yaml:3.*out of bounds"),
        ("name: e2\ncontroller: https://c.example\ncolour: red\n", "is not known"),
        ("[]", "no mapping"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, why: str) -> None:
    """File, line, what was expected."""
    with pytest.raises(InputError, match=why):
        _read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No file, no edge."""
    with pytest.raises(InputError, match=r"none\.yaml"):
        read_settings(tmp_path / "none.yaml")
