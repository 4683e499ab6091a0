"""The programs that attacks are made with: Debian's, installed or unpacked beside the system."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fwguard.errors import DeviceError
from fwguard.lab import packages
from fwguard.lab.box import PATH

# program -> Debian package, for those that are installed
INSTALLED: Final[Mapping[str, str]] = MappingProxyType({
    "curl": "curl",
    "hping3": "hping3",
    "iperf3": "iperf3",
    "nmap": "nmap",
    "nping": "nmap",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "sic": "sic",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "swaks": "swaks",
    "timeout": "coreutils",
    "unshare": "util-linux",
})  # fmt: skip
UNPACKED: Final = frozenset(Path(path).name for paths in packages.SERVERS.values() for path in paths)


def find(name: str) -> str:
    """Return the path of a program. Raises DeviceError, with what to do, when it is not there."""
    if name in UNPACKED:
        return str(packages.server_program(name))
    found = shutil.which(name, path=PATH)
    if found is None:
        raise DeviceError(
            f"the program {name} is missing: `apt-get install {INSTALLED[name]}` or `make setup`"
        )
    return found


def check(names: Iterable[str]) -> None:
    """Return when all are there. Raises DeviceError that names every one that is missing."""
    missing = []
    for name in names:
        try:
            find(name)
        except DeviceError as error:
            missing.append(str(error))
    if missing:
        raise DeviceError("; ".join(missing))


def environment(home: str) -> dict[str, str]:
    """Return the environment in which these programs find their libraries, and nothing else of ours."""
    return {
        "PATH": PATH,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": ":".join(packages.server_libraries()),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
