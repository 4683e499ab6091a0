"""The client at work on its own firewall: makes one change at a time, and says when it began and was done.

Run inside a lab firewall as `python -m fwguard.bench.client`. A line of JSON in, one change: {"argv": […]},
a command of the firewall's, or {"netconf": "…"}, a configuration to merge. A line out: {"began_ns",
"returned_ns"} by the clock of this machine, which the controller shares, or {"error"}.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from fwguard.errors import DeviceError
from fwguard.lab.netconf_local import BASE, LocalSession


class Client:
    """Keeps its NETCONF session, as an administrator's shell would."""

    def __init__(self) -> None:
        self._session: LocalSession | None = None

    def change(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Make one change; the command's own start is part of it, staging a candidate is not."""
        if "argv" in order:
            began = time.time_ns()
            done = subprocess.run(order["argv"], capture_output=True, text=True, timeout=20)
            returned = time.time_ns()
            if done.returncode:
                return {"error": f"{' '.join(order['argv'])}: {done.stderr.strip()[:500]}"}
            return {"began_ns": began, "returned_ns": returned}
        if self._session is None:
            self._session = LocalSession()
        try:
            self._session.ask("<discard-changes/>")
            self._session.ask(
                "<edit-config><target><candidate/></target>"
                f'<config xmlns:nc="{BASE}">{order["netconf"]}</config></edit-config>'
            )
            began = time.time_ns()
            self._session.ask("<commit/>")
            return {"began_ns": began, "returned_ns": time.time_ns()}
        except DeviceError as error:
            return {"error": str(error)[:500]}


def main() -> None:
    """Serve orders until the end of standard input."""
    client = Client()
    for line in sys.stdin:
        print(json.dumps(client.change(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
