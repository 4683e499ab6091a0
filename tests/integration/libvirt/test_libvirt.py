"""Domains of a real libvirt start, stop and go; the addresses of our servers go with them, or stay."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fwguard.config import Settings, make_secret_key
from fwguard.devices.hypervisor import open_hypervisor
from fwguard.errors import DeviceUnreachableError
from fwguard.flows import address, service_life
from fwguard.flows.house import House, open_house
from fwguard.model.inventory import Client, Firewall, Platform, Server, Transport
from fwguard.model.machine_state import MachineState
from fwguard.model.pool import Pool
from fwguard.store.addresses import HoldingRow
from fwguard.store.inventory import add_firewall, add_server
from fwguard.store.machine_states import MachineStateRow
from fwguard.store.people import UserRole, add_client, add_user, user_named

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]


class Clock:
    """A clock that tests turn."""

    at = datetime(2026, 3, 4, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def house(libvirt: Any, tmp_path: Path) -> Iterator[House]:
    """Give a house whose servers run on that libvirt, each with an address of both versions."""
    settings = Settings(
        state_dir=tmp_path, rules_dir=ROOT / "rules", approvals_dir=ROOT / "approvals",
        hypervisors=(f"libvirt:{libvirt.uri}",),
    )  # fmt: skip
    make_secret_key(settings.secret_key_file)
    house = open_house(settings, name="test")
    house.clock = Clock()
    house.store.upgrade()
    with house.store.session() as session:
        add_client(session, Client(name="acme", title="Acme"))
        add_firewall(
            session,
            Firewall(
                name="fw-acme", client="acme", platform=Platform.LINUX, transport=Transport.SSH,
                address="172.30.1.1", port=22, username="root",
            ),
        )  # fmt: skip
        user = add_user(
            session, username="olga", email="olga@host.example", name="Olga", role=UserRole.OPERATOR,
            password_hash=None, at=house.clock(),
        )  # fmt: skip
        for name, prefix in (("p4", "198.51.100.0/29"), ("p6", "2001:db8:1::/64")):
            address.open_pool(session, house, Pool(name=name, prefix=prefix), user=user, why="test")
        for name in ("web1", "web2"):
            add_server(session, Server(name=name, client="acme", firewall="fw-acme", addresses=()))
            address.allocate(session, house, name, user=user_named(session, "olga"), why="in service")
    yield house
    house.store.dispose()


def _held(house: House) -> dict[str, int]:
    held = {"web1": 0, "web2": 0}
    with house.store.reading() as session:
        for row in session.scalars(select(HoldingRow).where(HoldingRow.ended_at.is_(None))):
            held[row.holder.removeprefix("server:")] += 1
    return held


def _states(house: House) -> dict[str, MachineState]:
    with house.store.reading() as session:
        return {row.machine.name: row.state for row in session.scalars(select(MachineStateRow))}


def _look(house: House, **after: float) -> None:
    house.clock.at += timedelta(**after)  # type: ignore[attr-defined]
    service_life.look("", house)


def test_a_servers_life_decides_about_its_addresses(libvirt: Any, house: House) -> None:
    """Started, stopped and started in time: kept. Stopped for good, or gone: given back after the grace."""
    for name in ("web1", "web2"):
        libvirt.define(name)
        libvirt.virsh("start", name)
    _look(house)
    assert {"web1": MachineState.RUNNING, "web2": MachineState.RUNNING} == _states(house)
    libvirt.virsh("suspend", "web2")  # paused is started
    libvirt.virsh("shutdown", "web1")
    _look(house)
    assert {"web1": MachineState.STOPPED, "web2": MachineState.RUNNING} == _states(house)
    _look(house, days=6)
    libvirt.virsh("start", "web1")
    _look(house)
    _look(house, days=6)
    assert {"web1": 2, "web2": 2} == _held(house)
    libvirt.virsh("destroy", "web1")
    _look(house)
    _look(house, days=7)
    assert {"web1": 0, "web2": 2} == _held(house)
    libvirt.virsh("destroy", "web2")
    libvirt.virsh("undefine", "web2")
    _look(house)
    assert MachineState.DELETED is _states(house)["web2"]
    assert {"web1": 0, "web2": 2} == _held(house)
    _look(house, days=1)
    assert {"web1": 0, "web2": 0} == _held(house)


def test_a_daemon_that_is_gone_concludes_nothing(libvirt: Any, house: House) -> None:
    """No answer is no news: every server is in the state that was seen last."""
    libvirt.define("web1")
    libvirt.virsh("start", "web1")
    _look(house)
    os.kill(int((libvirt.folder / "pid").read_text()), signal.SIGKILL)
    time.sleep(0.2)
    with pytest.raises(DeviceUnreachableError, match="libvirt test"):
        _look(house, days=30)
    assert (MachineState.RUNNING, {"web1": 2, "web2": 2}) == (_states(house)["web1"], _held(house))


def test_the_library_answers_without_a_daemon() -> None:
    """`test:///default` has one domain, which runs."""
    [one] = open_hypervisor("libvirt:test:///default").machines()
    assert ("test", MachineState.RUNNING) == (one.name, one.state)
