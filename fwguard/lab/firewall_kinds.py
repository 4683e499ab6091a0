"""Every kind of client firewall that the lab can start: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fwguard.lab.box import Box
from fwguard.lab.firewall_box import Ingredients, iptables_box, nftables_box
from fwguard.lab.netconf_firewall import netconf_box
from fwguard.lab.plan import Kind

KINDS: Final[Mapping[Kind, Callable[[Ingredients], Box]]] = {
    "nftables": nftables_box,
    "iptables": iptables_box,
    "netconf": netconf_box,
}
