"""Reading restore files: what each option means for a first packet, and what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.ipset import read_sets
from fwguard.dialects.iptables import IPTABLES
from fwguard.errors import UnreadableError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, CtState, Hook, InterfaceSet, Match, NatKind, Policy
from fwguard.model.ports import ANY_PORT


def table(*rules: str, chains: str = "", name: str = "filter") -> str:
    """Write a filter table whose FORWARD drops by default."""
    return "\n".join([f"*{name}", ":FORWARD DROP [0:0]", *chains.split("\n"), *rules, "COMMIT", ""])


def forward(*rules: str, chains: str = "", family: Family = Family.V4) -> Policy:
    """Read rules of FORWARD."""
    return IPTABLES.read(table(*(f"-A FORWARD {rule}" for rule in rules), chains=chains), family=family)


def matches(rule: str, family: Family = Family.V4) -> tuple[Match, ...]:
    """Return the matches of one rule."""
    policy = forward(f"{rule} -j ACCEPT", family=family)
    assert not policy.unread, policy.unread
    return policy.chains[f"{'ip' if family is Family.V4 else 'ip6'} filter FORWARD"].rules[0].matches


def only(rule: str, family: Family = Family.V4) -> Match:
    """Return the one match of one rule."""
    (match,) = matches(rule, family)
    return match


def test_addresses_are_prefixes_masks_and_lists() -> None:
    """A dotted mask is a prefix, a list a union, ! the rest of the family."""
    assert AddressSet.parse("10.0.0.0/8") == only("-s 10.0.0.0/255.0.0.0").source
    assert AddressSet.parse("10.0.0.1", "10.0.0.9") == only("-d 10.0.0.1,10.0.0.9/32").target
    assert AddressSet.parse("128.0.0.0/1") == only("! -s 0.0.0.0/1").source
    assert AddressSet.parse("2001:db8::/32") == only("-s 2001:db8::/32", Family.V6).source


def test_a_mask_with_holes_is_a_part_of_its_prefix() -> None:
    """It covers some of what it may cover, and nobody says which."""
    match = only("-s 10.0.0.1/255.0.0.255")
    assert (AddressSet.parse("10.0.0.0/8"), True) == (match.source, bool(match.unknown))


def test_a_negated_mask_with_holes_may_leave_anything() -> None:
    """Taking a part of a prefix away may leave any address of the prefix."""
    assert "10.0.0.9" in only("! -s 10.0.0.1/255.0.0.255").source


def test_interfaces_end_in_plus() -> None:
    """A final + is any ending; alone it is any interface."""
    assert InterfaceSet.of("eth*") == only("-i eth+").ingress
    assert InterfaceSet.all_but("lo") == only("! -o lo").egress
    assert only("-i +").ingress.is_any


def test_protocols_have_names_and_numbers() -> None:
    """ "all" and 0 are no condition; unknown names are unread."""
    assert Intervals.single(50) == only("-p esp").protocol
    assert Intervals.single(17) == only("-p 17").protocol
    assert Match() == only("-p all")
    assert 6 not in only("! -p tcp").protocol
    assert 1 == len(forward("-p carrier-pigeon -j ACCEPT").unread)


def test_ports_are_ranges_lists_and_names() -> None:
    """Open ranges end where ports do; a list is a union."""
    assert Intervals.of((0, 1023)) == only("-p tcp --dport :1023").dport
    assert Intervals.of((22, 22), (8000, 8010)) == only("-p tcp -m multiport --dports ssh,8000:8010").dport
    assert ANY_PORT - Intervals.single(25) == only("-p tcp ! --dport 25").dport


def test_multiport_ports_is_either_side() -> None:
    """Two products that do not overlap."""
    there, back = matches("-p udp -m multiport --ports 53")
    assert (Intervals.single(53), Intervals.single(53)) == (there.dport, back.sport)
    assert 53 not in back.dport
    neither = only("-p udp -m multiport ! --ports 53")
    assert 53 not in neither.sport
    assert 53 not in neither.dport


def test_ranges_of_addresses() -> None:
    """The iprange match, both sides and negated."""
    match = only("-m iprange --src-range 10.0.0.3-10.0.0.9 ! --dst-range 10.0.0.0-10.0.0.255")
    assert AddressSet.parse("10.0.0.3-10.0.0.9") == match.source
    assert "10.0.0.7" not in match.target


def test_icmp_types_stand_where_ports_do() -> None:
    """By number, name, type/code; the same word means another number in ICMPv6."""
    assert Intervals.of((8 << 8, 8 << 8 | 255)) == only("-p icmp --icmp-type echo-request").dport
    assert Intervals.single(3 << 8 | 4) == only("-p icmp -m icmp --icmp-type 3/4").dport
    assert (
        Intervals.of((128 << 8, 128 << 8 | 255))
        == only("-p ipv6-icmp --icmpv6-type echo-request", Family.V6).dport
    )
    assert ANY_PORT == only("-p icmp -m icmp --icmp-type any").dport


def test_states_are_listed_negated_or_virtual() -> None:
    """SNAT and DNAT say something of NAT that the packet alone does not."""
    assert frozenset({CtState.NEW, CtState.RELATED}) == only("-m state --state NEW,RELATED").states
    assert CtState.NEW not in only("-m conntrack ! --ctstate NEW").states
    listed, virtual = matches("-m conntrack --ctstate NEW,DNAT")
    assert (frozenset({CtState.NEW}), "", True) == (listed.states, listed.unknown, bool(virtual.unknown))
    assert CtState.NEW not in virtual.states


@pytest.mark.parametrize(
    ("flags", "new"),
    [
        ("--syn", True), ("! --syn", False), ("--tcp-flags SYN,ACK SYN", True), ("--tcp-flags ACK ACK", False),
        ("! --tcp-flags FIN,SYN,RST,ACK SYN", False), ("--tcp-flags ALL NONE", False), ("! --tcp-flags ALL NONE", True),
        ("--tcp-flags SYN,RST,ACK,FIN,URG FIN,URG", False),
    ],
)  # fmt: skip
def test_a_first_packet_is_a_syn(flags: str, new: bool) -> None:
    """Flags that no SYN has take NEW from the states."""
    match = only(f"-p tcp {flags}")
    assert (new, "") == (match.can_be_new, match.unknown)


def test_of_other_flags_of_a_syn_nobody_knows() -> None:
    """Whoever sends it sets ECE, PSH and URG as it likes."""
    assert only("-p tcp --tcp-flags ALL SYN").unknown
    assert only("-p tcp --tcp-flags ECE ECE").unknown


def test_later_fragments_are_no_first_packets() -> None:
    """-f matches from the second fragment on."""
    assert not only("-f").can_be_new
    assert Match() == only("! -f")


@pytest.mark.parametrize(
    "condition",
    [
        "-m mac --mac-source 02:00:00:00:00:01", "-m limit --limit 3/min --limit-burst 7", "-m mark --mark 0x1/0x1",
        "-m recent --name x --update --seconds 60 --hitcount 4 --rsource", "-m owner --uid-owner 0",
        "-m connlimit --connlimit-above 15 --connlimit-mask 32", "-m addrtype ! --dst-type LOCAL",
        "-m statistic --mode random --probability 0.5", "-m time --timestart 06:00 --weekdays Mon,Tue",
        '-m string --string "-j ACCEPT" --algo bm', "-m u32 --u32 6&0xFF=0x6", "-m physdev --physdev-in eth0",
        "-m pkttype --pkt-type broadcast", "-m rpfilter --invert", "-m socket",
    ],
)  # fmt: skip
def test_what_no_packet_decides_is_unknown(condition: str) -> None:
    """The rule stays in its place, its other conditions hold, and the words say what is not known."""
    match = only(f"-p tcp {condition} --dport 22")
    assert (Intervals.single(22), True) == (match.dport, match.unknown.startswith(condition[:7]))


def test_what_is_not_understood_is_kept() -> None:
    """An unknown match is told with its line and text, and bounds the rule from above only."""
    policy = forward("-m weather --rain heavy -p tcp --dport 22 -j ACCEPT")
    (rule,) = policy.chains["ip filter FORWARD"].rules
    assert (3 + 1, rule.text) == (policy.unread[0].line, policy.unread[0].text)
    assert (Action.ACCEPT, True, Intervals.single(22)) == (
        rule.action, bool(rule.matches[0].unknown), rule.matches[0].dport,
    )  # fmt: skip


@pytest.mark.parametrize(
    "rule", ["-p tcp stray -j ACCEPT", "-j ACCEPT -j DROP", "-j -j", "-s", "! -j DROP", "-p tcp !"]
)
def test_a_torn_rule_may_do_anything(rule: str) -> None:
    """When the words do not fit together, the target is in doubt, too."""
    policy = forward(rule)
    assert Action.UNKNOWN is policy.chains["ip filter FORWARD"].rules[0].action
    assert 1 == len(policy.unread)


def test_targets_decide_go_on_or_are_unknown() -> None:
    """LOG and its like are no verdict; a queue is anybody's guess."""
    policy = forward(
        "-j LOG --log-prefix x",
        "-j NFQUEUE --queue-num 1",
        "-j REJECT --reject-with tcp-reset",
        "-s 10.0.0.1",
    )
    wanted = [Action.CONTINUE, Action.UNKNOWN, Action.REJECT, Action.CONTINUE]
    assert wanted == [rule.action for rule in policy.chains["ip filter FORWARD"].rules]


def test_chains_jump_go_and_return() -> None:
    """Own chains end with a return to their caller."""
    policy = forward("-j a", "-g a", chains=":a - [0:0]\n-A a -j RETURN")
    jump, goto = policy.chains["ip filter FORWARD"].rules
    assert [(Action.JUMP, "ip filter a"), (Action.GOTO, "ip filter a")] == [
        (jump.action, jump.jump), (goto.action, goto.jump),
    ]  # fmt: skip
    assert Action.RETURN is policy.chains["ip filter a"].default


def test_hooks_list_every_table_in_the_kernels_order() -> None:
    """A packet that is forwarded passes raw, mangle, filter, security and mangle again."""
    chains = {
        "security": ":FORWARD ACCEPT", "filter": ":FORWARD DROP\n:INPUT DROP", "raw": ":PREROUTING ACCEPT",
        "mangle": ":PREROUTING ACCEPT\n:FORWARD ACCEPT\n:POSTROUTING ACCEPT",
    }  # fmt: skip
    text = "".join(f"*{name}\n{lines}\nCOMMIT\n" for name, lines in chains.items())
    assert (
        "ip raw PREROUTING", "ip mangle PREROUTING", "ip mangle FORWARD", "ip filter FORWARD",
        "ip security FORWARD", "ip mangle POSTROUTING",
    ) == IPTABLES.read(text).hooks[Hook.FORWARD]  # fmt: skip


def test_nat_is_flattened_in_order() -> None:
    """Jumps are followed, a return narrows what comes behind it in its chain, every line stays."""
    text = """*nat
:PREROUTING ACCEPT
:POSTROUTING ACCEPT
:in -
-A PREROUTING -d 203.0.113.1 -j in
-A POSTROUTING -o wan0 -j MASQUERADE --to-ports 1024-65535
-A in -s 10.0.0.0/8 -j RETURN
-A in -p tcp --dport 8080 -j DNAT --to-destination 192.168.0.2:80
-A in -p tcp --dport 22 -j REDIRECT --to-ports 2222
COMMIT
"""
    rules = {rule.line: rule for rule in IPTABLES.read(text).nat}
    assert {5, 6, 7, 8, 9} == set(rules)
    dnat = rules[8]
    assert (NatKind.DNAT, AddressSet.parse("192.168.0.2"), Intervals.single(80)) == (
        dnat.kind,
        dnat.to,
        dnat.to_ports,
    )
    assert ("203.0.113.1" in dnat.matches[0].target, "10.1.1.1" in dnat.matches[0].source) == (True, False)
    assert [NatKind.REDIRECT, NatKind.MASQUERADE] == [rules[9].kind, rules[6].kind]


def test_nat_of_ipv6_has_brackets() -> None:
    """An address with a port stands in brackets."""
    dnat = "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [2001:db8::2]:8080"
    (rule,) = IPTABLES.read(f"*nat\n:PREROUTING ACCEPT\n{dnat}\nCOMMIT\n").nat
    assert (AddressSet.parse("2001:db8::2"), Intervals.single(8080)) == (rule.to, rule.to_ports)


def test_an_untracked_opening_is_found() -> None:
    """NOTRACK in raw and an accept of untracked packets open a door for first packets."""
    raw = "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -d 192.0.2.9 -p tcp --dport 23 -j NOTRACK\nCOMMIT\n"
    text = raw + table(
        "-A FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT",
        "-A FORWARD -p tcp -m state --state NEW -j DROP",
    )
    accept, drop = IPTABLES.read(text).chains["ip filter FORWARD"].rules
    opened = [match for match in accept.matches if match.can_be_new]
    assert [AddressSet.parse("192.0.2.9")] == [match.target for match in opened]
    assert not any(match.unknown for match in drop.matches)  # behind a rule that takes all untracked packets


def test_rules_before_nat_are_unknown_for_what_nat_changes() -> None:
    """raw sees the address before destination NAT; policies are judged with the one after."""
    text = (
        "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -d 203.0.113.1 -p tcp --dport 80 -j DROP\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n-A PREROUTING -d 203.0.113.1 -p tcp -j DNAT --to-destination 192.168.0.2\nCOMMIT\n"
    )
    (rule,) = IPTABLES.read(text).chains["ip raw PREROUTING"].rules
    assert rule.matches[0].unknown
    assert "192.168.0.2" in rule.matches[0].target


def test_each_table_has_the_family_of_its_words() -> None:
    """Two listings in one text are two families; the comment decides where no word does."""
    empty = "*filter\n:FORWARD DROP\nCOMMIT\n"
    text = f"# Generated by iptables-save v1.8.9\n{empty}# Generated by ip6tables-save v1.8.9\n{empty}"
    assert (Family.BOTH, ("ip filter FORWARD", "ip6 filter FORWARD")) == (
        IPTABLES.read(text).families, IPTABLES.read(text).hooks[Hook.FORWARD],
    )  # fmt: skip
    assert Family.V6 is IPTABLES.read(table("-A FORWARD -p ipv6-icmp -j ACCEPT")).families
    assert Family.V4 is IPTABLES.read(table("-A FORWARD -s 10.0.0.1 -j ACCEPT")).families


def test_quotes_keep_words_together() -> None:
    """A quoted word is never an option, and a backslash keeps what follows."""
    policy = forward(r'-m comment --comment "a \"b\" -j DROP" -j ACCEPT')
    (rule,) = policy.chains["ip filter FORWARD"].rules
    assert ('a "b" -j DROP', Action.ACCEPT) == (rule.comment, rule.action)


def test_insertion_puts_rules_in_front() -> None:
    """-I without a number is the first place, with one that place."""
    text = table(
        "-A FORWARD -s 10.0.0.1 -j DROP", "-I FORWARD -s 10.0.0.2 -j DROP", "-I FORWARD 2 -s 10.0.0.3 -j DROP"
    )
    assert [5, 6, 4] == [rule.line for rule in IPTABLES.read(text).chains["ip filter FORWARD"].rules]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "has no table"),
        ("hello\n", 1, "outside a table"),
        ("*filter\n:FORWARD DROP\n-A FORWARD -j DROP\n", 4, "half a file"),
        ("*filter\n:FORWARD DROP\n*nat\nCOMMIT\n", 3, "has no COMMIT"),
        ("*fliter\nCOMMIT\n", 1, "table 'fliter'"),
        ("*filter\n:FORWARD MAYBE\nCOMMIT\n", 2, "policy MAYBE"),
        ("*filter\n:mine ACCEPT\nCOMMIT\n", 2, "does not have built in"),
        ("*filter\n-A mine -j DROP\nCOMMIT\n", 2, "does not exist"),
        ("*filter\n:FORWARD DROP\n-A FORWARD -j mine\nCOMMIT\n", 3, "does not have"),
        ("*filter\n:FORWARD DROP\n-A FORWARD -j FORWARD\nCOMMIT\n", 3, "does not have"),
        ("*filter\n:a -\n:b -\n-A a -j b\n-A b -j a\nCOMMIT\n", 5, "in a loop"),
        ("*filter\n:FORWARD DROP\n-D FORWARD 1\nCOMMIT\n", 3, "'-D FORWARD 1'"),
        ('*filter\n:FORWARD DROP\n-A FORWARD -m comment --comment "x\nCOMMIT\n', 3, "never closed"),
        (
            "*filter\n:FORWARD DROP\nCOMMIT\n*filter\n:FORWARD DROP\nCOMMIT\n*filter\nCOMMIT\n",
            7,
            "stands twice",
        ),
        ("*filter\n\0\nCOMMIT\n", 2, "NUL"),
        ("*filter\n" + "x" * 100_000 + "\nCOMMIT\n", 2, "a line of 100000"),
    ],
)
def test_what_is_no_whole_restore_file_is_refused(text: str, line: int, words: str) -> None:
    """With the line, and what was expected."""
    with pytest.raises(UnreadableError, match=words) as raised:
        IPTABLES.read(text)
    assert line == raised.value.line


def test_a_line_of_200_megabytes_is_refused_at_once() -> None:
    """Nothing is split before its length is known."""
    started = time.process_time()
    with pytest.raises(UnreadableError, match="characters"):
        IPTABLES.read("*filter\n" + "x" * (200 << 20))
    assert time.process_time() - started < 2


def test_chains_that_branch_without_end_are_bounded() -> None:
    """Forty chains that each jump twice to the next would unfold to 2**40 translations."""
    chains = [":PREROUTING ACCEPT", *(f":c{number} -" for number in range(41))]
    rules = ["-A PREROUTING -j c0"]
    for number in range(40):
        rules += [f"-A c{number} -j c{number + 1}"] * 2
    rules.append("-A c40 -p tcp -j DNAT --to-destination 192.0.2.1")
    started = time.process_time()
    policy = IPTABLES.read("\n".join(["*nat", *chains, *rules, "COMMIT", ""]))
    assert time.process_time() - started < 20
    assert NatKind.UNKNOWN in {rule.kind for rule in policy.nat}
    assert 1 == len(policy.unread)


def test_deep_chains_need_no_recursion() -> None:
    """Ten thousand chains in a row are read, or refused, but never overflow."""
    names = [f":c{number} -" for number in range(10_000)]
    jumps = [f"-A c{number} -j c{number + 1}" for number in range(9_999)]
    policy = IPTABLES.read(
        "\n".join(["*filter", ":FORWARD DROP", *names, "-A FORWARD -j c0", *jumps, "COMMIT", ""])
    )
    assert 10_001 == len(policy.chains)


def test_sets_given_alongside_are_looked_up() -> None:
    """A set of addresses and services becomes the products of its members."""
    sets = read_sets("create web hash:ip,port\nadd web 192.0.2.1,tcp:80\nadd web 192.0.2.2,tcp:80\n")
    policy = IPTABLES.read(
        table("-A FORWARD -m set --match-set web dst,dst -j ACCEPT"), family=Family.V4, ipsets=sets
    )
    (match,) = policy.chains["ip filter FORWARD"].rules[0].matches
    assert (AddressSet.parse("192.0.2.1-192.0.2.2"), Intervals.single(80)) == (match.target, match.dport)


def test_a_set_that_is_not_given_is_unread() -> None:
    """The rule stays, unknown."""
    policy = forward("-m set --match-set web dst -j ACCEPT")
    assert (1, True) == (
        len(policy.unread),
        bool(policy.chains["ip filter FORWARD"].rules[0].matches[0].unknown),
    )


WORDS = st.sampled_from(
    ["-A", "FORWARD", "-p", "tcp", "-s", "10.0.0.0/8", "!", "-m", "set", "--match-set", "x", "src", "--dport", "80:",
     "-j", "ACCEPT", "-g", "a", "--ctstate", "NEW", '"', "--tcp-flags", "SYN", "-i", "+", "limit", "--limit", "1/s",
     "RETURN", "multiport", "--ports", "1,2", "icmp", "--icmp-type", "8/0", "-I", "0", "DNAT", "--to-destination"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=12), max_size=8), st.sampled_from(["filter", "nat", "raw"]))
def test_any_words_are_read_or_refused(lines: list[list[str]], name: str) -> None:
    """Nothing but UnreadableError comes out, and no rule that is read is lost."""
    chain = {"filter": "FORWARD", "nat": "PREROUTING", "raw": "PREROUTING"}[name]
    rules = [f"-A {chain} {' '.join(words)}" for words in lines]
    text = "\n".join([f"*{name}", f":{chain} ACCEPT", ":a -", *rules, "COMMIT", ""])
    try:
        policy = IPTABLES.read(text)
    except UnreadableError:
        return
    read = {rule.line for one in policy.chains.values() for rule in one.rules} | {
        rule.line for rule in policy.nat
    }
    assert {number for number, line in enumerate(text.split("\n"), 1) if line.startswith("-A")} == read
    IPTABLES.canonical(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Also when it starts like a table."""
    for given_text in (text, f"*filter\n:FORWARD DROP\n{text}\nCOMMIT\n"):
        try:
            IPTABLES.read(given_text)
            IPTABLES.canonical(given_text)
        except UnreadableError:
            continue


def test_thirty_thousand_rules_are_read_in_time() -> None:
    """Five seconds are asked; ten times what it takes is left for slower machines."""
    rules = [
        f"-A FORWARD -s 10.{n >> 8}.{n & 255}.0/24 -d 192.0.2.{n % 250}/32 -p tcp -m tcp --dport {n + 1} -j ACCEPT"
        for n in range(30_000)
    ]
    started = time.process_time()
    assert 30_000 == IPTABLES.read(table(*rules)).rule_count
    assert time.process_time() - started < 10
