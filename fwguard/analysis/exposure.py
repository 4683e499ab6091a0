"""What rules let in from outside: everything, every service of a server, management, databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fwguard.analysis.program import ACCEPT, SKIP, Program
from fwguard.analysis.reach import RuleKey
from fwguard.analysis.space import WHOLE, Dim, address_pairs
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals, Pairs, lack, meet, touch
from fwguard.model.policy import Action, Hook, NatKind, Policy, Rule
from fwguard.model.ports import ANY_PORT, TCP, UDP, WITH_PORTS, show_ports, show_protocol
from fwguard.model.risk import DATABASES_TCP, DATABASES_UDP, MANAGEMENT_TCP, MANAGEMENT_UDP

# A source this large is "outside": an IPv4 /8, an IPv6 /28.
_FAR: Final = {Family.V4: 1 << 24, Family.V6: 1 << 100}
_DEFAULT_ROUTES: Final = ("0.0.0.0/0", "::/0", "default")
_SENSITIVE: Final = {TCP: MANAGEMENT_TCP | DATABASES_TCP, UDP: MANAGEMENT_UDP | DATABASES_UDP}
# Not routed on the Internet: RFC 1918, RFC 6598, loopback, link-local; RFC 4193.
_INSIDE: Final[dict[Family, Pairs]] = {
    Family.V4: Intervals.of(
        (0x0A000000, 0x0AFFFFFF), (0x64400000, 0x647FFFFF), (0x7F000000, 0x7FFFFFFF),
        (0xA9FE0000, 0xA9FEFFFF), (0xAC100000, 0xAC1FFFFF), (0xC0A80000, 0xC0A8FFFF),
    ).pairs,
    Family.V6: Intervals.of((0, 1), (0xFC << 120, (0xFE << 120) - 1), (0xFE80 << 112, (0xFEC0 << 112) - 1)).pairs,
}  # fmt: skip

Exposed = tuple[str, Rule, str, dict[str, str]]


def outside_interfaces(policy: Policy) -> frozenset[str]:
    """Return the interfaces that lead outside, as far as routes, or else NAT, tell: none when they do not."""
    names = {route.interface for route in policy.routes if route.prefix in _DEFAULT_ROUTES}
    names |= {one.interface for one in policy.networks if one.prefix in _DEFAULT_ROUTES}
    names.discard("")
    for rule in policy.nat if not names else ():
        for match in rule.matches:
            if rule.kind in (NatKind.MASQUERADE, NatKind.SNAT) and not match.egress.negated:
                names |= match.egress.names
            if rule.kind is NatKind.DNAT and not match.ingress.negated:
                names |= match.ingress.names
    return frozenset(name for name in names if name)


def is_public(source: AddressSet) -> bool:
    """Tell whether any of the addresses is routed on the Internet."""
    return any(lack(address_pairs(source, family), _INSIDE[family]) for family in (Family.V4, Family.V6))


def exposed_rules(
    policy: Policy, programs: Sequence[Program], acting: set[RuleKey], outside: frozenset[str]
) -> Iterator[Exposed]:
    """Return (kind, rule, code of the reason, blanks) for rules that act and let too much in from outside."""
    done: set[RuleKey] = set()
    for program in programs:
        space = program.space
        if space.hook is Hook.OUTPUT:
            continue
        far = {
            number
            for number, name in enumerate(space.interfaces.names)
            if not outside or number == space.interfaces.unnamed or name in outside
        } - {number for number, name in enumerate(space.interfaces.names) if name == "lo"}
        for item, origin in enumerate(program.origin):
            key = (origin.chain, origin.place)
            if origin.rule is None or key in done or key not in acting:
                continue
            if origin.rule.action is not Action.ACCEPT or program.op[item] not in (ACCEPT, SKIP):
                continue
            if program.op[item] == SKIP and not _is_last_word(policy, space.hook, origin.chain):
                continue
            found = _exposed(program, item, far)
            if found is not None:
                done.add(key)
                yield (found[0], origin.rule, found[1], found[2])


def _is_last_word(policy: Policy, hook: Hook, chain: str) -> bool:
    """Tell whether to be accepted here is more than to go on to the base chain that really filters."""
    keys = policy.hooks.get(hook, ())
    if chain not in keys:
        return True
    strict = [key for key in keys if policy.chains[key].default is not Action.ACCEPT]
    return chain in strict or not strict


def _exposed(program: Program, item: int, far: set[int]) -> tuple[str, str, dict[str, str]] | None:
    space, sets = program.space, program.sets[item]
    new_only = [pair for pair in space.tables[Dim.STATE].pairs[sets[Dim.STATE]] if pair[0] == 0]
    pairs = [table.pairs[number] for table, number in zip(space.tables, sets, strict=True)]
    ingress = {n for low, high in pairs[Dim.INGRESS] for n in range(low, high + 1)}
    if not new_only or not ingress & far:
        return None
    public = lack(pairs[Dim.SOURCE], _INSIDE[space.family])
    if sum(high - low + 1 for low, high in public) < _FAR[space.family]:
        return None
    any_port = sets[Dim.DPORT] == WHOLE or pairs[Dim.DPORT] == ((1, 65535),)
    any_protocol = sets[Dim.PROTOCOL] == WHOLE
    if any_port and any_protocol and sets[Dim.TARGET] == WHOLE and sets[Dim.SOURCE] == WHOLE:
        return ("too-wide", "lint-too-wide", {"hook": space.hook.value})
    if any_port and (any_protocol or touch(pairs[Dim.PROTOCOL], ((TCP, TCP),))):
        return ("any-service", "lint-any-service", {})
    hit = []
    for protocol, sensitive in _SENSITIVE.items():
        if touch(pairs[Dim.PROTOCOL], ((protocol, protocol),)):
            ports = meet(pairs[Dim.DPORT], sensitive.pairs)
            if ports and Intervals.trusted(pairs[Dim.DPORT]) != ANY_PORT:
                hit.append(f"{show_protocol(protocol)}/{show_ports(Intervals.trusted(ports))}")
    if hit and touch(pairs[Dim.PROTOCOL], WITH_PORTS.pairs):
        return ("management-exposed", "lint-management", {"service": ", ".join(hit)})
    return None
