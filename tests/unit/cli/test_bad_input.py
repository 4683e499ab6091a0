"""Bad input of every kind in every dialect: exit 2 with file, line and what was expected, soon, in little memory."""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fwguard.cli import main
from fwguard.dialects.table import DIALECTS

GOLDEN = Path(__file__).parents[2] / "golden"
DEEP = 10_000
# What a text of the dialect may nest in, ten thousand deep.
NESTED = {
    "nftables": "table inet f " + "{ " * DEEP + "\n" + "} " * DEEP,
    "iptables": "*filter\n:FORWARD DROP [0:0]\n-A FORWARD " + "{" * DEEP + "\nCOMMIT",
    "rfc8519": '{"ietf-access-control-list:acls":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
    "asa": "{\n" * DEEP,
    "ios": "{\n" * DEEP,
    "frr": "{\n" * DEEP,
    "fortios": "config firewall policy\n" + "edit 1\nconfig a\n" * DEEP,
    "vyos": "firewall " + "{\n a " * DEEP + "\n" + "}\n" * DEEP,
    "junos": "security " + "{\n a " * DEEP + ";\n" + "}\n" * DEEP,
    "panos": "<config>" + "<a>" * DEEP + "</a>" * DEEP + "</config>",
    "pfsense": "<pfsense>" + "<a>" * DEEP + "</a>" * DEEP + "</pfsense>",
    "opnsense": "<opnsense>" + "<a>" * DEEP + "</a>" * DEEP + "</opnsense>",
}
# Chains that lead back to themselves, and sets that hold themselves.
LOOPS = {
    "nftables": "table inet f {\n chain a {\n  jump b\n }\n chain b {\n  jump a\n }\n chain c {\n"
    "  type filter hook forward priority 0; policy drop;\n  jump a\n }\n}\n",
    "iptables": "*filter\n:FORWARD DROP [0:0]\n:a - [0:0]\n:b - [0:0]\n-A FORWARD -j a\n-A a -j b\n-A b -j a\n"
    "COMMIT\n",
}
OWN_SET = "table inet f {\n set a {\n  type ipv4_addr\n  elements = { @a }\n }\n}\n"
# A reader that takes every command by itself cannot know that more would have come.
ENDLESS = {"asa", "ios", "frr"}


def run(*arguments: str) -> tuple[int, float]:
    """Run a command; return its exit code and the CPU seconds that it took."""
    started = time.process_time()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0), time.process_time() - started


def refused(path: Path, said: str) -> bool:
    """Tell whether a complaint names file, line and what was expected."""
    return re.match(rf"fwguard: {re.escape(str(path))}:\d+: .+ \(expected .+\)$", said) is not None


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize(
    "noise",
    [random.Random(7).randbytes(50_000), bytes(range(1, 256)) * 200, b"no firewall\nat all\n" * 50],
    ids=["random", "every-byte", "words"],
)
def test_a_binary_file_is_refused(
    name: str, noise: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every dialect that it may be said to be of, and guessed."""
    path = tmp_path / "noise"
    path.write_bytes(noise)
    for more in (("--dialect", name), ()):
        assert 2 == run("read", str(path), *more)[0]
        assert refused(path, capsys.readouterr().err.strip())


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_ten_thousand_levels_are_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, without the stack of this process."""
    path = tmp_path / "deep"
    path.write_text(NESTED[name] + "\n", encoding="utf-8")
    code, cpu_s = run("read", str(path), "--dialect", name)
    said = capsys.readouterr().err.strip()
    if name == "iptables":  # a match that nobody knows is one rule unread
        assert 0 == code
    else:
        assert 2 == code
        assert refused(path, said), said
    assert cpu_s < 3


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_a_loop_of_chains_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel takes none either."""
    path = tmp_path / "loop"
    path.write_text(LOOPS[name], encoding="utf-8")
    for command in ("read", "lint"):
        assert 2 == run(command, str(path))[0]
        assert refused(path, capsys.readouterr().err.strip())


def test_a_set_that_holds_itself_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An nftables set has elements, no sets."""
    path = tmp_path / "set"
    path.write_text(OWN_SET, encoding="utf-8")
    assert 2 == run("read", str(path))[0]
    assert refused(path, capsys.readouterr().err.strip())


GROUPS = {
    "asa": "ASA Version 9.12(3)\nhostname f\nobject-group network A\n group-object B\nobject-group network B\n"
    " group-object A\naccess-list X extended permit ip object-group A any\naccess-group X global\n",
    "ios": "version 15.2\nhostname r\nobject-group network A\n group-object B\nobject-group network B\n"
    " group-object A\nip access-list extended X\n permit ip object-group A any\n"
    "interface Gi0/0\n ip address 10.0.0.1 255.255.255.0\n ip access-group X in\nend\n",
    "junos": "set security address-book global address-set A address-set B\n"
    "set security address-book global address-set B address-set A\n"
    "set security zones security-zone t\nset security zones security-zone u\n"
    "set security policies from-zone u to-zone t policy p match source-address any\n"
    "set security policies from-zone u to-zone t policy p match destination-address A\n"
    "set security policies from-zone u to-zone t policy p match application any\n"
    "set security policies from-zone u to-zone t policy p then permit\n",
    "vyos": "set firewall group address-group A include 'B'\nset firewall group address-group B include 'A'\n"
    "set firewall ipv4 forward filter default-action 'drop'\n"
    "set firewall ipv4 forward filter rule 1 action 'accept'\n"
    "set firewall ipv4 forward filter rule 1 destination group address-group 'A'\n",
    "fortios": 'config firewall addrgrp\n edit "A"\n  set member "B"\n next\n edit "B"\n  set member "A"\n next\nend\n'
    'config firewall policy\n edit 1\n  set srcintf "any"\n  set dstintf "any"\n  set srcaddr "A"\n'
    '  set dstaddr "all"\n  set action accept\n  set schedule "always"\n  set service "ALL"\n next\nend\n',
    "panos": "set address-group A static B\nset address-group B static A\nset zone t network layer3 ethernet1/1\n"
    + "".join(
        f"set rulebase security rules R {words}\n"
        for words in ("from any", "to any", "source A", "destination any", "application any", "service any",
                      "action allow")
    ),
    "pfsense": "<pfsense><version>21</version><interfaces><wan><enable/><if>em0</if><ipaddr>dhcp</ipaddr></wan>"
    "</interfaces>\n<aliases><alias><name>A</name><type>host</type><address>B</address></alias>\n"
    "<alias><name>B</name><type>host</type><address>A</address></alias></aliases>\n<filter><rule><type>pass</type>"
    "<interface>wan</interface><source><address>A</address></source><destination><any/></destination></rule>"
    "</filter></pfsense>\n",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_that_holds_itself_is_never_a_silent_permit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A device refuses it, and the guard must still read the rest: it is unread, and its rule is unknown."""
    path = tmp_path / "group"
    path.write_text(GROUPS[name], encoding="utf-8")
    packet = "--in Gi0/0 --src 198.51.100.7 --dst 10.9.9.9 --proto tcp --dport 443"
    code, cpu_s = run("query", str(path), "--dialect", name, *packet.split())
    said = capsys.readouterr().out
    assert 0 == code
    assert not said.startswith("accept"), said
    assert cpu_s < 3
    assert 1 == run("lint", str(path), "--dialect", name)[0]
    assert ": unread: " in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - ENDLESS))
def test_half_a_file_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cut within its last block: what the dialect closes is not closed. Set lines are whole by themselves."""
    folders = sorted((GOLDEN / name).glob("*/input*"))
    texts = [text for path in folders if not (text := path.read_text()).lstrip().startswith(("set ", "#"))]
    whole = [text for text in texts if text.rstrip().endswith(("}", ">", "COMMIT", "end"))]
    assert whole or name == "vyos"
    for text in whole:
        body = text.rstrip()
        half = tmp_path / "half"
        half.write_text(body[: body.rindex("\n") - 2], encoding="utf-8")
        assert 2 == run("read", str(half), "--dialect", name)[0], body[-200:]
        assert refused(half, capsys.readouterr().err.strip())


def test_an_unknown_dialect_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    path = tmp_path / "rules"
    path.write_text(LOOPS["iptables"], encoding="utf-8")
    assert 2 == run("read", str(path), "--dialect", "klingon")[0]
    said = capsys.readouterr().err
    assert "klingon" in said
    assert all(name in said for name in DIALECTS)


@pytest.mark.parametrize(("size_mb", "what"), [(200, "too large"), (60, "a line of")])
def test_a_line_of_two_hundred_megabytes_is_refused(tmp_path: Path, size_mb: int, what: str) -> None:
    """In less memory than the file has, in a process of its own."""
    path = tmp_path / "long"
    with path.open("wb") as file:
        for _ in range(size_mb):
            file.write(b"a" * (1 << 20))
    command = [sys.executable, "-m", "fwguard", "read", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 2 == done.returncode
    assert str(path) in done.stderr and what in done.stderr and "expected" in done.stderr
    assert usage.ru_utime - before < 5
    assert usage.ru_maxrss < 400 << 10
