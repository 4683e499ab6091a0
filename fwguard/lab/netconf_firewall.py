"""The box of a firewall that is administered over NETCONF: netconfd, sshd on 830, and the renderer.

netconfd 2.13 as Debian has it: candidate, confirmed commit, startup, notifications. What the lab found out
about it, and works around where it can: it undoes a confirmed commit whose time is up only in a second in
which nobody asks it anything, and not while a session holds the lock on running; `validate` before
`commit` makes the commit apply nothing; a request that comes with the hello is lost.
"""

from __future__ import annotations

import shlex
import sys
from typing import Final

from fwguard.lab import firewall_files as files
from fwguard.lab.box import Box, File
from fwguard.lab.firewall_box import Ingredients, ssh_files
from fwguard.lab.netconf_local import PORT, SOCKET, SUBSYSTEM
from fwguard.lab.netconf_startup import startup
from fwguard.lab.netconf_yang import SERVED, SYSTEM_MODULES, modules

STARTUP: Final = "/etc/netconf/startup.xml"
YANG: Final = "/etc/netconf/yang"
READY: Final = "/run/rendered"
NETCONFD_LOG: Final = "/var/log/netconfd.log"


def netconf_box(made_from: Ingredients) -> Box:
    """Return a firewall of RFC 8519 lists; sshd starts once the lists are in the kernel."""
    firewall = made_from.firewall
    subsystem = f"{SUBSYSTEM} --ncxserver-sockname={PORT}@{SOCKET}"
    ssh = ssh_files(made_from, ports=(PORT,), more=f'Subsystem netconf "{subsystem}"\n')
    # Least privilege: the operator's key opens the NETCONF subsystem and nothing else.
    key = f'restrict,command="{subsystem}" {made_from.operator_public} operator\n'
    return Box(
        host=firewall.name,
        netns=made_from.netns,
        files={
            files.SYSCTL: File(text=files.SYSCTL_TEXT),
            files.ADDRESSES: File(text=files.addresses(firewall)),
            STARTUP: File(text=startup(firewall)),
            **{f"{YANG}/{name}": File(text=text) for name, text in modules().items()},
            **ssh,
            "/root/.ssh/authorized_keys": File(text=key, mode=0o600),
        },
        boot=(
            f"sysctl -q -p {files.SYSCTL}",
            f"ip -batch {files.ADDRESSES}",
        ),
        daemons=(
            netconfd(),
            shlex.join([sys.executable, "-m", "fwguard.lab.netconf_render", READY]),
            f"{{ until [ -e {READY} ]; do sleep 0.05; done; exec /usr/sbin/sshd -D -e; }}",
        ),
    )


def netconfd() -> str:
    """Return the command of netconfd in the foreground. `--port` must be sshd's."""
    return shlex.join(
        [
            "netconfd",
            f"--startup={STARTUP}",
            "--target=candidate",
            "--with-startup=true",
            "--access-control=off",
            "--superuser=root",
            f"--port={PORT}",
            f"--ncxserver-sockname={SOCKET}",
            f"--modpath={YANG}:{SYSTEM_MODULES}",
            f"--log={NETCONFD_LOG}",
            "--log-level=info",
            *(f"--module={name}" for name in SERVED),
        ]
    )
