"""The policies of one virtual domain as a chain, with the source NAT that they do.

First match decides, then the implicit deny. A policy whose status is "disable" stays in the chain and does
nothing. Without central NAT, a policy that denies matches what a virtual IP redirected only with
`match-vip`, which is the default from 7.2.4 on; where it does not, and a later policy lets it pass, the
denial is in doubt there: it holds for packets that bore the server's own address from the start. A policy
that accepts a virtual IP is taken to accept its server's address and port.
Source: FortiOS administration guide, "Firewall policy", "Static virtual IPs"; CLI reference, `firewall policy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.bounds import (
    ALL_SERVICES,
    Addresses,
    Services,
    crossed,
    join,
    matches,
    unknown_addresses,
)
from fwguard.dialects.fortios.interfaces import Interfaces
from fwguard.dialects.fortios.nat import VirtualIp, grouped, pool
from fwguard.dialects.fortios.objects import Book
from fwguard.dialects.fortios.sections import OFF, POLICY_HARMLESS, POLICY_UNDECIDED
from fwguard.dialects.fortios.tree import Entry, Setting
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, Family
from fwguard.model.matching import intersect, share, without
from fwguard.model.policy import Action, InterfaceSet, Match, NatKind, NatRule, Rule

MATCHES_REDIRECTED: Final = (7, 2, 4)  # from here on `match-vip` is on by default for policies that deny
MAX_COMPARED: Final = 4000  # boxes of a denial times boxes of what is redirected
BESIDE: Final = "does not match what a virtual IP redirected (match-vip)"
LEAD: Final = (
    "action",
    "srcintf",
    "dstintf",
    "srcaddr",
    "dstaddr",
    "srcaddr6",
    "dstaddr6",
    "service",
    "schedule",
)
Version = tuple[int, int, int]


@dataclass(slots=True)
class Reading:
    """The rules of a table in order, the translations they do, and what passes by virtual IPs, by place."""

    rules: list[Rule]
    nat: list[NatRule]
    redirected: list[tuple[int, Match]]
    used: set[str]


class Policies:
    """Reads the policy tables of one domain."""

    def __init__(
        self,
        domain: Entry,
        book: Book,
        interfaces: Interfaces,
        vips: dict[str, VirtualIp],
        *,
        central_nat: bool,
        version: Version | None,
    ) -> None:
        self.domain = domain
        self.book = book
        self.interfaces = interfaces
        self.vips = vips
        self.central_nat = central_nat
        self.version = version

    def read(self, path: str, families: Family) -> Reading:
        """Read a table; `families` V6 alone for the table of IPv6 that older releases have."""
        reading = Reading([], [], [], set())
        for place, entry in enumerate(self.domain.table(path).values()):
            reading.rules.append(self._rule(entry, place, families, reading))
        for place, (rule, entry) in enumerate(
            zip(reading.rules, self.domain.table(path).values(), strict=True)
        ):
            if rule.action in (Action.DROP, Action.REJECT):
                reading.rules[place] = self._beside_redirected(rule, entry, place, reading)
        return reading

    def _rule(self, entry: Entry, place: int, families: Family, reading: Reading) -> Rule:
        text, comment = words_of(entry), entry.value("comments") or entry.value("name")
        if entry.value("status") == "disable":
            return Rule(
                matches=(Match(),), action=Action.CONTINUE, line=entry.line, text=text,
                comment=join("disabled", comment),
            )  # fmt: skip
        doubt = self._doubt(entry)
        ways, doubt_way = self._way(entry)
        doubt = join(doubt, doubt_way)
        word = entry.value("action", "deny")
        action = {"accept": Action.ACCEPT, "deny": Action.DROP, "ipsec": Action.ACCEPT}.get(
            word, Action.UNKNOWN
        )
        if action is Action.UNKNOWN:
            self.book.note(entry.line, text, f"action {word[:40]}")
        if action is Action.DROP and entry.value("send-deny-packet") == "enable":
            action = Action.REJECT
        services = self._services(entry)
        found: list[Match] = []
        for family in (Family.V4, Family.V6):
            if families & family:
                found += self._of_family(entry, family, families, ways, services, doubt, place, reading)
        if word == "ipsec":
            tunnel = f"only through tunnel {entry.value('vpntunnel')[:60]}"
            found = [replace(match, unknown=join(match.unknown, tunnel)) for match in found]
            found += [_turned(match) for match in found] if entry.value("inbound") == "enable" else []
        if action is Action.ACCEPT and entry.value("nat") == "enable" and not self.central_nat:
            reading.nat.append(self._source_nat(entry, found))
        return Rule(matches=tuple(found), action=action, line=entry.line, text=text, comment=comment)

    def _way(self, entry: Entry) -> tuple[list[tuple[InterfaceSet, InterfaceSet]], str]:
        ingress, doubt_in = self.interfaces.of(entry.settings.get("srcintf"), self.book)
        egress, doubt_out = self.interfaces.of(entry.settings.get("dstintf"), self.book)
        return [(ingress, egress)], join(doubt_in, doubt_out)

    def _doubt(self, entry: Entry) -> str:
        """Return what narrows the match beyond addresses, services and interfaces."""
        whys: list[str] = []
        for key, setting in entry.settings.items():
            if key in POLICY_UNDECIDED:
                if setting.values and setting.values[0] not in OFF:
                    whys.append(f"{key} {' '.join(setting.values)}"[:80])
            elif key not in POLICY_HARMLESS:
                self.book.note(setting.line, setting.text, f"{key} is not known in a policy")
                whys.append(f"line {setting.line}: {key[:40]}")
        schedule = entry.value("schedule", "always")
        if schedule != "always":
            whys.append(f"schedule {schedule[:60]}")
        return join(*whys)

    def _services(self, entry: Entry) -> Services:
        setting = entry.settings.get("service")
        if setting is None or not setting.values:
            if entry.value("internet-service") == "enable" or entry.value("internet-service6") == "enable":
                return ALL_SERVICES
            self.book.note(entry.line, words_of(entry), "no service")
            return ALL_SERVICES.doubted("no service")
        found = self.book.services(setting.values)
        if "ALL" in setting.values and len(setting.values) > 1:
            found = found.doubted("ALL beside others")
        if entry.value("service-negate") == "enable":
            found = ALL_SERVICES.doubted("service-negate")
        if found.why:
            self._note_missing(setting, found.why)
        return found

    def _note_missing(self, setting: Setting, why: str) -> None:
        if any(text in why for text in ("does not exist", "itself", "too deep", "beside others", "is empty")):
            self.book.note(setting.line, setting.text, why)

    def _addresses(
        self, entry: Entry, key: str, family: Family, vips: Sequence[VirtualIp]
    ) -> Addresses | None:
        """Return the addresses of a setting without its virtual IPs; None where it names nothing else."""
        setting = entry.settings.get(key)
        isdb = f"internet-service{'6' if family is Family.V6 and key.endswith('6') else ''}"
        if entry.value(isdb + ("-src" if key.startswith("src") else "")) == "enable":
            return unknown_addresses("an internet service")
        if setting is None or not setting.values:
            return None
        names = {vip.name for vip in vips}
        groups = (self.domain.table("firewall vipgrp"), self.domain.table("firewall vipgrp6"))
        plain = [
            name
            for name in setting.values
            if name not in names and not any(name in table for table in groups)
        ]
        if not plain:
            return None
        found = self.book.addresses(plain, family)
        if "all" in plain and len(setting.values) > 1:
            found = Addresses(found.sure - found.most, found.most, join(found.why, "all beside others"))
        if entry.value(f"{key}-negate") == "enable":
            whole = ANY_V6 if family is Family.V6 else ANY_V4
            turned = found.inverted()
            found = Addresses(turned.sure & whole, turned.maybe & whole, turned.why)
        if found.why:
            self._note_missing(setting, found.why)
        return found

    def _of_family(
        self, entry: Entry, family: Family, families: Family, ways: list[tuple[InterfaceSet, InterfaceSet]],
        services: Services, doubt: str, place: int, reading: Reading,
    ) -> list[Match]:  # fmt: skip
        suffix = "6" if family is Family.V6 and families & Family.V4 else ""
        setting = entry.settings.get(f"dstaddr{suffix}")
        vips = [
            vip
            for vip in grouped(self.domain, setting.values if setting else (), self.vips)
            if vip.family is family
        ]
        source = self._addresses(entry, f"srcaddr{suffix}", family, ())
        target = self._addresses(entry, f"dstaddr{suffix}", family, vips)
        if source is None or (target is None and not vips):
            other = "" if suffix else "6"
            pair = {f"srcaddr{other}", f"dstaddr{other}", "internet-service6", "internet-service"}
            if family is Family.V6 and suffix:
                return []
            if not pair & entry.settings.keys() or (source is None) != (target is None and not vips):
                self.book.note(entry.line, words_of(entry), "no source or no target")
                return [
                    *matches(
                        ways, unknown_addresses("no source or no target"), Addresses(ANY_ADDRESS), services
                    )
                ]
            return []
        found: list[Match] = []
        if target is not None:
            found += matches(ways, source, target, services, doubt)
        negated = entry.value(f"dstaddr{suffix}-negate") == "enable"
        for vip in vips:
            reading.used.add(vip.name)
            narrowed = crossed(services, vip.services)
            why = join(doubt, vip.doubt, "dstaddr-negate" if negated else "")
            both = Addresses(source.sure & vip.source, source.maybe & vip.source, source.why)
            new = [self._on(match, vip) for match in matches(ways, both, vip.inner, narrowed, why)]
            arriving = [match for match in new if match is not None]
            found += arriving
            if entry.value("action") == "accept" and not self.central_nat:
                reading.redirected += [(place, match) for match in arriving]
        return found

    def _on(self, match: Match, vip: VirtualIp) -> Match | None:
        """Return the part of a match that the virtual IP's own interface and its zone leave."""
        if vip.ingress == "any":
            return match
        names = {vip.ingress, self.interfaces.zone_of(vip.ingress)}
        zone = self.interfaces.zones.get(vip.ingress)
        names.update(zone.members if zone else ())
        return intersect(match, Match(ingress=InterfaceSet.of(*names)))

    def _beside_redirected(self, rule: Rule, entry: Entry, place: int, reading: Reading) -> Rule:
        """Say of a denial that it may not hold for what a virtual IP redirected and a later policy accepts."""
        said = entry.value("match-vip")
        if self.central_nat or said == "enable":
            return rule
        if not said and self.version is not None and self.version >= MATCHES_REDIRECTED:
            return rule
        setting = entry.settings.get("dstaddr")
        if setting and grouped(self.domain, setting.values, self.vips):
            return rule  # it names virtual IPs itself
        later = [match for other, match in reading.redirected if other > place]
        if not later:
            return rule
        if len(later) * len(rule.matches) > MAX_COMPARED:
            return replace(rule, matches=tuple(replace(m, unknown=m.unknown or BESIDE) for m in rule.matches))
        sure = [replace(match, unknown="") for match in later]
        doubtful = share(rule.matches, sure)
        if not doubtful:
            return rule
        clear = without(rule.matches, sure)
        return replace(
            rule, matches=(*clear, *(replace(match, unknown=match.unknown or BESIDE) for match in doubtful))
        )

    def _source_nat(self, entry: Entry, found: Iterable[Match]) -> NatRule:
        to, doubt = pool(self.domain, (*entry.values("poolname"), *entry.values("poolname6")), self.book)
        kind = NatKind.SNAT if entry.value("ippool") == "enable" and to else NatKind.MASQUERADE
        return NatRule(
            kind=kind, to=to if kind is NatKind.SNAT else type(to)(), line=entry.line, text=words_of(entry),
            matches=tuple(replace(match, unknown=join(match.unknown, doubt)) for match in found),
            comment="nat enable",
        )  # fmt: skip


def words_of(entry: Entry) -> str:
    """Return an entry as one line: its number, then what it says, the important first."""
    ordered = sorted(
        entry.settings.items(), key=lambda item: LEAD.index(item[0]) if item[0] in LEAD else len(LEAD)
    )
    said = "; ".join(
        f"{key} {' '.join(one.values)}"
        for key, one in ordered
        if key in LEAD or key in ("name", "nat", "status")
    )
    number = entry.name if not entry.name.startswith("0 at") else "0"
    return f"edit {number}: {said}"[:400]


def _turned(match: Match) -> Match:
    """Return what a policy-based tunnel lets in: the services are those asked for, in either direction."""
    return replace(
        match, ingress=match.egress, egress=match.ingress, source=match.target, target=match.source
    )
