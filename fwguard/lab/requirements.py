"""What this machine must have before a lab can stand on it; each lack is named, with what to do about it."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import Final

from fwguard.errors import DeviceError, NotAllowedError
from fwguard.lab import packages
from fwguard.lab.box import PATH

# (program, Debian package)
PROGRAMS: Final = (
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("iptables-nft", "iptables"),
    ("ipset", "ipset"),
    ("conntrack", "conntrack"),
    ("sysctl", "procps"),
    ("sshd", "openssh-server"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
)
_CAP_SYS_ADMIN: Final = 21
_CAP_NET_ADMIN: Final = 12


def check_rights() -> None:
    """Return when we may make namespaces. Raises NotAllowedError: not root, or root without the rights."""
    if os.geteuid() != 0:
        raise NotAllowedError("the lab makes network namespaces and needs root: run it as root or with sudo")
    capabilities = _effective_capabilities()
    for number, name in ((_CAP_SYS_ADMIN, "CAP_SYS_ADMIN"), (_CAP_NET_ADMIN, "CAP_NET_ADMIN")):
        if not capabilities >> number & 1:
            raise NotAllowedError(f"root here lacks {name}: in a container, start it with --privileged")


def check() -> None:
    """Return when a lab can be built here.

    Raises:
        NotAllowedError: as `check_rights`.
        DeviceError: a program or the unpacked mail server is missing, or something of the kernel.
    """
    check_rights()
    missing = {package: program for program, package in PROGRAMS if not shutil.which(program, path=PATH)}
    if missing:
        programs = ", ".join(missing.values())
        raise DeviceError(
            f"missing programs: {programs}; `apt-get install {' '.join(missing)}` or `make setup`"
        )
    packages.mail_server()
    if not Path("/proc/sys/net/ipv6").is_dir():
        raise DeviceError("this kernel was started without IPv6 (ipv6.disable=1), which the lab needs")
    if os.statvfs("/proc/sys/net").f_flag & os.ST_RDONLY:
        raise DeviceError("/proc/sys is read-only: in a container, start it with --privileged")
    if not Path("/proc/self/ns/net").exists() or not hasattr(ctypes.CDLL(None), "setns"):
        raise DeviceError("this kernel has no network namespaces (CONFIG_NET_NS)")


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
