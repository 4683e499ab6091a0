"""Each conversation of tests/golden/detect becomes a capture, and `fwguard scan --json` says the reviewed verdicts.

`input.txt`: `tcp A:port B:port` or `udp A:port B:port` begins a flow, `>` and `<` are what its client and its
server say (Python escapes), `syn A B ports…` and `arp` lines are packets alone, `wait SECONDS` lets time pass.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from wire import SYN, Wire

from fwguard.cli.scan import command

CASES = sorted(folder for folder in Path(__file__).parent.iterdir() if (folder / "input.txt").is_file())


def end(text: str) -> tuple[str, int]:
    """Read `address:port` or `[address]:port`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def said(text: str) -> bytes:
    """Read what one side says."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def play(text: str) -> Wire:
    """Write the conversation on a wire."""
    wire = Wire()
    flow: tuple[str, tuple[str, int], tuple[str, int]] | None = None
    lines: list[tuple[str, bytes]] = []

    def close() -> None:
        nonlocal flow
        if flow is not None:
            kind, (client, sport), (server, port) = flow
            if kind == "tcp":
                wire.talk(lines, client=client, sport=sport, server=server, port=port)
            for who, data in lines if kind == "udp" else ():
                ends = (client, sport, server, port) if who == "c" else (server, port, client, sport)
                wire.say(*ends, data)
        flow = None
        lines.clear()

    for line in text.splitlines():
        words = line.split()
        if line[:2] in ("> ", "< "):
            lines.append(("c" if line[0] == ">" else "s", said(line[2:])))
            continue
        close()
        match words:
            case ["tcp" | "udp" as kind, client, server]:
                flow = kind, end(client), end(server)
            case ["wait", seconds]:
                wire.wait(float(seconds))
            case ["syn", source, target, first, last]:
                for port in range(int(first), int(last) + 1):
                    wire.tcp(source, 50000, target, port, SYN)
            case ["arp", sender, card, target, to]:
                wire.arp(2, (bytes.fromhex(card), sender), (bytes.fromhex(to), target), bytes.fromhex(to))
            case []:
                pass
            case _ if not line.startswith("#"):
                raise ValueError(line)
    close()
    return wire


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_says_the_reviewed_verdicts(folder: Path, tmp_path: Path) -> None:
    """Who, to whom, by which packets, why, under which clause."""
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(play((folder / "input.txt").read_text()).pcap())
    result = CliRunner().invoke(command, [str(capture), "--json", "--inside", "192.0.2.0/24,2001:db8:2::/48"])
    verdicts = [json.loads(line) for line in result.stdout.splitlines()]
    for one in verdicts:
        assert str(capture) == one.pop("file")
    actual = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in verdicts)
    path = folder / "want.jsonl"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual)
    assert path.read_text() == actual
    assert (1 if verdicts else 0) == result.exit_code
