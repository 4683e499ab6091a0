"""A PAN-OS configuration as a policy, from whichever of its three forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import Firewall, Firewalls
from fwguard.dialects.panos.forms import parse
from fwguard.dialects.panos.nat import nat_rules
from fwguard.dialects.panos.network import Network, management_first
from fwguard.dialects.panos.sections import check_sections, other_rules
from fwguard.dialects.panos.security import Security, outside, within_zones
from fwguard.dialects.unread import Notes
from fwguard.model.address import Family
from fwguard.model.policy import Action, Chain, Connected, Hook, InterfaceSet, Match, Policy, Rule, Unread

NAME: Final = "panos"
SECURITY: Final = "security"


@dataclass(slots=True)
class Reading:
    """A policy, and the parts that a writer asks for."""

    policy: Policy
    network: Network
    found: Firewalls
    security: list[Security] = field(default_factory=list)


def read_policy(text: str) -> Policy:
    """Return the whole policy of a text. Raises UnreadableError."""
    root, unread = parse(text)
    return read_tree(root, unread, text).policy


def read_tree(root: Node, unread: list[Unread], text: str) -> Reading:
    """Return what a tree means."""
    notes = Notes(text)
    for one in unread:
        notes.add(one.line, one.text, one.why)
    check_sections(root, notes)
    found = Firewalls(root, notes)
    network = Network(root, found.found, notes)
    doubts = [
        Rule(matches=(Match(unknown=f"{one.text}: {one.why}"[:200]),), action=Action.UNKNOWN, line=one.line)
        for one in unread[:50]
    ]
    security = [Security(firewall, notes) for firewall in found.found]
    chains: dict[str, Chain] = {}
    keys = []
    for judged in security:
        before = [*doubts, *(rule for base in judged.firewall.bases for rule in other_rules(base, notes))]
        key = SECURITY if len(security) == 1 else f"{SECURITY} {judged.firewall.name}"
        chains[key] = _chain(key, judged, before)
        keys.append(key)
    if found.choices and len(keys) > 1:
        keys = [_choice(chains, keys)]
    elif not found.found[0].alone:
        keys.append(_all_zones(chains, found.found))
    chains["services"] = Chain(
        name="services", families=Family.BOTH, rules=tuple(network.services()), default=Action.DROP
    )
    incoming = ["services"]
    if chains["services"].rules:
        incoming.append(_to_itself(chains, security, network, alone=len(security) == 1))
    policy = Policy(
        dialect=NAME, families=Family.BOTH, chains=chains,
        hooks={Hook.FORWARD: tuple(keys), Hook.INPUT: tuple(incoming)},
        nat=tuple(rule for firewall in found.found for rule in nat_rules(firewall, notes)),
        routes=tuple(network.routes()), unread=notes.sorted(),
        networks=tuple(Connected(prefix, zone) for prefix, zone in network.connected()),
    )  # fmt: skip
    return Reading(policy, network, found, security)


def _chain(key: str, security: Security, before: list[Rule]) -> Chain:
    inner, inner_line, default, default_line = security.defaults()
    rules = [*before, *(entry.rule for entry in security.entries)]
    if not security.firewall.alone:
        rules.insert(0, outside(security.firewall))
    # A rule that decides everything leaves nothing to a default that no line says.
    decided = any(
        Match() in rule.matches and rule.action in (Action.ACCEPT, Action.DROP, Action.REJECT)
        for rule in rules
    )
    if security.firewall.names() and (inner_line or not decided):
        rules.append(within_zones(security.firewall, inner, inner_line))
    return Chain(
        name=key, families=Family.BOTH, rules=tuple(rules), default=default, default_line=default_line
    )


def _choice(chains: dict[str, Chain], keys: list[str]) -> str:
    """Several device groups are several firewalls: nobody said which one is asked about.

    What all of them do is certain; where they differ it is unknown.
    """
    rules = []
    for place, key in enumerate(keys):
        last = place == len(keys) - 1
        unknown = "" if last else f"whether the firewall is of {key.removeprefix(SECURITY).strip()}"
        rules.append(Rule(matches=(Match(unknown=unknown),), action=Action.GOTO, jump=key, line=0, text=key))
        default = chains[key].default
        chains[key] = Chain(
            name=key, families=Family.BOTH, default=Action.RETURN,
            rules=(*chains[key].rules, Rule(matches=(Match(),), action=default, line=chains[key].default_line)),
        )  # fmt: skip
    chains[SECURITY] = Chain(name=SECURITY, families=Family.BOTH, rules=tuple(rules), default=Action.DROP)
    return SECURITY


def _all_zones(chains: dict[str, Chain], firewalls: list[Firewall]) -> str:
    """What comes in or goes out by no zone of any virtual system does not pass."""
    names = [
        name for one in firewalls for name in (*one.names(), *(n for ns in one.beyond.values() for n in ns))
    ]
    zones = InterfaceSet.of(*names)
    rule = Rule(matches=(Match(ingress=zones, egress=zones),), action=Action.ACCEPT, line=0, text="the zones")
    chains["zones"] = Chain(name="zones", families=Family.BOTH, rules=(rule,), default=Action.DROP)
    return "zones"


def _to_itself(chains: dict[str, Chain], security: list[Security], network: Network, *, alone: bool) -> str:
    key = "to the firewall"
    rules = [management_first()]
    if alone:
        source = chains[SECURITY]
        rules += network.to_itself(list(source.rules), security[0].firewall)
        chains[key] = Chain(name=key, families=Family.BOTH, rules=tuple(rules), default=source.default)
        return key
    why = "the security rules of the interface's virtual system"
    rules.append(Rule(matches=(Match(unknown=why),), action=Action.UNKNOWN, line=0, text=why))
    chains[key] = Chain(name=key, families=Family.BOTH, rules=tuple(rules), default=Action.DROP)
    return key
