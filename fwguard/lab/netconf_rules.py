"""What the datastore of a lab firewall means to its kernel: lists and NAT as one nft transaction. Pure.

Written apart from the dialect on purpose: this is the device, and the dialect is what we believe of it.

Established connections pass first; the lists judge NEW ones, after destination NAT. An interface and
direction with a list drops what no entry matches, one without lets all pass; neighbour discovery always
works. Every connection's mark remembers the entries that let it in: the ingress one in the low 16 bits,
the egress one in the high. An accepting entry with a condition that nobody renders is left out; a
dropping one is rendered without that condition: the doubt closes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from fwguard.lab.netconf_nat import nat_chains
from fwguard.lab.netconf_xml import all_of, child, leaf_text, name_of

TABLE: Final = "inet netconf"
_INTERFACE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_TYPE_FAMILY: Final = {
    "ipv4-acl-type": "meta nfproto ipv4 ",
    "mixed-eth-ipv4-acl-type": "meta nfproto ipv4 ",
    "ipv6-acl-type": "meta nfproto ipv6 ",
    "mixed-eth-ipv6-acl-type": "meta nfproto ipv6 ",
}
_COMPARISON: Final = {"eq": "", "neq": "!= ", "lte": "<= ", "gte": ">= "}
_FLAGS: Final = {flag: flag for flag in ("fin", "syn", "rst", "psh", "ack", "urg", "cwr")} | {"ece": "ecn"}
_NUMBERS: Final = {"tcp": "6", "udp": "17"}
_HEADER: Final = {  # leaf -> (nft on v4, nft on v6, largest value)
    "protocol": ("meta l4proto", "meta l4proto", 255),
    "dscp": ("ip dscp", "ip6 dscp", 63),
    "ttl": ("ip ttl", "ip6 hoplimit", 255),
    "length": ("ip length", "ip6 length", 65535),
}


@dataclass(slots=True)
class Rendered:
    """`nft` replaces our table; `marks` are the half-marks of all entries in it; `skipped` is for the log.

    `mappings` are the redirections as (protocol, address, port), to end what came by one that is gone.
    """

    nft: str
    marks: frozenset[int]
    mappings: frozenset[tuple[str, str, str]]
    skipped: list[str] = field(default_factory=list)


class _Unrendered(Exception):
    """A condition that has no nft text here."""


def render(data: etree._Element, interfaces: Iterable[str]) -> Rendered:
    """Return the kernel's part of a `<data>`; `interfaces` are the names that exist."""
    acls = child(data, "acls")
    skipped: list[str] = []
    marks: set[int] = set()
    lists = {leaf_text(acl, "name"): acl for acl in all_of(acls, "acl")}
    numbers = {name: number for number, name in enumerate(lists)}
    chains: list[str] = []
    attached: dict[str, dict[str, list[str]]] = {"ingress": {}, "egress": {}}
    for point in all_of(child(acls, "attachment-points"), "interface"):
        interface = leaf_text(point, "interface-id")
        if not _INTERFACE.fullmatch(interface):
            skipped.append(f"interface {interface!r}")
            continue
        for direction in attached:
            names = [
                leaf_text(one, "name")
                for one in all_of(child(child(point, direction), "acl-sets"), "acl-set")
            ]
            if names:
                attached[direction][interface] = [name for name in names if name in lists]
    for direction, shift in (("ingress", 0), ("egress", 16)):
        used = {name for names in attached[direction].values() for name in names}
        for name in sorted(used, key=lambda used_name: numbers[used_name]):
            rules = list(_entries(lists[name], shift, marks, skipped))
            chains.append(_chain(f"{direction}_{numbers[name]}", rules))
        for number, names in enumerate(attached[direction].values()):
            jumps = [f"jump {direction}_{numbers[name]}" for name in names]
            chains.append(_chain(f"{direction}_at_{number}", [*jumps, "drop"]))
    chains += _base_chains(attached, sorted(filter(_INTERFACE.fullmatch, interfaces)), marks)
    translations, mappings, unclear = nat_chains(child(data, "nat"))
    body = "\n".join(chains + [_chain(name, rules) for name, rules in translations.items()])
    return Rendered(
        f"table {TABLE} {{}}\ndelete table {TABLE}\ntable {TABLE} {{\n{body}\n}}\n",
        frozenset(marks), mappings, skipped + unclear,
    )  # fmt: skip


def _chain(name: str, rules: Iterable[str]) -> str:
    return "\n".join([f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"])


def _base_chains(
    attached: dict[str, dict[str, list[str]]], interfaces: list[str], marks: set[int]
) -> Iterator[str]:
    """Ingress before egress, each a base chain, so that a packet must be let in by both."""
    first = ["ct state established,related accept", "ct state invalid drop"]
    discovery = (
        "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
    )
    jumps = {
        direction: [
            f'{word} "{interface}" jump {direction}_at_{number}'
            for number, interface in enumerate(attached[direction])
        ]
        for direction, word in (("ingress", "iifname"), ("egress", "oifname"))
    }
    for direction, word, priority, shift in (
        ("ingress", "iifname", "filter - 1", 0),
        ("egress", "oifname", "filter", 16),
    ):
        open_ones = [name for name in interfaces if name not in attached[direction]]
        passing = [f'{word} "{name}" {_mark(f"open:{direction}:{name}", shift, marks)}' for name in open_ones]
        hook = f"type filter hook forward priority {priority}; policy accept;"
        yield _chain(f"forward_{direction}", [hook, *first, *jumps[direction], *passing])
    head = [*first, 'iifname "lo" accept', discovery]
    yield _chain(
        "input", ["type filter hook input priority filter; policy accept;", *head, *jumps["ingress"]]
    )
    head = [*first, 'oifname "lo" accept', discovery]
    yield _chain(
        "output", ["type filter hook output priority filter; policy accept;", *head, *jumps["egress"]]
    )


def _mark(what: str, shift: int, marks: set[int]) -> str:
    """Return the statement that notes in the connection's mark what let it in."""
    number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:2]) or 1
    marks.add(number << shift)
    keep = 0xFFFF0000 if shift == 0 else 0x0000FFFF
    return f"ct mark set ct mark and 0x{keep:08x} or 0x{number << shift:08x}"


def _entries(acl: etree._Element, shift: int, marks: set[int], skipped: list[str]) -> Iterator[str]:
    name, family = leaf_text(acl, "name"), _TYPE_FAMILY.get(leaf_text(acl, "type"), "")
    for ace in all_of(child(acl, "aces"), "ace"):
        action = leaf_text(child(ace, "actions"), "forwarding")
        lenient = action in ("drop", "reject")
        try:
            matches = child(ace, "matches")
            if _contradicts(matches, family):
                continue
            conditions = list(_conditions(matches, lenient, skipped))
        except _Unrendered as error:
            skipped.append(f"{name}/{leaf_text(ace, 'name')}: {error}")
            continue
        for condition in conditions:
            if action == "accept":
                text = etree.tostring(ace, method="c14n").decode()
                yield f"{family}{condition}{_mark(f'{name}:{text}', shift, marks)} accept"
            elif lenient:
                yield f"{family}{condition}{action}"
            else:
                skipped.append(f"{name}/{leaf_text(ace, 'name')}: action {action!r}")


def _contradicts(matches: etree._Element | None, family: str) -> bool:
    """Tell of an entry that no packet matches; nft refuses to load what cannot be (udp and tcp at once)."""
    present = {name_of(node): node for node in (matches if matches is not None else []) if len(node)}
    versions = [version for version in ("ipv4", "ipv6") if version in present]
    if family and any(version not in family for version in versions):
        return True
    protocols = {_NUMBERS[name] for name in ("tcp", "udp") if name in present}
    for version in versions:
        protocols |= {number for number in [leaf_text(present[version], "protocol")] if number}
    if "icmp" in present:
        return bool(protocols - {"1" if version == "ipv4" else "58" for version in versions})
    return len(protocols) > 1


def _conditions(matches: etree._Element | None, lenient: bool, skipped: list[str]) -> Iterator[str]:
    """Yield the condition of each nft rule that an entry becomes (ICMP of both IP versions is two)."""
    parts: list[str] = []
    icmp: etree._Element | None = None
    version = ""
    for node in matches if matches is not None else []:
        try:
            name = name_of(node)
            if name in ("ipv4", "ipv6") and len(node):
                version = name
                parts.append("meta nfproto " + name)
                parts += _ip(node, name)
            elif name in ("tcp", "udp") and len(node):
                parts += _ports(node, name)
            elif name == "icmp" and len(node):
                icmp = node
            elif name in ("ingress-interface", "egress-interface") and _INTERFACE.fullmatch(node.text or ""):
                parts.append(f'{"iifname" if name == "ingress-interface" else "oifname"} "{node.text}"')
            else:
                raise _Unrendered(f"condition {name}")
        except _Unrendered as error:
            if not lenient:
                raise
            skipped.append(f"dropped without {error}")
    both = [word for word in ("ipv4", "ipv6") if version in ("", word)] if icmp is not None else [""]
    for word in both:
        extra = _icmp(icmp, word) if icmp is not None else []
        yield "".join(f"{part} " for part in [*parts, *extra])


def _ip(node: etree._Element, version: str) -> Iterator[str]:
    word = "ip" if version == "ipv4" else "ip6"
    for leaf in node:
        name, value = name_of(leaf), (leaf.text or "").strip()
        side = {f"source-{version}-network": "saddr", f"destination-{version}-network": "daddr"}.get(name)
        if side and _is_prefix(value, version):
            yield f"{word} {side} {value}"
        elif name in _HEADER and _is_number(value, _HEADER[name][2]):
            yield f"{_HEADER[name][version == 'ipv6']} {value}"
        else:
            raise _Unrendered(f"{version} {name}")


def _ports(node: etree._Element, protocol: str) -> Iterator[str]:
    yield f"meta l4proto {protocol}"
    for leaf in node:
        name = name_of(leaf)
        if name in ("source-port", "destination-port"):
            yield f"{protocol} {'sport' if name == 'source-port' else 'dport'} {_port(leaf)}"
        elif name == "flags" and protocol == "tcp":
            flags = (leaf.text or "").split()
            if not flags or not set(flags) <= set(_FLAGS):
                raise _Unrendered(f"flags {leaf.text}")
            said = "|".join(sorted(_FLAGS[flag] for flag in flags))
            yield f"tcp flags & ({said}) == {said}"
        else:
            raise _Unrendered(f"{protocol} {name}")


def _port(node: etree._Element) -> str:
    lower, upper, port = (leaf_text(node, name) for name in ("lower-port", "upper-port", "port"))
    if _is_number(lower, 65535) and _is_number(upper, 65535) and int(lower) <= int(upper):
        return f"{lower}-{upper}" if lower != upper else lower
    operator = leaf_text(node, "operator") or "eq"
    if _is_number(port, 65535) and operator in _COMPARISON:
        return f"{_COMPARISON[operator]}{port}"
    raise _Unrendered("port")


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most


def _is_prefix(text: str, version: str) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return f"ipv{network.version}" == version and "/" in text


def _icmp(node: etree._Element, version: str) -> Iterator[str]:
    word = "icmp" if version == "ipv4" else "icmpv6"
    yield f"meta l4proto {'icmp' if version == 'ipv4' else 'ipv6-icmp'}"
    for leaf in node:
        name, value = name_of(leaf), (leaf.text or "").strip()
        if name not in ("type", "code") or not _is_number(value, 255):
            raise _Unrendered(f"icmp {name}")
        yield f"{word} {name} {value}"
