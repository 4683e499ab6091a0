"""Outbound NAT: by hand, by itself, both, or none. Source: `filter_nat_rules_generate`, `SNatRule`."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.pf.bounds import Addresses, union
from fwguard.dialects.pf.conditions import Conditions, Reader
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet, Match, NatKind, NatRule

BY_HAND: Final = frozenset({"advanced", "hybrid"})
BY_ITSELF: Final = frozenset({"", "automatic", "hybrid"})
MODES: Final = BY_HAND | BY_ITSELF | {"disabled"}
LOOPBACK: Final = "127.0.0.0/8"
PRIVATE: Final = AddressSet.parse("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


class Outbound:
    """Collects the rules that change sources."""

    def __init__(self, root: Node, reader: Reader) -> None:
        self.root = root
        self.reader = reader
        self.rules: list[NatRule] = []

    def read(self) -> None:
        """Read the mode and what it asks for."""
        mode = self.root.value("nat", "outbound", "mode").lower()
        if mode not in MODES:
            node = self.root.child("nat", "outbound", "mode") or self.root
            unknown = self.reader.notes.add(node, "a mode of outbound NAT that is not known")
            self.rules.append(NatRule(kind=NatKind.SNAT, matches=(Match(unknown=unknown),), line=node.line))
        new = self.root.all("OPNsense", "Firewall", "Filter", "snatrules", "rule")
        for node in sorted(new, key=lambda one: one.number("sequence")):
            if not self.reader.is_off(node):
                self._rule(node, listed=True)
        if mode in BY_HAND:
            for node in self.root.all("nat", "outbound", "rule"):
                if not self.reader.is_off(node):
                    self._rule(node, listed=False)
        if mode in BY_ITSELF:
            self._automatic()

    def _rule(self, node: Node, *, listed: bool) -> None:
        into = Conditions()
        self.reader.interface_set(node, [word for word in node.value("interface").split(",") if word], into)
        self.reader.family(node, into)
        if not node.value("ipprotocol"):
            into.families = Family.BOTH
        self.reader.protocol(node, into)
        if listed:
            into.source = _negated(
                self.reader.aliases.word(node.value("source_net")), node.says("source_not")
            )
            into.target = _negated(
                self.reader.aliases.word(node.value("destination_net")), node.says("destination_not")
            )
            sport, dport = node.value("source_port"), node.value("destination_port")
        else:
            into.source = self.reader.legacy_side(node, "source", into)
            into.target = self.reader.legacy_side(node, "destination", into)
            sport, dport = node.value("sourceport"), node.value("dstport")
        into.sport = self.reader.ports(node, sport, into)
        into.dport = self.reader.ports(node, dport, into)
        self.reader.doubt_disabled(node, into)
        if node.value("tagged"):
            into.unknown.append(f"tagged {node.value('tagged')[:60]}")
        kind, to, ports = NatKind.MASQUERADE, AddressSet(), Intervals()
        if node.says("nonat"):
            kind = NatKind.EXEMPT
        elif target := self._target(node):
            kind, to = NatKind.SNAT, target.sure
            if not target.is_exact:
                into.unknown.append(target.why)
        port = node.value("natport") or node.value("target_port")
        if port and kind is not NatKind.EXEMPT:
            try:
                ports = self.reader.aliases.ports(port).sure
            except InputError as error:
                into.unknown.append(self.reader.notes.add(node, str(error)))
        self._add(kind, into.matches(out=True), node, to, ports)

    def _target(self, node: Node) -> Addresses | None:
        """Return the addresses that sources get; None for those of the interface."""
        text = node.value("target")
        if text == "other-subnet":
            text = f"{node.value('targetip')}/{node.value('targetip_subnet') or 32}"
        if not text or text.lower() == "interface address":
            return None
        found = self.reader.aliases.word(text)
        if found.missing:
            self.reader.notes.add(node, found.why)
        return found

    def _automatic(self) -> None:
        """Everything inside gets the address of the interface that leads outside, in IPv4."""
        interfaces, aliases = self.reader.interfaces, self.reader.aliases
        parts = [Addresses.exactly(AddressSet.parse(LOOPBACK))]
        for name, one in interfaces.by_name.items():
            if one.is_enabled and not one.has_gateway(Family.V4):
                parts.append(interfaces.network(name))
        for kind in ("openvpn-server", "openvpn-client"):
            for node in self.root.all("openvpn", kind):
                if node.value("tunnel_network") and not node.says("disable"):
                    parts.append(aliases.word(node.value("tunnel_network")))
        for node in self.root.all("staticroutes", "route"):
            if not self.reader.notes.is_opnsense and node.value("network") and not node.says("disabled"):
                parts.append(aliases.word(node.value("network")).within(PRIVATE))
        inside = union(parts).of_family(Family.V4)
        mode = self.root.child("nat", "outbound", "mode") or self.root.child("nat") or self.root
        for name in interfaces.outside():
            one = interfaces.by_name[name]
            if one.node.value("if").startswith("ovpn") or not one.has_gateway(Family.V4):
                continue
            into = Conditions(source=inside, target=Addresses.exactly(ANY_V4))
            into.interfaces = InterfaceSet.of(name)
            kind = NatKind.EXEMPT if one.node.has("nonat") else NatKind.MASQUERADE
            self._add(kind, into.matches(out=True), mode, AddressSet(), Intervals(), f"automatic on {name}")

    def _add(
        self,
        kind: NatKind,
        matches: tuple[Match, ...],
        node: Node,
        to: AddressSet,
        ports: Intervals,
        text: str = "",
    ) -> None:
        if matches:
            comment = node.value("descr") or node.value("description")
            self.rules.append(
                NatRule(
                    kind=kind, matches=matches, to=to, to_ports=ports, line=node.line,
                    text=text or node.words(), comment=comment,
                )
            )  # fmt: skip


def _negated(addresses: Addresses, negated: bool) -> Addresses:
    return addresses.negated() if negated else addresses
