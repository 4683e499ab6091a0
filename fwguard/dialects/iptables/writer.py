"""A change in a restore file: rules with the change's tag at the place where they take effect.

Every rule that we add says `fwguard:TAG` in its comment, and removing looks for nothing else.
Source: iptables-extensions(8) comment, multiport, DNAT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fwguard.dialects.iptables.blocks import BUILT_IN, Blocks, Command, TableBlock, split_blocks
from fwguard.dialects.iptables.options import parse_rule
from fwguard.dialects.iptables.reader import chain_key, policy_of
from fwguard.dialects.named_sets import NamedSet
from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, V6_MAX, AddressSet, Family, parse_span, show_address
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Policy
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, WITH_PORTS, show_protocol

MAX_ADDED: Final = 1024  # rules of one change in one family
MULTIPORT: Final = 15  # ports that one multiport match takes; a range counts as two
FAMILIES: Final = (Family.V4, Family.V6)


def write_change(
    change: Change, text: str, family: Family | None = None, ipsets: Mapping[str, NamedSet] | None = None
) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    blocks = split_blocks(text, family)
    if change.remove:
        return _remove(change, blocks)
    policy = policy_of(blocks, ipsets)
    sheet = _Sheet(blocks)
    for opening in change.openings:
        for one in FAMILIES:
            if opening.families & one:
                _open(sheet, policy, opening, one, change.tag)
    for redirection in change.redirections:
        _redirect(sheet, redirection, change.tag)
    if not sheet.shown:
        raise InputError(f"change {change.tag} holds nothing to write")
    return TextEdit(after=sheet.text(), shown="\n".join(sheet.shown))


class _Sheet:
    """The lines of the text, and what is to stand before which of them."""

    def __init__(self, blocks: Blocks) -> None:
        self.lines = blocks.lines
        self.tables = {(block.name, block.family): block for block in blocks.tables}
        self.before: dict[int, list[str]] = {}  # line number -> lines to stand before it
        self.shown: list[str] = []

    def table(self, name: str, family: Family) -> TableBlock:
        block = self.tables.get((name, family))
        if block is None:
            version = "IPv4" if family is Family.V4 else "IPv6"
            raise InputError(f"the text has no {version} table {name}", expected=f"*{name} … COMMIT")
        return block

    def insert(self, line: int, texts: Iterable[str]) -> None:
        for text in texts:
            self.before.setdefault(line, []).append(text)
            self.shown.append(f"+ {text}")
        if len(self.shown) > MAX_ADDED:
            raise InputError(f"the change takes more than {MAX_ADDED} rules", expected="fewer prefixes")

    def text(self) -> str:
        after: list[str] = []
        for number, line in enumerate(self.lines, 1):
            after.extend(self.before.get(number, ()))
            after.append(line)
        return "\n".join(after)


def _open(sheet: _Sheet, policy: Policy, opening: Opening, family: Family, tag: str) -> None:
    block = sheet.table("filter", family)
    chain = block.chains.get("FORWARD")
    if chain is None:
        raise InputError("table filter has no chain FORWARD", expected=":FORWARD DROP")
    index = place(policy, chain_key(family, "filter", "FORWARD"), opening, family)
    if index is None:
        # Nothing drops it today. It still gets its rules, before what may be added later: at the front.
        index = 0
    rules = [f"-A FORWARD {words}" for words in _opening_words(opening, family, tag)]
    if index < len(chain.rules):
        sheet.insert(_line_of(chain.rules[index]), rules)
    else:
        sheet.insert(max((rule.line for rule in chain.rules), default=block.commit - 1) + 1, rules)


def _line_of(rule: Command) -> int:
    """Return the line of a rule before which an -A comes before it in the chain, too."""
    if rule.text.startswith(("-I", "--insert")):
        raise InputError(
            "a rule is put in its place by -I", where=f"line {rule.line}", expected="iptables-save output"
        )
    return rule.line


def _opening_words(opening: Opening, family: Family, tag: str) -> Iterable[str]:
    end = f'-m comment --comment "fwguard:{tag}" -j ACCEPT'
    number = opening.protocol
    if number in (ICMP, ICMPV6) and (number == ICMPV6) != (family is Family.V6):
        raise InputError(f"{show_protocol(number)} in {family.name}", expected="the ICMP of the IP version")
    sources = list(_address_words("-s", "--src-range", opening.source, family))
    targets = list(_address_words("-d", "--dst-range", opening.target, family))
    for source in sources:
        for target in targets:
            for service in _service_words(number, opening.ports):
                # iptables-save writes -s and -d first, then the protocol, then the matches.
                plain = [word for word, is_match in (source, target) if word and not is_match]
                matches = [word for word, is_match in (source, target) if word and is_match]
                yield " ".join([*plain, service, *matches, end])


def _address_words(
    option: str, range_option: str, addresses: AddressSet, family: Family
) -> Iterable[tuple[str, bool]]:
    spans = addresses.v4 if family is Family.V4 else addresses.v6
    bits, highest, version = (32, V4_MAX, 4) if family is Family.V4 else (128, V6_MAX, 6)
    for low, high in spans:
        size = high - low + 1
        if (low, high) == (0, highest):
            yield "", False
        elif size & (size - 1) == 0 and low % size == 0:
            yield f"{option} {show_address(version, low)}/{bits - size.bit_length() + 1}", False
        else:
            first, last = show_address(version, low), show_address(version, high)
            yield f"-m iprange {range_option} {first}-{last}", True


def _service_words(number: int, ports: Intervals) -> Iterable[str]:
    name = {ICMPV6: "ipv6-icmp"}.get(number, show_protocol(number))
    if number in (ICMP, ICMPV6):
        yield from _icmp_words(name, number, ports)
    elif not ports or ports == ANY_PORT:
        yield f"-p {name}"
    elif number not in WITH_PORTS:
        raise InputError(f"ports of {show_protocol(number)}", expected="tcp, udp, sctp, dccp or udplite")
    elif len(ports.pairs) == 1:
        low, high = ports.pairs[0]
        yield f"-p {name} -m {name} --dport {_span(low, high)}"
    else:
        batch: list[str] = []
        used = 0
        for low, high in ports:
            cost = 1 if low == high else 2
            if used + cost > MULTIPORT:
                yield f"-p {name} -m multiport --dports {','.join(batch)}"
                batch, used = [], 0
            batch.append(_span(low, high))
            used += cost
        yield f"-p {name} -m multiport --dports {','.join(batch)}"


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}:{high}"


def _icmp_words(name: str, number: int, keys: Intervals) -> Iterable[str]:
    if not keys or keys == ANY_PORT:
        yield f"-p {name}"
        return
    option = "-m icmp --icmp-type" if number == ICMP else "-m icmp6 --icmpv6-type"
    for low, high in keys:
        key = low
        while key <= high:
            kind, code = key >> 8, key & 0xFF
            if code == 0 and key + 255 <= high:
                yield f"-p {name} {option} {kind}"
                key += 256
            else:
                yield f"-p {name} {option} {kind}/{code}"
                key += 1


def _redirect(sheet: _Sheet, redirection: Redirection, tag: str) -> None:
    version, public, _ = parse_span(redirection.public)
    inner_version, inner, _ = parse_span(redirection.inner)
    if version != inner_version:
        raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
    family = Family.V4 if version == 4 else Family.V6
    name = show_protocol(redirection.protocol)
    if redirection.protocol not in WITH_PORTS:
        raise InputError(f"a redirection of {name}", expected="tcp, udp, sctp, dccp or udplite")
    shown, bits = show_address(version, inner), 32 if version == 4 else 128
    to = f"{shown}:{redirection.inner_port}" if version == 4 else f"[{shown}]:{redirection.inner_port}"
    rule = (
        f"-A PREROUTING -d {show_address(version, public)}/{bits} -p {name} -m {name} "
        f'--dport {redirection.public_port} -m comment --comment "fwguard:{tag}" '
        f"-j DNAT --to-destination {to}"
    )
    block = sheet.tables.get(("nat", family))
    if block is None:
        _new_nat(sheet, sheet.table("filter", family), rule)
        return
    chain = block.chains.get("PREROUTING")
    if chain is None:
        sheet.insert(block.line + 1, [":PREROUTING ACCEPT [0:0]"])
        sheet.insert(block.commit, [rule])
    else:
        # In front of all others: the first translation that matches is the one that counts.
        sheet.insert(_line_of(chain.rules[0]) if chain.rules else block.commit, [rule])


def _new_nat(sheet: _Sheet, beside: TableBlock, rule: str) -> None:
    chains = [f":{name} ACCEPT [0:0]" for name in sorted(BUILT_IN["nat"])]
    lines = ["*nat", *chains]
    pending = sheet.before.get(beside.line, [])
    if lines[0] in pending:
        pending.insert(pending.index("COMMIT"), rule)
        sheet.shown.append(f"+ {rule}")
        return
    sheet.insert(beside.line, [*lines, rule, "COMMIT"])


def _remove(change: Change, blocks: Blocks) -> TextEdit:
    wanted = f"fwguard:{change.tag}"
    gone = {
        command.line
        for block in blocks.tables
        for chain in block.chains.values()
        for command in chain.rules
        if wanted in command.text and parse_rule(command.words).comment == wanted
    }
    if not gone:
        raise InputError(f"no rule bears the comment {wanted}", expected="a change that was written before")
    kept = [line for number, line in enumerate(blocks.lines, 1) if number not in gone]
    shown = [f"- {blocks.lines[number - 1].strip()}" for number in sorted(gone)]
    return TextEdit(after="\n".join(kept), shown="\n".join(shown))
