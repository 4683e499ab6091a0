"""The packets of an evidence in words, French and English, for the notice that a client reads.

Scapy takes them apart: it knows far more than the stream's own parser and costs a hundred times as much. It is
loaded here alone, on a handful of packets, and never where packets stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fwguard.detect.flow import quote
from fwguard.detect.kept import KeptFrame
from fwguard.model.inventory import Language

MOST_PACKETS: Final = 16
QUOTED_BYTES: Final = 80
_LINKS: Final = {1: "Ether", 101: "IP", 228: "IP", 229: "IPv6", 113: "CookedLinux"}
_FLAGS: Final = {
    "S": "SYN", "A": "ACK", "F": "FIN", "R": "RST", "P": "PSH", "U": "URG", "E": "ECE", "C": "CWR",
}  # fmt: skip

_SAYS: Final = {
    "head": {Language.EN: "packet {number}, {time}: ", Language.FR: "paquet {number}, {time} : "},
    "ports": {
        Language.EN: "{protocol} from {source} port {sport} to {target} port {dport}",
        Language.FR: "{protocol} de {source} port {sport} vers {target} port {dport}",
    },
    "plain": {
        Language.EN: "{protocol} from {source} to {target}",
        Language.FR: "{protocol} de {source} vers {target}",
    },
    "flags": {Language.EN: ", {flags}", Language.FR: ", {flags}"},
    "payload": {
        Language.EN: ", {size} bytes: “{words}”",
        Language.FR: ", {size} octets : « {words} »",
    },
    "icmp": {Language.EN: ", {kind}", Language.FR: ", {kind}"},
    "asks": {
        Language.EN: "ARP: {source} ({mac}) asks who has {target}",
        Language.FR: "ARP : {source} ({mac}) demande qui a {target}",
    },
    "claims": {
        Language.EN: "ARP: {mac} says to be {source}, to {target}",
        Language.FR: "ARP : {mac} dit être {source}, à {target}",
    },
    "unread": {
        Language.EN: "{size} bytes that cannot be read as a packet",
        Language.FR: "{size} octets illisibles comme paquet",
    },
}


def explain(frames: Sequence[KeptFrame], language: Language) -> list[str]:
    """Return one line for each frame, at most 16: when, who to whom, what kind, and the first words of it.

    What an attacker wrote is shown as printable ASCII. No frame raises.
    """
    return [
        _SAYS["head"][language].format(number=frame.number, time=_time(frame.time_s))
        + _words(frame, language)
        for frame in frames[:MOST_PACKETS]
    ]


def _time(time_s: float) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    except (OverflowError, ValueError, OSError):
        return "?"


def _words(frame: KeptFrame, language: Language) -> str:
    unread = _SAYS["unread"][language].format(size=len(frame.data))
    try:
        dissected = _dissect(frame)
        return _sentence(dissected, language) or unread if dissected is not None else unread
    except Exception:  # scapy raises whatever its layers raise on what an attacker wrote
        return unread


def _dissect(frame: KeptFrame) -> Any:
    from scapy.layers import inet, inet6, l2

    name = _LINKS.get(frame.link)
    if name == "IP" and frame.data[:1] and frame.data[0] >> 4 == 6:
        name = "IPv6"
    kinds = {"Ether": l2.Ether, "IP": inet.IP, "IPv6": inet6.IPv6, "CookedLinux": l2.CookedLinux}
    return kinds[name](frame.data) if name in kinds else None


def _sentence(dissected: Any, language: Language) -> str:
    from scapy.layers import inet, inet6, l2

    if l2.ARP in dissected:
        arp = dissected[l2.ARP]
        says = _SAYS["asks" if arp.op == 1 else "claims"][language]
        return says.format(source=arp.psrc, target=arp.pdst, mac=arp.hwsrc)
    network = next((dissected[kind] for kind in (inet.IP, inet6.IPv6) if kind in dissected), None)
    if network is None:
        return ""
    ends = {"source": network.src, "target": network.dst}
    for kind, name in ((inet.TCP, "TCP"), (inet.UDP, "UDP")):
        if kind in dissected:
            layer = dissected[kind]
            said = _SAYS["ports"][language].format(
                protocol=name, sport=layer.sport, dport=layer.dport, **ends
            )
            if name == "TCP":
                flags = " ".join(_FLAGS.get(one, one) for one in str(layer.flags))
                said += _SAYS["flags"][language].format(flags=flags or "-")
            return said + _payload(bytes(layer.payload), language)
    if inet.ICMP in dissected:
        kind = dissected[inet.ICMP].sprintf("%ICMP.type%")
        return _SAYS["plain"][language].format(protocol="ICMP", **ends) + _SAYS["icmp"][language].format(
            kind=kind
        )
    if network.name == "IPv6" and type(network.payload).__name__.startswith("ICMPv6"):
        return _SAYS["plain"][language].format(protocol=network.payload.name, **ends)
    number = network.nh if network.name == "IPv6" else network.proto
    return _SAYS["plain"][language].format(protocol=f"IP {number}", **ends)


def _payload(payload: bytes, language: Language) -> str:
    if not payload:
        return ""
    return _SAYS["payload"][language].format(size=len(payload), words=quote(payload, QUOTED_BYTES))
