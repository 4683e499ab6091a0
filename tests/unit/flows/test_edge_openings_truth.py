"""For random policies and packets: an opening covers exactly what the firewall's approved state accepts."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwguard.analysis.query import verdict
from fwguard.dialects.table import PLATFORMS
from fwguard.flows.edge_openings import Outer, let_in
from fwguard.model.address import AddressSet, parse_span
from fwguard.model.edge_grants import EdgeOpening
from fwguard.model.inventory import Platform
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook
from fwguard.model.snapshot import Snapshot

PUBLIC4, PUBLIC6 = "192.0.2.10", "2001:db8:1::11"  # the firewall's own, and a server's own
INNER = ("10.20.0.11", "10.20.0.12")
SOURCES = ("198.51.100.0/25", "198.51.100.64/26", "203.0.113.0/24")
PORTS = st.sampled_from((80, 81, 82, 443))
RULE = st.one_of(
    st.builds(
        "{} ip daddr {} tcp dport {} {}".format,
        st.sampled_from(("", *(f"ip saddr {source}" for source in SOURCES), 'iifname "wan0"', 'iifname "lan0"')),
        st.sampled_from((*INNER, "10.20.0.0/24")), PORTS, st.sampled_from(("accept", "drop")),
    ),
    st.builds("ip6 daddr {} tcp dport {} {}".format, st.sampled_from((PUBLIC6, "2001:db8:1::/64")), PORTS,
              st.sampled_from(("accept", "drop"))),
    st.builds("tcp dport {} {}".format, PORTS, st.sampled_from(("accept", "drop"))),
)  # fmt: skip
NAT = st.builds(
    "{} ip daddr {} tcp dport {} dnat ip to {}{}".format,
    st.sampled_from(('iifname "wan0"', "", 'iifname "lan0"')), st.just(PUBLIC4), PORTS, st.sampled_from(INNER),
    st.sampled_from(("", ":80", ":443")),
)  # fmt: skip
PACKETS = st.lists(
    st.tuples(st.sampled_from(("198.51.100.7", "198.51.100.70", "203.0.113.5", "192.0.2.99")), st.booleans(), PORTS),
    min_size=8, max_size=8,
)  # fmt: skip
TEXT = """\
table inet filter {{
	chain input {{ type filter hook input priority filter; policy drop; {own} }}
	chain forward {{ type filter hook forward priority filter; policy drop;
		ct state established,related accept
{rules}
	}}
}}
table inet nat {{
	chain prerouting {{ type nat hook prerouting priority dstnat; policy accept;
{nat}
	}}
}}
"""


def _covers(opening: EdgeOpening, source: str, target: str, port: int) -> bool:
    version, number, _ = parse_span(target)
    return (
        (version, 6) == (opening.public.version, opening.protocol)
        and opening.public.first <= number <= opening.public.last
        and opening.first_port <= port <= opening.last_port
        and source in opening.sources
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rules=st.lists(RULE, max_size=6), nat=st.lists(NAT, max_size=4), packets=PACKETS,
    own=st.sampled_from(("", "tcp dport 443 accept")),
)  # fmt: skip
def test_openings_are_what_the_approved_state_accepts(
    rules: list[str], nat: list[str], own: str, packets: list[tuple[str, bool, int]]
) -> None:
    """Neither more nor less, through redirections, shadowed rules and the firewall's own ports, v4 and v6."""
    snapshot = Snapshot({"nft": TEXT.format(rules="\n".join(rules), nat="\n".join(nat), own=own)})
    policy = PLATFORMS[Platform.LINUX].policy(snapshot)
    outer = Outer(7, AddressSet.parse(PUBLIC4, PUBLIC6), AddressSet.parse(*INNER, PUBLIC6), "wan0")
    openings = let_in(Platform.LINUX, snapshot, outer, ()).openings
    for source4, is_v6, port in packets:
        source, target = ("2001:db8:9::7", PUBLIC6) if is_v6 else (source4, PUBLIC4)
        packet = Packet(
            source=source, target=target, protocol=6, sport=40000, dport=port, ingress="wan0", egress="lan0",
            hook=Hook.FORWARD if is_v6 else Hook.INPUT,
        )  # fmt: skip
        passes = verdict(policy, packet).answer is Answer.ACCEPT
        assert passes == any(_covers(one, source, target, port) for one in openings), packet
