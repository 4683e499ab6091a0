"""What PAN-OS brings along: two services, and applications that are known by more than their payload.

Source: PAN-OS Administrator's Guide (services), Applipedia (standard ports).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SERVICES: Final[Mapping[str, str]] = {"service-http": "tcp/80 tcp/8080", "service-https": "tcp/443"}
# Known by the IP protocol or the ICMP type: the first packet shows it.
EXACT: Final[Mapping[str, str]] = {
    "egp": "8", "esp": "50", "gre": "gre", "icmp": "icmp", "igmp": "igmp", "ipip": "4", "ipsec-ah": "51",
    "ipsec-esp": "50", "ipv6-icmp": "icmpv6", "l2tp-ip": "115", "ospf": "89", "ospfigp": "89", "pim": "pim",
    "ping": "icmp/8", "ping6": "icmpv6/128", "rsvp": "46", "vrrp": "vrrp",
}  # fmt: skip
# The most that an application may use by default, with its secure ports.
DEFAULT_PORTS: Final[Mapping[str, str]] = {
    "dns": "tcp/53 udp/53 tcp/853 udp/853", "ntp": "tcp/123 udp/123", "ssh": "tcp/22", "telnet": "tcp/23,992",
    "web-browsing": "tcp/80,443,8080", "ssl": "tcp/443", "ms-rdp": "tcp/3389 udp/3389",
}  # fmt: skip
