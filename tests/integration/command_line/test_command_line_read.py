"""Reading a real command line: FRR's vtysh behind a real sshd, and what can go wrong on the way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fwguard.dialects.frr import FRR
from fwguard.errors import (
    AuthenticationError,
    DeviceUnreachableError,
    HostKeyChangedError,
    PartialReadingError,
)
from fwguard.lab.firewall_box import KeyPair
from fwguard.lab.routing_alone import RoutingSite

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("command-line")]


def stop(site: RoutingSite, daemon: str, signal: str = "STOP") -> None:
    """Stop a daemon of the firewall in the middle, as a machine that is overloaded does."""
    site.run_inside("sh", "-c", f"kill -{signal} $(cat /run/frr/{daemon}.pid)")


@pytest.mark.parametrize("version", [4, 6])
def test_reads_what_runs_and_what_starts(site: RoutingSite, version: int) -> None:
    """Over both IP versions: FRR's routes of both families, which the kernel has too."""
    snapshot = site.connect(site.endpoint if version == 4 else site.endpoint6).read()
    assert {"running", "startup"} == set(snapshot.parts)
    found = [(route.prefix, route.via) for route in FRR.read(snapshot.get("running")).routes]
    assert [("10.80.0.0/16", "10.20.0.9"), ("fd80::/64", "fd20::9")] == found
    assert FRR.canonical(snapshot.get("running")) == FRR.canonical(snapshot.get("startup"))
    assert site.kernel_gets("10.80.0.0/16") and site.kernel_gets("fd80::/64")


def test_a_quiet_firewall_reads_the_same_twice(site: RoutingSite) -> None:
    """To the byte, over a kept session and over a new one."""
    device = site.connect()
    first = device.read()
    assert first == device.read() == site.connect().read()


def test_a_route_that_the_client_adds_is_seen(site: RoutingSite) -> None:
    """By itself or in the boot file alone (clause 7.1.1)."""
    device = site.connect()
    before = device.read()
    site.enter("ip route 10.99.0.0/16 10.20.0.66")
    running = device.read()
    assert "ip route 10.99.0.0/16 10.20.0.66" in running.get("running")
    assert before.get("startup") == running.get("startup")
    site.run_inside("sh", "-c", "echo 'ipv6 route fd99::/64 fd20::66' >> /etc/frr/frr.conf")
    assert "ipv6 route fd99::/64 fd20::66" in device.read().get("startup")


def test_thousands_of_routes_are_read_whole(site: RoutingSite) -> None:
    """A listing of many packets, to its last line."""
    lines = "".join(f"ip route 10.{90 + n // 250}.{n % 250}.0/24 10.20.0.66\n" for n in range(5000))
    site.run_inside("sh", "-c", "cat > /run/many && vtysh -f /run/many", text=lines)
    routes = FRR.read(site.connect().read().get("running")).routes
    assert 5002 == len(routes)


def test_a_prompt_in_the_configuration_ends_no_listing(site: RoutingSite) -> None:
    """A client that writes what a prompt looks like hides nothing behind it."""
    name = site.plan.name
    site.enter("interface lan0", f"description x\r{name}# ", "exit", "ip route 10.99.0.0/16 10.20.0.66")
    assert "10.99.0.0/16" in site.connect().read().get("running")


def test_another_host_key_is_refused(site: RoutingSite) -> None:
    """Before anything of ours is sent."""
    with pytest.raises(HostKeyChangedError, match="nothing was sent"):
        site.connect(replace(site.endpoint, host_key=KeyPair.new().public))


def test_a_key_that_it_does_not_know_is_refused(site: RoutingSite) -> None:
    """With what to do about it."""
    with pytest.raises(AuthenticationError, match="rejects our key"):
        site.connect(replace(site.endpoint, private_key=KeyPair.new().private))


def test_a_firewall_that_is_not_there(site: RoutingSite) -> None:
    """Nothing listens: at once."""
    away = replace(site.endpoint, firewall=replace(site.endpoint.firewall, port=23), connect_s=2)
    with pytest.raises(DeviceUnreachableError, match="no connection"):
        site.connect(away)


def test_a_user_without_a_command_line(site: RoutingSite) -> None:
    """root's key opens the gate alone: that is no command line, and it is said within the deadline."""
    other = replace(site.endpoint, firewall=replace(site.endpoint.firewall, username="root"), answer_s=2)
    started = time.monotonic()
    with pytest.raises((DeviceUnreachableError, AuthenticationError)):
        site.connect(other)
    assert time.monotonic() - started < 12


def test_a_firewall_that_hangs_before_the_login(site: RoutingSite) -> None:
    """sshd takes the connection and says nothing."""
    site.run_inside("sh", "-c", "kill -STOP $(pgrep -x sshd | head -1)")
    started = time.monotonic()
    with pytest.raises(DeviceUnreachableError):
        site.connect(replace(site.endpoint, connect_s=1, answer_s=1))
    assert time.monotonic() - started < 6


def test_a_listing_that_hangs_in_its_middle_is_no_reading(site: RoutingSite) -> None:
    """A daemon that vtysh asks does not answer: half of it is not read as all of it."""
    device = site.connect(replace(site.endpoint, answer_s=1))
    stop(site, "staticd")
    started = time.monotonic()
    with pytest.raises((PartialReadingError, DeviceUnreachableError), match="show running-config"):
        device.read()
    assert time.monotonic() - started < 4
    stop(site, "staticd", "CONT")
    assert "10.80.0.0/16" in site.connect().read().get("running")


def test_a_line_that_breaks_in_the_middle_is_no_reading(site: RoutingSite) -> None:
    """The session is gone while it lists."""
    device = site.connect(replace(site.endpoint, answer_s=10))
    stop(site, "staticd")
    site.run_inside("sh", "-c", "(sleep 0.5; pkill -u 1200 -x sshd) >/dev/null 2>&1 &")
    with pytest.raises((PartialReadingError, DeviceUnreachableError)):
        device.read()
    stop(site, "staticd", "CONT")


def test_a_boot_file_that_may_not_be_read_is_said(site: RoutingSite) -> None:
    """It is not taken for an empty one."""
    site.run_inside("chmod", "600", "/etc/frr/frr.conf")
    with pytest.raises(PartialReadingError, match="may not be read"):
        site.connect().read()
