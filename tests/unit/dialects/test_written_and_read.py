"""What a dialect writes, it reads back as meant: any opening, in our own golden cases of every dialect."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import Judge
from fwguard.analysis.what_if import Coverage, what_if
from fwguard.dialects.table import detect
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Policy

GOLDEN = Path(__file__).parents[2] / "golden"
# A case of each dialect, and the network of its servers.
CASES = {
    "iptables/office": "10.20.0.0/24",
    "nftables/server-office": "10.20.0.0/24",
    "rfc8519/office": "10.2.0.0/24",
    "rfc8519/office-json": "10.2.0.0/24",
    "junos/office": "10.0.2.0/24",
    "junos/office-braces": "10.0.2.0/24",
    "junos/office-xml": "10.0.2.0/24",
    "panos/office": "10.0.2.0/24",
    "panos/office-xml": "10.0.2.0/24",
    "fortios/policies": "192.0.2.0/24",
    "asa/levels": "192.0.2.0/24",
    "ios/lists": "192.0.2.0/24",
    "vyos/at-interfaces": "10.20.0.0/24",
    "pfsense/routes": "10.20.0.0/24",
    "opnsense/groups": "10.20.0.0/24",
}
careful = settings(
    max_examples=20, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


@cache
def before(case: str) -> tuple[str, Policy]:
    """Return the text of a case and what it means."""
    (path,) = (GOLDEN / case).glob("input.*")
    text = path.read_text(encoding="utf-8")
    return text, detect(text).read(text)


sources = st.one_of(
    st.just("0.0.0.0/0"),
    st.integers(1, 222).map(lambda n: f"{n}.0.0.0/8"),
    st.integers(0, 255).map(lambda n: f"93.184.{n}.7"),
    st.integers(0, 60).map(lambda n: f"93.184.216.{n}-93.184.216.{n + 9}"),
)
ports = st.one_of(
    st.integers(1, 65535).map(lambda n: Intervals.single(n)),
    st.integers(1, 65000).map(lambda n: Intervals.of((n, n + 10))),
    st.integers(1, 60000).map(lambda n: Intervals.single(n, n + 2, n + 7)),
)


@st.composite
def openings(draw: st.DrawFn, network: str) -> Opening:
    """Draw what a client may ask for a server of a network."""
    first = AddressSet.parse(network).v4.first
    low = first + draw(st.integers(2, 200))
    target = AddressSet(v4=Intervals.of((low, low + draw(st.sampled_from((0, 0, 1, 5))))))
    return Opening(
        protocol=draw(st.sampled_from((6, 6, 17))),
        source=AddressSet.parse(draw(sources)),
        target=target,
        ports=draw(ports),
    )


def around(opening: Opening, ingress: str, egress: str) -> list[Packet]:
    """Return packets at the edges of an opening: just inside and just outside."""
    low, high = opening.source.v4.pairs[0]
    packets = []
    for source in {low, high, max(1 << 24, low - 1), min((223 << 24) - 1, high + 1)}:
        for target in (opening.target.v4.first, opening.target.v4.pairs[-1][1] + 1):
            for dport in {opening.ports.first, opening.ports.pairs[-1][1], opening.ports.pairs[-1][1] + 1}:
                packets.append(
                    Packet(
                        source=AddressSet(v4=Intervals.single(source)).texts()[0],
                        target=AddressSet(v4=Intervals.single(target)).texts()[0],
                        protocol=opening.protocol, sport=40000, dport=min(dport, 65535),
                        ingress=ingress, egress=egress,
                    )
                )  # fmt: skip
    return packets


@pytest.mark.parametrize("case", sorted(CASES))
@careful
@given(data=st.data())
def test_an_opening_that_is_written_reads_back_as_itself(case: str, data: st.DataObject) -> None:
    """It opens all that was asked and closes nothing; taking it out again leaves an equal firewall."""
    text, policy = before(case)
    opening = data.draw(openings(CASES[case]))
    dialect = detect(text)
    try:
        edit = dialect.write(Change(tag="t-1", openings=(opening,)), text)
    except InputError:
        assume(False)
    after = dialect.read(edit.after)
    found = what_if(policy, after, (opening,))
    assert Coverage.NONE is not found.then
    assert () == found.closes
    assert () == tuple(box for box in found.wider_than_asked if not box.leans), found.wider_than_asked
    removed = dialect.write(Change(tag="t-1", openings=(opening,), remove=True), edit.after)
    assert dialect.canonical(text) == dialect.canonical(removed.after)
    assert compare(policy, dialect.read(removed.after)).is_empty


@pytest.mark.parametrize("case", sorted(CASES))
@careful
@given(data=st.data())
def test_a_change_that_is_applied_gives_what_was_said_of_it(case: str, data: st.DataObject) -> None:
    """A packet fares differently exactly where what-if said that it would."""
    text, policy = before(case)
    opening = data.draw(openings(CASES[case]))
    dialect = detect(text)
    try:
        after = dialect.read(dialect.write(Change(tag="t-1", openings=(opening,)), text).after)
    except InputError:
        assume(False)
    found = what_if(policy, after, (opening,))
    old, new = Judge(policy), Judge(after)
    names = sorted({name for box in (*found.opens, *found.undecided) for name in box.ingress.names} | {"x9"})
    leave = sorted({name for box in (*found.opens, *found.undecided) for name in box.egress.names} | {"x9"})
    for packet in around(opening, data.draw(st.sampled_from(names)), data.draw(st.sampled_from(leave))):
        passed = {judge: judge.verdict(packet).answer for judge in (old, new)}
        # NAT comes first for a packet; what-if speaks of what the filter sees.
        if passed[old] is passed[new]:
            assert not any(packet in box for box in (*found.opens, *found.closes))
        elif Answer.UNKNOWN not in passed.values() and {*passed.values()} != {Answer.DROP, Answer.REJECT}:
            boxes = found.opens if passed[new] is Answer.ACCEPT else found.closes
            assert any(packet in box for box in boxes), packet
