"""Destination NAT, which comes before the filter: where a packet, or an opening, really goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import AddressSet, parse_span, show_address
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Packet
from fwguard.model.policy import CtState, Hook, Match, NatKind, NatRule, Policy
from fwguard.model.ports import WITH_PORTS

DESTINATION_KINDS: Final = frozenset(
    {NatKind.DNAT, NatKind.REDIRECT, NatKind.NETMAP, NatKind.STATIC, NatKind.EXEMPT, NatKind.UNKNOWN}
)
# A pool of more addresses than this is judged by its ends.
_MOST_WAYS: Final = 16


@dataclass(frozen=True, slots=True)
class Way:
    """A packet after destination NAT; `words` say what happened to it, `line` where (0: nothing)."""

    packet: Packet
    line: int = 0
    words: str = ""


def destination_rules(policy: Policy) -> tuple[NatRule, ...]:
    """Return the rules that may rewrite a destination, in order."""
    return tuple(
        rule
        for rule in policy.nat
        if rule.kind in DESTINATION_KINDS and any(CtState.NEW in match.states for match in rule.matches)
    )


def translated(policy: Policy, packet: Packet) -> list[Way]:
    """Return every way the packet may go: one, unless a rule cannot be read or names a pool.

    Packets that the firewall itself sends are not rewritten here. A rewritten packet to the firewall is
    forwarded; a redirected one ends at the firewall.
    """
    if packet.hook is Hook.OUTPUT:
        return [Way(packet)]
    return list(_ways(destination_rules(policy), packet))


def _ways(rules: tuple[NatRule, ...], packet: Packet) -> Iterator[Way]:
    for rule in rules:
        match, sure = _first_match(rule, packet)
        if match is None:
            continue
        if rule.kind is NatKind.UNKNOWN:
            yield Way(packet, rule.line, f"line {rule.line} cannot be read and may redirect it elsewhere; ")
            sure = False
        elif rule.kind is NatKind.EXEMPT:
            yield Way(packet)
        else:
            yield from _rewritten(rule, match, packet)
        if sure:
            return
    yield Way(packet)


def _first_match(rule: NatRule, packet: Packet) -> tuple[Match | None, bool]:
    maybe = None
    for match in rule.matches:
        if match_holds(match, packet):
            if not match.unknown:
                return match, True
            maybe = maybe or match
    return maybe, False


def match_holds(match: Match, packet: Packet) -> bool:
    """Tell whether a new connection's packet is in the product of a match's sets (egress not asked:
    destination NAT comes before routing)."""
    port = packet.dport if packet.icmp_type is None else packet.icmp_type
    return (
        CtState.NEW in match.states
        and packet.protocol in match.protocol
        and port in match.dport
        and packet.target in match.target
        and packet.source in match.source
        and packet.sport in match.sport
        and packet.ingress in match.ingress
    )


def _rewritten(rule: NatRule, match: Match, packet: Packet) -> Iterator[Way]:
    version, number, _ = parse_span(packet.target)
    hook = Hook.INPUT if rule.kind is NatKind.REDIRECT else Hook.FORWARD
    for target in _targets(rule, match, version, number):
        for port in _ports(rule, packet):
            address = show_address(version, target)
            words = f"line {rule.line} sends it to {address}"
            if port != packet.dport:
                words += f" port {port}"
            if rule.kind is NatKind.REDIRECT:
                words = f"line {rule.line} redirects it to the firewall itself"
                words += f", port {port}" if port != packet.dport else ""
            yield Way(
                replace(packet, target=address, dport=port, hook=hook if rule.to or hook is Hook.INPUT
                        else packet.hook),
                rule.line, words + "; ",
            )  # fmt: skip


def _targets(rule: NatRule, match: Match, version: int, number: int) -> list[int]:
    to = rule.to.v4 if version == 4 else rule.to.v6
    if not to:
        return [number]
    if rule.kind in (NatKind.NETMAP, NatKind.STATIC) and to.size > 1:
        own = match.target.v4 if version == 4 else match.target.v6
        return [to.first + min(number - own.first, to.size - 1)]
    if to.size <= _MOST_WAYS:
        return [n for low, high in to for n in range(low, high + 1)]
    return [n for low, high in to.pairs[:_MOST_WAYS] for n in (low, high)]


def _ports(rule: NatRule, packet: Packet) -> list[int]:
    if not rule.to_ports or packet.protocol not in WITH_PORTS:
        return [packet.dport]
    if packet.dport in rule.to_ports and rule.to_ports.size > 1:
        return [packet.dport]
    low, high = rule.to_ports.pairs[0][0], rule.to_ports.pairs[-1][1]
    return [low] if low == high else [low, high]


def check_addresses(packet: Packet) -> int:
    """Return the IP version of a packet. Raises InputError unless it has one address of one version each."""
    version, low, high = parse_span(packet.source)
    other, target_low, target_high = parse_span(packet.target)
    if low != high or target_low != target_high:
        raise InputError(f"{packet.source} to {packet.target}", expected="one address each, no prefix")
    if version != other:
        raise InputError(f"{packet.source} to {packet.target}", expected="addresses of one IP version")
    return version


def inner_target(policy: Policy, target: AddressSet, protocol: int, ports: Intervals) -> list[Redirected]:
    """Return where new connections to a public address and port end up: what the filter sees of them.

    One entry for each destination rule that surely applies, and one for what no rule rewrites.
    """
    left: list[tuple[AddressSet, Intervals]] = [(target, ports)]
    out: list[Redirected] = []
    for rule in destination_rules(policy):
        if rule.kind is NatKind.UNKNOWN:
            continue
        for match in rule.matches:
            if protocol not in match.protocol or match.unknown:
                continue
            following = []
            for addresses, numbers in left:
                hit, hit_ports = addresses & match.target, numbers & match.dport
                if not hit or not (hit_ports or not numbers):
                    following.append((addresses, numbers))
                    continue
                if rule.kind is NatKind.EXEMPT or not (rule.to or rule.to_ports):
                    out.append(Redirected(hit, hit_ports, hit, hit_ports, 0))
                else:
                    to = rule.to.of_family(hit.families) if rule.to else hit
                    out.append(Redirected(hit, hit_ports, to, rule.to_ports or hit_ports, rule.line))
                if rest := addresses - match.target:
                    following.append((rest, numbers))
                if numbers and (rest_ports := numbers - match.dport):
                    following.append((hit, rest_ports))
            left = following
    return [entry for entry in out if entry.target] + [
        Redirected(addresses, numbers, addresses, numbers, 0) for addresses, numbers in left
    ]


@dataclass(frozen=True, slots=True)
class Redirected:
    """`asked` and `asked_ports` reach `target` and `ports`, by the rule at `line` (0: as they are)."""

    asked: AddressSet
    asked_ports: Intervals
    target: AddressSet
    ports: Intervals
    line: int
