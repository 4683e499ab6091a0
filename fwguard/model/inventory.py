"""Who and what the operator hosts: clients, contacts, architectures, servers, firewalls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import parse_span

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def _check_name(kind: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(f"{kind} name {name!r}", expected="a-z, 0-9 and -, at most 40 characters")


class Language(StrEnum):
    """The languages that we write to people in."""

    FR = "fr"
    EN = "en"


class Role(StrEnum):
    """What a server may do by contract (clauses 7.4, 7.5)."""

    GENERAL = "general"
    MAIL = "mail"


class Transport(StrEnum):
    """How a firewall is reached."""

    SSH = "ssh"
    NETCONF = "netconf"
    COMMAND_LINE = "command-line"  # the platform's own, over SSH
    CONFIG_XML = "config-xml"  # the one file of a pfSense or OPNsense, over SSH


class Platform(StrEnum):
    """What kind of firewall stands there: decides which parts are read and which dialects read them."""

    LINUX = "linux"
    IETF = "ietf"  # RFC 8519 over NETCONF
    ASA = "asa"
    IOS = "ios"
    FORTIOS = "fortios"
    VYOS = "vyos"
    JUNOS = "junos"
    PANOS = "panos"
    PFSENSE = "pfsense"
    OPNSENSE = "opnsense"
    FRR = "frr"  # the static routes of a firewall whose filter is another entry of the inventory


CARRIED_BY: Final[Mapping[Platform, Transport]] = {
    Platform.LINUX: Transport.SSH,
    Platform.IETF: Transport.NETCONF,
    Platform.ASA: Transport.COMMAND_LINE,
    Platform.IOS: Transport.COMMAND_LINE,
    Platform.FORTIOS: Transport.COMMAND_LINE,
    Platform.VYOS: Transport.COMMAND_LINE,
    Platform.JUNOS: Transport.COMMAND_LINE,
    Platform.PANOS: Transport.COMMAND_LINE,
    Platform.PFSENSE: Transport.CONFIG_XML,
    Platform.OPNSENSE: Transport.CONFIG_XML,
    Platform.FRR: Transport.COMMAND_LINE,
}

# What the inventory may say instead. Junos over NETCONF is written from documents and tried on no device.
ALSO_CARRIED_BY: Final[Mapping[Platform, Transport]] = {
    Platform.JUNOS: Transport.NETCONF,
}


class OnDrift(StrEnum):
    """What to do when a firewall differs from its approved state (clause 7.1.1)."""

    RESTORE = "restore"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person whom the client named to the operator (clause 4); only such a one can ask."""

    mail: str
    name: str
    language: Language = Language.FR


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A tenant."""

    name: str
    title: str
    contacts: tuple[Contact, ...] = ()

    def __post_init__(self) -> None:
        _check_name("client", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server (SVP) behind a firewall. `addresses` are its own, as its firewall's filter sees them."""

    name: str
    client: str
    firewall: str
    addresses: tuple[str, ...]
    role: Role = Role.GENERAL

    def __post_init__(self) -> None:
        _check_name("server", self.name)
        for address in self.addresses:
            parse_span(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """One client firewall (SVP-PF). `public` are the addresses that its client's services are reached by."""

    name: str
    client: str
    platform: Platform
    transport: Transport
    address: str  # on the management network
    port: int
    username: str
    public: tuple[str, ...] = ()
    on_drift: OnDrift = OnDrift.RESTORE

    def __post_init__(self) -> None:
        _check_name("firewall", self.name)
        if not 1 <= self.port <= 65535:
            raise InputError(f"port {self.port} of firewall {self.name}", expected="1 to 65535")
        carried_by = [CARRIED_BY[self.platform]]
        if self.platform in ALSO_CARRIED_BY:
            carried_by.append(ALSO_CARRIED_BY[self.platform])
        if self.transport not in carried_by:
            raise InputError(
                f"firewall {self.name}: platform {self.platform} over {self.transport}",
                expected=" or ".join(carried_by),
            )
