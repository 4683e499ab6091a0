"""NAT as the kernel does it: destination rules before the filter, source rules after it, by their numbers.

The filter sees the target after destination NAT and the source before source NAT, as the model says.
Static rules are looked at first. Source: VyOS user guide, NAT44 and NAT66; `parse_nat_rule` of vyos-1x.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects.vyos.conditions import read_interfaces, read_match
from fwguard.dialects.vyos.groups import Groups, port_words
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet, Match, NatKind, NatRule

NO_CONDITION: Final = frozenset({"translation", "exclude", "load-balance", "type", "tracking"})
TRANSLATION: Final = frozenset({"address", "port", "options", "redirect", "prefix"})


@dataclass(slots=True)
class NatReader:
    """Collects the rules of every kind of NAT."""

    groups: Groups
    notes: Notes
    before: list[NatRule] = field(default_factory=list)
    after: list[NatRule] = field(default_factory=list)

    @property
    def rules(self) -> tuple[NatRule, ...]:
        """Return all: those that change the target first."""
        return (*self.before, *self.after)

    def read(self, root: Node) -> None:
        """Read `nat`, `nat66`, and `nat nptv6` of 1.2."""
        for word, family in (("nat", Family.V4), ("nat66", Family.V6)):
            for node in root.nodes(word):
                if node.name == "static" and family is Family.V4:
                    for where, rule in self._numbered(node, f"{word} static"):
                        self._static(rule, where, family)
            for node in root.nodes(word):
                if node.name == "destination":
                    for where, rule in self._numbered(node, f"{word} destination"):
                        self._destination(rule, where, family)
                elif node.name == "source":
                    for where, rule in self._numbered(node, f"{word} source"):
                        self._source(rule, where, family)
                elif node.name == "nptv6":
                    for where, rule in self._numbered(node, f"{word} nptv6"):
                        self._prefix(rule, where)
                elif node.name != "static" or family is not Family.V4:
                    self.doubt(node, f"{word} of a kind that is not known", word)

    def doubt(self, node: Node, why: str, where: str) -> None:
        """Keep what may redirect anything to anywhere."""
        unknown = self.notes.add(node, why, where=where)
        self.before.insert(
            0,
            NatRule(
                kind=NatKind.UNKNOWN, matches=(Match(unknown=unknown[:512]),), line=node.line, text=unknown
            ),
        )

    def _numbered(self, holder: Node, where: str) -> list[tuple[str, Node]]:
        found = []
        for number, rule in holder.numbered("rule"):
            if number < 0:
                self.doubt(rule, "expected a number", f"{where} rule")
            elif "disable" not in rule.children:
                found.append((f"{where} rule {number}", rule))
        for node in holder.children.values():
            if node.name != "rule":
                self.doubt(node, "not known in NAT", where)
        return found

    def _made(
        self, kind: NatKind, match: Match, rule: Node, where: str, to: AddressSet, ports: Intervals
    ) -> NatRule:
        text = f"{where} {rule.words().partition(' ')[2]}".strip()
        return NatRule(
            kind=kind, matches=(match,), to=to, to_ports=ports, line=rule.line, text=text,
            comment=rule.value("description"),
        )  # fmt: skip

    def _translation(self, rule: Node, family: Family) -> tuple[str, AddressSet, Intervals]:
        """Return the translation's words, addresses and ports. Raises InputError."""
        node = rule.child("translation")
        if node is None:
            raise InputError("no translation", expected="translation address or exclude")
        if set(node.children) - TRANSLATION:
            raise InputError(f"translation {', '.join(node.children)[:60]}")
        words = [*node.values("address"), *node.values("prefix")]
        if rule.nodes("load-balance", "backend"):
            words = rule.values("load-balance", "backend")
        elif len(words) > 1:
            raise InputError("several translation addresses", expected="one")
        addresses = AddressSet.parse(*(word for word in words if word != "masquerade"))
        if addresses.of_family(family) != addresses:
            raise InputError(f"translation to {addresses}", expected=family.name or "one IP version")
        port_texts = [*node.values("port"), *node.values("redirect", "port")]
        ports = port_words(port_texts[0]) if len(port_texts) == 1 else Intervals()
        if len(port_texts) > 1:
            raise InputError("several translation ports", expected="one")
        return words[0] if words else "", addresses, ports

    def _destination(self, rule: Node, where: str, family: Family) -> None:
        match = read_match(rule, family, where, self.groups, self.notes, ignore=NO_CONDITION)
        match = _of_family(match, family)
        kind, to, ports = NatKind.EXEMPT, AddressSet(), Intervals()
        if "exclude" not in rule.children:
            try:
                word, to, ports = self._translation(rule, family)
                kind = NatKind.NETMAP if "/" in word else NatKind.DNAT
                if rule.child("translation", "redirect") is not None:
                    kind = NatKind.REDIRECT
                elif not to and not ports:
                    raise InputError("a translation without address and port")
            except InputError as error:
                why = self.notes.add(rule, str(error), where=where)
                kind, match = NatKind.UNKNOWN, replace(match, unknown=match.unknown or why[:512])
        self.before.append(self._made(kind, match, rule, where, to, ports))

    def _source(self, rule: Node, where: str, family: Family) -> None:
        match = read_match(rule, family, where, self.groups, self.notes, ignore=NO_CONDITION)
        match = _of_family(match, family)
        kind, to, ports = NatKind.EXEMPT, AddressSet(), Intervals()
        if "exclude" not in rule.children:
            try:
                word, to, ports = self._translation(rule, family)
                kind = NatKind.MASQUERADE if word == "masquerade" else NatKind.SNAT
            except InputError as error:
                why = self.notes.add(rule, str(error), where=where)
                kind, match = NatKind.SNAT, replace(match, unknown=match.unknown or why[:512])
        self.after.append(self._made(kind, match, rule, where, to, ports))

    def _static(self, rule: Node, where: str, family: Family) -> None:
        """One to one: what comes to the outer address goes to the inner one, and back."""
        try:
            outer = AddressSet.parse(*rule.values("destination", "address"))
            inner = AddressSet.parse(*rule.values("translation", "address"))
            if not outer or not inner:
                raise InputError("no address", expected="destination address and translation address")
            inbound = rule.child("inbound-interface")
            ingress = read_interfaces(inbound, self.groups) if inbound else InterfaceSet()
        except InputError as error:
            self.doubt(rule, str(error), where)
            return
        known = {"destination", "translation", "inbound-interface", "description", "log", "exclude"}
        if set(rule.children) - known:
            self.doubt(rule, "not all of it is known", where)
            return
        kind = NatKind.EXEMPT if "exclude" in rule.children else NatKind.STATIC
        match = _of_family(Match(ingress=ingress, target=outer), family)
        self.before.append(self._made(kind, match, rule, where, inner, Intervals()))

    def _prefix(self, rule: Node, where: str) -> None:
        """NPTv6 (RFC 6296): the prefix changes both ways, each at the outer interface."""
        try:
            inner = AddressSet.parse(*rule.values("source", "prefix"))
            outer = AddressSet.parse(*rule.values("translation", "prefix"))
            outbound = rule.child("outbound-interface")
            if not inner or not outer or outbound is None:
                raise InputError(
                    "half a rule", expected="source prefix, translation prefix, outbound-interface"
                )
            ingress = read_interfaces(outbound, self.groups)
        except InputError as error:
            self.doubt(rule, str(error), where)
            return
        match = Match(ingress=ingress, target=outer)
        self.before.append(self._made(NatKind.STATIC, match, rule, where, inner, Intervals()))


def _of_family(match: Match, family: Family) -> Match:
    return replace(match, source=match.source.of_family(family), target=match.target.of_family(family))
