"""The platform as a whole: who reaches whom, over v4 and v6."""

from __future__ import annotations

import subprocess

import pytest

from fwguard.lab import plan as p
from fwguard.lab.platform import Lab

pytestmark = pytest.mark.integration

OPEN = [
    # (address, port, source, who answers)
    ("192.0.2.10", 80, "", "acme-web port=80 peer=198.51.100.10"),
    ("192.0.2.10", 443, "", "acme-web port=443 peer=198.51.100.10"),
    ("2001:db8:0:1::1", 80, "", "acme-web port=80 peer=2001:db8:ffff::10"),
    ("192.0.2.11", 25, "", "acme-mail port=25 peer=198.51.100.10"),
    ("2001:db8:0:1::2", 25, "", "acme-mail port=25 peer=2001:db8:ffff::10"),
    ("192.0.2.10", 2222, p.PARTNER4, "acme-web port=22 peer=198.51.100.200"),
    ("2001:db8:0:1::1", 2222, p.PARTNER6, "acme-web port=22 peer=2001:db8:ffff:1::200"),
    ("192.0.2.20", 443, "", "globex-web port=443 peer=198.51.100.10"),
    ("2001:db8:0:2::1", 443, "", "globex-web port=443 peer=2001:db8:ffff::10"),
    ("192.0.2.21", 5432, p.PARTNER4, "globex-db port=5432 peer=198.51.100.200"),
    ("2001:db8:0:2::2", 5432, p.PARTNER6, "globex-db port=5432 peer=2001:db8:ffff:1::200"),
    ("192.0.2.30", 80, "", "initech-web port=80 peer=198.51.100.10"),
    ("2001:db8:0:3::1", 443, "", "initech-web port=443 peer=2001:db8:ffff::10"),
    ("192.0.2.31", 25, "", "initech-mail port=25 peer=198.51.100.10"),
]
CLOSED = [
    ("192.0.2.10", 8080, ""),
    ("2001:db8:0:1::1", 8080, ""),
    ("192.0.2.10", 2222, ""),
    ("2001:db8:0:1::1", 2222, ""),
    ("192.0.2.10", 22, ""),
    ("192.0.2.11", 5432, ""),
    ("192.0.2.20", 8080, ""),
    ("192.0.2.21", 5432, ""),
    ("192.0.2.10", 80, p.SCANNER4),
    ("2001:db8:0:2::1", 80, p.SCANNER6),
    ("192.0.2.30", 8080, ""),
    ("192.0.2.30", 80, p.SCANNER4),
    ("10.20.0.11", 80, ""),
    ("fd20::11", 80, ""),
    ("172.30.1.1", 22, ""),
]


@pytest.mark.parametrize(("address", "port", "source", "answer"), OPEN)
def test_what_is_open_answers_through_its_redirection(
    lab: Lab, address: str, port: int, source: str, answer: str
) -> None:
    """The right server answers, and sees the true source."""
    assert answer == lab.greeting("internet", address, port, source=source, timeout_s=5)


@pytest.mark.parametrize(("address", "port", "source"), CLOSED)
def test_what_is_closed_carries_nothing(lab: Lab, address: str, port: int, source: str) -> None:
    """Although servers listen there, and although private addresses exist behind."""
    assert not lab.connect("internet", address, port, source=source, timeout_s=0.4)


def test_udp_is_redirected_too(lab: Lab) -> None:
    """Over both families, where it is open."""
    assert "globex-web port=53 peer=198.51.100.10" == lab.datagram("internet", "192.0.2.20", 53)
    assert "globex-web port=53 peer=2001:db8:ffff::10" == lab.datagram("internet", "2001:db8:0:2::1", 53)
    assert "" == lab.datagram("internet", "192.0.2.10", 53, timeout_s=0.4)


@pytest.mark.parametrize(
    ("server", "address", "seen"),
    [
        ("acme-web", p.INTERNET4, "192.0.2.10"),
        ("acme-mail", p.INTERNET4, "192.0.2.11"),
        ("acme-web", p.INTERNET6, "2001:db8:0:1::1"),
        ("acme-mail", p.INTERNET6, "2001:db8:0:1::2"),
        ("globex-web", p.INTERNET4, "192.0.2.20"),
        ("globex-db", p.INTERNET6, "2001:db8:0:2::2"),
        ("initech-web", p.INTERNET4, "192.0.2.30"),
    ],
)
def test_servers_go_out_behind_their_firewalls_address(
    lab: Lab, server: str, address: str, seen: str
) -> None:
    """Source NAT, v4 and v6."""
    assert f"internet port=80 peer={seen}" == lab.greeting(server, address, 80, timeout_s=5)


def test_servers_of_one_client_reach_each_other(lab: Lab) -> None:
    """As on one Ethernet, though each has its own routed port."""
    assert "acme-mail port=25 peer=10.20.0.11" == lab.greeting("acme-web", "10.20.0.12", 25)
    assert "acme-mail port=25 peer=fd20::11" == lab.greeting("acme-web", "fd20::12", 25)


def test_clients_do_not_meet_in_the_prefix_that_they_share(lab: Lab) -> None:
    """The same address is each client's own server, and what only another has is nowhere."""
    assert "globex-db port=5432 peer=10.20.0.11" == lab.greeting("globex-web", "10.20.0.12", 5432)
    assert "globex-db port=5432 peer=fd20::11" == lab.greeting("globex-web", "fd20::12", 5432)
    assert not lab.connect("globex-web", "10.20.0.13", 22, timeout_s=0.4)
    assert not lab.connect("globex-web", "fd20::13", 22, timeout_s=0.4)


def test_clients_meet_on_public_addresses_like_anybody(lab: Lab) -> None:
    """Through both firewalls."""
    assert "globex-web port=80 peer=192.0.2.10" == lab.greeting("acme-web", "192.0.2.20", 80, timeout_s=5)
    assert "acme-web port=80 peer=2001:db8:0:2::1" == lab.greeting(
        "globex-web", "2001:db8:0:1::1", 80, timeout_s=5
    )


def test_every_packet_between_hosts_of_a_client_crosses_the_edge(lab: Lab) -> None:
    """Before and after the client's NAT: the edge tracks both, in zones of their own."""
    assert lab.connect("internet", "192.0.2.10", 80, timeout_s=5)
    tracked = lab.run("edge", ["conntrack", "-L", "-p", "tcp"]).stdout
    assert any("dst=192.0.2.10 " in line and "zone=2001" in line for line in tracked.splitlines())
    assert any("dst=10.20.0.11 " in line and "zone=1001" in line for line in tracked.splitlines())


def test_the_controller_reaches_every_firewall_and_none_reaches_it_or_another(lab: Lab) -> None:
    """They answer and no more."""
    names = [firewall.name for firewall in lab.plan.firewalls]
    for firewall in lab.plan.firewalls:
        for address in (firewall.mgmt4, firewall.mgmt6):
            assert lab.connect("controller", address, firewall.management_port, timeout_s=5)
    other = lab.firewall(names[1])
    for address, port in (
        (p.CONTROLLER4, 24),
        (p.CONTROLLER6, 24),
        (p.MAIL_MGMT4, 25),
        (other.mgmt4, other.management_port),
        (other.mgmt6, other.management_port),
    ):
        assert not lab.connect(names[0], address, port, timeout_s=0.4)


def test_a_firewall_cannot_take_anothers_management_address(lab: Lab) -> None:
    """The bridge holds each port to its own addresses."""
    first, second = lab.plan.firewalls[:2]
    lab.run(first.name, ["ip", "addr", "add", f"{second.mgmt4}/16", "dev", "mgmt0"])
    try:
        for host in ("controller", first.name):
            lab.run(host, ["ip", "neigh", "flush", "dev", "mgmt0"])
        assert not lab.connect(first.name, p.CONTROLLER4, 24, source=second.mgmt4, timeout_s=0.4)
        entries = lab.run("controller", ["ip", "neigh", "show", second.mgmt4]).stdout
        assert first.mac("mgmt") not in entries
    finally:
        lab.run(first.name, ["ip", "addr", "del", f"{second.mgmt4}/16", "dev", "mgmt0"])


def test_a_firewall_starts_as_its_boot_files_say(lab: Lab) -> None:
    """Loading them again changes nothing."""
    for firewall, listing in (
        ("fw-acme", "nft list ruleset"),
        ("fw-globex", "iptables-save; ip6tables-save"),
    ):
        show = ["sh", "-c", f"({listing}; ip route; ip -6 route) | sed 's/^#.*//; s/\\[[0-9:]*\\]//'"]
        before = lab.run(firewall, show).stdout
        lab.tamper(firewall, "reboot")
        assert before == lab.run(firewall, show).stdout


def test_a_firewall_has_processes_and_files_of_its_own(lab: Lab) -> None:
    """Root inside sees neither this machine's users nor its processes, and writes to none of its files."""
    assert "fw-acme\n" == lab.run("fw-acme", ["cat", "/etc/hostname"]).stdout
    assert "fw-acme\n" == lab.run("fw-acme", ["uname", "-n"]).stdout
    assert "1" == lab.run("fw-acme", ["sh", "-c", "ls -d /proc/[1-9] | head -1 | tr -dc 0-9"]).stdout
    assert "" == lab.run("fw-acme", ["sh", "-c", "ls /run/fwguard-lab 2>/dev/null"], check=False).stdout
    script = "for d in /etc /var /root /tmp /run /usr/local/sbin; do echo x > $d/of-the-client; done"
    lab.run("fw-acme", ["sh", "-c", script])
    assert "" == lab.run("fw-globex", ["sh", "-c", "ls /etc/of-the-client"], check=False).stdout
    found = subprocess.run(["sh", "-c", "ls /etc/of-the-client /usr/local/sbin/of-the-client"], check=False)
    assert 0 != found.returncode


def test_the_operators_key_opens_the_gate_and_nothing_else(lab: Lab) -> None:
    """No shell, no forwarding: only what the gate allows."""
    key = str(lab.directory / "operator_ed25519")
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    known = lab.directory / "known_hosts_of_a_test"
    host_key = (lab.directory / "host_keys" / "fw-acme").read_text()
    known.write_text(f"172.30.1.1 {host_key}")
    ssh = ["ssh", *options, "-o", f"UserKnownHostsFile={known}", "-i", key, "root@172.30.1.1"]
    reading = lab.run("controller", [*ssh, "read"])
    assert "table inet filter" in reading.stdout
    refused = lab.run("controller", [*ssh, "cat /etc/shadow"], check=False)
    assert 0 != refused.returncode
    assert "" == refused.stdout


def test_status_names_every_host_by_its_namespace(lab: Lab) -> None:
    """So that anyone can enter and do what a client would do."""
    status = lab.status()
    named = [status[host] for host in ("mail", "edge", "internet", "controller")]
    for host in (*named, *status["firewalls"], *status["servers"]):
        links = subprocess.run(
            ["ip", "-n", host["netns"], "link"], check=True, capture_output=True, text=True
        ).stdout
        assert "lo:" in links
    assert {"login", "mail", "role", "client", "password", "totp"} <= status["people"][0].keys()
    assert status["portal"] is None
