"""A config.xml as one policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fwguard.dialects.pf.alias import Aliases
from fwguard.dialects.pf.builtin import Builtin, builtin_rules
from fwguard.dialects.pf.chains import HOOKS, TO_ITSELF, chains, to_itself
from fwguard.dialects.pf.conditions import Reader
from fwguard.dialects.pf.interfaces import Interfaces
from fwguard.dialects.pf.nat import NatReader
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.routes import read_routes
from fwguard.dialects.pf.rules import PfRule, read_rules
from fwguard.dialects.pf.sections import check_sections
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.policy import (
    EVERYWHERE,
    Action,
    Chain,
    Connected,
    Hook,
    InterfaceSet,
    Match,
    Policy,
    Route,
    Rule,
)


@dataclass(slots=True)
class Configuration:
    """A file as read: the policy, and what the writer needs to know of the device."""

    policy: Policy
    rules: list[PfRule]
    interfaces: Interfaces
    aliases: Aliases


def read_root(root: Node, product: str) -> Configuration:
    """Read a whole file."""
    notes = Notes(product)
    interfaces = Interfaces(root)
    aliases = Aliases(root, interfaces, notes)
    reader = Reader(aliases, notes)
    nat = NatReader(root, reader)
    nat.read()
    rules = read_rules(root, reader)
    routes = read_routes(root, aliases, notes)
    builtin = list(builtin_rules(root, interfaces, notes))
    late = list(_between_routes(root, routes, interfaces))
    read = chains(builtin, rules, nat.passed, nat.outbound.rules, late)
    read[TO_ITSELF] = to_itself(interfaces)
    hooks: dict[Hook, tuple[str, ...]] = dict(HOOKS)
    for node, why in check_sections(root, notes, nat):
        key = f"unread {node.tag} {node.line}"
        rule = Rule(
            matches=(Match(unknown=notes.add(node, why)),),
            action=Action.UNKNOWN,
            line=node.line,
            text=node.words(),
        )
        read[key] = Chain(name=key, families=Family.BOTH, rules=(rule,), default=Action.ACCEPT)
        hooks = {hook: (key, *keys) for hook, keys in hooks.items()}
    disabled = root.child("system", "disablefilter")
    if disabled is not None and disabled.text != "0":
        # pf is off: no filter, no NAT; what is configured stays to be seen.
        hooks = dict.fromkeys(Hook, ())
    outside = interfaces.outside()
    policy = Policy(
        dialect=product, chains=read, hooks=hooks, nat=nat.rules if hooks[Hook.FORWARD] else (), routes=routes,
        unread=notes.sorted(),
        networks=tuple(
            Connected(prefix, name)
            for name, one in interfaces.by_name.items() if one.is_enabled
            for prefix in (*one.networks.texts(), *(EVERYWHERE if name in outside else ()))
        ),
    )  # fmt: skip
    return Configuration(policy, rules, interfaces, aliases)


def _between_routes(root: Node, routes: tuple[Route, ...], interfaces: Interfaces) -> Iterator[Builtin]:
    """Traffic between a static route and the network of its interface may pass by the rules."""
    node = root.child("filter", "bypassstaticroutes")
    if node is None or node.text == "0":
        return
    for route in routes:
        if route.interface not in interfaces.by_name or route.prefix in ("0.0.0.0/0", "::/0"):
            continue
        own = interfaces.network(route.interface)
        try:
            there = AddressSet.parse(route.prefix)
        except InputError:
            continue
        for source, target in ((own.maybe, there), (there, own.maybe)):
            match = Match(
                ingress=InterfaceSet.of(route.interface), source=source, target=target, unknown=own.why
            )
            text = f"pass traffic between statically routed subnets: {route.prefix}"
            rule = Rule(matches=(match,), action=Action.ACCEPT, line=node.line, text=text)
            yield Builtin(rule, outward=True)
