"""A change in a FortiOS text: addresses, services, virtual IPs and policies of its own.

Everything that we add says `fwguard:TAG` in its comment, and removing looks for nothing else. A policy
stands before the first one that surely drops any of the opening between its interfaces, which routes and
the interfaces' own prefixes tell. What virtual IPs redirect is opened by naming them.
Source: FortiOS CLI reference, `firewall policy`, `move`, `firewall vip`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fwguard.dialects.cisco.routing import Leads, behind
from fwguard.dialects.cisco.sheet import Sheet
from fwguard.dialects.cisco.wording import netmask, prefixes
from fwguard.dialects.fortios.edit import (
    TABLES,
    New,
    comment_of,
    icmp_settings,
    names_of,
    on_way,
    put,
    take_away,
)
from fwguard.dialects.fortios.reader import Domain, version_of
from fwguard.dialects.fortios.tree import domains, everywhere, parse
from fwguard.dialects.fortios.words import quoted
from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span, show_address
from fwguard.model.change import Change, Opening, Redirection, TextEdit
from fwguard.model.policy import Action, InterfaceSet, Match, Policy
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, SCTP, TCP, UDP, show_protocol

MAX_NAME: Final = 35


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when the text has no place for it."""
    tree = parse(text)
    sheet = Sheet(tree.lines)
    if change.remove:
        take_away(mark(change.tag), tree, sheet)
        return sheet.edit()
    shared = everywhere(tree)
    listed = list(domains(tree))
    version = version_of(text)
    for holder in (entry for _, entry in listed):
        if any(comment_of(one) == mark(change.tag) for path in TABLES for one in holder.table(path).values()):
            raise InputError(f"an entry with the comment {mark(change.tag)} exists", expected="an unused tag")
    refused: InputError | None = None
    for name, entry in listed:
        writer = _Writer(change.tag, Domain(name, entry, shared, len(listed) == 1, version))
        try:
            writer.write(change)
        except InputError as error:
            refused = refused or error
            continue
        put(writer.new, entry, sheet)
        return sheet.edit()
    raise refused or InputError(f"change {change.tag} holds nothing to write")


def mark(tag: str) -> str:
    """Return the comment of everything that a change makes."""
    return f"fwguard:{tag}"


class _Writer:
    def __init__(self, tag: str, domain: Domain) -> None:
        self.tag = tag
        self.domain = domain
        self.new: list[New] = []
        self.chains = domain.chains()
        self.ids = {
            path: max((int(n) for n in domain.entry.table(path) if n.isdecimal()), default=0)
            for path in ("firewall policy", "firewall policy6")
        }
        routes = [
            Leads(prefix, name, -1) for name, own in domain.interfaces.connected.items() for prefix in own
        ]
        routes += [
            Leads("0.0.0.0/0", name, 254)
            for name, one in domain.interfaces.known.items()
            if one.value("mode") in ("dhcp", "pppoe") and one.value("defaultgw") != "disable"
        ]
        routes += [
            Leads(route.prefix, route.interface, route.metric)
            for route in domain.routes
            if route.interface and route.kind == "unicast"
        ]
        self.behind = behind(routes)
        self.redirected: list[tuple[Redirection, str, str]] = []  # with its virtual IP and outer interface

    def write(self, change: Change) -> None:
        for redirection in change.redirections:
            self._redirect(redirection)
        for opening in change.openings:
            for family in (Family.V4, Family.V6):
                if opening.families & family:
                    self._open(opening, family)
        if not self.new:
            raise InputError(f"change {self.tag} holds nothing to write")

    def _interfaces(self, addresses: AddressSet, family: Family, what: str) -> list[str]:
        wanted = addresses.of_family(family)
        names = [name for name, own in sorted(self.behind.items()) if own & wanted]
        if not names:
            raise InputError(
                f"no route tells which interface stands before the {what} {wanted}",
                expected="a route, or an interface with an address beside it",
            )
        return names

    def _open(self, opening: Opening, family: Family) -> None:
        targets = self._interfaces(opening.target, family, "target")
        sources = self._interfaces(opening.source, family, "source")
        if len(targets) == 1:
            sources = [name for name in sources if name != targets[0]] or sources
        zone_of = self.domain.interfaces.zone_of
        ingress = list(dict.fromkeys(zone_of(name) for name in sources))
        egress = list(dict.fromkeys(zone_of(name) for name in targets))
        suffix = "6" if family is Family.V6 else ""
        services = self._services(opening, family)
        asked = self._addresses(opening.source, family, "s")
        vips, rest = self._virtual(opening, family, sources)
        if vips:
            self._policy(opening, family, ingress, egress, asked, vips, services, suffix)
        if rest:
            own = self._addresses(opening.target, family, "d")
            self._policy(opening, family, ingress, egress, asked, own, services, suffix)

    def _virtual(self, opening: Opening, family: Family, sources: list[str]) -> tuple[list[str], bool]:
        """Return the virtual IPs that lead to an opening's target, and whether it is also reached without."""
        if self.domain.central_nat:
            return [], True
        names, direct = [], set(sources)
        for redirection, name, outer in self.redirected:
            if (
                redirection.protocol == opening.protocol
                and redirection.inner in opening.target
                and redirection.inner_port in (opening.ports or ANY_PORT)
            ):
                names.append(name)
                direct.discard(outer)
        for vip in self.domain.vips.values():
            fits = vip.family is family and bool(vip.inner.sure & opening.target) and not vip.doubt
            on = [name for name in sources if vip.ingress in ("any", name)]
            if (
                fits
                and on
                and any(
                    opening.protocol in one.protocol and (opening.ports or ANY_PORT).overlaps(one.dport)
                    for one in vip.services.sure
                )
            ):
                names.append(vip.name)
                direct -= {vip.ingress}
        return names, bool(direct) or not names

    def _policy(
        self, opening: Opening, family: Family, ingress: list[str], egress: list[str], source: list[str],
        target: list[str], services: list[str], suffix: str,
    ) -> None:  # fmt: skip
        own_table = family is Family.V6 and self.domain.has_policy6
        path = "firewall policy6" if own_table else "firewall policy"
        suffix = "" if own_table else suffix
        self.ids[path] += 1
        number = sum(1 for one in self.new if one.path.startswith("firewall policy")) + 1
        name = f"fwguard-{self.tag}-{number}"
        settings = [
            ("name", quoted(name)), ("srcintf", names_of(ingress)), ("dstintf", names_of(egress)),
            ("action", "accept"), (f"srcaddr{suffix}", names_of(source)),
            (f"dstaddr{suffix}", names_of(target)), ("schedule", quoted("always")),
            ("service", names_of(services)), ("logtraffic", "all"), ("comments", quoted(mark(self.tag))),
        ]  # fmt: skip
        if len(name) > MAX_NAME or own_table:
            del settings[0]
        before = self._before(path, opening, family, ingress, egress)
        self.new.append(New(path, str(self.ids[path]), settings, before))

    def _before(
        self, path: str, opening: Opening, family: Family, ingress: list[str], egress: list[str]
    ) -> str:
        """Return the name of the policy before which a new one takes effect; "" for the end."""
        keys = self.domain.keys()
        chain = self.chains[keys[1] if path.endswith("6") else keys[0]]
        way = Match(ingress=self._set(ingress), egress=self._set(egress))
        rules = tuple(on_way(rule, way) for rule in chain.rules if rule.line)
        policy = Policy(dialect="fortios", chains={"one": replace(chain, rules=rules, default=Action.DROP)})
        index = place(policy, "one", opening, family)
        lines = [rule.line for rule in rules]
        entries = list(self.domain.entry.table(path).values())
        if index is None:
            return entries[0].name if entries else ""
        for line in lines[index:]:
            for entry in entries:
                if entry.line == line:
                    return entry.name
        return ""

    def _set(self, names: Iterable[str]) -> InterfaceSet:
        found = []
        for name in names:
            zone = self.domain.interfaces.zones.get(name)
            found += [name, *(zone.members if zone else ())]
        return InterfaceSet.of(*found)

    def _addresses(self, addresses: AddressSet, family: Family, letter: str) -> list[str]:
        six = family is Family.V6
        found = []
        spans = addresses.v6 if six else addresses.v4
        bits = 128 if six else 32
        if spans.pairs == ((0, (1 << bits) - 1),):
            return ["all"]
        path = "firewall address6" if six else "firewall address"
        for base, length in prefixes(addresses, family):
            if six:
                values = [("ip6", f"{show_address(6, base)}/{length}")]
            else:
                values = [("subnet", f"{show_address(4, base)} {show_address(4, netmask(length))}")]
            found.append(self._object(path, values, letter))
        return found

    def _services(self, opening: Opening, family: Family) -> list[str]:
        number, ports = opening.protocol, opening.ports
        if number in (ICMP, ICMPV6) and (number == ICMPV6) != (family is Family.V6):
            raise InputError(
                f"{show_protocol(number)} to {opening.target}", expected="the ICMP of the IP version"
            )
        path = "firewall service custom"
        if number in (TCP, UDP, SCTP):
            word = " ".join(str(low) if low == high else f"{low}-{high}" for low, high in ports or ANY_PORT)
            settings = [[(f"{show_protocol(number)}-portrange", word)]]
        elif number in (ICMP, ICMPV6):
            kind = ("protocol", "ICMP6" if number == ICMPV6 else "ICMP")
            types = [[]] if not ports or ports == ANY_PORT else icmp_settings(ports)
            settings = [[kind, *one] for one in types]
        elif ports and ports != ANY_PORT:
            raise InputError(f"ports of {show_protocol(number)}", expected="tcp, udp or sctp")
        else:
            settings = [[("protocol", "IP"), ("protocol-number", str(number))]]
        return [self._object(path, one, "p") for one in settings]

    def _object(self, path: str, settings: list[tuple[str, str]], letter: str) -> str:
        for one in self.new:
            if one.path == path and one.settings[:-1] == settings:
                return one.name
        number = sum(1 for one in self.new if one.path == path) + 1
        name = f"fwguard-{self.tag}-{letter}{number}"
        self.new.append(New(path, name, [*settings, ("comment", quoted(mark(self.tag)))]))
        return name

    def _redirect(self, redirection: Redirection) -> None:
        protocol = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}.get(redirection.protocol)
        version = parse_span(redirection.public)[0]
        if protocol is None:
            raise InputError(
                f"a redirection of {show_protocol(redirection.protocol)}", expected="tcp, udp or sctp"
            )
        if version != parse_span(redirection.inner)[0]:
            raise InputError(f"{redirection.public} to {redirection.inner}", expected="one IP version")
        family = Family.V4 if version == 4 else Family.V6
        outer = self._interfaces(AddressSet.parse(redirection.public), family, "public address")[0]
        settings = [("extip", redirection.public)]
        settings += [("extintf", quoted(outer))] if version == 4 else []
        settings += [
            ("portforward", "enable"), ("mappedip", quoted(redirection.inner) if version == 4 else redirection.inner),
            ("protocol", protocol), ("extport", str(redirection.public_port)),
            ("mappedport", str(redirection.inner_port)),
        ]  # fmt: skip
        name = self._object("firewall vip" if version == 4 else "firewall vip6", settings, "v")
        self.redirected.append((redirection, name, outer if version == 4 else ""))
