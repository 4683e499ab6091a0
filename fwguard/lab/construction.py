"""How a platform comes to be: namespaces, links, firewalls, servers; as much at once as can be."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from fwguard.errors import DeviceError
from fwguard.lab import edge_node, inventory_file, management, namespaces, traffic
from fwguard.lab import plan as p
from fwguard.lab.box import Box, common_etc, init_pid, start
from fwguard.lab.firewall_box import Ingredients, KeyPair
from fwguard.lab.firewall_kinds import KINDS
from fwguard.lab.mail_door import SUBMISSION_PORT, mail_box
from fwguard.lab.plan import Plan

READY_S: Final = 30.0
# What a namespace takes from this machine's own settings must not matter.
# Duplicate address detection would make every address wait a second for nothing (RFC 4862 section 5.4).
_EVERYWHERE: Final = {
    "net/ipv4/ip_forward": 0,
    "net/ipv6/conf/all/disable_ipv6": 0,
    "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/default/accept_ra": 0,
}


def build(plan: Plan, directory: Path) -> dict[str, int]:
    """Build the platform of `plan` with its files below `directory`; return the boxes' init processes.

    Raises:
        DeviceError: a part did not come up; the message holds what it printed last.
    """
    _network(plan)
    etc = directory / "etc"
    common_etc(etc)
    children = {}
    for box in _boxes(plan, directory):
        (directory / "hosts" / box.host).mkdir(parents=True)
        children[box.host] = start(box, directory / "hosts" / box.host, etc)
    _rulesets(plan)
    _configure_hosts(plan)
    _start_listeners(plan, directory)
    doors = {f.name: (f.mgmt4, f.management_port) for f in plan.firewalls}
    doors["mail"] = (p.MAIL_MGMT4, SUBMISSION_PORT)
    for host, (address, port) in doors.items():
        _wait_for_port(plan, address, port, children[host], directory / "hosts" / host / "log")
    inventory_file.write(plan, directory)
    return {host: init_pid(child.pid) for host, child in children.items()}


def _network(plan: Plan) -> None:
    """Make namespaces and links."""
    namespaces.create(plan.netns(host) for host in plan.hosts)
    settings: dict[str, dict[str, int]] = {plan.netns(host): dict(_EVERYWHERE) for host in plan.hosts}
    settings[plan.netns("edge")] |= edge_node.sysctls()
    settings[plan.netns("internet")] |= edge_node.internet_sysctls()
    namespaces.write_sysctls(settings)
    namespaces.ip_batch(edge_node.batch(plan), netns=plan.netns("edge"))
    namespaces.ip_batch(management.batch(plan), netns=plan.netns("mgmt"))
    namespaces.write_sysctls({plan.netns("edge"): edge_node.port_sysctls(plan)})


def _boxes(plan: Plan, directory: Path) -> Iterator[Box]:
    operator = KeyPair.new()
    key_file = directory / "operator_ed25519"
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(operator.private)
    keys = directory / "host_keys"
    keys.mkdir()
    for firewall in plan.firewalls:
        host_key = KeyPair.new()
        (keys / firewall.name).write_text(host_key.public + "\n")
        made_from = Ingredients(
            firewall=firewall,
            netns=plan.netns(firewall.name),
            host_key=host_key,
            operator_public=operator.public,
        )
        yield KINDS[firewall.kind](made_from)
    yield mail_box(plan, directory / "mail")


def _rulesets(plan: Plan) -> None:
    rulesets = {
        "edge": edge_node.ruleset(plan),
        "mgmt": management.bridge_ruleset(plan),
        "controller": management.controller_ruleset(),
    }
    for host, text in rulesets.items():
        done = subprocess.run(
            ["ip", "netns", "exec", plan.netns(host), "nft", "-f", "-"],
            input=text, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        if done.returncode:
            raise DeviceError(f"nft in {host}: {done.stderr.strip()}")


def _configure_hosts(plan: Plan) -> None:
    batches: dict[str, Iterator[str]] = {
        plan.netns("internet"): edge_node.internet_batch(),
        plan.netns("controller"): management.controller_batch(),
    }
    batches |= {plan.netns(server.name): edge_node.server_batch(server) for server in plan.servers}
    namespaces.ip_batches({name: ["link set lo up", *lines] for name, lines in batches.items()})


def _start_listeners(plan: Plan, directory: Path) -> None:
    hosts: list[Mapping[str, object]] = [
        {"host": "internet", "netns": plan.netns("internet"), "tcp": p.INTERNET_TCP, "udp": p.INTERNET_UDP}
    ]
    hosts += [{"host": s.name, "netns": plan.netns(s.name), "tcp": s.tcp, "udp": s.udp} for s in plan.servers]
    with (directory / "listeners.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "fwguard.lab.listeners"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True, cwd="/",
            env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(hosts).encode())
    child.stdin.close()
    readable, _, _ = select.select([child.stdout], [], [], READY_S)
    if not readable or child.stdout.readline() != b"ready\n":
        raise DeviceError(f"the servers do not listen: {_tail(directory / 'listeners.log')}")
    child.stdout.close()


def _wait_for_port(plan: Plan, address: str, port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    """Return once a box takes connections. Raises DeviceError when it died or is silent."""
    host = log.parent.name
    deadline = time.monotonic() + READY_S
    while not traffic.can_connect(plan.netns("controller"), address, port, timeout_s=0.2):
        if child.poll() is not None:
            raise DeviceError(f"{host} ended while it started: {_tail(log)}")
        if time.monotonic() > deadline:
            raise DeviceError(f"{host} does not answer on port {port}: {_tail(log)}")
        time.sleep(0.01)


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-800:].strip() or "it printed nothing"
    except OSError:
        return "it left no log"
