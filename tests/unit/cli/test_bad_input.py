"""Bad input of every kind in every dialect: exit 2 with file, line and what was expected, soon, in little memory."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
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


PF = "<{0}><version>21</version><interfaces><wan><enable/><if>em0</if><ipaddr>dhcp</ipaddr></wan></interfaces>\n"
Groups = list[tuple[str, tuple[str, ...]]]


def of_lines(head: str, group: str, member: str, tail: str = "") -> Callable[[Groups], str]:
    """Return what writes groups with their members, a line each, into a text of a dialect."""

    def text(groups: Groups) -> str:
        parts = [
            group.format(name) + "".join(member.format(name, one) for one in ones) for name, ones in groups
        ]
        return head + "".join(parts) + tail

    return text


def of_aliases(product: str, kind: str, place: str, tag: str) -> Callable[[Groups], str]:
    """Return what writes groups as the aliases of a config.xml."""

    def text(groups: Groups) -> str:
        aliases = "".join(
            f"<alias><enabled>1</enabled><name>{name}</name><type>{kind}</type>"
            f"<{tag}>{' '.join(ones)}</{tag}></alias>\n"
            for name, ones in groups
        )
        return PF.format(product) + place.format(aliases) + f"</{product}>\n"

    return text


# How groups that hold groups are written: dialect and what holds what -> groups into a text.
GROUPS: dict[tuple[str, str], Callable[[Groups], str]] = {
    ("asa", "networks"): of_lines("ASA Version 9.12(3)\n", "object-group network {}\n", " group-object {1}\n"),
    ("asa", "services"): of_lines("ASA Version 9.12(3)\n", "object-group service {} tcp\n", " group-object {1}\n"),
    ("ios", "networks"): of_lines("version 15.2\n", "object-group network {}\n", " group-object {1}\n", "end\n"),
    ("ios", "services"): of_lines("version 15.2\n", "object-group service {}\n", " group-object {1}\n", "end\n"),
    ("junos", "addresses"): of_lines("", "", "set security address-book global address-set {} address-set {}\n"),
    ("junos", "zone"): of_lines(
        "", "", "set security zones security-zone t address-book address-set {} address-set {}\n"
    ),
    ("junos", "applications"): of_lines("", "", "set applications application-set {} application-set {}\n"),
    ("vyos", "addresses"): of_lines("", "", "set firewall group address-group {} include '{}'\n"),
    ("vyos", "networks"): of_lines("", "", "set firewall group ipv6-network-group {} include '{}'\n"),
    ("vyos", "ports"): of_lines("", "", "set firewall group port-group {} include '{}'\n"),
    ("vyos", "rule sets"): of_lines(
        "", "", "set firewall ipv4 name {0} rule 1 action jump\nset firewall ipv4 name {0} rule 1 jump-target '{1}'\n",
    ),
    ("fortios", "addresses"): of_lines(
        "config firewall addrgrp\n", 'edit "{}"\n', 'append member "{1}"\n', "next\nend\n"
    ),
    ("fortios", "addresses of IPv6"): of_lines(
        "config firewall addrgrp6\n", 'edit "{}"\n', 'append member "{1}"\n', "next\nend\n"
    ),
    ("fortios", "services"): of_lines(
        "config firewall service group\n", 'edit "{}"\n', 'append member "{1}"\n', "next\nend\n"
    ),
    ("panos", "addresses"): of_lines("set zone t\n", "", "set address-group {} static {}\n"),
    ("panos", "shared"): of_lines("set zone t\n", "", "set shared address-group {} static {}\n"),
    ("panos", "services"): of_lines("set zone t\n", "", "set service-group {} members {}\n"),
    ("panos", "applications"): of_lines("set zone t\n", "", "set application-group {} members {}\n"),
    ("pfsense", "hosts"): of_aliases("pfsense", "host", "<aliases>\n{}</aliases>", "address"),
    ("pfsense", "ports"): of_aliases("pfsense", "port", "<aliases>\n{}</aliases>", "address"),
    ("opnsense", "networks"): of_aliases(
        "opnsense", "network", "<OPNsense><Firewall><Alias><aliases>\n{}</aliases></Alias></Firewall></OPNsense>",
        "content",
    ),
}  # fmt: skip


def ring(size: int) -> Groups:
    """Return groups each of which holds the next, and the last the first."""
    return [(f"g{n}", (f"g{(n + 1) % size}",)) for n in range(size)]


def diamond(depth: int) -> Groups:
    """Return two groups a level, each of which holds both of the next: 2**depth ways and no loop."""
    return [
        (f"{side}{level}", (f"a{level + 1}", f"b{level + 1}")) for level in range(depth) for side in "ab"
    ] + [(f"{side}{depth}", ()) for side in "ab"]


@pytest.mark.parametrize("size", [1, 2, 10_000])
@pytest.mark.parametrize(("name", "kind"), sorted(GROUPS), ids="-".join)
def test_a_group_that_holds_itself_is_refused(
    name: str, kind: str, size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the line of the group, the way round, and soon."""
    path = tmp_path / "group"
    text = GROUPS[name, kind](ring(size))
    path.write_text(text, encoding="utf-8")
    code, cpu_s = run("read", str(path), "--dialect", name)
    said = capsys.readouterr().err.strip()
    assert 2 == code, said
    assert refused(path, said), said
    assert re.search(r" g0 holds itself: g0 > (?:.* > )?g0 ", said) or kind == "rule sets", said
    line = int(said.removeprefix(f"fwguard: {path}:").partition(":")[0])
    assert "g0" in text.split("\n")[line - 1]
    assert cpu_s < 5


@pytest.mark.parametrize(("name", "kind"), sorted(GROUPS), ids="-".join)
def test_a_diamond_of_groups_is_read(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is named by many ways is followed once."""
    path = tmp_path / "group"
    path.write_text(GROUPS[name, kind](diamond(40)), encoding="utf-8")
    code, cpu_s = run("read", str(path), "--dialect", name)
    assert 0 == code, capsys.readouterr().err
    assert cpu_s < 3


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


# The program says itself what it used: what the kernel says of a child includes what ran there before exec.
OWN_USE = """
import atexit, resource, runpy, sys
def tell():
    (peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    print("used", resource.getrusage(resource.RUSAGE_SELF).ru_utime, peak, file=sys.stderr)
atexit.register(tell)
runpy.run_module("fwguard", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("size_mb", "what"), [(200, "too large"), (60, "a line of")])
def test_a_line_of_two_hundred_megabytes_is_refused(tmp_path: Path, size_mb: int, what: str) -> None:
    """In less memory than the file has, in a process of its own."""
    path = tmp_path / "long"
    with path.open("wb") as file:
        for _ in range(size_mb):
            file.write(b"a" * (1 << 20))
    command = [sys.executable, "-c", OWN_USE, "read", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert 2 == done.returncode
    said, _, use = done.stderr.rpartition("used ")
    assert str(path) in said and what in said and "expected" in said
    used_s, peak_kb = (float(word) for word in use.split())
    assert used_s < 5
    assert peak_kb < 400 << 10
