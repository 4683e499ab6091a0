"""What a policy says of one packet, by walking its rules one by one: slow, short, and nobody's optimisation.

Independent of `fwguard.analysis`. The answer is a set of what may happen: one member is a verdict, two
are "unknown".
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from fwguard.model.packet import Packet
from fwguard.model.policy import Action, CtState, Match, NatKind, Policy
from fwguard.model.ports import ICMP, ICMPV6, WITH_PORTS

ENDS = {Action.ACCEPT: "accept", Action.DROP: "drop", Action.REJECT: "drop", Action.RETURN: "return"}


@dataclass(frozen=True)
class View:
    """A packet as numbers."""

    packet: Packet
    state: CtState
    version: int
    source: int
    target: int


def view(packet: Packet) -> View:
    """Return a packet with the connection-tracking state that its first packet has in the kernel."""
    source, target = ipaddress.ip_address(packet.source), ipaddress.ip_address(packet.target)
    return View(packet, state_of(packet), source.version, int(source), int(target))


def state_of(packet: Packet) -> CtState:
    """Return NEW, except for ICMP that opens nothing (nf_conntrack_proto_icmp.c, …_icmpv6.c)."""
    if packet.protocol == ICMP:
        return CtState.NEW if (packet.icmp_type or 0) >> 8 in (8, 13, 15, 17) else CtState.INVALID
    if packet.protocol == ICMPV6:
        kind = (packet.icmp_type or 0) >> 8
        if kind in (130, 131, 132, 133, 134, 135, 136, 137, 143):
            return CtState.UNTRACKED
        return CtState.NEW if kind in (128, 139) else CtState.INVALID
    return CtState.NEW


def fits(match: Match, one: View) -> bool:
    """Tell whether every field of a match holds the packet's, unknown conditions aside."""
    packet = one.packet
    sides = (match.source.v4, match.target.v4) if one.version == 4 else (match.source.v6, match.target.v6)
    dport = packet.dport
    if packet.protocol in (ICMP, ICMPV6):
        dport = packet.icmp_type or 0
    return (
        packet.ingress in match.ingress
        and packet.egress in match.egress
        and one.source in sides[0]
        and one.target in sides[1]
        and packet.protocol in match.protocol
        and (packet.protocol not in WITH_PORTS or packet.sport in match.sport)
        and (not (packet.protocol in WITH_PORTS or packet.protocol in (ICMP, ICMPV6)) or dport in match.dport)
        and one.state in match.states
    )


def outcomes(policy: Policy, key: str, one: View) -> set[str]:
    """Return what may come out of a chain: accept, drop, return."""
    found: set[str] = set()
    chain = policy.chains[key]
    for rule in chain.rules:
        fitting = [match for match in rule.matches if fits(match, one)]
        if not fitting or rule.action is Action.CONTINUE:
            continue
        sure = any(not match.unknown for match in fitting)
        if rule.action is Action.UNKNOWN:
            found |= {"accept", "drop", "return"}
            continue
        if rule.action in (Action.JUMP, Action.GOTO):
            inner = outcomes(policy, rule.jump, one)
            back = "return" in inner
            found |= inner - {"return"} if rule.action is Action.JUMP else inner
            if sure and (rule.action is Action.GOTO or not back):
                return found
            continue
        found.add(ENDS[rule.action])
        if sure:
            return found
    return found | {ENDS.get(chain.default, "unknown")}


def verdict(policy: Policy, packet: Packet) -> str:
    """Return accept, drop or unknown for a packet as the filter sees it (after destination NAT)."""
    one = view(packet)
    surely = True
    for key in policy.hooks.get(packet.hook, ()):
        chain = policy.chains[key]
        if not chain.families & (1 if one.version == 4 else 2):
            continue
        found = {ENDS[chain.default] if end == "return" else end for end in outcomes(policy, key, one)}
        if found == {"drop"}:
            return "drop"
        surely &= found == {"accept"}
    return "accept" if surely else "unknown"


def translated(policy: Policy, packet: Packet) -> Packet | None:
    """Return the packet after the first destination NAT rule that takes it; None if nobody knows which."""
    one = view(packet)
    if one.state is not CtState.NEW:
        return packet
    for rule in policy.nat:
        if rule.kind not in (NatKind.DNAT, NatKind.REDIRECT, NatKind.EXEMPT, NatKind.UNKNOWN, NatKind.NETMAP):
            continue
        fitting = [match for match in rule.matches if fits(match, one)]
        if not fitting:
            continue
        if all(match.unknown for match in fitting) or rule.kind in (NatKind.UNKNOWN, NatKind.NETMAP):
            return None
        if rule.kind is NatKind.EXEMPT:
            return packet
        spans = (rule.to.v4 if one.version == 4 else rule.to.v6).pairs
        if rule.kind is NatKind.REDIRECT or len(spans) > 1 or (spans and spans[0][0] != spans[0][1]):
            return None
        if len(rule.to_ports) > 1:
            return None
        out = packet
        if spans:
            kind = ipaddress.IPv4Address if one.version == 4 else ipaddress.IPv6Address
            out = replace(out, target=str(kind(spans[0][0])))
        return replace(out, dport=rule.to_ports.first) if rule.to_ports else out
    return packet
