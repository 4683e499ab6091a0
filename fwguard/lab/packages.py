"""Debian's servers for the lab, kept apart: installed they would start by themselves, or push out this machine's own.

`python -m fwguard.lab.packages` downloads a mail server, the servers that `lab attack` talks to, and the
libraries that they lack here, and unpacks them below /var/cache/fwguard-lab without installing anything.
Repeatable; needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fwguard.errors import DeviceError, FwguardError, NotAllowedError

CACHE: Final = Path(os.environ.get("FWGUARD_LAB_CACHE", "/var/cache/fwguard-lab"))
MTA: Final = "exim4-daemon-light"
_UNPACKED: Final = CACHE / MTA
_PROGRAM: Final = "usr/sbin/exim4"
_SERVERS: Final = CACHE / "servers"
# Debian package -> the programs of it that attacks run
SERVERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "coturn": ("usr/bin/turnserver", "usr/bin/turnutils_uclient"),
    "dante-server": ("usr/sbin/danted",),
    "ngircd": ("usr/sbin/ngircd",),
    "tinyproxy-bin": ("usr/bin/tinyproxy",),
    "tor": ("usr/bin/tor",),
})  # fmt: skip


def mail_server() -> Path:
    """Return the directory that exim is unpacked in. Raises DeviceError when it is not there."""
    if not (_UNPACKED / _PROGRAM).is_file():
        raise DeviceError(
            "the lab's mail server is missing: `make setup` or `python -m fwguard.lab.packages`"
        )
    return _UNPACKED


def program(root: Path) -> Path:
    """Return exim's program in the directory that it is unpacked in."""
    return root / _PROGRAM


def loader_cache(root: Path) -> Path:
    """Return the ld.so.cache with which a host finds exim's libraries, in `root`."""
    return root / "ld.so.cache"


def libraries(root: Path) -> list[str]:
    """Return the directories of the libraries that came with exim."""
    return sorted({str(path.parent) for path in root.glob("usr/lib/**/*.so.*")})


def server_program(name: str) -> Path:
    """Return the path of an unpacked server's program. Raises DeviceError when it is not there."""
    for programs in SERVERS.values():
        for program_path in programs:
            if Path(program_path).name == name and (found := _SERVERS / program_path).is_file():
                return found
    raise DeviceError(
        f"the program {name} is missing: `make setup` or `python -m fwguard.lab.packages` unpacks it"
    )


def server_libraries() -> list[str]:
    """Return the directories of the libraries that came with the unpacked servers."""
    return libraries(_SERVERS)


def fetch() -> Path:
    """Download and unpack the mail server if it is missing; return its directory.

    Raises:
        NotAllowedError: not root. DeviceError: apt cannot find or fetch it.
    """
    if (_UNPACKED / _PROGRAM).is_file() and _starts(_UNPACKED) and loader_cache(_UNPACKED).exists():
        return _UNPACKED
    _fetch_into(_UNPACKED, (MTA,))
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _write_loader_cache(Path(scratch))
    if not _starts(_UNPACKED):
        shutil.rmtree(_UNPACKED, ignore_errors=True)
        raise DeviceError(f"{MTA} was unpacked but does not start")
    return _UNPACKED


def fetch_servers() -> Path:
    """Download and unpack the servers of `lab attack` if one is missing; return their directory.

    Raises:
        NotAllowedError: not root. DeviceError: apt cannot find or fetch them.
    """
    wanted = [_SERVERS / path for programs in SERVERS.values() for path in programs]
    if not all(path.is_file() for path in wanted):
        _fetch_into(_SERVERS, SERVERS)
        if missing := [str(path) for path in wanted if not path.is_file()]:
            raise DeviceError(f"unpacked, but not there: {', '.join(missing)}")
    return _SERVERS


def _fetch_into(target: Path, packages: Iterable[str]) -> None:
    """Unpack packages into a directory that appears whole or not at all."""
    if os.geteuid() != 0:
        raise NotAllowedError(f"writing {CACHE} needs root")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
        try:
            _unpack(Path(fresh), packages)
        except DeviceError:
            _run(["apt-get", "update", "-qq"], CACHE)
            _unpack(Path(fresh), packages)
        shutil.rmtree(target, ignore_errors=True)
        Path(fresh, "root").rename(target)


def _write_loader_cache(scratch: Path) -> None:
    """Write the cache now: it takes most of a second, which a start of the lab need not wait for."""
    directories = scratch / "ld.so.conf"
    own = "".join(f"{path}\n" for path in libraries(_UNPACKED))
    directories.write_text(f"{own}include /etc/ld.so.conf.d/*.conf\n")
    cache = loader_cache(_UNPACKED)
    _run(["ldconfig", "-X", "-C", str(cache.with_suffix(".new")), "-f", str(directories)], scratch)
    cache.with_suffix(".new").rename(cache)


def _unpack(directory: Path, packages: Iterable[str]) -> None:
    """Unpack the packages, and each library that installing them would bring along."""
    packages = sorted(packages)
    plan = _run(["apt-get", "--simulate", "install", "--no-install-recommends", *packages], directory)
    wanted = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")}
    wanted = {name for name in wanted if name.startswith("lib")} | set(packages)
    _run(["apt-get", "download", *sorted(wanted)], directory)
    for package in sorted(directory.glob("*.deb")):
        _run(["dpkg", "--extract", str(package), str(directory / "root")], directory)


def _run(argv: list[str], directory: Path) -> str:
    done = subprocess.run(
        # The sandbox user of apt may not write into our directory; root downloads, as it says it will.
        [*argv, *(["-o", "APT::Sandbox::User=root"] if argv[0] == "apt-get" else [])],
        cwd=directory, capture_output=True, text=True, timeout=600, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode:
        raise DeviceError(f"{' '.join(argv[:3])}: {done.stderr.strip() or done.stdout.strip()[-400:]}")
    return done.stdout


def _starts(root: Path) -> bool:
    """Tell whether the unpacked program finds its libraries (ld.so ends with 127 when it does not).

    It complains that its user is missing here; inside the mail host there is one.
    """
    done = subprocess.run(
        [program(root), "-C", "/dev/null", "-bV"],
        capture_output=True,
        timeout=30,
        env={"LD_LIBRARY_PATH": ":".join(libraries(root))},
    )
    return done.returncode != 127


if __name__ == "__main__":
    try:
        print(f"mail server of the lab: {fetch()}")
        print(f"servers that it is attacked with: {fetch_servers()}")
    except FwguardError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
