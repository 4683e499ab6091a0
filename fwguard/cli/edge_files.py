"""An edge's state in a file, for commands: read with bounds, complaints with the file's name."""

from __future__ import annotations

from pathlib import Path

from fwguard.errors import InputError
from fwguard.model.edge import EdgeState
from fwguard.model.edge_json import MOST_BYTES, parse_state


def read_state(path: str) -> EdgeState:
    """Read the JSON form of a state. Raises InputError with file, path within it, and what was expected."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{error.strerror}", where=path, expected="a readable file") from None
    return parse_state(data, path)
