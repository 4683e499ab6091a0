"""A killed process of this host does not make its firewalls wait for its lease."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from fwguard.errors import ConflictError
from fwguard.flows.house import free_locks_of_the_dead, process_name
from fwguard.store.inventory import firewall_named
from fwguard.store.locks import take_lock


def held_by(scene: Any, name: str) -> int:
    """Take the lock of the firewall as another process would, and never give it back."""
    with scene.house.store.session() as session:
        row = firewall_named(session, "fw-acme")
        take_lock(session, row.id, holder=name, at=scene.clock(), lease_s=180)
        return int(row.id)


def take(scene: Any, firewall_id: int) -> None:
    """Take it ourselves."""
    with scene.house.store.reading() as session:
        since = scene.house.last_hand(session, firewall_id)
    with scene.house.hand_on(firewall_id, since=since):
        pass


def test_the_lock_of_a_dead_process_is_freed(scene: Any) -> None:
    """At the start of the next one."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    firewall_id = held_by(scene, process_name(gone.pid))
    assert free_locks_of_the_dead(scene.house) == 1
    take(scene, firewall_id)


@pytest.mark.parametrize("where", ["this host", "another host"])
def test_the_lock_of_a_living_or_distant_process_stays(scene: Any, where: str) -> None:
    """Nobody is judged dead who may be alive."""
    name = process_name(os.getpid()) if where == "this host" else "another-host:1:1"
    firewall_id = held_by(scene, name)
    assert free_locks_of_the_dead(scene.house) == 0
    with pytest.raises(ConflictError):
        take(scene, firewall_id)
