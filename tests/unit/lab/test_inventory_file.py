"""What the controller is told of the platform."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fwguard.lab import inventory_file
from fwguard.lab.plan import plan
from fwguard.model.inventory import (
    Client,
    Contact,
    Firewall,
    Language,
    OnDrift,
    Platform,
    Role,
    Server,
    Transport,
)

PLAN = plan("t", kinds=frozenset({"nftables", "iptables", "netconf"}))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The file of a platform with one host key a firewall."""
    (tmp_path / "host_keys").mkdir()
    for firewall in PLAN.firewalls:
        (tmp_path / "host_keys" / firewall.name).write_text(f"ssh-ed25519 {firewall.name}\n")
    return inventory_file.write(PLAN, tmp_path)


def test_its_words_are_those_of_the_model(written: Path) -> None:
    """Every client, firewall and server can be built from it."""
    found = yaml.safe_load(written.read_text())
    for client in found["clients"]:
        contacts = tuple(
            Contact(mail=c["mail"], name=c["name"], language=Language(c["language"]))
            for c in client["contacts"]
        )
        assert Client(name=client["name"], title=client["title"], contacts=contacts)
    for row in found["firewalls"]:
        assert Firewall(
            name=row["name"],
            client=row["client"],
            platform=Platform(row["platform"]),
            transport=Transport(row["transport"]),
            address=row["address"],
            port=row["port"],
            username=row["username"],
            public=tuple(row["public"]),
            on_drift=OnDrift(row["on_drift"]),
        )
    for row in found["servers"]:
        assert Server(
            name=row["name"],
            client=row["client"],
            firewall=row["firewall"],
            addresses=tuple(row["addresses"]),
            role=Role(row["role"]),
        )


def test_each_firewall_has_its_own_host_key(written: Path) -> None:
    """Pinned before the first connection."""
    keys = {row["name"]: row["host_key"] for row in yaml.safe_load(written.read_text())["firewalls"]}
    assert {name: f"ssh-ed25519 {name}" for name in ("fw-acme", "fw-globex", "fw-initech")} == keys


def test_others_may_not_read_it(written: Path) -> None:
    """It holds passwords."""
    assert 0o600 == written.stat().st_mode & 0o777
