"""A change in an ASA's configuration: entries in the lists on the way of an opening, twice NAT for a redirection.

Every entry that we add stands right behind a remark `fwguard:TAG` of its own, every object that we add is
named `fwguard.TAG.N.…`; removing looks for nothing else. Which lists are on the way, routes and the
interfaces' own prefixes tell. Source: ASA command reference, `access-list extended`, `nat`, `object`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.asa.configuration import Configuration, Interface, read_configuration
from fwguard.dialects.asa.reader import Groups, acl_key, leads, policy_of, read_routes
from fwguard.dialects.cisco.lines import Line
from fwguard.dialects.cisco.routing import behind
from fwguard.dialects.cisco.sheet import Sheet
from fwguard.dialects.cisco.wording import address_words, netmask, service_words
from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.policy import Action, Chain, Policy
from fwguard.model.ports import SCTP, TCP, UDP, show_protocol

AFTER_OBJECTS: Final = frozenset(
    {"access-list", "pager", "logging", "mtu", "nat", "access-group", "route", "timeout"}
)


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    found = read_configuration(text)
    sheet = Sheet(found.config.lines)
    if change.remove:
        _remove(change.tag, found, sheet)
    else:
        _Writer(change.tag, found, sheet).write(change)
    if not sheet.shown:
        raise InputError(f"change {change.tag} holds nothing to write")
    return sheet.edit()


def mark(tag: str) -> str:
    """Return the remark that stands before every entry of a change."""
    return f"fwguard:{tag}"


@dataclass(slots=True)
class _Place:
    """Where entries go: a list of the text, or a new one for an interface."""

    name: str
    number: int  # the line of the text before which they stand
    ordinal: int  # the place in the list, from 1, as the device counts
    interface: str = ""  # of a new list


class _Writer:
    def __init__(self, tag: str, found: Configuration, sheet: Sheet) -> None:
        self.tag = tag
        self.found = found
        self.sheet = sheet
        self.policy: Policy = policy_of(found)
        self.groups = Groups(found)
        self.behind = behind(leads(found, read_routes(found)))
        self.added: dict[str, list[tuple[int, int]]] = {}  # list -> (place, lines) put there so far
        self.new_lists: dict[str, str] = {}
        self.objects = 0

    def write(self, change: Change) -> None:
        if any(
            f"remark {mark(self.tag)}" in line.text
            for lines in self.found.list_lines.values()
            for line in lines
        ):
            raise InputError(f"a remark {mark(self.tag)} exists", expected="an unused tag")
        for opening in change.openings:
            for family in (Family.V4, Family.V6):
                if opening.families & family:
                    self._open(opening, family)
        for redirection in change.redirections:
            self._redirect(redirection)

    def _interfaces(self, addresses: AddressSet, family: Family, what: str) -> list[Interface]:
        """Return the interfaces before some addresses. Raises InputError when nothing tells."""
        wanted = addresses.of_family(family)
        names = [name for name, own in sorted(self.behind.items()) if own & wanted]
        found = [
            self.found.interfaces[name]
            for name in names
            if name in self.found.interfaces and not self.found.interfaces[name].management_only
        ]
        if not found:
            raise InputError(
                f"no route tells which interface stands before the {what} {wanted}",
                expected="a route, or an interface with an address beside it",
            )
        return found

    def _open(self, opening: Opening, family: Family) -> None:
        targets = self._interfaces(opening.target, family, "target")
        sources = self._interfaces(opening.source, family, "source")
        if len(targets) == 1:
            sources = [one for one in sources if one is not targets[0]] or sources
        for place_of in self._lists(sources, targets, opening, family):
            self._insert(place_of, opening, family)

    def _lists(
        self, sources: list[Interface], targets: list[Interface], opening: Opening, family: Family
    ) -> list[_Place]:
        names: dict[str, _Place] = {}
        for one in sources:
            inward = self.groups.inward.get(one.name) or self.groups.everywhere
            if inward is not None:
                names.setdefault(inward[0], self._place(inward[0], inward[1], opening, family))
            elif not all(self._passes(one, target) for target in targets):
                new = self._new_list(one)
                names.setdefault(new.name, new)
        for one in targets:
            outward = self.groups.outward.get(one.name)
            if outward is not None:
                names.setdefault(outward[0], self._place(outward[0], outward[1], opening, family))
        if not names:
            raise InputError(
                f"no access list judges what goes from {opening.source} to {opening.target}",
                expected="an access-group on the interface that it comes in by: levels alone let it pass",
            )
        return list(names.values())

    def _passes(self, one: Interface, target: Interface) -> bool:
        """Tell whether levels alone let one interface's traffic to another."""
        if one.level == target.level:
            needed = "intra-interface" if one is target else "inter-interface"
            return needed in self.found.same_security
        return one.level > target.level

    def _new_list(self, one: Interface) -> _Place:
        """Return a new list for an interface that has none: only where no implicit permit ends by it."""
        for other in self.found.interfaces.values():
            if other is not one and not other.management_only and self._passes(one, other):
                raise InputError(
                    f"interface {one.name} has no inbound access list, and a new one would end its "
                    f"implicit permit to {other.name}", expected=f"an access-group in interface {one.name}",
                )  # fmt: skip
        name = f"{one.name}_access_in"
        if name in self.found.lists:
            raise InputError(f"access-list {name} exists and stands nowhere")
        return _Place(name, self._end(), 1, one.name)

    def _place(self, name: str, line: Line, opening: Opening, family: Family) -> _Place:
        chain = self.policy.chains.get(acl_key(name))
        lines = self.found.list_lines.get(name, [])
        if chain is None or not lines:
            raise InputError(f"access-list {name} does not exist", where=f"line {line.number}")
        alone = Chain(name=name, families=Family.BOTH, rules=chain.rules, default=Action.DROP)
        view = Policy(dialect="asa", chains={"list": alone})
        index = place(view, "list", opening, family)
        index = 0 if index is None else index
        if index >= len(chain.rules):
            return _Place(name, lines[-1].number + 1, len(lines) + 1)
        stop = next(i for i, one in enumerate(lines) if one.number == chain.rules[index].line)
        while stop and "remark" in lines[stop - 1].words[2:5]:
            stop -= 1  # what is said of an entry stays beside it
        return _Place(name, lines[stop].number, stop + 1)

    def _insert(self, where: _Place, opening: Opening, family: Family) -> None:
        every = "any" if self.found.version < (9, 0) else "any4" if family is Family.V4 else "any6"
        texts, shown = [], []
        head = f"access-list {where.name}"
        earlier = self.added.setdefault(where.name, [])
        ordinal = where.ordinal + sum(count for at, count in earlier if at <= where.ordinal)
        for source in address_words(opening.source, family, netmask, every):
            for target in address_words(opening.target, family, netmask, every):
                for protocol, tail in service_words(opening, family, "icmp6"):
                    for words in (
                        f"remark {mark(self.tag)}",
                        f"extended permit {protocol} {source} {target}{tail}",
                    ):
                        texts.append(f"{head} {words}")
                        shown.append(f"{head} line {ordinal} {words}")
                        ordinal += 1
        earlier.append((where.ordinal, len(texts)))
        if where.interface and where.name not in self.new_lists:
            self.new_lists[where.name] = where.interface
            group = f"access-group {where.name} in interface {where.interface}"
            self.sheet.insert(where.number, [*texts, group], [*shown, group])
            return
        if where.interface:
            lines = self.sheet.before[where.number]
            at = lines.index(f"access-group {where.name} in interface {where.interface}")
            lines[at:at] = texts
            self.sheet.insert(where.number, [], shown)
            return
        self.sheet.insert(where.number, texts, shown)

    def _end(self) -> int:
        """Return the line before which new commands may stand at the end of the text."""
        blocks = self.found.config.blocks
        ends = [block for block in blocks if block.line.first in ("Cryptochecksum:", "end")]
        if ends:
            return ends[0].line.number
        last = max((line.number for block in blocks for line in block), default=0)
        return last + 1

    def _before_lists(self) -> int:
        """Return the line before which objects may stand: before whatever may name them."""
        first = next((b.line.number for b in self.found.config.blocks if b.line.first in AFTER_OBJECTS), 0)
        return first or self._end()

    def _redirect(self, redirection: Redirection) -> None:
        name = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}.get(redirection.protocol)
        version, *_ = parse_span(redirection.public)
        if name is None:
            raise InputError(
                f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp, udp or sctp"
            )
        if parse_span(redirection.inner)[0] != version:
            raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
        family = Family.V4 if version == 4 else Family.V6
        inner = self._interfaces(AddressSet.parse(redirection.inner), family, "inner address")[0]
        outer = self._interfaces(AddressSet.parse(redirection.public), family, "public address")[0]
        if inner is outer:
            raise InputError(f"{redirection.public} and {redirection.inner} are both behind {inner.name}")
        self.objects += 1
        head = f"fwguard.{self.tag}.{self.objects}"
        objects = [
            f"object network {head}.real", f" host {redirection.inner}",
            f"object service {head}.inside", f" service {name} source eq {redirection.inner_port}",
            f"object service {head}.outside", f" service {name} source eq {redirection.public_port}",
        ]  # fmt: skip
        mapped = "interface" + (" ipv6" if version == 6 else "")
        if redirection.public not in outer.own:
            mapped = f"{head}.public"
            objects += [f"object network {mapped}", f" host {redirection.public}"]
        ends = f"nat ({inner.name},{outer.name})"
        rule = f"source static {head}.real {mapped} service {head}.inside {head}.outside"
        at = self._before_lists()
        first = next((line.number for line in self.found.twice_nat if "after-auto" not in line.words[:3]), 0)
        if first and first < at:
            at = first
        # Before all others: the first translation that matches is the one that counts.
        self.sheet.insert(at, objects, [*objects, f"{ends} 1 {rule}"])
        self.sheet.insert(first or self._end(), [f"{ends} {rule}"])


def _remove(tag: str, found: Configuration, sheet: Sheet) -> None:
    """Take away the entries behind our remarks, and our objects with the rule that names them."""
    wanted = f"remark {mark(tag)}"
    for name, lines in found.list_lines.items():
        gone = 0
        for at, line in enumerate(lines):
            if not line.text.endswith(wanted) or line.text.partition(" remark ")[2] != mark(tag):
                continue
            entry = lines[at + 1] if at + 1 < len(lines) else None
            if entry is None or "permit" not in entry.words[2:5]:
                raise InputError(
                    f"no entry stands behind {wanted}", where=f"line {line.number}",
                    expected="the entry that was written there",
                )  # fmt: skip
            sheet.remove(line.number)
            sheet.remove(entry.number)
            gone += 2
        if gone == len(lines) and gone:
            for group in found.groups:
                if group.words[1] == name:
                    sheet.remove(group.number)
    prefix = f"fwguard.{tag}."
    for line in found.twice_nat:
        if any(word.startswith(prefix) for word in line.words):
            sheet.remove(line.number)
    for block in found.config.blocks:
        if block.line.first == "object" and block.line.words[2:] and block.line.words[2].startswith(prefix):
            for line in block:
                sheet.remove(line.number)
    if not sheet.shown:
        raise InputError(f"nothing bears {mark(tag)}", expected="a change that was written before")
