"""Whole rulesets in a real kernel: applied, held against others, read back, changed without touching the rest."""

from __future__ import annotations

import json
import socket as plain_socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from fwguard.errors import ConflictError, DeviceError, InputError, NotAllowedError
from fwguard.kernel import keys as k
from fwguard.kernel import tables
from fwguard.kernel.elements import Element, Verdict
from fwguard.kernel.generation import GenerationWatch, generation
from fwguard.kernel.nf_tables import NFT_TABLE_F_PERSIST, Table, kernel_release
from fwguard.kernel.ruleset import apply, compile_text, differences, listing
from fwguard.kernel.sets import NamedSet
from fwguard.kernel.tables import Hold
from fwguard.lab import namespaces

pytestmark = pytest.mark.integration
EDGE = Table("inet", "edge")
KEEP = ("cut", "openings")


def _text(version: int = 1, *, policy: str = "drop", more: str = "") -> str:
    """Every kind of thing that a ruleset of ours holds; interval sets bear the version in their names."""
    return f"""table inet edge {{
    counter refused {{ }}
    set cut {{ type ipv4_addr; size 1000; }}
    set openings {{ type ipv4_addr . inet_proto . inet_service; flags timeout; }}
    set wide_{version} {{ type ipv4_addr; flags interval;
        elements = {{ 10.0.0.0/8, 11.0.0.0/8 comment "beside", 192.168.{version}.0/24, 240.0.0.0/4 }} }}
    set spans_{version} {{ type ipv6_addr . inet_service; flags interval;
        elements = {{ fd00::/8 . 1-{100 + version} }} }}
    map classes {{ type ipv4_addr : classid; counter; }}
    map ways {{ type ifname : verdict; elements = {{ "srv-1" : jump passage, "srv-2" : drop }} }}
    set rate {{ type ipv4_addr; flags dynamic,timeout; timeout 10s; size 100; }}
    chain passage {{ counter name "refused" ip saddr @cut drop comment "t-1"; }}
    chain forward {{
        type filter hook forward priority 0; policy {policy};
        ct state established,related accept
        ct state vmap {{ invalid : drop, new : continue }}
        ip saddr @wide_{version} counter accept
        ip6 saddr . tcp dport @spans_{version} log prefix "réf" group 5 snaplen 64 accept
        meta priority set ip saddr map @classes
        iifname vmap @ways
        update @rate {{ ip saddr limit rate over 5/second burst 5 packets }} drop
        tcp dport {{ 22, 80-90, 443 }} ip6 saddr {{ fe80::/10, ::1 }} accept
        icmpv6 type {{ nd-neighbor-solicit, nd-router-advert }} accept
        {more}
    }}
}}
table netdev edge {{
    chain identity {{ type filter hook ingress device "port0" priority 0; policy accept;
        ether saddr 02:00:00:00:00:01 drop; }}
}}
table arp edge {{
    chain input {{ type filter hook input priority 0; arp operation request arp saddr ip 192.0.2.4 drop; }}
}}
"""


def _as_nft_loads_it(wire: Any, text: str) -> list[Any]:
    done = wire.nft("-f", "-", text=text)
    assert not done.returncode, done.stderr
    return _plain(wire)


def _plain(wire: Any) -> list[Any]:
    """Return nft's own view of everything, without handles and flags of ownership, anonymous sets by content."""
    found = json.loads(wire.nft("-j", "list", "ruleset").stdout)["nftables"]

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: bare(inner)
                for key, inner in value.items()
                if key not in ("handle", "flags", "bytes", "packets")
            }
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    shown = [json.dumps(bare(one), sort_keys=True) for one in found if "metainfo" not in one]
    return sorted(shown)


def test_what_is_applied_is_what_nft_would_load(wire: Any) -> None:
    """The same text by nft itself and by us: nft shows the same, rule by rule and element by element."""
    wanted = _as_nft_loads_it(wire, _text())
    wire.nft("flush", "ruleset")
    apply(wire.netlink(), compile_text(_text()))
    assert wanted == _plain(wire)


def test_a_second_time_changes_nothing(wire: Any) -> None:
    """What is equal is not touched: the generation stays."""
    socket, wanted = wire.netlink(), compile_text(_text())
    first = apply(socket, wanted, keep=KEEP)
    again = apply(socket, compile_text(_text()), keep=KEEP)
    assert (first.generation, ()) == (again.generation, differences(socket, wanted))


def test_owned_tables_survive_a_flush_and_are_adopted_again(wire: Any, has_owned_tables: bool) -> None:
    """Another's `flush ruleset` leaves them; the owner's end leaves them; the next owner finds all elements."""
    socket, wanted = wire.netlink(), compile_text(_text())
    applied = apply(socket, wanted, keep=KEEP)
    if not has_owned_tables:
        assert {Hold.SHARED} == {hold for _, hold in applied.held}
        return
    assert {Hold.CREATED} == {hold for _, hold in applied.held}
    NamedSet(socket, EDGE, "cut").add([Element(k.ipv4("192.0.2.66"))])
    for words in (
        ["flush", "ruleset"],
        ["delete", "table", "inet", "edge"],
        ["add", "rule", "inet", "edge", "passage", "drop"],
    ):
        wire.nft(*words)
    assert () == differences(socket, wanted, keep=KEEP)
    socket.close()
    heir = wire.netlink()
    state = tables.state_of(heir, EDGE)
    assert state is not None and state.is_orphan and state.flags == NFT_TABLE_F_PERSIST
    assert {Hold.ADOPTED} == {hold for _, hold in apply(heir, wanted, keep=KEEP).held}
    wire.nft("flush", "ruleset")
    assert [k.ipv4("192.0.2.66")] == [one.key for one in NamedSet(heir, EDGE, "cut").elements()]


def test_a_table_of_a_living_owner_is_refused(wire: Any, has_owned_tables: bool) -> None:
    """The error names the other's port; its tables stay."""
    owner, other = wire.netlink(), wire.netlink()
    apply(owner, compile_text(_text()))
    if not has_owned_tables:
        assert Hold.SHARED is tables.hold(other, EDGE)
        return
    with pytest.raises(NotAllowedError, match=f"port {owner.port}"):
        apply(other, compile_text(_text(2)))
    with pytest.raises(NotAllowedError, match=f"port {owner.port}"):
        tables.hold(other, EDGE)
    with pytest.raises(NotAllowedError, match="EPERM"):
        NamedSet(other, EDGE, "cut").add([Element(k.ipv4("192.0.2.1"))])


def test_holding_makes_adopts_and_keeps(wire: Any, has_owned_tables: bool) -> None:
    """One call for each case, and it says which; a plain table of someone else is loose, and said to be."""
    first, second = wire.netlink(), wire.netlink()
    if not has_owned_tables:
        assert [Hold.SHARED, Hold.SHARED] == [tables.hold(first, EDGE), tables.hold(second, EDGE)]
        return
    assert [Hold.CREATED, Hold.KEPT] == [tables.hold(first, EDGE), tables.hold(first, EDGE)]
    first.close()
    assert Hold.ADOPTED is tables.hold(second, EDGE)
    wire.nft("add", "table", "ip", "plain")
    loose = tables.hold(second, Table("ip", "plain"))
    assert (Hold.LOOSE, False) == (loose, loose.is_firm)
    assert tables.supports_owned_tables(second)


def test_drift_is_seen_and_repaired(wire: Any) -> None:
    """While no owner lived, someone added a rule, took an element, changed a policy: each is named, then undone."""
    socket, wanted = wire.netlink(), compile_text(_text())
    apply(socket, wanted, keep=KEEP)
    socket.close()
    for words in (
        "add rule inet edge passage drop",
        "delete element inet edge ways { srv-2 }",
        "add chain inet edge forward { policy accept; }",
    ):
        wire.nft(words)
    heir = wire.netlink()
    found = " ".join(differences(heir, wanted, keep=KEEP))
    for words in (
        "chain passage has 2 rules instead of 1",
        "set ways lacks 1 elements",
        "chain forward hooks or decides",
    ):
        assert words in found
    apply(heir, wanted, keep=KEEP)
    assert () == differences(heir, wanted, keep=KEEP)


def test_a_new_generation_leaves_cuts_and_openings(wire: Any) -> None:
    """Sets that others fill keep their elements, interval sets flip by name, and the old ones are gone."""
    socket = wire.netlink()
    apply(socket, compile_text(_text(1)), keep=KEEP)
    NamedSet(socket, EDGE, "cut").add([Element(k.ipv4("192.0.2.66"))])
    second = compile_text(_text(2, policy="accept", more="tcp dport 99 accept"))
    applied = apply(socket, second, keep=KEEP)
    names = {one["set"]["name"] for one in listing(EDGE, netns=wire.edge) if "set" in one}
    assert {"cut", "openings", "wide_2", "spans_2", "rate"} == names
    assert ([k.ipv4("192.0.2.66")], ()) == (
        [one.key for one in NamedSet(socket, EDGE, "cut").elements()],
        applied.reloaded,
    )


def test_a_kept_set_that_is_declared_otherwise_keeps_its_elements(wire: Any) -> None:
    """It is made anew in the transaction, with what it held."""
    socket = wire.netlink()
    apply(socket, compile_text(_text()), keep=KEEP)
    NamedSet(socket, EDGE, "cut").add([Element(k.ipv4(f"192.0.2.{i}")) for i in range(200)])
    apply(socket, compile_text(_text().replace("size 1000", "size 5000")), keep=KEEP)
    assert 200 == len(NamedSet(socket, EDGE, "cut").elements())


def test_a_loose_table_is_made_anew_around_what_is_kept(wire: Any, has_owned_tables: bool) -> None:
    """Persistence cannot be given later: one transaction takes the old away and makes the owned one."""
    wire.nft("-f", "-", text=_text())
    wire.nft("add element inet edge cut { 192.0.2.66 }")
    socket = wire.netlink()
    apply(socket, compile_text(_text()), keep=KEEP)
    assert [k.ipv4("192.0.2.66")] == [one.key for one in NamedSet(socket, EDGE, "cut").elements()]
    if not has_owned_tables:
        return
    wire.nft("flush", "ruleset")
    assert [k.ipv4("192.0.2.66")] == [one.key for one in NamedSet(socket, EDGE, "cut").elements()]


def test_an_interval_set_that_changes_under_its_name_is_reported(wire: Any) -> None:
    """It is not hitless, so whoever compiles learns of it."""
    socket = wire.netlink()
    apply(socket, compile_text(_text()))
    applied = apply(socket, compile_text(_text().replace("192.168.1.0/24", "192.168.7.0/24")))
    assert ("wide_1",) == applied.reloaded


def test_counters_of_chains_that_stay_go_on(wire: Any) -> None:
    """Only chains that differ are written anew."""
    text = "table inet edge { chain a { type filter hook input priority 0; counter; }; chain b { %s; }; }"
    socket = wire.netlink()
    apply(socket, compile_text(text % "accept"))
    wire.connected(plain_socket.AF_INET)
    apply(socket, compile_text(text % "drop"))
    [rule] = [
        one["rule"] for one in listing(EDGE, netns=wire.edge) if one.get("rule", {}).get("chain") == "a"
    ]
    assert rule["expr"][0]["counter"]["packets"] > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("table inet edge { chain a { tcp dport 70000 accept; }; }", "range"),
        ("table inet edge { chain a { ip saddr @nothing accept; }; }", "nothing"),
        (
            "table inet edge { chain a { type filter hook input priority 0; jump b; }; chain b { jump b; }; }",
            "links|loop",
        ),
        ("table inet edge { chain a { jump { drop; }; }; }", "without a name"),
    ],
)
def test_a_bad_text_is_refused_whole(wire: Any, text: str, words: str) -> None:
    """By nft's words, with nothing changed here."""
    before = generation(wire.netlink())
    with pytest.raises(InputError, match=f"(?i){words}"):
        compile_text(text)
    assert before == generation(wire.netlink())


def test_nothing_is_changed_when_the_kernel_refuses(wire: Any) -> None:
    """A kept map that still jumps to a chain that the new text has no more: busy, and all is as before."""
    first = """table inet edge { map ways { type ifname : verdict; }; chain gone { drop; };
        chain forward { type filter hook forward priority 0; iifname vmap @ways; }; }"""
    socket, wanted = wire.netlink(), compile_text(first)
    apply(socket, wanted, keep=("ways",))
    NamedSet(socket, EDGE, "ways").add([Element(k.interface("srv-1"), data=Verdict("jump", "gone"))])
    second = compile_text(first.replace("chain gone { drop; };", ""))
    with pytest.raises(ConflictError, match="EBUSY"):
        apply(socket, second, keep=("ways",))
    assert () == differences(socket, wanted, keep=("ways",))


def test_every_commit_is_announced_with_its_author(wire: Any) -> None:
    """Ours by our port; another's by process and table, at once."""
    socket = wire.netlink()
    with GenerationWatch(netns=wire.edge) as watch:
        apply(socket, compile_text(_text()))
        [ours] = watch.wait(2)
        wire.nft("add", "table", "ip", "theirs")
        [theirs] = watch.wait(2)
    assert (True, True, generation(socket) - 1) == (
        ours.touches(EDGE),
        ours.is_by([socket.port]),
        ours.generation,
    )
    assert ("nft", frozenset({Table("ip", "theirs")}), False) == (
        theirs.process,
        theirs.tables,
        theirs.is_by([socket.port]),
    )


def test_a_watch_that_overflows_says_so(wire: Any) -> None:
    """More was announced than its buffer holds: everything may have changed."""
    wire.nft("add table ip big; add set ip big s { type ipv4_addr; size 100000; }")
    socket = wire.netlink()
    with GenerationWatch(netns=wire.edge, receive_bytes=4096) as watch:
        NamedSet(socket, Table("ip", "big"), "s").add([Element(k.ipv4(i)) for i in range(20_000)])
        assert any(one.lost and one.touches(EDGE) for one in watch.wait(2))


def test_two_at_once_both_end_whole(wire: Any) -> None:
    """The generation guard makes each decide on what it read: no table is half of one and half of another."""
    text = """table inet edge%d {
        set a_%d { type ipv4_addr; flags interval; elements = { 10.%d.0.0/16 }; }
        chain c { ip saddr @a_%d accept; }
    }"""
    texts = [text % (table, version, version, version) for table in (0, 1) for version in (0, 1)]
    wanted = [compile_text(text) for text in texts]
    sockets = [wire.netlink(), wire.netlink()]
    errors: list[BaseException] = []

    def run(which: int) -> None:
        try:
            for round_ in range(6):
                apply(sockets[which], wanted[2 * which + round_ % 2])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ([], (), ()) == (errors, differences(sockets[0], wanted[1]), differences(sockets[1], wanted[3]))


def test_without_ownership_a_flush_is_seen_at_once_and_repaired(wire: Any) -> None:
    """As on kernels before 6.9: one way for both, and the hold says what it is worth."""
    socket, wanted = wire.netlink(), compile_text(_text())
    applied = apply(socket, wanted, keep=KEEP, owned=False)
    assert {(Hold.SHARED, False)} == {(hold, hold.is_firm) for _, hold in applied.held}
    with GenerationWatch(netns=wire.edge) as watch:
        wire.nft("flush", "ruleset")
        [flushed] = watch.wait(2)
    assert (True, False, "nft") == (flushed.touches(EDGE), flushed.is_by([socket.port]), flushed.process)
    assert "table inet edge is missing" in differences(socket, wanted)
    apply(socket, wanted, keep=KEEP, owned=False)
    assert () == differences(socket, wanted)


def test_what_a_killed_writer_left_is_cleared(wire: Any) -> None:
    """It died after it had made the next generation's sets, and before the flip: traffic saw none of them."""
    first = wire.netlink()
    apply(first, compile_text(_text(1)), keep=KEEP)
    first.close()
    wire.nft("add set inet edge wide_2 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }")
    heir, wanted = wire.netlink(), compile_text(_text(3))
    apply(heir, wanted, keep=KEEP)
    assert () == differences(heir, wanted, keep=KEEP)


def test_a_reload_under_traffic_loses_nothing_and_lets_nothing_through(wire: Any) -> None:
    """Interval sets of 2 000 prefixes flip by name while packets are judged by them one by one."""

    def text(version: int) -> str:
        prefixes = ", ".join(f"10.{10 + i // 250}.{i % 250}.0/24" for i in range(2_000))
        return f"""table inet edge {{
            set wide_{version} {{ type ipv4_addr; flags interval; elements = {{ 10.9.0.0/24, {prefixes} }}; }}
            set spans_{version} {{ type ipv4_addr . inet_service; flags interval;
                elements = {{ 10.9.0.0/24 . 9000-9500, 10.8.0.0/24 . {version} }}; }}
            chain input {{ type filter hook input priority 0; policy drop;
                ip saddr @wide_{version} ip saddr . udp dport @spans_{version} accept; }}
        }}"""

    netlink, versions = wire.netlink(), [compile_text(text(version)) for version in (1, 2)]
    apply(netlink, versions[0])
    receivers = {}
    for port in (9001, 9999):
        receivers[port] = wire.open_socket(wire.edge, plain_socket.AF_INET, plain_socket.SOCK_DGRAM)
        receivers[port].setsockopt(plain_socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        receivers[port].bind(("10.9.0.1", port))
        receivers[port].setblocking(False)
    sender = wire.open_socket(wire.peer, plain_socket.AF_INET, plain_socket.SOCK_DGRAM)
    sent, stop = [0], threading.Event()

    def send() -> None:
        while not stop.is_set():
            sender.sendto(b"x", ("10.9.0.1", 9001))
            sender.sendto(b"x", ("10.9.0.1", 9999))
            sent[0] += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for round_ in range(10):
            assert () == apply(netlink, versions[(round_ + 1) % 2]).reloaded
    finally:
        stop.set()
        thread.join()
    arrived = dict.fromkeys(receivers, 0)
    for port, receiver in receivers.items():
        try:
            while receiver.recv(9):
                arrived[port] += 1
        except BlockingIOError:
            continue
    assert sent[0] > 200
    assert {9001: sent[0], 9999: 0} == arrived


def _shards(*versions: int) -> str:
    """Two shards, each with a chain and an interval set of its version; version 0 leaves the shard out."""
    sets = "".join(
        f"set shard_{i}_{v} {{ type ipv4_addr; flags interval; elements = {{ 10.{v}.0.0/16 }}; }}\n"
        for i, v in enumerate(versions) if v
    )  # fmt: skip
    chains = "".join(
        f"chain shard_{i} {{ {f'ip saddr @shard_{i}_{v} accept; ' if v else ''} }}\n"
        for i, v in enumerate(versions)
    )
    return f"""table inet edge {{
        set cut {{ type ipv4_addr; }}
        {sets} {chains}
        chain input {{ type filter hook input priority 0; ip saddr @cut drop; jump shard_0; jump shard_1; }}
    }}"""


def test_one_shard_changes_and_the_others_are_left(wire: Any) -> None:
    """The text holds the changed shard only; the other keeps its rules and its set."""
    socket = wire.netlink()
    apply(socket, compile_text(_shards(1, 1)))
    part = compile_text(_shards(2, 0))
    before = generation(socket)
    apply(socket, part, keep=("cut",), leave=("shard_1",))
    assert ((), before + 3) == (differences(socket, compile_text(_shards(2, 1))), generation(socket))


def test_a_part_is_refused_where_the_whole_is_missing(wire: Any, has_owned_tables: bool) -> None:
    """What is to be left must be there."""
    with pytest.raises(ConflictError, match="whole"):
        apply(wire.netlink(), compile_text(_shards(2, 0)), leave=("shard_1",))
    if not has_owned_tables:
        return
    wire.nft("-f", "-", text=_shards(1, 1))
    with pytest.raises(ConflictError, match="whole"):
        apply(wire.netlink(), compile_text(_shards(2, 0)), leave=("shard_1",))


def test_a_port_that_comes_later(wire: Any) -> None:
    """From Linux 6.16 a chain waits for its port by name; before, its absence is a conflict and nothing changes."""
    text = """table netdev edge { chain late {
        type filter hook ingress device "late0" priority 0; ether type ip counter;
    }; }"""
    socket = wire.netlink()
    if kernel_release() < (6, 16):
        with pytest.raises(ConflictError, match="late"):
            apply(socket, compile_text(text))
        return
    apply(socket, compile_text(text))
    lines = ["link add late0 type veth peer name late1", "link set late0 up", "link set late1 up"]
    namespaces.ip_batch([*lines, "addr add 10.77.0.1/24 dev late1"], netns=wire.edge)
    namespaces.ip_batch(["neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev late1"], netns=wire.edge)
    wire.open_socket(wire.edge, plain_socket.AF_INET, plain_socket.SOCK_DGRAM).sendto(b"x", ("10.77.0.2", 9))
    [rule] = [one["rule"] for one in listing(Table("netdev", "edge"), netns=wire.edge) if "rule" in one]
    assert [1] == [one["counter"]["packets"] for one in rule["expr"] if "counter" in one]


def test_without_the_right_it_is_said_which_is_missing() -> None:
    """Not a traceback of a socket: the capability and what to do."""
    code = "from fwguard.kernel.netlink import NetlinkSocket\nNetlinkSocket()"
    command = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert "NotAllowedError" in done.stderr
    assert "CAP_NET_ADMIN" in done.stderr


def test_a_listing_of_what_is_not_there_is_an_error(wire: Any) -> None:
    """Never an empty table."""
    with pytest.raises(DeviceError, match="apply the ruleset again"):
        listing(EDGE, netns=wire.edge)
