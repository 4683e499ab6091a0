"""Reading a real firewall through its gate over a real sshd."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwguard.devices.frame import reading_digest
from fwguard.devices.ssh import SshDevice
from fwguard.errors import (
    AuthenticationError,
    DeviceError,
    DeviceUnreachableError,
    HostKeyChangedError,
    PartialReadingError,
)

if TYPE_CHECKING:
    from tests.integration.devices.conftest import Box

pytestmark = pytest.mark.integration
Connect = Callable[..., SshDevice]


def test_reads_every_part_that_is_there(box: Box, connect: Connect) -> None:
    """Native tables, static routes of both families, sysctls, boot files; nothing of the kernel's own."""
    box.run("ip", "rule", "add", "pref", "100", "from", "10.80.0.0/16", "lookup", "100")
    snapshot = connect(box.endpoint()).read()
    assert {"nft", "routes4", "routes6", "rules4", "sysctl", "boot/nftables.conf", "boot/routes"} == set(
        snapshot.parts
    )
    assert "10.80.0.0/16 via 10.77.0.9 dev lan\n" == snapshot.get("routes4")
    assert "fd80::/64 via fd77::9 dev lan metric 1024\n" == snapshot.get("routes6")
    assert "100: from 10.80.0.0/16 lookup 100\n" == snapshot.get("rules4")
    assert "timeout 30m" in snapshot.get("nft")


def test_two_readings_are_equal_while_counters_move(box: Box, connect: Connect) -> None:
    """Counters, remaining lifetimes and handles are no configuration."""
    device = connect(box.endpoint())
    first = device.read()
    assert "packets 0" not in box.run("nft", "list", "chain", "inet", "fw", "input")
    time.sleep(1.1)
    assert first == device.read()


def test_the_hash_of_a_reading_is_the_hash_of_its_snapshot(box: Box, connect: Connect) -> None:
    """Also with bytes that are no UTF-8, and NUL, in a boot file."""
    box.run("sh", "-c", r"printf '# d\351j\340 vu \000 \357\234\200\n' > /etc/iptables.rules; "
            r"mkdir -p /etc/iptables; mv /etc/iptables.rules /etc/iptables/rules.v4")  # fmt: skip
    snapshot = connect(box.endpoint()).read()
    raw = box.run("env", "SSH_ORIGINAL_COMMAND=read", "sh", "-c", "/run/fwguard-gate | tail -n 1")
    assert f"end {reading_digest(snapshot)}\n" == raw


def test_iptables_tables_are_one_part_and_native_tables_another(bare: Box, connect: Connect) -> None:
    """Also ipset, without counters, seeds and remaining lifetimes."""
    bare.run("ipset", "create", "web", "hash:ip", "timeout", "300", "counters")
    bare.run("ipset", "add", "web", "10.0.0.1")
    bare.run("iptables", "-A", "FORWARD", "-m", "set", "--match-set", "web", "src", "-j", "ACCEPT")
    bare.run("ip6tables", "-A", "FORWARD", "-p", "tcp", "--dport", "443", "-j", "ACCEPT")
    bare.run("nft", "add", "table", "inet", "fw")
    snapshot = connect(bare.endpoint()).read()
    assert "table inet fw {\n}\n" == snapshot.get("nft")
    assert "-A FORWARD -m set --match-set web src -j ACCEPT\n" in snapshot.get("iptables")
    assert "-A FORWARD -p tcp -m tcp --dport 443 -j ACCEPT\n" in snapshot.get("ip6tables")
    assert (
        "create web hash:ip family inet maxelem 65536 timeout 300 counters bucketsize 12\nadd web 10.0.0.1\n"
        == snapshot.get("ipset")
    )


@pytest.mark.parametrize(
    "rule",
    ["tcp window 5 accept", "ip id 5 accept", "ct mark 0x00000005 accept"],
    ids=["shown in part by iptables-save", "breaks iptables-save", "incompatible"],
)
def test_a_native_rule_inside_an_iptables_table_is_not_hidden(bare: Box, connect: Connect, rule: str) -> None:
    """iptables-save drops what it does not know of a rule; the table is then read through nft as well."""
    bare.run("iptables", "-A", "FORWARD", "-p", "tcp", "-j", "ACCEPT")
    device = connect(bare.endpoint())
    assert "" == device.read().get("nft")
    handle = bare.run("nft", "-a", "list", "chain", "ip", "filter", "FORWARD").split("accept # handle ")[1]
    bare.run("nft", "replace", "rule", "ip", "filter", "FORWARD", "handle", handle.split()[0], rule)
    assert rule in device.read().get("nft")


def test_translation_of_both_families_is_iptables_text_alone(bare: Box, connect: Connect) -> None:
    """One process of nft 1.0.6 says nothing of targets in the second family: it must not be believed."""
    for tool, public, inner in (
        ("iptables", "192.0.2.1", "10.0.0.1"),
        ("ip6tables", "2001:db8::1", "fd77::2"),
    ):
        bare.run(tool, "-t", "nat", "-A", "PREROUTING", "-d", public, "-j", "DNAT", "--to-destination", inner)
    device = connect(bare.endpoint())
    assert "" == device.read().get("nft")
    bare.run("nft", "add", "rule", "ip6", "nat", "PREROUTING", "ct", "mark", "0x5", "accept")
    assert "dnat to fd77::2" in device.read().get("nft")


def test_a_glance_shows_what_was_changed_in_iptables_and_routes(bare: Box, connect: Connect) -> None:
    """Each part as a whole reading gives it, of both families; all others as approved."""
    for tool, source in (("iptables", "192.0.2.1"), ("ip6tables", "2001:db8::1")):
        bare.run(tool, "-A", "FORWARD", "-s", source, "-j", "DROP")
    device = connect(bare.endpoint())
    approved = device.read()
    assert approved == device.glance(approved)
    bare.run("ip6tables", "-I", "FORWARD", "-p", "tcp", "-j", "ACCEPT")
    bare.run("ip", "route", "add", "10.81.0.0/16", "via", "10.77.0.9")
    bare.run("iptables", "-F")
    glance = device.glance(approved)
    assert device.read() == glance
    assert approved != glance


def test_a_firewall_without_iptables_tables_is_not_glanced_at(box: Box, connect: Connect) -> None:
    """Reading all of it takes hardly longer."""
    device = connect(box.endpoint())
    assert None is device.glance(device.read())


def test_a_native_table_named_like_one_of_iptables_is_kept(bare: Box, connect: Connect) -> None:
    """The name alone says nothing."""
    table = "table ip filter {\n chain in {\n type filter hook input priority 0; ip ttl 9 accept\n}\n}\n"
    bare.run("nft", "-f", "-", stdin=table)
    snapshot = connect(bare.endpoint()).read()
    assert "table ip filter {\n\tchain in {" in snapshot.get("nft")
    assert "" == snapshot.get("iptables")


def test_looking_makes_no_table(bare: Box, connect: Connect) -> None:
    """iptables-save and ipset save leave a bare firewall bare."""
    device = connect(bare.endpoint())
    assert {"sysctl"} == set(device.read().parts)
    assert "" == bare.run("nft", "list", "ruleset")


def test_legacy_tables_are_read_once_they_exist(bare: Box, connect: Connect) -> None:
    """An emptied legacy table, which cannot be removed, is as good as none."""
    device = connect(bare.endpoint())
    bare.run("iptables-legacy", "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP")
    assert "-A INPUT -s 192.0.2.1/32 -j DROP\n" in device.read().get("iptables-legacy")
    bare.run("iptables-legacy", "-F")
    assert "" == device.read().get("iptables-legacy")


def test_routes_of_kernel_and_daemons_are_no_configuration(bare: Box, connect: Connect) -> None:
    """But a gateway does not hide behind the kernel's name, nor behind a renamed protocol."""
    bare.run("ip", "route", "add", "10.81.0.0/16", "via", "10.77.0.9", "proto", "bird")
    bare.run("ip", "route", "add", "10.82.0.0/16", "via", "10.77.0.9", "proto", "kernel")
    bare.write_file("/etc/iproute2/rt_protos", "2 static\n4 kernel\n")
    bare.run("ip", "route", "add", "10.83.0.0/16", "via", "10.77.0.9", "proto", "4", "table", "7")
    bare.run("ip", "route", "add", "blackhole", "10.84.0.0/16")
    assert [
        "10.83.0.0/16 via 10.77.0.9 dev lan table 7 proto static",
        "10.82.0.0/16 via 10.77.0.9 dev lan proto 2",
        "blackhole 10.84.0.0/16",
    ] == connect(bare.endpoint()).read().get("routes4").splitlines()


def test_a_boot_file_that_is_no_file_is_said_to_be_none(bare: Box, connect: Connect) -> None:
    """A pipe or a giant in its place switches no reading off."""
    bare.run("mkfifo", "/etc/nftables.conf")
    bare.run("mkdir", "/etc/iptables")
    bare.run("truncate", "-s", "900M", "/etc/iptables/rules.v4")
    bare.write_file("/etc/network/static-routes", "route add 10.0.0.0/8 dev lan\n")
    snapshot = connect(bare.endpoint()).read()
    assert "# fwguard: /etc/nftables.conf is no plain file\n" == snapshot.get("boot/nftables.conf")
    assert "# fwguard: /etc/iptables/rules.v4 is larger than 4194304 bytes\n" == snapshot.get("boot/rules.v4")
    assert "route add 10.0.0.0/8 dev lan\n" == snapshot.get("boot/routes")


def test_a_key_that_is_not_listed_is_rejected(bare: Box) -> None:
    """AuthenticationError, not silence."""
    with pytest.raises(AuthenticationError, match="rejects our key"):
        SshDevice(bare.endpoint("stranger"))


def test_another_host_key_is_refused_before_we_log_in(bare: Box) -> None:
    """Our key is never offered to whoever shows it."""
    wrong = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0a9sEZkHYMqyA4sM8XK1dV0QhM4xTO6BGZ4fQ7B0mR"
    with pytest.raises(HostKeyChangedError, match="not the pinned"):
        SshDevice(replace(bare.endpoint(), host_key=wrong))


def test_a_firewall_that_hangs_is_unreachable_within_the_deadline(bare: Box) -> None:
    """The session opens, and nothing comes."""
    device = SshDevice(bare.endpoint("sleeper", answer_s=1.0))
    began = time.monotonic()
    with pytest.raises(DeviceUnreachableError, match="does not answer"):
        device.read()
    assert time.monotonic() - began < 2.5


def test_half_a_listing_is_no_reading(box: Box, connect: Connect) -> None:
    """Nothing is ever concluded from it."""
    with pytest.raises(PartialReadingError):
        connect(box.endpoint("halver")).read()


def test_a_firewall_that_is_off_is_unreachable(bare: Box) -> None:
    """Refused, and told so."""
    endpoint = bare.endpoint()
    with pytest.raises(DeviceUnreachableError, match="no connection"):
        SshDevice(replace(endpoint, firewall=replace(endpoint.firewall, port=23)))


def test_nothing_but_the_list_runs(bare: Box, connect: Connect) -> None:
    """Shell syntax in the command is words, and words are compared."""
    device = connect(bare.endpoint())
    for command in (
        "id",
        "read; id",
        "read extra",
        "",
        "status $(touch /run/x)",
        "worker a 1 b",
        "confirm ../x",
    ):
        answer = device._session.run(command) if command else device._session.run(" ")
        assert (64, b"") == (answer.status, answer.stdout)
    assert "" == bare.run("find", "/run/x", check=False)


def test_a_firewall_without_the_gate_says_so(bare: Box, connect: Connect) -> None:
    """The message names what to install."""
    device = connect(bare.endpoint())
    bare.run("rm", "/run/fwguard-gate")
    with pytest.raises(DeviceError, match="install"):
        device.read()
