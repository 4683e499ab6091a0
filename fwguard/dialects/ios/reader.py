"""A running-config of IOS as a policy: the lists that are bound to interfaces, by direction and IP version.

What is not judged by any list passes; a list that is bound drops what it does not permit (an IPv6 list
permits neighbour discovery first); one that does not exist here leaves everything in doubt. A list bound
`in` also judges what is addressed to the router itself.

Source: IOS security configuration guide, "IP access lists"; zone-based policy firewall guide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fwguard.dialects.cisco.groups import decides_all
from fwguard.dialects.cisco.lines import Line, named_elsewhere
from fwguard.dialects.cisco.routing import behind
from fwguard.dialects.ios.configuration import Configuration, list_key, read_configuration
from fwguard.dialects.ios.entries import Entries, anything, families_of
from fwguard.dialects.ios.nat import NatReader
from fwguard.dialects.ios.routes import leads, read_routes
from fwguard.dialects.ios.seen import Seen
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family, parse_span, show_address
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, Connected, Hook, InterfaceSet, Match, Policy, Route, Rule
from fwguard.model.ports import ICMPV6, TCP, icmp_types

NAME: Final = "ios"
DISCOVERY: Final = Match(
    source=ANY_V6, target=ANY_V6, protocol=Intervals.single(ICMPV6), dport=icmp_types(135, 136)
)
# Multicast, broadcast and link-local addresses, which no interface names (RFC 1112, 919, 4291).
FOR_MANY: Final = ("224.0.0.0/4", "255.255.255.255", "ff00::/8", "fe80::/10")
SSH_TELNET: Final = Intervals.single(22, 23)


def read_policy(text: str) -> Policy:
    """Read a whole configuration. See Ios.read."""
    return policy_of(read_configuration(text))


def policy_of(found: Configuration) -> Policy:
    """Read what `read_configuration` sorted."""
    return _Reader(found).policy()


def read_lists(found: Configuration, entries: Entries) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of every list, as it is written."""
    rules = {}
    for key, one in found.lists.items():
        read = (entries.rule(line, start, one.kind) for line, start in one.lines)
        rules[key] = tuple(rule for rule in read if rule is not None)
    return rules


class _Reader:
    def __init__(self, found: Configuration) -> None:
        self.found = found
        self.entries = Entries(found.book)
        self.chains: dict[str, Chain] = {}
        self.rules: dict[str, tuple[Rule, ...]] = {}

    def policy(self) -> Policy:
        found = self.found
        self.rules = read_lists(found, self.entries)
        for key, one in found.lists.items():
            self.chains[key] = Chain(name=key, families=families_of(one.kind), rules=self.rules[key])
        translations = NatReader(found, self.rules)
        nat = translations.read()
        seen = Seen(nat, translations)
        routes = read_routes(found)
        forward: list[str] = []
        mine: list[str] = []
        if (own := self._own_addresses()) is not None:
            self.chains["own addresses"] = own
            mine.append("own addresses")
        if (path := self._reverse_path(routes)) is not None:
            self.chains["reverse-path"] = path
            forward.append("reverse-path")
            mine.append("reverse-path")
        for version in ("ip", "ipv6"):
            for direction in ("in", "out"):
                chain = self._bound(version, direction, seen)
                if chain.rules:
                    key = f"{version} {direction}"
                    self.chains[key] = chain
                    forward.append(key)
                    mine += [key] if direction == "in" else []
        if (zones := self._zones()) is not None:
            self.chains["zones"] = zones
            forward.append("zones")
        if (terminals := self._terminals()) is not None:
            self.chains["line vty"] = terminals
            mine.append("line vty")
        self._drop_originals()
        if mine == ["own addresses"]:
            del self.chains[mine.pop()]  # nothing judges what is for the router
        hooks = {Hook.FORWARD: tuple(forward), Hook.INPUT: tuple(mine)}
        unread = {one.line: one for one in (*self.entries.unread, *found.book.unread, *found.unread)}
        return Policy(
            dialect=NAME, families=Family.BOTH, chains=self.chains,
            hooks={hook: keys for hook, keys in hooks.items() if keys}, nat=nat, routes=routes,
            unread=tuple(unread[line] for line in sorted(unread)),
            used_elsewhere=self._named_elsewhere(),
            networks=tuple(
                Connected(prefix, one.name) for one in found.interfaces.values() for prefix in one.connected
            ),
        )  # fmt: skip

    def _bound(self, version: str, direction: str, seen: Seen) -> Chain:
        """Return the base chain of one direction: each interface with a list goes through it, then drops."""
        rules: list[Rule] = []
        for one in self.found.interfaces.values():
            if (version, direction) not in one.bound:
                continue
            name, line = one.bound[version, direction]
            on = InterfaceSet.of(one.name)
            kind = "ipv6" if version == "ipv6" else "extended"
            match = replace(anything(kind), **{"ingress" if direction == "in" else "egress": on})  # type: ignore[arg-type]
            key = list_key(kind, name)
            if not self.rules.get(key):
                self.found.note(line, f"access-list {name} does not exist")
                rules.append(Rule(matches=(match,), action=Action.UNKNOWN, line=line.number, text=line.text))
                continue
            original = key
            own = seen.rules(self.rules[key], one, direction) if version == "ip" else self.rules[key]
            if own is not self.rules[key]:
                key = f"{key} as {one.name} sees it {direction}"
                self.chains[key] = Chain(name=key, families=Family.V4, rules=own)
            rules.append(
                Rule(matches=(match,), action=Action.JUMP, jump=key, line=line.number, text=line.text)
            )
            if version == "ipv6":
                rules.append(
                    Rule(
                        matches=(replace(DISCOVERY, ingress=match.ingress, egress=match.egress),),
                        action=Action.ACCEPT, line=line.number, text=line.text,
                        comment="implicit: neighbour discovery",
                    )
                )  # fmt: skip
            if own is self.rules[original] and decides_all(own, anything(kind)):
                continue
            rules.append(
                Rule(
                    matches=(match,), action=Action.DROP, line=line.number, text=line.text,
                    comment="implicit deny at the end of the list",
                )
            )  # fmt: skip
        family = Family.V6 if version == "ipv6" else Family.V4
        return Chain(
            name=f"{version} {direction}", families=family, rules=tuple(rules), default=Action.ACCEPT
        )

    def _named_elsewhere(self) -> frozenset[str]:
        keys = {key: key.rpartition(" ")[2] for key in self.found.lists}
        named = named_elsewhere(self.found.config, keys.values())
        return frozenset(key for key, name in keys.items() if name in named)

    def _drop_originals(self) -> None:
        """Leave out lists that stand nowhere but in the copies of interfaces that translate."""
        used = {rule.jump for chain in self.chains.values() for rule in chain.rules}
        for key in [key for key in self.rules if key not in used]:
            if any(other.startswith(f"{key} as ") for other in self.chains):
                del self.chains[key]

    def _own_addresses(self) -> Chain | None:
        """Say that what is for the router itself bears an address of its own, or one for many.

        Else every entry for a server would seem to open the router, whose inbound lists are the same.
        """
        interfaces = self.found.interfaces.values()
        known = [address for one in interfaces for address in one.own]
        if not known or any(one.dynamic for one in interfaces):
            return None
        spans = [parse_span(prefix) for one in interfaces for prefix in one.connected]
        broadcasts = (show_address(4, high) for version, _, high in spans if version == 4)
        others = ANY_ADDRESS - AddressSet.parse(*known, *broadcasts, *FOR_MANY)
        rule = Rule(
            matches=(Match(target=others),),
            action=Action.DROP,
            line=0,
            text="implicit: no address of the router",
        )
        return Chain(name="own addresses", families=Family.BOTH, rules=(rule,), default=Action.ACCEPT)

    def _zones(self) -> Chain | None:
        """Return what zones forbid: between two of them, or from one to outside all, without a zone-pair.

        What a zone-pair's own policy inspects is not read: it may pass or not.
        """
        zones: dict[str, list[str]] = {}
        for one in self.found.interfaces.values():
            if one.zone:
                zones.setdefault(one.zone, []).append(one.name)
        if not zones:
            return None
        rules: list[Rule] = []
        for block in self.found.zone_pairs:
            words = block.line.words
            try:
                source = words[words.index("source") + 1]
                target = words[words.index("destination") + 1]
            except (ValueError, IndexError):
                self.found.note(block.line, "expected source and destination")
                continue
            self.found.note(block.line, "the policy of a zone-pair is not read")
            if "self" in (source, target):
                continue
            why = f"what the policy of zone-pair {words[2][:60]} inspects"
            match = Match(
                ingress=InterfaceSet.of(*zones.get(source, [])),
                egress=InterfaceSet.of(*zones.get(target, [])),
                unknown=why,
            )
            rules.append(
                Rule(matches=(match,), action=Action.ACCEPT, line=block.line.number, text=block.line.text)
            )
        for names in zones.values():
            inside = InterfaceSet.of(*names)
            match = Match(ingress=inside, egress=inside)
            rules.append(Rule(matches=(match,), action=Action.ACCEPT, line=0, text="implicit: one zone"))
        everywhere = InterfaceSet.of(*(name for names in zones.values() for name in names))
        line = min(one.line for one in self.found.interfaces.values() if one.zone)
        rules.append(
            Rule(
                matches=(Match(ingress=everywhere), Match(egress=everywhere)), action=Action.DROP, line=line,
                text="zone-member security", comment="implicit: no zone-pair",
            )
        )  # fmt: skip
        return Chain(name="zones", families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)

    def _terminals(self) -> Chain | None:
        """Return who may open a terminal on the router: `access-class` of the vty lines."""
        rules: list[Rule] = []
        bound: dict[str, set[str]] = {"ip": set(), "ipv6": set()}
        lines: dict[tuple[str, str], Line] = {}
        for block in self.found.terminals:
            own = {"ip": "", "ipv6": ""}
            for line in block.children:
                words = line.words
                if words[0] == "access-class" and words[2:3] == ["in"]:
                    own["ip"] = words[1]
                    lines["ip", words[1]] = line
                elif words[:2] == ["ipv6", "access-class"] and words[3:4] == ["in"]:
                    own["ipv6"] = words[2]
                    lines["ipv6", words[2]] = line
            for version, name in own.items():
                bound[version].add(name)
        for version, names in bound.items():
            rules += self._terminal(version, sorted(names), lines)
        if not rules:
            return None
        return Chain(name="line vty", families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)

    def _terminal(self, version: str, names: list[str], lines: dict[tuple[str, str], Line]) -> Iterable[Rule]:
        kind = "ipv6" if version == "ipv6" else "extended"
        door = replace(anything(kind), protocol=Intervals.single(TCP), dport=SSH_TELNET)
        named = [name for name in names if name]
        if not named:
            return
        line = lines[version, named[0]]
        key = list_key(kind, named[0])
        if len(names) > 1 or key not in self.chains:
            self.found.note(
                line, "not one list for all terminals" if len(names) > 1 else f"no list {named[0]}"
            )
            yield Rule(matches=(door,), action=Action.UNKNOWN, line=line.number, text=line.text)
            return
        yield Rule(matches=(door,), action=Action.JUMP, jump=key, line=line.number, text=line.text)
        if decides_all(self.rules[key], anything(kind)):
            return
        yield Rule(
            matches=(door,), action=Action.DROP, line=line.number, text=line.text,
            comment="implicit deny at the end of the list",
        )  # fmt: skip

    def _reverse_path(self, routes: tuple[Route, ...]) -> Chain | None:
        """Drop sources that the routes do not expect: by the same interface (rx), or by none (any)."""
        rules: list[Rule] = []
        sources = behind(leads(self.found, routes))
        for one in self.found.interfaces.values():
            for version, (how, line) in one.reverse_path.items():
                whole = ANY_V6 if version == "ipv6" else ANY_V4
                known = sources.get(one.name, AddressSet())
                if how == "any":
                    known = AddressSet()
                    for own in sources.values():
                        known |= own
                why = "other routers may tell another way" if self.found.routers or one.dynamic else ""
                match = Match(ingress=InterfaceSet.of(one.name), source=whole - known, unknown=why)
                rules.append(Rule(matches=(match,), action=Action.DROP, line=line.number, text=line.text))
        if not rules:
            return None
        return Chain(name="reverse-path", families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)
