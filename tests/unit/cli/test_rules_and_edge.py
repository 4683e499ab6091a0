"""`fwguard rules` and `fwguard edge explain`, as scripts call them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.cli.edge import command as edge
from fwguard.cli.rules import command as rules
from fwguard.errors import InputError
from fwguard.model.edge_json import canonical_bytes

RULES = Path(__file__).parents[3] / "rules"


@pytest.fixture
def state(tmp_path: Path) -> str:
    """The file of a small edge."""
    file = tmp_path / "edge1.json"
    file.write_bytes(canonical_bytes(large_state(9, 2)))
    return str(file)


def test_rules_check_prints_the_digest_to_approve() -> None:
    """Exit 0 when all is well."""
    done = CliRunner().invoke(rules, ["check", str(RULES), "--json"])
    found = json.loads(done.output)
    assert (0, [], 64) == (done.exit_code, found["complaints"], len(found["digest"]))


def test_rules_check_ends_with_2_on_a_bad_file(tmp_path: Path) -> None:
    """And names file and line."""
    folder = Path(shutil.copytree(RULES, tmp_path / "rules"))
    (folder / "services.yaml").write_text("smtp: [tcp/99999]\n")
    done = CliRunner().invoke(rules, ["check", str(folder), "--json"])
    assert 2 == done.exit_code
    assert any("services.yaml:1: smtp" in one for one in json.loads(done.output)["complaints"])


def test_rules_diff_says_what_moves_for_whom(tmp_path: Path, state: str) -> None:
    """Exit 1 when anything differs, 0 when nothing does; a digest is compared alone."""
    folder = Path(shutil.copytree(RULES, tmp_path / "rules"))
    same = CliRunner().invoke(rules, ["diff", str(folder), "--against", str(RULES), "--json"])
    found = json.loads(same.output)
    assert (0, True) == (same.exit_code, found["equal"])
    assert 0 == CliRunner().invoke(rules, ["diff", str(folder), "--digest", found["digest"]]).exit_code
    file = folder / "clauses" / "07-7-bandwidth.yaml"
    file.write_text(file.read_text().replace("101000000", "50000000"))
    moved = CliRunner().invoke(
        rules, ["diff", str(folder), "--against", str(RULES), "--state", state, "--json"]
    )
    (change,) = json.loads(moved.output)["changes"]
    assert (1, "7.7", "bandwidth.assured_bps") == (moved.exit_code, change["clause"], change["path"])
    assert "s0-0" in change["servers"]
    assert 1 == CliRunner().invoke(rules, ["diff", str(folder), "--digest", found["digest"]]).exit_code


@pytest.mark.parametrize(
    ("words", "code", "clause"),
    [
        (["--in", "uplink", "--src", "198.51.100.7", "--dst", "198.18.0.0", "--dport", "8001"], 0, "7.1.1"),
        (["--packet", "tcp/8001 from 198.51.100.7 to 198.18.0.0"], 0, "7.1.1"),
        (["--packet", "tcp/8002 from 198.51.100.7 to 198.18.0.0"], 1, "7.1.1"),
        (["--in", "s0-0", "--src", "fd20::b", "--dst", "2001:db8:ffff::1", "--dport", "25"], 1, "7.4"),
        (["--in", "s0-0", "--src", "10.20.0.11", "--dst", "198.51.100.1", "--dport", "80",
          "--mac", "02:00:00:00:00:99"], 1, "4"),
    ],
)  # fmt: skip
def test_edge_explain_names_the_clause(state: str, words: list[str], code: int, clause: str) -> None:
    """Exit 0 when it passes, 1 when it does not; the same words as query."""
    done = CliRunner().invoke(edge, ["explain", "--state", state, "--json", *words])
    assert (code, clause) == (done.exit_code, json.loads(done.output)["clause"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--src", "198.51.100.7"], "--src and --dst"),
        (["--src", "198.51.100.7", "--dst", "2001:db8::1", "--dport", "1"], "one IP version"),
        (["--src", "198.51.100.0/24", "--dst", "198.18.0.0", "--dport", "1"], "one address"),
        (["--src", "10.20.0.11", "--dst", "198.18.0.0", "--dport", "1"], "one port of the edge"),
        (
            ["--in", "nowhere0", "--src", "10.20.0.11", "--dst", "198.18.0.0", "--dport", "1"],
            "one port of the edge",
        ),
        (["--src", "198.51.100.7", "--dst", "198.18.0.0", "--proto", "udp"], "--dport"),
        (["--packet", "tcp 443"], "words as"),
        (["--packet", "tcp/443 from 198.51.100.7 to 198.18.0.0", "--dport", "1"], "one way"),
    ],
)
def test_edge_explain_refuses_what_is_no_packet(state: str, words: list[str], expected: str) -> None:
    """And says what it expected."""
    done = CliRunner().invoke(edge, ["explain", "--state", state, *words])
    assert isinstance(done.exception, InputError)
    assert expected in str(done.exception)


def test_a_state_that_is_none_is_named(tmp_path: Path) -> None:
    """By its file."""
    file = tmp_path / "x.json"
    file.write_text("{}")
    done = CliRunner().invoke(
        edge, ["explain", "--state", str(file), "--packet", "tcp/1 from 1.2.3.4 to 5.6.7.8"]
    )
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(f"{file}: ")
