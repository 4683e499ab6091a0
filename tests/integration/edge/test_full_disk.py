"""An agent whose disk is full: it goes on enforcing, cutting and telling, and says so."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_site import CLOSED_PORT, INTERNET, OPEN_PORT, Site, site_state

from fwguard.model.edge_wire import EventKind

pytestmark = pytest.mark.integration


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Build a site whose state directory is a disk of 6 MiB."""
    (tmp_path / "state").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(tmp_path / "state")]
    subprocess.run(mount, check=True, timeout=10)
    try:
        with Site(tmp_path) as made, made.web():
            made.begin()
            made.peer.publish(site_state(1))
            made.start()
            made.peer.wait_applied((1, 1))
            yield made
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "state")], check=True, timeout=10)


def _smtp(one: socket.socket) -> None:
    one.sendall(b"220 mx.example.net ESMTP ready\r\n")
    while data := one.recv(512):
        one.sendall(
            b"250-mx.example.net\r\n250 OK\r\n" if data.upper().startswith(b"EHLO") else b"250 Ok\r\n"
        )


def test_a_full_disk_changes_nothing_but_the_alarm(site: Site) -> None:
    """New states hold, a breach is cut and told, an alarm calls; with room again all is on disk."""
    fill = site.state_dir / "fill"
    with suppress(OSError), fill.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    site.peer.publish(site_state(2, opened=(OPEN_PORT, CLOSED_PORT)))
    site.peer.wait_applied((1, 2))
    assert site.connects(4, CLOSED_PORT) and site.connects(6, CLOSED_PORT)
    with site.listening(site.internet, 4, 34525, _smtp), site.dial(site.server, 4, INTERNET[4], 34525) as one:
        for words in (
            b"EHLO spam.example\r\n",
            b"MAIL FROM:<a@example.org>\r\n",
            b"RCPT TO:<b@example.net>\r\n",
        ):
            with suppress(OSError):
                one.sendall(words)
            time.sleep(0.1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        verdict = site.peer.wait_for(lambda: site.peer.of_kind(EventKind.VERDICT))[0]
    assert "port" == verdict.facts["action"]
    site.peer.wait_for(lambda: [e for e in site.peer.of_kind(EventKind.ALARM) if "disk" in e.facts["what"]])
    fill.unlink()
    site.peer.publish(site_state(3))
    site.peer.wait_applied((1, 3))
    time.sleep(1.5)
    # The cut was written down, one way or the other: it holds over a kill.
    site.kill()
    site.start()
    done = site.nft("list", "set", "inet", "fwguard", "cut_local_service")
    assert "34525" in done.stdout
    assert not site.connects(4, CLOSED_PORT) and site.connects(4, OPEN_PORT)
