"""Stateless filters of interfaces (`firewall family inet filter`), which judge besides the policies.

An input filter judges before destination NAT, an output filter after all; each ends in an implicit
discard. They judge every packet of a connection; the model asks for the first. Source: Junos Routing
Policies, Firewall Filters, and Traffic Policers User Guide (match conditions, actions, longest match).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import Addresses, join, unknown_addresses
from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos import predefined
from fwguard.dialects.junos.addresses import wildcard
from fwguard.dialects.junos.applications import number_of, ports
from fwguard.dialects.junos.zones import Zones, families
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect
from fwguard.model.policy import Action, Chain, CtState, Hook, Match, NatRule, Rule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, TCP, icmp_types

FAMILIES: Final = {"inet": Family.V4, "inet6": Family.V6}
ALL_OF: Final = {Family.V4: ANY_V4, Family.V6: ANY_V6}
LOOPBACK: Final = "lo0"
STOPS: Final = {"accept": Action.ACCEPT, "discard": Action.DROP, "reject": Action.REJECT}
# Actions that do not decide.
BESIDES: Final = frozenset(
    {"count", "log", "syslog", "sample", "loss-priority", "forwarding-class", "dscp", "port-mirror", "packet-mode",
     "prefix-action", "service-accounting", "traffic-class", "ipsec-sa", "routing-instance", "topology"}
)  # fmt: skip
POLICERS: Final = ("policer", "three-color-policer", "hierarchical-policer")
SILENT_TERM: Final = ("from", "then", "filter")
ESTABLISHED: Final = frozenset({CtState.ESTABLISHED, CtState.RELATED})
Condition = Callable[["_Term", Node], tuple[list[Match], str]]


class Filters:
    """Reads the filters that interfaces apply, as chains and where they are hooked in."""

    def __init__(self, root: Node, zones: Zones, notes: Notes, translated: tuple[NatRule, ...]) -> None:
        self.root = root
        self.zones = zones
        self.notes = notes
        self.inner = AddressSet()
        for rule in translated:
            self.inner |= rule.to
        self.chains: dict[str, Chain] = {}
        self.hooks: dict[Hook, list[str]] = {hook: [] for hook in Hook}
        self._read_filters()
        self._attach()

    def _read_filters(self) -> None:
        places = [("inet", node) for node in self.root.below("firewall", "filter")]
        for family in self.root.below("firewall", "family"):
            if family.word in FAMILIES:
                places += [(family.word, node) for node in family.below("filter")]
        for family_word, node in places:
            rules: list[Rule] = []
            for term in node.below("term"):
                rules += self._term(FAMILIES[family_word], node, term)
            rules.append(
                Rule(matches=(Match(),), action=Action.DROP, line=node.line, text="the end of the filter")
            )
            key = f"filter {family_word} {node.word}"
            self.chains[key] = Chain(name=node.word, families=FAMILIES[family_word], rules=tuple(rules))

    def _attach(self) -> None:
        before: dict[str, list[Rule]] = {}
        for interface, _unit, family in families(self.root):
            if family.word not in FAMILIES:
                continue
            for direction in ("input", "output"):
                names = family.below("filter", direction) + family.below("filter", f"{direction}-list")
                for name in names:
                    rule = self._jump(interface, family.word, direction, name)
                    before.setdefault(self._base(interface, family.word, direction), []).append(rule)
        for key, rules in before.items():
            direction, _, family_word = key.partition(" ")
            self.chains[key] = Chain(
                name=key, families=FAMILIES[family_word], rules=tuple(rules), default=Action.ACCEPT
            )
            for hook in {"in": (Hook.FORWARD, Hook.INPUT), "out": (Hook.FORWARD, Hook.OUTPUT)}.get(
                direction, (Hook.INPUT,)
            ):
                self.hooks[hook].append(key)

    def _base(self, interface: str, family: str, direction: str) -> str:
        if interface.partition(".")[0] == LOOPBACK:
            return f"host {family}" if direction == "input" else f"out {family}"
        return f"{'in' if direction == 'input' else 'out'} {family}"

    def _jump(self, interface: str, family: str, direction: str, name: Node) -> Rule:
        zone, why = self.zones.only(interface)
        match = Match(ingress=zone, unknown=why) if direction == "input" else Match(egress=zone, unknown=why)
        if interface.partition(".")[0] == LOOPBACK:
            match = Match()
        key = f"filter {family} {name.word}"
        text = f"interfaces {interface} family {family} filter {direction} {name.word}"
        if key not in self.chains:
            why = join(why, self.notes.node(name, f"filter {name.word[:60]} is defined nowhere"))
            return Rule(matches=(replace(match, unknown=why),), action=Action.DROP, line=name.line, text=text)
        if direction == "input" and self.inner:
            self._before_nat(key)
        return Rule(matches=(match,), action=Action.JUMP, jump=key, line=name.line, text=text)

    def _before_nat(self, key: str) -> None:
        """What an input filter says of targets, it says of those before NAT: unknown of translated ones."""
        chain = self.chains[key]
        self.chains[key] = replace(
            chain,
            rules=tuple(
                replace(rule, matches=tuple(part for match in rule.matches for part in self._split(match)))
                for rule in chain.rules
            ),
        )

    def _split(self, match: Match) -> Iterator[Match]:
        everything = ALL_OF[Family.V4] | ALL_OF[Family.V6]
        if match.unknown or (match.dport == ANY_PORT and match.target in (everything, *ALL_OF.values())):
            yield match
            return
        inner = self.inner.of_family(match.source.families)
        if rest := match.target - inner:
            yield replace(match, target=rest)
        if inner:
            yield replace(match, target=inner, dport=ANY_PORT, unknown="the target before destination NAT")

    def _term(self, family: Family, node: Node, term: Node) -> Iterator[Rule]:
        reader = _Term(self.root, family, self.notes)
        found, why = reader.matches(term)
        then = term.at("then") or Node("then")
        text = f"filter {node.word} term {term.text()}"[:400]
        for child in (*term.children.values(), *then.children.values()):
            known = SILENT_TERM if child in term.children.values() else (*STOPS, "next", *BESIDES, *POLICERS)
            if child.word not in known:
                why = join(why, self.notes.node(child, "not understood in a filter"))
        for child in term.below("filter"):
            why = join(why, self.notes.node(child, "a filter within a filter"))
        if why:
            found = [replace(match, unknown=join(match.unknown, why)) for match in found]
        if any(word in then.children for word in POLICERS):
            yield Rule(
                matches=tuple(replace(match, unknown=join(match.unknown, "beyond a rate")) for match in found),
                action=Action.DROP, line=term.line, text=text,
            )  # fmt: skip
        said = [STOPS[word] for word in STOPS if word in then.children]
        action = said[0] if said else Action.CONTINUE if "next" in then.children else Action.ACCEPT
        yield Rule(matches=tuple(found), action=action, line=term.line, text=text)


class _Term:
    """Reads the conditions of one term: each narrows what the term matches."""

    def __init__(self, root: Node, family: Family, notes: Notes) -> None:
        self.root = root
        self.family = family
        self.notes = notes

    def matches(self, term: Node) -> tuple[list[Match], str]:
        found = [Match(source=ALL_OF[self.family], target=ALL_OF[self.family])]
        why = ""
        conditions: dict[str, list[Node]] = {}
        for child in term.below("from"):
            conditions.setdefault(_SAME.get(child.word, child.word), []).append(child)
        for word, nodes in conditions.items():
            for narrower, reason in self._condition(word, nodes):
                why = join(why, reason)
                found = [both for one in found for part in narrower if (both := intersect(one, part))]
        return found, why

    def _condition(self, word: str, nodes: list[Node]) -> Iterator[tuple[list[Match], str]]:
        try:
            if word in _ADDRESSES:
                addresses = self._addresses(nodes)
                parts = [_with_addresses(field, addresses.most) for field in _ADDRESSES[word]]
                yield parts, addresses.why
            elif word.removesuffix("-except") in _PORTS:
                numbers = ports(one for node in nodes for one in node.words())
                numbers = ANY_PORT - numbers if word.endswith("-except") else numbers
                fields = _PORTS[word.removesuffix("-except")]
                yield [_with_ports(field, numbers) for field in fields], ""
            elif word.removesuffix("-except") == "protocol":
                names = predefined.PROTOCOLS
                numbers = Intervals.single(*(number_of(w, names, 255) for n in nodes for w in n.words()))
                yield [Match(protocol=ANY_PROTOCOL - numbers if word.endswith("-except") else numbers)], ""
            elif word == "icmp-type":
                yield self._icmp(nodes), ""
            elif word == "tcp-established":
                yield [Match(protocol=Intervals.single(TCP), states=ESTABLISHED)], ""
            elif word == "tcp-initial":
                yield [Match(protocol=Intervals.single(TCP))], ""
            else:
                for node in nodes:
                    yield [Match()], self.notes.node(node, "a condition that is not understood")
        except InputError as error:
            yield [Match()], self.notes.node(nodes[0], str(error)[:200])

    def _icmp(self, nodes: list[Node]) -> list[Match]:
        number, names = (
            (ICMP, predefined.ICMP_TYPES) if self.family is Family.V4 else (ICMPV6, predefined.ICMPV6_TYPES)
        )
        kinds = [number_of(word, names, 255) for node in nodes for word in node.words()]
        keys = Intervals.of(*(pair for kind in kinds for pair in icmp_types(kind, kind)))
        return [Match(protocol=Intervals.single(number), dport=keys)]

    def _addresses(self, nodes: list[Node]) -> Addresses:
        """The longest prefix that holds an address says whether it is meant, or excepted."""
        said: list[tuple[int, bool, Addresses]] = []
        for node in nodes:
            for child in node.children.values():
                excepted = "except" in child.children
                if node.word.endswith("prefix-list"):
                    said += [(*one[:1], excepted, one[1]) for one in self._list(child)]
                else:
                    said.append((_length(child.word), excepted, wildcard(child.word)))
        found = Addresses()
        for _, excepted, addresses in sorted(said, key=lambda one: one[0]):
            if excepted:
                found = Addresses(found.sure - addresses.most, found.most - addresses.sure, found.why)
            else:
                found |= addresses
        return found

    def _list(self, name: Node) -> list[tuple[int, Addresses]]:
        listed = self.root.at("policy-options", "prefix-list", name.word)
        if listed is None:
            why = self.notes.node(name, f"prefix-list {name.word[:60]} is defined nowhere")
            return [(0, unknown_addresses(why))]
        found = []
        for child in listed.children.values():
            if child.word == "apply-path":
                found.append((0, unknown_addresses(f"apply-path of prefix-list {name.word}"[:100])))
            else:
                found.append((_length(child.word), Addresses(AddressSet.parse(child.word))))
        return found


def _with_addresses(field: str, addresses: AddressSet) -> Match:
    return Match(source=addresses) if field == "source" else Match(target=addresses)


def _with_ports(field: str, numbers: Intervals) -> Match:
    return Match(sport=numbers) if field == "sport" else Match(dport=numbers)


def _length(prefix: str) -> int:
    tail = prefix.rpartition("/")[2]
    return int(tail) if "/" in prefix and tail.isdecimal() else 128


_ADDRESSES: Final = {
    "source-address": ("source",), "destination-address": ("target",), "address": ("source", "target"),
}  # fmt: skip
_PORTS: Final = {
    "source-port": ("sport",), "destination-port": ("dport",), "port": ("sport", "dport"),
}  # fmt: skip
_SAME: Final = {
    "source-prefix-list": "source-address", "destination-prefix-list": "destination-address",
    "prefix-list": "address", "next-header": "protocol", "payload-protocol": "protocol",
    "next-header-except": "protocol-except",
}  # fmt: skip
