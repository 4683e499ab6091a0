"""What the kernel's refusals mean, and what to do about each: errno -> an error of errors.py.

Source: errno(3); net/netfilter/nf_tables_api.c and nfnetlink.c for what each stands for there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Final

from fwguard.errors import (
    CommitRefusedError,
    ConflictError,
    DeviceError,
    FwguardError,
    InputError,
    NotAllowedError,
    PreimageMovedError,
)
from fwguard.kernel.messages import Refusal

_Class = type[ConflictError] | type[CommitRefusedError] | type[NotAllowedError] | type[DeviceError]

# errno -> (class, what was expected and what to do).
_MEANINGS: Final[Mapping[int, tuple[_Class, str]]] = {
    errno.EPERM: (
        NotAllowedError,
        "the right to change it: CAP_NET_ADMIN, and no other owner; end the program that owns the table",
    ),
    errno.ENOENT: (
        ConflictError,
        "an existing table, set, chain, element or interface; someone removed it: read back, then repair",
    ),
    errno.ENODEV: (ConflictError, "an existing interface; it vanished: read the links again"),
    errno.EEXIST: (
        ConflictError,
        "nothing there yet; it exists already with another value, or intervals overlap: read back",
    ),
    errno.EBUSY: (ConflictError, "nothing that still refers to it: remove those rules or elements first"),
    errno.ERESTART: (
        PreimageMovedError,
        "the generation that was read; someone changed the ruleset meanwhile: read again, then decide again",
    ),
    errno.ENFILE: (
        CommitRefusedError,
        "room in the set: it is full at its `size`; enlarge it or end elements",
    ),
    errno.ENOSPC: (CommitRefusedError, "room: the set is full at its `size`; enlarge it or end elements"),
    errno.ENOMEM: (CommitRefusedError, "memory for it: free some, or send less in one transaction"),
    errno.ENOBUFS: (
        CommitRefusedError,
        "answers that fit: many elements were refused (overlaps?), or the buffer is short; send fewer and look",
    ),
    errno.EOPNOTSUPP: (CommitRefusedError, "a kernel that has this feature (table flags: Linux 6.9)"),
    errno.EAFNOSUPPORT: (CommitRefusedError, "a kernel with this table family"),
    errno.EINVAL: (CommitRefusedError, "what the set or chain is declared for: compare key and data lengths"),
    errno.ERANGE: (CommitRefusedError, "a value within its range"),
    errno.ENETUNREACH: (ConflictError, "a gateway on a network of the interface; read its addresses again"),
    errno.ETIMEDOUT: (DeviceError, "an answer; read back"),
}


def raise_refused(refused: Sequence[Refusal], where: str) -> None:
    """Do nothing when nothing was refused, else raise the error of the refusal that says most.

    The state is as before: a batch holds whole or not at all.

    Raises:
        ConflictError, NotAllowedError, PreimageMovedError, InputError, CommitRefusedError, DeviceError.
    """
    if refused:
        raise explained(refused, where)


def explained(refused: Sequence[Refusal], where: str) -> FwguardError:
    """Return the error for these refusals, with the first ones named."""
    leading = refused[0]
    others = len(refused) - 1
    more = f", and {others} more like it" if others else ""
    return error_for(leading.number, f"{where}: {leading.what}", leading.words, more=more)


def error_for(number: int, where: str, words: str = "", *, more: str = "") -> FwguardError:
    """Return the error for one errno: where, the kernel's words, what was expected and what to do."""
    name = errno.errorcode.get(number, str(number))
    said = f"{os.strerror(number)} ({name}{': ' + words if words else ''})"
    if number == errno.EMSGSIZE:
        return InputError(f"{said}{more}", where=where, expected="a message that fits: split it")
    kind, expected = _MEANINGS.get(
        number, (CommitRefusedError, "a kernel that agrees; the state is as before")
    )
    return kind(f"{where}: {said}{more} (expected {expected})")


def numbers(refused: Sequence[Refusal]) -> frozenset[int]:
    """Return the errnos among these refusals."""
    return frozenset(refusal.number for refusal in refused)
