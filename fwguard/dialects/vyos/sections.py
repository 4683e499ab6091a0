"""Which parts of a configuration have nothing to do with filtering, NAT or routes: by name, never by default.

Each part is read elsewhere, or harmless, or said to be unread. Source: VyOS user guide, all chapters.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.vyos.nat import NatReader
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.tree import Node

READ: Final = frozenset({
    "firewall", "zone-policy", "nat", "nat66", "interfaces", "protocols", "policy", "system", "service",
    "vrf", "load-balancing", "container",
})  # fmt: skip
HARMLESS: Final = frozenset({
    "cluster", "high-availability", "netns", "pki", "qos", "qos-policy", "traffic-policy", "vpn",
    "custom-attribute",
})  # fmt: skip
FIREWALL_READ: Final = frozenset({
    "name", "ipv6-name", "ipv4", "ipv6", "group", "zone", "interface", "state-policy", "global-options",
})  # fmt: skip
# Settings of the kernel (sysctl), of logs and name look-ups. `source-validation` drops packets whose source
# is not routed to where they come from: spoofed ones, of which no rule here speaks.
FIREWALL_HARMLESS: Final = frozenset({
    "all-ping", "broadcast-ping", "config-trap", "ip-src-route", "ipv6-receive-redirects", "ipv6-src-route",
    "log-martians", "receive-redirects", "send-redirects", "source-validation", "ipv6-source-validation",
    "syn-cookies", "twa-hazards-protection", "options", "flowtable", "resolver-cache", "resolver-internal",
    "resolver-interval", "directed-broadcast", "conntrack-table-size",
})  # fmt: skip
GLOBAL_HARMLESS: Final = FIREWALL_HARMLESS | {"state-policy", "timeout", "apply-to-bridged-traffic", "geoip"}
PROTOCOLS_HARMLESS: Final = frozenset({
    "static", "vrf", "bgp", "ospf", "ospfv3", "rip", "ripng", "isis", "eigrp", "babel", "bfd", "igmp", "igmp-proxy",
    "mpls", "nhrp", "openfabric", "pim", "pim6", "rpki", "segment-routing", "multicast", "traffic-engineering",
})  # fmt: skip
POLICY_HARMLESS: Final = frozenset({
    "access-list", "access-list6", "as-path-list", "community-list", "extcommunity-list", "ip",
    "large-community-list", "prefix-list", "prefix-list6", "route-map", "route", "route6", "ipv6-route",
})  # fmt: skip
SERVICE_HARMLESS: Final = frozenset({
    "broadcast-relay", "config-sync", "conntrack-sync", "console-server", "dhcp-relay", "dhcp-server",
    "dhcpv6-relay", "dhcpv6-server", "dns", "event-handler", "gps", "https", "ids", "ipoe-server", "lldp",
    "mdns", "monitoring", "ndp-proxy", "ntp", "pppoe-server", "router-advert", "salt-minion", "sla", "snmp",
    "ssh", "stunnel", "telegraf", "telnet", "tftp-server",
})  # fmt: skip
SYSTEM_HARMLESS: Final = frozenset({
    "acceleration", "config-management", "console", "domain-name", "domain-search", "flow-accounting", "frr",
    "gateway-address", "host-name", "ip", "ipv6", "kernel", "lcd", "login", "logs", "name-server",
    "name-servers-dhcp", "ntp", "option", "options", "package", "proxy", "sflow", "static-host-mapping", "syslog",
    "task-scheduler", "time-zone", "update-check", "wireless", "watchdog", "conntrack", "sysctl",
    "netflow", "nat",
})  # fmt: skip
CONNTRACK_HARMLESS: Final = frozenset({
    "expect-table-size", "flow-accounting", "hash-size", "log", "modules", "table-size", "tcp", "timeout", "ignore",
})  # fmt: skip


def check_sections(root: Node, notes: Notes, nat: NatReader) -> list[tuple[Node, str]]:
    """Keep what is not known as unread; return what may change every verdict, each with why."""
    closing: list[tuple[Node, str]] = []
    for node in root.children.values():
        if node.name not in READ | HARMLESS:
            closing.append((node, "a part of a configuration that is not known"))
    for node in root.nodes("firewall"):
        if node.name == "bridge":
            notes.add(node, "rules for bridged frames: not judged", where="firewall")
        elif node.name not in FIREWALL_READ | FIREWALL_HARMLESS:
            closing.append((node, "not known below firewall"))
    for node in root.nodes("firewall", "global-options"):
        if node.name not in GLOBAL_HARMLESS:
            closing.append((node, "not known below firewall global-options"))
    for path, harmless, why in (
        (("protocols",), PROTOCOLS_HARMLESS, "routes of a kind that is not read"),
        (("policy",), POLICY_HARMLESS, "a policy of a kind that is not read"),
        (("service",), SERVICE_HARMLESS | {"upnp", "webproxy"}, "a service that is not known"),
        (("system",), SYSTEM_HARMLESS, "a system setting that is not known"),
        (("system", "conntrack"), CONNTRACK_HARMLESS, "a setting of conntrack that is not known"),
    ):
        for node in root.nodes(*path):
            if node.name not in harmless:
                notes.add(node, why, where=" ".join(path))
    for node in root.nodes("load-balancing"):
        if node.name == "wan":
            notes.add(node, "chooses interface and source address of connections", where="load-balancing")
        elif node.name not in ("reverse-proxy", "haproxy"):
            notes.add(node, "load balancing of a kind that is not known", where="load-balancing")
    _redirecting(root, nat)
    return closing


def _redirecting(root: Node, nat: NatReader) -> None:
    """Find what redirects connections without a NAT rule."""
    upnp = root.child("service", "upnp")
    if upnp is not None:
        nat.doubt(upnp, "clients redirect ports as they like", "service")
    proxy = root.child("service", "webproxy")
    if proxy is not None:
        for node in proxy.nodes("listen-address"):
            if "disable-transparent" not in node.children:
                nat.doubt(node, "redirects web traffic to the proxy", "service webproxy listen-address")
    for container in root.nodes("container", "name"):
        for port in container.nodes("port"):
            nat.doubt(port, "publishes a port of a container", f"container name {container.name} port")
