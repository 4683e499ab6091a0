"""A whole Linux firewall: its parts add up, hide nothing, and are edited where they judge."""

from __future__ import annotations

import pytest

from fwguard.analysis.query import verdict
from fwguard.dialects.linux import LINUX
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.snapshot import LINUX_PARTS, Snapshot

NFT = """table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		tcp dport 80 accept
	}
}
"""
SAVE = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -p tcp -m tcp --dport 443 -j ACCEPT\nCOMMIT\n"
EMPTY = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"


def answer(snapshot: Snapshot, target: str, port: int) -> Answer:
    """Return what the running parts do with a TCP connection from anywhere."""
    source = "2001:db8:9::1" if ":" in target else "198.51.100.1"
    packet = Packet(
        source=source, target=target, protocol=6, sport=40000, dport=port, ingress="wan0", egress="lan0"
    )
    return verdict(LINUX.policy(snapshot), packet).answer


def opening(target: str, port: int) -> Opening:
    """Open one TCP port to anyone."""
    return Opening(
        protocol=6,
        source=AddressSet.parse("any"),
        target=AddressSet.parse(*target.split()),
        ports=Intervals.single(port),
    )


def test_nftables_and_iptables_must_both_accept() -> None:
    """Every base chain of every part judges."""
    both = Snapshot({"nft": NFT, "iptables": SAVE})
    assert [Answer.DROP, Answer.DROP] == [answer(both, "192.0.2.1", port) for port in (80, 443)]
    assert Answer.ACCEPT is answer(Snapshot({"nft": NFT}), "192.0.2.1", 80)
    assert Answer.ACCEPT is answer(Snapshot({"iptables": SAVE}), "192.0.2.1", 443)


def test_legacy_tables_judge_as_well() -> None:
    """A drop in the legacy tables drops."""
    legacy = Snapshot({"nft": NFT, "iptables": EMPTY, "iptables-legacy": SAVE})
    assert Answer.DROP is answer(legacy, "192.0.2.1", 80)
    assert Answer.ACCEPT is answer(legacy, "2001:db8::1", 80)


def test_nothing_is_forwarded_where_forwarding_is_off() -> None:
    """By family."""
    snapshot = Snapshot({"nft": NFT, "sysctl": "net.ipv4.ip_forward = 0\nnet.ipv6.conf.all.forwarding = 1\n"})
    assert [Answer.DROP, Answer.ACCEPT] == [
        answer(snapshot, target, 80) for target in ("192.0.2.1", "2001:db8::1")
    ]


def test_a_firewall_without_rules_accepts() -> None:
    """A Linux reading speaks of everything, so that nothing said is nothing forbidden."""
    assert Answer.ACCEPT is answer(Snapshot({"iptables": EMPTY}), "2001:db8::1", 22)


def test_sets_are_looked_up_in_their_part() -> None:
    """ipset content beside the rules."""
    rules = "*filter\n:FORWARD DROP\n-A FORWARD -m set --match-set web dst,dst -j ACCEPT\nCOMMIT\n"
    snapshot = Snapshot({"iptables": rules, "ipset": "create web hash:ip,port\nadd web 192.0.2.1,tcp:80\n"})
    assert [Answer.ACCEPT, Answer.DROP] == [answer(snapshot, "192.0.2.1", port) for port in (80, 81)]
    assert Answer.UNKNOWN is answer(Snapshot({"iptables": rules}), "192.0.2.1", 80)


def test_routes_of_both_families_are_in_the_policy() -> None:
    """With their tables."""
    policy = LINUX.policy(
        Snapshot(
            {
                "routes4": "default via 203.0.113.1 dev wan0\n",
                "routes6": "2001:db8:9::/48 via fe80::1 dev wan0\n",
            }
        )
    )
    assert ["0.0.0.0/0", "2001:db8:9::/48"] == [route.prefix for route in policy.routes]


def test_a_part_that_nobody_can_read_makes_verdicts_unknown() -> None:
    """It raises nothing, is told, and is compared as text."""
    snapshot = Snapshot({"nft": NFT, "iptables": "*filter\n:FORWARD DROP\n"})
    assert Answer.UNKNOWN is answer(snapshot, "192.0.2.1", 80)
    assert Answer.DROP is answer(snapshot, "192.0.2.1", 81)
    assert "iptables" in LINUX.policy(snapshot).unread[0].text
    other = Snapshot({"nft": NFT, "iptables": "*filter\n:FORWARD ACCEPT\n"})
    assert LINUX.canonical(snapshot)["iptables"] != LINUX.canonical(other)["iptables"]


@pytest.mark.parametrize("part", LINUX_PARTS)
def test_no_part_can_make_comparing_fail(part: str) -> None:
    """Whatever root writes into it."""
    for text in ("\x1b]0;x\x07", "{" * 5000, "*filter", "create x", "table inet x {", "\u2028:\n", "=\n"):
        snapshot = Snapshot({part: text})
        assert {part} == set(LINUX.canonical(snapshot))
        LINUX.policy(snapshot)


@pytest.mark.parametrize(
    ("part", "left", "right"),
    [
        ("iptables", SAVE, SAVE.replace("[0:0]", "[5:5]")),
        ("boot/rules.v4", SAVE, f"# saved\n{SAVE}"),
        ("ipset", "create a hash:ip\nadd a 10.0.0.2\nadd a 10.0.0.1\n",
         "create a hash:ip\nadd a 10.0.0.1\nadd a 10.0.0.2\n"),
        ("routes4", "10.0.0.0/8 dev a\n10.1.0.0/16 dev b\n", "10.1.0.0/16 dev b linkdown\n10.0.0.0/8 dev a\n"),
        ("boot/routes", "route add 10.0.0.0/8 dev a\n", "# x\nip route add 10.0.0.0/8 dev a\n"),
        ("sysctl", "net.ipv4.ip_forward = 1\n", "net.ipv4.ip_forward=1\n"),
        ("boot/sysctl", "# x\nnet.ipv4.ip_forward = 1\n", "net/ipv4/ip_forward = 1\n"),
        ("rules4", "0:\tfrom all lookup local\n", "0: from all lookup local\n"),
        ("boot/nftables.conf", NFT, f"#!/usr/sbin/nft -f\n# x\n{NFT}"),
    ],
)  # fmt: skip
def test_parts_are_compared_without_noise(part: str, left: str, right: str) -> None:
    """Each by its own dialect, boot parts as running ones."""
    assert LINUX.canonical(Snapshot({part: left})) == LINUX.canonical(Snapshot({part: right}))


def test_a_change_is_written_to_running_and_boot() -> None:
    """In the part that judges forwarded packets, and in the boot file of the same kind."""
    before = Snapshot({"nft": NFT, "boot/nftables.conf": NFT, "iptables": EMPTY, "boot/rules.v4": SAVE})
    edit = LINUX.write(Change(tag="t-1", openings=(opening("192.0.2.1 2001:db8::1", 22),)), before)
    assert [Answer.ACCEPT, Answer.ACCEPT] == [
        answer(edit.after, target, 22) for target in ("192.0.2.1", "2001:db8::1")
    ]
    assert Answer.ACCEPT is answer(Snapshot({"nft": edit.after.get("boot/nftables.conf")}), "192.0.2.1", 22)
    assert SAVE == edit.after.get("boot/rules.v4")
    assert Answer.DROP is answer(edit.after, "192.0.2.2", 22)


def test_each_family_of_iptables_has_its_text() -> None:
    """v4 rules in the v4 parts, v6 rules in the v6 parts."""
    texts = dict.fromkeys(("iptables", "ip6tables", "boot/rules.v4", "boot/rules.v6"), SAVE)
    edit = LINUX.write(Change(tag="t-1", openings=(opening("192.0.2.1 2001:db8::1", 22),)), Snapshot(texts))
    for part, wanted in (("iptables", "192.0.2.1/32"), ("ip6tables", "2001:db8::1/128")):
        assert (True, 1) == (wanted in edit.after.get(part), edit.after.get(part).count("fwguard:t-1"))
    assert edit.after.get("boot/rules.v6") == edit.after.get("ip6tables")
    assert "# ip6tables\n+ -A FORWARD -d 2001:db8::1/128" in edit.shown


def test_both_kinds_get_the_rule_where_both_judge() -> None:
    """Else the opening would stay shut."""
    edit = LINUX.write(
        Change(tag="t-1", openings=(opening("192.0.2.1", 22),)), Snapshot({"nft": NFT, "iptables": SAVE})
    )
    assert Answer.ACCEPT is answer(edit.after, "192.0.2.1", 22)


def test_removing_takes_every_trace() -> None:
    """Running and boot, whichever kind."""
    before = Snapshot({"nft": NFT, "boot/nftables.conf": NFT, "iptables": SAVE, "boot/rules.v4": SAVE})
    after = LINUX.write(Change(tag="t-1", openings=(opening("192.0.2.1", 22),)), before).after
    gone = LINUX.write(Change(tag="t-1", remove=True), after).after
    assert LINUX.canonical(before) == LINUX.canonical(gone)
    assert not any("fwguard" in text for text in gone.parts.values())


def test_a_redirection_is_written_once() -> None:
    """In the first part that judges; the packet is then judged behind it."""
    redirection = Redirection(
        protocol=6, public="203.0.113.1", public_port=8080, inner="192.0.2.1", inner_port=443
    )
    edit = LINUX.write(Change(tag="t-1", redirections=(redirection,)), Snapshot({"iptables": SAVE}))
    assert Answer.ACCEPT is answer(edit.after, "203.0.113.1", 8080)


@pytest.mark.parametrize(
    ("change", "parts", "words"),
    [
        (Change(tag="t-1", openings=(opening("192.0.2.1", 22),)), {"iptables": EMPTY}, "no part"),
        (Change(tag="t-1", openings=(opening("192.0.2.1", 22),)), {"ip6tables": SAVE}, "no part"),
        (Change(tag="t-1", remove=True), {"iptables": SAVE}, "no rule bears"),
    ],
)  # fmt: skip
def test_a_firewall_without_a_place_is_refused(change: Change, parts: dict[str, str], words: str) -> None:
    """With what is missing."""
    with pytest.raises(InputError, match=words):
        LINUX.write(change, Snapshot(parts))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("nft", "table inet f {\n set a {\n  type ipv4_addr\n  elements = { @a }\n }\n}\n"),
        ("iptables", "*filter\n:FORWARD DROP [0:0]\n:a - [0:0]\n-A FORWARD -j a\n-A a -j a\nCOMMIT\n"),
    ],
)
def test_a_part_that_leads_back_to_itself_is_unknown_and_still_compared(part: str, text: str) -> None:
    """The kernel would not hold it: whoever says so does not switch the guard off."""
    snapshot = Snapshot({part: text})
    assert [part] == [one.text for one in LINUX.policy(snapshot).unread]
    assert Answer.UNKNOWN is answer(snapshot, "192.0.2.1", 22)
    sound = Snapshot({part: text.replace("@a", "192.0.2.1").replace("-A a -j a", "-A a -j DROP")})
    assert LINUX.canonical(sound)[part] != LINUX.canonical(snapshot)[part]
