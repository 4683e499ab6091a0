"""A firewall of one's own: a network namespace with private /etc and /run, a real sshd, and the gate."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fwguard.devices.hostkey import fetch_host_key
from fwguard.devices.protocol import Endpoint
from fwguard.devices.ssh import SshDevice
from fwguard.errors import DeviceUnreachableError
from fwguard.model.inventory import Firewall, Platform, Transport
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant

GATE = Path(__file__).parents[3] / "fwguard" / "devices" / "gate.sh"
SSHD = """\
Port 22
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
LogLevel ERROR
"""
INSIDE = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work
mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work /etc
mount -t tmpfs tmpfs /run
rm -rf /etc/nftables.conf /etc/iptables /etc/network/static-routes
sed -i "s,^root:.*,root:x:0:0:root:/root:/bin/sh," /etc/passwd  # no start-up files of a shell
mkdir -p /run/sshd
install -m 755 {gate} /run/fwguard-gate
cp {keys}/* {folder}/
ip link set lo up
ip link set up dev out
ip address add {inside}/31 dev out
ip link add lan type bridge
ip link set lan up
ip address add 10.77.0.1/24 dev lan
ip address add fd77::1/64 dev lan nodad
echo up
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""
RULES = """\
table inet fw {
	set blocked {
		type ipv4_addr
		flags dynamic,timeout
		timeout 1h
		size 1000
		elements = { 203.0.113.7 timeout 30m }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		counter
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related counter accept
		ip daddr 10.77.0.2 tcp dport 443 counter accept
		ip6 daddr fd77::2 tcp dport 443 counter accept
	}
}
table inet nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 8443 counter dnat ip to 10.77.0.2:443
	}
}
"""


class Box:
    """One firewall. `run` is what its administrator does, as root inside it."""

    def __init__(self, folder: Path) -> None:
        run = secrets.token_hex(3)
        number = secrets.randbelow(1 << 14) * 2
        self.namespace, self._out = f"fwgd{run}", f"fwgd{run}"
        self.outside, self.address = (f"169.254.{64 + (n >> 8)}.{n & 255}" for n in (number, number + 1))
        self._folder = folder
        keys = folder / "keys"
        keys.mkdir()
        for name in ("host", "operator", "stranger", "sleeper", "halver"):
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name))
        commands = {
            "operator": "/run/fwguard-gate",
            "sleeper": "sleep 60",
            "halver": "/run/fwguard-gate | head -c 400",
        }
        lines = [
            f'restrict,command="{command}" {(keys / f"{name}.pub").read_text()}'
            for name, command in commands.items()
        ]
        (keys / "authorized_keys").write_text("".join(lines))
        (keys / "sshd_config").write_text(SSHD.format(folder=folder / "private"))
        self._keys = keys
        (folder / "private").mkdir()

    def start(self) -> None:
        _do("ip", "netns", "add", self.namespace)
        _do("ip", "link", "add", self._out, "type", "veth", "peer", "name", "out", "netns", self.namespace)
        _do("ip", "address", "add", f"{self.outside}/31", "dev", self._out)
        _do("ip", "link", "set", "up", "dev", self._out)
        script = INSIDE.format(
            folder=self._folder / "private", keys=self._keys, gate=GATE, inside=self.address
        )
        unshare = ("unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script)
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *unshare], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert b"up\n" == self._process.stdout.readline()
        end = time.monotonic() + 10
        while True:
            with suppress(DeviceUnreachableError):
                self.host_key = fetch_host_key(self.address, 22, connect_s=2)
                break
            assert self._process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._init = children[0]

    def stop(self) -> None:
        if hasattr(self, "_process"):
            self._process.kill()
            self._process.wait(10)
        for command in (
            ("ip", "netns", "delete", self.namespace),
            ("ip", "link", "delete", self._out),
        ):
            subprocess.run(command, check=False, capture_output=True)

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run a command as the firewall's administrator, and return what it prints."""
        inside = ("nsenter", "-t", self._init, "-n", "-m", "-p", *command)
        done = subprocess.run(inside, input=stdin, capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def write_file(self, path: str, text: str) -> None:
        self.run("sh", "-c", f"mkdir -p {path.rpartition('/')[0]} && cat > {path}", stdin=text)

    def processes(self) -> list[str]:
        """Return the command lines of all processes of the firewall, without sshd's own."""
        lines = self.run("ps", "-eo", "args=").splitlines()
        return [line for line in lines if not line.startswith(("sshd:", "/usr/sbin/sshd", "ps "))]

    def endpoint(self, key: str = "operator", answer_s: float = 15.0) -> Endpoint:
        firewall = Firewall(
            name="fw1",
            client="acme",
            platform=Platform.LINUX,
            transport=Transport.SSH,
            address=self.address,
            port=22,
            username="root",
        )
        private_key = (self._keys / key).read_text()
        return Endpoint(
            firewall=firewall, private_key=private_key, host_key=self.host_key, connect_s=5, answer_s=answer_s
        )


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def warrant_for(before: Snapshot, after: Snapshot) -> Warrant:
    """Return a right to write exactly this, under an id of its own."""
    return Warrant(
        id=secrets.token_hex(8),
        ground=Ground.APPROVED_CHANGE,
        clause="7.1.1",
        author="staff",
        reason="a test",
        subject="firewall:fw1",
        before=before.digest,
        after=after.digest,
        issued_at=datetime.now(UTC),
    )


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Box]:
    """A firewall without a rule."""
    box = Box(tmp_path)
    try:
        box.start()
        yield box
    finally:
        box.stop()


@pytest.fixture
def box(bare: Box) -> Box:
    """A firewall with nftables rules, v4 and v6, static routes and boot files."""
    bare.run("nft", "-f", "-", stdin=RULES)
    bare.write_file("/etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n" + RULES)
    bare.run("ip", "route", "add", "10.80.0.0/16", "via", "10.77.0.9")
    bare.run("ip", "-6", "route", "add", "fd80::/64", "via", "fd77::9")
    bare.write_file("/etc/network/static-routes", "route replace 10.80.0.0/16 via 10.77.0.9\n")
    return bare


@pytest.fixture
def connect() -> Iterator[Callable[..., SshDevice]]:
    """Open devices that are closed at the end."""
    opened: list[SshDevice] = []

    def open_one(endpoint: Endpoint, **changes: object) -> SshDevice:
        opened.append(SshDevice(replace(endpoint, **changes)))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for device in opened:
        device.close()


def until(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Return whether it became true in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., bool]:
    return until


@pytest.fixture(name="warrant_for")
def warrant_for_fixture() -> Callable[[Snapshot, Snapshot], Warrant]:
    return warrant_for
