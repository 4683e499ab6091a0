"""Packets around every boundary of a ruleset, taken from the numbers in its text and not from our reading."""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Iterator
from typing import Final

from kernel_judge import INTERFACES, OWN, egress_of, is_routable

from fwguard.model.packet import Packet
from fwguard.model.policy import Hook

NAMED_PORTS: Final = {"ssh": 22, "http": 80, "https": 443, "domain": 53, "smtp": 25, "ntp": 123}
COMMON: Final = (
    "10.1.0.7", "10.2.0.10", "198.51.100.9", "192.0.2.77", "8.8.8.8",
    "2001:db8:1::7", "2001:db8:2::10", "2001:db8:aaaa::1", "2001:4860::8",
)  # fmt: skip
WORDS: Final = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "sctp": 132, "gre": 47, "esp": 50}
PROTOCOLS: Final = (6, 6, 6, 17, 17, 1, 132, 47, 50)
ICMP_V4: Final = (8, 8, 0, 3, 5, 11, 13, 15, 17, 14)
ICMP_V6: Final = (128, 128, 129, 1, 2, 3, 4, 135, 139)
_V4: Final = r"\d+\.\d+\.\d+\.\d+"
_V6: Final = r"(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}"
_SPAN: Final = re.compile(rf"(?<![\w.:])({_V4}|{_V6})(?:/(\d+)|-({_V4}|{_V6}))?(?![\w:])")
_NUMBER: Final = re.compile(r"(?<![\w.:])(\d{1,5})(?:-(\d{1,5}))?(?![\w.:])")


class Sampler:
    """Draws packets; half of the values come from one line of the text, so that its conditions meet."""

    def __init__(self, text: str, seed: int) -> None:
        self.random = random.Random(seed)
        lines = text.splitlines()
        self.lines = [line for line in lines if _SPAN.search(line) or _NUMBER.search(line)] or [text]
        self.all_addresses = [*COMMON, *addresses_in(text)]
        self.all_ports = [*ports_in(text), 22, 80, 443, 40000, 65535]

    def packets(self, count: int, hooks: tuple[Hook, ...]) -> list[Packet]:
        """Return `count` packets, no two of one connection."""
        out: list[Packet] = []
        seen: set[tuple[object, ...]] = set()
        while len(out) < count:
            packet = self._packet(self.random.choice(hooks))
            if packet is None:
                continue
            ends = frozenset({(packet.source, packet.sport), (packet.target, packet.dport)})
            keys: set[tuple[object, ...]] = {(ends, packet.protocol, packet.icmp_type)}
            if packet.protocol in (47, 50):  # without ports, source NAT cannot tell two senders apart
                keys.add((packet.target, packet.protocol))
            if not keys & seen:
                seen |= keys
                out.append(packet)
        return out

    def _packet(self, hook: Hook) -> Packet | None:
        pick, chance = self.random.choice, self.random.random
        line = pick(self.lines)
        # Conditions of one line, and now and then of two, must hold together to tell anything.
        other = pick(self.lines) if chance() < 0.3 else line
        source = self._address(line, "saddr", 0.7)
        target = self._address(line if chance() < 0.8 else other, "daddr", 0.8)
        named = [name for name in INTERFACES if name in line]
        ingress = pick(named) if named and chance() < 0.5 else pick(INTERFACES)
        if hook is Hook.INPUT or chance() < 0.1:
            target = pick(OWN[pick(INTERFACES)])
            hook = Hook.INPUT
        if hook is Hook.OUTPUT:
            source = pick(OWN[pick(INTERFACES)])
            ingress = ""
        version = ipaddress.ip_address(target).version
        if ipaddress.ip_address(source).version != version:
            source = pick([one for one in COMMON if ipaddress.ip_address(one).version == version])
            if hook is Hook.OUTPUT:
                source = OWN["wan0"][0 if version == 4 else 1]
        if not is_routable(source, own=hook is Hook.OUTPUT) or not is_routable(
            target, own=hook is Hook.INPUT
        ):
            return None
        spoken = [number for word, number in WORDS.items() if re.search(rf"\b{word}\b", other)]
        protocol = pick(spoken) if spoken and chance() < 0.8 else pick(PROTOCOLS)
        if protocol in (1, 58):
            protocol = 1 if version == 4 else 58
        ports = list(ports_in(other))
        dport = pick(ports) if ports and chance() < 0.85 else pick(self.all_ports)
        sport = pick(self.all_ports) if chance() < 0.3 else self.random.randrange(1024, 65536)
        icmp = None
        if protocol in (1, 58):
            kinds = ICMP_V4 if protocol == 1 else ICMP_V6
            icmp = pick(kinds) << 8 | pick((0, 0, 0, 1, 3, 4))
            dport = 0
        elif protocol not in (6, 17, 132):
            sport = dport = 0
        egress = "" if hook is Hook.INPUT else egress_of(target)
        return Packet(
            source=source, target=target, protocol=protocol, sport=sport, dport=dport, ingress=ingress,
            egress=egress, hook=hook, icmp_type=icmp,
        )  # fmt: skip

    def _address(self, line: str, field: str, share: float) -> str:
        """Return an address that the line says of this field, or any."""
        near = list(addresses_in(line))
        if field not in line and "." in line and " . " not in line:
            near = []
        if near and self.random.random() < share:
            return self.random.choice(near)
        return self.random.choice(self.all_addresses)


def addresses_in(text: str) -> Iterator[str]:
    """Yield both ends, inside and outside, of every address, prefix and range in a text."""
    for low_text, length, high_text in _SPAN.findall(text):
        try:
            low = ipaddress.ip_address(low_text)
            high = ipaddress.ip_address(high_text) if high_text else low
        except ValueError:
            continue
        kind = type(low)
        top = 2**low.max_prefixlen - 1
        first, last = int(low), int(high)
        if length:
            size = 2 ** (low.max_prefixlen - int(length))
            first -= first % size
            last = first + size - 1
        for number in (first - 1, first, (first + last) // 2, last, last + 1):
            if 0 < number <= top:
                yield str(kind(number))


def ports_in(text: str) -> Iterator[int]:
    """Yield both ends, inside and outside, of every number and range of numbers that may be a port."""
    for low_text, high_text in _NUMBER.findall(text):
        low, high = int(low_text), int(high_text or low_text)
        for number in (low - 1, low, (low + high) // 2, high, high + 1):
            if 0 < number <= 65535:
                yield number
    for name, port in NAMED_PORTS.items():
        if re.search(rf"\b{name}\b", text):
            yield port
