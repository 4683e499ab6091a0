"""Tables beside the inet one: ARP, and bridged ports, where conntrack is refused: identity and cuts only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fwguard.compile.cuts import COMBINATIONS, combination
from fwguard.compile.guards import identity_chains
from fwguard.compile.names import TABLE
from fwguard.compile.sets import SetSpec
from fwguard.compile.skeleton import Logging, chain, cut_chains
from fwguard.model.controls import Controls
from fwguard.model.edge import EdgePort, EdgeState, Link

_PRIORITY: Final = -500
# With br_netfilter, frames between bridged ports would be judged once more as if they were routed.
BRIDGE_SYSCTLS: Final[Mapping[str, int]] = {
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
    "net/bridge/bridge-nf-call-arptables": 0,
}
"""What an edge with bridged ports needs where the module is loaded; the kernel's side sets it."""


def arp_table(specs: Iterable[SetSpec], log: Logging) -> str:
    """Return the arp table: who says that an address is at a MAC must hold both (RFC 826, RFC 5227)."""
    rules = [
        "type filter hook input priority filter; policy accept;",
        'iifname @arp_ports goto check comment "7.1 ARP"',
    ]
    check = [
        'iifname . arp saddr ether . arp saddr ip @arp_true accept comment "7.1 ARP"',
        'iifname . arp saddr ether . arp saddr ip @arp_true_span accept comment "7.1 ARP"',
        'arp operation request arp saddr ip 0.0.0.0 accept comment "7.1 ARP probe"',
        *log.refuse("7.1 forged ARP"),
    ]
    body = "".join(spec.declaration() for spec in specs) + chain("check", check) + chain("input", rules)
    return f"table arp {TABLE} {{\n{body}}}\n"


def bridged_ports(state: EdgeState) -> list[EdgePort]:
    """Return the bridged ports, started or not: a stopped one has a chain that passes nothing."""
    return [port for port in state.ports if port.link is Link.BRIDGED]


def netdev_table(specs: Iterable[SetSpec], ports: Iterable[EdgePort], controls: Controls) -> str:
    """Return the netdev table: one chain a device and direction (one chain takes less than 256 devices)."""
    log = Logging(controls)
    spot = combination(controls.isolation.on_the_spot)
    chains: list[tuple[str, list[str]]] = []
    for name, passages in COMBINATIONS:
        chains += cut_chains(name, passages, log)
    chains += identity_chains(log.refuse)
    chains.append(("accept_true", ['accept comment "4"']))
    chains.append(
        (
            "arp_in",
            [
                'iifname . arp saddr ether . arp saddr ip @arp_true accept comment "7.1 ARP"',
                'iifname . arp saddr ether . arp saddr ip @arp_true_span accept comment "7.1 ARP"',
                'arp operation request arp saddr ip 0.0.0.0 accept comment "7.1 ARP probe"',
                *log.refuse("7.1 forged ARP"),
            ],
        )
    )
    chains.append(
        (
            "enter",
            [
                f'iifname @cut_local_port jump cut_{spot}_from comment "6.1 cut on the spot"',
                'iifname vmap @cut_ordered_from comment "8 isolation ordered"',
                f'ether saddr @cut_local_mac jump cut_{spot}_from comment "6.1 cut on the spot"',
                'ether saddr vmap @cut_ordered_mac comment "8 isolation ordered"',
                'ether type arp iifname . ether saddr @true_mac goto arp_in comment "7.1 ARP"',
                'ether type { ip, ip6 } goto identify comment "4"',
                'counter drop comment "4 neither IP nor ARP, or a forged MAC"',
            ],
        )
    )
    chains.append(
        (
            "leave",
            [
                f'oifname @cut_local_port jump cut_{spot}_to comment "6.1 cut on the spot"',
                'oifname vmap @cut_ordered_to comment "8 isolation ordered"',
            ],
        )
    )
    for port in ports:
        base = f'hook {{}} device "{port.interface}" priority {_PRIORITY}; policy {{}};'
        for way, hook, last in (("in", "ingress", "goto enter"), ("out", "egress", "goto leave")):
            policy = "accept" if port.is_started else "drop"
            rules = [f"type filter {base.format(hook, policy)}"]
            rules += [f'{last} comment "4 port {port.number} {port.server}"'] if port.is_started else []
            chains.append((f"{way}_{port.number}", rules))
    body = "".join(spec.declaration() for spec in specs) + "".join(chain(*one) for one in chains)
    return f"table netdev {TABLE} {{\n{body}}}\n"
