"""Who is behind which port, and what it may call itself: the elements of clause 4."""

from __future__ import annotations

from collections.abc import Mapping

from fwguard.compile.elements import PLAIN, Content, Held, Key
from fwguard.model.edge import EdgePort, EdgeState, Link, PortKind, Template
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.inventory import Role

Contents = dict[tuple[str, str], Content]


def put_places(contents: Contents, state: EdgeState) -> None:
    """Fill the sets that say where packets come from: identity, zones, dispatch, roles."""
    walled = walled_architectures(state)
    inet = _inet(contents)
    for name in state.uplinks:
        inet["uplinks"][(name,)] = Held(comment="uplink")
        inet["arriving"][(name,)] = Held(data="goto arrive_uplink")
        inet["new_from"][(name,)] = Held(data="goto from_uplink")
        inet["new_to"][(name,)] = Held(data="accept")
    mailing = {p.architecture for p in state.ports if p.is_started and _mails(p)}
    for port in state.ports:
        if port.link is Link.BRIDGED:
            if port.is_started:
                _identity(contents, "netdev", port)
            continue
        _routed(inet, port, is_outer(port, walled), mailing)
        if port.is_started:
            _identity(contents, "inet", port)
    _templates(inet, state, walled)
    for pair in state.controls.mail.ports:
        inet["mail_ports"][(pair,)] = Held(comment="7.4")
    for service in state.controls.registration.services:
        key = ((service.protocol, service.protocol), (service.first_port, service.last_port))
        inet["known_services"][key] = Held(comment=f"7.5 {service.kind}")


def _inet(contents: Contents) -> Mapping[str, Content]:
    return {name: content for (family, name), content in contents.items() if family == "inet"}


def _mails(port: EdgePort) -> bool:
    return port.kind is PortKind.SERVER and port.role is Role.MAIL


def _routed(inet: Mapping[str, Content], port: EdgePort, outer: bool, mailing: set[str]) -> None:
    """Where packets of a port go through our chains. A stopped port passes nothing."""
    name = port.interface
    note = Held(comment=f"4 port {port.number} {port.server}")
    inet["ports"][(name,)] = note
    if not port.is_started:
        inet["arriving"][(name,)] = Held(data="goto stopped", comment=note.comment)
        return
    inside = port.kind is PortKind.FIREWALL_IN
    arrives = "arrive_inside" if inside else "arrive_outer" if outer else "arrive_machine"
    inet["arriving"][(name,)] = Held(data=f"goto {arrives}")
    inet["zone_outside" if outer else "zone_inside"][(name,)] = Held(data=port.zone)
    inet["sent"][(name,)] = note
    inet["received"][(name,)] = note
    if inside:
        inet["new_from"][(name,)] = Held(data="goto from_inside")
        inet["inside_of_zone"][(port.zone, name)] = note
    elif not outer:
        inet["new_from"][(name,)] = Held(data="goto from_server")
        inet["inside_of_zone"][(port.zone, name)] = note
        inet["servers"][(name,)] = note
    else:
        chain = "from_outer" if port.kind is PortKind.FIREWALL_OUT else "from_lone_server"
        inet["new_from"][(name,)] = Held(data=f"goto {chain}")
        inet["new_to"][(name,)] = Held(data="goto to_outer")
        _public(inet, port)
    # A firewall hides who sends: its outside may send mail where a mail server stands behind it.
    if _mails(port) or (port.kind is PortKind.FIREWALL_OUT and port.architecture in mailing):
        inet["mail_senders"][(name,)] = Held(comment=f"7.4 {port.server}")


def _public(inet: Mapping[str, Content], port: EdgePort) -> None:
    for v, pairs in (("4", port.addresses.v4.pairs), ("6", port.addresses.v6.pairs)):
        for first, last in pairs:
            single = first == last
            key: Key = (first,) if single else ((first, last),)
            suffix = v if single else f"{v}_span"
            inet[f"public{suffix}"][key] = PLAIN
            inet[f"zone_of{suffix}"][key] = Held(data=port.zone)


def _identity(contents: Contents, family: str, port: EdgePort) -> None:
    name = port.interface
    note = Held(comment=f"4 port {port.number} {port.server}")

    def put(table: str, which: str, key: Key) -> None:
        contents[table, which][key] = note

    arp = "arp" if family == "inet" else "netdev"
    if arp == "arp":
        put("arp", "arp_ports", (name,))
    for mac in port.macs:
        put(family, "true_mac", (name, mac))
        put(family, "nd_ether", (name, mac))
        for first, last in port.addresses.v4.pairs:
            if first == last:
                put(family, "true4", (name, mac, first))
                put(arp, "arp_true", (name, mac, first))
            else:
                put(family, "true4_span", ((name, name), (mac, mac), (first, last)))
                put(arp, "arp_true_span", ((name, name), (mac, mac), (first, last)))
        for first, last in port.addresses.v6.pairs:
            if first == last:
                put(family, "true6", (name, mac, first))
            else:
                put(family, "true6_span", ((name, name), (mac, mac), (first, last)))
    for first, last in port.addresses.v6.pairs:
        if first == last:
            put(family, "nd_target", (name, first))
        else:
            put(family, "nd_target_span", ((name, name), (first, last)))


def _templates(inet: Mapping[str, Content], state: EdgeState, walled: frozenset[str]) -> None:
    known = {one.name: one for one in state.architectures}
    for port in state.ports:
        if not port.is_started or port.link is Link.BRIDGED or not is_outer(port, walled):
            continue
        architecture = known[port.architecture]
        name = port.interface
        if architecture.template is Template.RETRIEVAL:
            inet["retrieval"][(name,)] = Held(comment=f"13.2 {architecture.ticket}")
            continue
        if architecture.mode.value == "observe":
            inet["observed"][(name,)] = Held(comment=f"7.1.1 observe {architecture.ticket}")
        if architecture.template is Template.VPN:
            inet["vpn"][(name,)] = Held(comment=f"annex-3 {architecture.ticket}")
        if architecture.template is Template.DEVELOPMENT:
            note = Held(comment=f"annex-2 {architecture.ticket}")
            inet["development"][(name,)] = note
            for v, pairs in (
                ("4", architecture.own_sources.v4.pairs),
                ("6", architecture.own_sources.v6.pairs),
            ):
                for first, last in pairs:
                    inet[f"own_sources{v}"][((name, name), (first, last))] = note


def put_shares(contents: Contents, state: EdgeState) -> None:
    """Fill the maps from port to traffic class (clause 7.7)."""
    walled = walled_architectures(state)
    numbers = {share.client: share.number for share in state.shares}
    for port in state.ports:
        if port.is_started and port.link is Link.ROUTED and is_outer(port, walled):
            priority = 1 << 16 | numbers[port.client]
            held = Held(data=priority, comment=f"7.7 {port.client}")
            contents["inet", "class_up"][(port.interface,)] = held
            contents["inet", "class_down"][(port.interface,)] = held
