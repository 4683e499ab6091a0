"""RFC 8512 NAT of a lab firewall as nft chains. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from lxml import etree

from fwguard.lab.netconf_xml import all_of, child, leaf_text

Mappings = frozenset[tuple[str, str, str]]
_PROTOCOLS: Final = {"6": "tcp", "17": "udp", "132": "sctp"}
_INTERFACE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")


def nat_chains(nat: etree._Element | None) -> tuple[dict[str, list[str]], Mappings, list[str]]:
    """Return the two NAT chains, the redirections as (protocol, address, port), and what was skipped."""
    before = ["type nat hook prerouting priority dstnat; policy accept;"]
    after = ["type nat hook postrouting priority srcnat; policy accept;"]
    mappings: set[tuple[str, str, str]] = set()
    skipped: list[str] = []
    instances = sorted(all_of(child(nat, "instances"), "instance"), key=lambda one: _number(one, "id"))
    for instance in instances:
        if leaf_text(instance, "enable") == "false":
            continue
        try:
            for node in all_of(instance, "nat-pass-through"):
                before.append(_pass_through(node))
            for entry in sorted(all_of(child(instance, "mapping-table"), "mapping-entry"),
                                key=lambda one: _number(one, "index")):  # fmt: skip
                _mapping(entry, before, after, mappings)
            for policy in all_of(instance, "policy"):
                _policy(policy, before, after)
        except ValueError as error:
            skipped.append(f"nat instance {leaf_text(instance, 'id')}: {error}")
    return {"nat_before": before, "nat_after": after}, frozenset(mappings), skipped


def _number(node: etree._Element, name: str) -> int:
    text = leaf_text(node, name)
    return int(text) if text.isdecimal() else 0


def _prefix(node: etree._Element, name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(leaf_text(node, name), strict=False)


def _word(prefix: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return "ip" if prefix.version == 4 else "ip6"


def _ports(node: etree._Element | None) -> tuple[int, int] | None:
    start = leaf_text(node, "start-port-number")
    if not start:
        return None
    end = leaf_text(node, "end-port-number") or start
    return int(start), int(end)


def _said(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def _pass_through(node: etree._Element) -> str:
    prefix = _prefix(node, "prefix")
    port = leaf_text(node, "port")
    return f"{_word(prefix)} daddr {prefix} {f'th dport {int(port)} ' if port else ''}accept"


def _mapping(
    entry: etree._Element, before: list[str], after: list[str], mappings: set[tuple[str, str, str]]
) -> None:
    if child(entry, "internal-dst-address") is not None or child(entry, "external-dst-address") is not None:
        raise ValueError("twice NAT")
    outer, inner = _prefix(entry, "external-src-address"), _prefix(entry, "internal-src-address")
    if outer.version != inner.version or outer.num_addresses != inner.num_addresses:
        raise ValueError(f"{inner} is mapped to {outer}")
    word, number = _word(outer), leaf_text(entry, "transport-protocol")
    condition = f"meta l4proto {int(number)} " if number else ""
    outer_ports, inner_ports = (
        _ports(child(entry, "external-src-port")),
        _ports(child(entry, "internal-src-port")),
    )
    if outer_ports is None:
        before.append(f"{condition}{_both_ways('dnat', 'daddr', outer, inner)}")
        after.append(f"{condition}{_both_ways('snat', 'saddr', inner, outer)}")
        return
    if outer.num_addresses != 1:
        raise ValueError(f"ports of the prefix {outer}")
    condition = condition or "meta l4proto { tcp, udp } "
    to = f"[{inner.network_address}]" if word == "ip6" else str(inner.network_address)
    if inner_ports and inner_ports != outer_ports:
        to += f":{_said(inner_ports)}"
    else:
        to = str(inner.network_address)
    before.append(
        f"{word} daddr {outer.network_address} {condition}th dport {_said(outer_ports)} dnat {word} to {to}"
    )
    for port in range(outer_ports[0], min(outer_ports[1], outer_ports[0] + 255) + 1):
        mappings.add((_PROTOCOLS.get(number, "tcp"), str(outer.network_address), str(port)))


def _both_ways(
    verb: str,
    field: str,
    old: ipaddress.IPv4Network | ipaddress.IPv6Network,
    new: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> str:
    word = _word(old)
    if old.num_addresses == 1:
        return f"{word} {field} {old.network_address} {verb} {word} to {new.network_address}"
    return f"{verb} {word} prefix to {word} {field} map {{ {old} : {new} }}"


def _policy(policy: etree._Element, before: list[str], after: list[str]) -> None:
    egress = leaf_text(child(policy, "external-realm"), "external-interface")
    if egress and not _INTERFACE.fullmatch(egress):
        raise ValueError(f"interface {egress!r}")
    protocols = [str(int(leaf_text(one, "protocol-id"))) for one in all_of(policy, "transport-protocols")]
    condition = f"meta l4proto {{ {', '.join(protocols)} }} " if protocols else ""
    inward = all_of(policy, "dst-ip-address-pool")
    for pool in inward:
        old, new = _prefix(pool, "dst-in-ip-pool"), _prefix(pool, "dst-out-ip-pool")
        before.append(f"{condition}{_both_ways('dnat', 'daddr', old, new)}")
    for pair in all_of(policy, "nptv6-prefixes"):
        inner, outer = _prefix(pair, "internal-ipv6-prefix"), _prefix(pair, "external-ipv6-prefix")
        out = f'oifname "{egress}" ' if egress else ""
        before.append(_both_ways("dnat", "daddr", outer, inner))
        after.append(out + _both_ways("snat", "saddr", inner, outer))
    pools = [_prefix(pool, "external-ip-pool") for pool in all_of(policy, "external-ip-address-pool")]
    if not pools and (not egress or inward or all_of(policy, "nptv6-prefixes")):
        return
    if len(pools) > 1:
        raise ValueError("more than one pool")
    out = f'oifname "{egress}" ' if egress else ""
    sources: list[ipaddress.IPv4Network | ipaddress.IPv6Network | None] = [
        _prefix(one, "subnet") for one in all_of(policy, "subscriber-match")
    ]
    for source in sources or [None]:
        word = _word(source) if source else "ip"
        which = f"{word} saddr {source} " if source else ""
        if not pools:
            after.append(f"{out}{condition}{which}masquerade")
            continue
        first, last = pools[0].network_address, pools[-1].broadcast_address
        to = f"{first}-{last}" if first != last else str(first)
        if word == "ip":
            after.append(f"{out}{condition}{which}snat ip to {to}")
