"""An ASA's configuration as a policy: interface lists, the global list, security levels, in the device's order.

What comes in by an interface is judged by its own `in` list, then by the global list, then dropped. Only an
interface without either is judged by levels: to a lower one passes, to the same one with
`same-security-traffic`, to a higher one does not. The same command is needed whatever the lists say.
Where it goes out, an `out` list judges as well. Interfaces bear the names that `nameif` gives.

Source: ASA firewall configuration guide, "Access rules" (implicit permits, order, to-the-box traffic);
general guide, "Security levels".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwguard.dialects.asa.configuration import Configuration, Interface, read_configuration
from fwguard.dialects.asa.entries import Entries
from fwguard.dialects.asa.management import management_chain
from fwguard.dialects.asa.nat import NatReader
from fwguard.dialects.cisco.addresses import prefix_of, v6_prefix
from fwguard.dialects.cisco.groups import decides_all, doubted
from fwguard.dialects.cisco.lines import Line, named_elsewhere
from fwguard.dialects.cisco.routing import Leads, behind
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family, parse_span
from fwguard.model.policy import (
    Action,
    Chain,
    Connected,
    Hook,
    InterfaceSet,
    Match,
    Policy,
    Route,
    Rule,
    Unread,
)

NAME: Final = "asa"
IN, OUT, PATH, BOX = "inbound", "outbound", "reverse-path", "to-the-box"


def acl_key(name: str) -> str:
    """Return the key of an access list in Policy.chains."""
    return f"acl {name}"


def read_policy(text: str) -> Policy:
    """Read a whole configuration. See Asa.read."""
    return policy_of(read_configuration(text))


def policy_of(found: Configuration) -> Policy:
    """Read what `read_configuration` sorted."""
    return _Reader(found).policy()


class Groups:
    """Which list stands where, by the `access-group` lines."""

    def __init__(self, found: Configuration) -> None:
        self.inward: dict[str, tuple[str, Line]] = {}
        self.outward: dict[str, tuple[str, Line]] = {}
        self.control: dict[str, tuple[str, Line]] = {}
        self.everywhere: tuple[str, Line] | None = None
        for line in found.groups:
            words = line.words
            if len(words) == 3 and words[2] == "global":
                self.everywhere = (words[1], line)
            elif len(words) >= 5 and words[2] in ("in", "out") and words[3] == "interface":
                table = self.inward if words[2] == "in" else self.outward
                table = self.control if words[5:] == ["control-plane"] else table
                table[words[4]] = (words[1], line)
                if words[5:] not in ([], ["control-plane"]):
                    found.note(line, "lists of users stand before this one")
                if words[4] not in found.interfaces:
                    found.note(line, f"interface {words[4][:40]} does not exist")
            else:
                found.note(line, "expected in, out or global")


class _Reader:
    def __init__(self, found: Configuration) -> None:
        self.found = found
        self.groups = Groups(found)
        own = {
            name: None if one.dynamic else AddressSet.parse(*one.own)
            for name, one in found.interfaces.items()
        }
        self.entries = Entries(found.book, own, any_is_v4=found.version < (9, 0))
        self.chains: dict[str, Chain] = {}

    def policy(self) -> Policy:
        found = self.found
        nat = NatReader(found).read()
        for name, lines in found.lists.items():
            self.chains[acl_key(name)] = self._list(name, lines, bool(found.old_nat) and found.is_old)
        routes = read_routes(found)
        hooks: list[str] = []
        if found.reverse_path:
            self.chains[PATH] = self._reverse_path(routes)
            hooks.append(PATH)
        self.chains[IN] = self._inward()
        hooks.append(IN)
        if self.groups.outward:
            self.chains[OUT] = self._outward()
            hooks.append(OUT)
        self.chains[BOX] = management_chain(found, self._control())
        if found.is_old and found.old_nat:
            text = "ASA Version before 8.3"
            found.unread.append(
                Unread(line=found.version_line, text=text, why="its lists see translated addresses")
            )
        unread = {one.line: one for one in (*self.entries.unread, *found.book.unread, *found.unread)}
        mine = (PATH, BOX) if found.reverse_path else (BOX,)
        return Policy(
            dialect=NAME, families=Family.BOTH, chains=self.chains,
            hooks={Hook.FORWARD: tuple(hooks), Hook.INPUT: mine}, nat=nat, routes=routes,
            unread=tuple(unread[line] for line in sorted(unread)),
            used_elsewhere=frozenset(map(acl_key, named_elsewhere(found.config, found.lists))),
            networks=tuple(
                Connected(prefix, one.name) for one in found.interfaces.values() for prefix in one.connected
            ),
        )  # fmt: skip

    def _list(self, name: str, lines: list[tuple[Line, int]], translated: bool) -> Chain:
        read = self.entries.standard if self.found.list_kinds.get(name) == "standard" else self.entries.rule
        rules = [read(line, at) for line, at in lines]
        if translated:
            why = "before 8.3 this sees translated addresses"
            rules = [
                Rule(
                    matches=tuple(doubted(Match(), why) for _ in rule.matches), action=rule.action,
                    line=rule.line, text=rule.text,
                )
                for rule in rules
            ]  # fmt: skip
        return Chain(name=f"access-list {name}", families=Family.BOTH, rules=tuple(rules))

    def _jump(self, name: str, line: Line, matches: tuple[Match, ...]) -> Rule:
        """Go through a list; to one that is not there nobody knows what happens."""
        if acl_key(name) not in self.chains:
            self.found.note(line, f"access-list {name} does not exist")
            return Rule(matches=matches, action=Action.UNKNOWN, line=line.number, text=line.text)
        return Rule(matches=matches, action=Action.JUMP, jump=acl_key(name), line=line.number, text=line.text)

    def _forbidden(self, one: Interface) -> InterfaceSet:
        """Return where what comes in by an interface may never go."""
        names = set()
        for other in self.found.interfaces.values():
            guessed = other.is_assumed or one.is_assumed
            same = other.level == one.level and other is not one and not guessed
            if (
                other.management_only
                or (same and "inter-interface" not in self.found.same_security)
                or (other is one and not guessed and "intra-interface" not in self.found.same_security)
            ):
                names.add(other.name)
        return InterfaceSet.all_but(*names)

    def _inward(self) -> Chain:
        interfaces = [one for one in self.found.interfaces.values() if not one.management_only]
        rules = list(self._tunnels())
        for one in interfaces:
            if one.name in self.groups.inward:
                name, line = self.groups.inward[one.name]
                match = Match(ingress=InterfaceSet.of(one.name), egress=self._forbidden(one))
                rules.append(self._jump(name, line, (match,)))
        if self.groups.everywhere is not None:
            name, line = self.groups.everywhere
            matches = tuple(
                Match(ingress=InterfaceSet.of(one.name), egress=self._forbidden(one)) for one in interfaces
            )
            rules.append(self._jump(name, line, matches or (Match(),)))
        else:
            rules += [
                rule
                for one in interfaces
                if one.name not in self.groups.inward and (rule := self._by_level(one, interfaces))
            ]
        return Chain(name="inbound", families=Family.BOTH, rules=tuple(rules), default=Action.DROP)

    def _by_level(self, one: Interface, interfaces: list[Interface]) -> Rule | None:
        """Return the implicit permit of an interface without a list."""
        if one.is_assumed:
            match = Match(
                ingress=InterfaceSet.of(one.name), unknown="the security levels are not in the text"
            )
            return Rule(matches=(match,), action=Action.ACCEPT, line=one.line, text=f"interface {one.name}")
        allowed = self._forbidden(one)
        lower = sorted(
            other.name for other in interfaces if other.level <= one.level and other.name in allowed
        )
        if not lower:
            return None
        match = Match(ingress=InterfaceSet.of(one.name), egress=InterfaceSet.of(*lower))
        return Rule(
            matches=(match,), action=Action.ACCEPT, line=one.level_line or one.line,
            text=f"security-level {one.level}", comment=f"implicit: {one.name} to {', '.join(lower)}",
        )  # fmt: skip

    def _outward(self) -> Chain:
        rules: list[Rule] = []
        for interface, (name, line) in self.groups.outward.items():
            match = Match(egress=InterfaceSet.of(interface))
            rules.append(self._jump(name, line, (match,)))
            if acl_key(name) in self.chains and decides_all(self.chains[acl_key(name)].rules, Match()):
                continue
            rules.append(
                Rule(
                    matches=(match,), action=Action.DROP, line=line.number, text=line.text,
                    comment="implicit deny at the end of the list",
                )
            )  # fmt: skip
        return Chain(name="outbound", families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)

    def _control(self) -> list[Rule]:
        return [
            self._jump(name, line, (Match(ingress=InterfaceSet.of(interface)),))
            for interface, (name, line) in self.groups.control.items()
        ]

    def _tunnels(self) -> Iterable[Rule]:
        """Say that what comes out of a tunnel passes no inbound list (`sysopt connection permit-vpn`).

        Nobody can tell from a packet's addresses whether it came in a tunnel, so these are in doubt.
        """
        if not self.found.vpn_passes:
            return
        why = "arrives in a VPN tunnel (sysopt connection permit-vpn)"
        for one in self.found.interfaces.values():
            if one.tunnel:
                match = Match(ingress=InterfaceSet.of(one.name), unknown=why)
                yield Rule(matches=(match,), action=Action.ACCEPT, line=one.line, text=f"nameif {one.name}")
        lists: dict[str, list[Line]] = {}
        for line in self.found.crypto:
            words = line.words
            dynamic = words[4:6] == ["ipsec-isakmp", "dynamic"] and words[1] == "map"
            if dynamic or (words[4:6] == ["match", "address"] and len(words) == 7):
                lists.setdefault(words[2], []).append(line)
        for line in self.found.crypto:
            words = line.words
            if words[1] != "map" or words[3:4] != ["interface"] or len(words) < 5:
                continue
            ingress = InterfaceSet.of(words[4])
            for entry in lists.get(words[2], []):
                matches = tuple(doubted(one, why) for one in self._mirrored(entry, ingress))
                yield Rule(matches=matches, action=Action.ACCEPT, line=entry.number, text=entry.text)

    def _mirrored(self, entry: Line, ingress: InterfaceSet) -> Iterable[Match]:
        """Return what may come in by one entry of a crypto map: its list, from the other side."""
        chain = self.chains.get(acl_key(entry.words[6])) if entry.words[4] == "match" else None
        if chain is None or any(match.unknown for rule in chain.rules for match in rule.matches):
            return [Match(ingress=ingress, source=self.found.pools or ANY_ADDRESS)]
        return [
            Match(
                ingress=ingress, source=match.target, target=match.source, protocol=match.protocol,
                sport=match.dport, dport=match.sport,
            )
            for rule in chain.rules if rule.action is Action.ACCEPT for match in rule.matches
        ]  # fmt: skip

    def _reverse_path(self, routes: tuple[Route, ...]) -> Chain:
        """Drop what comes in by an interface that the routes to its source do not name."""
        sources = behind(leads(self.found, routes))
        why = "other routers may tell another way" if self.found.routers else ""
        rules = []
        for name, number in self.found.reverse_path.items():
            text = f"ip verify reverse-path interface {name}"
            beyond = ANY_ADDRESS - sources.get(name, AddressSet())
            dynamic = self.found.interfaces[name].dynamic if name in self.found.interfaces else True
            match = Match(
                ingress=InterfaceSet.of(name), source=beyond,
                unknown=why or ("its own address is dynamic" if dynamic else ""),
            )  # fmt: skip
            rules.append(Rule(matches=(match,), action=Action.DROP, line=number, text=text))
        return Chain(name=PATH, families=Family.BOTH, rules=tuple(rules), default=Action.ACCEPT)


def leads(found: Configuration, routes: Iterable[Route]) -> list[Leads]:
    """Return where the routes and the interfaces' own prefixes lead."""
    own = [Leads(prefix, one.name, -1) for one in found.interfaces.values() for prefix in one.connected]
    own += [Leads("0.0.0.0/0", one.name, 254) for one in found.interfaces.values() if one.default_route]
    return own + [
        Leads(route.prefix, route.interface, route.metric)
        for route in routes
        if route.interface and route.table == "main" and route.kind == "unicast"
    ]


def read_routes(found: Configuration) -> tuple[Route, ...]:
    """Read `route IF NET MASK GATEWAY [METRIC] [track N|tunneled]` and `ipv6 route IF PREFIX GATEWAY …`."""
    routes = []
    for line in found.routes:
        words = line.words[1:] if line.first == "ipv6" else line.words
        try:
            if line.first == "ipv6":
                prefix, rest = v6_prefix(words[2]), words[3:]
            else:
                plain = found.book.plain
                zero = {"0": "0.0.0.0"}  # noqa: S104 - an address of a route, nothing listens
                prefix = prefix_of(zero.get(words[2], plain(words[2])), zero.get(words[3], words[3]))
                rest = words[4:]
            via = found.book.plain(rest[0])
            parse_span(via)
            tail = rest[1:]
            metric = int(tail.pop(0)) if tail and tail[0].isdecimal() else 1
            if tail and tail[0] not in ("track", "tunneled"):
                raise InputError(f"{tail[0][:40]!r}", expected="track or tunneled")
        except (InputError, IndexError, ValueError) as error:
            found.note(line, f"not a route: {error}"[:200])
            continue
        null = words[1].lower().startswith("null")
        routes.append(
            Route(
                prefix=prefix, via="" if null else via, interface="" if null else words[1], metric=metric,
                table="tunneled" if "tunneled" in tail else "main",
                kind="blackhole" if null else "unicast", line=line.number,
            )
        )  # fmt: skip
    return tuple(routes)
