"""NAT rules: one list, the first match decides about source and destination together.

The security rules see a connection as it came, before any of this. The model puts destination NAT before
the filter; so that nothing is judged with an address that PAN-OS does not look at, every NAT rule here
matches packets of connections that are established already (`states`): those the filter has let in. The
zone `to` of a rule is the one that leads to the original destination. Source: PAN-OS Networking
Administrator's Guide, "NAT Policy Rules", "Destination NAT".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, ALL_SERVICES, Addresses, join, matches
from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import ANY, Base, Firewall
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import CtState, Match, NatKind, NatRule
from fwguard.model.ports import parse_ports

SILENT: Final = frozenset(
    {"from", "to", "to-interface", "source", "destination", "service", "nat-type", "source-translation",
     "destination-translation", "dynamic-destination-translation", "disabled", "description", "tag", "group-tag",
     "active-active-device-binding", "target", "uuid", "loc"}
)  # fmt: skip
FOUND_ESTABLISHED: Final = frozenset({CtState.ESTABLISHED})


def nat_rules(firewall: Firewall, notes: Notes) -> tuple[NatRule, ...]:
    """Return destination NAT, then source NAT, each in the order of the rules."""
    before: list[NatRule] = []
    after: list[NatRule] = []
    for base in firewall.bases:
        for node in base.rules("nat"):
            for rule in _read(firewall, base, node, notes):
                (after if rule.kind in (NatKind.SNAT, NatKind.MASQUERADE) else before).append(rule)
    return (*before, *after)


def _read(firewall: Firewall, base: Base, node: Node, notes: Notes) -> Iterator[NatRule]:
    whys = [
        notes.node(child, "not understood in a NAT rule")
        for child in node.children.values()
        if child.word not in SILENT
    ]
    for word in ("active-active-device-binding", "to-interface"):
        if node.value(word) not in ("", "any", "both"):
            whys.append(f"{word} {node.value(word)}"[:80])
    if node.words("target", "devices"):
        whys.append("only on some devices")
    source, target = (_addresses(base, node, word) for word in ("source", "destination"))
    service = node.at("service", node.value("service")) if node.value("service") else None
    services = base.objects.service(service) if service is not None else ALL_SERVICES
    start, end = (firewall.zone_set(node.words(word) or [ANY]) for word in ("from", "to"))
    found = matches([(start, end)], source, target, services, join(*whys))
    done = [replace(match, states=FOUND_ESTABLISHED) for match in found]
    for kind, to, ports, reverse in _translations(base, node, notes):
        yield NatRule(
            kind=kind, matches=tuple(_reversed(done, to) if reverse else done),
            to=source.sure if reverse else to, to_ports=ports, line=node.line,
            text=f"{base.where} nat rule {node.text()}"[:400], comment=node.value("description"),
        )  # fmt: skip


def _addresses(base: Base, node: Node, word: str) -> Addresses:
    members = node.below(word)
    return base.objects.addresses(members) if members else ALL_ADDRESSES


def _reversed(found: list[Match], to: AddressSet) -> Iterator[Match]:
    """A bi-directional rule also sends what comes for the public address to the inner one."""
    for match in found:
        yield Match(target=to, states=match.states, unknown=match.unknown)


Translation = tuple[NatKind, AddressSet, Intervals, bool]


def _translations(base: Base, node: Node, notes: Notes) -> Iterator[Translation]:
    if node.value("nat-type") in ("nat64", "nptv6"):
        notes.node(node, f"nat-type {node.value('nat-type')}")
        yield NatKind.UNKNOWN, AddressSet(), Intervals(), False
        return
    target = node.at("destination-translation") or node.at("dynamic-destination-translation")
    source = node.at("source-translation")
    if target is not None:
        try:
            port, address = target.value("translated-port"), target.value("translated-address")
            to = _pool(base, [one for one in target.below("translated-address") if one.word == address])
            yield NatKind.DNAT, to, parse_ports(port) if port else Intervals(), False
        except InputError as error:
            notes.node(node, str(error)[:200])
            yield NatKind.UNKNOWN, AddressSet(), Intervals(), False
    for kind in source.children.values() if source is not None else ():
        yield from _source(base, node, kind, notes)
    if target is None and source is None:
        yield NatKind.EXEMPT, AddressSet(), Intervals(), False


def _source(base: Base, node: Node, kind: Node, notes: Notes) -> Iterator[Translation]:
    if kind.word not in ("dynamic-ip-and-port", "dynamic-ip", "static-ip"):
        notes.node(kind, "not understood as a translation")
        return
    if "interface-address" in kind.children:
        yield NatKind.MASQUERADE, AddressSet(), Intervals(), False
        return
    try:
        to = _pool(base, kind.below("translated-address"))
    except InputError as error:
        notes.node(node, str(error)[:200])
        to = AddressSet()
    yield NatKind.SNAT, to, Intervals(), False
    if kind.word == "static-ip" and kind.value("bi-directional") == "yes":
        yield NatKind.DNAT, to, Intervals(), True


def _pool(base: Base, members: list[Node]) -> AddressSet:
    found = base.objects.addresses(members)
    if found.why or not found.sure:
        raise InputError(
            f"translated to {', '.join(one.word for one in members)[:80] or 'nothing'}: {found.why}"
        )
    return found.sure
