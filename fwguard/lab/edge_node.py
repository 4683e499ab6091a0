"""The operator's edge: one routed port a server and two a firewall, one routing table a client."""

from __future__ import annotations

from collections.abc import Iterator

from fwguard.lab import plan as p
from fwguard.lab.plan import FirewallPlan, Plan, ServerPlan

INNER_TABLE = 1000  # + index: where a client's servers send
FIREWALL_TABLE = 2000  # + index: where the inside of its firewall sends
ZONE_INNER = 1000  # + index: conntrack zone before the client's NAT
ZONE_OUTER = 2000  # + index: and after it


def sysctls() -> dict[str, int]:
    """Return what the edge needs before it has ports.

    No reverse-path filter: it looks up without the ingress rule, so it would judge by the wrong table.
    """
    return {
        "net/ipv4/ip_forward": 1,
        "net/ipv4/conf/all/rp_filter": 0,
        "net/ipv4/conf/default/rp_filter": 0,
        "net/ipv4/conf/all/send_redirects": 0,
        "net/ipv4/conf/default/send_redirects": 0,
        "net/ipv6/conf/all/forwarding": 1,
        "net/ipv6/conf/default/forwarding": 1,
        "net/ipv6/conf/all/proxy_ndp": 1,
    }


def port_sysctls(plan: Plan) -> dict[str, int]:
    """Return what the inner ports need: to answer at once for the client's other hosts."""
    settings = {}
    for port in [s.port for s in plan.servers] + [f.port_in for f in plan.firewalls]:
        settings[f"net/ipv4/conf/{port}/proxy_arp"] = 1
        settings[f"net/ipv4/neigh/{port}/proxy_delay"] = 0
        settings[f"net/ipv6/neigh/{port}/proxy_delay"] = 0
    return settings


def batch(plan: Plan) -> Iterator[str]:
    """Return the edge's `ip -batch` lines; they also make the other ends of its ports."""
    yield f"link add uplink type veth peer name eth0 netns {plan.netns('internet')}"
    yield "link set uplink up"
    yield f"addr add {p.EDGE_UPLINK4}/24 dev uplink"
    yield f"addr add {p.EDGE_UPLINK6}/64 dev uplink nodad"
    yield f"link add mail type veth peer name eth0 netns {plan.netns('mail')}"
    yield "link set mail up"
    yield f"addr add {p.MAIL_GATEWAY4}/24 dev mail"
    yield f"addr add {p.MAIL_GATEWAY6}/64 dev mail nodad"
    yield f"route add default via {p.INTERNET4}"
    yield f"route add default via {p.INTERNET6}"
    for private in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"):
        yield f"route add unreachable {private}"
    for firewall in plan.firewalls:
        yield from _firewall(plan, firewall)


def _firewall(plan: Plan, firewall: FirewallPlan) -> Iterator[str]:
    netns, inner, outer = plan.netns(firewall.name), firewall.port_in, firewall.port_out
    yield f"link add {outer} type veth peer name wan0 address {firewall.mac('out')} netns {netns}"
    yield f"link set {outer} up"
    yield f"addr add {firewall.link4[0]}/30 dev {outer}"
    yield f"addr add {firewall.link6[0]}/126 dev {outer} nodad"
    yield f"neigh add {firewall.link4[1]} lladdr {firewall.mac('out')} dev {outer} nud permanent"
    yield f"neigh add {firewall.link6[1]} lladdr {firewall.mac('out')} dev {outer} nud permanent"
    for public in firewall.public4:
        yield f"route add {public}/32 via {firewall.link4[1]} dev {outer}"
    for public in firewall.public6:
        yield f"route add {public}/128 via {firewall.link6[1]} dev {outer}"
    yield f"link add {inner} type veth peer name lan0 address {firewall.mac('in')} netns {netns}"
    yield f"link set {inner} up"
    for server in firewall.servers:
        peer = f"peer name eth0 address {server.mac} netns {plan.netns(server.name)}"
        yield f"link add {server.port} type veth {peer}"
        yield f"link set {server.port} up"
    yield from _client_tables(firewall)


def _client_tables(firewall: FirewallPlan) -> Iterator[str]:
    """Servers reach their own client's hosts and send the rest to its firewall; the firewall's inside
    reaches its servers and nothing else. Neighbours are permanent: the edge knows who is behind a port."""
    members = [(p.GATEWAY4, p.GATEWAY6, firewall.port_in, firewall.mac("in"))]
    members += [(s.address4, s.address6, s.port, s.mac) for s in firewall.servers]
    for table in (INNER_TABLE + firewall.index, FIREWALL_TABLE + firewall.index):
        for v4, v6, port, _mac in members:
            yield f"route add {v4}/32 dev {port} table {table}"
            yield f"route add {v6}/128 dev {port} table {table}"
    inner, outward = INNER_TABLE + firewall.index, firewall.port_in
    yield f"route add default via {p.GATEWAY4} dev {outward} onlink table {inner}"
    yield f"route add default via {p.GATEWAY6} dev {outward} onlink table {inner}"
    yield f"route add unreachable default table {FIREWALL_TABLE + firewall.index}"
    yield f"route add unreachable ::/0 table {FIREWALL_TABLE + firewall.index}"
    for v4, v6, port, mac in members:
        table = (FIREWALL_TABLE if port == firewall.port_in else INNER_TABLE) + firewall.index
        for family in ("", "-6 "):
            yield f"{family}rule add iif {port} lookup {table} priority {1000 + firewall.index}"
        yield f"neigh add {v4} lladdr {mac} dev {port} nud permanent"
        yield f"neigh add {v6} lladdr {mac} dev {port} nud permanent"
        for _v4, other, other_port, _mac in members:
            if other_port != port:
                yield f"neigh add proxy {other} dev {port}"


def server_batch(server: ServerPlan) -> Iterator[str]:
    """Return a server's own configuration: as if on one Ethernet with its firewall."""
    yield "link set eth0 up"
    yield f"addr add {server.address4}/24 dev eth0"
    yield f"addr add {server.address6}/64 dev eth0 nodad"
    yield f"route add default via {p.GATEWAY4}"
    yield f"route add default via {p.GATEWAY6}"


def internet_sysctls() -> dict[str, int]:
    """Return what the Internet needs: a server that gave up root before it listens may take any port there."""
    return {"net/ipv4/ip_unprivileged_port_start": 0}


def internet_batch() -> Iterator[str]:
    """Return the configuration of the Internet: one host with three addresses of each family."""
    yield "link set eth0 up"
    yield f"addr add {p.INTERNET4}/24 dev eth0"
    yield f"addr add {p.PARTNER4}/24 dev eth0"
    yield f"addr add {p.SCANNER4}/24 dev eth0"
    yield f"addr add {p.INTERNET6}/64 dev eth0 nodad"
    yield f"addr add {p.SCANNER6}/64 dev eth0 nodad preferred_lft 0"
    yield f"addr add {p.PARTNER6}/128 dev eth0 nodad preferred_lft 0"
    yield f"route add default via {p.EDGE_UPLINK4}"
    yield f"route add default via {p.EDGE_UPLINK6} src {p.INTERNET6}"


def ruleset(plan: Plan) -> str:
    """Return the skeleton: connection tracking apart for each client, before and after its NAT."""
    zones: dict[str, int] = {}
    for firewall in plan.firewalls:
        inner = [firewall.port_in, *(server.port for server in firewall.servers)]
        zones |= dict.fromkeys(inner, ZONE_INNER + firewall.index)
    zones |= {f.port_out: ZONE_OUTER + f.index for f in plan.firewalls}
    by_port = ", ".join(f'"{port}" : {zone}' for port, zone in zones.items())
    by4 = ", ".join(f"{a} : {ZONE_OUTER + f.index}" for f in plan.firewalls for a in f.public4)
    by6 = ", ".join(f"{a} : {ZONE_OUTER + f.index}" for f in plan.firewalls for a in f.public6)
    return f"""table inet fwguard_edge {{
	chain zones {{
		type filter hook prerouting priority raw; policy accept;
		ct zone set iifname map {{ {by_port} }}
		iifname {{ "uplink", "mail" }} ct zone set ip daddr map {{ {by4} }}
		iifname {{ "uplink", "mail" }} ct zone set ip6 daddr map {{ {by6} }}
	}}
}}
"""
