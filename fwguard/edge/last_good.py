"""The state that this edge enforces, on disk: what is loaded before the network is up, with or without a controller.

A newer state stands beside the good one until the kernel has it: after a crash between the two it is tried
again, and given up if the kernel does not take it. (epoch, generation) never falls below the good one's.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fwguard.edge.durable import remove, write_whole
from fwguard.edge.identity import Identity
from fwguard.errors import InputError
from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import parse_state

GOOD_FILE: Final = "state.json"
NEXT_FILE: Final = "state.next.json"


@dataclass(frozen=True, slots=True)
class SignedState:
    """A state that was checked, with the bytes and the signature that came."""

    state: EdgeState
    data: bytes
    signature: str

    @property
    def version(self) -> tuple[int, int]:
        """Return (epoch, generation), which never falls."""
        return self.state.epoch, self.state.generation


def accept(
    data: bytes, signature: str, identity: Identity, *, newest: tuple[int, int] | None, file: str = "state"
) -> SignedState:
    """Return a state that may be enforced: signed for this edge, well-formed, not older than `newest`.

    Raises InputError that says why not.
    """
    identity.check_state(data, signature)
    state = parse_state(data, file)
    if state.edge != identity.name:
        raise InputError(f"it is for {state.edge}", where=f"{file}: edge", expected=identity.name)
    if newest is not None and (state.epoch, state.generation) < newest:
        raise InputError(
            f"({state.epoch}, {state.generation}) is older than what is enforced",
            where=f"{file}: epoch, generation",
            expected=f"{newest} or newer",
        )
    return SignedState(state, data, signature)


class LastGood:
    """The two files in one folder."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self._good, self._next = folder / GOOD_FILE, folder / NEXT_FILE
        self._identity = identity

    def read(self) -> SignedState | None:
        """Return the good state, None when there never was one. Raises InputError for a broken file."""
        return self._read(self._good, None)

    def read_next(self, newest: tuple[int, int] | None) -> SignedState | None:
        """Return the state that a crash left between disk and kernel, None without one, or for a broken one."""
        try:
            return self._read(self._next, newest)
        except InputError:
            return None

    def propose(self, signed: SignedState) -> None:
        """Keep a state that the kernel is about to get. Raises OSError."""
        body = {"state": base64.b64encode(signed.data).decode(), "signature": signed.signature}
        write_whole(self._next, json.dumps(body).encode())

    def confirm(self) -> None:
        """Make the proposed state the good one: the kernel has it. Raises OSError."""
        self._next.replace(self._good)
        remove(self._next)

    def withdraw(self) -> None:
        """Give the proposed state up: the kernel did not take it."""
        remove(self._next)

    def _read(self, path: Path, newest: tuple[int, int] | None) -> SignedState | None:
        try:
            value = json.loads(path.read_bytes())
            data, signature = base64.b64decode(value["state"], validate=True), value["signature"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"broken: {error}", where=str(path), expected="a state that the controller signed"
            ) from None
        return accept(data, str(signature), self._identity, newest=newest, file=str(path))
