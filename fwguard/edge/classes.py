"""Fair shares (clause 7.7) on the devices that are there: made, changed, read back, put right."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from fwguard.compile.shaping import IFB, Shaping, first_tc_text, tc_change_text
from fwguard.errors import CommitRefusedError, FwguardError
from fwguard.kernel import shaping as kernel

_IP_S: Final = 20.0


class Classes:
    """Traffic control as it was last applied."""

    def __init__(self) -> None:
        self._held: Shaping | None = None

    def apply(self, wanted: Shaping, present: Collection[str], *, trusting: bool) -> list[str]:
        """Make tc hold this on the devices that are there; return in words what was found otherwise.

        `trusting`: nobody touched it since the last time. Raises what `kernel.shaping.apply` raises.
        """
        here = replace(
            wanted,
            uplinks=tuple(name for name in wanted.uplinks if name in present),
            outer=tuple(name for name in wanted.outer if name in present),
        )
        if not here.uplinks:
            self._held = None
            return []
        before = self._held if trusting and IFB in present else None
        if before == here:
            return []
        self._held = None
        _make_ifb(present)
        found: list[str] = []
        if before is None:
            found = list(self._put_whole(here))
        else:
            kernel.apply(tc_change_text(before, here)) if _same_links(before, here) else self._put_whole(here)
        self._held = here
        return found

    def differences(self) -> tuple[str, ...]:
        """Return in words what tc holds otherwise. Raises ConflictError when a device vanished."""
        if self._held is None:
            return ()
        return kernel.differences(kernel.wanted_classes(first_tc_text(self._held)))

    def _put_whole(self, here: Shaping) -> tuple[str, ...]:
        text = first_tc_text(here)
        wanted = kernel.wanted_classes(text)
        found = kernel.differences(wanted)
        known = {(one.port, one.handle) for one in wanted}
        extra = [one for one in kernel.read_classes(set(here.devices)) if (one.port, one.handle) not in known]
        # Deepest first: a class with children cannot go.
        lines = "".join(
            f"class del dev {one.port} classid {one.handle}\n"
            for one in sorted(extra, key=lambda one: one.parent == "root")
        )
        if lines:
            _run(["tc", "-force", "-batch", "-"], lines)
        kernel.apply(text)
        return found


def _same_links(before: Shaping, here: Shaping) -> bool:
    return before.uplinks == here.uplinks and before.link_bps == here.link_bps


def _make_ifb(present: Collection[str]) -> None:
    if IFB not in present:
        try:
            _run(["ip", "link", "add", IFB, "type", "ifb"], "")
        except FwguardError as error:
            if "File exists" not in str(error):
                raise
    _run(["ip", "link", "set", IFB, "up"], "")


def _run(command: list[str], text: str) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_IP_S)
    if done.returncode:
        raise CommitRefusedError(
            f"{' '.join(command)}: {done.stderr.strip()[:300]} (expected a kernel with ifb and HTB)"
        )
