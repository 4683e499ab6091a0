"""Who is behind which port, and what it may call itself: the elements of clause 4."""

from __future__ import annotations

from collections.abc import Mapping

from fwguard.compile.elements import Content, Held, Key, parted
from fwguard.model.controls import Mode
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, Link, PortKind, Template
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.inventory import Role

Contents = dict[tuple[str, str], Content]


def put_places(contents: Contents, state: EdgeState) -> None:
    """Fill the sets that say where packets come from: identity, zones, dispatch, roles."""
    walled = walled_architectures(state)
    inet = _inet(contents)
    for name in state.uplinks:
        inet["arriving"][(name,)] = Held(data="goto arrive_uplink", comment="uplink")
        inet["sent_by"][(name,)] = Held(data="goto from_uplink", comment="uplink")
        inet["new_to"][(name,)] = Held(data="accept", comment="uplink")
    mailing = {p.architecture for p in state.ports if p.is_started and _mails(p)}
    architectures = {one.name: one for one in state.architectures}
    for port in state.ports:
        if port.link is Link.BRIDGED:
            if port.is_started:
                _identity(contents, "netdev", port)
            continue
        architecture = architectures[port.architecture]
        _routed(inet, port, architecture if is_outer(port, walled) else None, mailing)
        if port.is_started:
            _identity(contents, "inet", port)
    for number in state.controls.mail.ports:
        inet["mail_ports"][(number,)] = Held(comment="7.4")
    for service in state.controls.registration.services:
        key = ((service.protocol, service.protocol), (service.first_port, service.last_port))
        inet["known_services"][key] = Held(comment=f"7.5 {service.kind}")


def _inet(contents: Contents) -> Mapping[str, Content]:
    return {name: content for (family, name), content in contents.items() if family == "inet"}


def _mails(port: EdgePort) -> bool:
    return port.kind is PortKind.SERVER and port.role is Role.MAIL


def _routed(
    inet: Mapping[str, Content], port: EdgePort, outer: EdgeArchitecture | None, mailing: set[str]
) -> None:
    """Where packets of a port go through our chains; `outer` is its architecture where it faces outside.

    A stopped port passes nothing.
    """
    name = port.interface
    note = Held(comment=f"4 port {port.number} {port.server}")
    inet["ports"][(name,)] = note
    if not port.is_started:
        inet["arriving"][(name,)] = note._replace(data="goto stopped")
        return
    if outer is not None:
        inet["arriving"][(name,)] = note._replace(data="goto arrive_outer")
        inet["zone_outside"][(name,)] = note._replace(data=port.zone)
        _public(inet, port)
        _template(inet, port, outer)
    else:
        inet["zone_inside"][(name,)] = note._replace(data=port.zone)
        inet["inside_of_zone"][(port.zone, name)] = note
        if port.kind is PortKind.FIREWALL_IN:
            inet["arriving"][(name,)] = note._replace(data="goto arrive_inside")
            inet["sent_by"][(name,)] = note._replace(data="goto from_inside")
        else:
            # A plain set, though a map of verdicts would be one look-up less: whenever one element of such a map
            # comes, the kernel follows all the others again (nf_tables_api.c, nft_table_validate).
            inet["servers"][(name,)] = note
    # A firewall hides who sends: its outside may send mail where a mail server stands behind it.
    if _mails(port) or (port.kind is PortKind.FIREWALL_OUT and port.architecture in mailing):
        inet["mail_senders"][(name,)] = Held(comment=f"7.4 {port.server}")


def _template(inet: Mapping[str, Content], port: EdgePort, architecture: EdgeArchitecture) -> None:
    """What its architecture is decides which chains judge what begins at an outer port."""
    name, template, ticket = port.interface, architecture.template, architecture.ticket
    lone = port.kind is PortKind.SERVER
    away = "from_lone_server" if lone else "from_outer"
    if template is Template.RETRIEVAL:
        note = Held(comment=f"13.2 {ticket}")
        inet["sent_by"][(name,)] = note._replace(data="goto from_leaving")
        inet["new_to"][(name,)] = note._replace(data="goto to_leaving")
        return
    if architecture.mode is Mode.OBSERVE:
        inet["observed"][(name,)] = Held(comment=f"7.1.1 observe {ticket}")
    back = "to_outer"
    clause = "7.1.1"
    if template is Template.VPN:
        away, back, clause = f"{away}_vpn", "to_vpn", "annex-3"
    elif template is Template.DEVELOPMENT:
        back, clause = "to_development", "annex-2"
        for v, pairs in (("4", architecture.own_sources.v4.pairs), ("6", architecture.own_sources.v6.pairs)):
            for first, last in pairs:
                inet[f"own_sources{v}"][((name, name), (first, last))] = Held(comment=f"annex-2 {ticket}")
    inet["sent_by"][(name,)] = Held(data=f"goto {away}", comment=f"{clause} {ticket}")
    inet["new_to"][(name,)] = Held(data=f"goto {back}", comment=f"{clause} {ticket}")


def _public(inet: Mapping[str, Content], port: EdgePort) -> None:
    note = Held(comment=f"4 port {port.number} {port.server}")
    for v, pairs in (("4", parted(port.addresses.v4.pairs)), ("6", parted(port.addresses.v6.pairs))):
        for first, last in pairs:
            single = first == last
            key: Key = (first,) if single else ((first, last),)
            suffix = v if single else f"{v}_span"
            inet[f"public{suffix}"][key] = note
            inet[f"zone_of{suffix}"][key] = note._replace(data=port.zone)


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
        for first, last in parted(port.addresses.v4.pairs):
            if first == last:
                put(family, "true4", (name, mac, first))
                put(arp, "arp_true", (name, mac, first))
            else:
                put(family, "true4_span", ((name, name), (mac, mac), (first, last)))
                put(arp, "arp_true_span", ((name, name), (mac, mac), (first, last)))
        for first, last in parted(port.addresses.v6.pairs):
            if first == last:
                put(family, "true6", (name, mac, first))
            else:
                put(family, "true6_span", ((name, name), (mac, mac), (first, last)))
    for first, last in parted(port.addresses.v6.pairs):
        if first == last:
            put(family, "nd_target", (name, first))
        else:
            put(family, "nd_target_span", ((name, name), (first, last)))


def put_shares(contents: Contents, state: EdgeState) -> None:
    """Fill the maps from port to traffic class (clause 7.7), which also count every routed port's traffic.

    Only outer ports have a class: inside, what a client does to itself is no one's concern.
    """
    walled = walled_architectures(state)
    numbers = {share.client: share.number for share in state.shares}
    for port in state.ports:
        if port.is_started and port.link is Link.ROUTED:
            priority = 1 << 16 | numbers[port.client] if is_outer(port, walled) else 0
            held = Held(data=priority, comment=f"7.7 {port.client} {port.server}")
            contents["inet", "class_up"][(port.interface,)] = held
            contents["inet", "class_down"][(port.interface,)] = held
