"""Network namespaces by name: made in one batch, entered by a thread, emptied and removed."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from fwguard.errors import DeviceError

NETNS_DIR: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def ip_batch(lines: Iterable[str], *, netns: str | None = None) -> None:
    """Run `ip -batch` on these lines, in a namespace or in ours; those that begin with `-6 ` go last.

    Raises:
        DeviceError: a line failed; the message is ip's, with the line.
    """
    where = ["-n", netns] if netns else []
    every = list(lines)
    plain = [line for line in every if not line.startswith("-6 ")]
    six = [line[3:] for line in every if line.startswith("-6 ")]
    for family, batch in ([], plain), (["-6"], six):
        if not batch:
            continue
        text = "".join(f"{line}\n" for line in batch)
        done = subprocess.run(
            ["ip", *where, *family, "-batch", "-"], input=text, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise DeviceError(f"ip -batch in {netns or 'this namespace'}: {_explained(done.stderr, text)}")


def ip_batches(lines: Mapping[str, Iterable[str]]) -> None:
    """Run `ip -batch` in several namespaces at the same time. Raises DeviceError as `ip_batch` does."""
    running = []
    for netns, batch in lines.items():
        text = "".join(f"{line}\n" for line in batch)
        child = subprocess.Popen(
            ["ip", "-n", netns, "-batch", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdin is not None
        child.stdin.write(text)
        child.stdin.close()
        child.stdin = None
        running.append((netns, text, child))
    failed = []
    for netns, text, child in running:
        _, errors = child.communicate(timeout=60)
        if child.returncode:
            failed.append(f"ip -batch in {netns}: {_explained(errors, text)}")
    if failed:
        raise DeviceError("; ".join(failed))


def _explained(errors: str, text: str) -> str:
    """Return ip's complaint with the line that it names ("Command failed -:12")."""
    lines = text.splitlines()
    shown = errors.strip()
    number = shown.rpartition("-:")[2]
    if number.isdigit() and 0 < int(number) <= len(lines):
        shown += f" ({lines[int(number) - 1]})"
    return shown


def create(names: Iterable[str]) -> None:
    """Make these namespaces, each with its loopback up."""
    ip_batch(f"netns add {name}" for name in names)


def existing(prefix: str) -> list[str]:
    """Return the names of the namespaces whose name starts so."""
    if not NETNS_DIR.is_dir():
        return []
    return sorted(entry.name for entry in NETNS_DIR.iterdir() if entry.name.startswith(prefix))


def remove(names: Iterable[str]) -> None:
    """Remove these namespaces; one that is gone already is no error."""
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=30)
        (NETNS_DIR / name).unlink(missing_ok=True)  # a half-made one is a file without a mount


def enter(name: str) -> None:
    """Move the calling thread into a namespace. Raises DeviceError when it does not exist."""
    try:
        fd = os.open(NETNS_DIR / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(f"network namespace {name}: {error.strerror}") from None
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            raise DeviceError(f"cannot enter {name}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fd)


def inside(name: str, work: Callable[[], T]) -> T:
    """Return what `work` returns when a thread of its own runs it inside the namespace.

    Sockets that it opens stay in that namespace and can be used by any thread afterwards.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            enter(name)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, name=f"in {name}", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def socket_in(name: str, family: int, kind: int) -> socket.socket:
    """Return a socket that belongs to a namespace."""
    return inside(name, lambda: socket.socket(family, kind))


def write_sysctls(values: Mapping[str, Mapping[str, int]]) -> None:
    """Write sysctls: by namespace, then by path below /proc/sys (`net/ipv4/ip_forward`).

    Raises DeviceError, with the path, when the kernel has none of it or refuses.
    """

    def run(settings: Mapping[str, int]) -> None:
        for path, value in settings.items():
            try:
                Path("/proc/sys", path).write_text(str(value))
            except OSError as error:
                raise DeviceError(f"{path.replace('/', '.')} = {value}: {error.strerror}") from None

    for name, settings in values.items():
        inside(name, lambda settings=settings: run(settings))  # type: ignore[misc]


def processes_in(names: Iterable[str]) -> list[int]:
    """Return the processes whose network namespace is one of these, our own excluded."""
    inodes = set()
    for name in names:
        with _gone_is_fine():
            inodes.add(os.stat(NETNS_DIR / name).st_ino)
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with _gone_is_fine():
                if os.stat(f"/proc/{entry}/ns/net").st_ino in inodes:
                    found.append(int(entry))
    return found


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        yield


def is_in(pid: int, name: str) -> bool:
    """Tell whether a process is there, and in this network namespace."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(NETNS_DIR / name).st_ino
    except OSError:
        return False


def end_processes(names: Iterable[str], *, within_s: float = 10.0) -> None:
    """Kill every process in these namespaces, and those of the process namespaces they are init of.

    Raises:
        DeviceError: some are still there after `within_s`.
    """
    names = list(names)
    deadline = time.monotonic() + within_s
    while left := processes_in(names):
        for pid in left:
            with _gone_is_fine():
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            try:
                os.waitpid(pid, os.WNOHANG)  # ours would stay as zombies otherwise
            except (ChildProcessError, OSError):
                continue
        if time.monotonic() > deadline:
            raise DeviceError(f"processes {left} in {', '.join(names)} do not end")
        time.sleep(0.005)
