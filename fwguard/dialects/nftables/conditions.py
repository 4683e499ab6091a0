"""Conditions as regions: a selector, an operator and what it is compared with (nft(8) EXPRESSIONS)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fwguard.dialects.nftables import values
from fwguard.dialects.nftables.selectors import V4, V6, Kind, Selector
from fwguard.dialects.nftables.values import NotUnderstood
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region, intersect, other_interfaces, without
from fwguard.model.policy import ANY_STATE, CtState, InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, WITH_PORTS

MAX_BOXES: Final = 100_000
MAX_COMPLEMENT_BOXES: Final = 4_096
# The first packet of a TCP connection (RFC 9293, 3.5), and the bits of ct state as the kernel has them.
SYN: Final = values.TCP_FLAGS["syn"]
STATE_BITS: Final = {
    CtState.INVALID: 1, CtState.ESTABLISHED: 2, CtState.RELATED: 4, CtState.NEW: 8, CtState.UNTRACKED: 64,
}  # fmt: skip
MULTICAST: Final = AddressSet.parse("224.0.0.0/4", "ff00::/8")
BROADCAST: Final = AddressSet.parse("255.255.255.255")
NEVER: Final[Region] = ()
ANYTHING: Final[Region] = (Match(),)


def unknown(base: Match, text: str) -> Region:
    """Return some subset of `base`, nobody knows which."""
    return (replace(base, unknown=text[:200]),)


def cross(left: Region, right: Region, text: str) -> Region:
    """Return what both regions share; beyond MAX_BOXES the second becomes an unknown condition."""
    if right is ANYTHING:
        return left
    if left is ANYTHING:
        return right
    if len(left) * len(right) > MAX_BOXES:
        return tuple(replace(one, unknown=one.unknown or text[:200]) for one in left)
    return tuple(both for one in left for other in right if (both := intersect(one, other)) is not None)


def compare(selector: Selector, operator: str, texts: list[str], words: str) -> Region:
    """Return where one selector compares so with one of several values.

    `operator` is "" (as nft reads a bare value), ==, !=, <, >, <=, >= or in (a set); `words` is the
    condition as written. Raises NotUnderstood.
    """
    kind = selector.kind
    if kind is Kind.UNKNOWN or (kind in (Kind.INGRESS, Kind.EGRESS) and _is_index(selector, texts)):
        return unknown(selector.base, words)
    if kind is Kind.CAST:
        return _cast(operator, texts, words)
    if kind is Kind.DIRECTION:  # the first packet of a connection is in its original direction
        return ANYTHING if ("original" in texts or "0" in texts) != (operator == "!=") else NEVER
    if operator in ("<", ">", "<=", ">="):
        return _ordered(selector, operator, texts)
    field = _FIELDS[kind](selector, texts)
    return _region(selector, field, negated=operator == "!=", words=words)


def _region(selector: Selector, field: Any, *, negated: bool, words: str) -> Region:
    name, everything = _WHERE[selector.kind]
    if negated:
        field = other_interfaces(field) if isinstance(field, InterfaceSet) else everything - field
    if not selector.is_any_l4:
        found = intersect(selector.base, Match(**{name: field}))
        return NEVER if found is None else (found,)
    with_ports = Match(protocol=WITH_PORTS, **{name: field})
    others = Match(protocol=ANY_PROTOCOL - WITH_PORTS, unknown=f"{words} without ports"[:200])
    return (with_ports, others) if field else (others,)


def _is_index(selector: Selector, texts: list[str]) -> bool:
    """Tell whether an interface is given by a number that means nothing outside that kernel."""
    return selector.text in ("iif", "oif") and any(text.isdecimal() for text in texts)


def _cast(operator: str, texts: list[str], words: str) -> Region:
    """Decide by the target address what can be: a directed broadcast looks like any IPv4 address."""
    unicast_v6 = Match(target=ANY_V6 - MULTICAST)
    v4 = ANY_V4 - MULTICAST - BROADCAST
    wanted = {"unicast": "host"}.get(texts[0], texts[0]) if len(texts) == 1 else ""
    if operator == "!=" or wanted not in ("host", "multicast", "broadcast"):
        return unknown(Match(), words)
    if wanted == "multicast":
        return (Match(target=MULTICAST),)
    maybe = Match(target=v4, unknown=words[:200])
    return (unicast_v6, maybe) if wanted == "host" else (Match(target=BROADCAST), maybe)


def _ordered(selector: Selector, operator: str, texts: list[str]) -> Region:
    if len(texts) != 1 or selector.kind not in (
        Kind.SPORT,
        Kind.DPORT,
        Kind.PROTOCOL,
        Kind.SOURCE,
        Kind.TARGET,
    ):
        raise NotUnderstood(f"{selector.text} {operator}")
    field = _FIELDS[selector.kind](selector, texts)
    if isinstance(field, AddressSet):
        six = bool(field.v6)
        pairs, top = (field.v6 if six else field.v4), 2 ** (128 if six else 32) - 1
    else:
        six, pairs, top = False, field, 255 if selector.kind is Kind.PROTOCOL else 65535
    low, high = pairs.pairs[0]
    bounds = {"<": (0, low - 1), "<=": (0, high), ">": (high + 1, top), ">=": (low, top)}[operator]
    span = Intervals((bounds,)) if bounds[0] <= bounds[1] else Intervals()
    value: Any = span
    if isinstance(field, AddressSet):
        value = AddressSet(v6=span) if six else AddressSet(v4=span)
    return _region(selector, value, negated=False, words=f"{selector.text} {operator} {texts[0]}")


def _addresses(_: Selector, texts: list[str]) -> AddressSet:
    if len(texts) == 1:
        return values.address(texts[0])
    v4: list[tuple[int, int]] = []
    v6: list[tuple[int, int]] = []
    for text in texts:
        one = values.address(text)
        v4 += one.v4.pairs
        v6 += one.v6.pairs
    return AddressSet(Intervals.of(*v4), Intervals.of(*v6))


def _union(read: Callable[[str], Intervals], texts: list[str]) -> Intervals:
    if len(texts) == 1:
        return read(texts[0])
    return Intervals.of(*(pair for text in texts for pair in read(text).pairs))


def _icmp_types(selector: Selector, texts: list[str]) -> Intervals:
    names = values.ICMPV6_TYPES if selector.is_six else values.ICMP_TYPES
    return _union(lambda text: values.icmp_type_key(text, names), texts)


def _icmp_codes(selector: Selector, texts: list[str]) -> Intervals:
    names = values.ICMPV6_CODES if selector.is_six else values.ICMP_CODES
    return _union(lambda text: values.icmp_code_key(text, names), texts)


def _versions(selector: Selector, texts: list[str]) -> AddressSet:
    out = AddressSet()
    names = values.NFPROTO if selector.text == "meta nfproto" else values.ETHERTYPES
    for text in texts:
        version = {"4": 4, "6": 6}.get(text) if selector.text == "ip version" else names.get(text.lower())
        if version is None:
            raise NotUnderstood(f"{selector.text} {text[:40]!r}")
        out = out | (ANY_V4 if version == 4 else ANY_V6 if version == 6 else AddressSet())
    return out


def _interfaces(_: Selector, texts: list[str]) -> InterfaceSet:
    return InterfaceSet.of(*(text.replace("\\*", "*") for text in texts))


_FIELDS: Final[dict[Kind, Callable[[Selector, list[str]], Any]]] = {
    Kind.SOURCE: _addresses,
    Kind.TARGET: _addresses,
    Kind.PROTOCOL: lambda _, texts: _union(values.protocols, texts),
    Kind.SPORT: lambda _, texts: _union(values.ports, texts),
    Kind.DPORT: lambda _, texts: _union(values.ports, texts),
    Kind.INGRESS: _interfaces,
    Kind.EGRESS: _interfaces,
    Kind.STATE: lambda _, texts: frozenset(values.state(text) for text in texts),
    Kind.ICMP_TYPE: _icmp_types,
    Kind.ICMP_CODE: _icmp_codes,
    Kind.VERSION: _versions,
}
_WHERE: Final[dict[Kind, tuple[str, Any]]] = {
    Kind.SOURCE: ("source", ANY_ADDRESS),
    Kind.TARGET: ("target", ANY_ADDRESS),
    Kind.PROTOCOL: ("protocol", ANY_PROTOCOL),
    Kind.SPORT: ("sport", ANY_PORT),
    Kind.DPORT: ("dport", ANY_PORT),
    Kind.INGRESS: ("ingress", None),
    Kind.EGRESS: ("egress", None),
    Kind.STATE: ("states", ANY_STATE),
    Kind.ICMP_TYPE: ("dport", ANY_PORT),
    Kind.ICMP_CODE: ("dport", ANY_PORT),
    Kind.VERSION: ("source", ANY_ADDRESS),
}


def bits(selector: Selector, text: str) -> int:
    """Return the value of one name of a bit. Raises NotUnderstood."""
    if selector.kind is Kind.STATE:
        return STATE_BITS[values.state(text)]
    return values.number(text, values.TCP_FLAGS, 255)


def compare_bits(selector: Selector, mask: int, wanted: int, *, equal: bool) -> Region:
    """Return where `(selector & mask) == wanted` (or !=, unless `equal`) for a first packet."""
    if selector.kind is Kind.TCP_FLAGS:
        return (selector.base,) if ((SYN & mask) == wanted) is equal else NEVER
    states = frozenset(one for one, bit in STATE_BITS.items() if ((bit & mask) == wanted) is equal)
    return (Match(states=states),) if states else NEVER


def masked_address(selector: Selector, mask: str, operator: str, text: str, words: str) -> Region:
    """Return where an address under a netmask compares so; unknown where the mask is no prefix."""
    span = values.address(mask)
    number = (span.v6 or span.v4).first
    width = 128 if span.v6 else 32
    host_bits = (~number) & (2**width - 1)
    if host_bits & (host_bits + 1) or operator not in ("", "==", "!="):
        return unknown(selector.base, words)
    base = values.address(text)
    low = (base.v6 or base.v4).first
    if low & host_bits:
        return NEVER if operator != "!=" else (selector.base,)
    pair = Intervals(((low, low | host_bits),))
    field = AddressSet(v6=pair) if span.v6 else AddressSet(v4=pair)
    return _region(selector, field, negated=operator == "!=", words=words)


def lookup(selectors: list[Selector], keys: list[list[str]], words: str, *, negated: bool = False) -> Region:
    """Return where a concatenation of selectors is (or is not) one of several keys; `["*"]` is any key.

    Raises NotUnderstood when a key has more or fewer parts than the concatenation.
    """
    if any(key == ["*"] for key in keys):
        whole: Region = ANYTHING
        for selector in selectors:
            whole = cross(whole, (selector.base,), words)
        return NEVER if negated else whole
    if len(selectors) == 1:
        if any(len(key) != 1 for key in keys):
            raise NotUnderstood(f"a concatenation where {selectors[0].text} is one value")
        return _lookup_one(selectors[0], [key[0] for key in keys], words, negated=negated)
    boxes: list[Match] = []
    seen: dict[tuple[int, str], Region] = {}
    for key in keys:
        if len(key) != len(selectors):
            raise NotUnderstood(f"{len(key)} values for {len(selectors)} selectors")
        region: Region = ANYTHING
        for place, (selector, text) in enumerate(zip(selectors, key, strict=True)):
            if (place, text) not in seen:
                seen[place, text] = _lookup_one(selector, [text], words)
            region = cross(region, seen[place, text], words)
        boxes += region
        if len(boxes) > MAX_BOXES * 4:
            raise NotUnderstood("too many combinations")
    if not negated:
        return tuple(boxes)
    base: Region = ANYTHING
    for selector in selectors:
        base = cross(base, (selector.base,), words)
    return complement(base, boxes, words)


def _lookup_one(selector: Selector, texts: list[str], words: str, *, negated: bool = False) -> Region:
    if "*" in texts and selector.kind not in (Kind.INGRESS, Kind.EGRESS):
        return NEVER if negated else (selector.base,)
    if not texts:
        return (selector.base,) if negated else NEVER
    if selector.kind is Kind.TCP_FLAGS:
        wanted = {or_of(selector, text) for text in texts}
        return (selector.base,) if (SYN in wanted) is not negated else NEVER
    return compare(selector, "!=" if negated else "in", texts, words)


def or_of(selector: Selector, text: str) -> int:
    """Return the bits of `a|b`."""
    value = 0
    for word in text.split("|"):
        value |= bits(selector, word)
    return value


def complement(base: Region, boxes: list[Match], words: str) -> Region:
    """Return the base without the boxes; unknown where that would take more than MAX_COMPLEMENT_BOXES."""
    rest = base
    for box in boxes:
        rest = without(rest, (box,))
        if len(rest) > MAX_COMPLEMENT_BOXES:
            return tuple(replace(one, unknown=words[:200]) for one in base)
    if any(box.unknown for box in boxes):
        return tuple(replace(one, unknown=words[:200]) for one in rest)
    return rest


__all__ = [
    "ANYTHING", "NEVER", "V4", "V6", "bits", "compare", "compare_bits", "complement", "cross", "lookup",
    "masked_address", "or_of", "unknown",
]  # fmt: skip
