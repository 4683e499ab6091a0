"""Anti-spoofing (clauses 4 and 7.1): address, MAC, ND, DHCP server and router advertisement, before conntrack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

Refuse = Callable[[str], list[str]]
Chains = Iterator[tuple[str, list[str]]]


PUBLIC: Final = (("ip", 4, ""), ("ip6", 6, ""), ("ip", 4, "_span"), ("ip6", 6, "_span"))


def guard_chains(refuse: Refuse, spot: str) -> Chains:
    """Return the chains of the inet table that a packet meets when it comes in by a port or an uplink."""
    yield from identity_chains(refuse)
    yield "accept_true", ['ct zone set iifname map @zone_inside comment "4 the client\'s inside"']
    yield from _identified("_outer")
    outer = [  # between two clients both ways must meet in one zone, the shared one
        *(
            f'{family} daddr @public{v}{span} accept comment "4 between clients"'
            for family, v, span in PUBLIC
        ),
        'ct zone set iifname map @zone_outside comment "4 the client\'s outside"',
    ]
    yield "accept_true_outer", outer
    cut = [
        f'iifname @cut_local_port jump cut_{spot}_from comment "6.1 cut on the spot"',
        'iifname vmap @cut_ordered_from comment "8 isolation ordered"',
        f'ether saddr @cut_local_mac jump cut_{spot}_from comment "6.1 cut on the spot"',
        'ether saddr vmap @cut_ordered_mac comment "8 isolation ordered"',
    ]
    yield "arrive_machine", [*cut, 'goto identify comment "4"']
    yield "arrive_outer", [*cut, *_cut_by_address("saddr"), 'goto identify_outer comment "4"']
    inside = [
        *cut,
        'iifname . ether saddr != @true_mac goto refuse_forged comment "4 MAC"',
        'ip6 saddr { ::, fe80::/10 } goto neighbours comment "7.1 neighbours"',
        'goto genuine comment "4 it forwards for everyone"',
    ]
    yield "arrive_inside", inside
    uplink = [
        *_cut_by_address("daddr"),
        *(
            f'ct zone set {family} daddr map @zone_of{v}{span} accept comment "4"'
            for family, v, span in PUBLIC
        ),
    ]
    yield "arrive_uplink", uplink


def _cut_by_address(end: str) -> list[str]:
    return [
        f'{family} {end} @cut_{who}_{v} goto isolated comment "8 isolated address"'
        for who in ("local", "ordered")
        for family, v in (("ip", "v4"), ("ip6", "v6"))
    ]


def _identified(end: str) -> Chains:
    """Return the chains that prove addresses, for one kind of port; a true frame goes on to `accept_true`."""
    proofs = [
        f'iifname . ether saddr . {family} saddr @true{v}{span} goto genuine{end} comment "4 its own address"'
        for family, v, span in PUBLIC
    ]
    unnamed = 'iifname . ether saddr @true_mac jump unnamed comment "4 its own MAC"'
    yield f"identify{end}", [*proofs, unnamed, 'goto refuse_forged comment "4"']
    guarded = [
        f'meta l4proto tcp goto accept_true{end} comment "4"',
        'udp sport { 67, 547 } goto refuse_guard comment "7.1 DHCP server"',
        'icmp type { redirect, router-advertisement } goto refuse_guard comment "7.1 router"',
        'meta l4proto icmpv6 jump guard_icmpv6 comment "7.1 ND, router"',
        f'goto accept_true{end} comment "4"',
    ]
    yield f"genuine{end}", guarded


def identity_chains(refuse: Refuse) -> Chains:
    """Return the chains that prove a frame's addresses, which need nothing but its own header."""
    yield from _identified("")
    yield (
        "unnamed",
        [  # a machine that asks for an address, or speaks on its link only
            'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept comment "4 asks"',
            'ip6 saddr { ::, fe80::/10 } goto neighbours comment "7.1 neighbours"',
        ],
    )
    yield (
        "neighbours",
        [
            'ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept comment "4 asks for an address"',
            "icmpv6 type { nd-router-solicit, mld-listener-report, mld-listener-done, mld2-listener-report } "
            'accept comment "4"',
            'ip6 saddr :: icmpv6 type nd-neighbor-solicit goto nd_target comment "7.1 ND"',
            'icmpv6 type nd-neighbor-solicit goto nd_option comment "7.1 ND"',
            'icmpv6 type nd-neighbor-advert jump nd_target comment "7.1 ND"',
            'goto refuse_forged comment "7.1 ND"',
        ],
    )
    yield (
        "nd_target",
        [  # who is claimed must be itself (RFC 4861 section 7.2.4)
            'iifname . @th,64,128 @nd_target goto nd_option comment "7.1 ND"',
            'iifname . @th,64,128 @nd_target_span goto nd_option comment "7.1 ND"',
            '@th,64,16 & 0xffc0 == 0xfe80 goto nd_option comment "7.1 ND"',
            'goto refuse_forged comment "7.1 ND"',
        ],
    )
    yield (
        "nd_option",
        [  # the link-layer address in the first option must be its own
            'ip6 length 24 accept comment "7.1 ND without options"',
            '@th,192,8 { 1, 2 } iifname . @th,208,48 @nd_ether accept comment "7.1 ND"',
            '@th,192,8 14 ip6 saddr :: accept comment "7.1 ND with a nonce"',
            'goto refuse_forged comment "7.1 ND"',
        ],
    )
    yield (
        "guard_icmpv6",
        [
            'icmpv6 type { nd-router-advert, nd-redirect } goto refuse_guard comment "7.1 router"',
            'icmpv6 type nd-neighbor-solicit goto nd_option comment "7.1 ND"',
            'icmpv6 type nd-neighbor-advert goto nd_target comment "7.1 ND"',
        ],
    )
    yield "refuse_forged", refuse("4 forged address")
    yield "refuse_guard", refuse("7.1 forged service")
