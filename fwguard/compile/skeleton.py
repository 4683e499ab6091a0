"""The rules of the edge: the same for every server and every opening, so that only elements ever change.

Order (what comes first wins): cuts and identity before conntrack; then cuts towards a port; by sender, cuts of
flows, copies of first packets, connections that stand, and last what may begin. Each rule's comment starts with
its clause. Checked before conntrack, a cut ends open connections too; behind `established` it would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fwguard.compile.cuts import COMBINATIONS, combination
from fwguard.compile.guards import PUBLIC, guard_chains
from fwguard.compile.names import (
    PASSAGE_MARK,
    RAW_PRIORITY,
    SHARDS,
    TABLE,
    VPN_MARK,
    WIDE,
    LogGroup,
    shard_chain,
)
from fwguard.compile.sets import SetSpec
from fwguard.model.controls import Controls, Passage

PAYLOAD_TCP: Final = ((4, 20), (6, 40))  # (IP version, octets of its header without options)


def inet_table(specs: Iterable[SetSpec], controls: Controls) -> str:
    """Return the inet table: sets without elements, and every chain."""
    parts = [f"table inet {TABLE} {{\n"]
    parts += [spec.declaration() for spec in specs]
    parts += [f"\tchain {shard_chain(shard)} {{\n\t}}\n" for shard in (*range(SHARDS), WIDE)]
    parts += [chain(name, rules) for name, rules in _chains(controls)]
    parts.append("}\n")
    return "".join(parts)


def chain(name: str, rules: Iterable[str]) -> str:
    """Return one chain."""
    return f"\tchain {name} {{\n" + "".join(f"\t\t{rule}\n" for rule in rules) + "\t}\n"


def _chains(controls: Controls) -> Iterator[tuple[str, list[str]]]:
    log = Logging(controls)
    spot = combination(controls.isolation.on_the_spot)
    for name, passages in COMBINATIONS:
        yield from cut_chains(name, passages, log)
    yield from guard_chains(log.refuse, spot)
    yield from _refusals(log)
    yield from _cuts_of_some()
    yield from _destinations(log)
    yield from _sources(log, controls)
    if controls.watch.packets_most:
        yield from _copies(controls)
    prerouting = [
        f"type filter hook prerouting priority {RAW_PRIORITY}; policy accept;",
        'iifname vmap @arriving comment "4 who is behind the port"',
        'iifname @servers goto arrive_machine comment "4 a server behind a firewall"',
    ]
    yield "prerouting", prerouting
    yield "forward", _forward(spot)
    received = [
        "type filter hook input priority filter; policy accept;",
        'iifname @ports goto to_edge comment "7.1 nothing of the edge is for its ports"',
    ]
    yield "input", received
    to_edge = [
        'ct state established,related accept comment "7.1 the edge asked"',
        'icmp type echo-request limit rate 1000/second accept comment "7.1 echo"',
        "icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } "
        'accept comment "7.1 echo, ND"',
        'counter drop comment "7.1 to the edge itself"',
    ]
    yield "to_edge", to_edge
    sent = [  # the maps count too, by element: what each port sent and received
        "type filter hook postrouting priority filter; policy accept;",
        'meta priority set iifname map @class_up comment "7.7 upload"',
        'meta priority set oifname map @class_down comment "7.7 download"',
    ]
    yield "postrouting", sent


class Logging:
    """How refusals are told: bounded, with the clause as prefix, and counted whole."""

    def __init__(self, controls: Controls) -> None:
        self._per_s = controls.watch.refusals_per_s
        self._snaplen = controls.watch.snaplen_bytes or 128
        self._connection_snaplen = controls.vpn.snaplen_bytes

    def refuse(self, why: str) -> list[str]:
        """Return the rules that log (within the limit), count and drop."""
        logged = f'log prefix "{why}" group {LogGroup.REFUSED} snaplen {self._snaplen} queue-threshold 16'
        limit = f"limit rate {self._per_s}/second burst {self._per_s} packets"
        return [f'{limit} {logged} comment "{why}"', f'counter drop comment "{why}"']

    def connection(self, match: str, why: str) -> str:
        """Return the rule that logs a new connection (Annex 3, or mode observe)."""
        group = LogGroup.CONNECTIONS
        size = self._connection_snaplen
        return f'{match} log prefix "{why}" group {group} snaplen {size} queue-threshold 16 comment "{why}"'


def cut_chains(
    name: str, passages: Iterable[Passage], log: Logging | None
) -> Iterator[tuple[str, list[str]]]:
    """Return what a cut port's packets meet: what stays open is marked and returns, the rest is dropped."""
    # console: peers reach ports of the server; remediation: the server reaches ports of the peers
    ends = {Passage.CONSOLE: ("sport", "dport"), Passage.REMEDIATION: ("dport", "sport")}
    for way, address, index in (("from", "daddr", 0), ("to", "saddr", 1)):
        rules = [
            f"tcp {ends[passage][index]} @{passage}_ports {family} {address} @{passage}_peers{v} "
            f'meta mark set meta mark | {PASSAGE_MARK:#x} return comment "8 {passage} stays open"'
            for passage in sorted(passages)
            for family, v in (("ip", 4), ("ip6", 6))
        ]
        why = f"8 isolated {way}"
        yield f"cut_{name}_{way}", rules + (log.refuse(why) if log else [f'counter drop comment "{why}"'])


def _refusals(log: Logging) -> Iterator[tuple[str, list[str]]]:
    for name, why in (
        ("isolated", "8 isolated address"),
        ("stopped", "4 server stopped"),
        ("cut_flow", "7.1 flow cut"),
        ("cut_service", "8 service suspended"),
        ("refuse_mail", "7.4 mail"),
        ("refuse_unregistered", "7.5 not registered"),
        ("refuse_path", "4 no such path"),
        ("refuse_retrieval", "13.2 service ended"),
        ("refuse_development", "annex-2 not own source"),
        ("refuse_closed", "7.1.1 not open"),
    ):
        yield name, log.refuse(why)
    for what in ("scan", "flood"):
        urgent = f'log prefix "7.1 {what}" group {LogGroup.URGENT} snaplen 128 queue-threshold 1'
        rules = [
            f'add @cut_local_port {{ iifname }} {urgent} comment "7.1 {what}: cut on the spot"',
            f'counter drop comment "7.1 {what}"',  # a rule of its own: it holds when the set is full
        ]
        yield f"cut_for_{what}", rules


def _cuts_of_some() -> Iterator[tuple[str, list[str]]]:
    """Return what only the packets of ports with single flows or services cut go through."""
    yield "suspended_from", _service_rules("iifname", ("dport", "sport"), "ordered")
    yield "suspended_to", _service_rules("oifname", ("dport",), "ordered")
    flows = [
        f"iifname . {family} daddr . meta l4proto . th sport . th dport @cut_local_flow{v} goto cut_flow "
        'comment "7.1 one flow"'
        for family, v in (("ip", 4), ("ip6", 6))
    ]
    yield "some_from", flows + _service_rules("iifname", ("dport", "sport"), "local")
    yield "some_to", _service_rules("oifname", ("dport",), "local")


def _service_rules(port: str, ends: Iterable[str], who: str) -> list[str]:
    return [
        f'{port} . meta l4proto . th {end} @cut_{who}_service goto cut_service comment "8 one service"'
        for end in ends
    ]


def _destinations(log: Logging) -> Iterator[tuple[str, list[str]]]:
    inside = [
        "meta l4proto . th dport @known_services oifname @servers "
        "oifname . meta l4proto . th dport != @registered goto refuse_unregistered "
        'comment "7.5 offered without registration"',
        'accept comment "4 within one client"',
    ]
    yield "to_inside", inside
    is_vpn = f"meta mark & {VPN_MARK:#x} == {VPN_MARK:#x}"
    yield "passed_in", [log.connection(is_vpn, "annex-3 in"), 'accept comment "7.1.1 open"']
    observed = [
        log.connection("limit rate 1000/second", "7.1.1 observed"),
        log.connection(is_vpn, "annex-3 in"),
        'counter accept comment "7.1.1 observed: not open, passed"',
    ]
    yield "observed_in", observed
    opened = [
        f'{rule} comment "7.1.1"'
        for family, v in (("ip", 4), ("ip6", 6))
        for rule in (
            f"{family} daddr . meta l4proto . th dport @open{v} goto passed_in",
            f"{family} daddr . meta l4proto @open_whole{v} goto passed_in",
            f"{family} daddr vmap @ranged{v}",
        )
    ]
    yield "opened", [*opened, 'jump wide comment "7.1.1 ranges of addresses"']
    monitoring = [
        'ip saddr @monitoring4 accept comment "7.10 monitoring"',
        'ip6 saddr @monitoring6 accept comment "7.10 monitoring"',
    ]
    outer = [
        'jump opened comment "7.1.1"',
        *monitoring,
        'oifname @observed goto observed_in comment "7.1.1 mode observe"',
        'goto refuse_closed comment "7.1.1"',
    ]
    yield "to_outer", outer
    own = [
        *monitoring,
        'oifname . ip saddr @own_sources4 goto to_outer comment "annex-2 own source"',
        'oifname . ip6 saddr @own_sources6 goto to_outer comment "annex-2 own source"',
        'goto refuse_development comment "annex-2"',
    ]
    yield "to_development", own
    yield (
        "to_vpn",
        [f'meta mark set meta mark | {VPN_MARK:#x} goto to_outer comment "annex-3 logged where it passes"'],
    )
    leaving = [*monitoring, 'jump opened comment "13.2 the transfer"', 'goto refuse_retrieval comment "13.2"']
    yield "to_leaving", leaving


def _sources(log: Logging, controls: Controls) -> Iterator[tuple[str, list[str]]]:
    intrusion = controls.intrusion
    yield (
        "forbidden",
        [
            "tcp dport @mail_ports iifname != @mail_senders oifname != @servers goto refuse_mail "
            'comment "7.4 only mail servers"',
            "meta l4proto . th dport @known_services iifname . meta l4proto . th dport != @registered "
            'goto refuse_unregistered comment "7.5 used without registration"',
        ],
    )
    yield (
        "intrusion",
        [
            'iifname . ip daddr @approved_scans4 return comment "7.1 agreed scan"',
            'iifname . ip6 daddr @approved_scans6 return comment "7.1 agreed scan"',
            f"update @flood_rate {{ iifname limit rate over {intrusion.flood_packets_per_s}/second "
            f'burst {intrusion.flood_burst_packets} packets }} goto cut_for_flood comment "7.1 flood"',
            'meta l4proto != tcp return comment "7.1 only TCP is scanned for here"',
            'iifname . ip daddr . th dport @tried4 return comment "7.1 tried already"',
            'iifname . ip6 daddr . th dport @tried6 return comment "7.1 tried already"',
            *(
                f"iifname {is_mail} @mail_senders add @tried{v} {{ iifname . {family} daddr . th dport }} "
                f"update @{rate} {{ iifname limit rate over {intrusion.scan_targets_per_s}/second "
                f'burst {burst} packets }} goto cut_for_scan comment "7.1 scan"'
                # A full memory ends the rule before it counts: nobody is accused for want of room.
                for is_mail, rate, burst in (
                    ("!=", "scan_rate", intrusion.scan_burst_targets),
                    ("==", "mail_scan_rate", intrusion.mail_burst_targets),
                )
                for family, v in (("ip", 4), ("ip6", 6))
            ),
        ],
    )
    inside = 'ct zone . oifname @inside_of_zone goto to_inside comment "4 within one client"'
    nowhere = 'goto refuse_path comment "4"'
    leave = ['oifname vmap @new_to comment "4 outside"', nowhere]
    forbidden, intruding = 'jump forbidden comment "7.4 7.5"', 'jump intrusion comment "7.1"'
    stands = _standing(copies=_copied(controls, "copy"))
    yield "from_server", [*stands, forbidden, intruding, inside, nowhere]
    yield "from_inside", [*_standing(copies=_copied(controls, "copy_towards")), inside, nowhere]
    stands = _standing()
    for end, logged in (("", []), ("_vpn", [log.connection("meta nfproto { ipv4, ipv6 }", "annex-3 out")])):
        yield f"from_outer{end}", [*stands, forbidden, *logged, *leave]
        yield f"from_lone_server{end}", [*stands, forbidden, intruding, *logged, *leave]
    yield "from_leaving", [*stands, 'goto refuse_retrieval comment "13.2"']
    forged = [
        f'{family} saddr @public{v}{span} goto refuse_forged comment "4 ours do not come from outside"'
        for family, v, span in PUBLIC
    ]
    yield "from_uplink", [*_standing(by_port=False), *forged, *leave]


def _standing(*, by_port: bool = True, copies: Iterable[str] = ()) -> list[str]:
    """Return what a packet meets before it is judged as a beginning. Only ports have flows or services cut, and
    only inner ports are watched: each sender goes through no look-up that cannot concern it."""
    sends = 'iifname @cut_local_some jump some_from comment "7.1 flows and services cut on the spot"'
    return [
        *([sends] if by_port else []),
        'oifname @cut_local_some jump some_to comment "7.1 flows and services cut on the spot"',
        *copies,
        'ct state established,related accept comment "5.1.2 what stands"',
        'ct state invalid counter drop comment "7.1 of no connection"',
    ]


def _copied(controls: Controls, where: str) -> list[str]:
    most = controls.watch.packets_most
    return [
        f'ct direction {way} ct {way} packets < {most} jump {where} comment "7.10 first packets"'
        for way in ("original", "reply")
        if most
    ]


def _copies(controls: Controls) -> Iterator[tuple[str, list[str]]]:
    snaplen = controls.watch.snaplen_bytes
    group = LogGroup.FIRST_PACKETS
    logged = f'counter log prefix "7.10 first packets" group {group} snaplen {snaplen} queue-threshold 50'
    rules = [f'meta l4proto != tcp {logged} return comment "7.10"']
    for version, header in PAYLOAD_TCP:
        # `doff` counts words of the TCP header; what is longer than both headers has payload.
        sizes = ", ".join(f"{doff} . {header + doff * 4 + 1}-65535" for doff in range(5, 16))
        rules.append(
            f'meta nfproto ipv{version} tcp doff . meta length {{ {sizes} }} {logged} comment "7.10"'
        )
    yield "copy", rules
    yield "copy_towards", ['oifname @servers goto copy comment "7.10"']


def _forward(spot: str) -> list[str]:
    return [
        "type filter hook forward priority filter; policy drop;",
        f'oifname @cut_local_port jump cut_{spot}_to comment "6.1 cut on the spot"',
        'oifname vmap @cut_ordered_to comment "8 isolation ordered"',
        f'meta mark & {PASSAGE_MARK:#x} == {PASSAGE_MARK:#x} accept comment "8 stays open by reason"',
        'iifname vmap @sent_by comment "4 who sends"',
        'iifname @servers goto from_server comment "4 a server behind a firewall"',
        'counter comment "4 no port of ours"',
    ]
