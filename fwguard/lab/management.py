"""The management network: a bridge on which firewalls answer the controller and reach nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from netaddr import EUI

from fwguard.lab import plan as p
from fwguard.lab.plan import Plan, mac_of


def batch(plan: Plan) -> Iterator[str]:
    """Return the bridge's `ip -batch` lines; they also make the other ends of its ports.

    Isolated ports talk to the controller's port only (ip-link(8), bridge_slave isolated).
    """
    yield "link add bridge0 type bridge stp_state 0 mcast_snooping 0"
    yield "link set bridge0 up"
    hosts = [("controller", "controller", False), ("mail", "mail", True)]
    hosts += [(firewall.name, firewall.port_mgmt, True) for firewall in plan.firewalls]
    for host, port, isolated in hosts:
        mac = mac_of(f"{host}-mgmt")
        yield f"link add {port} type veth peer name mgmt0 address {mac} netns {plan.netns(host)}"
        yield f"link set {port} master bridge0 up"
        if isolated:
            yield f"link set {port} type bridge_slave isolated on"


def controller_batch() -> Iterator[str]:
    """Return the configuration of the controller's namespace."""
    yield "link set mgmt0 up"
    yield f"addr add {p.CONTROLLER4}/16 dev mgmt0"
    yield f"addr add {p.CONTROLLER6}/64 dev mgmt0 nodad"


def bridge_ruleset(plan: Plan) -> str:
    """Return the rules that hold each firewall to its own addresses on the bridge, ARP and ND included."""
    hosts = [
        ("controller", "controller", p.CONTROLLER4, p.CONTROLLER6),
        ("mail", "mail", p.MAIL_MGMT4, p.MAIL_MGMT6),
    ]
    hosts += [(f.name, f.port_mgmt, f.mgmt4, f.mgmt6) for f in plan.firewalls]
    true4, true6 = [], []
    for host, port, v4, v6 in hosts:
        mac = mac_of(f"{host}-mgmt")
        true4.append(f'"{port}" . {mac} . {v4}')
        true6 += [f'"{port}" . {mac} . {address}' for address in (v6, EUI(mac).ipv6_link_local(), "::")]
    return f"""table bridge fwguard_mgmt {{
	set true4 {{
		typeof iifname . ether saddr . ip saddr
		elements = {{ {", ".join(true4)} }}
	}}
	set true6 {{
		typeof iifname . ether saddr . ip6 saddr
		elements = {{ {", ".join(true6)} }}
	}}
	chain ports {{
		type filter hook prerouting priority filter; policy drop;
		ether type ip iifname . ether saddr . ip saddr @true4 accept
		ether type ip6 iifname . ether saddr . ip6 saddr @true6 accept
		ether type arp iifname . arp saddr ether . arp saddr ip @true4 accept
	}}
}}
"""


def controller_ruleset() -> str:
    """Return the controller's own filter: it is answered, and takes the mail door's LMTP."""
    return f"""table inet fwguard_controller {{
	chain input {{
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		ct state established,related accept
		icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
		ip saddr {p.MAIL_MGMT4} tcp dport 24 accept
		ip6 saddr {p.MAIL_MGMT6} tcp dport 24 accept
	}}
}}
"""
