"""From one snapshot to another: which steps, in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.devices.bundle import Step, build_bundle, split_iptables, split_nft
from fwguard.devices.protocol import Flow
from fwguard.errors import InputError
from fwguard.model.snapshot import Snapshot

FW = (
    "table inet fw {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
)
OPEN = FW.replace("policy drop;\n", "policy drop;\n\t\ttcp dport 443 accept\n")
NAT = "table ip nat {\n\tchain prerouting {\n\t}\n}\n"
FILTER = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n"


def bodies(steps: tuple[Step, ...], section: str) -> list[tuple[str, str]]:
    return [(step.kind, step.body) for step in steps if step.section == section]


def test_a_changed_table_is_replaced_in_one_transaction_and_others_are_not_touched() -> None:
    """So that no packet meets a moment without it; backward is the mirror."""
    steps = build_bundle(Snapshot({"nft": FW + NAT}), Snapshot({"nft": OPEN + NAT}))
    again = "add table inet fw\ndelete table inet fw\n"
    assert [("nft", again + OPEN)] == bodies(steps, "forward")
    assert [("nft", again + FW)] == bodies(steps, "backward")
    assert [] == bodies(steps, "whole")


@given(st.permutations(["nft", "sysctl", "boot/sysctl", "boot/nftables.conf"]))
def test_equal_snapshots_need_no_step(names: list[str]) -> None:
    """In whatever order their parts were named."""
    texts = {"nft": FW, "sysctl": "net.ipv4.ip_forward = 1\n", "boot/sysctl": "x\n", "boot/nftables.conf": FW}
    assert () == build_bundle(Snapshot({name: texts[name] for name in names}), Snapshot(texts))


def test_a_foreign_table_goes_and_a_whole_rewrite_stands_by() -> None:
    """nft may be unable to say its name; then everything is flushed, under a closed firewall."""
    before, after = Snapshot({"nft": FW + NAT, "iptables": FILTER}), Snapshot({"nft": FW, "iptables": FILTER})
    steps = build_bundle(before, after)
    assert [("nft", "add table ip nat\ndelete table ip nat\n")] == bodies(steps, "forward")
    kinds = [kind for kind, _ in bodies(steps, "whole")]
    assert ["nft", "iptables", "nft"] == kinds
    first = bodies(steps, "whole")[0][1]
    assert first.startswith("flush ruleset\n")
    assert "policy drop" in first.partition("table inet fwguard-hold {")[2]
    assert first.endswith(FW)
    assert ("nft", "add table inet fwguard-hold\ndelete table inet fwguard-hold\n") == bodies(
        steps, "backward"
    )[-1]


def test_a_listing_that_is_not_plain_is_flushed_at_once() -> None:
    """A comment with a newline in it could be any table."""
    strange = FW.replace("policy drop;", 'policy drop; comment "\n}\ntable ip x {"')
    steps = build_bundle(Snapshot({"nft": strange}), Snapshot({"nft": FW}))
    assert [("nft", "flush ruleset\n" + FW)] == bodies(steps, "forward")


def test_an_iptables_table_that_is_not_wanted_goes_through_nft() -> None:
    """iptables has no word for it."""
    steps = build_bundle(Snapshot({"nft": FW, "iptables": FILTER}), Snapshot({"nft": FW}))
    assert [("nft", "add table ip filter\ndelete table ip filter\n")] == bodies(steps, "forward")
    assert [("iptables", FILTER)] == bodies(steps, "backward")


def test_only_changed_iptables_tables_are_restored() -> None:
    """Each family by its own tool."""
    nat = "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"
    before = Snapshot({"iptables": FILTER + nat, "ip6tables": FILTER})
    after = Snapshot({"iptables": FILTER + nat, "ip6tables": FILTER.replace("ACCEPT", "DROP")})
    assert [("ip6tables", FILTER.replace("ACCEPT", "DROP"))] == bodies(build_bundle(before, after), "forward")


def test_a_table_with_foreign_rules_is_made_again_while_the_firewall_is_shut() -> None:
    """iptables-restore refuses such a table, so it must go first; nothing passes until it is back."""
    before = Snapshot({"nft": FW + NAT.replace("nat", "filter"), "iptables": FILTER})
    steps = bodies(build_bundle(before, Snapshot({"nft": FW, "iptables": FILTER})), "forward")
    assert ["nft", "iptables", "nft"] == [kind for kind, _ in steps]
    assert "hook forward priority -500; policy drop;" in steps[0][1]
    assert "delete table ip filter\n" in steps[0][1]
    assert "add table inet fwguard-hold\ndelete table inet fwguard-hold\n" == steps[2][1]


def test_a_legacy_table_that_is_not_wanted_is_emptied() -> None:
    """It cannot be removed."""
    legacy = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:mine - [0:0]\n-A INPUT -j mine\nCOMMIT\n"
    steps = build_bundle(Snapshot({"iptables-legacy": legacy}), Snapshot({}))
    empty = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"
    assert [("iptables-legacy", empty)] == bodies(steps, "forward")


def test_boot_files_come_last_and_an_absent_one_is_empty() -> None:
    """What is written first is what runs."""
    before = Snapshot({"nft": FW, "boot/nftables.conf": FW, "boot/routes": "route add 10.0.0.0/8 dev lan\n"})
    after = Snapshot({"nft": OPEN, "boot/nftables.conf": OPEN})
    steps = bodies(build_bundle(before, after), "forward")
    assert ["nft", "boot/nftables.conf", "boot/routes"] == [kind for kind, _ in steps]
    assert ("boot/routes", "") == steps[-1]


def test_what_was_no_plain_file_is_not_written_back() -> None:
    """Its words are the gate's, not the client's."""
    before = Snapshot({"boot/rules.v4": "# fwguard: /etc/iptables/rules.v4 is no plain file\n"})
    assert () == tuple(bodies(build_bundle(before, Snapshot({"boot/rules.v4": FILTER})), "backward"))


def test_flows_end_once_confirmed_in_both_families() -> None:
    """Address and port before NAT; without a port, all of the protocol."""
    flows = (
        Flow(protocol=6, address="192.0.2.1", port=443),
        Flow(protocol=47, address="2001:db8::1", port=None, source="2001:db8:1::/48"),
    )
    steps = build_bundle(Snapshot({}), Snapshot({}), flows)
    want = "ipv4 tcp 192.0.2.1 443 -\nipv6 47 2001:db8::1 - 2001:db8:1::/48\n"
    assert [("conntrack", want)] == bodies(steps, "close")


def test_a_flow_to_a_port_that_is_none_is_refused() -> None:
    """Before anything is written."""
    with pytest.raises(InputError, match="70000"):
        build_bundle(Snapshot({}), Snapshot({}), (Flow(protocol=6, address="192.0.2.1", port=70000),))


def test_splitting_keeps_every_line() -> None:
    """Tables apart, put together again, are the text."""
    tables = split_nft(FW + NAT)
    assert tables is not None
    assert {("inet", "fw"): FW, ("ip", "nat"): NAT} == tables
    assert {"filter": FILTER} == split_iptables("# Generated\n" + FILTER)


@pytest.mark.parametrize("text", [FW[:-3], FW + FW, "table inet a b {\n}\n", "chain x {\n}\n", FW + "x"])
def test_what_is_not_plain_is_not_split(text: str) -> None:
    """None, rather than a guess."""
    assert split_nft(text) is None
