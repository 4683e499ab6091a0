"""A client behind its firewall at a real edge, with a real agent: namespaces, wires, a peer for a controller.

internet -- uplink [edge] out1 -- wan0 [firewall] lan0 -- in1 [edge] srv1 -- eth0 [server]
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_peer import Peer
from edge_states import CONTROLS, mac_of, port

from fwguard.kernel.namespaces import inside
from fwguard.model.controls import Controls, Ladder, Rung
from fwguard.model.edge import EdgeArchitecture, EdgeState, PortKind
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import ClientShare, EdgeOpening
from fwguard.model.ports import TCP

T = TypeVar("T")
EDGE_NAME = "edge1"
PUBLIC = {4: "203.0.113.10", 6: "2001:db8:1::10"}
INTERNET = {4: "198.51.100.2", 6: "2001:db8:ff::2"}
SERVER = {4: "10.20.0.11", 6: "fd20::11"}
OPEN_PORT, CLOSED_PORT = 8080, 9090
_ROOT = Path(__file__).parents[3]
_FIREWALL = """
table inet nat {
    chain in { type nat hook prerouting priority dstnat;
        iifname "wan0" tcp dport { 8080, 8081, 9090 } dnat ip to 10.20.0.11
        iifname "wan0" tcp dport { 8080, 8081, 9090 } dnat ip6 to fd20::11
    }
    chain out { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
}
"""


def strict(controls: Controls = CONTROLS) -> Controls:
    """Return controls whose ladders begin by cutting a port: a first breach is answered by a cut."""
    ladder = Ladder(rungs=(Rung.PORT, Rung.SERVICE, Rung.SERVER), window_s=86400)
    return replace(
        controls,
        mail=replace(controls.mail, ladder=ladder),
        registration=replace(controls.registration, ladder=ladder),
    )


def site_state(generation: int = 1, *, opened: tuple[int, ...] = (OPEN_PORT,), **more: Any) -> EdgeState:
    """Return the state of the site with these ports open, v4 and v6."""
    return replace(
        EdgeState(
            edge=EDGE_NAME, epoch=1, generation=generation, uplinks=("uplink",), uplink_bps=10**9,
            ports=(
                port(1, "out1", PortKind.FIREWALL_OUT, "acme", *PUBLIC.values(), zone=2001),
                port(2, "in1", PortKind.FIREWALL_IN, "acme", "10.20.0.1", "fd20::1", zone=1001),
                port(3, "srv1", PortKind.SERVER, "acme", *SERVER.values(), zone=1001),
            ),
            architectures=(EdgeArchitecture(name="acme", client="acme"),),
            openings=tuple(
                EdgeOpening(port=1, public=Span.parse(PUBLIC[version]), protocol=TCP, first_port=number,
                            last_port=number, ticket=f"T{number}")
                for number in opened
                for version in (4, 6)
            ),
            shares=(ClientShare(client="acme", number=16, assured_bps=101_000_000),),
            controls=strict(),
        ),
        **more,
    )  # fmt: skip


class Site:
    """The namespaces and the agent. Use as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mark = secrets.token_hex(3)
        self.edge, self.firewall, self.server, self.internet = (
            f"es{mark}-{name}" for name in ("edge", "fw", "srv", "net")
        )
        self.peer = Peer(folder)
        self.config = folder / "edge.yaml"
        self.state_dir = folder / "state"
        self.agent: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def __enter__(self) -> Site:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.peer.stop()
        for name in (self.edge, self.firewall, self.server, self.internet):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=30)

    # ------------------------------------------------------------------ the agent

    def begin(self) -> None:
        """Let the peer listen, write the settings, enrol."""
        self.peer.listen(lambda work: inside(self.edge, work))
        self.config.write_text(
            f"name: {EDGE_NAME}\ncontroller: {self.peer.url}\nca_file: {self.peer.ca_file}\n"
            f"state_dir: {self.state_dir}\nmetrics: 127.0.0.1:9469\nanswer_s: 5\n"
        )
        done = self.fwguard("enrol", text=self.peer.token)
        assert done.returncode == 0, done.stderr

    def fwguard(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run `fwguard edge …` on the edge."""
        command = ["ip", "netns", "exec", self.edge, sys.executable, "-m", "fwguard", "edge", *words]
        return subprocess.run(
            [*command, "--config", str(self.config)], input=text, capture_output=True, text=True, timeout=60,
            cwd=_ROOT,
        )  # fmt: skip

    def start(self) -> None:
        """Start the agent and wait until it is up."""
        self.starts += 1
        ready = self.folder / f"ready{self.starts}"
        command = ["ip", "netns", "exec", self.edge, sys.executable, "-m", "fwguard", "edge", "run"]
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                [*command, "--config", str(self.config), "--ready-file", str(ready)], stderr=log, cwd=_ROOT
            )
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert self.agent.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def kill(self, *, how: int = signal.SIGKILL) -> None:
        """Kill the agent."""
        agent, self.agent = self.agent, None
        if agent is not None:
            with suppress(ProcessLookupError):
                agent.send_signal(how)
            agent.wait(timeout=30)

    def log(self) -> str:
        """Return the end of the agent's log."""
        path = self.folder / "agent.log"
        return path.read_text()[-4000:] if path.exists() else ""

    # ------------------------------------------------------------------ the world

    def nft(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run nft on the edge, as anybody with root there could."""
        command = ["ip", "netns", "exec", self.edge, "nft", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    def connects(self, version: int, number: int, *, within_s: float = 0.6) -> bool:
        """Tell whether the internet reaches a port of the public address."""
        with suppress(OSError), self.dial(self.internet, version, PUBLIC[version], number, within_s):
            return True
        return False

    def dial(
        self, netns: str, version: int, address: str, number: int, within_s: float = 3.0
    ) -> socket.socket:
        """Return a connection from a namespace. Raises OSError."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        made = inside(netns, lambda: socket.socket(family, socket.SOCK_STREAM))
        made.settimeout(within_s)
        try:
            made.connect((address, number))
        except OSError:
            made.close()
            raise
        return made

    @contextmanager
    def listening(
        self, netns: str, version: int, number: int, serve: Callable[[socket.socket], None]
    ) -> Iterator[None]:
        """Answer connections in a namespace, each by `serve` in a thread."""
        import threading

        family = socket.AF_INET if version == 4 else socket.AF_INET6

        def bound() -> socket.socket:
            made = socket.socket(family, socket.SOCK_STREAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if version == 6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(("::" if version == 6 else "0.0.0.0", number))
            made.listen(16)
            return made

        door = inside(netns, bound)

        def accept() -> None:
            while True:
                try:
                    one, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=_safely, args=(serve, one), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()

    @contextmanager
    def web(self) -> Iterator[None]:
        """Let the server answer at its ports, v4 and v6."""
        with (
            self.listening(self.server, 4, OPEN_PORT, echo), self.listening(self.server, 6, OPEN_PORT, echo),
            self.listening(self.server, 4, CLOSED_PORT, echo), self.listening(self.server, 6, CLOSED_PORT, echo),
            self.listening(self.server, 4, 8081, echo), self.listening(self.server, 6, 8081, echo),
        ):  # fmt: skip
            yield

    def _build(self) -> None:
        for name in (self.edge, self.firewall, self.server, self.internet):
            _run("ip", "netns", "add", name)
        sysctls = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                   "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.send_redirects=0",
                   "net.ipv4.conf.default.send_redirects=0", "net.ipv6.conf.default.accept_dad=0",
                   "net.ipv6.conf.all.accept_dad=0"]  # fmt: skip
        for name in (self.edge, self.firewall):
            _run("ip", "netns", "exec", name, "sysctl", "-qw", *sysctls)
        for name in (self.server, self.internet):
            _run("ip", "netns", "exec", name, "sysctl", "-qw", *sysctls[-2:])
        self._batch(self.edge, [
            "link set lo up",
            f"link add uplink address {mac_of(900)} type veth "
            f"peer name eth0 address {mac_of(901)} netns {self.internet}",
            f"link add out1 address {mac_of(902)} type veth peer name wan0 address {mac_of(1)} netns {self.firewall}",
            f"link add in1 address {mac_of(903)} type veth peer name lan0 address {mac_of(2)} netns {self.firewall}",
            f"link add srv1 address {mac_of(904)} type veth peer name eth0 address {mac_of(3)} netns {self.server}",
            *(f"link set {name} up" for name in ("uplink", "out1", "in1", "srv1")),
            "addr add 198.51.100.1/24 dev uplink", "-6 addr add 2001:db8:ff::1/64 dev uplink nodad",
            "addr add 203.0.113.1/24 dev out1", "-6 addr add 2001:db8:1::1/64 dev out1 nodad",
            f"neigh add 203.0.113.10 lladdr {mac_of(1)} dev out1 nud permanent",
            f"-6 neigh add 2001:db8:1::10 lladdr {mac_of(1)} dev out1 nud permanent",
            f"neigh add 10.20.0.1 lladdr {mac_of(2)} dev in1 nud permanent",
            f"-6 neigh add fd20::1 lladdr {mac_of(2)} dev in1 nud permanent",
            f"neigh add 10.20.0.11 lladdr {mac_of(3)} dev srv1 nud permanent",
            f"-6 neigh add fd20::11 lladdr {mac_of(3)} dev srv1 nud permanent",
            "rule add iif srv1 lookup 100", "-6 rule add iif srv1 lookup 100",
            "rule add iif in1 lookup 101", "-6 rule add iif in1 lookup 101",
            "route add default via 10.20.0.1 dev in1 onlink table 100",
            "-6 route add default via fd20::1 dev in1 onlink table 100",
            "route add 10.20.0.11/32 dev srv1 table 101", "-6 route add fd20::11/128 dev srv1 table 101",
        ])  # fmt: skip
        self._batch(self.internet, [
            "link set lo up", "link set eth0 up", "addr add 198.51.100.2/24 dev eth0",
            "-6 addr add 2001:db8:ff::2/64 dev eth0 nodad", "route add default via 198.51.100.1",
            "-6 route add default via 2001:db8:ff::1",
        ])  # fmt: skip
        self._batch(self.firewall, [
            "link set lo up", "link set wan0 up", "link set lan0 up", "addr add 203.0.113.10/24 dev wan0",
            "-6 addr add 2001:db8:1::10/64 dev wan0 nodad", "addr add 10.20.0.1/24 dev lan0",
            "-6 addr add fd20::1/64 dev lan0 nodad", "route add default via 203.0.113.1",
            "-6 route add default via 2001:db8:1::1",
            f"neigh add 10.20.0.11 lladdr {mac_of(903)} dev lan0 nud permanent",
            f"-6 neigh add fd20::11 lladdr {mac_of(903)} dev lan0 nud permanent",
        ])  # fmt: skip
        self._batch(self.server, [
            "link set lo up", "link set eth0 up", "addr add 10.20.0.11/24 dev eth0",
            "-6 addr add fd20::11/64 dev eth0 nodad",
            f"neigh add 10.20.0.1 lladdr {mac_of(904)} dev eth0 nud permanent",
            f"-6 neigh add fd20::1 lladdr {mac_of(904)} dev eth0 nud permanent",
            "route add default via 10.20.0.1", "-6 route add default via fd20::1",
        ])  # fmt: skip
        _run("ip", "netns", "exec", self.firewall, "nft", "-f", "-", text=_FIREWALL)

    @staticmethod
    def _batch(netns: str, lines: list[str]) -> None:
        for six in (False, True):
            chosen = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ") is six]
            options = ["-6"] if six else []
            _run("ip", *options, "-n", netns, "-batch", "-", text="".join(f"{line}\n" for line in chosen))


def echo(one: socket.socket) -> None:
    """Send back what comes."""
    while data := one.recv(4096):
        one.sendall(data)


def talks(one: socket.socket, word: bytes = b"ping") -> bool:
    """Tell whether an echo answers on a connection."""
    try:
        one.settimeout(0.8)
        one.sendall(word)
        return one.recv(64) == word
    except OSError:
        return False


def _safely(serve: Callable[[socket.socket], None], one: socket.socket) -> None:
    with suppress(OSError), one:
        serve(one)


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def is_alive(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
