"""One client's share of a full link (clause 7.7): TCP and UDP, both directions, and what one has alone.

Two clients behind their own outer ports, 101 Mbit/s assured to each of 202. Both send as much as they can.
Rates are those of the first one's traffic class: whole frames, as the shaped device counts them.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from fwguard.bench.edge_path import INTERNET4, EdgePath, load_elements, load_skeleton
from fwguard.bench.edge_platform import BEHIND, NOW_S, platform
from fwguard.compile.compiled import compile_edge
from fwguard.compile.shaping import IFB, first_tc_text
from fwguard.errors import DeviceError
from fwguard.kernel import shaping
from fwguard.lab import namespaces
from fwguard.model.edge_grants import ClientShare

ASSURED_BPS: Final = 101_000_000
LINK_BPS: Final = 202_000_000
_CLASS: Final = "1:10"
_WARM_S: Final = 1.0
_PORTS: Final = {"firewall": 5201, "neighbour": 5202}
_FLOWS: Final = 4


def measure(*, seconds: float = 4.0) -> dict[str, Any]:
    """Measure Mbit/s of the first client, contended and alone. Raises DeviceError without iperf3."""
    if shutil.which("iperf3") is None:
        raise DeviceError("iperf3 is not installed: apt-get install iperf3")
    with EdgePath(neighbour=True) as path, path.socket() as netlink:
        shares = (
            ClientShare(client="c0", number=16, assured_bps=ASSURED_BPS),
            ClientShare(client="c1", number=17, assured_bps=LINK_BPS - ASSURED_BPS),
        )
        state = replace(platform(2 * BEHIND), uplink_bps=LINK_BPS, shares=shares)
        compiled = compile_edge(state, now_s=NOW_S)
        load_skeleton(netlink, compiled)
        load_elements(netlink, compiled, now_s=NOW_S)
        namespaces.ip_batch([f"link add {IFB} type ifb", f"link set {IFB} up"], netns=path.edge)
        for netns in (path.ends["internet"], path.ends["firewall"], path.ends["neighbour"]):
            # Frames as they are on a wire: a veth would carry segments of 64 KB that HTB takes for one packet.
            namespaces.ip_batch(["link set eth0 gso_max_segs 1"], netns=netns)
        shaping.apply(first_tc_text(compiled.shaping), netns=path.edge)
        found: dict[str, Any] = {"assured_mbps": ASSURED_BPS / 1e6, "link_mbps": LINK_BPS / 1e6}
        for direction in ("up", "down"):
            for protocol in ("tcp", "udp"):
                both = _rate_mbps(path, direction, protocol, ("firewall", "neighbour"), seconds)
                found[f"contended_{protocol}_{direction}_mbps"] = both
            alone = _rate_mbps(path, direction, "tcp", ("firewall",), seconds)
            found[f"alone_tcp_{direction}_mbps"] = alone
        return found


def _rate_mbps(
    path: EdgePath, direction: str, protocol: str, clients: tuple[str, ...], seconds: float
) -> float:
    """Let clients load the link; return what passes in the first one's class, once the flows are at speed."""
    device = "uplink" if direction == "up" else IFB
    with ExitStack() as stack:
        for client in clients:
            port = str(_PORTS[client])
            _running(stack, path.ends["internet"], "iperf3", "-s", "-1", "-p", port)
        time.sleep(0.3)
        for client in clients:
            _running(
                stack, path.ends[client], "iperf3", "-c", INTERNET4, "-p", str(_PORTS[client]),
                "-P", str(_FLOWS), "-t", str(int(_WARM_S + seconds + 2)),
                *(["-R"] if direction == "down" else []),
                *(["-u", "-b", str(int(1.2 * LINK_BPS / _FLOWS)), "-l", "1400"] if protocol == "udp" else []),
            )  # fmt: skip
        time.sleep(_WARM_S)
        before, began = _sent(path, device), time.monotonic()
        time.sleep(seconds)
        after, ended = _sent(path, device), time.monotonic()
    return round((after - before) * 8 / (ended - began) / 1e6, 1)


def _running(stack: ExitStack, netns: str, *command: str) -> None:
    """Let a program run in a namespace until the stack ends."""
    child = subprocess.Popen(
        ["ip", "netns", "exec", netns, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(child.wait, 10)
    stack.callback(child.kill)


def _sent(path: EdgePath, device: str) -> int:
    return shaping.read_counts((device,), netns=path.edge)[device, _CLASS].bytes
