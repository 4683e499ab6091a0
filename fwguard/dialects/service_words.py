"""Services written as in our own tables: "tcp/80-90", "icmp/8", "icmpv6/1.3", "gre", "tcp/rpc", "any"."""

from __future__ import annotations

from functools import lru_cache

from fwguard.dialects.bounds import ALL_SERVICES, Service, Services, unknown_services
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ICMP, ICMPV6, icmp_key, icmp_types, parse_ports, parse_protocol


@lru_cache(maxsize=4096)
def services_of(words: str, name: str) -> Services:
    """Return what an entry of a table means; `name` is said where it is not known in full."""
    found = Services()
    for word in words.split():
        found |= _service(word, name)
    return found


def _service(word: str, name: str) -> Services:
    if word == "any":
        return ALL_SERVICES
    if word == "?":
        return unknown_services(f"the ports of {name}")
    protocol_word, slash, ports = word.partition("/")
    number = parse_protocol(protocol_word)
    protocol = Intervals.single(number)
    if not slash:
        return Services((Service(protocol),))
    if ports == "rpc":
        return Services((), (Service(protocol),), f"the ports of {name}")
    if number in (ICMP, ICMPV6):
        return Services((Service(protocol, _icmp(ports)),))
    return Services((Service(protocol, parse_ports(ports)),))


def _icmp(text: str) -> Intervals:
    kind, dot, code = text.partition(".")
    if dot:
        return Intervals.single(icmp_key(int(kind), int(code)))
    low, _, high = kind.partition("-")
    return icmp_types(int(low), int(high or low))
