"""What is addressed to the FortiGate itself: local-in policies, then what each interface lets in.

Administrative access is narrowed by trusted hosts where every administrator has some. What no interface
allows and no service of the text listens to is dropped.
Source: FortiOS CLI reference, `system interface` allowaccess, `firewall local-in-policy`, `system admin`.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.bounds import ALL_SERVICES, Addresses, join, matches
from fwguard.dialects.fortios.interfaces import Interfaces
from fwguard.dialects.fortios.objects import Book, subnet
from fwguard.dialects.fortios.tree import Entry
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, Action, InterfaceSet, Match, Rule
from fwguard.model.ports import ANY_PORT, ESP, ICMP, ICMPV6, TCP, UDP, icmp_types

IKE: Final = Intervals.single(500, 4500)
# allowaccess word -> (protocol, port, setting of `system global` with another port, for administrators).
ACCESS: Final[dict[str, tuple[int, int, str, bool]]] = {
    "https": (TCP, 443, "admin-sport", True), "http": (TCP, 80, "admin-port", True),
    "ssh": (TCP, 22, "admin-ssh-port", True), "telnet": (TCP, 23, "admin-telnet-port", True),
    "snmp": (UDP, 161, "", False), "fgfm": (TCP, 541, "", False), "fabric": (TCP, 8013, "", False),
    "radius-acct": (UDP, 1813, "", False), "capwap": (UDP, 5246, "", False), "dnp": (TCP, 20000, "", False),
    "ftm": (TCP, 4433, "", False), "speed-test": (TCP, 5201, "", False), "probe-response": (TCP, 8008, "", False),
    "auto-ipsec": (UDP, 500, "", False), "scim": (TCP, 44559, "", False),
}  # fmt: skip
KNOWN: Final = frozenset({
    "uuid", "ha-mgmt-intf-only", "intf", "srcaddr", "dstaddr", "service", "schedule", "action", "status",
    "comments", "srcaddr-negate", "dstaddr-negate", "service-negate", "virtual-patch", "logtraffic",
})  # fmt: skip


def local_rules(
    domain: Entry, shared: Entry, interfaces: Interfaces, book: Book, families: Family = Family.BOTH
) -> list[Rule]:
    """Return the rules for what is addressed to the firewall, in order."""
    rules: list[Rule] = []
    for path, family in (("firewall local-in-policy", Family.V4), ("firewall local-in-policy6", Family.V6)):
        if families & family:
            rules += [_policy(entry, family, interfaces, book) for entry in domain.table(path).values()]
    trusted = trusted_hosts(shared, book)
    for entry in interfaces.known.values():
        for words, six in ((entry, False), (entry.of("ipv6"), True)):
            setting = words.settings.get("ip6-allowaccess" if six else "allowaccess")
            if setting is None:
                continue
            family = Family.V6 if six else Family.V4
            for word in setting.values:
                found = _access(word, entry.name, family, shared, trusted)
                if found is None:
                    book.note(setting.line, setting.text, f"allowaccess {word[:40]}")
                    found = Match(ingress=InterfaceSet.of(entry.name), unknown=f"allowaccess {word[:40]}")
                rules.append(
                    Rule(
                        matches=(found,), action=Action.ACCEPT, line=setting.line,
                        text=f"edit {entry.name}: allowaccess {word}",
                    )
                )  # fmt: skip
    rules += _tunnels(domain)
    return rules


def _policy(entry: Entry, family: Family, interfaces: Interfaces, book: Book) -> Rule:
    text = f"edit {entry.name}: local-in-policy"
    if entry.value("status") == "disable":
        return Rule(
            matches=(Match(),), action=Action.CONTINUE, line=entry.line, text=text, comment="disabled"
        )
    doubt = book.strange(entry, KNOWN)
    ingress, doubt_in = interfaces.of(entry.settings.get("intf"), book)
    schedule = entry.value("schedule", "always")
    doubt = join(doubt, doubt_in, "" if schedule == "always" else f"schedule {schedule[:60]}")
    doubt = join(doubt, *(key for key in KNOWN if key.endswith("-negate") and entry.value(key) == "enable"))
    services = book.services(entry.values("service")) if entry.values("service") else ALL_SERVICES
    source = book.addresses(entry.values("srcaddr"), family)
    target = book.addresses(entry.values("dstaddr"), family)
    word = entry.value("action", "deny")
    action = {"accept": Action.ACCEPT, "deny": Action.DROP}.get(word, Action.UNKNOWN)
    found = matches([(ingress, ANY_INTERFACE)], source, target, services, doubt)
    return Rule(matches=found, action=action, line=entry.line, text=text, comment=entry.value("comments"))


def _access(word: str, interface: str, family: Family, shared: Entry, trusted: Addresses) -> Match | None:
    on = InterfaceSet.of(interface)
    whole = ANY_ADDRESS.of_family(family)
    if word == "ping":
        kind, number = (128, ICMPV6) if family is Family.V6 else (8, ICMP)
        return Match(
            ingress=on, source=whole, protocol=Intervals.single(number), dport=icmp_types(kind, kind)
        )
    if word not in ACCESS:
        return None
    protocol, port, setting, is_admin = ACCESS[word]
    said = shared.of("system global").value(setting) if setting else ""
    ports = Intervals.single(int(said)) if said.isdecimal() and len(said) < 6 else Intervals.single(port)
    source = trusted.most & whole if is_admin else whole
    unknown = trusted.why if is_admin else ""
    return Match(ingress=on, source=source, protocol=Intervals.single(protocol), dport=ports, unknown=unknown)


def trusted_hosts(shared: Entry, book: Book) -> Addresses:
    """Return from where administrators may come: everywhere, unless every one of them is bound to hosts."""
    found = AddressSet()
    admins = shared.table("system admin")
    if not admins:
        return Addresses(ANY_ADDRESS)
    for admin in admins.values():
        own = AddressSet()
        for key, setting in admin.settings.items():
            if key.startswith(("trusthost", "ip6-trusthost")):
                try:
                    own |= subnet(setting.values)
                except InputError as error:
                    book.note(setting.line, setting.text, str(error))
                    return Addresses(AddressSet(), ANY_ADDRESS, f"line {setting.line}: {error}")
        if not own:
            return Addresses(ANY_ADDRESS)
        found |= own
    return Addresses(found)


def _tunnels(domain: Entry) -> list[Rule]:
    rules = []
    for entry in domain.table("vpn ipsec phase1-interface").values():
        on = InterfaceSet.of(entry.value("interface"))
        rules.append(
            Rule(
                matches=(
                    Match(ingress=on, protocol=Intervals.single(UDP), dport=IKE),
                    Match(ingress=on, protocol=Intervals.single(ESP)),
                ),
                action=Action.ACCEPT, line=entry.line, text=f"edit {entry.name}: phase1-interface",
            )
        )  # fmt: skip
    ssl = domain.of("vpn ssl settings")
    names = ssl.values("source-interface")
    if names and ssl.value("status", "enable") != "disable":
        word = ssl.value("port", "443")
        ports = Intervals.single(int(word)) if word.isdecimal() and len(word) < 6 else ANY_PORT
        match = Match(ingress=InterfaceSet.of(*names), protocol=Intervals.single(TCP, UDP), dport=ports)
        line = ssl.settings["source-interface"].line
        rules.append(Rule(matches=(match,), action=Action.ACCEPT, line=line, text="vpn ssl settings"))
    return rules
