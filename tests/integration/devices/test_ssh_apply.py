"""Writing to a real firewall: all of it or nothing, and undone by the firewall itself unless confirmed."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwguard.devices.protocol import Flow
from fwguard.devices.ssh import SshDevice
from fwguard.errors import CommitRefusedError, DeviceError, NotAllowedError, PreimageMovedError
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

if TYPE_CHECKING:
    from tests.integration.devices.conftest import Box

pytestmark = pytest.mark.integration
Connect = Callable[..., SshDevice]
WarrantFor = Callable[[Snapshot, Snapshot], Warrant]
Until = Callable[..., bool]


def opened(before: Snapshot, port: int = 8080) -> Snapshot:
    """The same firewall with one more port open, running and at boot, and another route and sysctl."""
    old = "\t\tip daddr 10.77.0.2 tcp dport 443 counter accept\n"
    new = old + old.replace("443", str(port))
    return before.with_parts(
        {
            "nft": before.get("nft").replace(old, new),
            "routes4": "10.80.0.0/16 via 10.77.0.8 dev lan\n10.90.0.0/16 via 10.77.0.8 dev lan proto static\n",
            "sysctl": before.get("sysctl").replace("net.ipv4.ip_forward = 0", "net.ipv4.ip_forward = 1"),
            "boot/nftables.conf": before.get("boot/nftables.conf").replace(old, new),
            "boot/routes": "",
            "boot/sysctl": "net.ipv4.ip_forward = 1\n",
        }
    )


def test_a_confirmed_write_is_there_running_and_at_boot(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """A fresh session reads exactly what was asked for, before and after the confirmation."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    assert after == connect(box.endpoint()).read()
    device.confirm(warrant)
    device.confirm(warrant)
    assert after == connect(box.endpoint()).read()
    assert after.get("boot/nftables.conf") == box.run("cat", "/etc/nftables.conf")
    assert "" == box.run("ls", "-A", "/etc/network/static-routes", check=False)
    assert "idle\n" == device._session.run("status").stdout.decode()


def test_boot_files_stay_as_they_were_until_the_confirmation(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """A firewall that loses power with an unconfirmed write starts in its old state."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert before.get("boot/nftables.conf") == box.run("cat", "/etc/nftables.conf")


def test_an_unconfirmed_write_undoes_itself_and_confirming_it_then_fails(
    box: Box, connect: Connect, warrant_for: WarrantFor, until: Until
) -> None:
    """Its timer is the firewall's own."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=1)
    assert until(lambda: device.read() == before)
    with pytest.raises(DeviceError, match="too late"):
        device.confirm(warrant)
    assert [] == [line for line in box.processes() if "gate" in line or "sleep" in line]
    assert "" == box.run("find", "/etc", "-name", "*.fwguard")


def test_a_line_that_breaks_after_the_write_leaves_nothing_written(
    box: Box, connect: Connect, warrant_for: WarrantFor, until: Until
) -> None:
    """The timer survives the death of the session that armed it."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    device.apply(before, after, warrant=warrant_for(before, after), confirm_s=2)
    device._session._transport.sock.close()
    other = connect(box.endpoint())
    assert after == other.read()
    assert until(lambda: other.read() == before)


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1])
def test_a_line_that_breaks_during_the_write_leaves_nothing_half_written(
    box: Box, connect: Connect, warrant_for: WarrantFor, until: Until, delay_s: float
) -> None:
    """Whenever it breaks: a reading shows all of it or none, and in the end none."""
    device, other = connect(box.endpoint()), connect(box.endpoint())
    before = other.read()
    after = opened(before)
    timer = threading.Timer(delay_s, device.close)
    timer.start()
    with suppress(DeviceError):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=1)
    for _ in range(5):
        assert other.read() in (before, after)
    assert until(lambda: other.read() == before)


def test_rolling_back_puts_everything_back_at_once(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """Twice is no harm; confirming afterwards is refused."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    device.roll_back(warrant)
    device.roll_back(warrant)
    assert before == device.read()
    with pytest.raises(DeviceError, match="too late"):
        device.confirm(warrant)


def test_a_step_that_fails_undoes_those_before_it_and_is_named(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """Here the filter was written when the route turns out to have no way."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before).with_parts({"routes4": "10.90.0.0/16 via 172.31.0.1 dev lan\n"})
    with pytest.raises(CommitRefusedError, match="ip4: .*Nexthop has invalid gateway"):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert before == device.read()


def test_a_rule_that_nft_refuses_changes_nothing(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """The tool's own words come back."""
    device = connect(box.endpoint())
    before = device.read()
    after = before.with_parts({"nft": before.get("nft").replace("tcp dport 443", "tcp dport nonsense")})
    with pytest.raises(CommitRefusedError, match="nonsense"):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert before == device.read()


def test_a_state_that_moved_is_not_written_over(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """What the client did meanwhile stays, for a person or the guard to judge."""
    device = connect(box.endpoint())
    before = device.read()
    after = opened(before)
    box.run("nft", "add", "rule", "inet", "fw", "forward", "tcp", "dport", "9", "accept")
    moved = device.read()
    with pytest.raises(PreimageMovedError, match="nothing was written"):
        device.apply(before, after, warrant=warrant_for(before, after), confirm_s=30)
    assert moved == device.read()


def test_one_write_at_a_time(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """A second is refused as long as the first is unconfirmed, and so is the same warrant again."""
    device, other = connect(box.endpoint()), connect(box.endpoint())
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    third = opened(before, 8081)
    with pytest.raises(CommitRefusedError, match="busy"):
        other.apply(after, third, warrant=warrant_for(after, third), confirm_s=30)
    device.roll_back(warrant)
    with pytest.raises(CommitRefusedError, match="was used"):
        device.apply(before, after, warrant=warrant, confirm_s=30)
    assert before == device.read()


def test_of_two_writes_at_once_one_is_done(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """The lock is on the firewall: no lease of ours has to hold."""
    devices = [connect(box.endpoint()) for _ in range(4)]
    before = devices[0].read()
    targets = [opened(before, port) for port in range(9001, 9005)]
    outcomes: dict[int, str] = {}

    def write(number: int) -> None:
        try:
            warrant = warrant_for(before, targets[number])
            devices[number].apply(before, targets[number], warrant=warrant, confirm_s=30)
            outcomes[number] = "written"
        except DeviceError as error:
            outcomes[number] = type(error).__name__

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ["CommitRefusedError"] * 3 + ["written"] == sorted(outcomes.values())
    winner = next(number for number, outcome in outcomes.items() if outcome == "written")
    assert targets[winner] == devices[winner].read()


def test_a_warrant_for_something_else_writes_nothing(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """Compared before the device hears of it."""
    device = connect(box.endpoint())
    before = device.read()
    warrant = replace(warrant_for(before, opened(before)), subject="firewall:other")
    with pytest.raises(NotAllowedError):
        device.apply(before, opened(before), warrant=warrant, confirm_s=30)
    assert before == device.read()


def test_a_whole_state_is_restored_whatever_was_done_to_it(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """Foreign tables, one named with a word that nft cannot say among them, sets, rules, routes, sysctls."""
    device = connect(box.endpoint())
    before = device.read()
    box.run("nft", "flush", "chain", "inet", "fw", "forward")
    box.run("nft", "add", "table", "ip6", "evil")
    box.run("iptables", "-I", "FORWARD", "-j", "ACCEPT")
    box.run("ip6tables", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    box.run("ipset", "create", "evil", "hash:ip")
    box.run("iptables", "-A", "INPUT", "-m", "set", "--match-set", "evil", "src", "-j", "ACCEPT")
    box.run("ip", "rule", "add", "pref", "10", "from", "10.99.0.0/16", "lookup", "7")
    box.run("ip", "rule", "del", "pref", "32767")
    box.run("ip", "route", "flush", "10.80.0.0/16")
    box.run("ip", "route", "add", "default", "via", "10.77.0.66", "table", "7")
    box.run("ip", "-6", "route", "replace", "fd80::/64", "via", "fd77::66")
    box.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    box.write_file("/etc/nftables.conf", "flush ruleset\n")
    box.run("mkfifo", "/etc/iptables.fifo")
    box.run("sh", "-c", "mkdir -p /etc/iptables && mv /etc/iptables.fifo /etc/iptables/rules.v6")
    tampered = device.read()
    assert before != tampered
    warrant = warrant_for(tampered, before)
    device.apply(tampered, before, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert before.parts == connect(box.endpoint()).read().parts


def test_iptables_sets_and_tables_are_restored_too(
    bare: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """A set in use that became another type, a changed one, a legacy table."""
    bare.run("ipset", "create", "web", "hash:ip")
    bare.run("ipset", "add", "web", "10.0.0.1")
    bare.run("ipset", "create", "nets", "hash:net")
    bare.run("ipset", "add", "nets", "10.1.0.0/16")
    bare.run("ipset", "create", "both", "list:set")
    bare.run("ipset", "add", "both", "web")
    for name in ("web", "nets", "both"):
        bare.run("iptables", "-A", "FORWARD", "-m", "set", "--match-set", name, "src", "-j", "ACCEPT")
    bare.run("iptables", "-P", "FORWARD", "DROP")
    bare.run("ip6tables", "-P", "FORWARD", "DROP")
    device = connect(bare.endpoint())
    before = device.read()
    bare.run("ipset", "add", "web", "10.0.0.66")
    bare.run("iptables", "-F", "FORWARD")
    bare.run("ipset", "destroy", "nets")
    bare.run("ipset", "create", "nets", "hash:ip,port")
    bare.run("iptables", "-A", "FORWARD", "-m", "set", "--match-set", "nets", "src,dst", "-j", "ACCEPT")
    bare.run("iptables-legacy", "-P", "FORWARD", "DROP")
    bare.run("iptables-legacy", "-A", "FORWARD", "-s", "10.0.0.66", "-j", "ACCEPT")
    tampered = device.read()
    warrant = warrant_for(tampered, before)
    device.apply(tampered, before, warrant=warrant, confirm_s=30)
    assert before.parts == device.read().parts
    device.roll_back(warrant)
    assert tampered.parts == device.read().parts


def test_a_table_with_foreign_rules_is_restored_and_its_undoing_is_not_promised(
    bare: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """No text makes such a table again: undoing says that it is not as before, and a reading shows it."""
    bare.run("iptables", "-A", "FORWARD", "-m", "pkttype", "--pkt-type", "host", "-j", "ACCEPT")
    device = connect(bare.endpoint())
    before = device.read()
    bare.run("nft", "add", "rule", "ip", "filter", "FORWARD", "tcp", "window", "5", "accept")
    tampered = device.read()
    assert "table ip filter" in tampered.get("nft")
    warrant = warrant_for(tampered, before)
    device.apply(tampered, before, warrant=warrant, confirm_s=30)
    assert before == device.read()
    with pytest.raises(DeviceError, match="not as before"):
        device.roll_back(warrant)


def test_a_table_that_nft_cannot_name_goes_too(
    box: Box, connect: Connect, warrant_for: WarrantFor, tmp_path: object
) -> None:
    """iptables' chains may bear any word; a table made over netlink may as well, and is flushed."""
    device = connect(box.endpoint())
    before = device.read()
    # The word `fwd` is reserved: nft lists the table and cannot delete it by name.
    subprocess.run(
        ["nsenter", "-t", box._init, "-n", ".venv/bin/python", "-c", _MAKE_TABLE], check=True, timeout=20
    )
    tampered = device.read()
    assert "table inet fwd {" in tampered.get("nft")
    warrant = warrant_for(tampered, before)
    device.apply(tampered, before, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert before == device.read()


_MAKE_TABLE = """
import socket, struct
def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, flags, body, family=0, resource=0):
    body = struct.pack(">BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.bind((0, 0))
new_table = message(10 << 8, 0x405, attribute(1, b"fwd\\0"), family=1)
s.send(message(16, 1, b"", resource=10) + new_table + message(17, 1, b"", resource=10))
assert struct.unpack("=i", s.recv(8192)[16:20])[0] == 0
"""


def test_connections_through_a_closed_opening_end_with_the_confirmation(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """Those before NAT to this address and port; others go on."""
    device = connect(box.endpoint())
    for port in ("8443", "8444"):
        for source, target in (("192.0.2.1", "192.0.2.9"), ("fd00::1", "fd00::9")):
            ends = ("-p", "tcp", "-s", source, "-d", target, "--sport", "5", "--dport", port)
            box.run("conntrack", "-I", *ends, "--state", "ESTABLISHED", "-u", "ASSURED", "-t", "600")
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    flows = (
        Flow(protocol=6, address="192.0.2.9", port=8443),
        Flow(protocol=6, address="fd00::9", port=8443, source="fd00::/16"),
    )
    device.apply(before, after, warrant=warrant, confirm_s=30, end=flows)
    device.confirm(warrant)
    left = box.run("conntrack", "-L")
    assert (0, 2) == (left.count("dport=8443"), left.count("dport=8444"))


def test_an_established_connection_survives_an_unrelated_write(
    box: Box, connect: Connect, warrant_for: WarrantFor
) -> None:
    """The session that writes is one itself; a second, open meanwhile, goes on as well."""
    device, idle = connect(box.endpoint()), connect(box.endpoint())
    before = device.read()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert after == idle.read()


def test_a_file_made_immutable_is_replaced(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """A directory in its place, too."""
    device = connect(box.endpoint())
    before = device.read()
    box.run("rm", "/etc/nftables.conf")
    box.run("mkdir", "/etc/nftables.conf")
    tampered = device.read()
    warrant = warrant_for(tampered, before)
    device.apply(tampered, before, warrant=warrant, confirm_s=30)
    device.confirm(warrant)
    assert before == device.read()


def test_times_are_printed(box: Box, connect: Connect, warrant_for: WarrantFor) -> None:
    """Connect, read, apply and confirm work within their deadlines; the figures are for people."""
    began = time.perf_counter()
    device = connect(box.endpoint())
    connected = time.perf_counter()
    before = device.read()
    read = time.perf_counter()
    after = opened(before)
    warrant = warrant_for(before, after)
    device.apply(before, after, warrant=warrant, confirm_s=30)
    applied = time.perf_counter()
    device.confirm(warrant)
    confirmed = time.perf_counter()
    print(f"connect {connected - began:.3f} s, read {read - connected:.3f} s, apply {applied - read:.3f} s, "
          f"confirm {confirmed - applied:.3f} s")  # fmt: skip
    assert confirmed - began < box.endpoint().answer_s
