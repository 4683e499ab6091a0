"""What a client changes, one command a change: rules, redirections, routes, sets, defaults, everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fwguard.lab import netconf_startup as texts
from fwguard.lab.netconf_local import BASE
from fwguard.lab.plan import FirewallPlan, Kind

Order = dict[str, Any]
_YANG: Final = "urn:ietf:params:xml:ns:yang:"
_ACL: Final = f'<acls xmlns="{_YANG}ietf-access-control-list"><acl><name>{texts.FROM_WAN}</name><aces>'
_ACL_END: Final = "</aces></acl></acls>"


def order(firewall: FirewallPlan, number: int) -> tuple[str, Order]:
    """Return the name and the order of a firewall's change with that number; no two are the same text."""
    ways = _WAYS[firewall.kind]
    name = list(ways)[number % len(ways)]
    return name, ways[name](firewall, 1 + number % 250)


def ways_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of a kind's changes, in the order in which they come."""
    return tuple(_WAYS[kind])


def _shell(text: Callable[[FirewallPlan, int], str]) -> Callable[[FirewallPlan, int], Order]:
    return lambda firewall, number: {"argv": text(firewall, number).split()}


def _netconf(text: Callable[[FirewallPlan, int], str]) -> Callable[[FirewallPlan, int], Order]:
    return lambda firewall, number: {"netconf": text(firewall, number)}


def _web(firewall: FirewallPlan) -> str:
    return firewall.servers[0].address4


_ROUTE: Final = _shell(lambda f, n: f"ip route add 198.18.{n}.0/24 via {f.link4[0]} dev wan0 proto static")

_WAYS: Final[Mapping[Kind, Mapping[str, Callable[[FirewallPlan, int], Order]]]] = {
    "nftables": {
        "rule": _shell(
            lambda f, n: f"nft add rule inet filter services ip daddr {_web(f)} tcp dport {8000 + n} accept"
        ),
        "redirection": _shell(
            lambda f, n: (
                f"nft add rule ip nat prerouting ip daddr {f.public4[0]} tcp dport {8000 + n} dnat to {_web(f)}"
            )
        ),
        "route": _ROUTE,
        "set": _shell(lambda f, n: f"nft add element inet filter partners4 {{ 203.0.{n}.0/24 }}"),
        "first": _shell(lambda f, n: f"nft insert rule inet filter forward ip saddr 203.0.{n}.1 accept"),
        "flush": _shell(lambda f, n: "nft flush ruleset"),
    },
    "iptables": {
        "rule": _shell(
            lambda f, n: f"iptables -A SERVICES -d {_web(f)} -p tcp -m tcp --dport {8000 + n} -j ACCEPT"
        ),
        "redirection": _shell(
            lambda f, n: (
                f"iptables -t nat -A PREROUTING -d {f.public4[0]} -p tcp -m tcp --dport {8000 + n}"
                f" -j DNAT --to-destination {_web(f)}"
            )
        ),
        "route": _ROUTE,
        "default": _shell(lambda f, n: "iptables -P FORWARD ACCEPT"),
        "first": _shell(lambda f, n: f"ip6tables -I FORWARD -s 2001:db8:{n:x}::/48 -j ACCEPT"),
        "flush": _shell(lambda f, n: "iptables -F SERVICES"),
    },
    "netconf": {
        "rule": _netconf(
            lambda f, n: (
                _ACL
                + texts.ace(f"mine{n}", "accept", texts.ip(4, target=f"{_web(f)}/32") + texts.tcp(8000 + n))
                + _ACL_END
            )
        ),
        "redirection": _netconf(
            lambda f, n: (
                f'<nat xmlns="{_YANG}ietf-nat"><instances><instance><id>{n + 1}</id><name>mine{n}</name>'
                f"<mapping-table>{texts.mapping(1, f.public4[0], 8000 + n, _web(f), 8080)}</mapping-table>"
                "</instance></instances></nat>"
            )
        ),
        "default": _netconf(lambda f, n: _ACL + texts.ace("else", "accept", "") + _ACL_END),
        "less": _netconf(
            lambda f, n: _ACL + f'<ace xmlns:nc="{BASE}" nc:operation="delete"><name>web4</name></ace>' + _ACL_END
        ),
        "flush": _netconf(
            lambda f, n: (
                f'<acls xmlns="{_YANG}ietf-access-control-list" xmlns:nc="{BASE}" nc:operation="delete"/>'
            )
        ),
    },
}  # fmt: skip
