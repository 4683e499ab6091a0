"""The dialect of VyOS 1.2 to 1.5."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.vyos.canonical import canonical
from fwguard.dialects.vyos.reader import NAME, read_tree
from fwguard.dialects.vyos.tree import parse
from fwguard.dialects.vyos.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_KINDS: Final = (
    "ethernet|loopback|bonding|bridge|dummy|geneve|input|l2tpv3|macsec|openvpn|pppoe|pseudo-ethernet|sstpc|tunnel"
    "|virtual-ethernet|vti|vxlan|wireguard|wireless|wwan"
)
_SET: Final = re.compile(
    rf"^set (?:interfaces (?:{_KINDS}) \S|firewall (?:name|ipv6-name|ipv4|ipv6|group|zone|interface|bridge"
    r"|global-options|state-policy|flowtable|all-ping)\b|nat (?:source|destination|static) rule|nat66 \S"
    r"|zone-policy zone|system (?:config-management|console|conntrack|option|name-server|host-name '|login user \S+"
    r" authentication encrypted)|service (?:ssh|dhcp-server|dns forwarding|https|lldp|router-advert)\b"
    r"|protocols static (?:route6?|table|arp|interface-route)|high-availability vrrp|vpn ipsec|container name)",
    re.MULTILINE,
)
_TOP: Final = re.compile(
    r"^(?:interfaces|firewall|nat66?|service|system|protocols|vpn|vrf|zone-policy|policy|high-availability) \{\s*$",
    re.MULTILINE,
)
_BELOW: Final = re.compile(
    rf"^\s+(?:(?:{_KINDS}) \S+ \{{|name \S+ \{{|ipv6-name \S+ \{{|ipv[46] \{{|rule \d+ \{{|config-management \{{"
    r"|group \{|static \{|global-options \{|host-name \S+$)",
    re.MULTILINE,
)
_VERSIONS: Final = re.compile(r"^(?://|/\*).*(?:vyos|vyatta)-config-version", re.MULTILINE)
_SEMICOLONS: Final = re.compile(r";[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Vyos:
    """Reads and writes boot files and set commands: the same tree, so the same policy.

    Destination NAT comes before the filter and source NAT after it, as in the model. Rule sets of 1.2 and
    1.3 are bound to interfaces (in, out, local), those of 1.4 and later stand in `forward filter` and the
    like or are jumped to; zones exist in both. Without any of them VyOS lets everything pass. Packets with a
    source that `source-validation` would drop are not spoken of.
    """

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is of VyOS, 0 to 100: Junos looks alike, but ends lines with `;`."""
        head = text[:SNIFFED]
        if _VERSIONS.search(head):
            return 95
        if len(_SEMICOLONS.findall(head)) > 2:
            return 0
        if head.lstrip().startswith(("set ", "#")) and (hits := len(_SET.findall(head))):
            return min(97, 70 + 10 * hits)
        if _TOP.search(head):
            return 85 if _BELOW.search(head) else 30
        return 0

    def read(self, text: str) -> Policy:
        """Read a whole configuration. Raises UnreadableError with the line for what is none of VyOS."""
        return read_tree(parse(text)).policy

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change, in its own form; `shown` are the commands that make it.

        Each opening goes into every rule set on its way that would drop it, before what drops it. Raises
        InputError when no rule set judges what is to be opened, or no rule bears the tag to remove.
        """
        return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return sorted set commands without comments, versions and descriptions."""
        return canonical(parse(text))


VYOS: Final = Vyos()
