"""The right-hand sides of conditions: addresses, ports, protocols, ICMP types, interfaces, states as sets."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import CtState
from fwguard.model.ports import icmp_types, parse_protocol


class NotUnderstood(Exception):
    """A piece of a rule that this dialect does not know; its text goes to `unread`."""


# Names of ICMP types (nft(8) ICMP TYPE TYPE, ICMPV6 TYPE TYPE) and what else nft reads there.
ICMP_TYPES: Final = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
    "address-mask-request": 17, "address-mask-reply": 18,
}  # fmt: skip
ICMPV6_TYPES: Final = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
    "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
    "mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133,
    "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137,
    "router-renumbering": 138, "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142,
    "mld2-listener-report": 143,
}  # fmt: skip
ICMP_CODES: Final = {
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3,
    "frag-needed": 4, "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
}  # fmt: skip
ICMPV6_CODES: Final = {
    "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5,
    "reject-route": 6,
}  # fmt: skip
# Services that people write by name (IANA service names).
SERVICES: Final = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37, "whois": 43, "tacacs": 49,
    "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80, "www": 80,
    "kerberos": 88, "pop3": 110, "sunrpc": 111, "auth": 113, "nntp": 119, "ntp": 123, "epmap": 135,
    "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap2": 143, "imap": 143, "snmp": 161,
    "snmp-trap": 162, "bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445,
    "submissions": 465, "urd": 465, "isakmp": 500, "login": 513, "shell": 514, "syslog": 514,
    "printer": 515, "dhcpv6-client": 546, "dhcpv6-server": 547, "rtsp": 554, "nntps": 563,
    "submission": 587, "ipp": 631, "ldaps": 636, "domain-s": 853, "rsync": 873, "ftps-data": 989,
    "ftps": 990, "telnets": 992, "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194,
    "ms-sql-s": 1433, "ms-sql-m": 1434, "l2tp": 1701, "radius": 1812, "radius-acct": 1813, "nfs": 2049,
    "mysql": 3306, "ms-wbt-server": 3389, "nut": 3493, "svn": 3690, "ipsec-nat-t": 4500, "sip": 5060,
    "sip-tls": 5061, "xmpp-client": 5222, "xmpp-server": 5269, "mdns": 5353, "postgresql": 5432,
    "amqp": 5672, "x11": 6000, "redis": 6379, "ircd": 6667, "http-alt": 8080, "webcache": 8080,
    "git": 9418, "zabbix-agent": 10050, "zabbix-trapper": 10051, "wireguard": 51820,
}  # fmt: skip
TCP_FLAGS: Final = {
    "fin": 0x01, "syn": 0x02, "rst": 0x04, "psh": 0x08, "ack": 0x10, "urg": 0x20, "ecn": 0x40, "ece": 0x40,
    "cwr": 0x80,
}  # fmt: skip
NFPROTO: Final = {"ipv4": 4, "ip": 4, "ip4": 4, "2": 4, "ipv6": 6, "ip6": 6, "10": 6}
ETHERTYPES: Final = {"ip": 4, "ip4": 4, "0x0800": 4, "0x800": 4, "2048": 4, "ip6": 6, "0x86dd": 6, "34525": 6,
                     "arp": 0, "vlan": 0, "8021q": 0, "8021ad": 0}  # fmt: skip


def number(text: str, names: dict[str, int], limit: int) -> int:
    """Return a number written in decimal, hexadecimal or by name. Raises NotUnderstood."""
    known = names.get(text.lower())
    if known is not None:
        return known
    try:
        value = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    except ValueError:
        raise NotUnderstood(f"{text!r}") from None
    if not 0 <= value <= limit:
        raise NotUnderstood(f"{text!r} is not in 0-{limit}")
    return value


def span(text: str, names: dict[str, int], limit: int) -> tuple[int, int]:
    """Return the ends of a number or a range `low-high`; a name may hold a dash itself."""
    if "-" in text and text.lower() not in names:
        low_text, _, high_text = text.partition("-")
        while low_text.lower() not in names and not low_text[:1].isdigit() and "-" in high_text:
            more, _, high_text = high_text.partition("-")
            low_text = f"{low_text}-{more}"
        low, high = number(low_text, names, limit), number(high_text, names, limit)
        if low > high:
            raise NotUnderstood(f"reversed range {text!r}")
        return low, high
    value = number(text, names, limit)
    return value, value


@lru_cache(maxsize=65536)
def address(text: str) -> AddressSet:
    """Return an address, prefix or range. Raises NotUnderstood for a host name."""
    try:
        return AddressSet.parse(text) if text != "any" else _refuse(text)
    except InputError:
        return _refuse(text)


def _refuse(text: str) -> AddressSet:
    raise NotUnderstood(f"address {text[:60]!r}")


@lru_cache(maxsize=65536)
def ports(text: str) -> Intervals:
    """Return a port, a service name or a range."""
    return Intervals((span(text, SERVICES, 65535),))


@lru_cache(maxsize=1024)
def protocols(text: str) -> Intervals:
    """Return a protocol by name or number, or a range of numbers."""
    if text.isdigit() or ("-" in text and text[0].isdigit()):
        return Intervals((span(text, {}, 255),))
    names = {
        "comp": 108,
        "ipcomp": 108,
        "esp": 50,
        "ip": 0,
        "icmpv6": 58,
        "l2tp": 115,
        "eigrp": 88,
        "ipip": 4,
    }
    try:
        return Intervals.single(names[text] if text in names else parse_protocol(text))
    except InputError:
        raise NotUnderstood(f"protocol {text[:40]!r}") from None


def icmp_type_key(text: str, names: dict[str, int]) -> Intervals:
    """Return ICMP types as keys of the destination-port dimension, every code."""
    return icmp_types(*span(text, names, 255))


def icmp_code_key(text: str, names: dict[str, int]) -> Intervals:
    """Return ICMP codes as keys of the destination-port dimension, every type."""
    low, high = span(text, names, 255)
    return Intervals.of(*((kind << 8 | low, kind << 8 | high) for kind in range(256)))


def state(text: str) -> CtState:
    """Return a connection-tracking state by name or by nft's bit."""
    bits = {"0x1": "invalid", "1": "invalid", "0x2": "established", "2": "established", "0x4": "related",
            "4": "related", "0x8": "new", "8": "new", "0x40": "untracked", "64": "untracked"}  # fmt: skip
    try:
        return CtState(bits.get(text, text))
    except ValueError:
        raise NotUnderstood(f"ct state {text[:40]!r}") from None
