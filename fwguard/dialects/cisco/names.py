"""Names of protocols, ports and ICMP types on both command lines.

Source: ASA general configuration guide, "Addresses, Protocols, and Ports"; IOS `access-list` command
reference. Where releases disagree about a name, it stands for every port that any of them means, and the
caller is told that it is in doubt.
"""

from __future__ import annotations

from typing import Final

from fwguard.errors import InputError
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PROTOCOL, ICMP, ICMPV6, SCTP, TCP, UDP, icmp_key, icmp_types

PROTOCOLS: Final = {
    "ah": 51, "ahp": 51, "eigrp": 88, "esp": 50, "gre": 47, "icmp": ICMP, "icmp6": ICMPV6, "igmp": 2,
    "igrp": 9, "ipinip": 4, "ipsec": 50, "nos": 94, "ospf": 89, "pcp": 108, "pim": 103, "pptp": 47,
    "sctp": SCTP, "snp": 109, "tcp": TCP, "udp": UDP, "vrrp": 112,
}  # fmt: skip
TCP_UDP: Final = Intervals.single(TCP, UDP)

_BOTH: Final = {
    "bgp": 179, "bootpc": 68, "bootps": 67, "chargen": 19, "cmd": 514, "daytime": 13, "discard": 9,
    "domain": 53, "echo": 7, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70,
    "hostname": 101, "ident": 113, "irc": 194, "isakmp": 500, "klogin": 543, "kshell": 544, "login": 513,
    "lpd": 515, "mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137, "nntp": 119,
    "ntp": 123, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "rip": 520, "smtp": 25, "snmp": 161,
    "snmptrap": 162, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "tftp": 69,
    "time": 37, "uucp": 540, "who": 513, "whois": 43, "www": 80, "xdmcp": 177, "biff": 512, "dnsix": 195,
}  # fmt: skip
ASA_PORTS: Final = _BOTH | {
    "aol": 5190, "cifs": 3020, "citrix-ica": 1494, "ctiqbe": 2748, "h323": 1720, "http": 80, "https": 443,
    "imap4": 143, "ldap": 389, "ldaps": 636, "lotusnotes": 1352, "netbios-ssn": 139, "nfs": 2049,
    "pcanywhere-data": 5631, "pcanywhere-status": 5632, "pptp": 1723, "radius": 1645, "radius-acct": 1646,
    "rsh": 514, "rtsp": 554, "secureid-udp": 5510, "sip": 5060, "ssh": 22, "vxlan": 4789,
}  # fmt: skip
IOS_PORTS: Final = _BOTH | {
    "connectedapps-plain": 15001, "connectedapps-tls": 15002, "drip": 3949, "msrpc": 135,
    "netbios-ss": 139, "netbios-ssn": 139, "non500-isakmp": 4500, "onep-plain": 15001, "onep-tls": 15002,
    "ripv6": 521,
}  # fmt: skip
DOUBTFUL_PORTS: Final = {"kerberos": Intervals.single(88, 750), "sqlnet": Intervals.single(1521, 1522)}

# Both lines know these; a pair is type and code, a number a whole type.
ICMP_TYPES: Final[dict[str, int | tuple[int, int]]] = {
    "echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5, "alternate-address": 6, "echo": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "information-request": 15, "information-reply": 16,
    "mask-request": 17, "mask-reply": 18, "traceroute": 30, "conversion-error": 31, "mobile-redirect": 32,
    "net-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
    "port-unreachable": (3, 3), "packet-too-big": (3, 4), "source-route-failed": (3, 5),
    "network-unknown": (3, 6), "host-unknown": (3, 7), "host-isolated": (3, 8),
    "dod-net-prohibited": (3, 9), "dod-host-prohibited": (3, 10), "net-tos-unreachable": (3, 11),
    "host-tos-unreachable": (3, 12), "administratively-prohibited": (3, 13),
    "host-precedence-unreachable": (3, 14), "precedence-unreachable": (3, 15), "net-redirect": (5, 0),
    "host-redirect": (5, 1), "net-tos-redirect": (5, 2), "host-tos-redirect": (5, 3),
    "ttl-exceeded": (11, 0), "reassembly-timeout": (11, 1), "general-parameter-problem": (12, 0),
    "option-missing": (12, 1), "no-room-for-option": (12, 2),
}  # fmt: skip
ICMP6_TYPES: Final[dict[str, int | tuple[int, int]]] = {
    "unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo": 128,
    "echo-request": 128, "echo-reply": 129, "mld-query": 130, "membership-query": 130, "mld-report": 131,
    "membership-report": 131, "mld-reduction": 132, "membership-reduction": 132, "router-solicitation": 133,
    "router-advertisement": 134, "nd-ns": 135, "neighbor-solicitation": 135, "nd-na": 136,
    "neighbor-advertisement": 136, "redirect": 137, "neighbor-redirect": 137, "router-renumbering": 138,
    "mldv2": 143, "no-route": (1, 0), "no-admin": (1, 1), "beyond-scope": (1, 2),
    "destination-unreachable": 1, "port-unreachable": (1, 4), "hop-limit": (3, 0),
    "reassembly-timeout": (3, 1), "header": (4, 0), "next-header": (4, 1), "parameter-option": (4, 2),
}  # fmt: skip


def protocols(word: str) -> Intervals:
    """Read a protocol. Raises InputError for a name that neither line knows."""
    if word in ("ip", "ipv6"):
        return ANY_PROTOCOL
    if word == "tcp-udp":
        return TCP_UDP
    if word in PROTOCOLS:
        return Intervals.single(PROTOCOLS[word])
    if word.isascii() and word.isdecimal() and len(word) < 4 and int(word) <= 255:
        return Intervals.single(int(word))
    raise InputError(f"protocol {word[:40]!r}", expected="ip, tcp, udp, icmp, … or a number 0-255")


def is_protocol(word: str) -> bool:
    """Tell whether a word names a protocol."""
    return word in ("ip", "ipv6", "tcp-udp") or word in PROTOCOLS or (word.isdecimal() and len(word) < 4)


def port(word: str, known: dict[str, int]) -> Intervals:
    """Read one port by number or name: several numbers where releases disagree."""
    if word.isascii() and word.isdecimal() and len(word) < 6 and int(word) <= 65535:
        return Intervals.single(int(word))
    if word in known:
        return Intervals.single(known[word])
    if word in DOUBTFUL_PORTS and "ssh" in known:
        return DOUBTFUL_PORTS[word]
    raise InputError(f"port {word[:40]!r}", expected="a number 0-65535 or a name that the device knows")


def icmp_keys(word: str, code: str, version: int) -> Intervals:
    """Read an ICMP type by number or name, with a code or without (""), as `dport` holds it."""
    names = ICMP_TYPES if version == 4 else ICMP6_TYPES
    kind: int | tuple[int, int] | None = names.get(word)
    if kind is None and word.isascii() and word.isdecimal() and len(word) < 4 and int(word) <= 255:
        kind = int(word)
    if kind is None:
        raise InputError(f"ICMP type {word[:40]!r}", expected="a type's name or number")
    if isinstance(kind, tuple):
        return Intervals.single(icmp_key(*kind))
    if not code:
        return icmp_types(kind, kind)
    if not (code.isascii() and code.isdecimal() and len(code) < 4 and int(code) <= 255):
        raise InputError(f"ICMP code {code[:40]!r}", expected="0 to 255")
    return Intervals.single(icmp_key(kind, int(code)))


def is_icmp_type(word: str, version: int) -> bool:
    """Tell whether a word can be an ICMP type."""
    names = ICMP_TYPES if version == 4 else ICMP6_TYPES
    return word in names or (word.isascii() and word.isdecimal() and len(word) < 4 and int(word) <= 255)
