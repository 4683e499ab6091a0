"""Interfaces, groups of them and virtual addresses. The names are those of the file: wan, lan, opt1.

Source: `filter_generate_optcfg_array` of pfSense, `Rule::convertAddress` of OPNsense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.pf.bounds import Addresses, union
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family

# Not in <interfaces>: what tunnels and VPN servers make. Each also means the assigned interfaces of its kind.
VIRTUAL: Final = {
    "openvpn": ("ovpn",), "wireguard": ("wg", "tun_wg"), "enc0": (), "ipsec": (), "l2tp": (), "pptp": (),
    "pppoe": (), "tailscale": ("tailscale",), "WireGuard": ("wg", "tun_wg"), "IPsec": (),
}  # fmt: skip
LOOPBACK: Final = ("lo0", "loopback")
LOCAL: Final = ("127.0.0.0/8", "::1/128")
MAX_INTERFACES: Final = 4096
OWN_MODES: Final = frozenset({"ipalias", "carp"})


@dataclass(slots=True)
class Interface:
    """One interface with its static addresses; `dynamic` are the IP versions that it learns them in."""

    name: str
    node: Node
    addresses: AddressSet = field(default_factory=AddressSet)
    networks: AddressSet = field(default_factory=AddressSet)
    dynamic: Family = field(default_factory=lambda: Family(0))

    @property
    def is_enabled(self) -> bool:
        """Tell whether it is in use."""
        return self.node.says("enable")

    def has_gateway(self, family: Family) -> bool:
        """Tell whether it leads outside: a gateway is set, or learned."""
        word = "gateway" if family is Family.V4 else "gatewayv6"
        return bool(self.dynamic & family and self.node.value("ipaddrv6") not in ("track6", "idassoc6")) or (
            self.node.value(word) not in ("", "none")
        )


class Interfaces:
    """All of a file."""

    def __init__(self, root: Node) -> None:
        holder = root.child("interfaces")
        self.by_name: dict[str, Interface] = {}
        for node in holder.children if holder else ():
            if node.children and node.value("type") != "group":
                self.by_name[node.tag] = _interface(node)
                if len(self.by_name) > MAX_INTERFACES:
                    raise UnreadableError(
                        "very many interfaces", line=node.line, expected=f"{MAX_INTERFACES}"
                    )
        self.groups: dict[str, tuple[tuple[str, ...], int]] = {}
        for entry in root.all("ifgroups", "ifgroupentry"):
            members = tuple(entry.value("members").replace(",", " ").split())
            self.groups[entry.value("ifname")] = (members, entry.number("sequence"))
        self.virtual_addresses: list[tuple[str, AddressSet]] = []
        vips = root.all("virtualip", "vip")[:MAX_INTERFACES]
        carriers = {f"_vip{vip.value('uniqid')}": vip.value("interface") for vip in vips}
        for vip in vips:
            self._virtual(vip, carriers)
        self._everything = union(Addresses.exactly(one.networks) for one in self.by_name.values()).sure
        self._all_own: Addresses | None = None

    def _virtual(self, vip: Node, carriers: dict[str, str]) -> None:
        text = vip.value("subnet")
        name = vip.value("interface")
        name = carriers.get(name, name)  # an alias on a CARP address
        try:
            address = AddressSet.parse(text)
            network = AddressSet.parse(f"{text}/{vip.value('subnet_bits') or (128 if ':' in text else 32)}")
        except InputError:
            return
        self.virtual_addresses.append((name, address))
        interface = self.by_name.get(name)
        if interface is not None and vip.value("mode") in OWN_MODES:
            interface.addresses |= address
            interface.networks |= network

    def names(self, word: str) -> frozenset[str] | None:
        """Return the interfaces that a rule's word means; None for one that nobody knows."""
        if word in self.by_name:
            return frozenset({word})
        if word in self.groups:
            members = [self.names(member) for member in self.groups[word][0] if member not in self.groups]
            return frozenset({word}).union(*(found for found in members if found))
        if word in LOOPBACK:
            return frozenset({"lo0"})
        if word in VIRTUAL:
            prefixes = VIRTUAL[word]
            assigned = {
                name
                for name, one in self.by_name.items()
                if prefixes and one.node.value("if").startswith(prefixes)
            }
            return frozenset({word, *assigned})
        return None

    def rank(self, word: str) -> tuple[int, int]:
        """Return where rules of an interface stand: groups before single ones, by their sequence."""
        if word in self.groups:
            return 1, self.groups[word][1]
        return (1, 0) if word in VIRTUAL else (2, 0)

    def own(self, name: str) -> Addresses:
        """Return the addresses of one interface."""
        one = self.by_name[name]
        return self._bounded(one, one.addresses)

    def network(self, name: str) -> Addresses:
        """Return the networks of one interface."""
        one = self.by_name[name]
        return self._bounded(one, one.networks)

    def _bounded(self, one: Interface, sure: AddressSet) -> Addresses:
        if not one.dynamic:
            return Addresses.exactly(sure)
        # Nobody leases an address of a network that another interface holds.
        learned = (ANY_ADDRESS - (self._everything - one.networks)).of_family(one.dynamic)
        return Addresses(sure, sure | learned, f"addresses of {one.name} are learned")

    def all_own(self) -> Addresses:
        """Return every address of the firewall itself."""
        if self._all_own is None:
            local = Addresses.exactly(AddressSet.parse(*LOCAL))
            self._all_own = union((local, *(self.own(name) for name in self.by_name)))
        return self._all_own

    def outside(self) -> list[str]:
        """Return the enabled interfaces that lead outside, in any IP version."""
        return [
            name for name, one in self.by_name.items()
            if one.is_enabled and (one.has_gateway(Family.V4) or one.has_gateway(Family.V6))
        ]  # fmt: skip


def _interface(node: Node) -> Interface:
    one = Interface(node.tag, node)
    for word, length, family, bits in (
        ("ipaddr", "subnet", Family.V4, 32), ("ipaddrv6", "subnetv6", Family.V6, 128),
        ("alias-address", "alias-subnet", Family.V4, 32),
    ):  # fmt: skip
        text = node.value(word)
        if not text or text == "none":
            continue
        try:
            address = AddressSet.parse(text)
            network = AddressSet.parse(f"{text}/{node.value(length) or bits}")
        except InputError:
            one.dynamic |= family  # dhcp, pppoe, slaac, track6, …
            continue
        one.addresses |= address
        one.networks |= network
    return one
