"""Rulesets of the usual shape and any size, made from a seed: what the benchmark of the analysis runs on.

A hosting firewall: a few interfaces, a chain for each, servers with a handful of services each, sources
that repeat (offices, monitoring, partners, anyone), now and then a range, a duplicate, a shadowed rule.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fwguard.model.address import ANY_ADDRESS, ANY_V4, AddressSet, Family, show_address
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Packet
from fwguard.model.policy import ANY_STATE, Action, Chain, CtState, Hook, InterfaceSet, Match, Policy, Rule
from fwguard.model.ports import ANY_PROTOCOL, show_protocol

_FIRST_SERVER: Final = 0x0A000001  # 10.0.0.1
_SERVICES: Final = (22, 25, 53, 80, 123, 143, 389, 443, 587, 993, 3306, 5432, 8080, 8443)
_ESTABLISHED: Final = frozenset({CtState.ESTABLISHED, CtState.RELATED})
_NEW: Final = frozenset({CtState.NEW})
_RULES_A_SERVER: Final = 5
_SERVERS_AN_INTERFACE: Final = 120


def generated_policy(rules: int, *, seed: int = 1) -> Policy:
    """Return a policy of about `rules` rules; the same for the same seed."""
    rng = random.Random(seed)
    sources = [AddressSet(v4=_prefix(rng, length)) for length in (16, 20, 24, 24, 28, 32, 32, 32) * 3]
    interfaces = max(1, round(rules / (_RULES_A_SERVER * _SERVERS_AN_INTERFACE)))
    chains: dict[str, Chain] = {}
    line = 1
    forward = [
        Rule(matches=(Match(states=_ESTABLISHED),), action=Action.ACCEPT, line=line, text="established")
    ]
    for number in range(interfaces):
        key = f"to-{number}"
        own = []
        for server in range(_SERVERS_AN_INTERFACE):
            address = _FIRST_SERVER + number * 256 + server
            for _ in range(_RULES_A_SERVER):
                line += 1
                own.append(_service_rule(rng, address, sources, line))
        line += 1
        own.append(Rule(matches=(Match(),), action=Action.DROP, line=line, text="drop"))
        chains[key] = Chain(name=key, families=Family.V4, rules=tuple(own))
        line += 1
        net = _FIRST_SERVER - 1 + number * 256
        match = Match(
            egress=InterfaceSet.of(f"vlan{number}"), target=AddressSet(v4=Intervals(((net, net + 255),)))
        )
        forward.append(Rule(matches=(match,), action=Action.JUMP, jump=key, line=line, text=f"jump {key}"))
    chains["forward"] = Chain(
        name="forward", families=Family.V4, rules=tuple(forward), default=Action.DROP, default_line=line + 1
    )
    return Policy(dialect="generated", families=Family.V4, chains=chains, hooks={Hook.FORWARD: ("forward",)})


def _prefix(rng: random.Random, length: int) -> Intervals:
    size = 1 << 32 - length
    low = rng.randrange(0x2E000000, 0xDF000000) // size * size
    return Intervals(((low, low + size - 1),))


def _service_rule(rng: random.Random, address: int, sources: Sequence[AddressSet], line: int) -> Rule:
    source = ANY_V4 if rng.random() < 0.3 else rng.choice(sources)
    port = rng.choice(_SERVICES)
    ports = (
        Intervals.single(port) if rng.random() < 0.9 else Intervals(((port, port + rng.randrange(1, 20)),))
    )
    target = AddressSet(v4=Intervals(((address, address),)))
    protocol = Intervals.single(6 if rng.random() < 0.85 else 17)
    match = Match(source=source, target=target, protocol=protocol, dport=ports, states=_NEW)
    text = f"{source} to {show_address(4, address)} {port}"
    return Rule(matches=(match,), action=Action.ACCEPT, line=line, text=text)


def a_year_later(policy: Policy, *, seed: int = 2, share: float = 0.1) -> Policy:
    """Return the policy with about this share of its service rules taken out, changed or moved."""
    rng = random.Random(seed)
    chains = dict(policy.chains)
    for key, chain in policy.chains.items():
        if key == "forward":
            continue
        rules = list(chain.rules[:-1])
        for _ in range(max(1, int(len(rules) * share))):
            place = rng.randrange(len(rules))
            kind = rng.random()
            if kind < 0.4:
                del rules[place]
            elif kind < 0.8:
                match = replace(rules[place].matches[0], dport=Intervals.single(rng.choice(_SERVICES)))
                rules[place] = replace(rules[place], matches=(match,))
            else:
                rules.insert(rng.randrange(len(rules)), rules.pop(place))
        chains[key] = replace(chain, rules=(*rules, chain.rules[-1]))
    return replace(policy, chains=chains)


def generated_packets(policy: Policy, count: int, *, seed: int = 3) -> list[Packet]:
    """Return packets around the rules of a policy: half of them at some rule, half anywhere."""
    rng = random.Random(seed)
    matches = [match for chain in policy.chains.values() for rule in chain.rules for match in rule.matches]
    packets = []
    for _ in range(count):
        match = rng.choice(matches)
        near = rng.random() < 0.5
        source = match.source.v4.pairs[0][0] if near else rng.getrandbits(32)
        target = (match.target.v4.pairs or ((rng.getrandbits(32), 0),))[0][0]
        packets.append(
            Packet(
                source=show_address(4, source),
                target=show_address(4, target),
                protocol=6,
                sport=40000,
                dport=match.dport.first if near else rng.choice(_SERVICES),
                egress=f"vlan{rng.randrange(8)}",
            )
        )
    return packets


def iptables_text(policy: Policy) -> str:
    """Write a generated policy as `iptables-save` prints it."""
    lines = ["*filter", ":FORWARD DROP [0:0]"]
    lines += [f":{key} - [0:0]" for key in policy.chains if key != "forward"]
    for key, chain in policy.chains.items():
        name = "FORWARD" if key == "forward" else key
        lines += [f"-A {name}{_conditions(rule.matches[0])} -j {_jump(rule)}" for rule in chain.rules]
    return "\n".join([*lines, "COMMIT", ""])


def _jump(rule: Rule) -> str:
    return rule.jump or rule.action.value.upper()


def _conditions(match: Match) -> str:
    text = "" if match.source == ANY_V4 or match.source == ANY_ADDRESS else f" -s {match.source}"
    text += "" if match.target == ANY_ADDRESS else f" -d {match.target}"
    text += f" -o {match.egress}" if not match.egress.is_any else ""
    if match.protocol != ANY_PROTOCOL:
        name = show_protocol(match.protocol.first)
        low, high = match.dport.pairs[0]
        text += f" -p {name} -m {name} --dport {low}" + (f":{high}" if high > low else "")
    if match.states != ANY_STATE:
        states = ",".join(sorted(state.value.upper() for state in match.states))
        text += f" -m conntrack --ctstate {states}"
    return text
