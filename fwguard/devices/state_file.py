"""The states of servers from a file that the operator's own tools write."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from fwguard.errors import InputError, PartialReadingError
from fwguard.model.document import Field, read_document
from fwguard.model.machine_state import MachineState, Sighting

MOST_BYTES: Final = 1 << 20
_STATES: Final = {state.value: state for state in MachineState}


class StateFile:
    """A YAML or JSON file: `servers:`, each with `name`, `state` and, if known, `since`.

    Write it beside its place and rename it: a file that ends in the middle of a line is refused.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def machines(self) -> tuple[Sighting, ...]:
        """Return every server of the file. Raises InputError with file and line."""
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise InputError(f"{error.strerror}", where=str(self.path), expected="a file of states") from None
        if len(raw) > MOST_BYTES:
            raise InputError(f"{len(raw)} bytes", where=str(self.path), expected=f"at most {MOST_BYTES}")
        if raw and not raw.endswith(b"\n"):
            raise PartialReadingError(f"{self.path}: its last line has no end, so more may be missing")
        return parse_states(raw.decode("utf-8", errors="replace"), str(self.path))


def parse_states(text: str, file: str) -> tuple[Sighting, ...]:
    """Read the text of such a file. Raises InputError with file and line."""
    found: dict[str, Sighting] = {}
    for field in read_document(text, file).mapping(required=("servers",))["servers"].sequence():
        parts = field.mapping(required=("name", "state"), optional=("since",))
        name = parts["name"].text()
        if name in found:
            raise parts["name"].fail(f"{name} stands twice", "each server once")
        since = parts["since"].parsed(_moment) if "since" in parts else None
        found[name] = Sighting(name=name, state=_state(parts["state"]), since=since)
    return tuple(found.values())


def _state(field: Field) -> MachineState:
    return field.choice(_STATES)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no time", expected="2026-03-04T05:06:07Z") from None
    if at.tzinfo is None:
        raise InputError(f"{text} has no time zone", expected=f"{text}Z, or with +01:00")
    return at
