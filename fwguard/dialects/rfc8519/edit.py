"""A change as RFC 8519 entries and RFC 8512 mappings, at the right place of the right list."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.placement import place
from fwguard.dialects.rfc8519.acl import FAMILY_OF_TYPE, AclReader
from fwguard.dialects.rfc8519.matches import ANY_OF
from fwguard.dialects.rfc8519.names import ACL, NAT
from fwguard.dialects.rfc8519.paths import lists_on_the_way
from fwguard.dialects.rfc8519.tree import Node, branch, leaf
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, Match, Policy
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, TCP, UDP, show_protocol

MAX_ENTRIES: Final = 256  # of one opening: prefixes of the source times prefixes of the target times ports


def apply_change(change: Change, tops: list[Node]) -> list[Node]:
    """Put the change into the tree, or take it out; return the nodes that came or went.

    Raises InputError when no list judges what is to be opened, when the tag stands already, or when there
    is nothing of the tag to remove.
    """
    if change.remove:
        return _remove(change.tag, tops)
    if _tagged(change.tag, tops):
        raise InputError(f"an entry or mapping named {change.tag} exists", expected="an unused tag")
    touched: dict[int, Node] = {}
    for opening in change.openings:
        for family in _families(opening):
            entries = list(_entries(opening, family))
            for aces, index in _places(tops, opening, family):
                aces.children[index:index] = [_copy(entry) for entry in entries]
                touched[id(aces)] = aces
    for aces in touched.values():
        _name([ace for ace in aces.children if ace.name == "ace" and not ace.value("name")], change.tag)
    if change.redirections:
        _nat(tops).children.append(_instance(change, tops))
    return [node for _, node in _tagged(change.tag, tops)]


def _families(opening: Opening) -> list[Family]:
    """Return the IP versions to write: ICMP and ICMPv6 each mean something in one alone."""
    alone = {ICMP: Family.V4, ICMPV6: Family.V6}.get(opening.protocol, Family.BOTH)
    found = [family for family in (Family.V4, Family.V6) if family & opening.families & alone]
    if not found:
        raise InputError(
            f"{show_protocol(opening.protocol)} to {opening.target}", expected="its own IP version"
        )
    return found


def _copy(node: Node) -> Node:
    return replace(node, children=[_copy(child) for child in node.children])


def _name(entries: list[Node], tag: str) -> None:
    """`tag` for one entry, `tag.1`, `tag.2`… for several: no tag holds a point, so none is another's."""
    for number, entry in enumerate(entries, 1):
        entry.children.insert(0, leaf(ACL, "name", tag if len(entries) == 1 else f"{tag}.{number}"))


def _of_tag(name: str, tag: str) -> bool:
    head, _, number = name.partition(".")
    return head == tag and (not number or number.isdecimal())


def _tagged(tag: str, tops: list[Node]) -> list[tuple[Node, Node]]:
    """Return (parent, node) of each entry and NAT instance that the tag names."""
    found = []
    for top in tops:
        if (top.module, top.name) == (ACL, "acls"):
            for acl in top.all("acl"):
                for aces in acl.all("aces"):
                    found += [(aces, ace) for ace in aces.all("ace") if _of_tag(ace.value("name"), tag)]
        if (top.module, top.name) == (NAT, "nat"):
            for instances in top.all("instances"):
                found += [(instances, one) for one in instances.all("instance") if one.value("name") == tag]
    return found


def _remove(tag: str, tops: list[Node]) -> list[Node]:
    found = _tagged(tag, tops)
    if not found:
        raise InputError(f"nothing is named {tag}", expected="the tag of a change that was deployed")
    for parent, node in found:
        parent.children = [child for child in parent.children if child is not node]
    for top in tops:
        # An empty `instances` or `nat` would be a difference to the text before the change.
        if (top.module, top.name) == (NAT, "nat"):
            top.children = [child for child in top.children if child.children or child.name != "instances"]
    tops[:] = [top for top in tops if top.children or (top.module, top.name) != (NAT, "nat")]
    return [node for _, node in found]


def _places(tops: list[Node], opening: Opening, family: Family) -> Iterator[tuple[Node, int]]:
    """Yield, for every interface and direction on the way, the `aces` and the index to stand at.

    That is where the whole opening passes (dialects/placement.py). Where all of it passes already, the
    entry still stands before the first drop that covers it: it keeps the opening when another goes.
    """
    acls = next((top for top in tops if (top.module, top.name) == (ACL, "acls")), None)
    ways = lists_on_the_way(tops, opening, family)
    if acls is None or not ways:
        raise InputError(
            f"no access list judges traffic to {opening.target}",
            expected="an ACL attached to the interface that the traffic comes in by",
        )
    reader = AclReader()
    reader.read(acls)
    policy = Policy(dialect="rfc8519", chains=reader.chains)
    by_name = {acl.value("name"): acl for acl in acls.all("acl")}
    seen: set[int] = set()
    for direction, interface, names in ways:
        fitting = [by_name[name] for name in names if name in by_name and _fits(by_name[name], family)]
        if not fitting:
            version = "IPv4" if family == Family.V4 else "IPv6"
            raise InputError(f"{direction} of {interface} has no access list for {version}")
        acl, index = fitting[-1], None
        at = place(policy, f"{direction}:{interface}", opening, family)
        stop = policy.chains[f"{direction}:{interface}"].rules[at].jump if at is not None else ""
        if stop:
            acl = by_name[stop.removeprefix("acl:")]
            index = place(policy, stop, opening, family)
        elif at is None:
            index = _covering(policy.chains[f"acl:{acl.value('name')}"], opening, family)
        aces = acl.child("aces")
        if aces is None:
            aces = branch(ACL, "aces")
            acl.children.append(aces)
        if id(aces) not in seen:
            seen.add(id(aces))
            yield aces, len(aces.children) if index is None else index


def _fits(acl: Node, family: Family) -> bool:
    return bool(FAMILY_OF_TYPE.get(acl.value("type"), Family(0)) & family)


def _covering(chain: Chain, opening: Opening, family: Family) -> int | None:
    for index, rule in enumerate(chain.rules):
        stops = rule.action in (Action.DROP, Action.REJECT)
        if stops and any(_covers(match, opening, family) for match in rule.matches):
            return index
    return None


def _covers(match: Match, opening: Opening, family: Family) -> bool:
    return (
        not match.unknown
        and match.can_be_new
        and opening.source.of_family(family) <= match.source
        and opening.target.of_family(family) <= match.target
        and opening.protocol in match.protocol
        and (opening.ports or ANY_PORT) <= match.dport
        and match.sport == ANY_PORT
    )


def _entries(opening: Opening, family: Family) -> Iterator[Node]:
    """Yield the ACEs of an opening in one IP version, without names."""
    sources = _prefixes(opening.source, family)
    targets = _prefixes(opening.target, family)
    conditions = list(_conditions(opening))
    if len(sources) * len(targets) * len(conditions) > MAX_ENTRIES:
        raise InputError(f"more than {MAX_ENTRIES} entries", expected="fewer prefixes and port ranges")
    word = "ipv4" if family == Family.V4 else "ipv6"
    protocol = opening.protocol
    for source in sources:
        for target in targets:
            for condition in conditions:
                address = [leaf(ACL, "protocol", protocol)]
                if target:
                    address.append(leaf(ACL, f"destination-{word}-network", target))
                if source:
                    address.append(leaf(ACL, f"source-{word}-network", source))
                yield branch(
                    ACL,
                    "ace",
                    branch(ACL, "matches", branch(ACL, word, *address), *map(_copy, condition)),
                    branch(ACL, "actions", leaf(ACL, "forwarding", "accept")),
                    listed=True,
                )


def _conditions(opening: Opening) -> Iterator[list[Node]]:
    """Yield the layer 4 part of each ACE: an ACE holds one port range, or one ICMP type and code."""
    protocol, ports = opening.protocol, opening.ports
    if not ports or ports == ANY_PORT:
        yield []
    elif protocol in (ICMP, ICMPV6):
        for low, high in _icmp_pairs(ports):
            kind = leaf(ACL, "type", low >> 8)
            yield [branch(ACL, "icmp", kind, *([leaf(ACL, "code", low & 0xFF)] if low == high else []))]
    elif protocol in (TCP, UDP):
        for low, high in ports:
            if low == high:
                said = [leaf(ACL, "operator", "eq"), leaf(ACL, "port", low)]
            else:
                said = [leaf(ACL, "lower-port", low), leaf(ACL, "upper-port", high)]
            yield [branch(ACL, show_protocol(protocol), branch(ACL, "destination-port", *said))]
    else:
        raise InputError(
            f"ports of {show_protocol(protocol)}", expected="tcp or udp: RFC 8519 has no others with ports"
        )


def _icmp_pairs(keys: Intervals) -> Iterator[tuple[int, int]]:
    """Yield whole types as (type*256, type*256+255) and the rest code by code."""
    for low, high in keys:
        key = low
        while key <= high:
            whole = key & 0xFF == 0 and key + 255 <= high
            yield key, key + 255 if whole else key
            key += 256 if whole else 1


def _prefixes(addresses: AddressSet, family: Family) -> list[str]:
    """Return CIDR prefixes; one empty text for all addresses of the version."""
    if addresses.of_family(family) == ANY_OF[family]:
        return [""]
    out: list[str] = []
    for low, high in addresses.v4 if family == Family.V4 else addresses.v6:
        for network in _networks(low, high, family):
            out.append(str(network))
            if len(out) > MAX_ENTRIES:
                raise InputError(f"more than {MAX_ENTRIES} prefixes", expected="fewer")
    return out


def _networks(low: int, high: int, family: Family) -> Iterator[object]:
    if family == Family.V4:
        return ipaddress.summarize_address_range(ipaddress.IPv4Address(low), ipaddress.IPv4Address(high))
    return ipaddress.summarize_address_range(ipaddress.IPv6Address(low), ipaddress.IPv6Address(high))


def _nat(tops: list[Node]) -> Node:
    """Return `instances`, made where there is none yet."""
    nat = next((top for top in tops if (top.module, top.name) == (NAT, "nat")), None)
    if nat is None:
        nat = branch(NAT, "nat")
        tops.append(nat)
    instances = nat.child("instances")
    if instances is None:
        instances = branch(NAT, "instances")
        nat.children.append(instances)
    return instances


def _instance(change: Change, tops: list[Node]) -> Node:
    """A change's redirections are one NAT instance that bears its tag as name (RFC 8512 has no other)."""
    taken = [int(one.value("id")) for one in _nat(tops).all("instance") if one.value("id").isdecimal()]
    table = branch(NAT, "mapping-table")
    for index, redirection in enumerate(change.redirections, 1):
        table.children.append(_mapping(index, redirection))
    return branch(
        NAT, "instance", leaf(NAT, "id", max(taken, default=0) + 1), leaf(NAT, "name", change.tag), table,
        listed=True,
    )  # fmt: skip


def _mapping(index: int, redirection: Redirection) -> Node:
    public, inner = ipaddress.ip_address(redirection.public), ipaddress.ip_address(redirection.inner)
    if public.version != inner.version:
        raise InputError(f"{public} and {inner} are not of one IP version")
    return branch(
        NAT, "mapping-entry",
        leaf(NAT, "index", index),
        leaf(NAT, "type", "static"),
        leaf(NAT, "transport-protocol", redirection.protocol),
        leaf(NAT, "internal-src-address", f"{inner}/{inner.max_prefixlen}"),
        branch(NAT, "internal-src-port", leaf(NAT, "start-port-number", redirection.inner_port)),
        leaf(NAT, "external-src-address", f"{public}/{public.max_prefixlen}"),
        branch(NAT, "external-src-port", leaf(NAT, "start-port-number", redirection.public_port)),
        listed=True,
    )  # fmt: skip
