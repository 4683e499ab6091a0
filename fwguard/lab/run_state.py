"""What a run wrote down about itself, so that any process can find it, end it, or see that it is dead."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from fwguard.errors import ConflictError, InputError
from fwguard.lab import namespaces
from fwguard.lab.plan import RUN

STATE_ROOT: Final = Path("/run/fwguard-lab")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One run. `creator` made it; when `bound`, the run is worth nothing without its creator.

    `inits` are the processes 1 of the boxes by host.
    """

    run: str
    firewalls: int
    kinds: tuple[str, ...]
    phase: str  # starting, up
    creator: int
    creator_start: int
    bound: bool
    inits: Mapping[str, int] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """Return the directory of the run's files."""
        return STATE_ROOT / self.run

    @property
    def namespaces(self) -> list[str]:
        """Return the namespaces of this run that exist."""
        return namespaces.existing(f"fwg-{self.run}-")

    @property
    def is_dead(self) -> bool:
        """Tell whether nobody can want this run any more: its creator ended too early, or it is no more."""
        creator_lives = process_start(self.creator) == self.creator_start
        if self.phase == "starting" or self.bound:
            return not creator_lives
        return not self.namespaces

    def save(self) -> None:
        """Write it, whole or not at all."""
        target = self.directory / "state.json"
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n")
        fresh.replace(target)

    def with_inits(self, inits: Mapping[str, int]) -> RunState:
        """Return it as up, with these boxes."""
        return replace(self, phase="up", inits=dict(inits))


def process_start(pid: int) -> int | None:
    """Return when a process started, in ticks since boot (proc(5), stat field 22); None if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def begin(run: str, *, firewalls: int, kinds: tuple[str, ...], bound: bool) -> RunState:
    """Claim a run's name; its directory appears with its state in it.

    Raises:
        ConflictError: a run of this name is there.
    """
    start = process_start(os.getpid())
    state = RunState(
        run=run, firewalls=firewalls, kinds=kinds, phase="starting",
        creator=os.getpid(), creator_start=start or 0, bound=bound,
    )  # fmt: skip
    STATE_ROOT.mkdir(mode=0o711, exist_ok=True)
    fresh = STATE_ROOT / f".{run}.{secrets.token_hex(4)}"
    fresh.mkdir(mode=0o700)
    (fresh / "state.json").write_text(json.dumps(asdict(state)))
    try:
        fresh.rename(STATE_ROOT / run)
    except OSError:
        shutil.rmtree(fresh)
        raise ConflictError(
            f"a lab {run!r} is there already: `fwguard lab down --run {run}` ends it"
        ) from None
    state.save()
    return state


def load(run: str) -> RunState:
    """Return the state of a run. Raises InputError when there is none of this name."""
    try:
        return RunState(**json.loads((STATE_ROOT / run / "state.json").read_text()))
    except FileNotFoundError:
        there = ", ".join(runs()) or "none is up"
        raise InputError(f"no lab {run!r}", expected=f"one of: {there}") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{STATE_ROOT / run}/state.json cannot be read: {error}") from None


def runs() -> list[str]:
    """Return the names of all runs that have a directory, dead or alive."""
    if not STATE_ROOT.is_dir():
        return []
    return sorted(entry.name for entry in STATE_ROOT.iterdir() if not entry.name.startswith("."))


def exists(run: str) -> bool:
    """Tell whether anything of a run is there. Raises InputError on what is no name of a run."""
    if not RUN.fullmatch(run):
        raise InputError(f"run {run!r}", expected="1 to 8 characters of a-z and 0-9")
    return run in runs() or bool(namespaces.existing(f"fwg-{run}-"))


def destroy(run: str) -> None:
    """End a run, whatever is left of it: processes, namespaces (with their links), files. Repeatable.

    The directory goes last: as long as it is there, the namespaces have an owner.
    """
    names = namespaces.existing(f"fwg-{run}-")
    namespaces.end_processes(names)
    namespaces.remove(names)
    shutil.rmtree(STATE_ROOT / run, ignore_errors=True)
    with suppress(OSError):  # other runs are there
        STATE_ROOT.rmdir()


def _forget_half_begun() -> None:
    """Remove directories of runs that ended before they had their name."""
    if STATE_ROOT.is_dir():
        for entry in STATE_ROOT.glob(".*"):
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > 60:
                    shutil.rmtree(entry)


def sweep() -> list[str]:
    """End all dead runs, and what has no run at all; return their names."""
    known = runs()
    _forget_half_begun()
    dead = []
    for run in known:
        try:
            if load(run).is_dead:
                dead.append(run)
        except InputError:
            dead.append(run)
    owners = {name.split("-")[1] for name in namespaces.existing("fwg-") if name.count("-") >= 2}
    # Read the directories again: a run that began meanwhile made its own before its namespaces.
    dead += sorted(owners - set(known) - set(runs()))
    for run in dead:
        destroy(run)
    return dead
