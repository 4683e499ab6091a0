"""Edges of an inventory file, whole or not at all, with file and line where something is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from fwguard.errors import InputError
from fwguard.flows.enrolment import Credentials, enrol
from fwguard.store.edge_ports import architecture_named, ports_of
from fwguard.store.edges import EdgeRow, edge_named

EDGES = """\
clients: []
firewalls: []
servers: []
edges:
  - name: edge1
    uplinks: [eth0, eth1]
    uplink_bps: 10000000000
    architectures:
      - {name: fw-acme, client: acme, template: development, mode: observe, own_sources: [198.51.100.0/24]}
    ports:
      - {interface: s0, machine: web1, kind: server, macs: ["02:00:00:00:00:01"], zone: 1001, table: 1001}
      - {interface: o0, machine: fw-acme, kind: firewall-out, macs: ["02:00:00:00:00:02"], zone: 2001,
         addresses: [100.64.0.2], device_interface: wan0, architecture: fw-acme}
"""
NOBODY = Credentials(hash_password=lambda _: "", seal_totp=lambda _: "")


def test_edges_are_stored_with_what_is_plugged_in(scene: Any) -> None:
    """Nodes, architectures and ports, as `fwguard edge` would."""
    enrol(scene.house, EDGES, "inventory.yaml", NOBODY)
    with scene.house.store.reading() as session:
        edge = edge_named(session, "edge1")
        assert ("eth0", "eth1") == edge.uplink_names
        assert [("s0", 1001, ""), ("o0", 0, "wan0")] == [
            (row.interface, row.routing_table, row.device_interface) for row in ports_of(session, edge.id)
        ]
        assert ("development", "observe") == (architecture_named(session, "fw-acme").template,
                                              architecture_named(session, "fw-acme").mode)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [("machine: web1", "machine: web9"), ("kind: server", "kind: nice"), ("zone: 1001", "zone: 0"),
     ("02:00:00:00:00:01", "nonsense"), ("client: acme", "client: bold"), ("uplinks: [eth0, eth1]", "uplinks: []")],
)  # fmt: skip
def test_what_is_wrong_has_its_line_and_nothing_is_stored(scene: Any, old: str, new: str) -> None:
    """Not even the edge before it."""
    with pytest.raises(InputError, match=r"inventory\.yaml:\d+"):
        enrol(scene.house, EDGES.replace(old, new), "inventory.yaml", NOBODY)
    with scene.house.store.reading() as session:
        assert [] == session.query(EdgeRow).all()
