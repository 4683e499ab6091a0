"""Every error that someone can do something about; the class says who must act."""

from __future__ import annotations

from typing import ClassVar


class FwguardError(Exception):
    """Base of every error that a person can do something about. (1 answers a question, 70 is a bug.)"""

    exit_code: ClassVar[int] = 70


class InputError(FwguardError):
    """We were given something wrong: says where, and what was expected. Never retried."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", expected: str = "") -> None:
        parts = [f"{where}: " if where else "", message, f" (expected {expected})" if expected else ""]
        super().__init__("".join(parts))
        self.where = where
        self.expected = expected


class UnreadableError(InputError):
    """A configuration text that is not what its dialect says, at a line of it."""

    def __init__(self, message: str, *, line: int = 0, expected: str = "", file: str = "") -> None:
        where = f"{file}:{line}" if file and line else file or (f"line {line}" if line else "")
        super().__init__(message, where=where, expected=expected)
        self.line = line


class DeviceError(FwguardError):
    """The far side failed. The flow retries with backoff, then rolls back and calls a person."""

    exit_code = 3


class DeviceUnreachableError(DeviceError):
    """No session: off, no route, refused, or silent past the deadline."""


class AuthenticationError(DeviceError):
    """The device rejects our key or certificate."""


class HostKeyChangedError(DeviceError):
    """The device shows another key than the pinned one: never used, a case is opened (clause 7.1).

    `shown` and `pinned` are fingerprints, as `ssh-keygen -l` writes them.
    """

    def __init__(self, message: str, *, shown: str = "", pinned: str = "") -> None:
        super().__init__(message)
        self.shown = shown
        self.pinned = pinned


class PartialReadingError(DeviceError):
    """The device answered, but not whole. Nothing is ever concluded or restored from such a reading."""


class PreimageMovedError(DeviceError):
    """The state on the device is no longer the one that the write was made for; nothing was written."""


class CommitRefusedError(DeviceError):
    """The device refused the change, and its state is as before."""


class NotPendingError(DeviceError):
    """No write of this warrant waits on the device: it is final already, or was undone. Read again."""


class NotAllowedError(FwguardError):
    """The actor may not do this, or no warrant covers it."""

    exit_code = 4


class ConflictError(FwguardError):
    """Somebody else moved the thing first: read again, then decide again."""

    exit_code = 1
