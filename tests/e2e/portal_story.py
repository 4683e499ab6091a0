"""A store as weeks of work leave it, filled by the flows: what pages show when there is something to show.

Three clients. acme's firewall is approved and has an opening, a request that waits, a refused one and a
drift that was undone; globex's is held after a change that its policy leaves to a person; initech's was
never approved. The desk got a mail from a stranger.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import yaml
from flask import Flask
from sqlalchemy.orm import Session

from fwguard.flows import intake, restoring, reviewing
from fwguard.flows.asking import ask_baseline, ask_opening
from fwguard.flows.deciding import approve, refuse
from fwguard.flows.drift import describe, differing_parts
from fwguard.flows.enrolment import enrol
from fwguard.flows.house import House
from fwguard.flows.names import server_names
from fwguard.flows.notices import tell_asker, tell_client
from fwguard.lab.firewall_files import nftables_conf
from fwguard.lab.inventory_file import inventory
from fwguard.lab.people import Person
from fwguard.lab.plan import FirewallPlan, Plan
from fwguard.lab.plan import plan as lab_plan
from fwguard.model.address import AddressSet
from fwguard.model.case import CaseEvent, CaseKind
from fwguard.model.inventory import Language, OnDrift, Platform, Transport
from fwguard.model.ports import parse_ports, parse_protocol
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import Ask, TicketEvent
from fwguard.store.approved import approve_baseline, current_baseline, record_reading
from fwguard.store.asks import change_from_json
from fwguard.store.cases import add_evidence, move_case, open_case
from fwguard.store.inventory import firewall_named, note_read
from fwguard.store.openings import add_opening, hold_opening
from fwguard.store.people import user_named
from fwguard.store.tickets import Channel, TicketRow, move, ticket_numbered
from fwguard.web.credentials import credentials

STRANGER = b"""From: "Alice Martin" <alice@acme.example>
To: desk@operator.example
Subject: Open port 3306 <b>now</b>
Message-ID: <1@elsewhere.example>
Date: Mon, 5 Jan 2026 10:00:00 +0100

Please open tcp/3306 of acme-db to everyone. https://elsewhere.example/?click=me
<script>alert(1)</script>
"""
ROUTES4 = """\
default via 100.64.1.1 dev wan0 proto static
198.51.100.128/25 via 100.64.1.1 dev wan0 proto static
blackhole 192.168.0.0/16 proto static
"""
ROUTES6 = "2001:db8:ffff:1::/64 via fd64:1::1 dev wan0 proto static metric 1024 pref medium\n"


def platform() -> Plan:
    """Return the plan of the platform whose people and addresses the story has."""
    return lab_plan("e2e", firewalls=3, kinds=frozenset(("nftables", "iptables", "netconf")))


def person(plan: Plan, login: str) -> Person:
    """Return one of its people."""
    return next(it for it in plan.people if it.login == login)


def approved_state(firewall: FirewallPlan) -> Snapshot:
    """Return the state of a firewall as its client set it up."""
    running = nftables_conf(firewall).split("flush ruleset\n", 1)[1]
    return Snapshot(
        {
            "nft": running, "routes4": ROUTES4, "routes6": ROUTES6,
            "boot/nftables.conf": nftables_conf(firewall),
        }
    )  # fmt: skip


def tampered(state: Snapshot) -> Snapshot:
    """Return what a client made of it: a database opened to everyone, and a drop taken away."""
    lines = state.get("nft").splitlines()
    place = next(i for i, line in enumerate(lines) if 'comment "scanner"' in line)
    lines[place] = "\t\tip daddr 10.20.0.12 tcp dport 3306 accept"
    return state.with_parts({"nft": "\n".join(lines) + "\n"})


def fill(house: House, app: Flask, folder: Path) -> Plan:
    """Enrol the platform, then let weeks of work pass."""
    plan = platform()
    keys = folder / "host_keys"
    keys.mkdir()
    for firewall in plan.firewalls:
        (keys / firewall.name).write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2e2e2e\n")
    (folder / "key").write_text("not used: nothing is reached here\n")
    found = inventory(plan, key_file=folder / "key", host_keys=keys)
    for entry in found["firewalls"]:
        entry |= {"platform": Platform.LINUX.value, "transport": Transport.SSH.value, "port": 22}
        entry["on_drift"] = OnDrift.HOLD.value if entry["client"] == "globex" else OnDrift.RESTORE.value
    with app.app_context():
        enrol(house, yaml.safe_dump(found), str(folder / "inventory.yaml"), credentials(app))
    for firewall in plan.firewalls[:2]:
        _approve_state(house, firewall)
    _tickets(house)
    _undone(house, plan.firewalls[0])
    _held(house, plan.firewalls[1])
    with house.store.session() as session:
        row = firewall_named(session, plan.firewalls[2].name)
        record_reading(session, row.id, approved_state(plan.firewalls[2]), at=house.clock())
        note_read(row, at=house.clock())
    intake.keep(house, STRANGER, sender="mallory@elsewhere.example", recipient="desk@operator.example")
    intake.look("1", house)
    return plan


def _approve_state(house: House, firewall: FirewallPlan) -> None:
    with house.store.session() as session:
        row = firewall_named(session, firewall.name)
        approve_baseline(
            session, row, approved_state(firewall), before=None, why="first state", clause="7.1.1",
            actor="user:claire@operator.example", at=house.clock() - timedelta(days=30),
        )  # fmt: skip
        record_reading(session, row.id, approved_state(firewall), at=house.clock())
        note_read(row, at=house.clock() - timedelta(seconds=12))


def ask(
    house: House, login: str, server: str, service: str, source: str, days: int | None, reason: str
) -> str:
    """Ask for an opening and have it analysed; return its number."""
    protocol, _, ports = service.partition("/")
    wanted = Ask(
        server=server, protocol=parse_protocol(protocol), source=AddressSet.parse(*source.split()),
        ports=parse_ports(ports), ends_at=house.clock() + timedelta(days=days) if days else None, reason=reason,
    )  # fmt: skip
    with house.store.session() as session:
        user = user_named(session, login)
        number = ask_opening(session, house, wanted, channel=Channel.FORM, user=user).number
    reviewing.look(number, house)
    return number


def _tickets(house: House) -> None:
    alice, grace, claire = "alice@acme.example", "grace@globex.example", "claire@operator.example"
    opened = ask(house, alice, "acme-web", "tcp/8443", "198.51.100.0/24", 60, "Recette du nouveau site")
    with house.store.session() as session:
        ticket = ticket_numbered(session, opened)
        decide_all(session, house, ticket)
        _deployed(session, house, ticket)
    refused = ask(house, alice, "acme-db", "tcp/3306", "any", None, "Accès de test")
    with house.store.session() as session:
        ticket = ticket_numbered(session, refused)
        refuse(
            session, house, ticket, user_named(session, claire), digest=ticket.binding, source="portal",
            comment="Une base de données ouverte à tous : utilisez le VPN.",
        )  # fmt: skip
    ask(
        house,
        alice,
        "acme-web",
        "tcp/5000-5010",
        "203.0.113.0/24 2001:db8:aa::/48",
        30,
        "Visite du prestataire",
    )
    ask(house, grace, "globex-web", "tcp/22", "any", None, "Remote work")


def decide_all(session: Session, house: House, ticket: TicketRow) -> None:
    """Let as many approvers approve as the ticket needs."""
    for login in ("claire@operator.example", "david@operator.example"):
        if ticket.state.value == "review":
            approve(
                session, house, ticket, user_named(session, login), digest=ticket.binding, source="portal"
            )


def _deployed(session: Session, house: House, ticket: TicketRow) -> None:
    assert ticket.server is not None and ticket.analysis is not None
    move(session, ticket, TicketEvent.DEPLOYMENT_STARTED, actor="system", at=house.clock())
    move(session, ticket, TicketEvent.DEPLOYED, actor="system", at=house.clock())
    opening = add_opening(
        session, ticket.ask, change_from_json(ticket.analysis["change"]), firewall=ticket.firewall,
        server=ticket.server, at=house.clock(),
    )  # fmt: skip
    hold_opening(session, opening, ticket, at=house.clock())
    tell_asker(session, house, ticket, "opening-open")


def _undone(house: House, firewall: FirewallPlan) -> None:
    """A change that was seen and undone while nobody watched."""
    state = approved_state(firewall)
    reading = tampered(state)
    with house.store.session() as session:
        row = firewall_named(session, firewall.name)
        parts = differing_parts(row.platform, state, reading)
        drift = describe(row.platform, state, reading, parts, server_names(session, row.client_id))
        case, _ = open_case(
            session, kind=CaseKind.DRIFT, clause="7.1.1", actor="system", at=house.clock(), firewall=row,
            facts={"parts": list(parts), "changed": drift.text},
            summary_fr="\n".join(drift.words[Language.FR]), summary_en="\n".join(drift.words[Language.EN]),
        )  # fmt: skip
        content = reading.to_json().encode()
        add_evidence(session, case, kind="reading", content=content, actor="system", at=house.clock())
        move_case(session, case, CaseEvent.RESTORE_STARTED, actor="system", at=house.clock())
        move_case(session, case, CaseEvent.RESTORED, actor="system", at=house.clock())
        tell_client(session, house, case, "drift-restored")


def _held(house: House, firewall: FirewallPlan) -> None:
    """A change on a firewall whose policy is to hold: the guard itself opens the case."""
    reading = tampered(approved_state(firewall))
    with house.store.session() as session:
        row = firewall_named(session, firewall.name)
        record_reading(session, row.id, reading, at=house.clock())
        baseline = current_baseline(session, row.id)
        assert baseline is not None
    parts = differing_parts(row.platform, baseline.snapshot, reading)
    with house.store.reading() as session:
        row = firewall_named(session, firewall.name)
        endpoint, since = house.endpoint(row), house.last_hand(session, row.id)
    with house.hand_on(row.id, since=since) as hand:
        restoring.on_drift(house, hand, row, endpoint, baseline, reading, parts, seen_at=house.clock())


def ask_to_approve(house: House, firewall: str, login: str) -> str:
    """Ask that a firewall be approved as it was read, and have it analysed; return its number."""
    with house.store.session() as session:
        number = ask_baseline(session, house, firewall, user=user_named(session, login)).number
    reviewing.look(number, house)
    return number
