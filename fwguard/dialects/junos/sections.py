"""Which statements of a Junos configuration say nothing of filtering, NAT or routing: an explicit list.

What is in no list is unread. Below `security` it might be anything, so that it also makes verdicts
unknown; elsewhere it is only said. Screens, and services that look into payloads, stop attacks and
content within connections that policies let in: they never let anything in.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos.zones import families
from fwguard.dialects.unread import Notes

READ_TOP: Final = frozenset(
    {"security", "applications", "interfaces", "firewall", "policy-options", "routing-options", "routing-instances"}
)  # fmt: skip
SILENT_TOP: Final = frozenset(
    {"version", "system", "chassis", "snmp", "event-options", "accounting-options", "access", "access-profile",
     "class-of-service", "ethernet-switching-options", "vlans", "bridge-domains", "poe", "smtp", "wlan", "cli",
     "services", "schedulers", "protocols", "virtual-chassis", "forwarding-options", "multi-chassis", "jsrc",
     "session-limit-group", "unified-edge", "diameter", "dynamic-profiles", "host-name", "domain-name", "comments",
     "rcsid", "switch-options", "l2-learning", "fabric", "modem-interfaces", "licenses", "openconfig-system"}
)  # fmt: skip
READ_SECURITY: Final = frozenset({"policies", "zones", "address-book", "nat", "forwarding-options"})
SILENT_SECURITY: Final = frozenset(
    {"screen", "flow", "alg", "ike", "ipsec", "log", "pki", "ssh-known-hosts", "certificates", "utm", "idp",
     "application-tracking", "user-identification", "analysis", "datapath-debug", "group-vpn",
     "resource-manager", "tcp-encap", "traceoptions", "firewall-authentication", "forwarding-process", "gprs", "gtp",
     "sctp", "intelligence", "remote-access", "macsec", "key-protection", "dynamic-vpn", "dynamic-address",
     "ipsec-policy", "ipsec-vpn", "alarms", "authentication-key-chains", "ngfw", "softwires",
     "advanced-anti-malware", "security-intelligence", "ssl", "tls", "distribution-profile", "metadata-streaming",
     "description", "application-firewall", "application-traffic-control", "address-list", "identity-management",
     "dns-filtering", "secure-wire"}
)  # fmt: skip
SILENT_POLICIES: Final = frozenset(
    {"from-zone", "global", "default-policy", "policy-rematch", "policy-stats", "pre-id-default-policy",
     "traceoptions", "unified-policy", "system-default-policy", "lookup"}
)  # fmt: skip
SILENT_ZONE: Final = frozenset(
    {"interfaces", "host-inbound-traffic", "address-book", "screen", "tcp-rst", "description", "application-tracking",
     "source-identity-log", "enable-reverse-reroute", "unidirectional-session-refreshing", "name"}
)  # fmt: skip
SILENT_ZONES: Final = frozenset({"security-zone", "functional-zone", "common"})
SILENT_FAMILY: Final = frozenset(
    {"address", "mtu", "dhcp", "dhcp-client", "dhcpv6-client", "no-redirects", "no-neighbor-learn", "primary",
     "unnumbered-address", "negotiate-address", "filter", "sampling", "targeted-broadcast", "demux-source",
     "mac-validate", "tcp-mss", "no-icmp-redirect", "dad-disable", "nd6-stale-time", "arp-retry-count", "vlan",
     "interface-mode", "port-mode", "native-vlan-id", "accounting", "description", "destination-udp-port"}
)  # fmt: skip
SILENT_FILTER: Final = ("input", "output", "input-list", "output-list", "group")
# Interfaces that judge or redirect packets by themselves.
WATCHED_FAMILY: Final = ("rpf-check", "service", "simple-filter", "policer")
IP: Final = ("inet", "inet6")
MODE: Final = {"inet6": "v6", "mpls": "", "iso": ""}


def check_sections(root: Node, notes: Notes) -> str:
    """Say what no list knows; return a reason when it may be anything, empty otherwise."""
    doubt = ""
    for child in root.children.values():
        if child.word in ("logical-systems", "tenants"):
            notes.node(child, "firewalls of their own, not read")
        elif child.word not in READ_TOP and child.word not in SILENT_TOP:
            notes.node(child, "not understood")
    for child in root.below("security"):
        if child.word not in READ_SECURITY and child.word not in SILENT_SECURITY:
            doubt = notes.node(child, f"security {child.word[:60]} is not understood")
    for child in root.below("security", "policies"):
        if child.word not in SILENT_POLICIES:
            doubt = notes.node(child, f"security policies {child.word[:60]} is not understood")
    for child in root.below("security", "zones"):
        if child.word not in SILENT_ZONES:
            notes.node(child, "not understood in zones")
    for zone in root.below("security", "zones", "security-zone"):
        for child in zone.children.values():
            if child.word not in SILENT_ZONE:
                notes.node(child, "not understood in a zone")
    _check_interfaces(root, notes)
    return doubt


def _check_interfaces(root: Node, notes: Notes) -> None:
    for _, _, family in families(root):
        if family.word not in IP:
            continue
        for child in family.children.values():
            if child.word in WATCHED_FAMILY:
                notes.node(child, "drops or redirects packets, and is not followed")
            elif child.word not in SILENT_FAMILY:
                notes.node(child, "not understood in an interface")
        for child in family.below("filter"):
            if child.word not in SILENT_FILTER:
                notes.node(child, "not understood as a filter of an interface")


def dropped_families(root: Node, notes: Notes) -> tuple[int, str]:
    """Return the line where IPv6 is dropped as a whole (0: nowhere), and why its verdicts are unknown."""
    modes = root.below("security", "forwarding-options", "family", "inet6", "mode")
    if not modes or modes[-1].word == "flow-based":
        return 0, ""
    if modes[-1].word == "drop":
        return modes[-1].line, ""
    return 0, notes.node(modes[-1], f"IPv6 is forwarded {modes[-1].word[:30]}: policies do not see it")
