"""Makes a lab firewall do what its datastore says: netconfd holds data and enforces nothing.

`python -m fwguard.lab.netconf_render READY-FILE` runs inside the firewall, in the foreground, for ever. It
subscribes to netconfd's notifications and, at the start and after every change of running (a confirmed
commit that is undone is one too), loads one nft transaction, brings the static routes in line, and ends
the connections that came in by an entry or a redirection that is gone; all others stay. READY-FILE is
made after the first time. A running that cannot be rendered leaves the kernel as it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from lxml import etree

from fwguard.errors import DeviceError
from fwguard.lab.netconf_local import BASE, LocalSession
from fwguard.lab.netconf_routes import route_lines
from fwguard.lab.netconf_rules import Rendered, render

RETRY_S: Final = 0.1
ENDED_ONE_BY_ONE: Final = 200  # beyond, every connection ends: it was a flush
_SUBSCRIBE: Final = (
    '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><stream>NETCONF</stream>'
    "</create-subscription>"
)
_GET: Final = "<get-config><source><running/></source></get-config>"
_CHANGES: Final = ("netconf-config-change", "netconf-confirmed-commit")


class Kernel:
    """What we last put into the kernel, and how to put the next."""

    def __init__(self) -> None:
        self._held: Rendered | None = None
        self._routes: frozenset[str] = frozenset()

    def take(self, data: etree._Element) -> None:
        """Bring filter, NAT, routes and connections in line with a `<data>`."""
        wanted = render(data, os.listdir("/sys/class/net"))
        for what in wanted.skipped:
            _say(f"not rendered: {what}")
        if self._held is None or wanted.nft != self._held.nft:
            done = _run(["nft", "-f", "-"], wanted.nft)
            if done.returncode:
                _say(f"nft refuses, the kernel stays as it was: {done.stderr.strip()[:2000]}")
                return
        routes = frozenset(route_lines(data))
        # What goes, goes first: a prefix that got another next hop is there again at once.
        self._ip(
            [line.replace(" route replace ", " route del ", 1) for line in sorted(self._routes - routes)]
        )
        self._ip(sorted(routes - self._routes))
        held, self._held, self._routes = self._held, wanted, routes
        if held is not None:
            _end_connections(held, wanted)

    def _ip(self, lines: list[str]) -> None:
        for family in ("-4", "-6"):
            batch = "".join(f"{line[3:]}\n" for line in lines if line.startswith(family))
            if batch:
                done = _run(["ip", family, "-force", "-batch", "-"], batch)
                if done.returncode:
                    _say(f"ip: {done.stderr.strip()[:1000]}")


def _end_connections(held: Rendered, wanted: Rendered) -> None:
    """End the connections whose entry or redirection is gone (conntrack(8))."""
    gone = sorted(held.marks - wanted.marks)
    mappings = sorted(held.mappings - wanted.mappings)
    if len(gone) + len(mappings) > ENDED_ONE_BY_ONE:
        _run(["conntrack", "-F"], "")
        return
    for mark in gone:
        mask = 0x0000FFFF if mark <= 0xFFFF else 0xFFFF0000
        for family in ("ipv4", "ipv6"):
            _run(["conntrack", "-D", "-f", family, "-m", f"0x{mark:x}/0x{mask:x}"], "")
    for protocol, address, port in mappings:
        family = "ipv6" if ":" in address else "ipv4"
        _run(
            ["conntrack", "-D", "-f", family, "-p", protocol, "--orig-dst", address, "--orig-port-dst", port],
            "",
        )


def _run(argv: list[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)


def _say(text: str) -> None:
    print(f"renderer: {text}", file=sys.stderr, flush=True)


def follow(kernel: Kernel, ready: Path) -> None:
    """Render now and after every change, until the session ends (DeviceError, TimeoutError)."""
    session = LocalSession()
    try:
        session.ask(_SUBSCRIBE)
        while True:
            reply = etree.fromstring(session.ask(_GET).encode())
            data = reply.find(f"{{{BASE}}}data")
            if data is not None:
                kernel.take(data)
            ready.touch()
            while True:
                notification = session.notification(None) or ""
                if any(f"<{event}" in notification for event in _CHANGES):
                    break
            while session.notification(0):
                pass  # more of the same commit; a later one comes while we render
    finally:
        session.close()


def main(ready: Path) -> None:
    """Follow netconfd for ever, through its restarts."""
    kernel = Kernel()
    while True:
        try:
            follow(kernel, ready)
        except (DeviceError, TimeoutError, etree.XMLSyntaxError) as error:
            if ready.exists():
                _say(str(error))
            time.sleep(RETRY_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
