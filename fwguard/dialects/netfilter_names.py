"""Names that stand for numbers in rules: protocols, services, ICMP types and codes, TCP flags.

Source: IANA registries (protocol numbers, service names, ICMP and ICMPv6 parameters), iptables-extensions(8).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import Family
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, PROTOCOL_NUMBERS, icmp_key, icmp_types

PROTOCOLS: Final = {
    **PROTOCOL_NUMBERS,
    "ipv6-icmp": 58, "icmp6": 58, "icmpv6": 58, "ggp": 3, "st": 5, "egp": 8, "igp": 9, "pup": 12, "hmp": 20,
    "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "skip": 57, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73,
    "vmtp": 81, "eigrp": 88, "ospfigp": 89, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98,
    "ipcomp": 108, "l2tp": 115, "isis": 124, "fc": 133, "mobility-header": 135, "ipv6-mh": 135,
    "mpls-in-ip": 137, "manet": 138, "shim6": 139, "wesp": 141, "rohc": 142,
}  # fmt: skip
EVERY_PROTOCOL: Final = frozenset({"all", "0", "ip", "any"})

SERVICES: Final = {
    "tcpmux": 1, "echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22,
    "telnet": 23, "smtp": 25, "mail": 25, "time": 37, "whois": 43, "tacacs": 49, "domain": 53, "bootps": 67,
    "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80, "www": 80, "kerberos": 88, "pop3": 110,
    "sunrpc": 111, "auth": 113, "ident": 113, "nntp": 119, "ntp": 123, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap2": 143, "imap": 143, "snmp": 161, "snmp-trap": 162, "snmptrap": 162,
    "xdmcp": 177,
    "bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445, "submissions": 465, "smtps": 465,
    "ssmtp": 465, "isakmp": 500, "syslog": 514, "printer": 515, "route": 520, "rtsp": 554, "nntps": 563,
    "submission": 587, "ipp": 631, "ldaps": 636, "domain-s": 853, "rsync": 873, "ftps-data": 989, "ftps": 990,
    "telnets": 992, "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433,
    "ms-sql-m": 1434, "l2f": 1701, "radius": 1812, "radius-acct": 1813, "nfs": 2049, "iscsi-target": 3260,
    "mysql": 3306, "ms-wbt-server": 3389, "nut": 3493, "svn": 3690, "ipsec-nat-t": 4500, "sip": 5060,
    "sip-tls": 5061, "mdns": 5353, "postgresql": 5432, "x11": 6000, "ircd": 6667, "ircs-u": 6697,
    "http-alt": 8080, "webcache": 8080, "git": 9418,
}  # fmt: skip

ICMP_NAMES: Final[dict[str, tuple[int, int | None]]] = {
    "echo-reply": (0, None), "pong": (0, None), "destination-unreachable": (3, None),
    "network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
    "port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-route-failed": (3, 5),
    "network-unknown": (3, 6), "host-unknown": (3, 7), "network-prohibited": (3, 9),
    "host-prohibited": (3, 10),
    "tos-network-unreachable": (3, 11), "tos-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
    "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15), "source-quench": (4, None),
    "redirect": (5, None), "network-redirect": (5, 0), "host-redirect": (5, 1),
    "tos-network-redirect": (5, 2),
    "tos-host-redirect": (5, 3), "echo-request": (8, None), "ping": (8, None),
    "router-advertisement": (9, None), "router-solicitation": (10, None), "time-exceeded": (11, None),
    "ttl-exceeded": (11, None), "ttl-zero-during-transit": (11, 0), "ttl-zero-during-reassembly": (11, 1),
    "parameter-problem": (12, None), "ip-header-bad": (12, 0), "required-option-missing": (12, 1),
    "timestamp-request": (13, None), "timestamp-reply": (14, None), "address-mask-request": (17, None),
    "address-mask-reply": (18, None),
}  # fmt: skip
ICMPV6_NAMES: Final[dict[str, tuple[int, int | None]]] = {
    "destination-unreachable": (1, None), "no-route": (1, 0), "communication-prohibited": (1, 1),
    "beyond-scope": (1, 2), "address-unreachable": (1, 3), "port-unreachable": (1, 4),
    "failed-policy": (1, 5),
    "reject-route": (1, 6), "packet-too-big": (2, None), "time-exceeded": (3, None),
    "ttl-exceeded": (3, None),
    "ttl-zero-during-transit": (3, 0), "ttl-zero-during-reassembly": (3, 1), "parameter-problem": (4, None),
    "bad-header": (4, 0), "unknown-header-type": (4, 1), "unknown-option": (4, 2),
    "echo-request": (128, None),
    "ping": (128, None), "echo-reply": (129, None), "pong": (129, None), "router-solicitation": (133, None),
    "router-advertisement": (134, None), "neighbour-solicitation": (135, None),
    "neighbor-solicitation": (135, None), "neighbour-advertisement": (136, None),
    "neighbor-advertisement": (136, None), "redirect": (137, None),
}  # fmt: skip

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
TCP_FLAGS: Final = {
    "FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG, "ECE": ECE, "CWR": CWR,
    "ALL": FIN | SYN | RST | PSH | ACK | URG, "NONE": 0,
}  # fmt: skip
MAX_LIST: Final = 512
SYN_MASK: Final = FIN | SYN | RST | ACK


def protocol_number(word: str) -> int | None:
    """Read a protocol; None for "all". Raises InputError for a name that is not known."""
    name = word.lower()
    if name in EVERY_PROTOCOL:
        return None
    number = PROTOCOLS.get(name)
    if number is not None:
        return number
    value = _number(name, 255, "protocol")
    return value or None


def _number(word: str, highest: int, what: str) -> int:
    """Read a number as iptables does: decimal, or hexadecimal after 0x."""
    try:
        value = (
            int(word, 16)
            if word[:2].lower() == "0x"
            else int(word)
            if word.isascii() and word.isdecimal()
            else -1
        )
    except ValueError:
        value = -1
    if not 0 <= value <= highest or len(word) > 12:
        raise InputError(f"{what} {word[:40]!r}", expected=f"a known name, or 0 to {highest}")
    return value


def port_number(word: str) -> int:
    """Read one port or service name."""
    known = SERVICES.get(word.lower())
    return known if known is not None else _number(word, 65535, "port")


@lru_cache(maxsize=16384)
def port_span(text: str) -> Intervals:
    """Read "443", "80:90", ":1023", "1024:" or "ssh"."""
    low_word, colon, high_word = text.partition(":")
    low = port_number(low_word) if low_word else 0
    high = low if not colon else port_number(high_word) if high_word else 65535
    return Intervals.of((low, high))


@lru_cache(maxsize=16384)
def port_list(text: str) -> Intervals:
    """Read the comma list of the multiport match."""
    if len(text) > MAX_LIST:
        raise InputError(f"a list of {len(text)} characters", expected="at most 15 ports")
    spans = [port_span(word) for word in text.split(",")]
    return Intervals.of(*(pair for span in spans for pair in span))


@lru_cache(maxsize=1024)
def icmp_span(text: str, family: Family) -> Intervals:
    """Read an ICMP type, "type/code" or name, as the destination-port dimension of the model."""
    word = text.lower()
    if word == "any" or (word == "255" and family is Family.V4):  # 255 is "any" in kernel and old listings
        return ANY_PORT
    named = (ICMPV6_NAMES if family is Family.V6 else ICMP_NAMES).get(word)
    if named is not None:
        kind, code = named
    else:
        type_word, slash, code_word = word.partition("/")
        kind = _number(type_word, 255, "ICMP type")
        code = _number(code_word, 255, "ICMP code") if slash else None
    if code is None:
        return icmp_types(kind, kind)
    return Intervals.single(icmp_key(kind, code))


def flag_bits(text: str) -> int:
    """Read a comma list of TCP flags."""
    bits = 0
    for word in text.split(","):
        if word.upper() not in TCP_FLAGS:
            raise InputError(f"TCP flag {word[:20]!r}", expected=", ".join(TCP_FLAGS))
        bits |= TCP_FLAGS[word.upper()]
    return bits
