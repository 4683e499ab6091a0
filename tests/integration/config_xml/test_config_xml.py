"""The script for pfSense and OPNsense on a real shell over a real sshd.

Neither product runs here: what loads the file is a script of the test that copies it to /run/loaded, or fails.
Lock, pre-image, timer, renaming and every exit are the real ones.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fwguard.devices.config_xml import ConfigXmlDevice
from fwguard.devices.protocol import Endpoint
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    HostKeyChangedError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.lab import box as boxes
from fwguard.lab import namespaces, run_state, traffic
from fwguard.lab.firewall_box import KeyPair
from fwguard.model.inventory import Firewall, Platform, Transport
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("config-xml")]
CONFIG, RELOAD = "/etc/conf/config.xml", "/usr/local/sbin/reload"
LOADS = f"""\
#!/bin/sh
[ ! -e /run/broken ] || ! grep -q bad {CONFIG} || exit 1
cp {CONFIG} /run/loaded
"""
TEXT = """\
<?xml version='1.0'?>
<pfsense>
<system><hostname>{}</hostname></system>
<!-- d'\\é $(reboot) `x` -->
</pfsense>{}"""
ADDRESSES = {4: "172.31.7.1", 6: "fd31:7::1"}


@dataclass
class Site:
    """One box with the file, and the namespace that the controller stands in."""

    controller: str
    init: int
    endpoint: Endpoint
    devices: list[ConfigXmlDevice] = field(default_factory=list)

    def connect(self, *, version: int = 4, **changes: object) -> ConfigXmlDevice:
        """Open a session over one IP version."""
        end = replace(self.endpoint, firewall=replace(self.endpoint.firewall, address=ADDRESSES[version]))
        end = replace(end, **changes)  # type: ignore[arg-type]
        device = namespaces.inside(
            self.controller, lambda: ConfigXmlDevice(end, config=CONFIG, reload=RELOAD)
        )
        self.devices.append(device)
        return device

    def run(self, command: str) -> str:
        """Run a shell command as the firewall's root."""
        done = subprocess.run(
            boxes.inside_box(self.init, ["sh", "-c", command]), capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A box that is up; all of it is gone afterwards."""
    run = f"cx{secrets.token_hex(3)}"
    fw, controller = f"fwg-{run}-fw", f"fwg-{run}-controller"
    child: subprocess.Popen[bytes] | None = None
    found: Site | None = None
    operator, host_key = KeyPair.new(), KeyPair.new()
    config = (
        "HostKey /etc/ssh/host\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\n"
        "UseDNS no\nPidFile none\n"
    )
    box = boxes.Box(
        host="pf",
        netns=fw,
        files={
            CONFIG: boxes.File(text=TEXT.format("fw", "\n")),
            RELOAD: boxes.File(text=LOADS, mode=0o755),
            "/etc/ssh/sshd_config": boxes.File(text=config),
            "/etc/ssh/host": boxes.File(text=host_key.private, mode=0o600),
            "/root/.ssh/authorized_keys": boxes.File(
                text=f"restrict {operator.public} operator\n", mode=0o600
            ),
        },
        boot=("ln -s /run /var/run",),
        daemons=("/usr/sbin/sshd -D -e",),
    )
    try:
        run_state.begin(run, firewalls=1, kinds=("nftables",), bound=True)
        namespaces.create([fw, controller])
        namespaces.ip_batch([f"link add eth0 type veth peer name eth0 netns {controller}"], netns=fw)
        for name, last in ((fw, 1), (controller, 2)):
            namespaces.ip_batch(
                ["link set lo up", "link set eth0 up", f"addr add 172.31.7.{last}/24 dev eth0",
                 f"addr add fd31:7::{last}/64 dev eth0 nodad"],
                netns=name,
            )  # fmt: skip
        boxes.common_etc(tmp_path / "etc")
        (tmp_path / "fw").mkdir()
        child = boxes.start(box, tmp_path / "fw", tmp_path / "etc")
        deadline = time.monotonic() + 30
        while not traffic.can_connect(controller, ADDRESSES[4], 22, timeout_s=0.2):
            assert time.monotonic() < deadline, (tmp_path / "fw/log").read_text()
            time.sleep(0.05)
        firewall = Firewall(
            name="pf", client="acme", platform=Platform.PFSENSE, transport=Transport.CONFIG_XML,
            address=ADDRESSES[4], port=22, username="root",
        )  # fmt: skip
        end = Endpoint(firewall=firewall, private_key=operator.private, host_key=host_key.public)
        found = Site(controller, boxes.init_pid(child.pid), end)
        yield found
    finally:
        for device in found.devices if found else []:
            device.close()
        if child is not None:
            child.kill()
            child.wait(10)
        run_state.destroy(run)


def snapshot(text: str) -> Snapshot:
    """Return a state of the firewall."""
    return Snapshot({"running": text})


def warrant_for(before: Snapshot, after: Snapshot) -> Warrant:
    """Return a right to write exactly this."""
    return Warrant(
        id=secrets.token_hex(8), ground=Ground.BASELINE, clause="7.1.1", author="staff", reason="a test",
        subject="firewall:pf", before=before.digest, after=after.digest, issued_at=datetime.now(UTC),
    )  # fmt: skip


def within_5_s(holds: Callable[[], bool]) -> bool:
    """Tell whether it holds within five seconds."""
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("end", ["\n", "", "\n\n"])
def test_writes_the_file_to_its_last_byte_and_loads_it(site: Site, version: int, end: str) -> None:
    """Quotes, dollars and backquotes are only text; confirmed, it stays."""
    device = site.connect(version=version)
    before = device.read()
    assert TEXT.format("fw", "\n") == before.get("running")
    after = snapshot(TEXT.format("other", end))
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=2)
    fresh = site.connect(version=version)
    assert after == fresh.read()
    fresh.confirm(warrant)
    time.sleep(2.5)
    assert after == fresh.read()
    assert after.get("running") == site.run("cat /run/loaded")


def test_what_nobody_confirms_is_undone_there(site: Site) -> None:
    """By the firewall itself, the line being gone; and it cannot be confirmed any more."""
    device = site.connect()
    before, after = device.read(), snapshot(TEXT.format("other", "\n"))
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=1)
    assert "other" in site.run("cat /run/loaded")
    device.close()
    assert within_5_s(lambda: ">fw<" in site.run("cat /run/loaded"))
    fresh = site.connect()
    assert before == fresh.read()
    with pytest.raises(NotPendingError, match="decided already"):
        fresh.confirm(warrant)


def test_rolls_back_when_told(site: Site) -> None:
    """From another session."""
    device = site.connect()
    before, after = device.read(), snapshot(TEXT.format("other", "\n"))
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    with pytest.raises(CommitRefusedError, match="waits to be confirmed"):
        device.apply(after, before, warrant=warrant_for(after, before), confirm_s=30)
    site.connect().roll_back(warrant)
    assert before == device.read()
    assert ">fw<" in site.run("cat /run/loaded")


def test_another_state_is_not_written_over(site: Site) -> None:
    """It was read, and then changed."""
    device = site.connect()
    before, after = device.read(), snapshot(TEXT.format("other", "\n"))
    site.run(f"sed -i s/fw/client/ {CONFIG}")
    with pytest.raises(PreimageMovedError):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert "client" in device.read().get("running")


def test_a_file_that_does_not_load_is_taken_back(site: Site) -> None:
    """At once, and the old one is loaded."""
    site.run("touch /run/broken")
    device = site.connect()
    before, after = device.read(), snapshot(TEXT.format("bad", "\n"))
    with pytest.raises(CommitRefusedError, match="does not load"):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert before == device.read()
    assert ">fw<" in site.run("cat /run/loaded")


def test_a_file_that_is_not_there_is_no_reading(site: Site) -> None:
    """It is not taken for an empty one."""
    site.run(f"rm {CONFIG}")
    with pytest.raises(PartialReadingError, match="No such file"):
        site.connect().read()


def test_a_file_that_hangs_is_no_reading(site: Site) -> None:
    """A pipe in its place: within the deadline."""
    site.run(f"rm {CONFIG} && mkfifo {CONFIG}")
    started = time.monotonic()
    with pytest.raises(DeviceError):
        site.connect(answer_s=1.0).read()
    assert time.monotonic() - started < 5


def test_another_host_key_is_refused(site: Site) -> None:
    """Before anything is sent."""
    with pytest.raises(HostKeyChangedError):
        site.connect(host_key=KeyPair.new().public)


def test_a_write_of_nobody_is_not_confirmed(site: Site) -> None:
    """Nor undone."""
    device = site.connect()
    state = device.read()
    for decide in (device.confirm, device.roll_back):
        with pytest.raises(NotPendingError, match="no write"):
            decide(warrant_for(state, state))
