"""A host with processes, files and users of its own: what a small Debian machine looks like from inside."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fwguard.errors import DeviceError
from fwguard.lab.namespaces import NETNS_DIR

PRIVATE: Final = ("/etc", "/var", "/root", "/tmp", "/usr/local/sbin", "/run")  # /run last: state is there
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What every box takes from this machine's /etc, where present. No user, key or secret is among it.
_SHARED_ETC: Final = (
    "alternatives", "debian_version", "ethertypes", "gai.conf", "iproute2", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "netconfd", "os-release", "protocols", "rpc", "services",
    "ssl/openssl.cnf", "terminfo", "timezone", "yuma",
)  # fmt: skip
_USERS: Final = (("root", 0, "/root", "/bin/sh"), ("sshd", 110, "/run/sshd", "/usr/sbin/nologin"))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file inside a box; `mode` as in chmod(2)."""

    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What makes a box: all of it is gone when its processes are.

    `files` by absolute path, each below one of PRIVATE. `boot` are shell commands run in order as root,
    the first failure ends the box. `daemons` are shell commands that stay in the foreground, children of
    its process 1, which reaps. `shared` are directories of this machine by where the box sees them.
    `keep` are paths of this machine that stay visible, read-only, though PRIVATE covers them.
    `users` are (name, uid, home, shell) besides root and sshd.
    """

    host: str
    netns: str
    files: Mapping[str, File]
    boot: tuple[str, ...]
    daemons: tuple[str, ...]
    shared: Mapping[str, Path] = field(default_factory=dict)
    keep: tuple[Path, ...] = ()
    users: tuple[tuple[str, int, str, str], ...] = ()


def common_etc(target: Path) -> None:
    """Write the part of /etc that all boxes of a run share, once."""
    target.mkdir(parents=True)
    for name in _SHARED_ETC:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True)
        elif source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    # Debian's default, whatever this machine's own choice is.
    for program in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            link = target / "alternatives" / f"{program}{suffix}"
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(f"/usr/sbin/{program}-nft{suffix}")
    (target / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    (target / "resolv.conf").write_text("# nobody is asked\n")
    (target / "profile").write_text(f"export PATH={PATH}\nPS1='\\u@$(hostname):\\w# '\n")


def start(box: Box, directory: Path, etc: Path) -> subprocess.Popen[bytes]:
    """Write the box's files below `directory` and start it; what it prints goes to `directory`/log.

    `etc` is what `common_etc` wrote. The child is `unshare`: when it is killed, the box is gone.
    """
    root = directory / "root"
    _write_files(box, root)
    script = directory / "init"
    script.write_text(init_script(box, root, etc))
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            ["nsenter", f"--net={NETNS_DIR / box.netns}", "unshare", "--mount", "--pid", "--uts", "--ipc",
             "--fork", "--kill-child=KILL", "--mount-proc", "sh", str(script)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"},
        )  # fmt: skip


def _write_files(box: Box, root: Path) -> None:
    users = (*_USERS, *box.users)
    files = {
        "/etc/passwd": File(text="".join(f"{n}:x:{u}:{u}::{home}:{sh}\n" for n, u, home, sh in users)
                            + "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"),
        "/etc/group": File(text="".join(f"{n}:x:{u}:\n" for n, u, _, _ in users) + "nogroup:x:65534:\n"),
        "/etc/shadow": File(text="".join(f"{n}:*:19000:0:99999:7:::\n" for n, _, _, _ in users), mode=0o640),
        "/etc/hostname": File(text=f"{box.host}\n"),
        "/etc/hosts": File(text=f"127.0.0.1 localhost {box.host}\n::1 localhost {box.host}\n"),
        **box.files,
    }  # fmt: skip
    for private in PRIVATE:
        (root / private[1:]).mkdir(parents=True)
    for directory in ("var/log", "var/lib", "var/tmp", "run/lock", "run/sshd"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "root").chmod(0o700)
    (root / "tmp").chmod(0o1777)
    for path, file in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
        with os.fdopen(fd, "w") as stream:
            stream.write(file.text)
        target.chmod(file.mode)


def init_script(box: Box, root: Path, etc: Path) -> str:
    """Return what runs as process 1 of the box."""
    q = shlex.quote
    lines = [
        "set -eu",
        # A private copy of these mounts would keep other hosts' namespaces alive.
        f"umount -R -l {NETNS_DIR} 2>/dev/null || :",
        f"echo {q(box.host)} > /proc/sys/kernel/hostname",
        "mount -t sysfs sysfs /sys",
        "mount -t tmpfs -o mode=755,size=256m fwguard-lab /mnt",
        f"cp -a {q(str(root))}/. /mnt/",
        f"cp -a -n {q(str(etc))}/. /mnt/etc/",
    ]
    for inside, outside in box.shared.items():
        lines.append(f"mkdir -p /mnt{q(inside)} && mount --bind {q(str(outside))} /mnt{q(inside)}")
    for kept in _kept(box.keep):
        lines.append(f"mkdir -p /mnt{q(kept)} && mount --bind -o ro {q(kept)} /mnt{q(kept)}")
    lines += [f"mount --rbind /mnt{private} {private}" for private in PRIVATE]
    lines += ["umount -R -l /mnt", "cd /root", *box.boot]

    lines += [f"{daemon} &" for daemon in box.daemons]
    # The shell's wait reaps orphans too; the sleep keeps it waiting when every daemon is gone.
    lines += ["set +e", "while :; do sleep 2147483 & wait; done"]
    return "\n".join(lines) + "\n"


def _kept(extra: tuple[Path, ...]) -> list[str]:
    """Return the private-covered directories that must stay visible: the interpreter and this package."""
    package = Path(__file__).resolve().parents[2]
    wanted = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), package, *extra}
    covered = [path for path in wanted if any(path.is_relative_to(private) for private in PRIVATE)]
    return sorted(
        str(path) for path in covered if not any(path != o and path.is_relative_to(o) for o in covered)
    )


def init_pid(child: int) -> int:
    """Return the process 1 of the box whose `unshare` is `child`. Raises DeviceError when it has none."""
    try:
        children = Path(f"/proc/{child}/task/{child}/children").read_text().split()
    except OSError:
        children = []
    if not children:
        raise DeviceError(f"process {child} is no box: it has no child")
    return int(children[0])


def inside_box(init: int, argv: list[str]) -> list[str]:
    """Return the command that runs `argv` as root inside all namespaces of a box."""
    enter = ["nsenter", "-t", str(init), "--mount", "--uts", "--ipc", "--net", "--pid"]
    clean = [
        "env",
        "-i",
        f"PATH={PATH}",
        "HOME=/root",
        "LANG=C.UTF-8",
        f"TERM={os.environ.get('TERM', 'dumb')}",
    ]
    return [*enter, *clean, "sh", "-c", 'cd /root && exec "$@"', "sh", *argv]
