"""What an ASA takes for itself: management, ping, tunnels, and the list for the control plane.

`ssh`, `telnet` and `http` name who may manage; they come before a `control-plane` list, which has no implicit
deny. ICMP is answered unless `icmp` lines of the interface say otherwise. Everything else is dropped that
no service of the text listens to. Source: ASA general configuration guide, "Management access"; firewall
guide, "Access rules", to-the-box traffic.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.asa.configuration import Configuration
from fwguard.dialects.cisco.addresses import is_v6, with_mask
from fwguard.dialects.cisco.lines import Line, Words
from fwguard.dialects.cisco.names import icmp_keys
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, Action, Chain, InterfaceSet, Match, Rule
from fwguard.model.ports import ANY_PORT, ESP, ICMP, ICMPV6, TCP, UDP

SSH, TELNET, HTTPS = 22, 23, 443
IKE: Final = Intervals.single(500, 4500)


def management_chain(found: Configuration, control: list[Rule]) -> Chain:
    """Return the chain of what is addressed to the firewall itself."""
    before: list[Rule] = []
    after: list[Rule] = []
    pings: list[Rule] = []
    asked: dict[int, set[str]] = {4: set(), 6: set()}
    https = _https_port(found)
    for block in found.management:
        line = block.line
        try:
            if line.first == "icmp" or line.starts("ipv6", "icmp"):
                rule = _icmp(line, found, asked)
                pings += [rule] if rule else []
            elif line.first == "webvpn":
                after += _webvpn(block.children)
            elif line.first == "crypto":
                after.append(_ike(line))
            elif line.first in ("ssh", "telnet", "http"):
                before += _manager(line, found, https)
            elif line.starts("dhcpd", "enable") and len(line.words) == 3:
                after.append(_service(line, line.words[2], UDP, Intervals.single(67)))
            elif line.starts("snmp-server", "host") and len(line.words) > 3:
                source = AddressSet.parse(found.book.plain(line.words[3]))
                after.append(_service(line, line.words[2], UDP, Intervals.single(161), source))
        except InputError as error:
            found.note(line, str(error))
    for version, protocol in ((4, ICMP), (6, ICMPV6)):
        ingress = InterfaceSet.all_but(*asked[version])
        pings.append(
            Rule(
                matches=(Match(ingress=ingress, protocol=Intervals.single(protocol)),), action=Action.ACCEPT,
                line=0, text="implicit: ICMP to the firewall",
            )
        )  # fmt: skip
    return Chain(
        name="to the firewall itself", families=Family.BOTH, default=Action.DROP,
        rules=(*before, *control, *pings, *after),
    )  # fmt: skip


def _https_port(found: Configuration) -> Intervals | None:
    """Return the port that ASDM is served on, None where it is not."""
    for block in found.management:
        if block.line.starts("http", "server", "enable"):
            word = block.line.words[3] if len(block.line.words) > 3 else str(HTTPS)
            return Intervals.single(int(word)) if word.isdecimal() and len(word) < 6 else ANY_PORT
    return None


def _manager(line: Line, found: Configuration, https: Intervals | None) -> list[Rule]:
    """Read `ssh ADDRESS MASK INTERFACE` and its like; other lines of these commands only tune them."""
    words = Words(line.words, 1)
    first = found.book.plain(words.peek())
    if not (is_v6(first) or first[:1].isdigit()):
        return []
    words.next("an address")
    if is_v6(first):
        source = AddressSet.parse(first)
    else:
        zero = {"0": "0.0.0.0"}  # noqa: S104 - an address of a rule, nothing listens
        if words.left == 0 or (words.left == 1 and "." not in words.peek()):
            return []  # `ssh timeout` and its like by number
        source, exact = with_mask(zero.get(first, first), zero.get(words.peek(), words.next("a mask")))
        if not exact:
            raise InputError("a mask with very many holes")
    interface = words.next("an interface")
    ports = {"ssh": Intervals.single(SSH), "telnet": Intervals.single(TELNET), "http": https}[line.first]
    return [_service(line, interface, TCP, ports, source)] if ports else []


def _service(
    line: Line, interface: str, protocol: int, ports: Intervals, source: AddressSet = ANY_ADDRESS
) -> Rule:
    match = Match(
        ingress=InterfaceSet.of(interface), source=source, protocol=Intervals.single(protocol), dport=ports
    )
    return Rule(matches=(match,), action=Action.ACCEPT, line=line.number, text=line.text)


def _ike(line: Line) -> Rule:
    """Read `crypto ikev1|ikev2|isakmp enable INTERFACE`: its keys and its packets."""
    interface = InterfaceSet.of(line.words[3]) if len(line.words) > 3 else ANY_INTERFACE
    return Rule(
        matches=(
            Match(ingress=interface, protocol=Intervals.single(UDP), dport=IKE),
            Match(ingress=interface, protocol=Intervals.single(ESP)),
        ),
        action=Action.ACCEPT, line=line.number, text=line.text,
    )  # fmt: skip


def _webvpn(children: list[Line]) -> list[Rule]:
    ports = Intervals.single(HTTPS)
    for line in children:
        if line.first == "port" and line.words[1:] and line.words[1].isdecimal() and len(line.words[1]) < 6:
            ports = Intervals.single(int(line.words[1]))
    rules = []
    for line in children:
        if line.first == "enable" and len(line.words) == 2:
            match = Match(
                ingress=InterfaceSet.of(line.words[1]), protocol=Intervals.single(TCP, UDP), dport=ports
            )
            rules.append(Rule(matches=(match,), action=Action.ACCEPT, line=line.number, text=line.text))
    return rules


def _icmp(line: Line, found: Configuration, asked: dict[int, set[str]]) -> Rule | None:
    """Read `icmp permit|deny ADDRESS [TYPE] INTERFACE`, or the same after `ipv6`."""
    version = 6 if line.first == "ipv6" else 4
    words = Words(line.words, 2 if version == 6 else 1)
    action = {"permit": Action.ACCEPT, "deny": Action.DROP}.get(words.next("permit or deny"))
    if action is None:
        return None  # `icmp unreachable rate-limit …`
    word = words.next("an address")
    if word in ("any", "any4", "any6"):
        source = ANY_V6 if version == 6 else ANY_V4
    elif word == "host":
        source = AddressSet.parse(found.book.plain(words.next("an address")))
    elif is_v6(word):
        source = AddressSet.parse(word)
    else:
        source, _ = with_mask(found.book.plain(word), words.next("a mask"))
    keys = icmp_keys(words.next("a type"), "", version) if words.left > 1 else ANY_PORT
    interface = words.next("an interface")
    asked[version].add(interface)
    match = Match(
        ingress=InterfaceSet.of(interface), source=source,
        protocol=Intervals.single(ICMP if version == 4 else ICMPV6), dport=keys,
    )  # fmt: skip
    return Rule(matches=(match,), action=action, line=line.number, text=line.text)
