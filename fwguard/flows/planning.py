"""From what a client asks to what its firewall must be told (pure: no session, no device)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Firewall, Server
from fwguard.model.policy import NatKind, NatRule, Policy
from fwguard.model.ports import ICMP, ICMPV6, WITH_PORTS, show_ports, show_protocol
from fwguard.model.ticket import Ask

# One redirection is written per port; more than this is no service but a range, and wants its own address.
MOST_REDIRECTED_PORTS: Final = 32
_TO_SERVERS: Final = frozenset({NatKind.DNAT, NatKind.REDIRECT, NatKind.STATIC, NatKind.NETMAP})


@dataclass(frozen=True, slots=True)
class _Taken:
    """Where connections to a public address and port go already."""

    address: AddressSet
    ports: Intervals


def plan(ask: Ask, *, server: Server, firewall: Firewall, policy: Policy, tag: str) -> Change:
    """Return the change that makes `ask` true on a firewall that does `policy`: one opening for each IP
    version that both ends have, and the redirections that are missing from the public addresses to it.

    Raises InputError when no IP version fits or every public address has the port redirected elsewhere.
    """
    openings: list[Opening] = []
    redirections: list[Redirection] = []
    for inner in server.addresses:
        version = parse_span(inner)[0]
        target = AddressSet.parse(inner)
        source = ask.source.of_family(Family.V4 if version == 4 else Family.V6)
        if not source or not _fits(ask.protocol, version):
            continue
        openings.append(Opening(protocol=ask.protocol, source=source, target=target, ports=ask.ports))
        if ask.protocol in WITH_PORTS:
            redirections += _redirections(ask, inner, version, firewall, policy)
    if not openings:
        raise InputError(
            f"{show_protocol(ask.protocol)} from {ask.source} to {server.name} shares no IP version",
            expected="a source of the server's own IP versions: " + ", ".join(server.addresses),
        )
    return Change(tag=tag, openings=tuple(openings), redirections=tuple(redirections))


def removal(change: Change) -> Change:
    """Return the change that takes another one back."""
    return Change(tag=change.tag, openings=change.openings, redirections=change.redirections, remove=True)


def _fits(protocol: int, version: int) -> bool:
    return not (protocol == ICMP and version == 6) and not (protocol == ICMPV6 and version == 4)


def _redirections(
    ask: Ask, inner: str, version: int, firewall: Firewall, policy: Policy
) -> list[Redirection]:
    public = [address for address in firewall.public if parse_span(address)[0] == version]
    if not public or inner in public:
        return []  # the server is reached by its own address
    ports = [port for low, high in ask.ports for port in range(low, high + 1)][: MOST_REDIRECTED_PORTS + 1]
    if len(ports) > MOST_REDIRECTED_PORTS:
        raise InputError(
            f"{show_ports(ask.ports)} through a redirection",
            expected=f"at most {MOST_REDIRECTED_PORTS} ports",
        )
    return [step for port in ports for step in _redirection(ask, inner, public, port, policy)]


def _redirection(
    ask: Ask, inner: str, public: list[str], port: int, policy: Policy
) -> tuple[Redirection, ...]:
    """Return the one redirection that is missing, or nothing when some public address leads there already."""
    free: list[str] = []
    for address in public:
        taken = redirected(policy.nat, ask.protocol, address, port)
        if taken is None:
            free.append(address)
        elif inner in taken.address and port in taken.ports:
            return ()
    if not free:
        raise InputError(
            f"{show_protocol(ask.protocol)}/{port} of {', '.join(public)} is redirected to another server",
            expected="another port, or a further public address",
        )
    return (
        Redirection(protocol=ask.protocol, public=free[0], public_port=port, inner=inner, inner_port=port),
    )


def redirected(nat: tuple[NatRule, ...], protocol: int, address: str, port: int) -> _Taken | None:
    """Return where new connections to a public address and port are sent, by the first rule that matches."""
    for rule in nat:
        if rule.kind not in _TO_SERVERS and rule.kind is not NatKind.EXEMPT:
            continue
        for match in rule.matches:
            if (
                match.can_be_new
                and protocol in match.protocol
                and address in match.target
                and port in match.dport
                and not match.unknown
            ):
                if rule.kind is NatKind.EXEMPT:
                    return None
                return _Taken(rule.to, rule.to_ports or Intervals.single(port))
    return None
