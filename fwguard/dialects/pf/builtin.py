"""The rules that the products add by themselves, before those of the user.

Left out is what is filled while it runs and only drops (addresses that sshguard, Snort, Suricata or a
connection limit locked out), and drops of what no connection ever is: of port 0, of IPv4 link-local. The
list of bogons is fetched; of it only the ranges that are reserved for good are named, and those as unknown.
Source: `filter_rules_generate` of pfSense, `filter_core_rules_system` of OPNsense; RFC 6890 and the IANA
special-purpose registries for the reserved ranges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.pf.bounds import Addresses
from fwguard.dialects.pf.icmp import icmp_list
from fwguard.dialects.pf.interfaces import Interface, Interfaces
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.tree import Node
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, InterfaceSet, Match, Rule
from fwguard.model.ports import ANY_PORT, ESP, ICMPV6, TCP, UDP

LINK_LOCAL_V6: Final = AddressSet.parse("fe80::/10")
MULTICAST_V6: Final = AddressSet.parse("ff02::/16")
PRIVATE: Final = ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
CGNAT: Final = "100.64.0.0/10"
BOGONS: Final = AddressSet.parse(
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "100.64.0.0/10",
) | (
    ANY_V6 - AddressSet.parse("2000::/3", "fe80::/10", "fc00::/7", "ff00::/8")
    | AddressSet.parse("2001:db8::/32", "3fff::/20", "2001::/40")
)  # fmt: skip
CARP: Final = 112


@dataclass(frozen=True, slots=True)
class Builtin:
    """One rule of the product; `inward` and `outward` say where it judges."""

    rule: Rule
    quick: bool = True
    inward: bool = True
    outward: bool = False


def _match(**fields: object) -> Match:
    return Match(**fields)  # type: ignore[arg-type]


def _rule(action: Action, match: Match, text: str, line: int = 0) -> Rule:
    return Rule(matches=(match,), action=action, line=line, text=text)


def _bounded(action: Action, addresses: Addresses, base: Match, text: str, line: int) -> Rule:
    """Return a rule for packets to addresses of which a part may be unknown."""
    matches = [replace(base, target=addresses.sure)] if addresses.sure else []
    if not addresses.is_exact:
        matches.append(replace(base, target=addresses.maybe, unknown=addresses.why))
    return Rule(matches=tuple(matches), action=action, line=line, text=text)


def builtin_rules(root: Node, interfaces: Interfaces, notes: Notes) -> Iterator[Builtin]:
    """Yield the rules in the order of pf; the default (deny in, allow out) is the chains' own."""
    yield from _ipv6(root)
    if root.has("hasync") or root.all("virtualip", "vip"):
        carp = _match(protocol=Intervals.single(CARP))
        yield Builtin(_rule(Action.ACCEPT, carp, "pass CARP"), outward=True)
    yield from _captive_portal(root, interfaces, notes)
    for interface in interfaces.by_name.values():
        if interface.is_enabled:
            yield from _of_interface(root, interface, interfaces, notes)
    loopback = _match(ingress=InterfaceSet.of("lo0"))
    yield Builtin(_rule(Action.ACCEPT, loopback, "pass loopback"), quick=notes.is_opnsense)
    yield from _anti_lockout(root, interfaces, notes)
    yield from _ipsec(root, notes)


def _ipv6(root: Node) -> Iterator[Builtin]:
    allowed = root.child("system", "ipv6allow")
    if allowed is None or allowed.text == "0":
        on = InterfaceSet.of("lo0")
        yield Builtin(
            _rule(Action.ACCEPT, _match(ingress=on, source=ANY_V6, target=ANY_V6), "pass IPv6 loopback")
        )
        every = _match(source=ANY_V6, target=ANY_V6)
        yield Builtin(_rule(Action.DROP, every, "block all IPv6: ipv6allow is not set"), outward=True)
        return
    protocol = Intervals.single(ICMPV6)

    def of_types(types: str, source: AddressSet, target: AddressSet) -> Rule:
        match = _match(source=source, target=target, protocol=protocol, dport=icmp_list(types, Family.V6))
        return _rule(Action.ACCEPT, match, "IPv6 requirements (ICMP)")

    yield Builtin(of_types("1,2,135,136", ANY_V6, ANY_V6), outward=True)
    near = LINK_LOCAL_V6 | MULTICAST_V6
    yield Builtin(of_types("129,133,134,135,136", LINK_LOCAL_V6, near), inward=False, outward=True)
    yield Builtin(of_types("128,133,134,135,136", LINK_LOCAL_V6, near))
    yield Builtin(of_types("128,133,134,135,136", MULTICAST_V6, LINK_LOCAL_V6))


def _of_interface(root: Node, one: Interface, interfaces: Interfaces, notes: Notes) -> Iterator[Builtin]:
    on = InterfaceSet.of(one.name)
    udp = Intervals.single(UDP)

    def client(sport: int, dport: int, text: str, *, quick: bool) -> Builtin:
        match = _match(ingress=on, protocol=udp, sport=Intervals.single(sport), dport=Intervals.single(dport))
        return Builtin(_rule(Action.ACCEPT, match, f"{text} on {one.name}", one.node.line), quick=quick)

    if one.node.value("ipaddrv6") in ("slaac", "dhcp6"):
        yield client(547, 546, "allow DHCPv6 client", quick=True)
    if one.node.says("blockbogons"):
        match = _match(ingress=on, source=BOGONS, unknown="the list of bogons is not in the file")
        yield Builtin(_rule(Action.DROP, match, f"block bogon networks from {one.name}", one.node.line))
    bridged = any(one.name in bridge.value("members").split(",") for bridge in root.all("bridges", "bridged"))
    if one.node.says("blockpriv") and not (bridged and not notes.is_opnsense):
        private = AddressSet.parse(*PRIVATE, *((CGNAT,) if notes.is_opnsense else ()))
        text = f"block private networks from {one.name}"
        yield Builtin(_rule(Action.DROP, _match(ingress=on, source=private), text, one.node.line))
    if one.node.value("ipaddr") == "dhcp":
        yield client(67, 68, "allow DHCP client", quick=False)
    elif root.has("dhcpd", one.name, "enable") or one.name in root.value("dhcrelay", "interface").split(","):
        own = interfaces.own(one.name) | Addresses.exactly(AddressSet.parse("255.255.255.255"))
        base = _match(
            ingress=on, source=ANY_V4, protocol=udp, sport=Intervals.single(68), dport=Intervals.single(67)
        )
        text = f"allow access to DHCP server on {one.name}"
        yield Builtin(_bounded(Action.ACCEPT, own.of_family(Family.V4), base, text, one.node.line))
    if root.has("dhcpdv6", one.name, "enable") or one.node.has("track6-interface"):
        for dport, target in ((546, LINK_LOCAL_V6 | MULTICAST_V6), (547, MULTICAST_V6)):
            match = _match(
                ingress=on, source=LINK_LOCAL_V6, target=target, protocol=udp, dport=Intervals.single(dport)
            )
            yield Builtin(
                _rule(Action.ACCEPT, match, f"allow access to DHCPv6 server on {one.name}", one.node.line)
            )


def _captive_portal(root: Node, interfaces: Interfaces, notes: Notes) -> Iterator[Builtin]:
    """Who has not logged in is stopped before the rules: nobody can say who has."""
    holder = root.child("captiveportal")
    zones = list(holder.children) if holder else []
    zones += root.all("OPNsense", "captiveportal", "zones", "zone")
    for zone in zones:
        names = [name for word in ("interface", "interfaces") for name in zone.value(word).split(",") if name]
        if not names or not (zone.has("enable") or zone.value("enabled") == "1"):
            continue
        why = notes.add(zone, "a captive portal lets in who has logged in")
        match = _match(ingress=InterfaceSet.of(*names), unknown=why)
        yield Builtin(_rule(Action.DROP, match, f"captive portal {zone.tag}", zone.line))


def _anti_lockout(root: Node, interfaces: Interfaces, notes: Notes) -> Iterator[Builtin]:
    node = root.child("system", "webgui")
    if node is None or node.says("noantilockout"):
        return
    name = "lan" if "lan" in interfaces.by_name else "wan" if list(interfaces.by_name) == ["wan"] else ""
    if not name or not interfaces.by_name[name].is_enabled:
        return
    ports = lockout_ports(root, notes)
    target = interfaces.all_own() if notes.is_opnsense else interfaces.own(name)
    base = _match(ingress=InterfaceSet.of(name), protocol=Intervals.single(TCP), dport=ports)
    yield Builtin(_bounded(Action.ACCEPT, target, base, f"anti-lockout rule on {name}", node.line))


def lockout_ports(root: Node, notes: Notes) -> Intervals:
    """Return the ports of the page and of SSH on the firewall itself."""
    secure = root.value("system", "webgui", "protocol") != "http"
    ports = [root.number("system", "webgui", "port") or (443 if secure else 80)]
    if secure and not root.says("system", "webgui", "disablehttpredirect"):
        ports.append(80)
    enabled = root.child("system", "ssh", "enabled" if notes.is_opnsense else "enable")
    if enabled is not None or root.has("system", "enablesshd"):
        ports.append(root.number("system", "ssh", "port") or 22)
    return Intervals.single(*(port for port in ports if port <= 65535))


def _ipsec(root: Node, notes: Notes) -> Iterator[Builtin]:
    """Peers may speak IKE and ESP to the firewall, unless that is turned off."""
    phases = [node for node in root.all("ipsec", "phase1") if not node.says("disabled")]
    if not phases or root.has("system", "disablevpnrules"):
        return
    why = "rules for IPsec peers"
    for protocol, ports in ((UDP, Intervals.single(500, 4500)), (ESP, ANY_PORT)):
        match = _match(protocol=Intervals.single(protocol), dport=ports, unknown=why)
        yield Builtin(_rule(Action.ACCEPT, match, why, phases[0].line), quick=False)
