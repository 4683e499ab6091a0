"""Set elements in a real kernel, as nft shows them."""

from __future__ import annotations

import errno
import json
import os
import socket as plain_socket
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwguard.errors import CommitRefusedError, ConflictError, InputError, PartialReadingError
from fwguard.kernel import keys as k
from fwguard.kernel.elements import Element, Verdict, plain_interval
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.refusals import numbers
from fwguard.kernel.sets import NamedSet

pytestmark = pytest.mark.integration
TABLE = Table("inet", "edge")
_TEXT = """table inet edge {
    chain passage { }
    set openings { type ipv4_addr . inet_proto . inet_service; flags timeout; size 200000; }
    set openings6 { type ipv6_addr . inet_proto . inet_service; flags timeout; size 200000; }
    set prefixes { type ipv6_addr; flags interval; }
    set spans { type ipv4_addr . inet_service; flags interval; }
    map classes { type ipv4_addr : classid; counter; }
    map verdicts { type ifname : verdict; }
    set macs { type ether_addr; }
    set small { type ipv4_addr; size 2; }
}
"""


@pytest.fixture
def sets(wire: Any) -> dict[str, NamedSet]:
    """Every set of the text above by name, over one socket."""
    done = wire.nft("-f", "-", text=_TEXT)
    assert not done.returncode, done.stderr
    socket = wire.netlink()
    names = ("openings", "openings6", "prefixes", "spans", "classes", "verdicts", "macs", "small")
    return {name: NamedSet(socket, TABLE, name) for name in names}


def _opening(number: int, port: int = 80, **more: Any) -> Element:
    return Element(k.concat(k.ipv4(0x0A000000 + number), k.protocol("tcp"), k.port(port)), **more)


def _shown(wire: Any, name: str) -> Any:
    listed = json.loads(wire.nft("-j", "list", "set", "inet", "edge", name).stdout)["nftables"]
    return next(one["set"] for one in listed if "set" in one).get("elem", [])


def test_a_hundred_thousand_elements_are_added_read_and_removed(sets: dict[str, NamedSet]) -> None:
    """In one transaction each, and the listing is read over all of its messages."""
    elements = [_opening(i, comment=f"t-{i}") for i in range(100_000)]
    sets["openings"].add(elements)
    assert {(one.key, one.comment) for one in elements} == {
        (one.key, one.comment) for one in sets["openings"].elements()
    }
    sets["openings"].remove(elements)
    assert [] == sets["openings"].elements()


def test_a_cut_gets_in_between_the_steps_of_a_load(sets: dict[str, NamedSet]) -> None:
    """On the same socket, which owns the tables: it does not wait for the end of a hundred thousand."""
    elements = [_opening(i) for i in range(100_000)]
    ended: list[float] = []

    def load() -> None:
        assert 100_000 == sets["openings"].add_in_steps(elements)
        ended.append(time.monotonic())

    loading = threading.Thread(target=load)
    loading.start()
    cuts = []
    for number in range(20):
        sets["macs"].add([Element(k.ether(f"02:00:00:00:00:{number:02x}"))])
        cuts.append(time.monotonic())
    loading.join(60)
    assert cuts[-1] < ended[0]
    assert 100_000 == len(sets["openings"].elements())


def test_a_listing_that_changes_underneath_is_whole_or_refused(wire: Any, sets: dict[str, NamedSet]) -> None:
    """Refused when others never stop writing, since the kernel does not say what it left out."""
    held = sets["openings"]
    held.add([_opening(i) for i in range(20_000)])
    other = NamedSet(wire.netlink(), TABLE, "macs")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            other.add([Element(k.ether("02:00:00:00:00:01"))])
            other.flush()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        with pytest.raises(PartialReadingError, match="changed during each"):
            held.elements()
    finally:
        stop.set()
        writing.join(10)
    assert 20_000 == len(held.elements())


def test_nft_shows_what_was_added(wire: Any, sets: dict[str, NamedSet]) -> None:
    """Concatenated keys of v6, times and comments as nft itself would write them."""
    key = k.concat(k.ipv6("2001:db8::1"), k.protocol("udp"), k.port(53))
    sets["openings6"].add([Element(key, timeout_ms=60_000, comment="t-7")])
    [one] = _shown(wire, "openings6")
    elem = one["elem"]
    assert ({"concat": ["2001:db8::1", "udp", 53]}, 60, "t-7") == (
        elem["val"],
        elem["timeout"],
        elem["comment"],
    )


def test_intervals_plain_and_concatenated(wire: Any, sets: dict[str, NamedSet]) -> None:
    """nft reads them as prefixes and ranges."""
    sets["prefixes"].add(plain_interval(k.ipv6("2001:db8::"), k.ipv6("2001:db8:0:ffff:ffff:ffff:ffff:ffff")))
    low, high = k.concat(k.ipv4("192.0.2.0"), k.port(80)), k.concat(k.ipv4("192.0.2.255"), k.port(90))
    sets["spans"].add([Element(low, high)])
    assert [{"prefix": {"addr": "2001:db8::", "len": 48}}] == _shown(wire, "prefixes")
    assert [{"concat": [{"prefix": {"addr": "192.0.2.0", "len": 24}}, {"range": [80, 90]}]}] == _shown(
        wire, "spans"
    )
    sets["spans"].remove([Element(low, high)])
    sets["prefixes"].remove(
        plain_interval(k.ipv6("2001:db8::"), k.ipv6("2001:db8:0:ffff:ffff:ffff:ffff:ffff"))
    )
    assert ([], []) == (_shown(wire, "spans"), _shown(wire, "prefixes"))


def test_map_data_and_verdicts_come_back(sets: dict[str, NamedSet]) -> None:
    """A class, a jump, a drop, and a counter at zero."""
    classes = [Element(k.ipv4("192.0.2.1"), data=k.mark(0x1002A))]
    verdicts = [
        Element(k.interface("a"), data=Verdict("jump", "passage")),
        Element(k.interface("b"), data=Verdict("drop")),
    ]
    sets["classes"].add(classes)
    sets["verdicts"].add(verdicts)
    assert [(classes[0].key, classes[0].data, 0)] == [
        (e.key, e.data, e.packets) for e in sets["classes"].elements()
    ]
    assert set(verdicts) == set(sets["verdicts"].elements())


def test_an_element_ends_by_itself(sets: dict[str, NamedSet]) -> None:
    """The kernel's own clock; nobody needs to be awake."""
    sets["openings"].add([_opening(1, timeout_ms=200), _opening(2, timeout_ms=60_000)])
    time.sleep(0.3)
    assert [_opening(2).key] == [one.key for one in sets["openings"].elements()]


@pytest.mark.parametrize("in_place", [None, False])
def test_extending_restarts_the_time(sets: dict[str, NamedSet], in_place: bool | None) -> None:
    """In place on newer kernels, by delete and add in one transaction on older ones; absent ones are added."""
    held = NamedSet(sets["openings"].socket, TABLE, "openings", in_place)
    held.add([_opening(1, timeout_ms=2_000, comment="t-1")])
    time.sleep(0.05)
    held.extend([_opening(1, timeout_ms=60_000, comment="t-1"), _opening(2, timeout_ms=30_000)])
    left = {one.key: one.expires_ms for one in held.elements()}
    assert left.keys() == {_opening(1).key, _opening(2).key}
    assert 59_000 < left[_opening(1).key] <= 60_000
    assert 29_000 < left[_opening(2).key] <= 30_000


def test_many_are_extended_on_older_kernels(sets: dict[str, NamedSet]) -> None:
    """A thousand, half of them there."""
    held = NamedSet(sets["openings"].socket, TABLE, "openings", updates_in_place=False)
    held.add([_opening(i, timeout_ms=5_000) for i in range(0, 1000, 2)])
    held.extend([_opening(i, timeout_ms=60_000) for i in range(1000)])
    assert (1000, True) == (len(held.elements()), all(one.expires_ms > 50_000 for one in held.elements()))


def test_a_batch_holds_whole_or_not_at_all(sets: dict[str, NamedSet]) -> None:
    """One element that is not there, and the ten thousand beside it stay."""
    elements = [_opening(i) for i in range(10_000)]
    sets["openings"].add(elements)
    with pytest.raises(ConflictError, match="ENOENT"):
        sets["openings"].remove([*elements, _opening(10_000)])
    assert 10_000 == len(sets["openings"].elements())


def test_discarding_removes_what_is_there(sets: dict[str, NamedSet]) -> None:
    """An element that has timed out meanwhile is no error."""
    sets["openings"].add([_opening(1), _opening(2)])
    assert 1 == sets["openings"].discard([_opening(1), _opening(3)])
    assert 1 == sets["openings"].discard([_opening(i) for i in range(2, 200)])
    assert [] == sets["openings"].elements()


def test_replacing_is_one_transaction(sets: dict[str, NamedSet]) -> None:
    """The old go as the new come."""
    sets["openings"].add([_opening(i) for i in range(100)])
    sets["openings"].replace([_opening(i) for i in range(50, 200)])
    assert {_opening(i).key for i in range(50, 200)} == {one.key for one in sets["openings"].elements()}


def test_refusals_say_where_and_why(sets: dict[str, NamedSet]) -> None:
    """There already, missing set, full set, overlapping intervals, a key of another length."""
    socket = sets["openings"].socket
    sets["openings"].add([_opening(1)])
    sets["small"].add([Element(k.ipv4("192.0.2.1")), Element(k.ipv4("192.0.2.2"))])
    sets["prefixes"].add(plain_interval(k.ipv6("2001:db8::"), k.ipv6("2001:db8::ff")))
    across = plain_interval(k.ipv6("2001:db8::8"), k.ipv6("2001:db8:1::"))
    refused = (
        (ConflictError, "EEXIST", lambda: sets["openings"].add([_opening(1)], exclusive=True)),
        (ConflictError, "ENOENT", lambda: NamedSet(socket, TABLE, "nothing").add([_opening(1)])),
        (ConflictError, "ENOENT", lambda: NamedSet(socket, TABLE, "nothing").elements()),
        (ConflictError, "ENOENT", lambda: NamedSet(socket, Table("ip", "edge"), "openings").flush()),
        (CommitRefusedError, "ENFILE", lambda: sets["small"].add([Element(k.ipv4("192.0.2.3"))])),
        (ConflictError, "EEXIST", lambda: sets["prefixes"].add(across)),
        (CommitRefusedError, "EINVAL", lambda: sets["small"].add([Element(b"123456789")])),
    )  # fmt: skip
    for kind, name, act in refused:
        with pytest.raises(kind, match=rf"set (inet|ip) edge \w+: .*{name}.*expected"):
            act()


def test_a_batch_that_does_not_fit_is_refused_whole(sets: dict[str, NamedSet]) -> None:
    """Someone made the send buffer small again: the size is named, nothing was sent, and smaller ones still go."""
    held = sets["openings"]
    with plain_socket.socket(fileno=os.dup(held.socket.fileno())) as same:
        same.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_SNDBUF, 4096)
    with pytest.raises(InputError, match=r"sending \d+ bytes: .*EMSGSIZE.*split"):
        held.add([_opening(i) for i in range(1000)])
    held.add([_opening(1)])
    assert [_opening(1).key] == [one.key for one in held.elements()]


def test_answers_that_were_lost_are_no_success(wire: Any, sets: dict[str, NamedSet]) -> None:
    """Five thousand refusals into a small buffer: an error, whatever the kernel could tell of it."""
    elements = [_opening(i) for i in range(5_000)]
    sets["openings"].add(elements)
    with NetlinkSocket(netns=wire.edge, receive_bytes=4096) as small:
        held = NamedSet(small, TABLE, "openings")
        each = [request for one in elements for request in held.adding([one], exclusive=True)]
        refused = small.transact(each)
        assert numbers(refused) <= {errno.EEXIST, errno.ENOBUFS, errno.ENOMEM}
        assert refused
    assert 5_000 == len(sets["openings"].elements())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_kernel_holds_what_a_plain_dictionary_would(
    sets: dict[str, NamedSet], data: st.DataObject
) -> None:
    """Any mixture of adds, discards, extensions and replacements."""
    held, model = sets["openings"], dict[bytes, str]()
    held.flush()
    for _ in range(data.draw(st.integers(1, 6))):
        chosen = data.draw(st.lists(st.integers(0, 40), unique=True, max_size=12))
        elements = [_opening(i, timeout_ms=90_000, comment=f"t-{i}") for i in chosen]
        what = data.draw(st.sampled_from(["add", "discard", "extend", "replace"]))
        if what == "discard":
            assert sum(one.key in model for one in elements) == held.discard(elements)
            model = {key: value for key, value in model.items() if key not in {one.key for one in elements}}
            continue
        getattr(held, what)(elements)
        model = {one.key: one.comment for one in elements} | ({} if what == "replace" else model)
    assert model == {one.key: one.comment for one in held.elements()}
