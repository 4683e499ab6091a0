"""A change as rules of pfSense or OPNsense, on the interface that its source comes in on.

A rule stands before the first rule of the user that would drop the opening: as a rule of that interface, or, where
a floating rule or one of a group drops it, as a floating rule that decides at once. Every rule that we add has
the description `fwguard:TAG`, and removing looks for nothing else. Source: pfSense documentation, Rule
Methodology; OPNsense manual, Rules.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from fwguard.dialects.pf.builtin import builtin_rules
from fwguard.dialects.pf.icmp import icmp_name
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.paths import Paths
from fwguard.dialects.pf.reader import Configuration, read_root
from fwguard.dialects.pf.rules import PfRule
from fwguard.dialects.pf.sheet import Element, Sheet
from fwguard.dialects.pf.tree import Node, parse
from fwguard.dialects.placement import place, region_of
from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, V6_MAX, AddressSet, Family, parse_span, show_address
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.intervals import Intervals
from fwguard.model.matching import without
from fwguard.model.policy import Action, Chain, InterfaceSet, Policy, Rule
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, TCP, UDP, show_protocol

MAX_ADDED: Final = 256
CHAIN: Final = "rules"
PLACES: Final = (("filter", "rule"), ("nat", "rule"), ("OPNsense", "Firewall", "Filter", "rules", "rule"))


def write_change(change: Change, text: str, product: str) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    root = parse(text, product)
    sheet = Sheet(text.encode("utf-8", "surrogatepass"), root)
    tagged = _tagged(root, change.tag)
    if change.remove:
        if not tagged:
            raise InputError(
                f"no rule has the description fwguard:{change.tag}",
                expected="a change that was written before",
            )
        for node in tagged:
            sheet.remove(node)
    else:
        if tagged:
            raise InputError(
                f"tag {change.tag} stands already", expected="a change that was not written before"
            )
        config = read_root(root, product)
        for opening in change.openings:
            for family in (Family.V4, Family.V6):
                if opening.families & family:
                    _open(sheet, config, opening, family, change.tag)
        for redirection in change.redirections:
            _redirect(sheet, config, redirection, change.tag)
    if sheet.is_empty:
        raise InputError(f"change {change.tag} holds nothing to write")
    if len(sheet.edits) + sum(map(len, sheet.behind.values())) > MAX_ADDED:
        raise InputError(f"the change takes more than {MAX_ADDED} rules", expected="fewer prefixes")
    after = sheet.text()
    return TextEdit(after=after, shown="\n".join(sheet.shown))


def _tagged(root: Node, tag: str) -> list[Node]:
    wanted = f"fwguard:{tag}"
    return [
        node for path in PLACES for node in root.all(*path)
        if wanted in (node.value("descr"), node.value("description"))
    ]  # fmt: skip


def _open(sheet: Sheet, config: Configuration, opening: Opening, family: Family, tag: str) -> None:
    _refuse_builtin(sheet.root, config, opening, family)
    outer, inner = Paths(config, family).ways(opening)
    for name in outer:
        asked = [one for one in config.rules if one.inward is not None]
        stop = _first_drop(asked, [one.inward for one in asked], name, opening, family, Action.DROP)
        for element in _rules(opening, family, tag, name):
            _put(sheet, stop, element)
    for name in inner:
        asked = [one for one in config.rules if one.outward is not None]
        stop = _first_drop(asked, [one.outward for one in asked], name, opening, family, Action.ACCEPT)
        if stop is not None:
            for element in _rules(opening, family, tag, name, direction="out"):
                _put_floating(sheet, stop, element)


def _refuse_builtin(root: Node, config: Configuration, opening: Opening, family: Family) -> None:
    """Raise InputError when a rule of the product drops the opening on every interface."""
    left = region_of(opening, family)
    for one in builtin_rules(root, config.interfaces, Notes(config.policy.dialect)):
        if one.inward and one.quick and one.rule.action is Action.DROP:
            left = without(left, [match for match in one.rule.matches if not match.unknown])
            if not left:
                raise InputError(f"no rule can open it: {one.rule.text}", where=f"line {one.rule.line}")


def _first_drop(
    rules: Sequence[PfRule],
    judging: Sequence[Rule | None],
    name: str,
    opening: Opening,
    family: Family,
    default: Action,
) -> PfRule | None:
    """Return the first rule on an interface that surely drops any of the opening; None for the default."""
    listed: list[tuple[PfRule, Rule]] = []
    for one, rule in zip(rules, judging, strict=True):
        if rule is None:
            continue
        out = rule is one.outward
        matches = tuple(
            replace(match, ingress=InterfaceSet(), egress=InterfaceSet())
            for match in rule.matches
            if name in (match.egress if out else match.ingress)
        )
        if matches:
            listed.append((one, replace(rule, matches=matches)))
    ordered = [pair for pair in listed if pair[0].quick] + [
        pair for pair in reversed(listed) if not pair[0].quick
    ]
    chain = Chain(name=CHAIN, families=Family.BOTH, rules=tuple(rule for _, rule in ordered), default=default)
    index = place(Policy(dialect="", chains={CHAIN: chain}), CHAIN, opening, family)
    if index is None and default is Action.DROP:
        # Nothing drops it today: it still gets its rules, before what may be added later.
        index = next((i for i, (one, _) in enumerate(ordered) if one.rank[0] == 2), len(ordered))
    return ordered[index][0] if index is not None and index < len(ordered) else None


def _put(sheet: Sheet, stop: PfRule | None, element: Element) -> None:
    """Put a rule of one interface before what stops it."""
    if stop is None or not stop.quick:
        _append(sheet, element)
    elif stop.rank[0] == 2 and not stop.is_new_kind:
        sheet.before(stop.node, element)
    else:
        _put_floating(sheet, stop, _floating(element, "in"))


def _put_floating(sheet: Sheet, stop: PfRule, element: Element) -> None:
    if stop.rank[0] == 0 and stop.quick:
        if stop.is_new_kind:
            raise InputError(
                "a floating rule of the new kind would drop it first", where=f"line {stop.node.line}",
                expected="a change of that rule by hand",
            )  # fmt: skip
        sheet.before(stop.node, element)
    else:
        _append(sheet, element)


def _append(sheet: Sheet, element: Element) -> None:
    """Put a rule behind all others."""
    sheet.inside(("filter",), element)


def _floating(element: Element, direction: str) -> Element:
    tag, content = element
    assert not isinstance(content, str)  # noqa: S101
    return tag, [*content, ("floating", "yes"), ("quick", "yes"), ("direction", direction)]


def _rules(opening: Opening, family: Family, tag: str, name: str, direction: str = "") -> Iterator[Element]:
    number = opening.protocol
    if number in (ICMP, ICMPV6) and (number == ICMPV6) != (family is Family.V6):
        raise InputError(f"{show_protocol(number)} in {family.name}", expected="the ICMP of the IP version")
    head: list[Element] = [
        ("type", "pass"), ("interface", name), ("ipprotocol", "inet" if family is Family.V4 else "inet6"),
        ("statetype", "keep state"), ("protocol", "icmp" if number == ICMPV6 else show_protocol(number)),
    ]  # fmt: skip
    ports: list[str] = [""]
    if number in (ICMP, ICMPV6):
        if opening.ports and opening.ports != ANY_PORT:
            head.append(("icmptype", ",".join(_types(opening.ports, family))))
    elif opening.ports and opening.ports != ANY_PORT:
        if number not in (TCP, UDP):
            raise InputError(f"ports of {show_protocol(number)}", expected="tcp or udp")
        ports = [str(low) if low == high else f"{low}-{high}" for low, high in opening.ports]
    for source in _addresses(opening.source, family):
        for target in _addresses(opening.target, family):
            for port in ports:
                rule: Element = (
                    "rule",
                    [*head, ("source", [_side(source)]),
                     ("destination", [_side(target), *([("port", port)] if port else [])]),
                     ("descr", f"fwguard:{tag}")],
                )  # fmt: skip
                yield _floating(rule, direction) if direction else rule


def _types(keys: Intervals, family: Family) -> Iterator[str]:
    for low, high in keys:
        if low & 0xFF or high & 0xFF != 0xFF:
            raise InputError(
                "an ICMP code", expected="whole ICMP types: pf rules of these products have no codes"
            )
        for number in range(low >> 8, (high >> 8) + 1):
            yield icmp_name(number, family)


def _side(address: str) -> Element:
    return ("address", address) if address else ("any", "")


def _addresses(addresses: AddressSet, family: Family) -> Iterator[str]:
    """Yield addresses and prefixes; empty for all. A range takes several."""
    spans, highest = (addresses.v4, V4_MAX) if family is Family.V4 else (addresses.v6, V6_MAX)
    for low, high in spans:
        if (low, high) == (0, highest):
            yield ""
            continue
        make = ipaddress.IPv4Address if family is Family.V4 else ipaddress.IPv6Address
        for network in ipaddress.summarize_address_range(make(low), make(high)):
            yield str(network.network_address) if network.num_addresses == 1 else str(network)


def _redirect(sheet: Sheet, config: Configuration, redirection: Redirection, tag: str) -> None:
    """Add a port forward in front of all others, without reflection and without a filter rule of its own."""
    version, public, _ = parse_span(redirection.public)
    inner_version, inner, _ = parse_span(redirection.inner)
    if version != inner_version:
        raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
    if redirection.protocol not in (TCP, UDP):
        raise InputError(f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp or udp")
    family = Family.V4 if version == 4 else Family.V6
    paths = Paths(config, family)
    asked = AddressSet.parse(redirection.public)
    names = [
        name for name, one in config.interfaces.by_name.items() if asked <= one.networks
    ] or paths.outside
    if not names:
        raise InputError(f"no interface for {redirection.public}", expected="an interface with a gateway")
    element: Element = (
        "rule",
        [
            ("source", [("any", "")]),
            ("destination", [("address", show_address(version, public)), ("port", str(redirection.public_port))]),
            ("ipprotocol", "inet" if version == 4 else "inet6"),
            ("protocol", show_protocol(redirection.protocol)), ("target", show_address(version, inner)),
            ("local-port", str(redirection.inner_port)), ("interface", names[0]),
            ("descr", f"fwguard:{tag}"), ("associated-rule-id", ""), ("natreflection", "disable"),
        ],
    )  # fmt: skip
    rules = sheet.root.all("nat", "rule")
    if rules:
        sheet.before(rules[0], element)
    else:
        sheet.inside(("nat",), element)
