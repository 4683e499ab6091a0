"""Traffic to the device itself: host-inbound-traffic of zones and interfaces, then policies to junos-host.

What an interface says replaces what its zone says. Policies from or to zone junos-host judge besides; a
zone without any of them is not judged there. Source: Junos Security User Guide, "Controlling Inbound
Traffic Based on Traffic Types", "Security Policies for Self-Traffic".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, Services, join, matches, unknown_services
from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos.policies import HOST, Policies
from fwguard.dialects.junos.predefined import ROUTING_PROTOCOLS, SYSTEM_SERVICES
from fwguard.dialects.junos.zones import Zones
from fwguard.dialects.service_words import services_of
from fwguard.dialects.unread import Notes
from fwguard.model.address import Family
from fwguard.model.policy import ANY_INTERFACE, Action, Chain, InterfaceSet, Match, Rule

KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "system-services": SYSTEM_SERVICES, "protocols": ROUTING_PROTOCOLS,
}  # fmt: skip
# Ports of the routing engine that no zone guards.
MANAGEMENT_PORTS: Final = ("fxp0", "em0", "em1", "me0", "vme")
ALL_BUT: Final = "all but "
Said = dict[tuple[str, str], Node]  # (kind, service) -> the statement


def host_chain(root: Node, zones: Zones, notes: Notes) -> Chain:
    """Return what may reach the device by its zones."""
    rules: list[Rule] = []
    statements = root.below("security", "zones", "security-zone")
    management = root.at("security", "zones", "functional-zone", "management")
    for zone in [*statements, *([management] if management is not None else [])]:
        rules += _of_zone(zone, notes)
    for physical in root.below("interfaces"):
        if physical.word in MANAGEMENT_PORTS:
            names = [physical.word, *(f"{physical.word}.{unit.word}" for unit in physical.below("unit"))]
            rules.append(
                Rule(
                    matches=(
                        Match(ingress=InterfaceSet.of(*names), unknown="what the routing engine listens to"),
                    ),
                    action=Action.ACCEPT, line=physical.line, text=f"interfaces {physical.word}",
                )
            )  # fmt: skip
    return Chain(name="host-inbound-traffic", families=Family.BOTH, rules=tuple(rules), default=Action.DROP)


def _of_zone(zone: Node, notes: Notes) -> list[Rule]:
    """One rule for each service that the zone, or any of its interfaces, accepts."""
    general = _said(zone, notes)
    interfaces = zone.below("interfaces")
    special = {
        node.word: _said(node, notes) for node in interfaces if node.at("host-inbound-traffic") is not None
    }
    effective = [special.get(node.word, general) for node in interfaces] or [general]
    rules = []
    every: Said = {}
    for said in [general, *special.values()]:
        for key, node in said.items():
            every.setdefault(key, node)
    for key, node in every.items():
        holders = [said for said in effective if key in said]
        if not holders:
            continue
        where = "" if len(holders) == len(effective) else "only on some interfaces of the zone"
        services = _services(key, notes, node)
        rules.append(
            Rule(
                matches=matches(
                    [(InterfaceSet.of(zone.word), ANY_INTERFACE)], ALL_ADDRESSES, ALL_ADDRESSES, services,
                    where,
                ),
                action=Action.ACCEPT, line=node.line,
                text=f"zone {zone.word} host-inbound-traffic {key[0]} {key[1]}",
            )
        )  # fmt: skip
    return rules


def _said(node: Node, notes: Notes) -> Said:
    said: Said = {}
    for kind in node.below("host-inbound-traffic"):
        if kind.word not in KINDS:
            notes.node(kind, "not understood in host-inbound-traffic")
            continue
        excepted = sorted(node.word for node in kind.children.values() if "except" in node.children)
        for service in kind.children.values():
            if "except" in service.children:
                continue
            but = f"{ALL_BUT}{','.join(excepted)}" if service.word == "all" and excepted else service.word
            said[(kind.word, but)] = service
    return said


def _services(key: tuple[str, str], notes: Notes, node: Node) -> Services:
    kind, name = key
    table = KINDS[kind]
    if name == "all" or name.startswith(ALL_BUT):
        excepted = name.removeprefix(ALL_BUT).split(",")
        found = Services()
        for word, ports in table.items():
            if word not in excepted and word != "any-service":
                found |= services_of(ports, word)
        return found
    if name not in table:
        return unknown_services(notes.node(node, f"{kind} {name[:60]} is not known"))
    return services_of(table[name], name)


def self_chain(policies: Policies, *, to_host: bool) -> Chain | None:
    """Return the policies to (or from) zone junos-host, None where there are none."""
    default, line = policies.default
    rules: list[Rule] = []
    zones: dict[str, None] = {}
    for entry in policies.entries:
        if (entry.to_zone if to_host else entry.from_zone) != HOST:
            continue
        other = entry.from_zone if to_host else entry.to_zone
        zones[other] = None
        rules.append(_alone(entry.rule, to_host))
    if not rules:
        return None
    sets = InterfaceSet.of(*zones)
    match = Match(ingress=sets) if to_host else Match(egress=sets)
    rules.append(Rule(matches=(match,), action=default, line=line, text="default-policy"))
    name = f"to-zone {HOST}" if to_host else f"from-zone {HOST}"
    return Chain(name=name, families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)


def _alone(rule: Rule, to_host: bool) -> Rule:
    """The device itself is no zone that a packet comes in or goes out by."""
    return Rule(
        matches=tuple(
            Match(
                ingress=match.ingress if to_host else ANY_INTERFACE,
                egress=ANY_INTERFACE if to_host else match.egress,
                source=match.source, target=match.target, protocol=match.protocol, sport=match.sport,
                dport=match.dport, states=match.states, unknown=join(match.unknown),
            )
            for match in rule.matches
        ),
        action=rule.action, line=rule.line, text=rule.text, comment=rule.comment,
    )  # fmt: skip
