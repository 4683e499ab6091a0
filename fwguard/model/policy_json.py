"""A policy as JSON-able values: what `fwguard read --json` prints, and what golden tests compare."""

from __future__ import annotations

from typing import Any

from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_STATE, Chain, Match, NatRule, Policy, Route, Rule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, show_ports, show_protocol

Json = dict[str, Any]


def policy_to_json(policy: Policy) -> Json:
    """Return the whole policy; fields that say "any" or nothing are left out."""
    return {
        "dialect": policy.dialect,
        "families": _families(policy.families),
        "hooks": {hook.value: list(keys) for hook, keys in policy.hooks.items()},
        "chains": {key: _chain(chain) for key, chain in policy.chains.items()},
        "nat": [nat_to_json(rule) for rule in policy.nat],
        "routes": [route_to_json(route) for route in policy.routes],
        "unread": [_filled(line=one.line, text=one.text, why=one.why) for one in policy.unread],
    }  # fmt: skip


def _families(families: Family) -> str:
    return {Family.V4: "v4", Family.V6: "v6", Family.BOTH: "both"}.get(families, "none")


def _filled(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value not in ("", 0, None, [], {})}


def _chain(chain: Chain) -> Json:
    return {
        "families": _families(chain.families),
        "default": chain.default.value,
        **_filled(default_line=chain.default_line),
        "rules": [_rule(rule) for rule in chain.rules],
    }


def _rule(rule: Rule) -> Json:
    return {
        "line": rule.line,
        "action": rule.action.value,
        **_filled(jump=rule.jump, text=rule.text, comment=rule.comment),
        "matches": [_match(match) for match in rule.matches],
    }


def route_to_json(route: Route) -> Json:
    """Return one route."""
    return _filled(
        prefix=route.prefix,
        via=route.via,
        interface=route.interface,
        table=route.table,
        metric=route.metric,
        kind=route.kind,
        line=route.line,
    )


def nat_to_json(rule: NatRule) -> Json:
    """Return one address translation."""
    return {
        "line": rule.line,
        "kind": rule.kind.value,
        **_filled(
            to=list(rule.to.texts()),
            to_ports=show_ports(rule.to_ports) if rule.to_ports else "",
            text=rule.text,
            comment=rule.comment,
        ),
        "matches": [_match(match) for match in rule.matches],
    }


def _match(match: Match) -> Json:
    return _filled(
        **{
            "in": "" if match.ingress.is_any else str(match.ingress) or "none",
            "out": "" if match.egress.is_any else str(match.egress) or "none",
            "src": _addresses(match.source),
            "dst": _addresses(match.target),
            "proto": _protocols(match.protocol),
            "sport": "" if match.sport == ANY_PORT else show_ports(match.sport),
            "dport": "" if match.dport == ANY_PORT else show_ports(match.dport),
            "states": [] if match.states == ANY_STATE else sorted(state.value for state in match.states),
            "unknown": match.unknown,
        }
    )


def _addresses(addresses: AddressSet) -> list[str]:
    return [] if addresses == ANY_ADDRESS else list(addresses.texts()) or ["none"]


def _protocols(protocols: Intervals) -> str:
    if protocols == ANY_PROTOCOL:
        return ""
    return ",".join(
        show_protocol(low) if low == high else f"{show_protocol(low)}-{show_protocol(high)}"
        for low, high in protocols
    )
