"""Addresses, services and virtual IPs of one virtual domain, by name: at least these, at most those.

What is missing, a host name or a country may be anything: `bounds.Addresses` says what is sure.
Source: FortiOS CLI reference, `firewall address`, `addrgrp`, `service custom`, `service group`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwguard.dialects.bounds import Addresses, Service, Services, join, masked, unknown_services
from fwguard.dialects.fortios.tree import Entry, Setting
from fwguard.dialects.loops import refuse_loops
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Unread
from fwguard.model.ports import (
    ANY_PORT,
    ANY_PROTOCOL,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    icmp_key,
    icmp_types,
    parse_ports,
)

MAX_DEPTH: Final = 64
# Tables of groups, and of what a member's name is looked up in before.
GROUPS: Final = {
    "firewall addrgrp": "firewall address",
    "firewall addrgrp6": "firewall address6",
    "firewall service group": "firewall service custom",
}
TABLES_INSIDE: Final = frozenset({"tagging", "list", "dynamic_mapping", "fsso-group"})
MAX_MEMBERS: Final = 20_000
ADDRESS_SILENT: Final = frozenset({
    "uuid", "comment", "color", "associated-interface", "allow-routing", "fabric-object", "type", "tagging",
    "visibility", "cache-ttl", "subnet", "ip6", "start-ip", "end-ip", "wildcard", "sub-type", "obj-type",
    "clearpass-spt",
    "node-ip-only", "subnet-name", "interface", "fqdn", "country", "category", "host-type", "dirty", "obj-id",
})  # fmt: skip
GROUP_SILENT: Final = frozenset({
    "uuid", "comment", "color", "member", "exclude", "exclude-member", "type", "category", "allow-routing",
    "fabric-object", "visibility", "tagging", "proxy",
})  # fmt: skip
SERVICE_SILENT: Final = frozenset({
    "uuid", "comment", "color", "category", "visibility", "protocol", "tcp-portrange", "udp-portrange",
    "sctp-portrange", "protocol-number", "icmptype", "icmpcode", "tcp-halfclose-timer", "tcp-halfopen-timer",
    "tcp-timewait-timer", "tcp-rst-timer", "udp-idle-timer", "session-ttl", "check-reset-range", "helper",
    "fabric-object", "proxy", "iprange", "fqdn", "app-service-type", "udplite-portrange",
})  # fmt: skip
# Services that every FortiGate has, for texts that do not list them: (protocol, ports).
PREDEFINED: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    "ALL_TCP": ((TCP, "1-65535"),), "ALL_UDP": ((UDP, "1-65535"),), "DNS": ((TCP, "53"), (UDP, "53")),
    "FTP": ((TCP, "21"),), "FTP_GET": ((TCP, "21"),), "FTP_PUT": ((TCP, "21"),), "HTTP": ((TCP, "80"),),
    "HTTPS": ((TCP, "443"),), "IMAP": ((TCP, "143"),), "IMAPS": ((TCP, "993"),), "LDAP": ((TCP, "389"),),
    "NTP": ((TCP, "123"), (UDP, "123")), "POP3": ((TCP, "110"),), "POP3S": ((TCP, "995"),),
    "RDP": ((TCP, "3389"),), "SMTP": ((TCP, "25"),), "SMTPS": ((TCP, "465"),),
    "SNMP": ((TCP, "161-162"), (UDP, "161-162")),
    "SSH": ((TCP, "22"),), "SYSLOG": ((UDP, "514"),), "TELNET": ((TCP, "23"),), "TFTP": ((UDP, "69"),),
    "DHCP": ((UDP, "67-68"),), "IKE": ((UDP, "500,4500"),), "SAMBA": ((TCP, "139"),), "SMB": ((TCP, "445"),),
    "MYSQL": ((TCP, "3306"),), "RADIUS": ((UDP, "1812-1813"),), "LDAP_UDP": ((UDP, "389"),), "LDAPS": ((TCP, "636"),),
}  # fmt: skip


class Book:
    """The names of one virtual domain; what is not understood goes to `unread`.

    Raises UnreadableError for a group that holds itself.
    """

    def __init__(self, domain: Entry, unread: list[Unread]) -> None:
        self.domain = domain
        self.unread = unread
        self._addresses: dict[tuple[str, Family], Addresses] = {}
        self._services: dict[str, Services] = {}
        self._noted: set[int] = set()
        for groups, plain in GROUPS.items():
            self._refuse_loops(domain.table(groups), domain.table(plain), groups.removeprefix("firewall "))

    @staticmethod
    def _refuse_loops(groups: dict[str, Entry], plain: dict[str, Entry], kind: str) -> None:
        def held(name: str) -> Iterable[str]:
            group = groups[name]
            for member in (*group.values("member"), *group.values("exclude-member")):
                if member in groups and member not in plain:
                    yield member

        refuse_loops(groups, held, kind=kind, line_of=lambda name: groups[name].line)

    def note(self, line: int, text: str, why: str) -> None:
        """Keep a line that was not understood, once."""
        if line not in self._noted:
            self._noted.add(line)
            self.unread.append(Unread(line=line, text=text[:300], why=why[:300]))

    def strange(self, entry: Entry, known: frozenset[str]) -> str:
        """Keep the settings of an entry that are not known; return a doubt or ""."""
        whys = []
        for key, setting in entry.settings.items():
            if key not in known:
                self.note(setting.line, setting.text, f"{key} is not known here")
                whys.append(f"line {setting.line}: {key[:40]}")
        for path, table in entry.tables.items():
            if path not in TABLES_INSIDE:
                self.note(table.line, f"config {path}", "not known here")
                whys.append(f"line {table.line}: config {path[:40]}")
        return join(*whys)

    def addresses(self, names: Iterable[str], family: Family) -> Addresses:
        """Return all addresses of some names in one IP version."""
        found = Addresses()
        for name in names:
            found = found | self._address(name, family, 0)
        return found

    def is_known(self, name: str, family: Family) -> bool:
        """Tell whether an address or group of the name exists."""
        suffix = "6" if family is Family.V6 else ""
        return name in self.domain.table(f"firewall address{suffix}") or name in self.domain.table(
            f"firewall addrgrp{suffix}"
        )

    def _address(self, name: str, family: Family, depth: int) -> Addresses:
        key = (name, family)
        if key in self._addresses:
            return self._addresses[key]
        suffix = "6" if family is Family.V6 else ""
        group = self.domain.table(f"firewall addrgrp{suffix}").get(name)
        plain = self.domain.table(f"firewall address{suffix}").get(name)
        whole = ANY_V6 if family is Family.V6 else ANY_V4
        if depth > MAX_DEPTH:
            return Addresses(AddressSet(), whole, f"{name} is nested too deep")
        if plain is not None:
            found = self._plain(plain, family)
        elif group is not None:
            found = self._group(group, family, depth + 1)
        elif name in ("all", "none"):
            found = Addresses(whole if name == "all" else AddressSet())
        else:
            found = Addresses(AddressSet(), whole, f"address {name[:60]} does not exist")
        self._addresses[key] = found
        return found

    def _group(self, group: Entry, family: Family, depth: int) -> Addresses:
        whole = ANY_V6 if family is Family.V6 else ANY_V4
        found = Addresses()
        for member in dict.fromkeys(group.values("member")[:MAX_MEMBERS]):
            found = found | self._address(member, family, depth)
        if group.value("exclude") == "enable":
            for member in group.values("exclude-member"):
                gone = self._address(member, family, depth)
                found = Addresses(found.sure - gone.most, found.most - gone.sure, join(found.why, gone.why))
        if doubt := self.strange(group, GROUP_SILENT):
            found = Addresses(AddressSet(), whole, join(found.why, doubt))
        if not group.values("member"):
            return Addresses(AddressSet(), whole, join(found.why, f"{group.name} is empty"))
        return found

    def _plain(self, entry: Entry, family: Family) -> Addresses:
        whole = ANY_V6 if family is Family.V6 else ANY_V4
        if doubt := self.strange(entry, ADDRESS_SILENT):
            return Addresses(AddressSet(), whole, doubt)
        kind = entry.value("type", "ipprefix" if family is Family.V6 else "ipmask")
        try:
            if kind == "iprange":
                first, last = entry.value("start-ip"), entry.value("end-ip")
                return Addresses(AddressSet.parse(f"{first}-{last}") if last else AddressSet.parse(first))
            if kind == "wildcard":
                base, mask = (*entry.values("wildcard"), "", "")[:2]
                found = masked(_v4(base), _v4(mask))
                if found is None:
                    raise InputError("a mask with very many holes")
                return Addresses(found)
            if kind == "ipmask" and family is Family.V4:
                return Addresses(subnet(entry.values("subnet")) if "subnet" in entry.settings else ANY_V4)
            if kind == "ipprefix" and family is Family.V6:
                return Addresses(AddressSet.parse(entry.value("ip6")) if "ip6" in entry.settings else ANY_V6)
        except InputError as error:
            self.note(entry.line, f"edit {entry.name}", str(error))
            return Addresses(AddressSet(), whole, f"address {entry.name[:60]}: {error}")
        return Addresses(AddressSet(), whole, f"address {entry.name[:60]} is of type {kind[:40]}")

    def services(self, names: Iterable[str]) -> Services:
        """Return all services of some names."""
        found = Services()
        for name in names:
            found = found | self._service(name, 0)
        return found

    def _service(self, name: str, depth: int) -> Services:
        if name in self._services:
            return self._services[name]
        if depth > MAX_DEPTH:
            return unknown_services(f"{name} is nested too deep")
        plain = self.domain.table("firewall service custom").get(name)
        group = self.domain.table("firewall service group").get(name)
        if plain is not None:
            found = self._custom(plain)
        elif group is not None:
            found = Services()
            for member in dict.fromkeys(group.values("member")[:MAX_MEMBERS]):
                found = found | self._service(member, depth + 1)
            doubt = self.strange(group, GROUP_SILENT) or (
                "" if group.values("member") else f"{name} is empty"
            )
            found = found | unknown_services(doubt) if doubt else found
        else:
            found = _predefined(name)
        self._services[name] = found
        return found

    def _custom(self, entry: Entry) -> Services:
        doubt = self.strange(entry, SERVICE_SILENT)
        for key in ("fqdn", "iprange"):
            setting = entry.settings.get(key, Setting([], 0, ""))
            if setting.values and setting.values[0] not in ("0.0.0.0", ""):  # noqa: S104 - "not set"
                doubt = join(doubt, f"service {entry.name[:60]} names {key}")
        if entry.value("app-service-type", "disable") != "disable":
            doubt = join(doubt, f"service {entry.name[:60]} names an application")
        try:
            found = tuple(_parts(entry))
        except InputError as error:
            self.note(entry.line, f"edit {entry.name}", str(error))
            return unknown_services(f"service {entry.name[:60]}: {error}")
        if not found:
            return unknown_services(f"service {entry.name[:60]} has no ports")
        return Services(found).doubted(doubt) if doubt else Services(found)


def _parts(entry: Entry) -> Iterable[Service]:
    protocol = entry.value("protocol", "TCP/UDP/SCTP").upper()
    if protocol.startswith("TCP/UDP"):
        for key, number in (("tcp-portrange", TCP), ("udp-portrange", UDP), ("sctp-portrange", SCTP)):
            for word in entry.values(key):
                target, _, source = word.partition(":")
                yield Service(
                    Intervals.single(number), parse_ports(target), parse_ports(source) if source else ANY_PORT
                )
    elif protocol in ("ICMP", "ICMP6"):
        keys = ANY_PORT
        if kind := entry.value("icmptype"):
            low = _number(kind, 255)
            code = entry.value("icmpcode")
            keys = Intervals.single(icmp_key(low, _number(code, 255))) if code else icmp_types(low, low)
        yield Service(Intervals.single(ICMP if protocol == "ICMP" else ICMPV6), keys)
    elif protocol == "IP":
        number = _number(entry.value("protocol-number", "0"), 255)
        yield Service(Intervals.single(number) if number else ANY_PROTOCOL)
    else:
        raise InputError(f"protocol {protocol[:40]}", expected="TCP/UDP/SCTP, ICMP, ICMP6 or IP")


def _predefined(name: str) -> Services:
    if name == "ALL":
        return Services((Service(),))
    if name in ("ALL_ICMP", "PING", "ALL_ICMP6", "PING6"):
        six = name.endswith("6")
        keys = icmp_types(128, 128) if name == "PING6" else icmp_types(8, 8) if name == "PING" else ANY_PORT
        return Services((Service(Intervals.single(ICMPV6 if six else ICMP), keys),))
    if name in PREDEFINED:
        parts = (Service(Intervals.single(number), parse_ports(ports)) for number, ports in PREDEFINED[name])
        return Services(tuple(parts))
    return unknown_services(f"service {name[:60]} does not exist")


def subnet(values: list[str]) -> AddressSet:
    """Read "10.0.0.0 255.0.0.0" or "10.0.0.0/8". Raises InputError."""
    if len(values) == 2:
        found = masked(_v4(values[0]), _v4(values[1]))
        if found is None:
            raise InputError("a mask with very many holes")
        return found
    if len(values) != 1:
        raise InputError(" ".join(values)[:60], expected="an address and a mask")
    return AddressSet.parse(values[0])


def _v4(word: str) -> int:
    version, low, high = parse_span(word)
    if version != 4 or low != high:
        raise InputError(f"address {word[:40]!r}", expected="an IPv4 address")
    return low


def _number(word: str, highest: int) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 6 and int(word) <= highest):
        raise InputError(f"{word[:40]!r}", expected=f"0 to {highest}")
    return int(word)
