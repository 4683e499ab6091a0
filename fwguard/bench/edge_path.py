"""A way through an edge, in namespaces: internet, uplink, edge, the first client's firewall or its servers.

    internet eth0 -- uplink [edge] o0 -- wan0 firewall
                                   s0 -- eth0 server 0
                                   s1 -- eth0 server 1
                                   o1 -- wan0 neighbour (where asked for)

The edge's other ports have no interface: their elements are in the kernel all the same.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from fwguard.bench.edge_platform import BEHIND, mac_of, public
from fwguard.compile.compiled import Compiled
from fwguard.compile.names import TABLE
from fwguard.edge.encoding import live_elements, table_of
from fwguard.kernel.conntrack import IPCTNL_MSG_CT_DELETE
from fwguard.kernel.messages import NFNL_SUBSYS_CTNETLINK, netfilter
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.ruleset import Applied, apply, compile_text
from fwguard.kernel.sets import NamedSet
from fwguard.lab import namespaces

INTERNET4, INTERNET6 = "198.51.100.2", "2001:db8:ff::2"
SERVERS4: Final = ("10.20.0.11", "10.20.0.12")
SERVERS6: Final = ("fd20::b", "fd20::c")
EMPTY: Final = f"""table inet {TABLE} {{
	chain forward {{ type filter hook forward priority filter; policy accept; ct state invalid counter; }}
}}
"""
_UPLINK, _OUTSIDE, _FIREWALL, _FIRST_SERVER = mac_of(900_001), mac_of(900_002), mac_of(1), 3
_SYSCTLS: Final = {
    "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1, "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0, "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0, "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
}  # fmt: skip
_QUIET: Final = {"net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0}


@dataclass(frozen=True, slots=True)
class Wire:
    """One port of the edge: its own MAC, and the namespace and MAC at the other end."""

    port: str
    mac: str
    end: str
    end_mac: str


WIRES: Final = (
    Wire("uplink", _UPLINK, "internet", _OUTSIDE),
    Wire("o0", mac_of(900_003), "firewall", _FIREWALL),
    Wire("s0", mac_of(900_004), "server0", mac_of(_FIRST_SERVER)),
    Wire("s1", mac_of(900_005), "server1", mac_of(_FIRST_SERVER + 1)),
)


_NEIGHBOUR: Final = Wire("o1", mac_of(900_006), "neighbour", mac_of(11))


class EdgePath:
    """The namespaces and their wires; use it as a context. Nothing of it is left afterwards."""

    def __init__(self, *, neighbour: bool = False) -> None:
        """`neighbour` gives the second client a wire too."""
        mark = secrets.token_hex(3)
        self._wires = (*WIRES, _NEIGHBOUR) if neighbour else WIRES
        self.edge = f"bench-{mark}-edge"
        self.ends = {wire.end: f"bench-{mark}-{wire.end}" for wire in self._wires}

    def __enter__(self) -> EdgePath:
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def socket(self) -> NetlinkSocket:
        """Return a warm netlink socket of the edge; whoever asks closes it."""
        return NetlinkSocket(netns=self.edge)

    def forget_flows(self, netlink: NetlinkSocket) -> None:
        """Empty the edge's connection tracking."""
        whole = netfilter(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, 0, b"", what="forgetting connections")
        raise_refused(netlink.each((whole,)), "connections")

    def run(self, *command: str, netns: str = "", text: str = "") -> str:
        """Run a command in the edge, or in another of the namespaces. Raises CalledProcessError."""
        done = subprocess.run(
            ["ip", "netns", "exec", netns or self.edge, *command], input=text, capture_output=True, text=True,
            timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def _build(self) -> None:
        everything = (self.edge, *self.ends.values())
        namespaces.create(everything)
        namespaces.write_sysctls({self.edge: _SYSCTLS} | dict.fromkeys(self.ends.values(), _QUIET))
        namespaces.ip_batch(self._lines(), netns=self.edge)
        for wire in self._wires:
            lines = [f"link set {wire.port} up", f"link set {wire.port} name eth0", "link set lo up"]
            namespaces.ip_batch(
                ["link set eth0 up", *lines[2:], *_end_lines(wire)], netns=self.ends[wire.end]
            )

    def _lines(self) -> Iterable[str]:
        for wire in self._wires:
            yield (
                f"link add {wire.port} address {wire.mac} type veth peer name eth0 address {wire.end_mac} "
                f"netns {self.ends[wire.end]}"
            )
            yield f"link set {wire.port} addrgenmode none"
            yield f"link set {wire.port} up"
        yield "addr add 198.51.100.1/24 dev uplink"
        yield "addr add 10.20.0.254/24 dev s0"
        yield f"neigh replace {INTERNET4} lladdr {_OUTSIDE} dev uplink nud permanent"
        yield f"neigh replace 198.51.100.254 lladdr {_FIREWALL} dev o0 nud permanent"
        yield "route add 198.18.0.0/15 via 198.51.100.254 dev o0 onlink"
        yield "-6 addr add 2001:db8:ff::1/64 dev uplink nodad"
        yield f"-6 neigh replace {INTERNET6} lladdr {_OUTSIDE} dev uplink nud permanent"
        yield f"-6 neigh replace fd99::fe lladdr {_FIREWALL} dev o0 nud permanent"
        yield "-6 route add 2001:db8::/96 via fd99::fe dev o0 onlink"
        if len(self._wires) > len(WIRES):
            yield f"neigh replace 198.51.100.253 lladdr {_NEIGHBOUR.end_mac} dev o1 nud permanent"
            yield "route add 198.18.0.8/29 via 198.51.100.253 dev o1 onlink"
        for at in (0, 1):
            mac = mac_of(_FIRST_SERVER + at)
            yield f"route add {SERVERS4[at]}/32 dev s{at}"
            yield f"neigh replace {SERVERS4[at]} lladdr {mac} dev s{at} nud permanent"
            yield f"-6 route add {SERVERS6[at]}/128 dev s{at}"
            yield f"-6 neigh replace {SERVERS6[at]} lladdr {mac} dev s{at} nud permanent"

    def _remove(self) -> None:
        namespaces.remove((self.edge, *self.ends.values()))


def _end_lines(wire: Wire) -> list[str]:
    """Return addresses and routes of the far end of a wire."""
    via = f"lladdr {wire.mac} dev eth0 nud permanent"
    routed = [
        f"neigh replace 192.0.2.254 {via}",
        "route add default via 192.0.2.254 dev eth0 onlink",
        f"-6 neigh replace fd98::fe {via}",
        "-6 route add default via fd98::fe dev eth0 onlink",
    ]
    if wire.end == "internet":
        return [f"addr add {INTERNET4}/32 dev eth0", *routed, f"-6 addr add {INTERNET6}/128 dev eth0 nodad"]
    if wire.end in ("firewall", "neighbour"):
        return [f"addr add {public(0 if wire.end == 'firewall' else BEHIND, 4)}/32 dev eth0", *routed]
    at = int(wire.end[-1])
    return [f"addr add {SERVERS4[at]}/32 dev eth0", *routed, f"-6 addr add {SERVERS6[at]}/128 dev eth0 nodad"]


def load_skeleton(netlink: NetlinkSocket, compiled: Compiled) -> Applied:
    """Apply the rules and the empty sets, and read them back. Raises as `kernel.ruleset.apply`."""
    return apply(netlink, compile_text(compiled.skeleton))


def load_elements(netlink: NetlinkSocket, compiled: Compiled, *, now_s: int, but: Iterable[str] = ()) -> int:
    """Put every element of the state into its set; return how many. The sets in `but` stay empty."""
    added, left = 0, frozenset(but)
    for key, content in compiled.contents.items():
        spec = compiled.specs[key]
        if content and spec.name not in left:
            elements = list(live_elements(spec, content, now_s=now_s))
            NamedSet(netlink, table_of(spec), spec.name).add(elements)
            added += len(elements)
    return added
