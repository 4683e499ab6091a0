"""A Junos SRX configuration as a policy, from whichever of its three forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.braces import read_braces
from fwguard.dialects.config_tree import Node, without_inactive
from fwguard.dialects.junos.addresses import AddressBooks
from fwguard.dialects.junos.applications import Applications
from fwguard.dialects.junos.filters import Filters
from fwguard.dialects.junos.groups import inherit
from fwguard.dialects.junos.host_inbound import host_chain, self_chain
from fwguard.dialects.junos.nat import Nat
from fwguard.dialects.junos.one_line import take_apart
from fwguard.dialects.junos.policies import HOST, Policies
from fwguard.dialects.junos.routes import read_routes
from fwguard.dialects.junos.sections import READ_TOP, SILENT_TOP, check_sections, dropped_families
from fwguard.dialects.junos.xml_form import EXPECTED, read_xml
from fwguard.dialects.junos.zones import Zones, read_zones
from fwguard.dialects.set_lines import LISTING, read_set_lines
from fwguard.dialects.unread import Notes
from fwguard.errors import UnreadableError
from fwguard.model.address import ANY_V6, Family
from fwguard.model.policy import Action, Chain, Connected, Hook, Match, NatKind, Policy, Rule, Unread

NAME: Final = "junos"
POLICIES: Final = "policies"
TOPS: Final = READ_TOP | SILENT_TOP | {"groups", "apply-groups", "logical-systems", "tenants"}
REWRITES: Final = (NatKind.DNAT, NatKind.STATIC, NatKind.UNKNOWN)


def form_of(text: str) -> str:
    """Return which form a text has: "xml", "set" or "braces"."""
    if text.lstrip()[:1] == "<":
        return "xml"
    return "set" if LISTING.search(text[: 64 << 10]) and not _braced(text) else "braces"


def _braced(text: str) -> bool:
    head = text[: 64 << 10]
    return head.count("{") > 2 * len(LISTING.findall(head))


def parse(text: str) -> tuple[Node, list[Unread]]:
    """Return the tree as it is written: with groups, and with what is inactive. Raises UnreadableError."""
    form = form_of(text)
    unread: list[Unread] = []
    if form == "xml":
        root = read_xml(text)
    elif form == "set":
        root, unread = read_set_lines(text, EXPECTED)
    else:
        root = read_braces(text, EXPECTED)
    if root.children and not any(word in TOPS for word in root.children):
        first = next(iter(root.children.values()))
        raise UnreadableError(f"{first.word[:60]!r}", line=first.line, expected=EXPECTED)
    if not root.children:
        raise UnreadableError("no statement", line=1, expected=EXPECTED)
    take_apart(root)
    return root, unread


@dataclass(slots=True)
class Reading:
    """A policy, and the parts that a writer asks for."""

    policy: Policy
    zones: Zones
    policies: Policies


def read_policy(text: str) -> Policy:
    """Return the whole policy of a text. Raises UnreadableError."""
    root, unread = parse(text)
    return read_tree(root, unread, text).policy


def read_tree(root: Node, unread: list[Unread], text: str) -> Reading:
    """Return what a tree means; the tree is resolved (groups, inactive statements) on the way."""
    notes = Notes(text)
    doubts = [f"{one.text}: {one.why}" for one in unread]
    without_inactive(root)
    for one in [*unread, *inherit(root)]:
        notes.add(one.line, one.text, one.why)
        if one.why.startswith("group "):
            doubts.append(one.why)
    without_inactive(root)
    doubt = check_sections(root, notes)
    zones = read_zones(root)
    books = AddressBooks(root.at("security") or Node("security"), notes)
    applications = Applications(root, notes)
    policies = Policies(root, books, applications, notes)
    nat = Nat(root, zones, books, applications, notes).rules()
    filters = Filters(root, zones, notes, tuple(rule for rule in nat if rule.kind in REWRITES))
    default, line = policies.default
    rules = [entry.rule for entry in policies.entries if HOST not in (entry.from_zone, entry.to_zone)]
    head = list(_before(root, notes, [doubt, *doubts]))
    chains: dict[str, Chain] = dict(filters.chains)
    chains[POLICIES] = Chain(
        name=POLICIES, families=Family.BOTH, rules=(*head, *rules), default=default, default_line=line
    )
    chains["host-inbound-traffic"] = host_chain(root, zones, notes)
    hooks = {hook: [*filters.hooks[hook]] for hook in Hook}
    outgoing = [key for key in hooks[Hook.FORWARD] if key.startswith("out ")]
    hooks[Hook.FORWARD] = [key for key in hooks[Hook.FORWARD] if key not in outgoing] + [POLICIES, *outgoing]
    hooks[Hook.INPUT].append("host-inbound-traffic")
    for hook, to_host in ((Hook.INPUT, True), (Hook.OUTPUT, False)):
        chain = self_chain(policies, to_host=to_host)
        if chain is not None:
            chains[chain.name] = chain
            hooks[hook].append(chain.name)
    policy = Policy(
        dialect=NAME,
        families=Family.BOTH,
        chains=chains,
        hooks={hook: tuple(keys) for hook, keys in hooks.items() if keys},
        nat=nat,
        routes=read_routes(root, zones, notes),
        networks=tuple(
            Connected(prefix, zones.name(interface))
            for interface, prefix in zones.connected
            if zones.name(interface) in zones.members
        ),
        unread=notes.sorted(),
    )
    return Reading(policy, zones, policies)


def _before(root: Node, notes: Notes, doubts: list[str]) -> list[Rule]:
    """Return the rules that say what stands above all policies: IPv6 switched off, and what is in doubt."""
    rules = []
    dropped, why = dropped_families(root, notes)
    v6 = Match(source=ANY_V6, target=ANY_V6)
    if dropped:
        rules.append(
            Rule(matches=(v6,), action=Action.DROP, line=dropped, text="forwarding-options family inet6 drop")
        )
    if why:
        rules.append(
            Rule(
                matches=(Match(source=ANY_V6, target=ANY_V6, unknown=why),),
                action=Action.UNKNOWN,
                line=0,
                text=why,
            )
        )
    for doubt in dict.fromkeys(doubt[:200] for doubt in doubts if doubt):
        rules.append(Rule(matches=(Match(unknown=doubt),), action=Action.UNKNOWN, line=0, text=doubt))
    return rules[:50]
