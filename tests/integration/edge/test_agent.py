"""A real agent on a real edge: what it lets pass, and what it takes to make it stop."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_site import CLOSED_PORT, INTERNET, OPEN_PORT, PUBLIC, SERVER, Site, site_state, talks

from fwguard.kernel.namespaces import inside
from fwguard.model.controls import Reason
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import CutRelease, EdgeIsolation, EdgeOpening, Scope
from fwguard.model.edge_wire import EventKind
from fwguard.model.ports import UDP

pytestmark = pytest.mark.integration
BOTH = pytest.mark.parametrize("version", [4, 6])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Build one site, enrolled, its agent running under generation 1."""
    with Site(tmp_path_factory.mktemp("edge")) as made, made.web():
        made.begin()
        made.peer.publish(site_state(1))
        made.start()
        made.peer.wait_applied((1, 1))
        yield made


@pytest.fixture
def site(built: Site) -> Site:
    """Give the site with its agent up and generation N + 1 of the plain state in force."""
    if not built.peer.is_up:
        built.peer.listen(lambda work: inside(built.edge, work))
    if built.agent is None or built.agent.poll() is not None:
        built.kill()
        built.start()
    give_back(built)
    return built


def give_back(site: Site) -> None:
    """Release every cut that stands, so that no test inherits one."""
    told = [*site.peer.of_kind(EventKind.VERDICT), *site.peer.of_kind(EventKind.CUT)]
    released = {event.facts["cut"] for event in site.peer.of_kind(EventKind.RELEASED)}
    standing = [event for event in told if event.id not in released and event.port]
    renew(site, releases=tuple(CutRelease(port=e.port, cut=e.id, case=12) for e in standing))
    site.peer.wait_for(
        lambda: {e.id for e in standing} <= {e.facts["cut"] for e in site.peer.of_kind(EventKind.RELEASED)}
    )


def renew(site: Site, **more: object) -> tuple[int, int]:
    """Publish the next generation and wait until it is in force."""
    version = (1, site.peer.version[1] + 1)
    site.peer.publish(site_state(version[1], **more))
    site.peer.wait_applied(version)
    return version


@BOTH
def test_what_is_open_passes_and_nothing_else(site: Site, version: int) -> None:
    """The client's firewall forwards both ports; only the approved one carries packets."""
    assert site.connects(version, OPEN_PORT)
    assert not site.connects(version, CLOSED_PORT)


@BOTH
def test_a_new_opening_opens_and_its_end_ends_its_connections(site: Site, version: int) -> None:
    """A later state opens a port; the next takes it and the running connection away."""
    renew(site, opened=(OPEN_PORT, CLOSED_PORT))
    with site.dial(
        site.internet, version, {4: "203.0.113.10", 6: "2001:db8:1::10"}[version], CLOSED_PORT
    ) as one:
        assert talks(one)
        renew(site)
        assert not talks(one)
    assert not site.connects(version, CLOSED_PORT)


@BOTH
def test_an_opening_ends_by_itself_with_its_connections(site: Site, version: int) -> None:
    """The end of an opening is the kernel's; the connection goes within seconds, without a new state."""
    state = site_state(1, opened=(OPEN_PORT, CLOSED_PORT))
    soon = int(time.time()) + 4
    openings = tuple(
        replace(one, ends_at_s=soon if one.first_port == CLOSED_PORT else None) for one in state.openings
    )
    renew(site, openings=openings)
    with site.dial(
        site.internet, version, {4: "203.0.113.10", 6: "2001:db8:1::10"}[version], CLOSED_PORT
    ) as one:
        assert talks(one)
        site.peer.wait_for(lambda: time.time() > soon + 3)
        assert not talks(one)
    assert not site.connects(version, CLOSED_PORT)


@BOTH
def test_a_datagram_flow_ends_with_its_opening(site: Site, version: int) -> None:
    """Its server goes on sending: what it sends does not open the flow anew, until it is approved again."""
    public, number = PUBLIC[version], 8700 + version
    opening = EdgeOpening(
        port=1, public=Span.parse(public), protocol=UDP, first_port=number, last_port=number, ticket="U1"
    )
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    to = f"dnat {'ip' if version == 4 else 'ip6'} to {SERVER[version]}"
    rule = f'add rule inet nat in iifname "wan0" udp dport {number} {to}'
    subprocess.run(["ip", "netns", "exec", site.firewall, "nft", rule], check=True, timeout=10)
    plain = site_state(1).openings
    renew(site, openings=(*plain, opening))
    server = inside(site.server, lambda: socket.socket(family, socket.SOCK_DGRAM))
    client = inside(site.internet, lambda: socket.socket(family, socket.SOCK_DGRAM))
    with server, client:
        server.bind(("::" if version == 6 else "0.0.0.0", number))
        server.settimeout(0.5)
        client.settimeout(0.5)
        client.sendto(b"hello", (public, number))
        _, peer = server.recvfrom(64)
        server.sendto(b"answer", peer)
        assert b"answer" == client.recv(64)
        renew(site, openings=plain)
        for _ in range(5):
            server.sendto(b"still here", peer)
            client.sendto(b"me too", (public, number))
        with pytest.raises(TimeoutError):
            server.recvfrom(64)
        with pytest.raises(TimeoutError):
            client.recv(64)
        renew(site, openings=(*plain, opening))
        client.sendto(b"again", (public, number))
        assert b"again" == server.recvfrom(64)[0]
        server.sendto(b"answer", peer)
        assert b"answer" == client.recv(64)


def test_an_owned_table_survives_a_flush(site: Site) -> None:
    """While the agent lives, `nft flush ruleset` by somebody leaves our tables and the policy in place."""
    site.nft("flush", "ruleset")
    assert not site.connects(4, CLOSED_PORT) and site.connects(4, OPEN_PORT)
    assert site.nft("delete", "table", "inet", "fwguard").returncode != 0


def test_traffic_control_that_somebody_removed_is_put_back(site: Site) -> None:
    """The uplink's queues are back within a second or so, and it is told."""
    before = len(site.peer.of_kind(EventKind.REPAIRED))
    tc = ["ip", "netns", "exec", site.edge, "tc"]
    assert (
        "htb 1:10"
        in subprocess.run([*tc, "class", "show", "dev", "uplink"], capture_output=True, text=True).stdout
    )
    subprocess.run([*tc, "qdisc", "del", "dev", "uplink", "root"], check=True)
    site.peer.wait_for(lambda: len(site.peer.of_kind(EventKind.REPAIRED)) > before, within_s=5)
    assert (
        "htb 1:10"
        in subprocess.run([*tc, "class", "show", "dev", "uplink"], capture_output=True, text=True).stdout
    )


@BOTH
def test_killed_it_goes_on_enforcing(site: Site, version: int) -> None:
    """After kill -9 the kernel holds the last good state; what others break meanwhile is put right at the start."""
    site.kill()
    assert site.connects(version, OPEN_PORT) and not site.connects(version, CLOSED_PORT)
    site.nft("flush", "ruleset")
    before = len(site.peer.of_kind(EventKind.REPAIRED))
    site.start()
    assert site.connects(version, OPEN_PORT) and not site.connects(version, CLOSED_PORT)
    site.peer.wait_for(lambda: len(site.peer.of_kind(EventKind.REPAIRED)) > before)


def test_without_the_controller_it_goes_on_and_tells_later(site: Site) -> None:
    """With the controller away it restarts from disk, keeps events, and delivers them once it is back."""
    site.peer.stop()
    site.kill()
    site.nft("delete", "chain", "inet", "fwguard", "forward")
    site.nft("flush", "chain", "inet", "fwguard", "forward")
    before = {event.id for event in site.peer.of_kind(EventKind.REPAIRED)}
    site.start()
    assert site.connects(4, OPEN_PORT) and not site.connects(4, CLOSED_PORT)
    time.sleep(2)
    site.peer.listen(lambda work: inside(site.edge, work))
    site.peer.wait_for(lambda: {e.id for e in site.peer.of_kind(EventKind.REPAIRED)} - before, within_s=60)


@BOTH
def test_an_ordered_isolation_stops_open_connections_and_its_end_gives_back(site: Site, version: int) -> None:
    """A server that the controller isolates is dark at once, its open connections too."""
    public = {4: "203.0.113.10", 6: "2001:db8:1::10"}[version]
    with site.dial(site.internet, version, public, OPEN_PORT) as one:
        assert talks(one)
        renew(
            site,
            isolations=(
                EdgeIsolation(scope=Scope.PORT, port=3, reason=Reason.PAYMENT, clause="14.5", case=7),
            ),
        )
        assert not talks(one)
        assert not site.connects(version, OPEN_PORT)
    renew(site)
    assert site.connects(version, OPEN_PORT)


def _irc(one: socket.socket) -> None:
    one.recv(512)
    one.sendall(b":irc.example.net NOTICE * :*** Looking up your hostname...\r\n")
    one.sendall(b":irc.example.net 001 bot :Welcome to the Example IRC Network bot!bot@host\r\n")
    one.sendall(b":irc.example.net 002 bot :Your host is irc.example.net, running version 1\r\n")
    while data := one.recv(512):
        one.sendall(b":irc.example.net PONG irc.example.net :" + data.strip()[:40] + b"\r\n")


def _smtp(one: socket.socket) -> None:
    one.sendall(b"220 mx.example.net ESMTP ready\r\n")
    while data := one.recv(512):
        if data.upper().startswith(b"EHLO"):
            one.sendall(b"250-mx.example.net\r\n250 SIZE 1000000\r\n")
        else:
            one.sendall(b"250 2.1.0 Ok\r\n")


def _says(one: socket.socket, words: bytes) -> bytes:
    try:
        one.sendall(words)
        time.sleep(0.05)
        return one.recv(2048)
    except OSError:
        return b""


@BOTH
@pytest.mark.parametrize(
    ("number", "serve", "words", "detector", "clause"),
    [
        (34567, _irc, [b"NICK bot\r\nUSER bot 0 * :bot\r\n", b"JOIN #x\r\n", b"PING a\r\n", b"PING b\r\n"],
         "irc", "7.5"),
        (34525, _smtp, [b"EHLO spam.example\r\n", b"MAIL FROM:<a@example.org>\r\n", b"RCPT TO:<b@example.net>\r\n",
                        b"NOOP\r\n"], "smtp", "7.4"),
    ],
    ids=["irc", "smtp"],
)  # fmt: skip
def test_a_service_on_an_odd_port_is_seen_and_cut(
    site: Site, version: int, number: int, serve: object, words: list[bytes], detector: str, clause: str
) -> None:
    """A flow that breaks a clause is named by its words on any port, cut at once, told, and given back by name."""
    known = {event.id for event in site.peer.of_kind(EventKind.VERDICT)}
    number += version
    with site.listening(site.internet, version, number, serve):
        with site.dial(site.server, version, INTERNET[version], number) as one:
            one.settimeout(1.0)
            answers = [_says(one, said) for said in words]
            assert answers[0] or answers[1]
            verdict = site.peer.wait_for(
                lambda: [e for e in site.peer.of_kind(EventKind.VERDICT) if e.id not in known]
            )[0]
            assert (detector, clause) == (
                verdict.facts["detection"]["detector"],
                verdict.facts["detection"]["clause"],
            )
            assert "srv1" == verdict.facts["detection"]["ingress"] and 3 == verdict.port
            assert verdict.facts["action"] in ("port", "service", "server") and verdict.facts["evidence"]
            assert b"" == _says(one, b"NOOP\r\n")
            # Reset, not closed: nothing of this flow is sent again once the cut is taken back.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A restart of the agent does not give it back.
        site.kill()
        site.start()
        with pytest.raises(OSError):
            site.dial(site.server, version, INTERNET[version], number, 0.6).close()
        renew(site, releases=(CutRelease(port=3, cut=verdict.id, case=11),))
        site.peer.wait_for(
            lambda: [e for e in site.peer.of_kind(EventKind.RELEASED) if e.facts["cut"] == verdict.id]
        )
        if verdict.facts["action"] == "port":
            site.dial(site.server, version, INTERNET[version], number).close()


def test_a_state_of_another_hand_is_refused(site: Site) -> None:
    """A wrong signature, an older generation, no JSON: refused and told, and what holds stays."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    held = site.peer.version
    opened = site_state(held[1] + 1, opened=(OPEN_PORT, CLOSED_PORT))

    def refused(why: str) -> object:
        return site.peer.wait_for(
            lambda: [e for e in site.peer.of_kind(EventKind.REFUSED) if why in e.facts["why"]]
        )

    site.peer.publish(opened, key=Ed25519PrivateKey.generate())
    assert refused("signature")
    site.peer.publish(replace(opened, generation=0, epoch=1))
    assert refused("older than what is enforced")
    site.peer.publish_bytes(b"{", (1, held[1] + 1), "edge1")
    assert refused("no JSON")
    site.peer.publish(replace(opened, edge="edge2"), edge="edge1")
    assert refused("it is for edge2")
    assert not site.connects(4, CLOSED_PORT) and site.connects(4, OPEN_PORT)
    site.peer.version = held


@BOTH
def test_a_scan_is_cut_in_the_kernel_and_owned_up_to(site: Site, version: int) -> None:
    """Beyond the burst a scan's port is cut by the kernel; the agent writes it down, and it survives a kill."""
    base = {4: "198.51.100.{}", 6: "2001:db8:ff::{:x}"}[version]
    known = {event.id for event in site.peer.of_kind(EventKind.CUT)}
    family = socket.AF_INET if version == 4 else socket.AF_INET6

    def scan() -> None:
        for number in range(400):
            with socket.socket(family, socket.SOCK_STREAM) as one:
                one.setblocking(False)
                one.connect_ex((base.format(10 + number % 100), 1000 + number))

    inside(site.server, scan)
    cut = site.peer.wait_for(lambda: [e for e in site.peer.of_kind(EventKind.CUT) if e.id not in known])[0]
    assert (3, "7.1", "scan") == (cut.port, cut.facts["clause"], cut.facts["what"])
    site.kill()
    site.start()
    assert not site.connects(version, OPEN_PORT)
    renew(site, releases=(CutRelease(port=3, cut=cut.id, case=3),))
    site.peer.wait_for(lambda: [e for e in site.peer.of_kind(EventKind.RELEASED) if e.facts["cut"] == cut.id])
    assert site.connects(version, OPEN_PORT)


def test_killed_at_any_moment_it_holds_one_of_the_states(site: Site) -> None:
    """Killed 8 times while states come: what is open in all of them passes, what is open in none never does."""
    random = Random(5)
    for _ in range(8):
        opened = random.choice(((OPEN_PORT,), (OPEN_PORT, 8081)))
        site.peer.publish(site_state(site.peer.version[1] + 1, opened=opened))
        time.sleep(random.uniform(0.0, 0.12))
        site.kill()
        assert site.connects(4, OPEN_PORT) and not site.connects(6, CLOSED_PORT, within_s=0.3)
        site.start()
        assert site.connects(6, OPEN_PORT) and not site.connects(4, CLOSED_PORT, within_s=0.3)
    site.peer.wait_applied(site.peer.version)


def test_metrics_are_there(site: Site) -> None:
    """Prometheus reads the figures on the edge's own loopback."""

    def read() -> str:
        with urllib.request.urlopen("http://127.0.0.1:9469/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    site.peer.wait_for(lambda: "fwguard_edge_bytes_total{" in inside(site.edge, read), within_s=20)
    text = inside(site.edge, read)
    assert 'server="srv1"' in text and "fwguard_edge_generation" in text


def test_a_clean_stop_leaves_everything_in_place(site: Site) -> None:
    """SIGTERM ends the agent with 0; the policy holds; a second agent beside it is refused."""
    other = site.fwguard("load")
    assert other.returncode == 1 and "another agent" in other.stderr
    assert site.agent is not None
    agent = site.agent
    site.kill(how=15)
    assert 0 == agent.returncode
    assert site.connects(4, OPEN_PORT) and not site.connects(4, CLOSED_PORT)
