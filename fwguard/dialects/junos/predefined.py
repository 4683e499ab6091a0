"""Names that Junos brings along: applications `junos-*`, ports, ICMP types, services of the device itself.

Facts of `show configuration groups junos-defaults applications` and of the CLI reference
(destination-port, icmp-type, host-inbound-traffic). "rpc" marks applications that are known by what the
payload says: the protocol is certain, the ports are not (of junos-ping, echo is certain).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_RPC_PROGRAMS: Final = (
    "any mountd nfs nlockmgr portmap rquotad ruserd sadmind sprayd status walld ypbind ypserv"
)
_MS_RPC: Final = (
    "epm iis-com-1 iis-com-adminbase msexchange-directory-nsp msexchange-directory-rfr msexchange-info-store "
    "uuid-any-tcp wmic-admin wmic-admin2 wmic-mgmt wmic-webm-callresult wmic-webm-classobject "
    "wmic-webm-level1login wmic-webm-login-clientid wmic-webm-login-helper wmic-webm-objectsink "
    "wmic-webm-refreshing-services wmic-webm-remote-refresher wmic-webm-services wmic-webm-shutdown"
)

# name -> words: protocol/ports, protocol alone, icmp/type, icmp/type.code; several words are terms.
APPLICATIONS: Final[Mapping[str, str]] = {
    "junos-aol": "tcp/5190-5193", "junos-bgp": "tcp/179", "junos-biff": "udp/512",
    "junos-bootpc": "udp/68", "junos-bootps": "udp/67", "junos-chargen": "udp/19",
    "junos-cvspserver": "tcp/2401", "junos-dhcp-client": "udp/68", "junos-dhcp-relay": "udp/67",
    "junos-dhcp-server": "udp/67", "junos-discard": "udp/9", "junos-dns-tcp": "tcp/53",
    "junos-dns-udp": "udp/53", "junos-echo": "udp/7", "junos-finger": "tcp/79", "junos-ftp": "tcp/21",
    "junos-ftp-data": "tcp/20", "junos-gnutella": "udp/6346-6347", "junos-gopher": "tcp/70",
    "junos-gprs-gtp-c": "tcp/2123 udp/2123", "junos-gprs-gtp-c-tcp": "tcp/2123",
    "junos-gprs-gtp-c-udp": "udp/2123", "junos-gprs-gtp-u": "tcp/2152 udp/2152",
    "junos-gprs-gtp-u-tcp": "tcp/2152", "junos-gprs-gtp-u-udp": "udp/2152",
    "junos-gprs-gtp-v0": "tcp/3386 udp/3386", "junos-gprs-gtp-v0-tcp": "tcp/3386",
    "junos-gprs-gtp-v0-udp": "udp/3386", "junos-gprs-sctp": "sctp", "junos-gre": "gre",
    "junos-gtp": "udp/2123", "junos-h323": "tcp/1720 udp/1719 tcp/1503 tcp/389 tcp/522 tcp/1731",
    "junos-http": "tcp/80", "junos-http-ext": "tcp/7001", "junos-https": "tcp/443",
    "junos-icmp-all": "icmp", "junos-icmp-ping": "icmp/8", "junos-icmp6-all": "icmpv6",
    "junos-icmp6-dst-unreach-addr": "icmpv6/1.3", "junos-icmp6-dst-unreach-admin": "icmpv6/1.1",
    "junos-icmp6-dst-unreach-beyond": "icmpv6/1.2", "junos-icmp6-dst-unreach-port": "icmpv6/1.4",
    "junos-icmp6-dst-unreach-route": "icmpv6/1.0", "junos-icmp6-echo-reply": "icmpv6/129",
    "junos-icmp6-echo-request": "icmpv6/128", "junos-icmp6-packet-too-big": "icmpv6/2",
    "junos-icmp6-param-prob-header": "icmpv6/4.0", "junos-icmp6-param-prob-nexthdr": "icmpv6/4.1",
    "junos-icmp6-param-prob-option": "icmpv6/4.2", "junos-icmp6-time-exceed-reassembly": "icmpv6/3.1",
    "junos-icmp6-time-exceed-transit": "icmpv6/3.0", "junos-ident": "tcp/113", "junos-ike": "udp/500",
    "junos-ike-nat": "udp/4500", "junos-imap": "tcp/143", "junos-imaps": "tcp/993",
    "junos-internet-locator-service": "tcp/389", "junos-irc": "tcp/6660-6669", "junos-l2tp": "udp/1701",
    "junos-ldap": "tcp/389", "junos-ldp-tcp": "tcp/646", "junos-ldp-udp": "udp/646", "junos-lpr": "tcp/515",
    "junos-mail": "tcp/25", "junos-mgcp-ca": "udp/2727", "junos-mgcp-ua": "udp/2427",
    "junos-ms-rpc-tcp": "tcp/135", "junos-ms-rpc-udp": "udp/135", "junos-ms-rpc-uuid-any-udp": "udp/rpc",
    "junos-ms-sql": "tcp/1433", "junos-msn": "tcp/1863", "junos-nbds": "udp/138", "junos-nbname": "udp/137",
    "junos-netbios-session": "tcp/139", "junos-nfs": "udp/111", "junos-nfsd-tcp": "tcp/2049",
    "junos-nfsd-udp": "udp/2049", "junos-nntp": "tcp/119", "junos-ns-global": "tcp/15397",
    "junos-ns-global-pro": "tcp/15397", "junos-nsm": "udp/69", "junos-ntalk": "udp/518 tcp/518",
    "junos-ntp": "udp/123", "junos-ospf": "ospf", "junos-pc-anywhere": "udp/5632", "junos-ping": "icmp",
    "junos-pingv6": "icmpv6", "junos-pop3": "tcp/110", "junos-pptp": "tcp/1723", "junos-printer": "tcp/515",
    "junos-r2cp": "udp/28672", "junos-radacct": "udp/1813", "junos-radius": "udp/1812",
    "junos-rdp": "tcp/3389", "junos-realaudio": "tcp/554", "junos-rip": "udp/520", "junos-rsh": "tcp/514",
    "junos-rtsp": "tcp/554", "junos-sccp": "tcp/2000", "junos-sctp-any": "sctp",
    "junos-sip": "udp/5060 tcp/5060", "junos-smb": "tcp/139 tcp/445", "junos-smb-session": "tcp/445",
    "junos-smtp": "tcp/25", "junos-smtps": "tcp/587 tcp/465", "junos-snmp-agentx": "tcp/705",
    "junos-snpp": "tcp/444", "junos-sql-monitor": "udp/1434", "junos-sqlnet-v1": "tcp/1525",
    "junos-sqlnet-v2": "tcp/1521", "junos-ssh": "tcp/22", "junos-stun": "udp/3478-3479 tcp/3478-3479",
    "junos-stun-tcp": "tcp/3478-3479", "junos-stun-udp": "udp/3478-3479",
    "junos-sun-rpc-tcp": "tcp/111", "junos-sun-rpc-udp": "udp/111", "junos-syslog": "udp/514",
    "junos-tacacs": "tcp/49", "junos-tacacs-ds": "tcp/65", "junos-talk": "udp/517 tcp/517",
    "junos-tcp-any": "tcp", "junos-telnet": "tcp/23", "junos-tftp": "udp/69", "junos-udp-any": "udp",
    "junos-uucp": "udp/540", "junos-vdo-live": "udp/7000-7010", "junos-vnc": "tcp/5800",
    "junos-wais": "tcp/210", "junos-who": "udp/513", "junos-whois": "tcp/43", "junos-winframe": "tcp/1494",
    "junos-wxcontrol": "tcp/3578", "junos-x-windows": "tcp/6000-6063", "junos-xnm-clear-text": "tcp/3221",
    "junos-xnm-ssl": "tcp/3220", "junos-ymsg": "tcp/5000-5010 tcp/5050 udp/5000-5010 udp/5050",
    # sets
    "junos-cifs": "tcp/139 tcp/445", "junos-dns": "udp/53 tcp/53",
    "junos-routing-inbound": "tcp/179 udp/520 tcp/646 udp/646",
    "junos-sun-rpc": "tcp/111 udp/111",
    "junos-mgcp": "udp/2427 udp/2727", "junos-ms-rpc": "tcp/135 udp/135",
    "junos-ms-rpc-any": "tcp/rpc udp/rpc", "junos-ms-rpc-msexchange": "tcp/rpc", "junos-ms-rpc-wmic": "tcp/rpc",
    **{f"junos-ms-rpc-{name}": "tcp/rpc" for name in _MS_RPC.split()},
    **{f"junos-sun-rpc-{name}": "tcp/rpc udp/rpc" for name in _RPC_PROGRAMS.split()},
    **{f"junos-sun-rpc-{name}-{over}": f"{over}/rpc" for name in _RPC_PROGRAMS.split() for over in ("tcp", "udp")},
}  # fmt: skip

PORTS: Final[Mapping[str, int]] = {
    "afs": 1483, "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "cmd": 514, "cvspserver": 2401,
    "dhcp": 67, "domain": 53, "eklogin": 2105, "ekshell": 2106, "exec": 512, "finger": 79, "ftp": 21,
    "ftp-data": 20, "http": 80, "https": 443, "ident": 113, "imap": 143, "kerberos-sec": 88, "klogin": 543,
    "kpasswd": 761, "krb-prop": 754, "krbupdate": 760, "kshell": 544, "ldap": 389, "ldp": 646, "login": 513,
    "mobileip-agent": 434, "mobilip-mn": 435, "msdp": 639, "netbios-dgm": 138, "netbios-ns": 137,
    "netbios-ssn": 139, "nfsd": 2049, "nntp": 119, "ntalk": 518, "ntp": 123, "pop3": 110, "pptp": 1723,
    "printer": 515, "radacct": 1813, "radius": 1812, "rip": 520, "rkinit": 2108, "smtp": 25, "snmp": 161,
    "snmptrap": 162, "snpp": 444, "socks": 1080, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49,
    "tacacs-ds": 65, "talk": 517, "telnet": 23, "tftp": 69, "timed": 525, "who": 513, "xdmcp": 177,
    "zephyr-clt": 2103, "zephyr-hm": 2104,
}  # fmt: skip

PROTOCOLS: Final[Mapping[str, int]] = {
    "ah": 51, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmp6": 58, "icmpv6": 58, "igmp": 2, "ipip": 4,
    "ipv6": 41, "ospf": 89, "pim": 103, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "vrrp": 112,
    "hop-by-hop": 0, "routing": 43, "fragment": 44, "no-next-header": 59, "dstopts": 60, "node": 255,
}  # fmt: skip

ICMP_TYPES: Final[Mapping[str, int]] = {
    "echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicit": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "mask-request": 17,
    "mask-reply": 18,
}  # fmt: skip
ICMPV6_TYPES: Final[Mapping[str, int]] = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
    "echo-request": 128, "echo-reply": 129, "membership-query": 130, "membership-report": 131,
    "membership-termination": 132, "router-solicit": 133, "router-advertisement": 134,
    "neighbor-solicit": 135, "neighbor-advertisement": 136, "redirect": 137,
}  # fmt: skip

# host-inbound-traffic; "?" where the port is a setting elsewhere.
SYSTEM_SERVICES: Final[Mapping[str, str]] = {
    "any-service": "any", "appqoe": "?", "bootp": "udp/67 udp/68", "dhcp": "udp/67 udp/68",
    "dhcpv6": "udp/546 udp/547", "dns": "udp/53 tcp/53", "finger": "tcp/79", "ftp": "tcp/21",
    "high-availability": "?", "http": "tcp/80", "https": "tcp/443", "ident-reset": "tcp/113",
    "ike": "udp/500 udp/4500", "lsping": "udp/3503", "netconf": "tcp/830", "ntp": "udp/123",
    "ping": "icmp/8 icmpv6/128", "r2cp": "udp/28672", "reverse-ssh": "tcp/2901", "reverse-telnet": "tcp/2900",
    "rlogin": "tcp/513", "rpm": "?", "rsh": "tcp/514", "sip": "udp/5060 tcp/5060", "snmp": "udp/161",
    "snmp-trap": "udp/162", "ssh": "tcp/22", "tcp-encap": "?", "telnet": "tcp/23", "tftp": "udp/69",
    "traceroute": "udp/33434-33534", "webapi-clear-text": "?", "webapi-ssl": "?",
    "xnm-clear-text": "tcp/3221", "xnm-ssl": "tcp/3220",
}  # fmt: skip
ROUTING_PROTOCOLS: Final[Mapping[str, str]] = {
    "bfd": "udp/3784-3785 udp/4784", "bgp": "tcp/179", "dvmrp": "igmp", "igmp": "igmp",
    "ldp": "tcp/646 udp/646", "msdp": "tcp/639", "ndp": "icmpv6/133-137", "nhrp": "54", "ospf": "ospf",
    "ospf3": "ospf", "pgm": "113", "pim": "pim", "rip": "udp/520", "ripng": "udp/521",
    "router-discovery": "icmp/9-10 icmpv6/133-134", "rsvp": "46", "sap": "udp/9875", "vrrp": "vrrp",
}  # fmt: skip
