"""Anti-spoofing (clauses 4 and 7.1): address, MAC, ND, DHCP server and router advertisement, before conntrack."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Refuse = Callable[[str], list[str]]
Chains = Iterator[tuple[str, list[str]]]


def guard_chains(refuse: Refuse, spot: str) -> Chains:
    """Return the chains of the inet table that a packet meets when it comes in by a port or an uplink."""
    yield from identity_chains(refuse)
    yield (
        "accept_true",
        [  # where a packet's addresses are proven: into its client's conntrack zone
            'ct zone set iifname map @zone_inside comment "4 the client\'s inside"',
            # Between two clients both ways must meet in one zone, the shared one.
            *(
                f'{family} daddr @public{v}{span} return comment "4 between clients"'
                for family, v, span in _PUBLIC
            ),
            'ct zone set iifname map @zone_outside comment "4 the client\'s outside"',
        ],
    )
    cut_by_mac = [
        f'ether saddr @cut_local_mac jump cut_{spot}_from comment "6.1 cut on the spot"',
        'ether saddr vmap @cut_ordered_mac comment "8 isolation ordered"',
    ]
    yield "arrive_machine", [*cut_by_mac, 'goto identify comment "4"']
    yield (
        "arrive_outer",
        [
            *_cut_by_address("saddr"),
            *cut_by_mac,
            'goto identify comment "4"',
        ],
    )
    yield (
        "arrive_inside",
        [
            *cut_by_mac,
            'iifname . ether saddr != @true_mac goto refuse_forged comment "4 MAC"',
            'ip6 saddr { ::, fe80::/10 } goto neighbours comment "7.1 neighbours"',
            'goto genuine comment "4 it forwards for everyone"',
        ],
    )
    yield (
        "arrive_uplink",
        [
            *(
                f'{family} saddr @public{v}{span} goto refuse_forged comment "4 ours do not come from outside"'
                for family, v, span in _PUBLIC
            ),
            *_cut_by_address("daddr"),
            *(f'ct zone set {family} daddr map @zone_of{v}{span} comment "4"' for family, v, span in _PUBLIC),
        ],
    )


_PUBLIC = (("ip", 4, ""), ("ip6", 6, ""), ("ip", 4, "_span"), ("ip6", 6, "_span"))


def _cut_by_address(end: str) -> list[str]:
    return [
        f'{family} {end} @cut_{who}_{v} goto isolated comment "8 isolated address"'
        for who in ("local", "ordered")
        for family, v in (("ip", "v4"), ("ip6", "v6"))
    ]


def identity_chains(refuse: Refuse) -> Chains:
    """Return the chains that prove a frame's addresses; a true one goes on to `accept_true`."""
    yield (
        "identify",
        [
            *(
                f'iifname . ether saddr . {family} saddr @true{v}{span} goto genuine comment "4 its own address"'
                for family, v, span in _PUBLIC
            ),
            'iifname . ether saddr @true_mac jump unnamed comment "4 its own MAC"',
            'goto refuse_forged comment "4"',
        ],
    )
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
        "genuine",
        [
            'udp sport { 67, 547 } goto refuse_guard comment "7.1 DHCP server"',
            'icmp type { redirect, router-advertisement } goto refuse_guard comment "7.1 router"',
            'meta l4proto icmpv6 jump guard_icmpv6 comment "7.1 ND, router"',
            'goto accept_true comment "4"',
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
