"""One NETCONF firewall alone, with a host on each side, in namespaces of its own: for tests and benchmarks."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

from fwguard.devices.netconf import NetconfDevice
from fwguard.devices.protocol import Endpoint
from fwguard.errors import DeviceError
from fwguard.lab import box as boxes
from fwguard.lab import namespaces, run_state, traffic
from fwguard.lab import plan as p
from fwguard.lab.firewall_box import Ingredients, KeyPair
from fwguard.lab.netconf_firewall import netconf_box
from fwguard.lab.plan import FirewallPlan
from fwguard.model.inventory import Firewall, Platform, Transport

READY_S: Final = 30.0
SERVED: Final = (22, 80, 443, 8080)  # TCP ports that the server behind it echoes on


@dataclass
class Site:
    """One firewall with `outside`, `inside` and `controller` hosts."""

    run: str
    plan: FirewallPlan
    endpoint: Endpoint
    init: int
    log: Path
    devices: list[NetconfDevice] = field(default_factory=list)

    def netns(self, host: str) -> str:
        """Return the namespace of a host."""
        return f"fwg-{self.run}-{host}"

    def connect(self, endpoint: Endpoint | None = None) -> NetconfDevice:
        """Open a session from the controller's host; it is closed at the end of the test."""
        device = namespaces.inside(self.netns("controller"), lambda: NetconfDevice(endpoint or self.endpoint))
        self.devices.append(device)
        return device

    def run_inside(self, *argv: str, text: str = "") -> str:
        """Run a command as the firewall's root."""
        done = subprocess.run(
            boxes.inside_box(self.init, list(argv)), input=text, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise DeviceError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def tamper(self, way: str) -> None:
        """Do as its client would: one of netconf_tamper.SCRIPTS."""
        firewall = self.plan
        web = firewall.servers[0]
        self.run_inside(
            sys.executable, "-m", "fwguard.lab.netconf_tamper", way, web.address4, web.address6,
            firewall.public4[0], firewall.public6[0], firewall.link4[0], firewall.link6[0],
        )  # fmt: skip

    def reaches(self, port: int, *, v6: bool = False, timeout_s: float = 0.5) -> bool:
        """Tell whether `outside` gets a TCP connection to that port of the public address."""
        address = self.plan.public6[0] if v6 else self.plan.public4[0]
        return traffic.can_connect(self.netns("outside"), address, port, timeout_s=timeout_s)

    def eventually_reaches(self, port: int, *, v6: bool = False) -> bool:
        """Tell whether it does within five seconds (the renderer follows a commit)."""
        return self.eventually(lambda: self.reaches(port, v6=v6))

    def eventually_refuses(self, port: int, *, v6: bool = False) -> bool:
        """Tell whether it stops to within five seconds."""
        return self.eventually(lambda: not self.reaches(port, v6=v6))

    def inside_reaches_out(self, *, v6: bool = False) -> bool:
        """Tell whether the server behind the firewall gets a TCP connection to the outer host."""
        address = p.INTERNET6 if v6 else p.INTERNET4
        return traffic.can_connect(self.netns("inside"), address, 443, timeout_s=1.0)

    def eventually(self, holds: Callable[[], bool]) -> bool:
        """Tell whether it holds within five seconds."""
        deadline = time.monotonic() + 5
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


@contextmanager
def alone(directory: Path) -> Iterator[Site]:
    """Yield a firewall that is up, with a server behind it; all is gone afterwards. Raises DeviceError."""
    run = f"nc{secrets.token_hex(3)}"
    hosts = [f"fwg-{run}-{host}" for host in ("fw", "outside", "inside", "controller")]
    child: subprocess.Popen[bytes] | None = None
    listeners: list[socket.socket] = []
    site: Site | None = None
    try:
        # Bound to this process: its namespaces have an owner, and end with it at the latest.
        run_state.begin(run, firewalls=1, kinds=("netconf",), bound=True)
        firewall = p.plan(run, kinds=frozenset({"netconf"})).firewalls[0]
        operator, host_key = KeyPair.new(), KeyPair.new()
        namespaces.create(hosts)
        _link(run, firewall)
        for port in SERVED:
            listeners.append(namespaces.inside(hosts[2], partial(_listen, port)))
        listeners.append(namespaces.inside(hosts[1], partial(_listen, 443)))
        made_from = Ingredients(
            firewall=firewall, netns=hosts[0], host_key=host_key, operator_public=operator.public
        )
        boxes.common_etc(directory / "etc")
        (directory / "fw").mkdir()
        child = boxes.start(netconf_box(made_from), directory / "fw", directory / "etc")
        deadline = time.monotonic() + READY_S
        while not traffic.can_connect(hosts[3], firewall.mgmt4, 830, timeout_s=0.2):
            if child.poll() is not None or time.monotonic() > deadline:
                raise DeviceError(f"the firewall does not come up: {(directory / 'fw/log').read_text()}")
            time.sleep(0.05)
        endpoint = Endpoint(
            firewall=Firewall(
                name=firewall.name, client="initech", platform=Platform.IETF, transport=Transport.NETCONF,
                address=firewall.mgmt4, port=830, username="root",
            ),
            private_key=operator.private,
            host_key=host_key.public,
        )  # fmt: skip
        site = Site(run, firewall, endpoint, boxes.init_pid(child.pid), directory / "fw/log")
        yield site
    finally:
        for device in site.devices if site else []:
            device.close()
        for listener in listeners:
            listener.close()
        if child is not None:
            child.kill()
            child.wait(10)
        run_state.destroy(run)


def _link(run: str, firewall: FirewallPlan) -> None:
    fw, out, inside, controller = (f"fwg-{run}-{host}" for host in ("fw", "outside", "inside", "controller"))
    namespaces.write_sysctls(
        {name: {"net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0}
         for name in (fw, out, inside, controller)}
    )  # fmt: skip
    namespaces.ip_batch(
        [f"link add {port} type veth peer name eth0 netns {peer}"
         for port, peer in (("wan0", out), ("lan0", inside), ("mgmt0", controller))],
        netns=fw,
    )  # fmt: skip
    publics = [*(f"route add {one}/32 via {firewall.link4[1]}" for one in firewall.public4)]
    publics += [f"route add {one}/128 via {firewall.link6[1]}" for one in firewall.public6]
    namespaces.ip_batches(
        {
            fw: ["link set lo up"],
            out: [
                "link set lo up", "link set eth0 up", f"addr add {firewall.link4[0]}/30 dev eth0",
                f"addr add {firewall.link6[0]}/126 dev eth0 nodad", f"addr add {p.INTERNET4}/32 dev lo",
                f"addr add {p.INTERNET6}/128 dev lo nodad", f"addr add {p.SCANNER4}/32 dev lo", *publics,
            ],
            inside: [
                "link set lo up", "link set eth0 up", "addr add 10.20.0.11/24 dev eth0",
                "addr add fd20::11/64 dev eth0 nodad", f"route add default via {p.GATEWAY4}",
                f"route add default via {p.GATEWAY6}",
            ],
            controller: ["link set lo up", "link set eth0 up", f"addr add {p.CONTROLLER4}/16 dev eth0"],
        }
    )  # fmt: skip


def _listen(port: int) -> socket.socket:
    """Listen on a port, both IP versions, and echo what comes."""
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)

    def echo(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=echo, args=(connection,), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    return listener
