"""A firewall's state as tables that a person reads: filter rules chain by chain, translations, routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_STATE, Action, Chain, Hook, InterfaceSet, Match, NatRule, Policy
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, show_ports, show_protocol
from fwguard.web.texts import gettext, ngettext
from fwguard.web.wording import name_of

NameOf = Callable[[str], str | None]
MOST_ADDRESSES: Final = 4
MOST_RULES: Final = 500  # of a chain on a page; the native text below it has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One match of a rule in words: who, to whom, what, and under which conditions."""

    source: str
    target: str
    service: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule."""

    line: int
    action: Action
    jump: str
    passes: tuple[Pass, ...]
    text: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTable:
    """One list of rules; `hooks` says what passes it first, empty for one that others lead to."""

    name: str
    hooks: tuple[Hook, ...]
    family: str
    default: Action
    rules: tuple[RuleLine, ...]
    omitted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NatLine:
    """One address translation."""

    line: int
    kind: str
    passes: tuple[Pass, ...]
    to: str
    text: str


def chain_tables(policy: Policy, name_of_server: NameOf) -> list[ChainTable]:
    """Return base chains in the order that packets meet them, each before the chains that it leads to.

    Chains of translations are left out: `nat_lines` has what they do.
    """
    hooks: dict[str, list[Hook]] = {}
    for hook in (Hook.FORWARD, Hook.INPUT, Hook.OUTPUT):
        for key in policy.hooks.get(hook, ()):
            hooks.setdefault(key, []).append(hook)
    keys: dict[str, None] = {}
    waiting = list(reversed(hooks))
    while waiting:
        key = waiting.pop()
        if key not in keys:
            keys[key] = None
            waiting += [rule.jump for rule in reversed(policy.chains[key].rules) if rule.jump]
    return [_chain(policy.chains[key], key, tuple(hooks.get(key, ())), name_of_server) for key in keys]


def nat_lines(policy: Policy, name_of_server: NameOf) -> list[NatLine]:
    """Return the redirections and other address translations in their order."""
    return [
        NatLine(
            line=rule.line,
            kind=name_of(rule.kind),
            passes=_passes(rule.matches, name_of_server),
            to=_new_address(rule, name_of_server),
            text=rule.text,
        )
        for rule in policy.nat
    ]


def _chain(chain: Chain, key: str, hooks: tuple[Hook, ...], name_of_server: NameOf) -> ChainTable:
    family = {Family.V4: "IPv4", Family.V6: "IPv6", Family.BOTH: "IPv4, IPv6"}.get(chain.families, "")
    return ChainTable(
        name=key,
        hooks=hooks,
        family=family,
        default=chain.default,
        rules=tuple(
            RuleLine(
                line=rule.line, action=rule.action, jump=rule.jump,
                passes=_passes(rule.matches, name_of_server), text=rule.text, comment=rule.comment,
            )
            for rule in chain.rules[:MOST_RULES]
        ),
        omitted=max(len(chain.rules) - MOST_RULES, 0),
    )  # fmt: skip


def _passes(matches: Iterable[Match], name_of_server: NameOf) -> tuple[Pass, ...]:
    return tuple(
        dict.fromkeys(
            Pass(
                source=addresses_words(match.source, name_of_server),
                target=addresses_words(match.target, name_of_server),
                service=service_words(match.protocol, match.dport),
                conditions=tuple(_conditions(match)),
            )
            for match in matches
        )
    )


def addresses_words(addresses: AddressSet, name_of_server: NameOf) -> str:
    """Return addresses in few words, servers by name."""
    whole = {ANY_ADDRESS: gettext("anyone"), ANY_V4: gettext("any IPv4"), ANY_V6: gettext("any IPv6")}
    if addresses in whole:
        return whole[addresses]
    texts, others = addresses.texts(), (ANY_ADDRESS - addresses).texts()
    if len(others) < len(texts):
        return gettext("all but %(names)s", names=_listed(others, name_of_server))
    return _listed(texts, name_of_server) or gettext("nobody")


def _listed(texts: Sequence[str], name_of_server: NameOf) -> str:
    words = [
        f"{name} ({text})" if (name := name_of_server(text)) else text for text in texts[:MOST_ADDRESSES]
    ]
    if len(texts) > MOST_ADDRESSES:
        words.append(ngettext("and %(num)d more", "and %(num)d more", len(texts) - MOST_ADDRESSES))
    return ", ".join(words)


def service_words(protocol: Intervals, dport: Intervals) -> str:
    """Return protocol and ports as people write them: "tcp/443", "icmp", "any"."""
    if protocol == ANY_PROTOCOL:
        return gettext("every service") if dport == ANY_PORT else f"*/{show_ports(dport)}"
    names = ",".join(
        show_protocol(low) if low == high else f"{show_protocol(low)}-{show_protocol(high)}"
        for low, high in protocol
    )
    if dport == ANY_PORT:
        return names
    if protocol <= Intervals.single(ICMP, ICMPV6):
        return f"{names} {_icmp_types(dport)}"
    return f"{names}/{show_ports(dport)}"


def _icmp_types(dport: Intervals) -> str:
    """Return ICMP types from the dimension of destination ports (type * 256 + code)."""
    return ",".join(
        str(low >> 8) if low >> 8 == high >> 8 else f"{low >> 8}-{high >> 8}" for low, high in dport
    )


def _conditions(match: Match) -> Iterable[str]:
    if not match.ingress.is_any:
        yield gettext("in by %(names)s", names=_interfaces(match.ingress))
    if not match.egress.is_any:
        yield gettext("out by %(names)s", names=_interfaces(match.egress))
    if match.sport != ANY_PORT:
        yield gettext("from source port %(ports)s", ports=show_ports(match.sport))
    if match.states != ANY_STATE:
        yield gettext(
            "connection %(states)s", states=", ".join(sorted(state.value for state in match.states))
        )
    if match.unknown:
        yield gettext("and a condition that was not understood: %(text)s", text=match.unknown)


def _interfaces(names: InterfaceSet) -> str:
    listed = ", ".join(sorted(names.names))
    if names.but:
        listed = gettext("%(names)s but %(but)s", names=listed, but=", ".join(sorted(names.but)))
    return gettext("all but %(names)s", names=listed) if names.negated else listed


def _new_address(rule: NatRule, name_of_server: NameOf) -> str:
    address = addresses_words(rule.to, name_of_server) if rule.to else ""
    port = gettext("port %(ports)s", ports=show_ports(rule.to_ports)) if rule.to_ports else ""
    return " ".join(part for part in (address, port) if part)
