"""The offline commands as a stranger meets them: on files, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RULES = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 192.0.2.10/32 -i eth0 -p tcp -m tcp --dport 443 -j ACCEPT
-A FORWARD -s 10.0.0.0/8 -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""
WEB = "-A FORWARD -d 192.0.2.10/32 -i eth0 -p tcp -m tcp --dport 443 -j ACCEPT\n"
SQL = "-A FORWARD -d 192.0.2.10/32 -p tcp -m tcp --dport 3306 -j ACCEPT\n"


def fwguard(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "fwguard", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A small firewall."""
    path = tmp_path / "rules.v4"
    path.write_text(RULES)
    return path


def test_read_counts_what_is_in_a_file(rules: Path) -> None:
    """As an object for programs."""
    done = fwguard("read", str(rules), "--json")
    said = json.loads(done.stdout)
    assert (0, "iptables", 3, 0, 0, []) == (
        done.returncode, said["dialect"], said["rules"], said["nat"], said["routes"], said["unread"],
    )  # fmt: skip
    assert said["policy"]["chains"]


def test_read_takes_standard_input() -> None:
    """So that it stands in a pipe."""
    done = fwguard("read", "-", stdin=RULES)
    assert 0 == done.returncode
    assert "rules   3" in done.stdout


@pytest.mark.parametrize(
    ("packet", "verdict", "line"),
    [
        (["--src", "198.51.100.7", "--in", "eth0"], "accept", 6),
        (["--src", "198.51.100.7", "--in", "eth1"], "drop", 3),
        (["--src", "10.1.2.3", "--in", "eth1"], "reject", 7),
    ],
)
def test_query_names_the_verdict_and_the_line(
    rules: Path, packet: list[str], verdict: str, line: int
) -> None:
    """The default of a chain has a line, too."""
    done = fwguard(
        "query", str(rules), *packet, "--dst", "192.0.2.10", "--proto", "tcp", "--dport", "443", "--json"
    )
    said = json.loads(done.stdout)
    assert (0, verdict, line) == (done.returncode, said["verdict"], said["line"])
    assert str(line) in said["why"]


def test_query_answers_many_packets_in_order(rules: Path, tmp_path: Path) -> None:
    """One object a line in, one a line out; what is absent is one value nobody tells from others."""
    packets = tmp_path / "packets.jsonl"
    packets.write_text(
        '{"src": "198.51.100.7", "dst": "192.0.2.10", "proto": "tcp", "dport": 443, "in": "eth0"}\n'
        '{"src": "10.0.0.1"}\n'
        '{"dst": "192.0.2.10", "proto": 6, "sport": 1}\n'
        '{"chain": "output"}\n'
    )
    done = fwguard("query", str(rules), "--packets", str(packets))
    assert ["accept", "reject", "drop", "accept"] == [
        json.loads(line)["verdict"] for line in done.stdout.splitlines()
    ]


def test_query_names_the_line_of_a_bad_packet(rules: Path, tmp_path: Path) -> None:
    """File, line and what was expected; what came before is answered."""
    packets = tmp_path / "packets.jsonl"
    packets.write_text('{"dst": "192.0.2.1"}\n{"dst": "192.0.2.1", "dport": 70000}\n')
    done = fwguard("query", str(rules), "--packets", str(packets))
    assert 2 == done.returncode
    assert 1 == len(done.stdout.splitlines())
    assert f"fwguard: {packets}:2: dport 70000 (expected a port, 0 to 65535)\n" == done.stderr


def test_diff_shows_what_opens_and_ends_with_one(rules: Path, tmp_path: Path) -> None:
    """An example packet in every box."""
    changed = tmp_path / "new.v4"
    changed.write_text(RULES.replace(WEB, WEB + SQL))
    done = fwguard("diff", str(rules), str(changed), "--json")
    said = json.loads(done.stdout)
    assert (1, False, [], []) == (done.returncode, said["equal"], said["closes"], said["undecided"])
    box = said["opens"][0]
    assert (["192.0.2.10"], "tcp", "3306") == (box["dst"], box["proto"], box["dport"])
    assert 3306 == box["witness"]["dport"]


def test_diff_of_equal_firewalls_ends_with_zero(rules: Path, tmp_path: Path) -> None:
    """Counters and comments are no difference."""
    other = tmp_path / "same.v4"
    other.write_text("# a comment\n" + RULES.replace("[0:0]", "[12:345]"))
    done = fwguard("diff", str(rules), str(other), "--json")
    assert (0, True) == (done.returncode, json.loads(done.stdout)["equal"])


def test_diff_speaks_french(rules: Path, tmp_path: Path) -> None:
    """To whom it is sent."""
    changed = tmp_path / "new.v4"
    changed.write_text(RULES.replace(WEB, WEB + SQL))
    done = fwguard("diff", str(rules), str(changed), "--language", "fr")
    assert "ouvre tcp/3306 de 192.0.2.10 à " in done.stdout


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x7fELF\0\0", ":1: holds a NUL byte: binary (expected text)"),
        (b"", ":1: is empty (expected a firewall configuration)"),
        (b"hello\nworld\n", "no dialect recognises this text"),
        (b"*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j NOSUCH", ":"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, expected: str) -> None:
    """Exit code 2, one line, no trace."""
    path = tmp_path / "bad"
    path.write_bytes(content)
    done = fwguard("read", str(path))
    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert done.stderr.startswith(f"fwguard: {path}:")
    assert expected in done.stderr


def test_an_unknown_dialect_is_refused_with_the_known_ones(rules: Path) -> None:
    """What was expected is a list."""
    done = fwguard("read", str(rules), "--dialect", "klingon")
    assert 2 == done.returncode
    assert "iptables" in done.stderr


def test_an_offline_command_loads_no_database_and_no_device() -> None:
    """So that it starts at once."""
    code = (
        "import sys; import fwguard.cli.read, fwguard.cli.query, fwguard.cli.diff, fwguard.cli.lint, "
        "fwguard.cli.what_if, fwguard.analysis.compare, fwguard.dialects.table; "
        "print([m for m in ('sqlalchemy','flask','paramiko','netmiko','ncclient','scapy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "[]\n" == done.stdout


@pytest.mark.parametrize("name", ["read", "query", "diff", "lint", "what-if"])
def test_help_holds_an_example(name: str) -> None:
    """People copy the first line that looks like a command."""
    done = fwguard(name, "--help")
    assert 0 == done.returncode
    assert "Example:" in done.stdout
