"""The platform as the controller is told of it: `fwguard init --inventory FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fwguard.lab import mail_door
from fwguard.lab import plan as p
from fwguard.lab.people import DESK, OPERATOR_DOMAIN
from fwguard.lab.plan import FirewallPlan, Plan


def inventory(plan: Plan, *, key_file: Path, host_keys: Path) -> dict[str, Any]:
    """Return clients, firewalls, servers, people and mail, in the words of `model/inventory.py`.

    `host_keys` holds one file a firewall with its public host key, which is pinned.
    """
    return {
        "clients": [
            {
                "name": client.name,
                "title": client.title,
                "contacts": [
                    {"mail": c.mail, "name": c.name, "language": c.language} for c in client.contacts
                ],
            }
            for client in plan.clients
        ],
        "firewalls": [
            _firewall(firewall, key_file, (host_keys / firewall.name).read_text().strip())
            for firewall in plan.firewalls
        ],
        "servers": [
            {
                "name": server.name,
                "client": server.client,
                "firewall": server.firewall,
                "addresses": [server.address4, server.address6],
                "role": server.role,
            }
            for server in plan.servers
        ],
        "people": [
            {
                "login": person.login,
                "mail": person.mail,
                "name": person.name,
                "role": person.role,
                "client": person.client,
                "language": person.language,
                "password": person.password,
                "totp": person.totp,
            }
            for person in plan.people
        ],
        "mail": {
            "smtp_host": p.MAIL_MGMT4,
            "smtp_port": 25,
            "authserv_id": mail_door.AUTHSERV_ID,
            "desk_address": DESK,
            "mail_domain": OPERATOR_DOMAIN,
            "lmtp_host": p.CONTROLLER4,
            "lmtp_port": p.LMTP_PORT,
        },
    }


def _firewall(firewall: FirewallPlan, key_file: Path, host_key: str) -> dict[str, Any]:
    return {
        "name": firewall.name,
        "client": firewall.client,
        "platform": firewall.platform,
        "transport": firewall.transport,
        "address": firewall.mgmt4,
        "port": firewall.management_port,
        "username": "root",
        "public": [*firewall.public4, *firewall.public6],
        "on_drift": "restore",
        "host_key": host_key,
        "private_key": str(key_file),
    }


def write(plan: Plan, directory: Path) -> Path:
    """Write `inventory.yaml` into a run's directory, for its owner alone, and return its path."""
    target = directory / "inventory.yaml"
    found = inventory(plan, key_file=directory / "operator_ed25519", host_keys=directory / "host_keys")
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(found, sort_keys=False, allow_unicode=True))
    return target
