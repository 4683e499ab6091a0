"""A change as numbered rules of VyOS, in the rule sets that judge it, before what would drop it.

Every rule that we add has the description `fwguard:TAG`, and removing looks for nothing else. Numbers that
had to move to make room stay moved. Source: VyOS user guide, Firewall, NAT, commit-confirm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.dialects.placement import place
from fwguard.dialects.vyos.paths import Place, places_on_the_way
from fwguard.dialects.vyos.reader import Configuration, read_tree
from fwguard.dialects.vyos.sheet import Sheet, Words
from fwguard.dialects.vyos.tree import Node, parse
from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, V6_MAX, AddressSet, Family, parse_span, show_address, show_span
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect
from fwguard.model.policy import Match, NatKind
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, TCP, UDP, show_ports, show_protocol

MAX_ADDED: Final = 256  # rules of one change
MAX_DEPTH: Final = 12
CONFIRM_MIN: Final = 5
# What the operator types besides: undone by a restart of the old configuration unless it is confirmed.
COMMIT: Final = (f"commit-confirm {CONFIRM_MIN}", "confirm", "save")


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    tree = parse(text)
    config = read_tree(tree)
    sheet = Sheet(tree, config.is_legacy)
    if change.remove:
        _remove(change, sheet)
    else:
        if next(_tagged(sheet.tree.root, change.tag), None) is not None:
            raise InputError(
                f"tag {change.tag} stands already", expected="a change that was not written before"
            )
        for container, rules, ahead in _openings(change, config, tree.root):
            sheet.add_rules(container, rules, ahead)
        for redirection in change.redirections:
            _redirect(sheet, config, redirection, change.tag)
    if not sheet.shown:
        raise InputError(f"change {change.tag} holds nothing to write")
    return TextEdit(after=sheet.text(), shown="\n".join((*sheet.shown, *COMMIT)))


def _openings(
    change: Change, config: Configuration, root: Node
) -> Iterator[tuple[Words, list[list[Words]], int | None]]:
    """Yield what goes where: the rules of one rule set before one number together, so that they find room."""
    found: dict[tuple[Words, int | None], list[list[Words]]] = {}
    for opening in change.openings:
        for family in (Family.V4, Family.V6):
            if not opening.families & family:
                continue
            rules = list(_rules(opening, family, change.tag, config.is_legacy))
            places = places_on_the_way(config, opening, family)
            if not places:
                raise InputError(
                    f"no rule set judges forwarded {family.name} packets on this way",
                    expected="firewall … forward filter, a rule set at an interface, or zones",
                )
            wanted = [(one, place(config.policy, one.key, opening, family)) for one in places]
            # Nothing drops it today: it still gets its rules, before what may be added later.
            needed = [pair for pair in wanted if pair[1] is not None] or [(places[0], 0)]
            for one, index in needed:
                ahead = _number(config, root, one, index or 0)
                found.setdefault((one.container, ahead), []).extend(rules)
            if sum(map(len, found.values())) > MAX_ADDED:
                raise InputError(f"the change takes more than {MAX_ADDED} rules", expected="fewer prefixes")
    for (container, ahead), rules in found.items():
        yield container, rules, ahead


def _number(config: Configuration, root: Node, one: Place, index: int) -> int | None:
    """Return the number of the rule at a place of a chain; None behind the last."""
    rules = config.policy.chains[one.key].rules
    node = root.child(*one.container)
    numbers = {rule.line: number for number, rule in node.numbered("rule") if number >= 0} if node else {}
    for rule in rules[index:]:
        if rule.line in numbers:
            return numbers[rule.line]
    return None


def _rules(opening: Opening, family: Family, tag: str, legacy: bool) -> Iterator[list[Words]]:
    number = opening.protocol
    if number in (ICMP, ICMPV6) and (number == ICMPV6) != (family is Family.V6):
        raise InputError(f"{show_protocol(number)} in {family.name}", expected="the ICMP of the IP version")
    for source in _addresses(opening.source, family):
        for target in _addresses(opening.target, family):
            for service in _services(number, opening.ports, legacy):
                sides: list[Words] = [("source", "address", source)] if source else []
                sides += [("destination", "address", target)] if target else []
                yield [("action", "accept"), ("description", f"fwguard:{tag}"), *sides, *service]


def _addresses(addresses: AddressSet, family: Family) -> Iterator[str]:
    """Yield addresses, prefixes and ranges; empty for all."""
    version, spans, highest = (4, addresses.v4, V4_MAX) if family is Family.V4 else (6, addresses.v6, V6_MAX)
    for low, high in spans:
        yield "" if (low, high) == (0, highest) else show_span(version, low, high)


def _services(number: int, ports: Intervals, legacy: bool) -> Iterator[list[Words]]:
    name = "tcp_udp" if number < 0 else show_protocol(number)
    if number in (ICMP, ICMPV6):
        word = "icmp" if number == ICMP else "icmpv6"
        name = "icmp" if number == ICMP else "icmpv6" if legacy else "ipv6-icmp"
        for kind, code in _icmp(ports):
            leaves: list[Words] = [("protocol", name)]
            if kind is not None and code is not None and legacy and number == ICMPV6:
                leaves.append((word, "type", f"{kind}/{code}"))
            else:
                leaves += [(word, "type", str(kind))] if kind is not None else []
                leaves += [(word, "code", str(code))] if code is not None else []
            yield leaves
        return
    if not ports or ports == ANY_PORT:
        yield [("protocol", name)]
        return
    if number not in (TCP, UDP):
        raise InputError(f"ports of {show_protocol(number)}", expected="tcp or udp")
    yield [("protocol", name), ("destination", "port", show_ports(ports))]


def _icmp(keys: Intervals) -> Iterator[tuple[int | None, int | None]]:
    if not keys or keys == ANY_PORT:
        yield None, None
        return
    for low, high in keys:
        key = low
        while key <= high:
            kind, code = key >> 8, key & 0xFF
            whole = code == 0 and key + 255 <= high
            yield kind, None if whole else code
            key += 256 if whole else 1


def _redirect(sheet: Sheet, config: Configuration, redirection: Redirection, tag: str) -> None:
    """Add a destination rule before the first that would translate the same connections."""
    version, public, _ = parse_span(redirection.public)
    inner_version, inner, _ = parse_span(redirection.inner)
    if version != inner_version:
        raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
    if redirection.protocol not in (TCP, UDP):
        raise InputError(f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp or udp")
    container = ("nat" if version == 4 else "nat66", "destination")
    asked = Match(
        target=AddressSet.parse(redirection.public), protocol=Intervals.single(redirection.protocol),
        dport=Intervals.single(redirection.public_port),
    )  # fmt: skip
    node = sheet.tree.root.child(*container)
    numbers = {rule.line: number for number, rule in node.numbered("rule") if number >= 0} if node else {}
    ahead = None
    for rule in config.policy.nat:
        if all(intersect(asked, match) is None for match in rule.matches):
            continue
        if rule.kind is NatKind.STATIC:
            raise InputError(f"{redirection.public} is translated one to one", where=f"line {rule.line}")
        if rule.line in numbers and rule.text.startswith(" ".join(container)):
            ahead = numbers[rule.line]
            break
    leaves: list[Words] = [("description", f"fwguard:{tag}")]
    if sheet.is_legacy:
        leaves.append(("inbound-interface", "any"))
    leaves += [
        ("destination", "address", show_address(version, public)),
        ("destination", "port", str(redirection.public_port)),
        ("protocol", show_protocol(redirection.protocol)),
        ("translation", "address", show_address(version, inner)),
        ("translation", "port", str(redirection.inner_port)),
    ]
    sheet.add_rules(container, [leaves], ahead)


def _tagged(root: Node, tag: str) -> Iterator[Words]:
    """Yield the paths of the rules that bear a tag."""
    wanted = f"fwguard:{tag}"
    stack: list[tuple[Words, Node]] = [
        ((name,), node) for name in ("nat66", "nat", "firewall") if (node := root.child(name)) is not None
    ]
    while stack:
        path, node = stack.pop()
        for child in node.nodes("rule"):
            if child.value("description") == wanted:
                yield (*path, "rule", child.name)
        if len(path) < MAX_DEPTH:
            stack.extend(
                ((*path, child.name), child) for child in node.children.values() if child.name != "rule"
            )


def _remove(change: Change, sheet: Sheet) -> None:
    root = sheet.tree.root
    paths = list(_tagged(root, change.tag))
    if not paths:
        raise InputError(
            f"no rule has the description fwguard:{change.tag}", expected="a change that was written before"
        )
    gone: dict[Words, int] = {}
    for path in paths:
        if path[0] == "firewall":
            sheet.remove(path)
            continue
        gone[path[:-2]] = gone.get(path[:-2], 0) + 1
    for container, count in gone.items():
        # A part that held nothing else goes with its last rule.
        own = [path for path in paths if path[:-2] == container]
        node, top = root.child(*container), root.child(container[0])
        if node is not None and len(node.nodes("rule")) == count and len(node.children) == 1:
            alone = top is not None and len(top.children) == 1
            own = [container[:1] if alone else container]
        for path in own:
            sheet.remove(path)
