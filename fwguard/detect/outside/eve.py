"""Suricata's alerts: EVE JSON, one object a line.

Accused is the source of the attack: what the rule's `target` keyword says, else who sent the packet. It is
bound to a port of the edge only if the sensor captured at the very port behind which the address is: any
other sensor tells an address, and by an address nobody is cut.
Source: Suricata's user guide, "EVE JSON format" (event types, alert) and "Rules: target keyword".
"""

from __future__ import annotations

from typing import Any, Final

from fwguard.detect.outside.reporting import WhoHad, address, moment, port, read_json, report, words
from fwguard.errors import InputError
from fwguard.model.detection import Detection, Detector
from fwguard.model.thresholds import Thresholds

MOST_LINE_BYTES: Final = 64 << 10
_PROTOCOLS: Final = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "ICMP": "icmp", "IPV6-ICMP": "icmpv6"}
_MOST_PACKET: Final = 1 << 53


def read_eve(line: bytes, thresholds: Thresholds, who_had: WhoHad, received_s: float) -> Detection | None:
    """Return the verdict of one line; None: no alert, or about nobody of ours.

    Raises InputError on what is no EVE record.
    """
    record = read_json(line, MOST_LINE_BYTES, "eve")
    if not isinstance(record, dict) or not isinstance(record.get("event_type"), str):
        raise InputError("no event_type", where="eve", expected="a record of Suricata's EVE output")
    alert = record.get("alert")
    if record["event_type"] != "alert" or not isinstance(alert, dict):
        return None
    ends = _ends(record, alert)
    at_s = moment(record.get("timestamp"), received_s)
    if not ends[0][0] or at_s is None:
        return None
    (accused, server_port), (peer, peer_port) = ends
    held = who_had(accused, at_s)
    if held is None:
        return None
    seen_at = record.get("in_iface")
    number = record.get("pcap_cnt")
    packets = (number,) if isinstance(number, int) and 0 < number < _MOST_PACKET else ()
    return report(
        thresholds,
        Detector.SURICATA,
        "suricata",
        {"rule": words(alert.get("signature_id"), 20), "said": words(alert.get("signature"))},
        accused=accused,
        held=held,
        at_s=at_s,
        peer=peer,
        port_number=peer_port,
        protocol=_PROTOCOLS.get(words(record.get("proto"), 12).upper(), ""),
        server_port=server_port,
        peer_port=peer_port,
        ingress=held.ingress if held.ingress and seen_at == held.ingress else "",
        packets=packets,
    )


def _ends(record: dict[str, Any], alert: dict[str, Any]) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return address and port of who is accused, and of the other side."""
    source = address(record.get("src_ip")), port(record.get("src_port"))
    target = address(record.get("dest_ip")), port(record.get("dest_port"))
    named = alert.get("source")
    if isinstance(named, dict) and address(named.get("ip")) == target[0] and target[0]:
        return target, source
    return source, target
