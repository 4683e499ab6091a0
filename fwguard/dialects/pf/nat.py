"""Redirections, one-to-one and outbound NAT, each list in the order of pf.

pf looks for a redirection first, then for one to one, before it filters what comes in: the filter sees inner
targets. Outbound NAT comes before the filter of what goes out, which chains.py takes into account. A rule that
says not to redirect ends the look-up. Source: pf.conf(5) TRANSLATION; `filter_nat_rules_generate` of
pfSense, `ForwardRule`, `DNatRule`, `SNatRule`, `NptRule` of OPNsense.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.pf.bounds import Addresses
from fwguard.dialects.pf.builtin import lockout_ports
from fwguard.dialects.pf.conditions import Conditions, Reader
from fwguard.dialects.pf.outbound import Outbound
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, InterfaceSet, Match, NatKind, NatRule, Rule
from fwguard.model.ports import TCP

MAX_SHIFTED: Final = 64  # ports of a range that moves: one rule each; beyond, the new port is one of a range
MAX_RULES: Final = 50_000
SILENT: Final = frozenset({
    "disabled", "nordr", "interface", "ipprotocol", "protocol", "source", "destination", "target", "local-port",
    "descr", "associated-rule-id", "created", "updated", "natreflection", "log", "tag", "category", "categories",
    "nosync", "poolopts", "sequence", "pass", "staticnatport", "username", "external", "type", "trackif",
    "subnet", "any", "separator", "uuid", "nobinat", "enabled", "source_net", "source_not", "destination_net",
    "destination_not", "description", "source_hash_key", "ridentifier",
})  # fmt: skip
UNDECIDED: Final = frozenset({"tagged"})


class NatReader:
    """Collects translations, and what a redirection lets pass by the filter."""

    def __init__(self, root: Node, reader: Reader) -> None:
        self.root = root
        self.reader = reader
        self.redirections: list[NatRule] = []
        self.one_to_one: list[NatRule] = []
        self.outbound = Outbound(root, reader)
        self.passed: list[Rule] = []

    @property
    def rules(self) -> tuple[NatRule, ...]:
        """Return all: those that change the target first."""
        return (*self.redirections, *self.one_to_one, *self.outbound.rules)

    def read(self) -> None:
        """Read the whole file."""
        if self.reader.notes.is_opnsense:
            self._anti_lockout()
        known = {
            "outbound",
            "rule",
            "onetoone",
            "npt",
            "separator",
            "advancedoutbound",
            "ipsecpassthru",
            "natreflection",
        }
        nat = self.root.child("nat")
        for node in nat.children if nat else ():
            if node.tag not in known:
                self.doubt(node, "not known in NAT")
        rules = self.root.all("nat", "rule")
        if self.reader.notes.is_opnsense:
            rules = sorted(rules, key=lambda node: node.number("sequence"))
        for node in rules:
            if not self.reader.is_off(node):
                self._redirection(node)
            if len(self.redirections) > MAX_RULES:
                self.doubt(node, "very many redirections")
                break
        for node in (*self.root.all("nat", "onetoone"), *self._new("onetoone")):
            if not self.reader.is_off(node):
                self._one_to_one(node)
        for node in (*self.root.all("nat", "npt"), *self._new("npt")):
            if not self.reader.is_off(node):
                self._prefix(node)
        self.outbound.read()

    def doubt(self, node: Node, why: str) -> None:
        """Keep what may redirect anything to anywhere."""
        unknown = self.reader.notes.add(node, why)
        rule = NatRule(
            kind=NatKind.UNKNOWN, matches=(Match(unknown=unknown),), line=node.line, text=node.words()
        )
        self.redirections.insert(0, rule)

    def _new(self, tag: str) -> list[Node]:
        found = self.root.all("OPNsense", "Firewall", "Filter", tag, "rule")
        return sorted(found, key=lambda node: node.number("sequence"))

    def _conditions(self, node: Node, *, listed: bool = False) -> Conditions:
        into = Conditions()
        words = [word for word in (node.value("interface") or "wan").split(",") if word]
        self.reader.interface_set(node, words, into)
        self.reader.family(node, into)
        if not node.value("ipprotocol"):
            into.families = Family.BOTH
        self.reader.protocol(node, into)
        if listed:
            into.source = self.reader.aliases.word(node.value("source_net"))
            into.target = self.reader.aliases.word(node.value("destination_net"))
        else:
            into.source = self.reader.legacy_side(node, "source", into)
            into.target = self.reader.legacy_side(node, "destination", into)
            into.sport = self.reader.ports(node, node.value("source", "port"), into)
            into.dport = self.reader.ports(node, node.value("destination", "port"), into)
        self.reader.doubt_disabled(node, into)
        for child in node.children:
            if child.tag in UNDECIDED and child.text:
                into.unknown.append(f"{child.tag} {child.text[:60]}")
            elif child.tag not in SILENT and child.tag not in UNDECIDED and (child.text or child.children):
                into.unknown.append(self.reader.notes.add(child, "not known in a translation"))
        return into

    def _redirection(self, node: Node) -> None:
        into = self._conditions(node)
        if node.says("nordr"):
            self._add(NatKind.EXEMPT, into.matches(), node)
            return
        target = self.reader.aliases.word(node.value("target")) if node.value("target") else None
        if target is None or not target.is_exact or not target.sure:
            why = (
                self.reader.notes.add(node, "a target that is not in the file")
                if target is None or (target.missing)
                else f"target {node.value('target')[:60]} is not in the file"
            )
            into.unknown.append(why)
            self._add(NatKind.UNKNOWN, into.matches(), node)
            return
        own = self.reader.interfaces.all_own().sure
        kind = NatKind.REDIRECT if target.sure <= own else NatKind.DNAT
        reflected = self._reflection(node, into)
        for match in into.matches():
            for piece, ports in self._shifted(node, match, into):
                self._add(kind, (piece,), node, target.sure, ports)
                self._pass(node, piece, target.sure, ports)
                if reflected is not None:
                    self._add(kind, (replace(piece, ingress=reflected),), node, target.sure, ports)

    def _shifted(self, node: Node, match: Match, into: Conditions) -> Iterator[tuple[Match, Intervals]]:
        """Yield what goes to which ports: a range keeps its distance from the local port."""
        text = node.value("local-port")
        if (
            not text
            or text == node.value("destination", "port")
            or not into.protocol <= Intervals.of((6, 6), (17, 17))
        ):
            yield match, Intervals()
            return
        try:
            local = self.reader.aliases.ports(text)
        except InputError as error:
            why = self.reader.notes.add(node, str(error))
            yield replace(match, unknown=match.unknown or why), Intervals()
            return
        if not local.sure:
            yield replace(match, unknown=match.unknown or local.why or "no local port"), Intervals()
            return
        first = local.sure.first
        low, high = match.dport.pairs[0][0], match.dport.pairs[-1][1]
        width = high - low
        if len(match.dport.pairs) > 1 or width == 0 or match.dport.size == 65536:
            yield match, Intervals.single(first)
        elif low == first:
            yield match, Intervals()
        elif width < MAX_SHIFTED:
            for step in range(width + 1):
                if first + step <= 65535:
                    yield replace(match, dport=Intervals.single(low + step)), Intervals.single(first + step)
        else:
            yield match, Intervals.of((first, min(65535, first + width)))

    def _add(
        self, kind: NatKind, matches: tuple[Match, ...], node: Node, to: AddressSet | None = None,
        ports: Intervals | None = None,
    ) -> None:  # fmt: skip
        if matches:
            self.redirections.append(
                NatRule(
                    kind=kind, matches=matches, to=to or AddressSet(), to_ports=ports or Intervals(),
                    line=node.line, text=node.words(), comment=node.value("descr") or node.value("description"),
                )
            )  # fmt: skip

    def _pass(self, node: Node, match: Match, to: AddressSet, ports: Intervals) -> None:
        """A redirection may let its packets pass by the filter.

        Packets sent straight to the inner address on that interface are taken for redirected ones.
        """
        how = node.value("pass") or node.value("associated-rule-id")
        if how not in ("pass", "rule"):
            return
        inner = replace(match, target=to, dport=ports or match.dport)
        if how == "rule":
            inner = replace(inner, unknown=inner.unknown or "a rule that the redirection registers")
        self.passed.append(
            Rule(
                matches=(inner,),
                action=Action.ACCEPT,
                line=node.line,
                text=f"redirection lets pass: {node.words()}",
            )
        )

    def _reflection(self, node: Node, into: Conditions) -> InterfaceSet | None:
        """Return the inner interfaces on which a redirection also holds; through the proxy of pfSense,
        nobody can say where it leads: unknown."""
        said = node.value("natreflection")
        off = self.root.child("system", "disablenatreflection")
        if said == "disable" or (
            said not in ("enable", "purenat")
            and off is not None
            and (off.text or not self.reader.notes.is_opnsense)
        ):
            return None
        pure = (
            said == "purenat"
            or self.reader.notes.is_opnsense
            or (said != "enable" and self.root.has("system", "enablenatreflectionpurenat"))
        )
        interfaces = self.reader.interfaces
        own = into.interfaces.names
        inner = frozenset(
            name
            for name, one in interfaces.by_name.items()
            if one.is_enabled and name not in own and not one.has_gateway(Family.V4)
        )
        if not inner:
            return None
        if not pure:
            matches = tuple(
                replace(
                    match,
                    ingress=InterfaceSet(inner, negated=False),
                    unknown=match.unknown or "NAT reflection",
                )
                for match in into.matches()
            )
            self._add(NatKind.UNKNOWN, matches, node)
            return None
        return InterfaceSet(inner, negated=False)

    def _one_to_one(self, node: Node) -> None:
        """Outer addresses lead to inner ones on the interface; the way back is the same rule.

        A rule for a part of the other sides holds for those only; an inner network keeps its hosts' numbers.
        """
        into = self._conditions(node, listed=node.has("source_net"))
        inner, others = into.source, into.target
        outer = self._network(node, inner)
        into.source, into.target = others, outer
        if node.says("nobinat"):
            self.one_to_one.append(self._made(NatKind.EXEMPT, into.matches(), node, AddressSet()))
            return
        if not inner.is_exact or not outer.is_exact or not inner.sure:
            into.unknown.append(self.reader.notes.add(node, "addresses that are not in the file"))
            self.one_to_one.append(self._made(NatKind.UNKNOWN, into.matches(), node, AddressSet()))
            return
        if node.value("type") == "nat":
            return  # changes sources only
        self.one_to_one.append(self._made(NatKind.STATIC, into.matches(), node, inner.sure))

    def _network(self, node: Node, inner: Addresses) -> Addresses:
        """Return the outer addresses: as many as there are inner ones."""
        text = node.value("external")
        length = (
            node.value("source", "address").partition("/")[2] or node.value("source_net").partition("/")[2]
        )
        if length and "/" not in text and not self.reader.aliases.word(text).missing:
            try:
                return Addresses.exactly(AddressSet.parse(f"{text}/{length}"))
            except InputError:
                pass
        return (
            self.reader.aliases.word(text) if text else Addresses.unknown("no external address", inner.maybe)
        )

    def _prefix(self, node: Node) -> None:
        """NPTv6: the outer prefix leads to the inner one on the interface (RFC 6296)."""
        into = self._conditions(node, listed=node.has("source_net"))
        into.families = Family.V6
        inner, outer = into.source, into.target
        into.source, into.target = self.reader.aliases.word("any"), outer
        exact = inner.is_exact and outer.is_exact and inner.sure and outer.sure and not node.value("trackif")
        if not exact:
            into.unknown.append(self.reader.notes.add(node, "prefixes that are not in the file"))
        kind = NatKind.STATIC if exact else NatKind.UNKNOWN
        self.one_to_one.append(self._made(kind, into.matches(), node, inner.sure if exact else AddressSet()))

    def _made(self, kind: NatKind, matches: tuple[Match, ...], node: Node, to: AddressSet) -> NatRule:
        comment = node.value("descr") or node.value("description")
        return NatRule(kind=kind, matches=matches, to=to, line=node.line, text=node.words(), comment=comment)

    def _anti_lockout(self) -> None:
        """OPNsense never redirects its own page and SSH away from the inside."""
        node = self.root.child("system", "webgui")
        interfaces = self.reader.interfaces
        if node is None or node.says("noantilockout") or "lan" not in interfaces.by_name:
            return
        own = interfaces.own("lan")
        match = Match(
            ingress=InterfaceSet.of("lan"), target=own.sure, protocol=Intervals.single(TCP),
            dport=lockout_ports(self.root, self.reader.notes),
        )  # fmt: skip
        if own.sure:
            self.redirections.append(
                NatRule(
                    kind=NatKind.EXEMPT, matches=(match,), line=node.line, text="anti-lockout: no redirection"
                )
            )
