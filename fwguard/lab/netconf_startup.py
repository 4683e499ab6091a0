"""What a NETCONF firewall of the lab boots with: lists, redirections, source NAT, routes, v4 and v6."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.lab import plan as p
from fwguard.lab.plan import FirewallPlan, ServerPlan

_YANG: Final = "urn:ietf:params:xml:ns:yang:"
FROM_WAN: Final = "from-wan"
FROM_LAN: Final = "from-lan"
SCANNERS: Final = "scanners"


def startup(firewall: FirewallPlan) -> str:
    """Return the startup datastore of a firewall with a web server and others behind it."""
    web, *others = firewall.servers
    mail = next((server for server in others if server.role == "mail"), None)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<nc:config xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">
{_interfaces(firewall)}
<acls xmlns="{_YANG}ietf-access-control-list">
  <acl>
    <name>{FROM_WAN}</name>
    <type>mixed-eth-ipv4-ipv6-acl-type</type>
    <aces>
{"".join(_from_wan(web, mail))}\
    </aces>
  </acl>
  <acl>
    <name>{FROM_LAN}</name>
    <type>mixed-eth-ipv4-ipv6-acl-type</type>
    <aces>
{ace("own4", "accept", ip(4, source=p.INSIDE4))}\
{ace("own6", "accept", ip(6, source=p.INSIDE6))}\
{ace("forged", "drop", "")}\
    </aces>
  </acl>
  <attachment-points>
{_attached("lan0", FROM_LAN)}\
{_attached("wan0", FROM_WAN)}\
  </attachment-points>
</acls>
<nat xmlns="{_YANG}ietf-nat">
  <instances>
    <instance>
      <id>1</id>
      <name>services</name>
      <mapping-table>
{"".join(_mappings(firewall, web, mail))}\
      </mapping-table>
    </instance>
    <instance>
      <id>2</id>
      <name>out</name>
{"".join(_source_nat(firewall, mail))}\
    </instance>
  </instances>
</nat>
{_routing(firewall)}
</nc:config>
"""


def ace(name: str, action: str, matches: str) -> str:
    """Return one entry of a list."""
    condition = f"<matches>{matches}</matches>" if matches else ""
    return (
        f"      <ace><name>{name}</name>{condition}"
        f"<actions><forwarding>{action}</forwarding></actions></ace>\n"
    )


def ip(version: int, *, source: str = "", target: str = "") -> str:
    """Return the layer 3 part of a condition."""
    word = f"ipv{version}"
    to = f"<destination-{word}-network>{target}</destination-{word}-network>" if target else ""
    of = f"<source-{word}-network>{source}</source-{word}-network>" if source else ""
    return f"<{word}>{to}{of}</{word}>"


def tcp(low: int, high: int = 0) -> str:
    """Return the layer 4 part: one destination port or a range."""
    if high:
        said = f"<lower-port>{low}</lower-port><upper-port>{high}</upper-port>"
    else:
        said = f"<operator>eq</operator><port>{low}</port>"
    return f"<tcp><destination-port>{said}</destination-port></tcp>"


def _from_wan(web: ServerPlan, mail: ServerPlan | None) -> Iterator[str]:
    for v, bits, scanner in ((4, 32, p.SCANNER4), (6, 128, p.SCANNER6)):
        yield ace(f"scanner{v}", "drop", ip(v, source=f"{scanner}/{bits}"))
    yield ace("ping4", "accept", "<ipv4><protocol>1</protocol></ipv4><icmp><type>8</type></icmp>")
    for kind, name in ((128, "ping6"), (2, "too-big6"), (3, "time6")):
        yield ace(name, "accept", f"<ipv6><protocol>58</protocol></ipv6><icmp><type>{kind}</type></icmp>")
    for v, bits, partners in ((4, 32, p.PARTNERS4), (6, 128, p.PARTNERS6)):
        at = f"{web.address4 if v == 4 else web.address6}/{bits}"
        yield ace(f"web{v}", "accept", ip(v, target=at) + tcp(80))
        yield ace(f"web-tls{v}", "accept", ip(v, target=at) + tcp(443))
        yield ace(f"partners{v}", "accept", ip(v, source=partners, target=at) + tcp(22))
        if mail:
            at = f"{mail.address4 if v == 4 else mail.address6}/{bits}"
            yield ace(f"smtp{v}", "accept", ip(v, target=at) + tcp(25))
            yield ace(f"submission{v}", "accept", ip(v, target=at) + tcp(587))
    yield ace("else", "drop", "")


def _attached(interface: str, acl: str) -> str:
    return f"""\
    <interface>
      <interface-id>{interface}</interface-id>
      <ingress><acl-sets><acl-set><name>{acl}</name></acl-set></acl-sets></ingress>
    </interface>
"""


def mapping(index: int, public: str, public_port: int, inner: str, inner_port: int) -> str:
    """Return one redirection."""
    bits = 128 if ":" in public else 32
    return (
        f"        <mapping-entry><index>{index}</index><type>static</type>"
        "<transport-protocol>6</transport-protocol>"
        f"<internal-src-address>{inner}/{bits}</internal-src-address>"
        f"<internal-src-port><start-port-number>{inner_port}</start-port-number></internal-src-port>"
        f"<external-src-address>{public}/{bits}</external-src-address>"
        f"<external-src-port><start-port-number>{public_port}</start-port-number></external-src-port>"
        "</mapping-entry>\n"
    )


def _mappings(firewall: FirewallPlan, web: ServerPlan, mail: ServerPlan | None) -> Iterator[str]:
    wanted: list[tuple[str, int, str, int]] = []
    for v, public in ((4, firewall.public4), (6, firewall.public6)):
        at = web.address4 if v == 4 else web.address6
        wanted += [(public[0], 80, at, 80), (public[0], 443, at, 443), (public[0], 2222, at, 22)]
        if mail:
            at = mail.address4 if v == 4 else mail.address6
            wanted += [(public[1], 25, at, 25), (public[1], 587, at, 587)]
    for index, one in enumerate(wanted, 1):
        yield mapping(index, *one)


def _source_nat(firewall: FirewallPlan, mail: ServerPlan | None) -> Iterator[str]:
    pools = [(p.INSIDE4, firewall.public4[0])]
    if mail:
        pools.insert(0, (f"{mail.address4}/32", firewall.public4[1]))
    for number, (subnet, pool) in enumerate(pools, 1):
        yield _policy(
            number,
            subnet,
            "<external-ip-address-pool><pool-id>1</pool-id>"
            f"<external-ip-pool>{pool}/32</external-ip-pool></external-ip-address-pool>",
        )
    # RFC 8512 has no IPv6 pool: the outer interface's own address.
    yield _policy(len(pools) + 1, p.INSIDE6, "")


def _policy(number: int, subnet: str, pool: str) -> str:
    return (
        f"      <policy><id>{number}</id>{pool}"
        f"<subscriber-match><match-id>1</match-id><subnet>{subnet}</subnet></subscriber-match>"
        "<external-realm><external-interface>wan0</external-interface></external-realm></policy>\n"
    )


def _interfaces(firewall: FirewallPlan) -> str:
    """Return names and addresses: lists and routes refer to them, and they tell inside from outside."""
    here = {
        "lan0": ([(p.GATEWAY4, 24)], [(p.GATEWAY6, 64)]),
        "mgmt0": ([(firewall.mgmt4, 16)], [(firewall.mgmt6, 64)]),
        "wan0": (
            [(firewall.link4[1], 30), *((one, 32) for one in firewall.public4)],
            [(firewall.link6[1], 126), *((one, 128) for one in firewall.public6)],
        ),
    }
    lines = [f'<interfaces xmlns="{_YANG}ietf-interfaces">']
    for name, families in here.items():
        lines.append(
            f'  <interface><name>{name}</name><type xmlns:t="{_YANG}iana-if-type">t:ethernetCsmacd</type>'
        )
        for v, addresses in zip((4, 6), families, strict=True):
            said = "".join(
                f"<address><ip>{one}</ip><prefix-length>{length}</prefix-length></address>"
                for one, length in addresses
            )
            lines.append(f'    <ipv{v} xmlns="{_YANG}ietf-ip">{said}</ipv{v}>')
        lines.append("  </interface>")
    return "\n".join([*lines, "</interfaces>"])


def _routing(firewall: FirewallPlan) -> str:
    families = []
    for v, via, default, partners, nowhere in (
        (4, firewall.link4[0], "0.0.0.0/0", p.PARTNERS4, "192.168.0.0/16"),
        (6, firewall.link6[0], "::/0", p.PARTNERS6, "fd00:dead::/32"),
    ):
        hop = (
            f"<next-hop><outgoing-interface>wan0</outgoing-interface>"
            f"<next-hop-address>{via}</next-hop-address></next-hop>"
        )
        hole = "<next-hop><special-next-hop>blackhole</special-next-hop></next-hop>"
        routes = "".join(
            f"\n        <route><destination-prefix>{prefix}</destination-prefix>{how}</route>"
            for prefix, how in ((default, hop), (partners, hop), (nowhere, hole))
        )
        families.append(f'      <ipv{v} xmlns="{_YANG}ietf-ipv{v}-unicast-routing">{routes}\n      </ipv{v}>')
    body = "\n".join(families)
    return f"""\
<routing xmlns="{_YANG}ietf-routing">
  <control-plane-protocols>
    <control-plane-protocol>
      <type>static</type>
      <name>static</name>
      <static-routes>
{body}
      </static-routes>
    </control-plane-protocol>
  </control-plane-protocols>
</routing>"""
