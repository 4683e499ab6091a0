"""Commands of IOS that decide nothing about which new connections pass, or where they go.

Everything that is not in these lists and not read elsewhere is kept as unread.
Source: Cisco IOS command references, by command.
"""

from __future__ import annotations

from typing import Final

# First words.
HARMLESS: Final = frozenset({
    "aaa", "aaa-server", "alias", "archive", "arp", "authentication", "auto", "banner", "boot",
    "boot-end-marker", "boot-start-marker", "bridge", "buffers", "call-home", "cdp", "cef", "chat-script",
    "class-map", "clock", "cns", "config-register", "configuration", "Current", "Building", "Last", "card",
    "control-plane", "controller", "crypto", "cts", "device-sensor", "device-tracking", "diagnostic", "dot1x",
    "dot11", "dialer-list", "dspfarm", "enable", "end", "environment", "epm", "errdisable", "exception",
    "exit", "file", "flow", "gw-accounting", "hostname", "hw-module", "inspect", "ip-sla", "isdn", "kerberos",
    "key", "l2tp-class", "lacp", "license", "line", "lldp", "location", "logging", "login", "mac",
    "mac-address-table", "macro", "mediatrace", "memory", "memory-size", "mgcp", "mls", "mmi", "modem", "module",
    "monitor", "mta", "multilink", "network-clock", "no-fair-queue", "ntp", "nmsp", "object", "parameter-map",
    "parser", "password", "platform", "policy-map", "port-channel", "power", "ppp", "privilege", "process",
    "profile", "prompt", "radius", "radius-server", "redundancy", "resource", "rmon", "rtr", "scheduler",
    "sccp", "security", "service", "service-list", "snmp", "snmp-server", "software", "spanning-tree",
    "stackwise-virtual", "subscriber", "switch", "system", "tacacs", "tacacs-server", "telephony-service",
    "template", "terminal", "tftp-server", "time-range", "track", "transceiver", "troubleshooting",
    "udld", "upgrade", "username", "vc", "version", "virtual-service", "vlan", "voice", "voice-port", "vpdn",
    "vpdn-group", "vtp", "vtp-domain", "warm-reboot", "wsma", "xconnect", "yang-interfaces", "netconf-yang",
    "restconf", "sdm", "transport", "vrf", "identity", "fhrp", "global-address-family", "address-family",
    "md5", "media", "mpls", "route-map", "dial-peer", "sip-ua", "gateway", "cwmp", "tls-proxy", "event",
    "default-value", "load-interval", "pagp", "psp", "access-session", "avb", "coap", "app-hosting",
    "iox", "guestshell", "line-card", "utd", "zone", "appfw",
})  # fmt: skip
# `ip X`, `ipv6 X` at the margin.
IP_HARMLESS: Final = frozenset({
    "as-path", "bgp-community", "bootp", "cef", "classless", "community-list", "default-network-name", "device",
    "dhcp", "dhcp-client", "dhcp-relay", "dhcp-server", "dns", "domain", "domain-list", "domain-lookup",
    "domain-name", "dvmrp", "extcommunity-list", "finger", "flow-cache", "flow-export", "flow-top-talkers",
    "forward-protocol", "ftp", "ftp-server", "gratuitous-arps", "host", "http", "icmp", "identd", "igmp",
    "inspect", "ips", "local-pool", "mfib", "mrouting", "mroute", "mrm", "msdp", "multicast", "multicast-routing",
    "name-server", "options", "pim", "prefix-list", "radius", "rcmd", "routing", "scp", "sla", "source-route",
    "ssh", "subnet-zero", "tacacs", "tcp", "telnet", "tftp", "tunnel", "udp", "unicast-routing", "vrf",
    "nd", "neighbor", "hop-limit", "general-prefix", "local", "nhrp", "rsvp", "sap", "sdr", "snmp", "spd",
    "traffic-export", "dhcp-relay-agent", "finger-server", "accounting", "accounting-threshold", "tcp-mss",
    "arp", "address-pool", "explicit-path", "reflexive-list", "alias", "admission", "auth-proxy",
})  # fmt: skip
# Below `interface`: first words, and second words behind `ip` and `ipv6`.
INTERFACE: Final = frozenset({
    "access-session", "arp", "authentication", "auto", "autostate", "backup", "bandwidth", "bfd", "bridge-group",
    "cdp", "channel-group", "channel-protocol", "clock", "compress", "cts", "dampening", "delay", "description",
    "device-tracking", "dialer", "dialer-group", "dot1q", "dot1x", "duplex", "encapsulation", "fair-queue",
    "flow-sampler", "flowcontrol", "frame-relay", "full-duplex", "half-duplex", "glbp", "hold-queue", "isdn",
    "isis", "keepalive", "l2protocol-tunnel", "lacp", "lldp", "load-interval", "logging", "mab", "mac-address",
    "macro", "max-reserved-bandwidth", "mdix", "media-type", "mls", "mop", "mpls", "mtu", "negotiation", "no",
    "nmsp", "ntp", "ospfv3", "peer", "platform", "port-type", "power", "ppp", "pppoe", "pppoe-client",
    "priority-queue", "pulse-time", "qos", "queue-set", "random-detect", "rate-limit", "service-policy", "shape",
    "shutdown", "snmp", "spanning-tree", "speed", "srr-queue", "standby", "storm-control", "switchport",
    "tag-switching", "tunnel", "tx-ring-limit", "udld", "vlan", "vlan-id", "voice", "vrrp", "wrr-queue", "x25",
    "hsrp", "carrier-delay", "trust", "source", "l2transport", "physical-layer", "pagp", "crypto-engine",
    "service", "spanning", "private-vlan", "cable", "dsl", "atm", "pvc", "ethernet", "macsec", "mka",
})  # fmt: skip
INTERFACE_IP: Final = frozenset({
    "accounting", "arp", "authentication", "bandwidth-percent", "bgp", "broadcast-address", "cef", "cgmp", "dhcp",
    "directed-broadcast", "dvmrp", "enable", "flow", "helper-address", "hello-interval", "hold-time", "icmp",
    "igmp", "inspect", "irdp", "load-sharing", "local-proxy-arp", "mask-reply", "mfib", "mrm", "mroute-cache",
    "mtu", "multicast", "nbar", "nd", "nhrp", "ospf", "pim", "probe", "proxy-arp", "redirects", "rip",
    "route-cache", "rsvp", "sap", "security", "sdr", "split-horizon", "summary-address", "tcp", "unreachables",
    "virtual-reassembly", "virtual-reassembly-out", "rtp", "rgmp", "eigrp", "traffic-export", "mld", "router",
    "vrf-autoclassify", "ips", "device", "tunnel", "address-pool",
})  # fmt: skip
# First words of lines that stand inside a block, should their indentation be lost.
INNER: Final = frozenset({"permit", "deny", "remark", "evaluate"})


def is_harmless(words: list[str]) -> bool:
    """Tell whether a command at the margin decides nothing here."""
    if words[0] == "no" and len(words) > 1 and words[1] != "no":
        deciding = words[1] in ("ip", "ipv6") and words[2:3] in (
            ["access-list"],
            ["route"],
            ["nat"],
            ["routing"],
        )
        return not deciding and (words[1] in ("ip", "ipv6") or is_harmless(words[1:]))
    if words[0] in ("ip", "ipv6"):
        return len(words) > 1 and words[1] in IP_HARMLESS
    return words[0] in HARMLESS


def is_harmless_below(words: list[str]) -> bool:
    """Tell whether a command below `interface` decides nothing here."""
    if words[0] in ("ip", "ipv6"):
        return len(words) > 1 and words[1] in INTERFACE_IP
    return words[0] in INTERFACE
