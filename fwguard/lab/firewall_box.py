"""The boxes of the Linux firewalls, and what every firewall's box is made from. SSH is the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fwguard.lab import firewall_files as files
from fwguard.lab.box import Box, File
from fwguard.lab.plan import FirewallPlan

GATE: Final = "/usr/local/sbin/fwguard-gate"
_GATE_SOURCE: Final = Path(__file__).resolve().parent.parent / "devices" / "gate.sh"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An ed25519 key: the private one as OpenSSH PEM, the public one as `ssh-ed25519 AAAA…`."""

    private: str
    public: str

    @classmethod
    def new(cls) -> KeyPair:
        """Make a new one."""
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return cls(
            private.decode(), key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What a firewall's box is made from. `netns` is where it stands, `host_key` its own."""

    firewall: FirewallPlan
    netns: str
    host_key: KeyPair
    operator_public: str


def _linux_box(made_from: Ingredients, rules: Mapping[str, File], load: tuple[str, ...]) -> Box:
    """Return a Linux firewall that boots as Debian does: sysctl, addresses, filter, routes, then sshd."""
    firewall = made_from.firewall
    return Box(
        host=firewall.name,
        netns=made_from.netns,
        files={
            files.SYSCTL: File(text=files.SYSCTL_TEXT),
            files.ADDRESSES: File(text=files.addresses(firewall)),
            files.ROUTES: File(text=files.static_routes(firewall)),
            **rules,
            **ssh_files(made_from, ports=(22,)),
        },
        boot=(
            f"sysctl -q -p {files.SYSCTL}",
            f"ip -batch {files.ADDRESSES}",
            *load,
            f"ip -batch {files.ROUTES}",
        ),
        daemons=("/usr/sbin/sshd -D -e",),
    )


def nftables_box(made_from: Ingredients) -> Box:
    """Return a firewall whose rules are nftables'."""
    rules = {files.NFTABLES_CONF: File(text=files.nftables_conf(made_from.firewall), mode=0o755)}
    return _linux_box(made_from, rules, (f"nft -f {files.NFTABLES_CONF}",))


def iptables_box(made_from: Ingredients) -> Box:
    """Return a firewall whose rules are iptables', over nftables as Debian has it, with ipsets."""
    firewall = made_from.firewall
    rules = {
        files.IPSETS: File(text=files.ipsets()),
        files.RULES_V4: File(text=files.iptables_rules(firewall, v6=False)),
        files.RULES_V6: File(text=files.iptables_rules(firewall, v6=True)),
    }
    load = (
        f"ipset restore -f {files.IPSETS}",
        f"iptables-restore {files.RULES_V4}",
        f"ip6tables-restore {files.RULES_V6}",
    )
    return _linux_box(made_from, rules, load)


def ssh_files(made_from: Ingredients, *, ports: tuple[int, ...], more: str = "") -> dict[str, File]:
    """Return sshd's files: one key may come in, and only through the gate.

    UsePAM and UseDNS would each cost time and need what a box has not. `more` goes at the end of
    sshd_config (for a subsystem); the gate is left out where it is not installed (NETCONF).
    """
    listen = "".join(f"Port {port}\n" for port in ports)
    config = f"""\
{listen}HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin forced-commands-only
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PidFile none
MaxStartups 100
MaxSessions 100
{more}"""
    found = {
        "/etc/ssh/sshd_config": File(text=config),
        "/etc/ssh/ssh_host_ed25519_key": File(text=made_from.host_key.private, mode=0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": File(text=made_from.host_key.public + "\n"),
        "/root/.ssh/authorized_keys": File(
            text=f'restrict,command="{GATE}" {made_from.operator_public} operator\n', mode=0o600
        ),
    }
    if _GATE_SOURCE.exists():
        found[GATE] = File(text=_GATE_SOURCE.read_text(), mode=0o755)
    return found
