"""libvirt, through Debian's `virsh`: the domains of one connection and their states.

The Python binding on the package index comes as source only and must be compiled against the installed
library, release by release; `virsh` is in every distribution beside that library, and `domstats` prints the
numbers of `virDomainState` as the library has them. A domain bears the name of its server.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from typing import Final

from fwguard.errors import DeviceUnreachableError, InputError, PartialReadingError
from fwguard.model.machine_state import MachineState, Sighting

ANSWER_S: Final = 30.0
MOST_BYTES: Final = 16 << 20
_URI: Final = re.compile(r"[a-z0-9+.-]{1,40}:[!-~]{1,400}")
_DOMAIN: Final = re.compile(r"Domain: '(.*)'")
_STATE: Final = re.compile(r"  state\.state=(\d+)")
# virDomainState (libvirt-domain.h): 1 running, 2 blocked, 3 paused, 4 shutting down, 7 suspended by the guest's
# own power management; 5 shut off, 6 crashed. A paused server is started: it holds its memory, and its address.
_STATES: Final[Mapping[int, MachineState]] = {
    1: MachineState.RUNNING, 2: MachineState.RUNNING, 3: MachineState.RUNNING, 4: MachineState.RUNNING,
    5: MachineState.STOPPED, 6: MachineState.STOPPED, 7: MachineState.RUNNING,
}  # fmt: skip


class Libvirt:
    """The domains of one libvirt connection, read only."""

    def __init__(self, uri: str) -> None:
        if not _URI.fullmatch(uri):
            raise InputError(f"libvirt URI {uri!r}", expected="as qemu:///system or qemu+ssh://host/system")
        self.uri = uri

    def machines(self) -> tuple[Sighting, ...]:
        """Return every domain, active or not."""
        command = ["virsh", "--readonly", "--quiet", "--connect", self.uri, "domstats", "--state"]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=ANSWER_S, check=False, env=os.environ | {"LC_ALL": "C"}
            )  # fmt: skip
        except FileNotFoundError:
            raise InputError("no virsh", expected="Debian's libvirt-clients, installed") from None
        except subprocess.TimeoutExpired:
            raise DeviceUnreachableError(f"libvirt {self.uri}: no answer in {ANSWER_S:.0f} s") from None
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().splitlines()
            raise DeviceUnreachableError(f"libvirt {self.uri}: {why[-1][:300] if why else 'no reason given'}")
        if len(done.stdout) > MOST_BYTES:
            raise PartialReadingError(f"libvirt {self.uri}: more than {MOST_BYTES} bytes")
        return parse_domstats(done.stdout.decode(errors="replace"), self.uri)


def parse_domstats(text: str, uri: str) -> tuple[Sighting, ...]:
    """Read `virsh domstats --state`. Raises PartialReadingError for a domain without a known state."""
    states: dict[str, MachineState | None] = {}
    name = ""
    for line in text.splitlines():
        if domain := _DOMAIN.fullmatch(line):
            name = domain[1]
            states[name] = None
        elif (found := _STATE.fullmatch(line)) and name:
            states[name] = _STATES.get(int(found[1]))
    unknown = [name for name, state in states.items() if state is None]
    if unknown:
        raise PartialReadingError(f"libvirt {uri} says no state that we know of {', '.join(unknown[:5])}")
    return tuple(Sighting(name=name, state=state) for name, state in states.items() if state is not None)
