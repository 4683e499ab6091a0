"""What another session changes is streamed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, Queue
from threading import Event, Thread

import pytest

from fwguard.devices.protocol import ChangeSeen
from fwguard.devices.watch_netconf import NetconfWatcher
from fwguard.errors import DeviceError, DeviceUnreachableError
from fwguard.lab import namespaces
from fwguard.lab.netconf_alone import Site

pytestmark = pytest.mark.integration


@contextmanager
def _watching(
    site: Site, heartbeat_s: float = 20.0
) -> Iterator[tuple[Queue[ChangeSeen], Queue[DeviceError]]]:
    seen: Queue[ChangeSeen] = Queue()
    errors: Queue[DeviceError] = Queue()
    stop = Event()
    endpoint = replace(site.endpoint, answer_s=2.0)

    def run() -> None:
        namespaces.enter(site.netns("controller"))
        try:
            NetconfWatcher(endpoint, heartbeat_s=heartbeat_s).run(seen.put, stop)
        except DeviceError as error:
            errors.put(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    time.sleep(1.0)  # subscribed
    try:
        yield seen, errors
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def _drain(seen: Queue[ChangeSeen]) -> list[str]:
    found = []
    try:
        while True:
            found.append(seen.get(timeout=1.0).what)
    except Empty:
        return found


@pytest.mark.parametrize(
    "way", ["add-rule", "add-redirection", "add-route", "delete-rule", "reorder", "flush"]
)
def test_what_a_client_changes_from_inside_is_seen(site: Site, way: str) -> None:
    """By a session of its own, on the firewall itself."""
    with _watching(site) as (seen, errors):
        site.tamper(way)
        found = _drain(seen)
    assert errors.empty()
    assert any(what.startswith("changed by root (session ") for what in found), found


def test_a_netconfd_that_hangs_is_noticed_by_the_heartbeat(site: Site) -> None:
    """A quiet stream and a dead one are told apart."""
    with _watching(site, heartbeat_s=0.5) as (_, errors):
        netconfd = site.run_inside("pgrep", "-x", "netconfd").strip()
        site.run_inside("kill", "-STOP", netconfd)
        error = errors.get(timeout=10)
        site.run_inside("kill", "-CONT", netconfd)
    assert isinstance(error, DeviceUnreachableError)


def test_a_stream_that_ends_raises(site: Site) -> None:
    """The caller reconnects, and reads, since it may have missed something."""
    with _watching(site) as (_, errors):
        site.run_inside("pkill", "-x", "netconfd")
        error = errors.get(timeout=10)
    assert isinstance(error, DeviceUnreachableError)
