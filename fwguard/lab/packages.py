"""Debian's mail server for the lab, kept apart: Debian allows one a machine, and this one may have its own.

`python -m fwguard.lab.packages` downloads exim and the libraries that it lacks here, and unpacks them
below /var/cache/fwguard-lab without installing anything. Repeatable; needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from fwguard.errors import DeviceError, FwguardError, NotAllowedError

CACHE: Final = Path(os.environ.get("FWGUARD_LAB_CACHE", "/var/cache/fwguard-lab"))
MTA: Final = "exim4-daemon-light"
_UNPACKED: Final = CACHE / MTA
_PROGRAM: Final = "usr/sbin/exim4"


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


def fetch() -> Path:
    """Download and unpack what is missing; return the directory.

    Raises:
        NotAllowedError: not root. DeviceError: apt cannot find or fetch it.
    """
    if (_UNPACKED / _PROGRAM).is_file() and _starts(_UNPACKED) and loader_cache(_UNPACKED).exists():
        return _UNPACKED
    if os.geteuid() != 0:
        raise NotAllowedError(f"writing {CACHE} needs root")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
        try:
            _unpack(Path(fresh))
        except DeviceError:
            _run(["apt-get", "update", "-qq"], CACHE)
            _unpack(Path(fresh))
        root = Path(fresh, "root")
        if not _starts(root):
            raise DeviceError(f"{MTA} was unpacked but does not start")
        shutil.rmtree(_UNPACKED, ignore_errors=True)
        root.rename(_UNPACKED)
        _write_loader_cache(Path(fresh))
    return _UNPACKED


def _write_loader_cache(scratch: Path) -> None:
    """Write the cache now: it takes most of a second, which a start of the lab need not wait for."""
    directories = scratch / "ld.so.conf"
    own = "".join(f"{path}\n" for path in libraries(_UNPACKED))
    directories.write_text(f"{own}include /etc/ld.so.conf.d/*.conf\n")
    cache = loader_cache(_UNPACKED)
    _run(["ldconfig", "-X", "-C", str(cache.with_suffix(".new")), "-f", str(directories)], scratch)
    cache.with_suffix(".new").rename(cache)


def _unpack(directory: Path) -> None:
    """Unpack the server, and each library that installing it would bring along."""
    plan = _run(["apt-get", "--simulate", "install", "--no-install-recommends", MTA], directory)
    wanted = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")}
    wanted = {name for name in wanted if name.startswith("lib")} | {MTA}
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
    except FwguardError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
