"""A real libvirt: Debian's daemon with its test driver, in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DOMAIN = "<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>"


@dataclass(slots=True)
class Daemon:
    """A daemon that keeps what is defined as long as one connection is open."""

    uri: str
    folder: Path

    def virsh(self, *words: str) -> str:
        """Do something to a domain, as an operator would."""
        done = subprocess.run(
            ["virsh", "--connect", self.uri, *words], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def define(self, name: str) -> None:
        """Define a domain, shut off."""
        path = self.folder / f"{name}.xml"
        path.write_text(DOMAIN.format(name=name))
        self.virsh("define", str(path))


@pytest.fixture
def libvirt() -> Iterator[Daemon]:
    """Start the daemon on a socket of its own; nothing of this machine's libvirt is touched."""
    folder = Path(tempfile.mkdtemp(prefix="fwguard-libvirt-"))  # a socket's path takes 107 bytes
    (folder / "libvirtd.conf").write_text(
        f'unix_sock_dir = "{folder}"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\n'
    )
    hidden = " && ".join(
        f"{{ [ ! -d {place} ] || mount -t tmpfs none {place}; }}"
        for place in ("/run", "/etc/libvirt", "/var/lib", "/var/cache")
    )
    command = f"{hidden} && exec libvirtd --config {folder}/libvirtd.conf --pid-file {folder}/pid"
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", command],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    keeper = None
    try:
        socket = folder / "libvirt-sock"
        deadline = time.monotonic() + 30
        while not socket.exists() and daemon.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert socket.exists(), (folder / "log").read_text()
        made = Daemon(f"test+unix:///default?socket={socket}", folder)
        keeper = subprocess.Popen(
            ["virsh", "--connect", made.uri, "event", "--domain", "test", "--event", "lifecycle", "--loop"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        made.virsh("version")
        yield made
    finally:
        if keeper is not None:
            keeper.terminate()
            keeper.wait(10)
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
