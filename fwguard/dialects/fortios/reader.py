"""A FortiOS text as a policy: each virtual domain's chain of policies, NAT, routes, and what is for itself.

Before the policies stand hardware lists (`firewall acl`), multicast policies (unknown for what is sent to
many) and zones whose members may talk to each other. With several virtual domains, the interface that a
packet comes in by tells which one judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import ALL_SERVICES, join, matches
from fwguard.dialects.fortios.interfaces import Interfaces, read_interfaces
from fwguard.dialects.fortios.local import local_rules
from fwguard.dialects.fortios.nat import SNAT_KNOWN, VirtualIp, pool, virtual_ips
from fwguard.dialects.fortios.objects import Book
from fwguard.dialects.fortios.policies import Policies, Version, words_of
from fwguard.dialects.fortios.routes import read_routes
from fwguard.dialects.fortios.sections import READ, is_harmless, is_router, router_is_used
from fwguard.dialects.fortios.tree import Entry, Table, Tree, domains, everywhere, parse
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import (
    ANY_INTERFACE,
    Action,
    Chain,
    Connected,
    Hook,
    InterfaceSet,
    Match,
    NatKind,
    NatRule,
    Policy,
    Route,
    Rule,
    Unread,
)
from fwguard.model.ports import ANY_PROTOCOL

NAME: Final = "fortios"
MULTICAST: Final = AddressSet.parse("224.0.0.0/4", "ff00::/8")
MAX_STRANGE_LINES: Final = 200  # of one table that is not known
_VERSION: Final = re.compile(r"^#config-version=[^-\s]+-(\d+)\.(\d+)\.(\d+)", re.MULTILINE)


def read_policy(text: str) -> Policy:
    """Read a whole text. See FortiOs.read."""
    return policy_of(parse(text), version_of(text))


def version_of(text: str) -> Version | None:
    """Return the release that wrote the text, if it says so."""
    found = _VERSION.search(text[:2000])
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def policy_of(tree: Tree, version: Version | None) -> Policy:
    """Read what `parse` found."""
    shared = everywhere(tree)
    listed = list(domains(tree))
    parts = [Domain(name, entry, shared, len(listed) == 1, version) for name, entry in listed]
    unread = list(tree.unread)
    for holder in [
        tree.root,
        *([shared] if shared is not tree.root else []),
        *(entry for _, entry in listed),
    ]:
        unread += strange_tables(holder)
    chains: dict[str, Chain] = {}
    nat: list[NatRule] = []
    routes: list[Route] = []
    for part in parts:
        chains.update(part.chains())
        nat += part.nat
        routes += part.routes
        unread += part.book.unread
    if len(parts) == 1:
        forward, mine = tuple(key for key in chains if key != "local-in"), ("local-in",)
    else:
        chains.update(_switch(parts))
        forward, mine = ("virtual domains",), ("virtual domains local-in",)
    after = (NatKind.SNAT, NatKind.MASQUERADE)
    by_line = {(one.line, one.text): one for one in unread}
    return Policy(
        dialect=NAME, families=Family.BOTH, chains=chains,
        hooks={Hook.FORWARD: forward, Hook.INPUT: mine},
        nat=(*(one for one in nat if one.kind not in after), *(one for one in nat if one.kind in after)),
        routes=tuple(routes), unread=tuple(sorted(by_line.values(), key=lambda one: one.line)),
        networks=tuple(
            Connected(prefix, name)
            for part in parts for name, own in part.interfaces.connected.items() for prefix in own
        ),
    )  # fmt: skip


def _switch(parts: list[Domain]) -> dict[str, Chain]:
    """Return the chains that send a packet to its virtual domain."""
    found = {}
    for name, kind in (("virtual domains", ""), ("virtual domains local-in", "local-in")):
        rules = []
        for part in parts:
            names = [*part.interfaces.known, *part.interfaces.zones]
            for key in part.keys(kind):
                of_family = ANY_ADDRESS.of_family(part.family_of(key))
                match = Match(ingress=InterfaceSet.of(*names), source=of_family, target=of_family)
                rules.append(
                    Rule(matches=(match,), action=Action.GOTO, jump=key, line=0, text=f"vdom {part.name}")
                )
        found[name] = Chain(name=name, families=Family.BOTH, rules=tuple(rules), default=Action.DROP)
    return found


class Domain:
    """One virtual domain."""

    def __init__(self, name: str, entry: Entry, shared: Entry, only: bool, version: Version | None) -> None:
        self.name = name
        self.entry = entry
        self.shared = shared
        self.only = only
        self.book = Book(entry, [])
        self.interfaces: Interfaces = read_interfaces(name, entry, shared, only, self.book)
        self.central_nat = entry.of("system settings").value("central-nat") == "enable"
        self.vips: dict[str, VirtualIp] = virtual_ips(entry, self.book, self.interfaces.own)
        self.policies = Policies(
            entry, self.book, self.interfaces, self.vips, central_nat=self.central_nat, version=version
        )
        self.has_policy6 = "firewall policy6" in entry.tables
        self.nat: list[NatRule] = []
        self.routes = read_routes(name, entry, self.book, only)

    def keys(self, kind: str = "") -> list[str]:
        """Return the keys of this domain's chains, of what passes or of what is for itself."""
        prefix = "" if self.only else f"{self.name} "
        if kind:
            return [f"{prefix}{kind}"]
        return [f"{prefix}policy", *([f"{prefix}policy6"] if self.has_policy6 else [])]

    def family_of(self, key: str) -> Family:
        """Return which IP versions a chain of this domain judges."""
        if not self.has_policy6 or key.endswith("local-in"):
            return Family.BOTH
        return Family.V6 if key.endswith("policy6") else Family.V4

    def chains(self) -> dict[str, Chain]:
        """Return the chains; `nat` is filled on the way."""
        families = Family.V4 if self.has_policy6 else Family.BOTH
        reading = self.policies.read("firewall policy", families)
        tables = [(families, reading)]
        if self.has_policy6:
            tables.append((Family.V6, self.policies.read("firewall policy6", Family.V6)))
        found = {}
        for key, (family, read) in zip(self.keys(), tables, strict=True):
            rules = (*self._before(family), *read.rules)
            if self.entry.of("system settings").value("ngfw-mode") == "policy-based":
                rules = tuple(_by_application(rule) for rule in rules)
            found[key] = Chain(name=key, families=family, rules=rules, default=Action.DROP)
        used = set().union(*(read.used for _, read in tables))
        for vip in self.vips.values():
            idle = vip.name not in used and not self.central_nat
            self.nat += (_unused(rule) for rule in vip.rules) if idle else vip.rules
        if self.central_nat:
            self.nat += self._central()
        for _, read in tables:
            self.nat += read.nat
        local = local_rules(self.entry, self.shared, self.interfaces, self.book)
        key = self.keys("local-in")[0]
        found[key] = Chain(name=key, families=Family.BOTH, rules=tuple(local), default=Action.DROP)
        if not self.only:
            # Who goes to a chain and comes to its end meets the default of the chain that sent it there.
            found = {name: replace(chain, default=Action.RETURN) for name, chain in found.items()}
        return found

    def _before(self, families: Family) -> Iterable[Rule]:
        """Return what is judged before the policies."""
        for path, family in (("firewall acl", Family.V4), ("firewall acl6", Family.V6)):
            if families & family:
                for entry in self.entry.table(path).values():
                    yield self._hardware(entry, family)
        for path in ("firewall multicast-policy", "firewall multicast-policy6"):
            for entry in self.entry.table(path).values():
                if (
                    families & (Family.V6 if path.endswith("6") else Family.V4)
                    and entry.value("status") != "disable"
                ):
                    yield self._multicast(entry)
        for zone in self.interfaces.zones.values():
            if zone.passes:
                inside = InterfaceSet.of(zone.name, *zone.members)
                yield Rule(
                    matches=(Match(ingress=inside, egress=inside),), action=Action.ACCEPT, line=zone.line,
                    text=f"edit {zone.name}: intrazone allow",
                )  # fmt: skip

    def _hardware(self, entry: Entry, family: Family) -> Rule:
        text = f"edit {entry.name}: acl"
        if entry.value("status") == "disable":
            return Rule(
                matches=(Match(),), action=Action.CONTINUE, line=entry.line, text=text, comment="disabled"
            )
        known = frozenset(
            {"status", "interface", "srcaddr", "dstaddr", "service", "comments", "name", "uuid"}
        )
        doubt = self.book.strange(entry, known)
        ingress, doubt_in = self.interfaces.of(entry.settings.get("interface"), self.book)
        found = matches(
            [(ingress, ANY_INTERFACE)], self.book.addresses(entry.values("srcaddr"), family),
            self.book.addresses(entry.values("dstaddr"), family), self.book.services(entry.values("service")),
            join(doubt, doubt_in),
        )  # fmt: skip
        return Rule(matches=found, action=Action.DROP, line=entry.line, text=text)

    def _multicast(self, entry: Entry) -> Rule:
        self.book.note(entry.line, f"edit {entry.name}", "multicast policies are not read")
        ingress, _ = self.interfaces.of(entry.settings.get("srcintf"), self.book)
        egress, _ = self.interfaces.of(entry.settings.get("dstintf"), self.book)
        match = Match(ingress=ingress, egress=egress, target=MULTICAST, unknown="a multicast policy")
        return Rule(matches=(match,), action=Action.UNKNOWN, line=entry.line, text=words_of(entry))

    def _central(self) -> Iterable[NatRule]:
        """Read the central table of source NAT: the first match decides, `nat disable` keeps the source."""
        for entry in self.entry.table("firewall central-snat-map").values():
            if entry.value("status") == "disable":
                continue
            doubt = self.book.strange(entry, SNAT_KNOWN)
            ingress, doubt_in = self.interfaces.of(entry.settings.get("srcintf"), self.book)
            egress, doubt_out = self.interfaces.of(entry.settings.get("dstintf"), self.book)
            six = entry.value("type") == "ipv6"
            family, suffix = (Family.V6, "6") if six else (Family.V4, "")
            to, doubt_pool = pool(self.entry, entry.values(f"nat-ippool{suffix}"), self.book)
            ported = "orig-port" if entry.value("orig-port", "0") != "0" else ""
            protocol = entry.value("protocol", "0")
            number = (
                int(protocol) if protocol.isdecimal() and len(protocol) < 4 and int(protocol) < 256 else 0
            )
            found = matches(
                [(ingress, egress)], self.book.addresses(entry.values(f"orig-addr{suffix}"), family),
                self.book.addresses(entry.values(f"dst-addr{suffix}"), family), ALL_SERVICES,
                join(doubt, doubt_in, doubt_out, doubt_pool, ported),
            )  # fmt: skip
            of_protocol = Intervals.single(number) if number else ANY_PROTOCOL
            off = entry.value("nat") == "disable"
            yield NatRule(
                kind=NatKind.SNAT if to or off else NatKind.MASQUERADE, to=AddressSet() if off else to,
                matches=tuple(replace(match, protocol=of_protocol) for match in found), line=entry.line,
                text=words_of(entry), comment="nat disable" if off else "",
            )  # fmt: skip


def _unused(rule: NatRule) -> NatRule:
    """Say of a virtual IP that no enabled policy names: it redirects nothing, as far as is known."""
    why = "a virtual IP that no policy names"
    return replace(rule, matches=tuple(replace(one, unknown=one.unknown or why) for one in rule.matches))


def _by_application(rule: Rule) -> Rule:
    """Say of a rule that security policies, which are not read, decide after it."""
    if rule.action is not Action.ACCEPT:
        return rule
    why = "security policies decide by application (ngfw-mode policy-based)"
    return replace(rule, matches=tuple(replace(one, unknown=join(one.unknown, why)) for one in rule.matches))


def strange_tables(holder: Entry) -> list[Unread]:
    """Return the lines of tables that decide something, or may, and are not read."""
    found: list[Unread] = []
    for path, table in holder.tables.items():
        if path in READ or is_harmless(path):
            continue
        if is_router(path):
            if router_is_used(list(table.own.tables)):
                why = "routes that come from other routers are in no text"
                found.append(Unread(line=table.line, text=f"config {path}", why=why))
            continue
        found.append(Unread(line=table.line, text=f"config {path}", why="not a table that is known here"))
        found += _lines_of(table)[:MAX_STRANGE_LINES]
    return found


def _lines_of(table: Table) -> list[Unread]:
    why = f"below config {table.path[:60]}, which is not known here"
    found = []
    for entry in (table.own, *table.entries.values()):
        if entry is not table.own:
            found.append(Unread(line=entry.line, text=f"edit {entry.name}", why=why))
        found += [Unread(line=one.line, text=one.text[:300], why=why) for one in entry.settings.values()]
    return found
