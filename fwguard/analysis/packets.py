"""Packets as people write them in JSON, one object a line; what is absent is filled in, what is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fwguard.analysis.query import Judge
from fwguard.analysis.space import Dim
from fwguard.errors import InputError
from fwguard.model.address import Family, parse_span, show_address
from fwguard.model.packet import Packet
from fwguard.model.policy import Hook
from fwguard.model.ports import ICMP, ICMPV6, TCP, icmp_key, parse_protocol

FIELDS: Final = frozenset(
    {"src", "dst", "proto", "sport", "dport", "in", "out", "chain", "icmp_type", "icmp_code"}
)
_HOOKS: Final = {hook.value: hook for hook in Hook}
_ICMP_NAMES: Final = {
    "echo-request": {Family.V4: 8, Family.V6: 128},
    "echo-reply": {Family.V4: 0, Family.V6: 129},
}
# Values that no rule is likely to mean, looked at first for what is absent: documentation addresses
# (RFC 5737, RFC 3849), an ephemeral port, a protocol number for experiments (RFC 3692).
_ADDRESSES: Final = {Family.V4: (0xC6336407, 0xCB007107), Family.V6: (0x20010DB8 << 96 | 0xFFFF,)}
_SPORTS: Final = (40000,)
_DPORTS: Final = (50000, 5)
_PROTOCOLS: Final = (253, 254)


class PacketReader:
    """Fills in what a packet leaves out with one value that the policy does not tell from others."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._plain: dict[tuple[Hook, Family, Dim], int] = {}
        self._protocols: dict[object, int] = {}

    def read(self, fields: Mapping[str, Any]) -> Packet:
        """Build a packet. Raises InputError that says which field is wrong and what was expected."""
        if not fields.keys() <= FIELDS:
            odd = sorted(fields.keys() - FIELDS)[0]
            raise InputError(f"field {odd!r}", expected=", ".join(sorted(FIELDS)))
        hook = _HOOKS.get(fields.get("chain") or "forward")
        if hook is None:
            raise InputError(f"chain {fields['chain']!r}", expected="forward, input or output")
        source, target = _text(fields, "src"), _text(fields, "dst")
        family = self._family(source or target)
        protocol = self._protocol(fields, hook, family)
        sport, dport = _port(fields, "sport"), _port(fields, "dport")
        icmp = None
        if protocol in (ICMP, ICMPV6):
            icmp = _icmp(fields, family)
            if icmp is None:
                icmp = self._absent(hook, family, Dim.DPORT)
            sport = dport = 0
        return Packet(
            source=source or show_address(*self._address(hook, family, Dim.SOURCE)),
            target=target or show_address(*self._address(hook, family, Dim.TARGET)),
            protocol=protocol,
            sport=self._absent(hook, family, Dim.SPORT) if sport is None else sport,
            dport=self._absent(hook, family, Dim.DPORT) if dport is None else dport,
            ingress=_text(fields, "in"),
            egress=_text(fields, "out"),
            hook=hook,
            icmp_type=icmp,
        )

    def _family(self, address: str) -> Family:
        if address:
            return Family.V4 if parse_span(address)[0] == 4 else Family.V6
        return Family.V6 if self._judge.policy.families == Family.V6 else Family.V4

    def _protocol(self, fields: Mapping[str, Any], hook: Hook, family: Family) -> int:
        given = fields.get("proto")
        if given is None:
            if fields.get("icmp_type") is not None:
                return ICMP if family is Family.V4 else ICMPV6
            if fields.get("dport") is not None or fields.get("sport") is not None:
                return TCP
            return self._absent(hook, family, Dim.PROTOCOL)
        known = self._protocols.get(given) if isinstance(given, (str, int)) else None
        if known is None:
            if not isinstance(given, (str, int)) or isinstance(given, bool):
                raise InputError(f"proto {given!r}", expected="tcp, udp, icmp, … or a number 0-255")
            known = self._protocols[given] = parse_protocol(str(given))
        return known

    def _absent(self, hook: Hook, family: Family, dim: Dim) -> int:
        known = self._plain.get((hook, family, dim))
        if known is None:
            prepared = self._judge.prepared(hook, family)
            preferred = {
                Dim.SOURCE: _ADDRESSES[family],
                Dim.TARGET: _ADDRESSES[family],
                Dim.SPORT: _SPORTS,
                Dim.DPORT: _DPORTS,
                Dim.PROTOCOL: _PROTOCOLS,
            }[dim]
            universe = prepared.program.space.tables[dim].universe
            known = self._plain[hook, family, dim] = prepared.classifier.plain(dim, universe, preferred)
        return known

    def _address(self, hook: Hook, family: Family, dim: Dim) -> tuple[int, int]:
        return (4 if family is Family.V4 else 6), self._absent(hook, family, dim)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 200:
        raise InputError(f"{name} {str(value)[:60]!r}", expected="a text")
    return value


def _port(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) < 6:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise InputError(f"{name} {str(value)[:60]}", expected="a port, 0 to 65535")
    return value


def _icmp(fields: Mapping[str, Any], family: Family) -> int | None:
    kind, code = fields.get("icmp_type"), fields.get("icmp_code") or 0
    if kind is None:
        return None
    if isinstance(kind, str) and kind in _ICMP_NAMES:
        kind = _ICMP_NAMES[kind][family]
    if isinstance(kind, str) and kind.isdecimal() and len(kind) < 4:
        kind = int(kind)
    for value in (kind, code):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
            raise InputError(f"icmp_type {str(kind)[:60]} code {str(code)[:60]}", expected="0 to 255 each")
    return icmp_key(kind, code)
