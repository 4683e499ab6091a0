"""One firewall with FRR alone, a controller's host beside it, in namespaces of its own: for tests."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from fwguard.devices.command_line.device import CommandLineDevice
from fwguard.devices.protocol import Endpoint
from fwguard.errors import DeviceError
from fwguard.lab import box as boxes
from fwguard.lab import namespaces, run_state, traffic
from fwguard.lab import plan as p
from fwguard.lab.firewall_box import Ingredients, KeyPair
from fwguard.lab.plan import FirewallPlan
from fwguard.lab.routing_firewall import USER, routing_box
from fwguard.model.inventory import Firewall, Platform, Transport

T = TypeVar("T")
ZEBRA: Final = "/usr/lib/frr/zebra"
READY_S: Final = 30.0
ROUTES: Final = ("ip route 10.80.0.0/16 10.20.0.9", "ipv6 route fd80::/64 fd20::9")


@dataclass
class RoutingSite:
    """One firewall and the `controller` host; `endpoint` is its command line over IPv4, `endpoint6` over IPv6."""

    run: str
    plan: FirewallPlan
    endpoint: Endpoint
    endpoint6: Endpoint
    init: int
    devices: list[CommandLineDevice] = field(default_factory=list)

    def netns(self, host: str) -> str:
        """Return the namespace of a host."""
        return f"fwg-{self.run}-{host}"

    def connect(self, endpoint: Endpoint | None = None) -> CommandLineDevice:
        """Open a session from the controller's host; it is closed at the end of the test."""
        device = self.at_controller(lambda: CommandLineDevice(endpoint or self.endpoint))
        self.devices.append(device)
        return device

    def at_controller(self, work: Callable[[], T]) -> T:
        """Do something where the controller stands: its threads stand there too."""
        return namespaces.inside(self.netns("controller"), work)

    def run_inside(self, *argv: str, text: str = "") -> str:
        """Run a command as the firewall's root."""
        done = subprocess.run(
            boxes.inside_box(self.init, list(argv)), input=text, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise DeviceError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def enter(self, *lines: str) -> None:
        """Enter lines in FRR's configuration mode, as its client would."""
        self.run_inside("vtysh", "-c", "configure terminal", *(w for line in lines for w in ("-c", line)))

    def kernel_has(self, prefix: str) -> bool:
        """Tell whether the kernel of the firewall has a route to just this prefix."""
        family = "-6" if ":" in prefix else "-4"
        return bool(self.run_inside("ip", family, "route", "show", "exact", prefix).strip())

    def kernel_gets(self, prefix: str) -> bool:
        """Tell whether it has one within five seconds (zebra follows staticd)."""
        return self._within_5_s(lambda: self.kernel_has(prefix))

    def kernel_loses(self, prefix: str) -> bool:
        """Tell whether it has none within five seconds."""
        return self._within_5_s(lambda: not self.kernel_has(prefix))

    @staticmethod
    def _within_5_s(holds: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 5
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def alone(directory: Path) -> Iterator[RoutingSite]:
    """Yield a firewall that is up with ROUTES; all is gone afterwards. Raises DeviceError."""
    if not Path(ZEBRA).exists():
        raise DeviceError(f"{ZEBRA} is missing: `apt-get install frr` or `make setup`")
    run = f"rt{secrets.token_hex(3)}"
    hosts = [f"fwg-{run}-{host}" for host in ("fw", "inside", "controller")]
    child: subprocess.Popen[bytes] | None = None
    site: RoutingSite | None = None
    try:
        # Bound to this process: its namespaces have an owner, and end with it at the latest.
        run_state.begin(run, firewalls=1, kinds=("nftables",), bound=True)
        firewall = p.plan(run, kinds=frozenset({"nftables"})).firewalls[0]
        operator, host_key = KeyPair.new(), KeyPair.new()
        namespaces.create(hosts)
        _link(hosts[0], hosts[1], hosts[2], firewall)
        made_from = Ingredients(
            firewall=firewall, netns=hosts[0], host_key=host_key, operator_public=operator.public
        )
        boxes.common_etc(directory / "etc")
        (directory / "fw").mkdir()
        child = boxes.start(routing_box(made_from, ROUTES), directory / "fw", directory / "etc")
        deadline = time.monotonic() + READY_S
        while not traffic.can_connect(hosts[2], firewall.mgmt4, 22, timeout_s=0.2):
            if child.poll() is not None or time.monotonic() > deadline:
                raise DeviceError(f"the firewall does not come up: {(directory / 'fw/log').read_text()}")
            time.sleep(0.05)
        ends = [
            Endpoint(
                firewall=Firewall(
                    name=firewall.name, client=firewall.client, platform=Platform.FRR,
                    transport=Transport.COMMAND_LINE, address=address, port=22, username=USER,
                ),
                private_key=operator.private,
                host_key=host_key.public,
            )
            for address in (firewall.mgmt4, firewall.mgmt6)
        ]  # fmt: skip
        site = RoutingSite(run, firewall, ends[0], ends[1], boxes.init_pid(child.pid))
        yield site
    finally:
        for device in site.devices if site else []:
            device.close()
        if child is not None:
            child.kill()
            child.wait(10)
        run_state.destroy(run)


def _link(fw: str, inside: str, controller: str, firewall: FirewallPlan) -> None:
    namespaces.write_sysctls(
        {name: {"net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0}
         for name in (fw, inside, controller)}
    )  # fmt: skip
    namespaces.ip_batch(
        [
            "link add wan0 type bridge",
            f"link add lan0 type veth peer name eth0 netns {inside}",
            f"link add mgmt0 type veth peer name eth0 netns {controller}",
        ],
        netns=fw,
    )
    namespaces.ip_batches(
        {
            fw: ["link set lo up"],
            inside: [
                "link set lo up", "link set eth0 up", "addr add 10.20.0.9/24 dev eth0",
                "addr add fd20::9/64 dev eth0 nodad",
            ],
            controller: [
                "link set lo up", "link set eth0 up", f"addr add {p.CONTROLLER4}/16 dev eth0",
                f"addr add {p.CONTROLLER6}/64 dev eth0 nodad",
            ],
        }
    )  # fmt: skip
