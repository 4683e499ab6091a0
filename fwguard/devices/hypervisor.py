"""Where servers run: which of them are in service, asked of a file, of libvirt, or of what may follow (clause 4).

A source is named "KIND:PLACE" in the settings. To add one (Proxmox, VMware), write a class with `machines`
and name it in `HYPERVISORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from fwguard.devices.libvirt import Libvirt
from fwguard.devices.state_file import StateFile
from fwguard.errors import InputError
from fwguard.model.machine_state import Sighting


class Hypervisor(Protocol):
    """Something that knows which servers run. What it does not list, it does not have (any more)."""

    def machines(self) -> tuple[Sighting, ...]:
        """Return every server it has, each once.

        Raises DeviceUnreachableError: no answer; PartialReadingError: not the whole of it; InputError: a
        file that is wrong. In none of these cases anything is concluded.
        """
        ...


HYPERVISORS: Final[Mapping[str, Callable[[str], Hypervisor]]] = {
    "file": StateFile,
    "libvirt": Libvirt,
}


def open_hypervisor(source: str) -> Hypervisor:
    """Return what "libvirt:qemu:///system" or "file:/etc/fwguard/servers.yaml" names. Raises InputError."""
    kind, colon, place = source.partition(":")
    if not colon or not place or kind not in HYPERVISORS:
        raise InputError(
            f"source {source!r}", expected="libvirt:URI (as libvirt:qemu:///system) or file:PATH"
        )
    return HYPERVISORS[kind](place)
