"""Which parts of a file have nothing to do with filtering, NAT or routes: by name, never by default."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.pf.nat import NatReader
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.tree import Node

READ: Final = frozenset({
    "system", "interfaces", "nat", "filter", "aliases", "gateways", "staticroutes", "virtualip", "ifgroups",
    "captiveportal", "ipsec", "openvpn", "dhcpd", "dhcpdv6", "dhcrelay", "dhcrelay6", "bridges", "hasync",
    "OPNsense", "installedpackages", "load_balancer", "l2tp", "pptpd", "pppoes", "diag",
})  # fmt: skip
HARMLESS: Final = frozenset({
    "version", "lastchange", "snmpd", "syslog", "shaper", "dnshaper", "proxyarp", "cron", "wol", "rrd",
    "widgets", "unbound", "dnsmasq", "revision", "cert", "ca", "crl", "ppps", "wizardtemp", "vlans", "qinqs",
    "gifs", "gres", "laggs", "wireless", "schedules", "voucher", "notifications", "sshdata", "dyndnses",
    "dnsupdates", "ntpd", "theme", "sysctl", "trigger_initial_wizard", "created", "dhcpbackend", "kea", "radvd",
    "dhcpdv6relay", "igmpproxy", "rfc2136", "dnsallowoverride", "switches", "ezshaper", "backup", "rrddata",
    "upnp", "rowspan", "sync", "gateway_groups", "apinger", "monit", "dashboard", "certmanager",
})  # fmt: skip
OPNSENSE_READ: Final = frozenset({"Firewall", "firewall", "captiveportal", "Gateways", "IDS"})
OPNSENSE_HARMLESS: Final = frozenset({
    "cron", "Netflow", "netflow", "IPsec", "Swanctl", "Interfaces", "Kea", "DHCRelay", "dnsmasq", "Dnsmasq",
    "monit", "Monit", "OpenVPNExport", "OpenVPN", "Syslog", "TrafficShaper", "trust", "unboundplus",
    "wireguard", "Wireguard", "ntp", "DynDNS", "AcmeClient", "telegraf", "netsnmp", "Nginx", "HAProxy",
    "proxy", "ProxyUserACL", "quagga", "zerotier", "Tailscale", "tailscale", "ClamAV", "Hostwatch", "Backup", "backup",
    "redis", "bind", "collectd", "freeradius", "mdnsrepeater", "lldpd", "nodeexporter", "postfix", "rspamd",
    "Sanitycheck", "stunnel", "tor", "vnstat", "wol", "zabbixagent", "radvd", "OpenConnect", "relayd", "apcupsd",
    "Nut", "nut", "smart", "siproxd", "tinc", "iperf", "crowdsec", "caddy", "ndproxy", "ndpproxy",
})  # fmt: skip
FILTER_KNOWN: Final = frozenset({"rule", "separator", "bypassstaticroutes", "created", "updated", "tagged"})


def check_sections(root: Node, notes: Notes, nat: NatReader) -> list[tuple[Node, str]]:
    """Keep what is not known as unread; return what may change every verdict, each with why."""
    closing: list[tuple[Node, str]] = []
    for node in root.children:
        if node.tag not in READ | HARMLESS:
            notes.add(node, "a part of a configuration that is not known: not judged")
    for node in root.all("OPNsense"):
        for part in node.children:
            if part.tag not in OPNSENSE_READ | OPNSENSE_HARMLESS:
                notes.add(part, "a part of a configuration that is not known: not judged")
    for holder in root.all("filter"):
        closing += [
            (node, "not known among rules") for node in holder.children if node.tag not in FILTER_KNOWN
        ]
    if root.value("OPNsense", "IDS", "general", "ips") == "1":
        node = root.child("OPNsense", "IDS", "general") or root
        notes.add(node, "intrusion prevention drops what its rules name: not judged")
    if any(node.has("enable") for node in root.all("installedpackages", "miniupnpd", "config")) or root.value(
        "installedpackages", "miniupnpd", "enable"
    ):
        nat.doubt(root.child("installedpackages", "miniupnpd") or root, "clients redirect ports as they like")
    for node in root.all("load_balancer", "virtual_server"):
        nat.doubt(node, "a virtual server redirects connections")
    if root.has("diag", "ipv6nat", "enable"):
        nat.doubt(root.child("diag", "ipv6nat") or root, "IPv6 in IPv4 is redirected")
    if root.value("system", "tftpinterface"):
        notes.add(root.child("system", "tftpinterface") or root, "TFTP goes through a proxy of the firewall")
    for name in ("l2tp", "pptpd"):
        server = root.child(name)
        if server is not None and server.value("mode") == "server":
            notes.add(server, "rules for clients of this server: not judged")
    return closing
