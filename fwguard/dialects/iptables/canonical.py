"""A restore file as it is compared: one spelling, no counters, no comments, no order without meaning.

Kept: every rule, also without effect, and the order of rules in each chain. Source: iptables-save(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.iptables.blocks import TABLES, Blocks, Command, TableBlock, split_blocks
from fwguard.dialects.iptables.conditions import address_set
from fwguard.dialects.iptables.options import Option, Parsed, parse_rule
from fwguard.dialects.iptables.reader import FAMILY_NAMES
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, Family
from fwguard.model.intervals import Intervals

# Modules that the protocol brings along or that say nothing alone: naming them changes nothing.
SILENT: Final = frozenset({
    "tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmp6", "ipv6-icmp", "icmpv6", "comment", "state",
    "conntrack", "multiport", "iprange", "set", "standard",
})  # fmt: skip
# What iptables-save leaves out, or writes although nobody asked for it: (target, option, value).
DEFAULTS: Final = frozenset({
    ("LOG", "--log-level", "4"), ("LOG", "--log-level", "warning"), ("LOG", "--log-level", "warn"),
    ("REJECT", "--reject-with", "icmp-port-unreachable"), ("REJECT", "--reject-with", "port-unreach"),
    ("REJECT", "--reject-with", "icmp6-port-unreachable"),
})  # fmt: skip
_RATE: Final = re.compile(r"(\d+)/(s|sec|second|m|min|minute|h|hour|d|day)")
_UNITS: Final = {"s": "sec", "m": "min", "h": "hour", "d": "day"}


def canonical(text: str, family: Family | None = None) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    return canonical_blocks(split_blocks(text, family))


def canonical_blocks(blocks: Blocks) -> str:
    """Return what `split_blocks` found, to compare."""
    lines = [f"unread {one.text}" for one in blocks.unread]
    order = {name: index for index, name in enumerate(TABLES)}
    for block in sorted(blocks.tables, key=lambda one: (one.family, order[one.name])):
        lines.extend(_table(block))
    return "\n".join(lines) + ("\n" if lines else "")


def _table(block: TableBlock) -> list[str]:
    lines: list[str] = []
    for name, chain in sorted(block.chains.items()):
        # A built-in chain that accepts is there whether it is listed or not: looking at a table lists it.
        if chain.policy != "ACCEPT":
            lines.append(f":{name} {chain.policy or '-'}")
    for name, chain in sorted(block.chains.items()):
        lines.extend(f"-A {name} {_rule(command, block.family)}".rstrip() for command in chain.rules)
    return [f"*{FAMILY_NAMES[block.family]} {block.name}", *lines] if lines else []


def _rule(command: Command, family: Family) -> str:
    parsed = parse_rule(command.words)
    if parsed.torn:
        return " ".join(command.words)
    words = sorted(
        word for option in parsed.options if not option.owner or option.name in _SPELLINGS
        if (word := _option(option, family))
    )  # fmt: skip
    # Modules with a memory (limit, recent) count what comes to them: their order stays.
    for module in parsed.modules:
        if module not in SILENT:
            own = [one for one in parsed.options if one.owner == module and one.name not in _SPELLINGS]
            words.append(" ".join([f"-m {module}", *sorted(_option(one, family) for one in own)]))
    for option in parsed.options:
        if option.owner in SILENT and option.name not in _SPELLINGS:
            words.append(_option(option, family))
    if parsed.target:
        words.append(_target(parsed, family))
    return " ".join(words)


def _target(parsed: Parsed, family: Family) -> str:
    words = [f"{'-g' if parsed.goto else '-j'} {parsed.target}"]
    options = [
        one for one in parsed.target_options
        if (parsed.target, one.name, one.values[0] if one.values else "") not in DEFAULTS
    ]  # fmt: skip
    words.extend(sorted(_option(_plain_mark(option, parsed.target), family) for option in options))
    return " ".join(words)


def _plain_mark(option: Option, target: str) -> Option:
    """`--set-mark 1` is saved as `--set-xmark 0x1/0xffffffff`."""
    if target in ("MARK", "CONNMARK") and option.name == "--set-mark" and option.values:
        value, slash, _mask = option.values[0].partition("/")
        if not slash and value.lower().removeprefix("0x").isalnum():
            try:
                number = int(value, 0)
            except ValueError:
                return option
            return option._replace(name="--set-xmark", values=(f"{number:#x}/0xffffffff",))
    return option


def _option(option: Option, family: Family) -> str:
    values = option.values
    spell = _SPELLINGS.get(option.name)
    name = option.name
    if spell is not None:
        try:
            name, values = spell(option, family)
        except InputError:
            name, values = option.name, option.values
    else:
        values = tuple(_rate(value) for value in values)
    if not name:
        return ""
    return " ".join((*(("!",) if option.negated else ()), name, *(_quoted(value) for value in values)))


def _quoted(value: str) -> str:
    if value and not re.search(r'[\s"\\]', value):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _rate(value: str) -> str:
    match = _RATE.fullmatch(value)
    return f"{match[1]}/{_UNITS[match[2][0]]}" if match else value


Spelled = tuple[str, tuple[str, ...]]


def _address(option: Option, family: Family) -> Spelled:
    addresses, exact = address_set(option.values[0], family, False, option.name.endswith("-range"))
    if not exact:
        return option.name, option.values
    if addresses in (ANY_ADDRESS, ANY_V4, ANY_V6) and not option.negated:
        return "", ()
    return option.name.replace("-range", "").replace("--src", "--source").replace("--dst", "--destination"), (
        ",".join(addresses.texts()),
    )


def _protocol(option: Option, _family: Family) -> Spelled:
    number = names.protocol_number(option.values[0])
    return ("", ()) if number is None else (option.name, (str(number),))


def _ports(option: Option, _family: Family) -> Spelled:
    ports = names.port_list(option.values[0])
    return option.name.rstrip("s") if option.name != "--ports" else "--ports", (_spans(ports),)


def _spans(ports: Intervals) -> str:
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ports)


def _icmp(option: Option, family: Family) -> Spelled:
    return "--icmp-type", (_spans(names.icmp_span(option.values[0], family)),)


def _states(option: Option, _family: Family) -> Spelled:
    return option.name, (",".join(sorted(set(option.values[0].upper().split(",")))),)


def _flags(option: Option, _family: Family) -> Spelled:
    if option.name == "--syn":
        return "--tcp-flags", (f"{names.SYN_MASK:#x}", f"{names.SYN:#x}")
    return option.name, tuple(f"{names.flag_bits(value):#x}" for value in option.values)


def _as_written(option: Option, _family: Family) -> Spelled:
    return option.name, option.values


_SPELLINGS: Final[dict[str, Callable[[Option, Family], Spelled]]] = {
    "--source": _address, "--destination": _address, "--src-range": _address, "--dst-range": _address,
    "--ctorigsrc": _address, "--ctorigdst": _address, "--protocol": _protocol, "--ctproto": _protocol,
    "--sport": _ports, "--dport": _ports, "--sports": _ports, "--dports": _ports, "--ports": _ports,
    "--icmp-type": _icmp, "--icmpv6-type": _icmp, "--ctstate": _states, "--tcp-flags": _flags,
    "--syn": _flags, "--in-interface": _as_written, "--out-interface": _as_written,
    "--fragment": _as_written, "--match-set": _as_written, "--ctorigsrcport": _as_written,
    "--ctorigdstport": _as_written, "--ctdir": _as_written,
}  # fmt: skip
