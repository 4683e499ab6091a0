"""An opening as people write it on a command line: "tcp/443 from 198.51.100.0/24 to 192.0.2.10"."""

from __future__ import annotations

import re
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ICMP, ICMPV6, WITH_PORTS, parse_ports, parse_protocol

EXAMPLE: Final = "tcp/443 from 198.51.100.0/24 to 192.0.2.10"
_FORM: Final = re.compile(
    r"\s*(?P<protocol>[\w-]+)(?:/(?P<ports>[\d,:-]+|any))?\s+from\s+(?P<source>\S.*?)\s+to\s+(?P<target>\S.*?)\s*"
)


def parse_opening(text: str) -> Opening:
    """Read an opening. Addresses are comma lists of addresses, prefixes and ranges; "any" for all.

    Raises InputError that says what was expected.
    """
    found = _FORM.fullmatch(text) if len(text) <= 10_000 else None
    if found is None:
        raise InputError(f"opening {text[:80]!r}", expected=f'as in "{EXAMPLE}"')
    protocol = parse_protocol(found["protocol"])
    ports = Intervals()
    if protocol in WITH_PORTS:
        if not found["ports"]:
            raise InputError(f"{found['protocol']} without a port", expected=f'as in "{EXAMPLE}"')
        ports = parse_ports("0-65535" if found["ports"] == "any" else found["ports"])
    elif found["ports"]:
        raise InputError(f"{found['protocol']} has no ports", expected="the protocol alone")
    target = _addresses(found["target"])
    source = _addresses(found["source"])
    if source == ANY_ADDRESS:
        source = ANY_ADDRESS.of_family(target.families)
    if protocol == ICMP:
        source, target = AddressSet(v4=source.v4), AddressSet(v4=target.v4)
    if protocol == ICMPV6:
        source, target = AddressSet(v6=source.v6), AddressSet(v6=target.v6)
    return Opening(protocol=protocol, source=source, target=target, ports=ports)


def _addresses(text: str) -> AddressSet:
    return AddressSet.parse(*(word.strip() for word in text.split(",")))
