"""RFC 8512 address translation: static mappings, destination pools, source pools, NPTv6, pass-through."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.rfc8519.names import NAT, NO_DIFFERENCE
from fwguard.dialects.rfc8519.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet, Match, NatKind, NatRule, Unread
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

_BEFORE_FILTER: Final = (NatKind.EXEMPT, NatKind.DNAT, NatKind.STATIC, NatKind.UNKNOWN)
_POLICY_LEAVES: Final = frozenset(
    {
        "id", "external-ip-address-pool", "subscriber-match", "transport-protocols", "external-realm",
        "dst-ip-address-pool", "nptv6-prefixes", "dst-nat-enable",
    }
)  # fmt: skip


class NatReader:
    """Reads `nat` into `rules` (destination kinds first, each kind in order) and `unread`.

    A static mapping with ports is a redirection: what comes for the external source goes to the internal
    one (RFC 8512 section 2.8). One without ports, and NPTv6, translate both ways (`STATIC`: the match is
    the outer side, `to` the inner). A pool is source NAT out of the external interface; without a pool the
    interface's own address is used. What the model cannot say is a rule of kind UNKNOWN, and unread.
    """

    def __init__(self) -> None:
        self.rules: tuple[NatRule, ...] = ()
        self.unread: list[Unread] = []

    def read(self, nat: Node) -> None:
        """Read the whole subtree."""
        found: list[NatRule] = []
        for instances in nat.children:
            if instances.module != NAT or instances.name != "instances":
                found.append(self._unknown(instances, "not known under nat"))
                continue
            for instance in sorted(instances.children, key=_index):
                if instance.module != NAT or instance.name != "instance":
                    found.append(self._unknown(instance, "not known under instances"))
                elif instance.value("enable") != "false":
                    found += self._instance(instance)
        before = [rule for rule in found if rule.kind in _BEFORE_FILTER]
        self.rules = (*before, *(rule for rule in found if rule.kind not in _BEFORE_FILTER))

    def _unknown(self, node: Node, why: str) -> NatRule:
        self.unread.append(Unread(line=node.line, text=node.words(), why=why))
        return NatRule(
            kind=NatKind.UNKNOWN, matches=(Match(unknown=node.words()),), line=node.line, text=node.words()
        )

    def _instance(self, instance: Node) -> list[NatRule]:
        rules: list[NatRule] = []
        name = instance.value("name")
        for child in instance.children:
            try:
                if child.module != NAT:
                    raise InputError("not of this module")
                if child.name in ("id", "name", "enable", "type"):
                    continue
                if child.name == "nat-pass-through":
                    rules.append(_pass_through(child, name))
                elif child.name == "policy":
                    rules += self._policy(child, name)
                elif child.name == "mapping-table":
                    rules += self._mappings(child, name)
                elif (child.module, child.name) not in NO_DIFFERENCE:
                    raise InputError("not known under instance")
            except InputError as error:
                rules.append(self._unknown(child, str(error)))
        return rules

    def _mappings(self, table: Node, name: str) -> list[NatRule]:
        rules = []
        for entry in sorted(table.children, key=_index):
            try:
                rules.append(_mapping(entry, name))
            except InputError as error:
                rules.append(self._unknown(entry, str(error)))
        return rules

    def _policy(self, policy: Node, name: str) -> list[NatRule]:
        rules = []
        for node in policy.children:
            if node.module != NAT or node.name not in _POLICY_LEAVES:
                rules.append(self._unknown(node, "not known under policy"))
        egress = _egress(policy)
        sources = AddressSet.parse(*(m.value("subnet") for m in policy.all("subscriber-match"))) or None
        protocol = Intervals.single(
            *(_number(t, "protocol-id", 255) for t in policy.all("transport-protocols"))
        )
        protocol = protocol or ANY_PROTOCOL
        for inward in policy.all("dst-ip-address-pool"):
            rules.append(
                NatRule(
                    kind=NatKind.DNAT,
                    matches=(Match(target=_address(inward, "dst-in-ip-pool"), protocol=protocol),),
                    to=_address(inward, "dst-out-ip-pool"),
                    line=inward.line, text=inward.words(), comment=name,
                )
            )  # fmt: skip
        for pair in policy.all("nptv6-prefixes"):
            rules.append(
                NatRule(
                    kind=NatKind.STATIC, matches=(Match(target=_address(pair, "external-ipv6-prefix")),),
                    to=_address(pair, "internal-ipv6-prefix"),
                    line=pair.line, text=pair.words(), comment=name,
                )
            )  # fmt: skip
        pools = [_address(pool, "external-ip-pool") for pool in policy.all("external-ip-address-pool")]
        if pools or (egress and not rules):
            match = Match(egress=egress or InterfaceSet(), protocol=protocol)
            if sources:
                match = Match(egress=match.egress, source=sources, protocol=protocol)
            to = AddressSet()
            for pool in pools:
                to |= pool
            rules.append(
                NatRule(
                    kind=NatKind.SNAT if pools else NatKind.MASQUERADE, matches=(match,), to=to,
                    line=policy.line, text=policy.words(), comment=name,
                )
            )  # fmt: skip
        return rules


def _mapping(entry: Node, name: str) -> NatRule:
    known = {
        "index", "type", "transport-protocol", "internal-src-address", "internal-src-port",
        "external-src-address", "external-src-port",
    }  # fmt: skip
    strange = [child.name for child in entry.children if child.module != NAT or child.name not in known]
    if entry.name != "mapping-entry" or strange:
        raise InputError("a mapping that is not of sources alone" + "".join(f", {one}" for one in strange))
    if entry.value("type") not in ("", "static"):
        raise InputError("a mapping that traffic made")
    outer, inner = _address(entry, "external-src-address"), _address(entry, "internal-src-address")
    protocol = ANY_PROTOCOL
    if entry.child("transport-protocol"):
        protocol = Intervals.single(_number(entry, "transport-protocol", 255))
    outer_ports, inner_ports = (
        _port_range(entry, "external-src-port"),
        _port_range(entry, "internal-src-port"),
    )
    return NatRule(
        kind=NatKind.DNAT if outer_ports else NatKind.STATIC,
        matches=(Match(target=outer, protocol=protocol, dport=outer_ports or ANY_PORT),),
        to=inner, to_ports=inner_ports if inner_ports != outer_ports else Intervals(),
        line=entry.line, text=entry.words(), comment=name,
    )  # fmt: skip


def _pass_through(node: Node, name: str) -> NatRule:
    port = Intervals.single(_number(node, "port", 65535)) if node.child("port") else ANY_PORT
    match = Match(target=_address(node, "prefix"), dport=port)
    return NatRule(kind=NatKind.EXEMPT, matches=(match,), line=node.line, text=node.words(), comment=name)


def _egress(policy: Node) -> InterfaceSet | None:
    interface = policy.value("external-realm", "external-interface")
    return InterfaceSet.of(interface) if interface else None


def _address(node: Node, leaf: str) -> AddressSet:
    return AddressSet.parse(node.value(leaf))


def _port_range(node: Node, container: str) -> Intervals:
    ports = node.child(container)
    if ports is None or not ports.children:
        return Intervals()
    start = _number(ports, "start-port-number", 65535)
    end = _number(ports, "end-port-number", 65535) if ports.child("end-port-number") else start
    return Intervals.of((start, end))


def _number(node: Node, leaf: str, most: int) -> int:
    text = node.value(leaf)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9) or int(text) > most:
        raise InputError(f"{leaf} {text!r}", expected=f"0 to {most}")
    return int(text)


def _index(node: Node) -> int:
    """Order by the list's own number: the order of entries means nothing to the server."""
    text = node.value("id") or node.value("index")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else 0
