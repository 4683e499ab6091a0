"""Asks and changes as plain data, and back: how tickets and openings keep them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.ports import parse_ports, show_ports
from fwguard.model.ticket import Ask
from fwguard.store.base import time_text


def ask_to_json(ask: Ask) -> dict[str, Any]:
    """Return an ask as plain data."""
    return {
        "server": ask.server,
        "protocol": ask.protocol,
        "source": list(ask.source.texts()),
        "ports": ports_text(ask.ports),
        "ends_at": time_text(ask.ends_at) if ask.ends_at else None,
        "reason": ask.reason,
    }


def ask_from_json(data: Mapping[str, Any]) -> Ask:
    """Read what `ask_to_json` wrote. Raises InputError when it holds no ask."""
    if "server" not in data:
        raise InputError("this ticket asks for no opening")
    return Ask(
        server=data["server"],
        protocol=data["protocol"],
        source=AddressSet.parse(*data["source"]),
        ports=ports_of(data["ports"]),
        ends_at=datetime.fromisoformat(data["ends_at"]) if data["ends_at"] else None,
        reason=data["reason"],
    )


def change_to_json(change: Change) -> dict[str, Any]:
    """Return a change as plain data."""
    return {
        "tag": change.tag,
        "remove": change.remove,
        "openings": [
            {
                "protocol": opening.protocol,
                "source": list(opening.source.texts()),
                "target": list(opening.target.texts()),
                "ports": ports_text(opening.ports),
            }
            for opening in change.openings
        ],
        "redirections": [
            {
                "protocol": it.protocol,
                "public": it.public,
                "public_port": it.public_port,
                "inner": it.inner,
                "inner_port": it.inner_port,
            }
            for it in change.redirections
        ],
    }


def change_from_json(data: Mapping[str, Any]) -> Change:
    """Read what `change_to_json` wrote."""
    return Change(
        tag=data["tag"],
        remove=data["remove"],
        openings=tuple(
            Opening(
                protocol=it["protocol"],
                source=AddressSet.parse(*it["source"]),
                target=AddressSet.parse(*it["target"]),
                ports=ports_of(it["ports"]),
            )
            for it in data["openings"]
        ),
        redirections=tuple(Redirection(**it) for it in data["redirections"]),
    )


def ports_text(ports: Intervals) -> str:
    """Write ports as people do; empty for none ("any" would read back as nothing else does)."""
    return (
        ",".join(f"{low}-{high}" for low, high in ports) if show_ports(ports) == "any" else show_ports(ports)
    )


def ports_of(text: str) -> Intervals:
    """Read what `ports_text` wrote."""
    return parse_ports(text) if text else Intervals()
