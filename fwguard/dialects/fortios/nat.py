"""Virtual IPs (destination NAT), and source NAT by policies or by the central table.

FortiOS translates a destination before it looks for a policy; policies see the server's own address and port,
which is the generic order. Without central NAT, a policy matches what a virtual IP redirected only when it
names that virtual IP: `policies.py` says what follows from that.
Source: FortiOS CLI reference, `firewall vip`, `ippool`, `central-snat-map`; administration guide, "NAT".
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.bounds import Addresses, Service, Services, join
from fwguard.dialects.fortios.objects import Book
from fwguard.dialects.fortios.tree import Entry
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet, Match, NatKind, NatRule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, SCTP, TCP, UDP, parse_ports

MAX_SHIFTED: Final = 128  # ports of one virtual IP that become other ports, each a rule of its own
VIP_KNOWN: Final = frozenset({
    "id", "uuid", "comment", "type", "extip", "mappedip", "extintf", "arp-reply", "portforward", "protocol",
    "extport", "mappedport", "color", "src-filter", "status", "nat-source-vip", "gratuitous-arp-interval",
    "portmapping-type", "nat44", "nat46", "nat66", "nat64", "one-click-gslb-server", "src-vip-filter",
    "dns-mapping-ttl",
    "ldb-method", "mapped-addr", "ndp-reply", "add-nat64-route", "add-nat46-route", "fabric-object",
})  # fmt: skip
SNAT_KNOWN: Final = frozenset({
    "uuid", "comments", "status", "type", "srcintf", "dstintf", "orig-addr", "dst-addr", "orig-addr6", "dst-addr6",
    "nat-ippool", "nat-ippool6", "protocol", "orig-port", "nat-port", "dst-port", "nat", "nat46", "nat64",
    "port-preserve", "port-random", "policyid",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class VirtualIp:
    """What a virtual IP leads to, as policies see it: the servers and the service on them."""

    name: str
    line: int
    family: Family
    ingress: str  # the interface it is asked on; "any"
    inner: Addresses
    services: Services
    source: AddressSet
    rules: tuple[NatRule, ...]
    doubt: str = ""


def virtual_ips(domain: Entry, book: Book, own: dict[str, AddressSet]) -> dict[str, VirtualIp]:
    """Return the virtual IPs of a domain by name. `own` are the interfaces' addresses."""
    found = {}
    for path, family in (("firewall vip", Family.V4), ("firewall vip6", Family.V6)):
        for entry in domain.table(path).values():
            if entry.value("status") == "disable":
                continue
            try:
                found[entry.name] = _virtual_ip(entry, family, book, own)
            except InputError as error:
                book.note(entry.line, f"edit {entry.name}", str(error))
                whole = ANY_V6 if family is Family.V6 else ANY_V4
                with suppress(InputError):
                    whole = AddressSet.parse(entry.value("extip"))
                why = f"virtual IP {entry.name[:60]}: {error}"
                rule = NatRule(
                    kind=NatKind.UNKNOWN, matches=(Match(target=whole, unknown=why[:300]),), line=entry.line,
                    text=f"edit {entry.name}", comment=entry.name,
                )  # fmt: skip
                found[entry.name] = VirtualIp(
                    entry.name, entry.line, family, "any", Addresses(AddressSet(), whole, why),
                    Services((), (Service(),), why), ANY_ADDRESS, (rule,), why,
                )  # fmt: skip
    return found


def grouped(domain: Entry, names: Iterable[str], known: dict[str, VirtualIp]) -> list[VirtualIp]:
    """Return the virtual IPs that some names mean, those of groups included."""
    found: dict[str, VirtualIp] = {}
    for name in names:
        for path in ("firewall vipgrp", "firewall vipgrp6"):
            group = domain.table(path).get(name)
            for member in group.values("member") if group else ():
                if member in known:
                    found[member] = known[member]
        if name in known:
            found[name] = known[name]
    return list(found.values())


def _virtual_ip(entry: Entry, family: Family, book: Book, own: dict[str, AddressSet]) -> VirtualIp:
    doubt = book.strange(entry, VIP_KNOWN)
    kind = entry.value("type", "static-nat")
    if kind != "static-nat":
        raise InputError(f"type {kind[:40]}", expected="static-nat")
    if "enable" in (entry.value("nat46"), entry.value("nat64")):
        raise InputError("one IP version becomes another")
    if not entry.value("extip") or not entry.values("mappedip"):
        raise InputError("no extip or no mappedip", expected="both")
    ingress = entry.value("extintf", "any") or "any"
    outer = AddressSet.parse(entry.value("extip"))
    if outer in (AddressSet.parse("0.0.0.0"), AddressSet.parse("::")):  # noqa: S104 - "of the interface"
        outer = own.get(ingress, AddressSet()).of_family(family)
        if not outer:
            raise InputError(f"extip is the address of {ingress}, which is not in the text")
    inner = AddressSet.parse(*entry.values("mappedip"))
    source = AddressSet.parse(*entry.values("src-filter")) if entry.values("src-filter") else ANY_ADDRESS
    protocol, ports, to_ports = ANY_PROTOCOL, ANY_PORT, ANY_PORT
    if entry.value("portforward") == "enable":
        word = entry.value("protocol", "tcp")
        numbers = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP}
        if word not in numbers:
            raise InputError(f"protocol {word[:40]}", expected="tcp, udp, sctp or icmp")
        protocol = Intervals.single(numbers[word])
        if word != "icmp":
            ports = parse_ports(entry.value("extport") or "0-65535")
            to_ports = parse_ports(entry.value("mappedport") or entry.value("extport") or "0-65535")
    if inner.v4.size + inner.v6.size > 1 and (
        outer.v4.size + outer.v6.size != inner.v4.size + inner.v6.size
        or len(inner.v4.pairs + inner.v6.pairs) > 1
    ):
        doubt = join(doubt, "several addresses become several")
    on = ANY_INTERFACE if ingress == "any" else InterfaceSet.of(ingress)
    rules = tuple(
        NatRule(
            kind=NatKind.STATIC if ports == ANY_PORT else NatKind.DNAT if inner.v4.size + inner.v6.size == 1
            else NatKind.NETMAP,
            matches=(
                Match(ingress=on, source=source, target=outer, protocol=protocol, dport=asked, unknown=doubt),
            ),
            to=inner, to_ports=given if given != asked else Intervals(), line=entry.line,
            text=f"edit {entry.name}", comment=entry.name,
        )
        for asked, given in _pairs(ports, to_ports)
    )  # fmt: skip
    services = Services((Service(protocol, to_ports),))
    return VirtualIp(
        entry.name, entry.line, family, ingress, Addresses(inner), services, source, rules, doubt
    )


def _pairs(ports: Intervals, to_ports: Intervals) -> list[tuple[Intervals, Intervals]]:
    """Return which ports become which: alike as they are, ranges of equal size one by one."""
    if ports == to_ports or to_ports.size == 1:
        return [(ports, to_ports)]
    if ports.size != to_ports.size or ports.size > MAX_SHIFTED:
        raise InputError("a range of ports becomes another one")
    given = [port for low, high in to_ports for port in range(low, high + 1)]
    asked = [port for low, high in ports for port in range(low, high + 1)]
    return [(Intervals.single(a), Intervals.single(b)) for a, b in zip(asked, given, strict=True)]


def pool(domain: Entry, names: Iterable[str], book: Book) -> tuple[AddressSet, str]:
    """Return the addresses of source pools, and a doubt or ""."""
    found, doubt = AddressSet(), ""
    for name in names:
        entry = domain.table("firewall ippool").get(name) or domain.table("firewall ippool6").get(name)
        if entry is None:
            doubt = f"ippool {name[:60]} does not exist"
            continue
        try:
            found |= AddressSet.parse(f"{entry.value('startip')}-{entry.value('endip')}")
        except InputError as error:
            book.note(entry.line, f"edit {entry.name}", str(error))
            doubt = f"ippool {name[:60]}: {error}"
    return found, doubt
