"""Attacks of every kind that the contract knows, by a server of the lab: which there are, and what one did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.lab import attack_abuse, attack_harm, attack_programs
from fwguard.lab.attack_stage import Stage, Step
from fwguard.lab.plan import ServerPlan
from fwguard.lab.platform import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One kind: what it does in words, the port it takes when none is named, and what it needs installed."""

    words: str
    port: int
    programs: tuple[str, ...]
    run: Callable[[Stage], None]


ATTACKS: Final[Mapping[str, Attack]] = MappingProxyType({
    "irc": Attack(
        words="join a channel and talk (sic, ngircd)",
        port=6668, programs=("sic", "ngircd"), run=attack_abuse.irc),
    "socks": Attack(
        words="fetch a page through a SOCKS5 and a SOCKS4 proxy (curl, danted)",
        port=1080, programs=("curl", "danted"), run=attack_abuse.socks),
    "proxy": Attack(
        words="fetch a page through an HTTP proxy, by its whole address and by CONNECT (curl, tinyproxy)",
        port=3128, programs=("curl", "tinyproxy"), run=attack_abuse.proxy),
    "tor": Attack(
        words="join a Tor relay, as far as a network of one relay goes (tor)",
        port=9001, programs=("tor",), run=attack_abuse.tor),
    "video": Attack(
        words="media through a TURN relay (turnutils_uclient, turnserver)",
        port=3478, programs=("turnserver", "turnutils_uclient"), run=attack_abuse.video),
    "spam": Attack(
        words="one mail to 40 people, most of whom do not exist (swaks)",
        port=25, programs=("swaks",), run=attack_abuse.spam),
    "portscan": Attack(
        words="60 ports of one address, from this one on (nmap)",
        port=1, programs=("nmap",), run=attack_harm.portscan),
    "hostscan": Attack(
        words="one port of 64 addresses (nmap)",
        port=445, programs=("nmap",), run=attack_harm.hostscan),
    "flood": Attack(
        words="2 000 UDP packets, then 600 SYNs (iperf3, hping3; nping over v6)",
        port=5201, programs=("iperf3", "hping3", "nping"), run=attack_harm.flood),
    "spoof": Attack(
        words="40 packets with an address that is not the server's (hping3; nping over v6)",
        port=9, programs=("hping3", "nping"), run=attack_harm.spoof),
    "arp": Attack(
        words="tell the link that the gateway is here, by ARP or neighbour discovery (frames of ours)",
        port=0, programs=(), run=attack_harm.arp),
    "bruteforce": Attack(
        words="12 log-ins by SSH that are refused (ssh, sshd)",
        port=2222, programs=("ssh", "sshd", "ssh-keygen"), run=attack_harm.bruteforce),
    "mining": Attack(
        words="work for a mining pool by stratum (a pool and a miner of ours: Debian has none)",
        port=3333, programs=(), run=attack_abuse.mining),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """What one attack did. `packets_out` and `packets_in` crossed the server's edge port meanwhile, whoever sent
    them; `port` is 0 where there is none."""

    server: str
    kind: str
    source: str
    target: str
    port: int
    steps: tuple[Step, ...]
    packets_out: int
    packets_in: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return it as `fwguard lab attack --json` prints it."""
        return asdict(self)


def attack(lab: Lab, server: str, kind: str, *, port: int | None = None, v6: bool = False) -> Attacked:
    """Let a server of the lab attack its Internet; return once it is over and everything is gone.

    `port` is the one attacked, or the one that the forbidden service listens on.

    Raises:
        InputError: no such server or kind, or a port that is taken. DeviceError: a program is missing.
    """
    if kind not in ATTACKS:
        raise InputError(f"no attack {kind!r}", expected=f"one of: {', '.join(ATTACKS)}")
    planned = ATTACKS[kind]
    attack_programs.check(("nsenter", "setpriv", "timeout", "unshare", *planned.programs))
    port = planned.port if port is None else port
    if not 0 <= port <= 65535:
        raise InputError(f"port {port}", expected="1 to 65535")
    begun_s = time.monotonic()
    with Stage(lab, server_of(lab, server), port=port, v6=v6) as stage:
        out_before, in_before = stage.packets()
        planned.run(stage)
        out_after, in_after = stage.packets()
    return Attacked(
        server=server,
        kind=kind,
        source=stage.source,
        target=stage.target,
        port=port,
        steps=tuple(stage.steps),
        packets_out=out_after - out_before,
        packets_in=in_after - in_before,
        seconds=round(time.monotonic() - begun_s, 3),
    )


def server_of(lab: Lab, name: str) -> ServerPlan:
    """Return a server by name. Raises InputError when there is none of this name."""
    for server in lab.plan.servers:
        if server.name == name:
            return server
    names = ", ".join(server.name for server in lab.plan.servers)
    raise InputError(f"no server {name!r}", expected=f"one of: {names}")
