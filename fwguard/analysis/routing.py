"""Which interface or zone addresses lie behind: the longest prefix of the interfaces' own and of static routes."""

from __future__ import annotations

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.policy import ANY_INTERFACE, CtState, InterfaceSet, NatKind, Policy

_EVERYWHERE = ("0.0.0.0/0", "::/0", "default")


def behind(policy: Policy, addresses: AddressSet) -> list[tuple[InterfaceSet, AddressSet]]:
    """Take addresses apart by the interface that the firewall sends them to.

    What no known prefix holds comes last, with every interface: a default route says nothing of a server
    whose own network the text may not tell. Nothing is known where the text says no interface's address.
    """
    table = _table(policy) if policy.networks else []
    found: dict[InterfaceSet, AddressSet] = {}
    left = addresses
    for prefix, names in table:
        hit = left & prefix
        if hit:
            way = InterfaceSet(names, negated=False)
            found[way] = found.get(way, AddressSet()) | hit
            left = left - prefix
            if not left:
                break
    parts = list(found.items())
    return [*parts, (ANY_INTERFACE, left)] if left else parts


def leaving(policy: Policy, addresses: AddressSet) -> list[tuple[InterfaceSet, AddressSet]]:
    """The same for targets as a filter sees them that judges addresses as they came, but leaves by where
    destination NAT leads.

    Such a filter is told by its NAT rules, which translate connections that it let in already.
    """
    found: list[tuple[InterfaceSet, AddressSet]] = []
    left = addresses
    for rule in policy.nat if policy.networks else ():
        if rule.kind is not NatKind.DNAT or not rule.to:
            continue
        for match in rule.matches:
            if (
                CtState.NEW not in match.states
                and match.target != ANY_ADDRESS
                and (hit := left & match.target)
            ):
                found += [(way, hit) for way, _ in behind(policy, rule.to.of_family(hit.families))]
                left = left - hit
    return [*found, *(behind(policy, left) if left else [])]


def _table(policy: Policy) -> list[tuple[AddressSet, frozenset[str]]]:
    """Return prefixes with the names that they lie behind, the longest first; the same prefix once."""
    near = [
        (prefix, one.interface)
        for one in policy.networks
        if one.prefix not in _EVERYWHERE and (prefix := _prefix(one.prefix))
    ]
    rows = list(near)
    for route in policy.routes:
        prefix = _prefix(route.prefix)
        if prefix is None or route.prefix in _EVERYWHERE or route.kind != "unicast":
            continue
        if route.interface:
            rows.append((prefix, route.interface))
        elif hop := _prefix(route.via):
            holding = [(_size(network), name) for network, name in near if hop <= network]
            nearest = min((size for size, _ in holding), default=None)
            rows += [(prefix, name) for size, name in holding if size == nearest]
    names: dict[AddressSet, set[str]] = {}
    for prefix, name in rows:
        if name:
            names.setdefault(prefix, set()).add(name)
    return sorted(
        ((prefix, frozenset(some)) for prefix, some in names.items()),
        key=lambda row: _size(row[0]),
    )


def _size(prefix: AddressSet) -> tuple[int, int]:
    return prefix.v4.size, prefix.v6.size


def _prefix(text: str) -> AddressSet | None:
    try:
        return AddressSet.parse(text) if text else None
    except InputError:
        return None
