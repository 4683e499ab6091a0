"""The guard on a real command line: a route that nobody approved is a case, a mail, and gone (clause 7.1.1)."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fwguard.config import Settings, make_secret_key
from fwguard.devices.open import open_device
from fwguard.devices.sessions import Sessions
from fwguard.dialects.frr import FRR
from fwguard.flows import guard, reviewing
from fwguard.flows.asking import ask_baseline
from fwguard.flows.deciding import approve
from fwguard.flows.house import House, NoWork, read_rulebook
from fwguard.lab.routing_alone import RoutingSite
from fwguard.model.case import CaseState
from fwguard.model.inventory import Client, Contact, Language
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant
from fwguard.store import Store
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import add_firewall, set_device_secret
from fwguard.store.mail import OutboxRow
from fwguard.store.people import UserRole, add_client, add_user, user_named
from fwguard.store.tickets import ticket_numbered
from fwguard.store.vault import Vault

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("command-line")]
ROOT = Path(__file__).parents[3]


# A process that writes, and is dead before it can confirm or take back.
DIES = """\
import os, pickle, sys
from fwguard.devices.command_line.device import CommandLineDevice
from fwguard.model.snapshot import Snapshot
endpoint, before, after, warrant = pickle.load(sys.stdin.buffer)
device = CommandLineDevice(endpoint)
device.apply(Snapshot(before), Snapshot(after), warrant=warrant, confirm_s=60)
os._exit(9)
"""


class Scene:
    """A house that guards the one firewall, from where the controller stands."""

    def __init__(self, site: RoutingSite, folder: Path) -> None:
        self.site, self.name = site, site.plan.name
        settings = Settings(
            state_dir=folder, database_url=f"sqlite:///{folder / 'fwguard.sqlite'}", confirm_s=20,
            desk_address="desk@host.example", mail_domain="host.example",
        )  # fmt: skip
        make_secret_key(settings.secret_key_file)
        store = Store(settings.database_url)
        store.upgrade()
        self.house = House(
            settings=settings, store=store, vault=Vault(settings.keys),
            mail_key=settings.keys.derive("mail ids"), rulebook=read_rulebook(ROOT / "rules", ROOT / "approvals"),
            sessions=Sessions(open_device), work=NoWork(), name="test",
        )  # fmt: skip
        contact = Contact(mail="ann@acme.example", name="Ann", language=Language.EN)
        with store.session() as session:
            add_client(session, Client(name=site.plan.client, title="Acme", contacts=(contact,)))
            row = add_firewall(session, site.endpoint.firewall)
            set_device_secret(
                row,
                self.house.vault,
                private_key=site.endpoint.private_key,
                host_key=site.endpoint.host_key,
            )
            for name, role in (("olga", UserRole.OPERATOR), ("bob", UserRole.APPROVER)):
                add_user(
                    session, username=name, email=f"{name}@host.example", name=name.title(), role=role,
                    password_hash=None, at=self.house.clock(), language=Language.EN,
                )  # fmt: skip

    def look(self) -> None:
        """Look until there is nothing left to do at once."""
        for _ in range(6):
            if self.site.at_controller(lambda: guard.look(self.name, self.house)) > 0:
                return

    def approve(self) -> None:
        """Approve the firewall as it stands, by two people."""
        self.look()
        with self.house.store.session() as session:
            number = ask_baseline(session, self.house, self.name, user=user_named(session, "olga")).number
        reviewing.look(number, self.house)
        with self.house.store.session() as session:
            ticket = ticket_numbered(session, number)
            bob = user_named(session, "bob")
            approve(session, self.house, ticket, bob, digest=ticket.binding, source="portal")
        self.look()


def test_a_route_that_nobody_approved_is_undone(site: RoutingSite, tmp_path: Path) -> None:
    """Seen, explained, told to the client, taken out of FRR and of the kernel, and saved; then quiet."""
    scene = Scene(site, tmp_path)
    scene.approve()
    site.enter("ip route 10.99.0.0/16 10.20.0.66", "no ipv6 route fd80::/64 fd20::9")
    assert site.kernel_gets("10.99.0.0/16")
    scene.look()
    assert site.kernel_loses("10.99.0.0/16") and site.kernel_gets("fd80::/64")
    with scene.house.store.reading() as session:
        (case,) = session.query(CaseRow).all()
        assert (CaseState.CLOSED, "7.1.1") == (case.state, case.clause)
        assert "adds a route to 10.99.0.0/16 via 10.20.0.66" in case.summary_en
        assert "ajoute une route vers 10.99.0.0/16 via 10.20.0.66" in case.summary_fr
        events = [mail.event for mail in session.query(OutboxRow) if mail.recipient == "ann@acme.example"]
    assert "drift-restored" in events
    scene.look()
    with scene.house.store.reading() as session:
        assert 1 == session.query(CaseRow).count()
    scene.house.sessions.close()


def test_a_boot_file_alone_is_drift_too(site: RoutingSite, tmp_path: Path) -> None:
    """What the next start would route is approved as well."""
    scene = Scene(site, tmp_path)
    scene.approve()
    site.run_inside("sh", "-c", "echo 'ip route 10.98.0.0/16 10.20.0.5' >> /etc/frr/frr.conf")
    scene.look()
    assert "10.98" not in site.run_inside("cat", "/etc/frr/frr.conf")
    with scene.house.store.reading() as session:
        (case,) = session.query(CaseRow).all()
        assert case.state is CaseState.CLOSED
    scene.house.sessions.close()


def test_a_write_of_a_dead_process_is_undone_by_the_next_look(
    site: RoutingSite, tmp_path: Path, warrant_for: Callable[[Snapshot, Snapshot], Warrant]
) -> None:
    """FRR has no timer of its own, and ours died with its process: what stands there was never approved."""
    scene = Scene(site, tmp_path)
    scene.approve()
    before = site.connect().read()
    text = before.get("running").replace("!\nend\n", "ip route 10.70.0.0/16 10.20.0.9\n!\nend\n")
    after = Snapshot(dict.fromkeys(before.parts, text))
    what = (site.endpoint, dict(before.parts), dict(after.parts), warrant_for(before, after))
    died = subprocess.run(
        ["ip", "netns", "exec", site.netns("controller"), sys.executable, "-c", DIES],
        input=pickle.dumps(what), timeout=60, check=False,
    )  # fmt: skip
    assert 9 == died.returncode
    assert site.kernel_gets("10.70.0.0/16")
    scene.look()
    assert site.kernel_loses("10.70.0.0/16")
    assert FRR.canonical(before.get("startup")) == FRR.canonical(site.connect().read().get("startup"))
    scene.house.sessions.close()
