"""A change in a configuration of IOS: entries in the lists on the way of an opening, static NAT for a redirection.

Every entry that we add stands right behind a remark `fwguard:TAG` of its own. IOS has no words for a comment
on a translation: an alias `fwguard.TAG.N` keeps its command. Removing looks for nothing else. On the way
back, lists that keep no state get an `established` entry: no first packet matches it. An inbound list where
NAT happens names the public address. Source: IOS security command reference, `ip access-list`, `permit`.
"""

from __future__ import annotations

from dataclasses import replace

from fwguard.dialects.cisco.routing import behind
from fwguard.dialects.cisco.sheet import Sheet
from fwguard.dialects.cisco.wording import address_words, service_words, wildcard
from fwguard.dialects.ios.configuration import (
    AccessList,
    Configuration,
    Interface,
    list_key,
    read_configuration,
)
from fwguard.dialects.ios.entries import Entries
from fwguard.dialects.ios.numbering import Batch, insert, is_remark
from fwguard.dialects.ios.reader import policy_of, read_lists
from fwguard.dialects.ios.routes import leads, read_routes
from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, CtState, NatKind, NatRule, Policy, Rule
from fwguard.model.ports import ANY_PORT, TCP, UDP, show_protocol


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    if change.redirections and not change.remove:
        # An opening of the same change is written for the public address: the translation comes first.
        first = _apply(replace(change, openings=()), text)
        if not change.openings:
            return first
        second = _apply(replace(change, redirections=()), first.after)
        return TextEdit(after=second.after, shown=f"{first.shown}\n{second.shown}")
    return _apply(change, text)


def _apply(change: Change, text: str) -> TextEdit:
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


class _Writer:
    def __init__(self, tag: str, found: Configuration, sheet: Sheet) -> None:
        self.tag = tag
        self.found = found
        self.sheet = sheet
        self.policy = policy_of(found)
        self.nat = self.policy.nat
        self.rules = read_lists(found, Entries(found.book))
        self.behind = behind(leads(found, read_routes(found)))
        self.batches: list[Batch] = []

    def write(self, change: Change) -> None:
        if change.openings and any(
            f"remark {mark(self.tag)}" in line.text
            for one in self.found.lists.values()
            for line, _ in one.lines
        ):
            raise InputError(f"a remark {mark(self.tag)} exists", expected="an unused tag")
        for number, redirection in enumerate(change.redirections, 1):
            self._redirect(redirection, number)
        for opening in change.openings:
            for family in (Family.V4, Family.V6):
                if opening.families & family:
                    self._open(opening, family)
        by_list: dict[str, list[Batch]] = {}
        for batch in self.batches:
            by_list.setdefault(list_key(batch.one.kind, batch.one.name), []).append(batch)
        for batches in by_list.values():
            insert(self.sheet, batches, mark(self.tag))

    def _interfaces(self, addresses: AddressSet, family: Family, what: str) -> list[Interface]:
        wanted = addresses.of_family(family)
        names = [name for name, own in sorted(self.behind.items()) if own & wanted]
        found = [self.found.interfaces[name] for name in names if name in self.found.interfaces]
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
        done = 0
        for interfaces, direction in ((sources, "in"), (targets, "out")):
            for one in interfaces:
                for asked in self._as_seen(opening, one, direction, family):
                    done += self._add(one, direction, asked, opening, family)
        if not done:
            raise InputError(
                f"no access list judges what goes from {opening.source} to {opening.target}",
                expected="a list bound to the interface that it comes in by: without one, all passes",
            )
        if opening.protocol == TCP:
            for interfaces, direction in ((targets, "in"), (sources, "out")):
                for one in interfaces:
                    self._back(one, direction, opening, family)

    def _as_seen(self, opening: Opening, one: Interface, direction: str, family: Family) -> list[Opening]:
        """Return an opening in the addresses that a list of the interface sees. Raises InputError."""
        if family is Family.V6 or (family is Family.V4 and not one.nat):
            return [opening]
        if direction == "out":
            return [opening]
        out: list[Opening] = []
        left = opening.target.of_family(Family.V4)
        for rule in self.nat:
            if rule.kind not in (NatKind.DNAT, NatKind.STATIC) or not rule.to & left:
                continue
            for match in rule.matches:
                if one.name not in match.ingress or match.unknown or opening.protocol not in match.protocol:
                    continue
                if (seen := _public(opening, rule, match.target, match.dport)) is not None:
                    out.append(seen)
        # What no translation leads to is named by its own address; without any, all of it is.
        led = AddressSet()
        for rule in self.nat:
            if rule.kind in (NatKind.DNAT, NatKind.STATIC) and any(
                one.name in m.ingress for m in rule.matches
            ):
                led |= rule.to
        if out:
            left = left - led
            return [*out, replace(opening, target=left)] if left else out
        return [opening]

    def _list(self, one: Interface, direction: str, family: Family) -> AccessList | None:
        version = "ip" if family is Family.V4 else "ipv6"
        if (version, direction) not in one.bound:
            return None
        name, line = one.bound[version, direction]
        found = self.found.lists.get(list_key("ipv6" if version == "ipv6" else "extended", name))
        if found is None:
            raise InputError(f"access-list {name} does not exist", where=f"line {line.number}")
        if found.kind == "standard":
            raise InputError(
                f"access-list {name} knows sources alone: an entry would open every target",
                where=f"line {line.number}", expected="an extended list",
            )  # fmt: skip
        return found

    def _seen(self, one: Interface, direction: str, family: Family) -> tuple[Rule, ...]:
        """Return the rules of an interface's list as they act on it: in the addresses of the model."""
        version, kind = ("ip", "extended") if family is Family.V4 else ("ipv6", "ipv6")
        if (version, direction) not in one.bound:
            return ()
        key = list_key(kind, one.bound[version, direction][0])
        chain = self.policy.chains.get(f"{key} as {one.name} sees it {direction}") or self.policy.chains.get(
            key
        )
        return chain.rules if chain else ()

    def _add(self, one: Interface, direction: str, asked: Opening, opening: Opening, family: Family) -> bool:
        found = self._list(one, direction, family)
        if found is None:
            return False
        every, icmp6 = "any", "icmp"
        entries = [
            f"permit {protocol} {source} {target}{tail}"
            for source in address_words(asked.source, family, wildcard, every)
            for target in address_words(asked.target, family, wildcard, every)
            for protocol, tail in service_words(asked, family, icmp6)
        ]
        if not any(batch.one is found and batch.entries == entries for batch in self.batches):
            self.batches.append(Batch(found, self._index(found, asked, family), entries))
        return True

    def _index(self, found: AccessList, asked: Opening, family: Family) -> int:
        """Return the index among all lines of the list, remarks included."""
        rules = self.rules[list_key(found.kind, found.name)]
        alone = Chain(name=found.name, families=family, rules=rules, default=Action.DROP)
        index = place(Policy(dialect="ios", chains={"list": alone}), "list", asked, family)
        index = 0 if index is None else index
        if index >= len(rules):
            return len(found.lines)
        at = next(i for i, (line, _) in enumerate(found.lines) if line.number == rules[index].line)
        while at and is_remark(found.lines[at - 1]):
            at -= 1  # what is said of an entry stays beside it
        return at

    def _back(self, one: Interface, direction: str, opening: Opening, family: Family) -> None:
        """Let the answers of a TCP connection through a list that keeps no state, unless it does already."""
        for rule in self._seen(one, direction, family):
            if rule.action is Action.ACCEPT and any(
                CtState.ESTABLISHED in match.states
                and not match.unknown
                and TCP in match.protocol
                and opening.target.of_family(family) <= match.source
                and opening.source.of_family(family) <= match.target
                and (opening.ports or ANY_PORT) <= match.sport
                and match.dport == ANY_PORT
                for match in rule.matches
            ):
                return
        found = self._list(one, direction, family)
        if found is None:
            return
        if one.nat and direction == "out":
            raise InputError(
                f"the answers leave by {one.name} translated, and its list would have to name that address",
                expected="an entry for established connections in it",
            )
        entries = []
        for low, high in opening.ports or ANY_PORT:
            ports = (
                "" if (low, high) == (0, 65535) else f" eq {low}" if low == high else f" range {low} {high}"
            )
            entries += [
                f"permit tcp {target}{ports} {source} established"
                for target in address_words(opening.target, family, wildcard, "any")
                for source in address_words(opening.source, family, wildcard, "any")
            ]
        if not any(batch.one is found and batch.entries == entries for batch in self.batches):
            self.batches.append(Batch(found, 0, entries))

    def _redirect(self, redirection: Redirection, number: int) -> None:
        name = {TCP: "tcp", UDP: "udp"}.get(redirection.protocol)
        if name is None:
            raise InputError(f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp or udp")
        if parse_span(redirection.public)[0] != 4 or parse_span(redirection.inner)[0] != 4:
            raise InputError(
                f"{redirection.public} to {redirection.inner}", expected="IPv4: IOS translates no other"
            )
        sides = {one.nat for one in self.found.interfaces.values()}
        if not {"inside", "outside"} <= sides:
            raise InputError(
                "no interface is `ip nat inside` or none `outside`", expected="both, for NAT to happen"
            )
        if any(
            line.words[2:3] and line.words[2].startswith(f"fwguard.{self.tag}.")
            for line in self.found.aliases
        ):
            raise InputError(f"an alias fwguard.{self.tag} exists", expected="an unused tag")
        public = next(
            (
                f"interface {one.name}"
                for one in self.found.interfaces.values()
                if redirection.public in one.own
            ),
            redirection.public,
        )
        command = (
            f"ip nat inside source static {name} {redirection.inner} {redirection.inner_port} "
            f"{public} {redirection.public_port}"
        )
        command += "" if public.startswith("interface") else " extendable"
        alias = f"alias configure fwguard.{self.tag}.{number} {command}"
        at = self.found.nat[0].number if self.found.nat else self._end()
        self.sheet.insert(at, [command], [command, alias])
        self.sheet.insert(self.found.aliases[0].number if self.found.aliases else self._end(), [alias])

    def _end(self) -> int:
        last = [block.line.number for block in self.found.config.blocks if block.line.text == "end"]
        if last:
            return last[-1]
        return max((line.number for block in self.found.config.blocks for line in block), default=0) + 1


def _public(opening: Opening, rule: NatRule, target: AddressSet, dport: Intervals) -> Opening | None:
    """Return the part of an opening that a translation leads to, by the address and port it is asked at."""
    if rule.to.v4.size != 1 or target.v4.size != 1:
        return None  # networks are written by their own addresses
    ports = opening.ports
    if rule.to_ports or dport != ANY_PORT:
        inner = rule.to_ports or dport
        if not ports & inner:
            return None
        ports = dport if rule.to_ports else ports & dport
    return replace(opening, target=target, ports=ports)


def _remove(tag: str, found: Configuration, sheet: Sheet) -> None:
    """Take away the entries behind our remarks, and the translations that our aliases keep."""
    for one in found.lists.values():
        for at, entry in enumerate(one.lines):
            if not is_remark(entry) or entry[0].text.partition("remark ")[2] != mark(tag):
                continue
            following = one.lines[at + 1] if at + 1 < len(one.lines) else None
            if (
                following is None
                or is_remark(following)
                or "permit" not in following[0].words[following[1] :]
            ):
                raise InputError(
                    f"no entry stands behind remark {mark(tag)}", where=f"line {entry[0].number}",
                    expected="the entry that was written there",
                )  # fmt: skip
            sheet.remove(entry[0].number)
            sheet.remove(following[0].number)
    for line in found.aliases:
        if line.words[1:2] != ["configure"] or not line.words[2].startswith(f"fwguard.{tag}."):
            continue
        command = " ".join(line.words[3:])
        for nat in found.nat:
            if " ".join(nat.words) == command:
                sheet.remove(nat.number)
        sheet.remove(line.number)
    if not sheet.shown:
        raise InputError(f"nothing bears {mark(tag)}", expected="a change that was written before")
