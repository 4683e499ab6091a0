"""Isolation on a real wire: open TCP flows of both families die, and come back only by the right release."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from fwguard.errors import CommitRefusedError, ConflictError, InputError
from fwguard.kernel import keys as k
from fwguard.kernel.elements import Element, Verdict
from fwguard.kernel.links import Links
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.quarantine import Cut, Kind, Origin, Place, Quarantine, plain_places
from fwguard.kernel.ruleset import apply, compile_text
from fwguard.kernel.sets import NamedSet

pytestmark = pytest.mark.integration
EDGE = Table("inet", "edge")
_TYPES = {"port": "ifname", "v4": "ipv4_addr", "v6": "ipv6_addr", "mac": "ether_addr"}
_TEXT = f"""table inet edge {{
    {
    "".join(
        f'''set cut_local_{kind} {{ type {type_}; size 3; }}
    set cut_ordered_{kind} {{ type {type_}; flags timeout; }}
    '''
        for kind, type_ in _TYPES.items()
    )
}
    map cut_ways {{ type ifname : verdict; flags timeout; }}
    chain passage {{ tcp dport 22 accept; drop; }}
    chain cut {{
        type filter hook prerouting priority -310; policy accept;
        iifname @cut_local_port drop
        iifname @cut_ordered_port drop
        iifname vmap @cut_ways
        ip saddr @cut_local_v4 drop
        ip saddr @cut_ordered_v4 drop
        ip6 saddr @cut_local_v6 drop
        ip6 saddr @cut_ordered_v6 drop
        ether saddr @cut_local_mac drop
        ether saddr @cut_ordered_mac drop
    }}
    chain input {{ type filter hook input priority 0; ct state established accept; }}
}}
"""


@pytest.fixture
def quarantine(wire: Any) -> Quarantine:
    """A quarantine over the edge's tables."""
    netlink = wire.netlink()
    apply(netlink, compile_text(_TEXT))
    return Quarantine(netlink, plain_places(EDGE))


def _arrives(client: socket.socket, server: socket.socket) -> bool:
    client.send(b"x")
    try:
        return bool(server.recv(100))
    except TimeoutError:
        return False


def _mac(wire: Any) -> str:
    with Links(netns=wire.peer) as links:
        return links.port("eth0").mac


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("kind", ["address", "port", "mac"])
def test_an_open_flow_stops_and_goes_on(
    wire: Any, quarantine: Quarantine, kind: str, family: socket.AddressFamily, origin: Origin
) -> None:
    """Established connections too, by each kind of cut, v4 and v6; TCP sends again what was dropped."""
    address = Cut(Kind.V4, "10.9.0.2") if family == socket.AF_INET else Cut(Kind.V6, "fd09::2")
    cut = {"address": address, "port": Cut(Kind.PORT, "port0"), "mac": Cut(Kind.MAC, _mac(wire))}[kind]
    client, server = wire.connected(family)
    assert _arrives(client, server)
    quarantine.isolate(cut, origin)
    assert not _arrives(client, server)
    assert quarantine.release(cut, origin)
    server.settimeout(3)
    assert _arrives(client, server)


def test_a_release_names_its_origin(quarantine: Quarantine) -> None:
    """What was cut on the spot stays when the controller's order ends, and the other way round."""
    cut = Cut(Kind.V6, "2001:db8::66")
    quarantine.isolate(cut, Origin.LOCAL)
    assert not quarantine.release(cut, Origin.ORDERED)
    assert ((Kind.V6, k.ipv6("2001:db8::66")),) == quarantine.isolated(Origin.LOCAL)
    assert (True, False) == (quarantine.release(cut, Origin.LOCAL), quarantine.release(cut, Origin.LOCAL))
    assert () == quarantine.isolated(Origin.LOCAL)


def test_a_local_cut_has_no_timeout(quarantine: Quarantine) -> None:
    """It ends by a release only; cutting again is no error."""
    cut = Cut(Kind.PORT, "srv-1")
    with pytest.raises(InputError, match="local cut"):
        quarantine.isolate(cut, Origin.LOCAL, timeout_ms=1000)
    quarantine.isolate(cut, Origin.LOCAL)
    quarantine.isolate(cut, Origin.LOCAL)
    assert 1 == len(quarantine.isolated(Origin.LOCAL))


def test_an_ordered_cut_ends_by_itself_and_can_be_made_longer_or_endless(
    wire: Any, quarantine: Quarantine
) -> None:
    """Each order counts from its own moment."""
    held = NamedSet(wire.netlinks[0], EDGE, "cut_ordered_v4")
    cut = Cut(Kind.V4, "192.0.2.66")
    quarantine.isolate(cut, Origin.ORDERED, timeout_ms=200)
    time.sleep(0.3)
    assert () == quarantine.isolated(Origin.ORDERED)
    quarantine.isolate(cut, Origin.ORDERED, timeout_ms=5_000)
    quarantine.isolate(cut, Origin.ORDERED, timeout_ms=60_000)
    assert [True] == [one.expires_ms > 50_000 for one in held.elements()]
    quarantine.isolate(cut, Origin.ORDERED)
    assert [0] == [one.timeout_ms for one in held.elements()]


def test_a_map_says_what_stays_open_and_changes_in_one_transaction(wire: Any) -> None:
    """A cut by port stands in two places at once; the verdict of the second order holds."""
    netlink = wire.netlink()
    apply(netlink, compile_text(_TEXT))
    places = (Place(EDGE, "cut_ordered_port"), Place(EDGE, "cut_ways", is_map=True))
    quarantine = Quarantine(netlink, {(Origin.ORDERED, Kind.PORT): places})
    cut = Cut(Kind.PORT, "srv-1")
    quarantine.isolate(cut, Origin.ORDERED)
    quarantine.isolate(
        cut, Origin.ORDERED, verdict=Verdict("goto", "passage"), timeout_ms=60_000, comment="case-7"
    )
    [one] = NamedSet(netlink, EDGE, "cut_ways").elements()
    assert (Verdict("goto", "passage"), "case-7", 60_000) == (one.data, one.comment, one.timeout_ms)
    assert quarantine.release(cut, Origin.ORDERED)
    assert () == quarantine.isolated(Origin.ORDERED)


def test_a_full_set_and_a_missing_one_are_errors(wire: Any, quarantine: Quarantine) -> None:
    """A cut that does not hold is never taken for one that does."""
    held = NamedSet(wire.netlinks[0], EDGE, "cut_local_v4")
    held.add([Element(k.ipv4(f"192.0.2.{i}")) for i in range(3)])
    with pytest.raises(CommitRefusedError, match="full"):
        quarantine.isolate(Cut(Kind.V4, "192.0.2.66"), Origin.LOCAL)
    with pytest.raises(ConflictError, match="ENOENT"):
        Quarantine(wire.netlinks[0], plain_places(Table("ip", "edge"))).isolate(
            Cut(Kind.V4, "192.0.2.9"), Origin.LOCAL
        )
    with pytest.raises(InputError, match="no set"):
        Quarantine(wire.netlinks[0], {}).isolate(Cut(Kind.V4, "192.0.2.9"), Origin.LOCAL)


@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.V4, "fd00::1"), (Kind.V6, "x"), (Kind.MAC, "02:00"), (Kind.PORT, "")]
)
def test_what_is_none_of_its_kind_is_no_cut(kind: Kind, value: str) -> None:
    """What exists is valid."""
    with pytest.raises(InputError):
        Cut(kind, value)
