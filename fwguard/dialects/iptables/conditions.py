"""The options of one rule as products of sets: what the first packets that it matches look like.

Every condition is one of three: decided, undecidable (a rate, a mark: the match then says `unknown`), or
not understood (unknown as well, and told to the caller). Conditions that only later packets of a connection
meet take NEW from the states. Source: iptables-extensions(8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.iptables.options import UNDECIDED_MODULES, Option, Parsed
from fwguard.dialects.named_sets import NamedSet
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect
from fwguard.model.policy import ANY_STATE, CtState, InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

MAX_MATCHES: Final = 4096  # products of one rule; beyond, the condition is unknown
MAX_TEXT_MATCHES: Final = 500_000  # products of all rules of a text that sets and ports multiply
CACHED_CHARS: Final = 256
MAX_INTERFACE: Final = 16  # IFNAMSIZ, with room for a final +
NOT_NEW: Final = ANY_STATE - {CtState.NEW}
STATES: Final = {state.name: state for state in CtState}
ANYTHING: Final = Match()


@dataclass(slots=True)
class Surroundings:
    """What a rule's words mean by: its family, the sets given alongside, whether addresses were rewritten."""

    family: Family
    sets: Mapping[str, NamedSet] | None = None
    rewritten: bool = False  # a DNAT of this family may stand before: the original target is not this one
    budget: int = MAX_TEXT_MATCHES


@dataclass(slots=True)
class Conditions:
    """The matches of a rule, and what was not understood on the way."""

    matches: tuple[Match, ...] = ()
    problems: list[str] = field(default_factory=list)


def conditions(parsed: Parsed, around: Surroundings) -> Conditions:
    """Return what a rule matches. Never raises for words that it does not understand."""
    fields: dict[str, object] = {}
    alternatives: list[tuple[Match, ...]] = []
    unknown: list[str] = []
    problems = list(parsed.problems)
    for option in parsed.options:
        try:
            _decide(option, around, fields, alternatives, unknown)
        except InputError as error:
            problems.append(f"{option.name}: {error}")
    for module in parsed.modules:
        if module in UNDECIDED_MODULES:
            unknown.append(_words(parsed, module))
    unknown.extend(problems)
    if unknown:
        fields["unknown"] = "; ".join(dict.fromkeys(unknown))[:512]
    matches: tuple[Match, ...] = (Match(**fields),) if fields else (ANYTHING,)  # type: ignore[arg-type]
    for choices in alternatives:
        around.budget -= len(matches) * len(choices)
        if len(matches) * len(choices) > MAX_MATCHES or around.budget < 0:
            problems.append(f"{len(matches) * len(choices)} combinations")
            matches = tuple(replace(one, unknown=one.unknown or problems[-1]) for one in matches)
            continue
        matches = tuple(
            both for one in matches for choice in choices if (both := intersect(one, choice)) is not None
        )
    return Conditions(matches, problems)


def _words(parsed: Parsed, module: str) -> str:
    """Return the condition of one undecided module as it is written."""
    words = [f"-m {module}"]
    for option in parsed.options:
        if option.owner == module and option.name not in _DECIDERS:
            words.append(("! " if option.negated else "") + " ".join((option.name, *option.values)))
    return " ".join(words)


def _decide(
    option: Option,
    around: Surroundings,
    fields: dict[str, object],
    alternatives: list[tuple[Match, ...]],
    unknown: list[str],
) -> None:
    kind = _DECIDERS.get(option.name)
    if kind is None:
        return  # its module is undecided, or the parser has complained already
    value, negated = (option.values[0] if option.values else ""), option.negated
    if kind == "address":
        name = "source" if option.name in ("--source", "--ctorigsrc", "--src-range") else "target"
        if option.name == "--ctorigdst" and around.rewritten:
            unknown.append(f"{option.name} {value}")
            return
        addresses, exact = address_set(value, around.family, negated, option.name.endswith("-range"))
        if not exact:
            unknown.append(f"{option.name} {value}")
        before = fields.get(name)
        fields[name] = addresses & before if isinstance(before, AddressSet) else addresses
    elif kind == "interface":
        name = "ingress" if option.name == "--in-interface" else "egress"
        if name in fields:
            raise InputError("stands twice")
        if "*" in value or len(value) > MAX_INTERFACE:
            raise InputError(f"interface {value[:20]!r}")
        fields[name] = interface_set(value, negated)
    elif kind == "protocol":
        number = names.protocol_number(value)
        if number is None and negated:
            raise InputError("not any protocol")
        if number is not None:
            _narrow(fields, "protocol", Intervals.single(number), ANY_PROTOCOL, negated)
    elif kind == "port":
        if option.name == "--ctorigdstport" and around.rewritten:
            unknown.append(f"{option.name} {value}")
            return
        ports = names.port_list(value) if option.name.endswith("s") else names.port_span(value)
        name = "sport" if option.name in ("--sport", "--sports", "--ctorigsrcport") else "dport"
        _narrow(fields, name, ports, ANY_PORT, negated)
    elif kind == "either-port":
        ports = names.port_list(value)
        if negated:
            _narrow(fields, "sport", ports, ANY_PORT, True)
            _narrow(fields, "dport", ports, ANY_PORT, True)
        else:
            alternatives.append((Match(dport=ports), Match(sport=ports, dport=ANY_PORT - ports)))
    elif kind == "icmp":
        _narrow(fields, "dport", names.icmp_span(value, around.family), ANY_PORT, negated)
    elif kind == "state":
        _states(value, negated, fields, alternatives)
    elif kind == "direction":
        _later(fields, (value.upper() == "ORIGINAL") == negated)
    elif kind == "flags":
        _flags(option, fields, unknown)
    elif kind == "fragment":
        _later(fields, not negated)
    else:
        _named_set(option, around, alternatives)


_DECIDERS: Final = {
    "--source": "address", "--destination": "address", "--ctorigsrc": "address", "--ctorigdst": "address",
    "--src-range": "address", "--dst-range": "address", "--in-interface": "interface",
    "--out-interface": "interface", "--protocol": "protocol", "--ctproto": "protocol", "--sport": "port",
    "--dport": "port", "--sports": "port", "--dports": "port", "--ctorigsrcport": "port",
    "--ctorigdstport": "port", "--ports": "either-port", "--icmp-type": "icmp", "--icmpv6-type": "icmp",
    "--ctstate": "state", "--ctdir": "direction", "--tcp-flags": "flags", "--syn": "flags",
    "--fragment": "fragment", "--match-set": "set",
}  # fmt: skip


def _narrow(
    fields: dict[str, object], name: str, numbers: Intervals, every: Intervals, negated: bool
) -> None:
    wanted = every - numbers if negated else numbers
    before = fields.get(name)
    fields[name] = before & wanted if isinstance(before, Intervals) else wanted


def _later(fields: dict[str, object], later: bool) -> None:
    """Take NEW away when the condition asks for what the first packet is not."""
    if later:
        before = fields.get("states", ANY_STATE)
        fields["states"] = before & NOT_NEW if isinstance(before, frozenset) else NOT_NEW


def _states(
    value: str, negated: bool, fields: dict[str, object], alternatives: list[tuple[Match, ...]]
) -> None:
    listed: set[CtState] = set()
    virtual: list[str] = []
    for word in value.upper().split(","):
        if word in ("SNAT", "DNAT"):
            virtual.append(word)
        elif word in STATES:
            listed.add(STATES[word])
        else:
            raise InputError(f"state {word[:20]!r}", expected=", ".join(STATES))
    chosen = ANY_STATE - listed if negated else frozenset(listed)
    if virtual:
        condition = f"{'! ' if negated else ''}--ctstate {','.join(virtual)}"
        if negated:
            alternatives.append((Match(states=chosen, unknown=condition),))
        else:
            others = Match(states=ANY_STATE - listed, unknown=condition)
            alternatives.append((Match(states=chosen), others) if listed else (others,))
        return
    before = fields.get("states")
    fields["states"] = before & chosen if isinstance(before, frozenset) else chosen


def _flags(option: Option, fields: dict[str, object], unknown: list[str]) -> None:
    """A connection's first TCP packet is a SYN: no FIN, RST or ACK; of the other flags nobody knows."""
    if option.name == "--syn":
        mask, wanted = names.SYN_MASK, names.SYN
    else:
        mask, wanted = names.flag_bits(option.values[0]), names.flag_bits(option.values[1])
    text = " ".join((("! " if option.negated else "") + option.name, *option.values))
    if wanted & ~mask or (wanted & names.SYN_MASK) != (names.SYN & mask):
        _later(fields, not option.negated)  # no SYN looks like this
    elif mask & ~names.SYN_MASK:
        unknown.append(text)  # a SYN may bear ECE and CWR (RFC 3168), PSH with data (RFC 7413), or URG
    else:
        _later(fields, option.negated)


def _named_set(option: Option, around: Surroundings, alternatives: list[tuple[Match, ...]]) -> None:
    name, directions = option.values[0], tuple(option.values[1].lower().split(","))
    found = around.sets.get(name) if around.sets is not None else None
    if found is None:
        raise InputError(
            f"set {name[:40]!r} is not given", expected="the output of ipset save beside the rules"
        )
    matches, why = found.matches(directions, around.family, option.negated)
    if why:
        raise InputError(f"set {name[:40]!r}: {why}")
    alternatives.append(matches)


@lru_cache(maxsize=4096)
def interface_set(word: str, negated: bool) -> InterfaceSet:
    """Read an interface name, where a final + stands for anything."""
    if word == "+":
        return InterfaceSet(frozenset(), negated=not negated)
    return InterfaceSet(frozenset({word[:-1] + "*" if word.endswith("+") else word}), negated)


def address_set(text: str, family: Family, negated: bool, is_range: bool) -> tuple[AddressSet, bool]:
    """Read a comma list of addresses with prefix length or mask (or a range), and whether that is exact.

    A mask with holes covers a part of what is returned. Raises InputError for names and the other family.
    """
    read = _cached_addresses if len(text) <= CACHED_CHARS else _addresses
    return read(text, family, negated, is_range)


def _addresses(text: str, family: Family, negated: bool, is_range: bool) -> tuple[AddressSet, bool]:
    v4: list[tuple[int, int]] = []
    v6: list[tuple[int, int]] = []
    exact = True
    for word in text.split(","):
        base, slash, mask = word.partition("/")
        if is_range != ("-" in word) and (slash or not is_range):
            raise InputError(f"address {word[:60]!r}", expected="an address" + (" range" if is_range else ""))
        if slash and ("." in mask or ":" in mask):
            length, whole = _mask_length(mask)
            exact = exact and whole
            word = f"{base}/{length}"
        version, low, high = parse_span(word)
        (v4 if version == 4 else v6).append((low, high))
    if (v6 if family is Family.V4 else v4) or (family is Family.V4 and "%" in text):
        raise InputError(f"address {text[:60]!r}", expected="IPv4" if family is Family.V4 else "IPv6")
    addresses = AddressSet(Intervals.of(*v4), Intervals.of(*v6))
    everything = ANY_V4 if family is Family.V4 else ANY_V6
    if negated:
        return (everything - addresses if exact else everything), exact
    return (ANY_ADDRESS if addresses == everything else addresses), exact


_cached_addresses = lru_cache(maxsize=65536)(_addresses)


def _mask_length(mask: str) -> tuple[int, bool]:
    """Return the leading ones of a mask, and whether nothing but zeros follows them."""
    version, number, _ = parse_span(mask)
    bits = 32 if version == 4 else 128
    length = 0
    while length < bits and number >> (bits - 1 - length) & 1:
        length += 1
    return length, number & ((1 << (bits - length)) - 1) == 0
