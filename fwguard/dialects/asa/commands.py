"""Commands that decide nothing about which new connections pass, or where they go: read past in silence.

Everything that is not in these lists and not read elsewhere is kept as unread.
Source: ASA command reference, by command.
"""

from __future__ import annotations

from typing import Final

# First words.
HARMLESS: Final = frozenset({
    "aaa-server", "app-agent", "arp", "asdm", "asp", "auto-update", "banner", "blocks", "boot",
    "call-home", "checkheaps", "class-map", "clear", "client-update", "clock", "cluster-interface-mode",
    "compression", "config-register", "configure", "console", "cpu", "coredump", "cts", "ddns", "dhcp-client",
    "dhcpd-ping", "dns", "dns-group", "domain-name", "dp-tcp-proxy", "dtls", "dynamic-access-policy-record",
    "dynamic-filter", "enable", "end", "eject", "exit", "fips", "firmware", "flow-export", "flow-offload",
    "fragment", "ftp", "group-policy", "hostname", "hpm", "hw-module", "ikev1", "jumbo-frame", "key", "lacp",
    "ldap", "logging", "mac-address", "management-access", "map", "media-type", "memory", "monitor-interface",
    "mtu", "multicast-routing", "names", "ntp", "pager", "passwd", "password", "password-policy",
    "pim", "platform", "policy-map", "prefix-list", "privilege", "prompt", "quit", "redundancy",
    "resource-class", "saml", "scansafe", "service-interface", "service-module", "sla", "smtp-server",
    "snmp-map", "ssl", "tcp-map", "terminal", "tftp-server", "threat-detection", "time-range", "timeout",
    "tls-proxy", "track", "tunnel-group-map", "tunnel-group", "url-cache", "user-identity", "username",
    "uc-ime", "virtual-http", "xlate", "zonelabs-integrity", "Cryptochecksum:", "xml", "dhcprelay",
    "as-path", "community-list", "crashinfo", "service-policy", "license", "feature", "object-group-search",
    "ldap-attribute-map", "anyconnect", "anyconnect-custom-data", "anyconnect-custom-attr",
    "vpn-addr-assign", "vpn-sessiondb", "vpn-simultaneous-logins", "nac-policy", "access-list-mode",
    "regex", "crypto-engine", "mroute", "igmp", "cxsc", "vpnsetup", "telemetry", "snort",
})  # fmt: skip
# First words of a longer command. `no` before a command that only switches a feature off is the same.
HARMLESS_PAIRS: Final = frozenset({
    "access-list alert-interval", "access-list deny-flow-max", "crypto ca", "crypto key", "crypto engine",
    "crypto ikev1", "crypto ikev2", "crypto isakmp", "crypto ipsec", "crypto dynamic-map", "crypto map",
    "failover lan", "failover link", "failover interface", "failover key", "failover polltime", "failover",
    "failover replication", "failover mac", "failover timeout", "failover group", "failover ipsec",
    "failover health-check", "failover standby", "http server", "http redirect", "http authentication-certificate",
    "http username-from-certificate", "http server-idle", "icmp unreachable", "ip local", "ip audit",
    "ipv6 local", "ipv6 neighbor", "service password-recovery", "service resetinbound",
    "service resetoutside", "service resetoutbound", "service sw-reset-button", "service telemetry",
    "service call-home", "snmp-server community", "snmp-server contact", "snmp-server enable",
    "snmp-server group", "snmp-server host", "snmp-server host-group", "snmp-server listen-port",
    "snmp-server location", "snmp-server map", "snmp-server user", "snmp-server user-list", "ssh cipher",
    "ssh key-exchange", "ssh pubkey-chain", "ssh scopy", "ssh stack", "ssh stricthostkeycheck",
    "ssh timeout", "ssh version", "telnet timeout", "sysopt connection", "sysopt noproxyarp",
    "sysopt radius", "sysopt nodnsalias", "sysopt traffic", "aaa accounting",
    "aaa local", "aaa mac-exempt", "aaa proxy-limit", "aaa mac", "dhcpd address",
    "dhcpd auto_config", "dhcpd dns", "dhcpd domain", "dhcpd enable", "dhcpd lease", "dhcpd option",
    "dhcpd ping_timeout", "dhcpd wins", "dhcpd update", "url-block block", "route-map", "no names",
    "no asdm", "no snmp-server", "no failover", "no arp", "no logging", "no service", "no call-reporting",
    "no http", "no ssh", "no telnet", "no threat-detection", "no ssl", "no monitor-interface", "no vpn-addr-assign",
    "no pager", "no boot", "no call-home", "no crypto", "no sysopt", "no mtu", "no ftp",
    "no dhcpd", "no eject", "no license", "no banner", "no clock", "no object-group-search",
    "no management-access", "no fragment", "no flow-export", "no timeout", "no app-agent", "no aaa",
    "no jumbo-frame", "no ntp", "no cts", "no compression", "no dp-tcp-proxy", "no fips",
    "no snort", "no xlate", "no enable", "no password-policy", "no prompt", "no config-register",
    "no nat-control", "nat-control",
})  # fmt: skip
# Below `interface`.
INTERFACE: Final = frozenset({
    "authentication", "bridge-group", "channel-group", "cts", "delay", "description", "duplex", "dhcp",
    "dhcprelay", "flowcontrol", "hello-interval", "hold-time", "igmp", "lacp", "mac-address", "macsec",
    "member-interface", "mfib", "mtu", "multicast", "negotiation", "ospf", "pim", "port-channel", "pppoe",
    "priority-queue", "redundant", "shutdown", "speed", "summary-address", "switchport", "nve-only", "vlan",
    "vtep-nve", "segment-id", "isis", "rip", "load-interval", "fec", "no", "tunnel", "ddns", "eigrp",
    "split-horizon", "bandwidth",
})  # fmt: skip
# First words of lines that stand inside a block, should their indentation be lost.
INNER: Final = frozenset({
    "nameif", "security-level", "network-object", "service-object", "port-object", "protocol-object",
    "icmp-object", "group-object", "host", "subnet", "range", "fqdn", "description",
})  # fmt: skip


def is_harmless(words: list[str]) -> bool:
    """Tell whether a command at the margin decides nothing here."""
    if words[0] == "aaa":
        # `match` asks users for a password before their traffic passes.
        return "match" not in words and "include" not in words
    return words[0] in HARMLESS or words[0] in HARMLESS_PAIRS or " ".join(words[:2]) in HARMLESS_PAIRS
