"""Changes of a real firewall, streamed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwguard.devices.open import open_watcher
from fwguard.devices.protocol import ChangeSeen, Endpoint
from fwguard.devices.ssh import SshDevice
from fwguard.devices.ssh_watcher import SshWatcher
from fwguard.errors import DeviceError

if TYPE_CHECKING:
    from tests.integration.devices.conftest import Box

pytestmark = pytest.mark.integration
Until = Callable[..., bool]


class Watching:
    """A watcher in its thread, what it saw, and what ended it."""

    def __init__(self, endpoint: Endpoint) -> None:
        watcher = open_watcher(endpoint)
        assert isinstance(watcher, SshWatcher)
        self.seen: list[ChangeSeen] = []
        self.ended_by: DeviceError | None = None
        self._watcher, self._stop = watcher, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._watcher.ready.wait(10)

    def _run(self) -> None:
        try:
            self._watcher.run(self.seen.append, self._stop)
        except DeviceError as error:
            self.ended_by = error

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def is_over(self) -> bool:
        return not self._thread.is_alive()


@contextmanager
def watching(endpoint: Endpoint) -> Iterator[Watching]:
    stream = Watching(endpoint)
    try:
        yield stream
    finally:
        stream.stop()


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("nft add rule inet fw forward tcp dport 9 accept", "dport 9"),
        ("nft flush ruleset", "delete"),
        ("nft add element inet fw blocked { 203.0.113.8 }", "203.0.113.8"),
        ("iptables -A FORWARD -p tcp --dport 9 -j ACCEPT", "FORWARD"),
        ("ip6tables -P FORWARD ACCEPT", "filter"),
        ("ip route add 10.91.0.0/16 via 10.77.0.9", "10.91.0.0/16"),
        ("ip route add 10.91.0.0/16 via 10.77.0.9 table 7", "10.91.0.0/16"),
        ("ip route del 10.80.0.0/16", "Deleted 10.80.0.0/16"),
        ("ip route add default via 10.77.0.9", "default"),
        ("ip route add blackhole 10.92.0.0/16", "10.92.0.0/16"),
        ("ip -6 route add fd91::/64 via fd77::9", "fd91::/64"),
        ("ip rule add pref 77 from 10.0.0.0/8 lookup 7", "77:"),
        ("ip -6 rule add pref 77 from fd00::/8 lookup 7", "77:"),
    ],
)
def test_sees_a_change(box: Box, until: Until, command: str, word: str) -> None:
    """In the words of the tool that shows it."""
    with watching(box.endpoint()) as stream:
        box.run(*command.split())
        assert until(lambda: any(word in change.what for change in stream.seen), 3)


def test_says_nothing_of_counters_readings_and_daemons(box: Box) -> None:
    """Traffic, our own looks and what a routing daemon learns are no changes."""
    device = SshDevice(box.endpoint())
    box.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
    with watching(box.endpoint()) as stream:
        for _ in range(3):
            device.read()
        box.run("ip", "route", "add", "10.93.0.0/16", "via", "10.77.0.9", "proto", "bird")
        box.run("ip", "address", "add", "10.78.0.1/24", "dev", "lan")
        time.sleep(0.5)
        assert [] == stream.seen
    device.close()


def test_a_change_is_seen_at_once(box: Box, until: Until) -> None:
    """Milliseconds, not the next poll; the figure is printed for people."""
    with watching(box.endpoint()) as stream:
        delays = []
        for port in range(1, 11):
            seen = len(stream.seen)
            began = time.time()
            box.run("nft", "add", "rule", "inet", "fw", "forward", "tcp", "dport", str(port), "accept")
            assert until(lambda seen=seen: len(stream.seen) > seen, 3)
            delays.append(stream.seen[-1].at.timestamp() - began)
        print("from the start of nft to the change seen:", ", ".join(f"{1000 * s:.1f}" for s in delays), "ms")


def test_one_transaction_is_one_change(box: Box, until: Until) -> None:
    """However many rules it has."""
    with watching(box.endpoint()) as stream:
        rules = "".join(f"add rule inet fw forward tcp dport {port} accept\n" for port in range(1, 200))
        box.run("nft", "-f", "-", stdin=rules)
        assert until(lambda: len(stream.seen) == 1, 3)
        time.sleep(0.2)
        assert 1 == len(stream.seen)


def test_nothing_runs_on_the_firewall_once_it_stops(box: Box, until: Until) -> None:
    """Neither the monitors nor the gate."""
    with watching(box.endpoint()) as stream:
        assert [] != [line for line in box.processes() if "monitor" in line]
        del stream
    assert until(
        lambda: not any("monitor" in line or "gate" in line or "sleep" in line for line in box.processes())
    )


def test_nothing_runs_on_after_the_line_is_cut(box: Box, until: Until) -> None:
    """The end of the connection is the end of the stream there, and an error here."""
    stream = Watching(box.endpoint())
    box.run("pkill", "-f", "^sshd: root")
    assert until(stream.is_over)
    assert isinstance(stream.ended_by, DeviceError)
    assert until(lambda: not any("monitor" in line or "gate" in line for line in box.processes()))


def test_a_monitor_that_dies_is_an_error_by_the_next_beat(box: Box, until: Until) -> None:
    """A stream that cannot hear says so."""
    stream = Watching(box.endpoint())
    box.run("pkill", "-f", "^nft monitor")
    assert until(stream.is_over, 20)
    assert isinstance(stream.ended_by, DeviceError)


def test_a_firewall_that_says_nothing_is_given_up(box: Box, until: Until) -> None:
    """Without `ready` nothing is being watched."""
    watcher = SshWatcher(replace(box.endpoint("sleeper"), answer_s=0.5))
    watcher_error: list[DeviceError] = []

    def run() -> None:
        try:
            watcher.run(lambda change: None, threading.Event())
        except DeviceError as error:
            watcher_error.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert until(lambda: bool(watcher_error), 15)
    thread.join(5)
