"""The left-hand sides of conditions: what of a packet is looked at, and what looking at it already says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.dialects.nftables.lexer import STRING, WORD, Token
from fwguard.model.address import ANY_V4, ANY_V6
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Match
from fwguard.model.ports import DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE


class Kind(StrEnum):
    """What a selector's values are."""

    SOURCE = "source"
    TARGET = "target"
    PROTOCOL = "protocol"
    SPORT = "sport"
    DPORT = "dport"
    INGRESS = "ingress"
    EGRESS = "egress"
    STATE = "state"
    ICMP_TYPE = "icmp-type"
    ICMP_CODE = "icmp-code"
    VERSION = "version"
    TCP_FLAGS = "tcp-flags"
    DIRECTION = "direction"
    CAST = "cast"
    UNKNOWN = "unknown"  # what it looks at is no part of the model


@dataclass(frozen=True, slots=True)
class Selector:
    """What is looked at; `base` is what a packet must be for the look to be possible at all."""

    kind: Kind
    text: str
    base: Match = Match()
    is_six: bool = False  # of two spellings of one value, the IPv6 one: ICMPv6 types
    is_any_l4: bool = False  # th: ports of whatever protocol it is
    is_mask: bool = False  # bits: a list without braces is an "or" of bits


V4: Final = Match(source=ANY_V4, target=ANY_V4)
V6: Final = Match(source=ANY_V6, target=ANY_V6)
ANY: Final = Match()


def _l4(protocol: int) -> Match:
    return Match(protocol=Intervals.single(protocol))


_ICMP: Final = Match(source=ANY_V4, target=ANY_V4, protocol=Intervals.single(ICMP))
_ICMPV6: Final = Match(source=ANY_V6, target=ANY_V6, protocol=Intervals.single(ICMPV6))

_FIELDS: Final = {
    "ip saddr": Selector(Kind.SOURCE, "ip saddr", V4),
    "ip daddr": Selector(Kind.TARGET, "ip daddr", V4),
    "ip protocol": Selector(Kind.PROTOCOL, "ip protocol", V4),
    "ip version": Selector(Kind.VERSION, "ip version", V4),
    "ip6 saddr": Selector(Kind.SOURCE, "ip6 saddr", V6),
    "ip6 daddr": Selector(Kind.TARGET, "ip6 daddr", V6),
    "ip6 nexthdr": Selector(Kind.PROTOCOL, "ip6 nexthdr", V6),
    "meta l4proto": Selector(Kind.PROTOCOL, "meta l4proto"),
    "meta nfproto": Selector(Kind.VERSION, "meta nfproto"),
    "meta protocol": Selector(Kind.VERSION, "meta protocol"),
    "ether type": Selector(Kind.VERSION, "ether type"),
    "meta iif": Selector(Kind.INGRESS, "iif"),
    "meta iifname": Selector(Kind.INGRESS, "iifname"),
    "meta oif": Selector(Kind.EGRESS, "oif"),
    "meta oifname": Selector(Kind.EGRESS, "oifname"),
    "meta pkttype": Selector(Kind.CAST, "meta pkttype"),
    "ct state": Selector(Kind.STATE, "ct state", is_mask=True),
    "ct direction": Selector(Kind.DIRECTION, "ct direction"),
    "tcp flags": Selector(Kind.TCP_FLAGS, "tcp flags", _l4(TCP), is_mask=True),
    "icmp type": Selector(Kind.ICMP_TYPE, "icmp type", _ICMP),
    "icmp code": Selector(Kind.ICMP_CODE, "icmp code", _ICMP),
    "icmpv6 type": Selector(Kind.ICMP_TYPE, "icmpv6 type", _ICMPV6, is_six=True),
    "icmpv6 code": Selector(Kind.ICMP_CODE, "icmpv6 code", _ICMPV6, is_six=True),
    "th sport": Selector(Kind.SPORT, "th sport", is_any_l4=True),
    "th dport": Selector(Kind.DPORT, "th dport", is_any_l4=True),
}
for _name, _number in (("tcp", TCP), ("udp", UDP), ("udplite", UDPLITE), ("sctp", SCTP), ("dccp", DCCP)):
    _FIELDS[f"{_name} sport"] = Selector(Kind.SPORT, f"{_name} sport", _l4(_number))
    _FIELDS[f"{_name} dport"] = Selector(Kind.DPORT, f"{_name} dport", _l4(_number))

# What else nft can look at (nft(8) PRIMARY and PAYLOAD EXPRESSIONS): true conditions, outside the model.
# What looking at the header implies is kept; the rest is unknown.
_HEADERS: Final = {
    "ip": V4, "ip6": V6, "tcp": _l4(TCP), "udp": _l4(UDP), "udplite": _l4(UDPLITE), "sctp": _l4(SCTP),
    "dccp": _l4(DCCP), "icmp": _ICMP, "icmpv6": _ICMPV6, "igmp": _l4(2),
    "esp": _l4(50), "ah": _l4(51), "comp": _l4(108), "gre": _l4(47), "ether": ANY, "vlan": ANY, "arp": ANY,
    "th": ANY, "meta": ANY, "ct": ANY, "rt": ANY, "dst": V6, "hbh": V6, "frag": V6, "mh": V6, "exthdr": V6,
    "fib": ANY, "socket": ANY, "osf": ANY, "ipsec": ANY, "numgen": ANY, "jhash": ANY, "symhash": ANY,
}  # fmt: skip
_BARE_META: Final = (
    "iif", "iifname", "oif", "oifname", "iiftype", "oiftype", "mark", "skuid", "skgid", "rtclassid",
    "pkttype", "cpu", "iifgroup", "oifgroup", "cgroup", "length", "protocol", "priority", "nfproto",
    "l4proto", "random", "iifkind", "oifkind", "time", "day", "hour", "nftrace", "ibrname", "obrname",
    "ibriport", "obriport", "secpath",
)  # fmt: skip
_CT_OWN: Final = ("count", "helper", "timeout", "expectation")


def selector_at(tokens: list[Token], at: int) -> tuple[Selector | None, int]:
    """Return the selector that begins at a token, and where it ends; None if none begins there."""
    if at >= len(tokens) or tokens[at].kind != WORD:
        return None, at
    word = tokens[at].text
    if at + 1 < len(tokens):
        known = _FIELDS.get(f"{word} {tokens[at + 1].text}")
        if known is not None and tokens[at + 1].kind == WORD:
            return known, at + 2
    if word in _BARE_META:
        return _FIELDS.get(f"meta {word}") or Selector(Kind.UNKNOWN, f"meta {word}"), at + 1
    if word.startswith("@") and word[1:] in ("th", "nh", "ll", "ih"):  # raw payload: @th,16,16
        return Selector(Kind.UNKNOWN, word), min(at + 5, len(tokens))
    if word not in _HEADERS or at + 1 >= len(tokens):
        return None, at
    return _other(tokens, at, word)


def _other(tokens: list[Token], at: int, word: str) -> tuple[Selector, int]:
    """Take the words of a selector outside the model, as many as its header wants."""
    end = at + 2
    length = len(tokens)

    def text(index: int) -> str:
        return tokens[index].text if index < length else ""

    if word == "ct":
        if text(at + 1) in ("original", "reply"):
            end += 2 if text(at + 2) in ("ip", "ip6") else 1
    elif word == "fib":  # fib saddr . iif oif
        while text(end) == "." and end + 1 < length:
            end += 2
        end += 1
    elif word in ("rt", "ipsec"):
        while text(end) in ("ip", "ip6", "reqid", "spi", "saddr", "daddr", "nexthop", "spnum", "out", "in"):
            end += 1
            if text(end - 1) == "spnum":
                end += 1
    elif word in ("tcp", "sctp", "dccp", "ip", "exthdr") and text(at + 1) in ("option", "chunk"):
        end += 1
        if text(end) and tokens[end].kind == WORD and text(end) not in ("exists", "missing"):
            end += 1
    elif (word == "socket" and text(at + 1) == "cgroupv2") or (word == "osf" and text(at + 1) == "ttl"):
        end += 2
    elif word in ("numgen", "jhash", "symhash"):
        while end < length and text(end) not in ("==", "!=", "vmap", "map", "<", ">", "<=", ">="):
            if tokens[end].kind == STRING or text(end) in ("{", "accept", "drop"):
                break
            end += 1
    end = min(end, length)
    base = _HEADERS[word] if word != "rt" else ANY
    return Selector(Kind.UNKNOWN, " ".join(token.text for token in tokens[at:end]), base), end
