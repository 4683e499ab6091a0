"""Which parts of a FortiOS configuration decide what passes and where it goes, and which are read past.

Everything that is not listed here is kept as unread. Source: FortiOS CLI reference 7.2, by command.
"""

from __future__ import annotations

from typing import Final

# Read by the reader.
READ: Final = frozenset({
    "firewall policy", "firewall policy6", "firewall address", "firewall address6", "firewall addrgrp",
    "firewall addrgrp6", "firewall service custom", "firewall service group", "firewall vip", "firewall vip6",
    "firewall vipgrp", "firewall vipgrp6", "firewall ippool", "firewall ippool6", "firewall central-snat-map",
    "firewall local-in-policy", "firewall local-in-policy6", "firewall multicast-policy",
    "firewall multicast-policy6", "firewall acl", "firewall acl6", "router static", "router static6",
    "system interface", "system zone", "system settings", "system global", "system admin", "system sdwan",
    "system virtual-wan-link", "vpn ipsec phase1-interface", "vpn ssl settings", "vdom", "global",
})  # fmt: skip
# First words of whole subsystems that look at content, log, authenticate, switch or manage.
HARMLESS_FIRST: Final = frozenset({
    "alertemail", "antivirus", "application", "authentication", "automation", "aws", "azure", "casb",
    "certificate", "cifs", "diameter-filter", "dlp", "dnsfilter", "emailfilter", "endpoint-control", "ethernet-oam",
    "extender", "extender-controller", "file-filter", "ftp-proxy", "gui", "hardware", "icap", "ips", "log",
    "monitoring", "nsxt", "report", "rule", "sctp-filter", "spamfilter", "ssh-filter", "switch-controller",
    "telemetry-controller", "user", "videofilter", "virtual-patch", "voip", "waf", "wanopt", "web-proxy",
    "webfilter", "wireless-controller", "ztna", "load-balance", "netscan", "imp2p", "pbx", "gtp",
})  # fmt: skip
HARMLESS: Final = frozenset({
    "firewall DoS-policy", "firewall DoS-policy6", "firewall access-proxy-virtual-host",
    "firewall access-proxy-ssh-client-cert", "firewall auth-portal", "firewall city", "firewall carrier-endpoint-bwl",
    "firewall country", "firewall decrypted-traffic-mirror", "firewall dnstranslation", "firewall global",
    "firewall identity-based-route", "firewall interface-policy", "firewall interface-policy6",
    "firewall internet-service", "firewall internet-service-addition", "firewall internet-service-append",
    "firewall internet-service-botnet", "firewall internet-service-custom", "firewall internet-service-custom-group",
    "firewall internet-service-definition", "firewall internet-service-extension", "firewall internet-service-group",
    "firewall internet-service-ipbl-reason", "firewall internet-service-ipbl-vendor", "firewall internet-service-list",
    "firewall internet-service-name", "firewall internet-service-owner", "firewall internet-service-reputation",
    "firewall internet-service-sld", "firewall internet-service-subapp", "firewall ip-translation",
    "firewall ipmacbinding setting", "firewall ldb-monitor", "firewall mms-profile", "firewall multicast-address",
    "firewall multicast-address6", "firewall network-service-dynamic", "firewall on-demand-sniffer",
    "firewall profile-group", "firewall profile-protocol-options", "firewall proxy-addrgrp", "firewall proxy-address",
    "firewall region", "firewall schedule group", "firewall schedule onetime", "firewall schedule recurring",
    "firewall service category", "firewall shaper per-ip-shaper", "firewall shaper traffic-shaper",
    "firewall shaping-policy", "firewall shaping-profile", "firewall sniffer", "firewall ssh host-key",
    "firewall ssh local-ca", "firewall ssh local-key", "firewall ssh setting", "firewall ssl setting",
    "firewall ssl-server", "firewall ssl-ssh-profile", "firewall traffic-class", "firewall vendor-mac",
    "firewall vendor-mac-summary", "firewall wildcard-fqdn custom", "firewall wildcard-fqdn group",
    "firewall vip46-stats", "firewall gtp", "firewall address6-template", "firewall internet-service-fallback",
    "router access-list", "router access-list6", "router aspath-list", "router auth-path", "router bfd",
    "router bfd6", "router community-list", "router extcommunity-list", "router key-chain", "router multicast",
    "router multicast-flow", "router multicast6", "router prefix-list", "router prefix-list6", "router route-map",
    "router setting",
    "vpn certificate ca", "vpn certificate crl", "vpn certificate hsm-local", "vpn certificate local",
    "vpn certificate ocsp-server", "vpn certificate remote", "vpn certificate setting", "vpn ipsec concentrator",
    "vpn ipsec fec", "vpn ipsec forticlient", "vpn ipsec manualkey", "vpn ipsec manualkey-interface",
    "vpn ipsec phase1", "vpn ipsec phase2", "vpn ipsec phase2-interface", "vpn l2tp", "vpn ocvpn", "vpn pptp",
    "vpn kmip-server", "vpn qkd", "vpn ssl client", "vpn ssl web host-check-software", "vpn ssl web portal",
    "vpn ssl web realm", "vpn ssl web user-bookmark", "vpn ssl web user-group-bookmark",
    "vpn ssl web virtual-desktop-app-list",
})  # fmt: skip
# `system X` that decides; all other of these first words is read past by the list below.
SYSTEM_HARMLESS: Final = frozenset({
    "accprofile", "acme", "affinity-interrupt", "affinity-packet-redistribution", "alarm", "alias", "api-user",
    "arp-table", "auto-install", "auto-script", "automation-action", "automation-condition",
    "automation-destination", "automation-stitch", "automation-trigger", "autoupdate", "bypass",
    "central-management", "cloud-service", "console", "csf", "custom-language", "ddns", "dedicated-mgmt",
    "device-upgrade", "dhcp", "dhcp6", "dns", "dns-database", "dns-server", "dns64", "dscp-based-priority",
    "email-server", "evpn", "external-resource", "federated-upgrade", "fips-cc", "fm", "fortiai",
    "fortianalyzer-connector", "fortiguard", "fortindr", "fortisandbox", "fsso-polling", "ftm-push", "geneve",
    "geoip-country", "geoip-override", "gi-gk", "gre-tunnel", "ha", "ha-monitor", "health-check-fortiguard", "ike",
    "ips", "ips-urlfilter-dns", "ips-urlfilter-dns6", "ipam", "ipip-tunnel", "ipsec-aggregate", "ipv6-neighbor-cache",
    "ipv6-tunnel", "isf-queue-profile", "link-monitor", "lldp", "lte-modem", "mac-address-table",
    "management-tunnel", "mobile-tunnel", "modem", "nd-proxy", "netflow", "network-visibility", "np6", "np6xlite",
    "npu", "npu-setting", "npu-vlink", "ntp", "object-tagging", "password-policy", "password-policy-guest-admin",
    "performance", "physical-switch", "pppoe-interface", "probe-response", "proxy-arp", "ptp", "replacemsg",
    "replacemsg-group", "replacemsg-image", "resource-limits", "saml", "sdn-connector", "sdn-proxy", "sdn-vpn",
    "security-rating", "session-helper", "session-ttl", "sflow", "sit-tunnel", "smc-ntp", "sms-server", "snmp",
    "speed-test-schedule", "speed-test-server", "speed-test-setting", "ssh-config", "sso-admin",
    "sso-forticloud-admin", "sso-fortigate-cloud-admin", "standalone-cluster", "storage", "stp", "switch-interface",
    "tos-based-priority", "vdom", "vdom-dns", "vdom-exception", "vdom-link", "vdom-netflow", "vdom-property",
    "vdom-radius-server", "vdom-sflow", "virtual-switch", "virtual-wire-pair", "vmlicense", "vne-interface",
    "vne-tunnel", "vxlan", "wccp-server", "wireless", "zone-exception", "ipv6-ipsec", "timezone", "ngfw-settings",
    "interface-snooping", "fortimanager", "fortianalyzer", "status", "cluster-sync", "ha-nonsync-checksum",
})  # fmt: skip
ROUTERS: Final = frozenset({"bgp", "ospf", "ospf6", "rip", "ripng", "isis"})
_ROUTER_ALWAYS: Final = frozenset({"redistribute", "redistribute6"})


def is_harmless(path: str) -> bool:
    """Tell whether a table decides nothing about which connections pass, or where they go."""
    first, _, rest = path.partition(" ")
    if first == "system":
        return rest.split(" ")[0] in SYSTEM_HARMLESS
    return first in HARMLESS_FIRST or path in HARMLESS


def is_router(path: str) -> bool:
    """Tell whether a table is a routing protocol's."""
    first, _, rest = path.partition(" ")
    return first == "router" and rest in ROUTERS


def router_is_used(tables: list[str]) -> bool:
    """Tell whether a routing protocol is configured beyond what every text says of it."""
    return any(path.split(" ")[0] not in _ROUTER_ALWAYS for path in tables)


# Settings of a policy that narrow, widen or route nothing of a first packet.
POLICY_HARMLESS: Final = frozenset({
    "anti-replay", "app-monitor", "auth-cert", "auth-path", "auth-redirect-addr", "auto-asic-offload", "av-profile",
    "best-route", "block-notification", "capture-packet", "casb-profile", "cgn-eif", "cgn-eim", "cgn-log-server-grp",
    "cgn-resource-quota", "cgn-session-quota", "cifs-profile", "comments", "custom-log-fields",
    "decrypted-traffic-mirror", "delay-tcp-npu-session", "diameter-filter-profile", "diffserv-copy",
    "diffserv-forward", "diffserv-reverse", "diffservcode-forward", "diffservcode-rev", "dlp-profile", "dlp-sensor",
    "dnsfilter-profile", "dsri", "dynamic-shaping", "email-collect", "emailfilter-profile", "endpoint-compliance",
    "file-filter-profile", "firewall-session-dirty", "fec", "fixedport", "global-label", "gtp-profile",
    "http-policy-redirect", "icap-profile", "inbound", "inspection-mode", "ip-version-type", "ippool",
    "ips-sensor", "ips-voip-filter", "label", "learning-mode", "logtraffic", "logtraffic-app", "logtraffic-start",
    "match-vip", "match-vip-only", "mms-profile", "name", "nat", "nat-ippool", "natinbound", "natip", "natoutbound",
    "np-acceleration", "np-accelation", "outbound", "passive-wan-health-measurement", "pcp-inbound", "pcp-outbound",
    "pcp-poolname", "per-ip-shaper", "permit-any-host", "permit-stun-host", "policy-behaviour-type",
    "policy-offload", "poolname", "poolname6", "port-preserve", "port-random", "profile-group",
    "profile-protocol-options", "profile-type", "replacemsg-override-group", "rtp-nat", "rtp-addr",
    "schedule-timeout", "sctp-filter-profile", "send-deny-packet", "session-ttl", "spamfilter-profile",
    "ssh-filter-profile", "ssh-policy-redirect", "ssl-mirror", "ssl-mirror-intf", "ssl-ssh-profile", "status",
    "tcp-mss-receiver", "tcp-mss-sender", "tcp-session-without-syn", "timeout-send-rst", "traffic-shaper",
    "traffic-shaper-reverse", "tsri", "url-category-log", "utm-status", "uuid", "videofilter-profile",
    "virtual-patch-profile", "vlan-cos-fwd", "vlan-cos-rev", "voip-profile", "vpntunnel", "waf-profile", "wanopt",
    "wanopt-detection", "wanopt-passive-opt", "wanopt-peer", "wanopt-profile", "wccp", "webcache", "webcache-https",
    "webfilter-profile", "webproxy-forward-server", "webproxy-profile", "wsso", "eif-check", "eif-learn",
    "geoip-anycast", "deep-inspection-options", "application-list", "policyid", "send-rst", "service-negate",
    "srcaddr-negate", "dstaddr-negate", "srcaddr6-negate", "dstaddr6-negate", "action", "srcintf", "dstintf",
    "srcaddr", "dstaddr", "srcaddr6", "dstaddr6", "service", "schedule", "ntlm-enabled-browsers", "disclaimer",
    "radius-mac-auth-bypass", "redirect-url", "scan-botnet-connections", "srcintf-filter", "color", "tags",
    "internet-service-negate", "internet-service-src-negate", "internet-service6-negate",
    "internet-service6-src-negate", "ha-mgmt-intf-only", "logtraffic-start-only", "identity-from", "log",
    "log-unmatched-traffic", "device-detection-portal", "central-nat", "http-tunnel-auth", "virtual-patch",
    "sgt-check-status", "policy-expiry-date", "policy-expiry-date-utc", "sec-default-action", "protocol-options",
})  # fmt: skip
# Settings that narrow a match to what no packet's header says, unless they are off.
POLICY_UNDECIDED: Final = frozenset({
    "app-category", "app-group", "application", "custom-devices", "device-negate", "devices", "dynamic-profile",
    "fsso", "fsso-agent-for-ntlm", "fsso-groups", "geoip-match", "groups", "identity-based", "identity-based-route",
    "internet-service", "internet-service-custom", "internet-service-custom-group", "internet-service-fortiguard",
    "internet-service-group", "internet-service-id", "internet-service-name", "internet-service-src",
    "internet-service-src-custom", "internet-service-src-custom-group", "internet-service-src-fortiguard",
    "internet-service-src-group", "internet-service-src-id", "internet-service-src-name", "internet-service6",
    "internet-service6-custom", "internet-service6-custom-group", "internet-service6-group",
    "internet-service6-name", "internet-service6-src", "internet-service6-src-custom",
    "internet-service6-src-custom-group", "internet-service6-src-group", "internet-service6-src-name", "nat46",
    "nat64", "network-service-dynamic", "network-service-src-dynamic", "ntlm", "ntlm-guest", "policy-expiry",
    "reputation-direction", "reputation-direction6", "reputation-minimum", "reputation-minimum6", "rsso", "sgt",
    "src-vendor-mac", "tos", "tos-mask", "tos-negate", "url-category", "users", "vlan-filter", "ztna-device-ownership",
    "ztna-ems-tag", "ztna-ems-tag-negate", "ztna-ems-tag-secondary", "ztna-geo-tag", "ztna-policy-redirect",
    "ztna-status", "ztna-tags-match-logic", "captive-portal-exempt",
})  # fmt: skip
OFF: Final = frozenset({"disable", "none", "0", "0x00", "destination", "physical-location", "or"})
