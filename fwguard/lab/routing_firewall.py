"""The box of a firewall whose static routes are FRR's, administered on its own command line (vtysh).

zebra and staticd as Debian has them, watchfrr only to save what runs (`write memory` asks it to), sshd with a
user whose login shell is vtysh. Its filter is nftables, as on any Linux firewall.
"""

from __future__ import annotations

from typing import Final

from fwguard.lab import firewall_files as files
from fwguard.lab.box import Box, File
from fwguard.lab.firewall_box import Ingredients, ssh_files

USER: Final = "routes"
CONF: Final = "/etc/frr/frr.conf"
_FRR: Final = "/usr/lib/frr"
_SOCKETS: Final = "/run/frr"
_FRR_GID: Final = 130
_VTY_GID: Final = 131
_USER_UID: Final = 1200
_GROUPS: Final = (
    f"root:x:0:\nsshd:x:110:\nfrr:x:{_FRR_GID}:{USER}\nfrrvty:x:{_VTY_GID}:frr,{USER}\n"
    f"{USER}:x:{_USER_UID}:\nnogroup:x:65534:\n"
)


def routing_box(made_from: Ingredients, routes: tuple[str, ...]) -> Box:
    """Return a firewall whose static routes are these lines of FRR; sshd starts once they are entered."""
    firewall = made_from.firewall
    conf = "".join(
        f"{line}\n"
        for line in (
            "frr version 8.4.4", "frr defaults traditional", f"hostname {firewall.name}",
            "service integrated-vtysh-config", "!", *routes, "!",
        )
    )  # fmt: skip
    ssh = ssh_files(
        made_from,
        ports=(22,),
        more="AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys-of-%u\nSubsystem sftp internal-sftp\n",
    )
    # Least privilege: a terminal for vtysh and SFTP for the boot file, no forwarding of anything.
    key = f"restrict,pty {made_from.operator_public} operator\n"
    # staticd asks a zebra that is not there again only after ten seconds.
    after_zebra = f"until [ -S {_SOCKETS}/zserv.api ]; do sleep 0.02; done"
    both = f"[ -S {_SOCKETS}/zebra.vty ] && [ -S {_SOCKETS}/staticd.vty ]"
    return Box(
        host=firewall.name,
        netns=made_from.netns,
        files={
            files.SYSCTL: File(text=files.SYSCTL_TEXT),
            files.ADDRESSES: File(text=files.addresses(firewall)),
            files.NFTABLES_CONF: File(text=files.nftables_conf(firewall), mode=0o755),
            **ssh,
            f"/etc/ssh/keys-of-{USER}": File(text=key),
            "/etc/group": File(text=_GROUPS),
            CONF: File(text=conf, mode=0o640),
            # Who may open a terminal here may use it: vtysh asks PAM, as Debian has it.
            "/etc/pam.d/frr": File(text="auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"),
            "/etc/frr/vtysh.conf": File(text="service integrated-vtysh-config\n", mode=0o640),
        },
        boot=(
            f"sysctl -q -p {files.SYSCTL}",
            f"ip -batch {files.ADDRESSES}",
            f"nft -f {files.NFTABLES_CONF}",
            f"ln -s /run /var/run && mkdir -p {_SOCKETS} && chown -R frr:frr /etc/frr {_SOCKETS}",
        ),
        daemons=(
            f"{_FRR}/zebra -u frr -g frr",
            f"{{ {after_zebra}; exec {_FRR}/staticd -u frr -g frr; }}",
            # watchfrr saves only once both have answered it, and asks one that was not there after five seconds.
            f"{{ until {both}; do sleep 0.02; done; exec {_FRR}/watchfrr --dry zebra staticd; }}",
            f"{{ until [ -S {_SOCKETS}/watchfrr.vty ]; do sleep 0.02; done; vtysh -b; exec /usr/sbin/sshd -D -e; }}",
        ),
        users=(("frr", _FRR_GID, "/var", "/usr/sbin/nologin"), (USER, _USER_UID, "/var", "/usr/bin/vtysh")),
    )
