"""What harms others, done by a server of the lab: scans, floods, forged addresses, guessed passwords.

Clause 7.1. Packets are counted before they are sent; nothing leaves the lab's namespaces.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from fwguard.lab import attack_programs
from fwguard.lab import plan as p
from fwguard.lab.attack_stage import HERE, Stage

PORTS: Final = 60
NOBODY4: Final = "198.51.100.128/26"  # 64 addresses of the lab's Internet that nobody has
NOBODY6: Final = "2001:db8:ffff::100/122"
FORGED4: Final = "203.0.113.99"
FORGED6: Final = "2001:db8:25::99"
VICTIM4: Final = "10.20.0.99"  # of the prefix that every client's servers are in
VICTIM6: Final = "fd20::99"
SYNS: Final = 600
LOG_INS: Final = 12


def portscan(stage: Stage) -> None:
    """SYNs to ports in a row of one address."""
    first = min(max(stage.port, 1), 65536 - PORTS)
    stage.run([*_nmap(stage), "-p", f"{first}-{first + PORTS - 1}", stage.target])


def hostscan(stage: Stage) -> None:
    """SYNs to one port of addresses in a row."""
    stage.run([*_nmap(stage), "-p", str(stage.port), NOBODY6 if stage.v6 else NOBODY4])


def _nmap(stage: Stage) -> list[str]:
    return [
        "nmap", *stage.family, "-n", "-Pn", "-sS", "--disable-arp-ping", "--max-retries", "0", "--min-rate", "100",
        "--max-rate", "400", "--host-timeout", "15s",
    ]  # fmt: skip


def flood(stage: Stage) -> None:
    """A flood of UDP at a server that takes it, then one of SYNs at the same port."""
    stage.serve(["iperf3", "--server", "--one-off", "--bind", stage.target, "--port", str(stage.port)])
    stage.run(
        ["iperf3", "--client", stage.target, "--port", str(stage.port), "--udp", "--length", "100",
         "--bitrate", "2M", "--blockcount", "2000", "--connect-timeout", "3000"],
        limit_s=6,
    )  # fmt: skip
    if stage.v6:
        _nping(stage, "--tcp", "--flags", "syn", "--rate", "600", "--count", str(SYNS))
    else:
        stage.run(["hping3", "--quiet", "--syn", "--destport", str(stage.port), "--interval", "u1500",
                   "--count", str(SYNS), stage.target], limit_s=6)  # fmt: skip


def spoof(stage: Stage) -> None:
    """UDP packets from an address that belongs to nobody behind this port."""
    if stage.v6:
        _nping(stage, "--udp", "--rate", "40", "--count", "40", "--source-ip", FORGED6)
    else:
        stage.run(["hping3", "--quiet", "--udp", "--spoof", FORGED4, "--destport", str(stage.port),
                   "--interval", "u25000", "--count", "40", stage.target], limit_s=6)  # fmt: skip


def _nping(stage: Stage, *words: str) -> None:
    """Over v6 nping writes its own Ethernet header: it must be told who the gateway is."""
    gateway = _gateway_mac(stage)
    stage.run(
        ["nping", "-6", "--send-eth", "--dest-mac", gateway, "--source-mac", stage.server.mac, "-e", "eth0",
         "--no-capture", "--quiet", "--dest-port", str(stage.port), *words, stage.target],
        limit_s=8,
    )  # fmt: skip


def _gateway_mac(stage: Stage) -> str:
    """Return the address of the edge's port, as a frame from the server must bear it."""
    edge = stage.lab.netns("edge")
    done = subprocess.run(
        ["ip", "-n", edge, "-o", "link", "show", "dev", stage.server.port],
        check=True, capture_output=True, text=True, timeout=10,
    )  # fmt: skip
    return done.stdout.partition("link/ether ")[2].split()[0]


def arp(stage: Stage) -> None:
    """Ask for the gateway as every host does, then tell a neighbour again and again to be it."""
    gateway, victim = (p.GATEWAY6, VICTIM6) if stage.v6 else (p.GATEWAY4, VICTIM4)
    stage.run(
        [sys.executable, "-m", "fwguard.lab.false_neighbour", "eth0", stage.source, gateway, victim],
        limit_s=10,
    )


def bruteforce(stage: Stage) -> None:
    """An SSH server in the Internet; log-ins with a key that it does not know."""
    for name in ("host_key", "guessed_key"):
        stage.run(
            [attack_programs.find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", f"{HERE}/{name}"]
        )
    conf = f"""\
Port {stage.port}
ListenAddress {stage.target}
HostKey {HERE}/host_key
PidFile none
UseDNS no
UsePAM no
PasswordAuthentication no
"""
    stage.serve([attack_programs.find("sshd"), "-D", "-e", "-f", stage.write("sshd_config", conf)])
    for number in range(LOG_INS):
        stage.run(
            ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=3", "-o", "LogLevel=ERROR",
             "-i", f"{HERE}/guessed_key", "-p", str(stage.port), f"guess{number}@{stage.target}", "true"],
            limit_s=5,
        )  # fmt: skip
