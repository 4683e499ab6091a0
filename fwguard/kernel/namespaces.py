"""Work done in another network namespace: a named one, or a nameless one that ends with its last user.

Sources: setns(2), unshare(2), network_namespaces(7), ip-netns(8).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from fwguard.errors import DeviceError, NotAllowedError

NETNS_DIR: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def inside(name: str, work: Callable[[], T]) -> T:
    """Return what `work` returns in a thread of its own inside a named namespace.

    Sockets that it opens stay there and can be used by any thread afterwards; so do programs that it starts.

    Raises:
        DeviceError: there is no such namespace.
        NotAllowedError: entering needs CAP_SYS_ADMIN.
    """
    try:
        fd = os.open(NETNS_DIR / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(
            f"network namespace {name}: {error.strerror}; make it with `ip netns add`"
        ) from None
    try:
        return _threaded(lambda: _libc.setns(fd, CLONE_NEWNET), f"entering network namespace {name}", work)
    finally:
        os.close(fd)


def inside_scratch(work: Callable[[], T]) -> T:
    """Return what `work` returns in a fresh, empty namespace, which is gone when nothing of it is open.

    Raises NotAllowedError without CAP_SYS_ADMIN.
    """
    return _threaded(lambda: _libc.unshare(CLONE_NEWNET), "making a network namespace", work)


def _threaded(move: Callable[[], int], what: str, work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            if move():
                why = os.strerror(ctypes.get_errno())
                raise NotAllowedError(f"{what}: {why}; it needs root or CAP_SYS_ADMIN")
            results.append(work())
        except BaseException as error:
            errors.append(error)

    # A thread moves alone: the namespace of the rest of the process stays what it was.
    thread = Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
