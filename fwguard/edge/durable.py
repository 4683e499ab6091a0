"""Files that a crash or a power cut leaves whole: written aside, synced, renamed, and the folder synced too.

Source: fsync(2), rename(2): a rename is atomic, and lasting only once the directory was synced.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from fwguard.errors import ConflictError, InputError


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put `data` at `path`, so that at any moment either the old or the new content is there, whole.

    Raises OSError (a full disk, a read-only one); the old content is there still.
    """
    aside = path.with_name(f"{path.name}.new")
    handle = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file for good; one that is not there is no error."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in a folder last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Make a folder that only we may read, or check that the one there is such.

    Raises InputError when it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise InputError(
            f"{error.strerror}", where=str(folder), expected="a folder of our own, mode 0700"
        ) from None


class Alone:
    """The right to be the only process on a state directory; given up when the process ends, however."""

    def __init__(self, folder: Path) -> None:
        """Take it. Raises ConflictError when another process has it."""
        self._handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise ConflictError(
                f"{folder}: another agent works on this folder; stop it first, or leave the work to it"
            ) from None

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give it up."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
