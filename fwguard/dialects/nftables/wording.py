"""The words of a new rule: an opening or a redirection as nft prints it (nft(8))."""

from __future__ import annotations

from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family, show_span
from fwguard.model.change import Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, WITH_PORTS, show_protocol

HEADERS: Final = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}


def opening_rules(opening: Opening, family: Family) -> list[str]:
    """Return the rules that accept an opening in one IP version; none where it means nothing there."""
    is_six = family is Family.V6
    if opening.protocol == (ICMP if is_six else ICMPV6):
        return []
    source = _addresses("saddr", opening.source, is_six)
    target = _addresses("daddr", opening.target, is_six)
    if source is None or target is None:
        return []
    ends = " ".join(part for part in (source, target) if part)
    if not ends:
        ends = f"meta nfproto {'ipv6' if is_six else 'ipv4'}"
    return [f"{ends} {service} accept" for service in _services(opening)]


def _addresses(field: str, addresses: AddressSet, is_six: bool) -> str | None:
    """Return `ip saddr …`, nothing for every address, None if no address is of the version."""
    spans = addresses.v6 if is_six else addresses.v4
    if not spans:
        return None
    if spans == (ANY_ADDRESS.v6 if is_six else ANY_ADDRESS.v4):
        return ""
    words = [show_span(6 if is_six else 4, low, high) for low, high in spans]
    return f"{'ip6' if is_six else 'ip'} {field} {_set(words)}"


def _set(words: list[str]) -> str:
    return words[0] if len(words) == 1 else "{ " + ", ".join(words) + " }"


def _spans(numbers: Intervals) -> str:
    return _set([str(low) if low == high else f"{low}-{high}" for low, high in numbers])


def _services(opening: Opening) -> list[str]:
    protocol, ports = opening.protocol, opening.ports
    if protocol in (ICMP, ICMPV6):
        return _icmp("icmp" if protocol == ICMP else "icmpv6", ports)
    if ports and ports != ANY_PORT:
        if protocol not in WITH_PORTS:
            raise InputError(f"ports of {show_protocol(protocol)}", expected="a protocol with ports")
        return [f"{HEADERS[protocol]} dport {_spans(ports)}"]
    return [f"meta l4proto {HEADERS.get(protocol, str(protocol))}"]


def _icmp(header: str, keys: Intervals) -> list[str]:
    """Return rules for ICMP types (type * 256 + code): whole types in one rule, single codes each in one."""
    if not keys or keys == ANY_PORT:
        return [f"meta l4proto {'icmp' if header == 'icmp' else 'ipv6-icmp'}"]
    whole: list[tuple[int, int]] = []
    parts: list[str] = []
    for low, high in keys:
        for kind in range(low >> 8, (high >> 8) + 1):
            first, last = max(low, kind << 8) & 255, min(high, kind << 8 | 255) & 255
            if (first, last) == (0, 255):
                whole.append((kind, kind))
            else:
                code = _spans(Intervals(((first, last),)))
                parts.append(f"{header} type {kind} {header} code {code}")
    return ([f"{header} type {_spans(Intervals.of(*whole))}"] if whole else []) + parts


def redirection_rule(one: Redirection, table_family: str) -> str:
    """Return the dnat rule; in an inet table it names the IP version that it translates to."""
    header = HEADERS[one.protocol]
    is_six = ":" in one.public
    kind = "ip6" if is_six else "ip"
    inner = f"[{one.inner}]" if is_six else one.inner
    family = f" {kind}" if table_family == "inet" else ""
    return (
        f"{kind} daddr {one.public} {header} dport {one.public_port} dnat{family} to {inner}:{one.inner_port}"
    )
