"""What servers do over many flows: each behaviour speaks from its threshold on, and not before."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from wire import ACK, CLIENT, CLIENT6, PSH, RST, SERVER, SERVER6, SYN, Wire, ether, packet, segment

from fwguard.model.detection import Detection
from fwguard.model.thresholds import Thresholds

Scan = Callable[..., list[Detection]]
FAMILIES = pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)], ids=["v4", "v6"])
SSH: list[tuple[str, bytes]] = [
    ("s", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("c", b"SSH-2.0-Go\r\n"),
    ("c", bytes((0, 0, 2, 0)) + bytes(700)),
    ("s", bytes((0, 0, 2, 0)) + bytes(700)),
]


def detectors(found: list[Detection]) -> list[str]:
    """Return who spoke."""
    return [one.detector.value for one in found]


def target(number: int) -> str:
    """Return one of many addresses."""
    return f"203.0.{113 + number // 250}.{1 + number % 250}"


@FAMILIES
@pytest.mark.parametrize("answer", [0, RST | ACK], ids=["silent", "refused"])
def test_a_port_scan_speaks_at_its_twentieth_port(
    ends: tuple[str, str], answer: int, wire: Wire, scan: Scan, thresholds: Thresholds
) -> None:
    """Ports that stay silent or refuse count; the scanner is held to account, with the packets."""
    most = thresholds.portscan.ports_most
    for port in range(1, most + 1):
        wire.tcp(ends[0], 5555, ends[1], port, SYN, port)
        if answer:
            wire.tcp(ends[1], port, ends[0], 5555, answer)
    assert [] == detectors(scan(wire))
    wire.tcp(ends[0], 5555, ends[1], 1000, SYN)
    (found,) = scan(wire)
    assert ("portscan", ends[0], ends[1], "7.1") == (
        found.detector.value, found.server, found.peer, found.clause,
    )  # fmt: skip
    assert most + 1 == len(found.packets)


def test_ports_that_answer_are_no_scan(wire: Wire, scan: Scan) -> None:
    """Passive FTP opens many ports of one server, and each answers."""
    for port in range(20000, 20100):
        wire.talk([("s", b"data")], port=port)
    assert [] == detectors(scan(wire))


@pytest.mark.parametrize("flags", [0, 1, 0x29], ids=["null", "fin", "xmas"])
def test_scans_without_a_syn_are_scans(flags: int, wire: Wire, scan: Scan) -> None:
    """Segments that no connection begins with."""
    for port in range(1, 40):
        wire.tcp(CLIENT, 5555, SERVER, port, flags)
    assert ["portscan"] == detectors(scan(wire))


def test_a_slow_port_scan_is_found(wire: Wire, scan: Scan) -> None:
    """One port in fifty seconds for an hour."""
    for port in range(1, 70):
        wire.tcp(CLIENT, 5555, SERVER, port, SYN)
        wire.wait(50)
    assert ["portscan"] == detectors(scan(wire))


def test_a_traceroute_is_no_scan(wire: Wire, scan: Scan) -> None:
    """Its UDP ports count up, and nothing answers."""
    for hop in range(90):
        wire.say(CLIENT, 40000, SERVER, 33434 + hop, bytes(32))
    assert [] == detectors(scan(wire))


def test_a_host_scan_speaks(wire: Wire, scan: Scan, thresholds: Thresholds) -> None:
    """One port of many targets within a minute."""
    for number in range(thresholds.hostscan.targets_most + 2):
        wire.tcp(CLIENT, wire.port(), target(number), 22, SYN)
    wire.wait(2)
    (found,) = scan(wire)
    assert ("hostscan", CLIENT, 22) == (found.detector.value, found.server, found.port)


def test_a_slow_host_scan_is_found_by_what_fails(wire: Wire, scan: Scan) -> None:
    """A target every five minutes: the sequential test needs no window."""
    for number in range(40):
        wire.tcp(CLIENT, wire.port(), target(number), 23, SYN)
        wire.wait(300)
    (found,) = scan(wire)
    assert ("hostscan", "hostscan-slow") == (found.detector.value, found.reason.key)


def test_private_targets_weigh_more(wire: Wire, scan: Scan) -> None:
    """A sweep over addresses that no stranger can have speaks after fewer failures."""
    for number in range(17):
        wire.tcp(CLIENT, wire.port(), f"10.9.8.{number + 1}", 445, SYN)
        wire.wait(100)
    assert ["hostscan"] == detectors(scan(wire))
    public = Wire()
    for number in range(17):
        public.tcp(CLIENT, public.port(), target(number), 445, SYN)
        public.wait(100)
    assert [] == detectors(scan(public))


def test_a_ping_sweep_is_a_host_scan(wire: Wire, scan: Scan) -> None:
    """Echo requests to many targets that stay silent."""
    for number in range(60):
        wire.icmp(CLIENT, target(number), 8, 0, struct.pack("!HH", 7, number) + bytes(32))
    wire.wait(5)
    assert ["hostscan"] == detectors(scan(wire))


def test_a_crawler_is_no_scan(wire: Wire, scan: Scan) -> None:
    """Three hundred hosts a minute, of which one in five is down."""
    for number in range(300):
        if number % 5:
            wire.talk([("c", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")], port=443, server=target(number))
        else:
            wire.tcp(CLIENT, wire.port(), target(number), 443, SYN)
        wire.wait(0.2)
    assert [] == detectors(scan(wire))


def test_refusals_by_icmp_count(wire: Wire, scan: Scan) -> None:
    """What a router says unreachable has failed."""
    for number in range(45):
        sport = wire.port()
        quoted = packet(CLIENT, target(number), 17, struct.pack("!HHHH", sport, 161, 12, 0) + b"snmp")
        wire.say(CLIENT, sport, target(number), 161, b"snmp")
        wire.icmp("203.0.113.254", CLIENT, 3, 1, bytes(4) + quoted)
        wire.wait(70)
    assert ["hostscan"] == detectors(scan(wire))


@pytest.mark.parametrize("kind", ["ssh", "rdp"])
def test_brute_force_speaks_at_its_tenth_attempt(
    kind: str, wire: Wire, scan: Scan, thresholds: Thresholds
) -> None:
    """Short sessions that carry little more than a log-in, on any port."""
    rdp = [("c", b"\x03\x00\x00\x13\x0e\xe0" + bytes(13)), ("s", b"\x03\x00\x00\x13\x0e\xd0" + bytes(13))]
    lines = SSH if kind == "ssh" else rdp
    for _ in range(thresholds.bruteforce.attempts_most):
        wire.talk(lines, port=2022)
    assert [] == detectors(scan(wire))
    wire.talk(lines, port=2022)
    (found,) = scan(wire)
    assert ("bruteforce", CLIENT, SERVER, 2022) == (
        found.detector.value, found.server, found.peer, found.port,
    )  # fmt: skip


def test_long_sessions_are_no_brute_force(wire: Wire, scan: Scan) -> None:
    """Twenty sessions in which work was done."""
    work = [("c", bytes(200)), ("s", bytes(400))] * 20
    for _ in range(20):
        wire.talk([*SSH, *work], port=22)
    assert [] == detectors(scan(wire))


def test_refused_mail_logins_are_brute_force(wire: Wire, scan: Scan) -> None:
    """Replies 535 show a guesser, in one session or over many."""
    wire.talk(
        [
            ("s", b"220 mx ESMTP\r\n"),
            ("c", b"EHLO me\r\n"),
            ("s", b"250 AUTH PLAIN\r\n"),
            *([("c", b"AUTH PLAIN AGEAYg==\r\n"), ("s", b"535 5.7.8 no\r\n")] * 6),
        ],
        port=587,
    )
    assert ["smtp", "bruteforce"] == detectors(scan(wire))


@FAMILIES
def test_a_syn_flood_speaks(ends: tuple[str, str], wire: Wire, scan: Scan, thresholds: Thresholds) -> None:
    """Connections to one port that nobody completes, more a second than the threshold."""
    for _ in range(thresholds.flood.syn_pps + 1):
        wire.tcp(ends[0], wire.port(), ends[1], 443, SYN)
    (found,) = scan(wire)
    assert ("flood", "flood-syn", ends[0]) == (found.detector.value, found.reason.key, found.server)


def test_a_busy_client_is_no_flood(wire: Wire, scan: Scan) -> None:
    """As many connections a second, each of them real."""
    for _ in range(250):
        sport = wire.port()
        wire.tcp(CLIENT, sport, SERVER, 80, SYN, 1)
        wire.tcp(SERVER, 80, CLIENT, sport, SYN | ACK, 1)
        wire.tcp(CLIENT, sport, SERVER, 80, ACK, 2)
        wire.tcp(CLIENT, sport, SERVER, 80, PSH | ACK, 2, b"GET / HTTP/1.1\r\n\r\n")
        wire.time_s -= 0.0035
    assert [] == detectors(scan(wire))


def test_a_udp_flood_speaks_and_a_call_does_not(wire: Wire, scan: Scan) -> None:
    """Two thousand datagrams a second to who does not answer; the same with answers is traffic."""
    for number in range(2000):
        wire.say(CLIENT, 1000 + number % 7, SERVER, 53 + number % 3, b"x" * 20)
        wire.time_s -= 0.0006
    assert "flood" in detectors(scan(wire))
    answered = Wire()
    for number in range(2000):
        answered.say(CLIENT, 1000, SERVER, 4433, b"\x40" + b"x" * 20)
        if number % 10 == 0:
            answered.say(SERVER, 4433, CLIENT, 1000, b"\x40" + b"y" * 20)
        answered.time_s -= 0.0006
    assert [] == detectors(scan(answered))


def test_an_echo_flood_speaks(wire: Wire, scan: Scan) -> None:
    """Hundreds of echo requests a second to one target."""
    for number in range(300):
        wire.icmp(CLIENT, SERVER, 8, 0, struct.pack("!HH", 7, number) + bytes(32))
    assert ["flood"] == detectors(scan(wire))


def test_an_amplifier_speaks(wire: Wire, scan: Scan) -> None:
    """A server of ours that answers sixty bytes with a hundred thousand, again and again."""
    for _ in range(8):
        wire.say(CLIENT, 1111, SERVER, 11211, b"stats")
        for _ in range(60):
            wire.say(SERVER, 11211, CLIENT, 1111, bytes(1400))
    (found,) = scan(wire)
    assert ("flood-amplified", SERVER, CLIENT) == (found.reason.key, found.server, found.peer)


def test_a_spam_burst_speaks_and_a_mail_server_does_not(wire: Wire, scan: Scan) -> None:
    """Many messages within a minute, to many targets."""

    def deliver(onto: Wire, number: int) -> None:
        onto.talk(
            [
                ("s", b"220 mx ESMTP\r\n"),
                ("c", b"EHLO me\r\n"),
                ("s", b"250 ok\r\n"),
                ("c", b"MAIL FROM:<a@b.example>\r\n"),
                ("s", b"250 ok\r\n"),
            ],
            port=25,
            server=target(number),
        )

    for number in range(40):
        deliver(wire, number)
    assert 1 == detectors(scan(wire)).count("spam-burst")
    calm = Wire()
    for number in range(40):
        deliver(calm, number)
        calm.wait(5)
    assert 0 == detectors(scan(calm)).count("spam-burst")


def test_refused_messages_are_a_burst_sooner(wire: Wire, scan: Scan) -> None:
    """A list of addresses that do not exist."""
    lines = [("s", b"220 mx ESMTP\r\n"), ("c", b"EHLO me\r\n"), ("s", b"250 ok\r\n")]
    lines += [("c", b"MAIL FROM:<a@b>\r\n"), ("s", b"250 ok\r\n")]
    lines += [("c", b"RCPT TO:<x@y>\r\n"), ("s", b"550 5.1.1 unknown\r\n")] * 16
    wire.talk(lines, port=25)
    (burst,) = (one for one in scan(wire) if one.detector.value == "spam-burst")
    assert "spam-refused" == burst.reason.key


@FAMILIES
def test_a_packet_of_strangers_on_our_wire_is_forged(ends: tuple[str, str], wire: Wire, scan: Scan) -> None:
    """Held to account is the server whose card sent it, and not who it says it is."""
    v6 = ":" in ends[0]
    ours, prefix = ("2001:db8:2::66", "2001:db8:2::/48") if v6 else ("192.0.2.66", "192.0.2.0/24")
    other = "2001:db8:9::1" if v6 else "203.0.113.9"
    card = b"\x02\x66\x66\x66\x66\x66"
    wire.tcp(ours, 1, ends[0], 80, SYN, mac=card)
    wire.tcp(other, 1, ends[0], 80, SYN, mac=card)
    (found,) = scan(wire, prefix)
    assert ("ip-spoof", ours, 2) == (found.detector.value, found.server, found.first_packet)
    assert [] == detectors(scan(wire))


def test_ordinary_traffic_of_an_inside_is_not_forged(wire: Wire, scan: Scan) -> None:
    """Out, in, within, link-local, groups and DHCP."""
    wire.talk([("c", b"x")], port=80)
    wire.talk([("c", b"x")], port=80, client=SERVER, server=CLIENT)
    wire.say("0.0.0.0", 68, "255.255.255.255", 67, bytes(240))
    wire.say("169.254.7.7", 5353, "224.0.0.251", 5353, bytes(40))
    wire.say("fe80::1", 5353, "ff02::fb", 5353, bytes(40))
    wire.say("198.51.100.1", 520, "224.0.0.9", 520, bytes(40))
    assert [] == detectors(scan(wire, "192.0.2.0/24"))


@pytest.mark.parametrize("source", ["127.0.0.1", "224.1.2.3", "255.255.255.255", "::1", "ff02::1"])
def test_sources_that_no_host_has_are_forged(source: str, wire: Wire, scan: Scan) -> None:
    """Loopback and groups do not send."""
    wire.say(source, 1, "2001:db8:2::10" if ":" in source else SERVER, 2, b"x")
    assert ["ip-spoof"] == detectors(scan(wire, "192.0.2.0/24", "2001:db8:2::/48"))


VICTIM, GATEWAY, FORGER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x03"


def test_arp_poisoning_speaks(wire: Wire, scan: Scan) -> None:
    """Told one by one that the gateway is at another card."""
    wire.arp(1, (GATEWAY, "192.0.2.1"), (bytes(6), "192.0.2.10"), b"\xff" * 6)
    wire.arp(2, (VICTIM, "192.0.2.10"), (GATEWAY, "192.0.2.1"), GATEWAY)
    wire.arp(1, (FORGER, "192.0.2.66"), (bytes(6), "192.0.2.10"), b"\xff" * 6)
    for _ in range(3):
        wire.arp(2, (FORGER, "192.0.2.1"), (VICTIM, "192.0.2.10"), VICTIM)
        wire.wait(2)
    (found,) = scan(wire)
    assert ("arp-spoof", "192.0.2.66", "192.0.2.1", "arp") == (
        found.detector.value, found.server, found.peer, found.protocol,
    )  # fmt: skip


def test_a_take_over_by_a_standby_is_no_poisoning(wire: Wire, scan: Scan) -> None:
    """It is told to all, some times, and the old holder is silent."""
    wire.arp(1, (GATEWAY, "192.0.2.1"), (bytes(6), "192.0.2.10"), b"\xff" * 6)
    for _ in range(5):
        wire.arp(1, (FORGER, "192.0.2.1"), (bytes(6), "192.0.2.1"), b"\xff" * 6)
        wire.wait(1)
    assert [] == detectors(scan(wire))


def test_poisoning_by_announcements_speaks_while_the_holder_lives(wire: Wire, scan: Scan) -> None:
    """The holder defends its address, the forger repeats."""
    for _ in range(3):
        wire.arp(1, (GATEWAY, "192.0.2.1"), (bytes(6), "192.0.2.1"), b"\xff" * 6)
        wire.arp(1, (FORGER, "192.0.2.1"), (bytes(6), "192.0.2.1"), b"\xff" * 6)
    assert ["arp-spoof"] == detectors(scan(wire))


def test_a_card_in_the_body_that_is_not_the_frame_s_is_forged(wire: Wire, scan: Scan) -> None:
    """Answers in the name of another card."""
    for _ in range(3):
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + GATEWAY + bytes((192, 0, 2, 1)) + VICTIM
        wire.add(VICTIM + FORGER + b"\x08\x06" + body + bytes((192, 0, 2, 10)))
    assert ["arp-spoof"] == detectors(scan(wire))


def test_forged_neighbour_advertisements_speak(wire: Wire, scan: Scan) -> None:
    """The same by IPv6."""
    wire.advertise("2001:db8:2::1", GATEWAY, "2001:db8:2::10")
    for _ in range(3):
        wire.advertise("2001:db8:2::1", FORGER, "2001:db8:2::10")
    (found,) = scan(wire)
    assert ("arp-spoof", "nd") == (found.detector.value, found.protocol)


def test_virtual_routers_move_as_they_like(wire: Wire, scan: Scan) -> None:
    """VRRP's cards belong to no machine."""
    for card in (GATEWAY, b"\x00\x00\x5e\x00\x01\x07", GATEWAY, b"\x00\x00\x5e\x00\x01\x07"):
        wire.arp(2, (card, "192.0.2.1"), (VICTIM, "192.0.2.10"), VICTIM)
    assert [] == detectors(scan(wire))


def test_a_flow_is_of_the_ports_that_it_came_in_by(thresholds: Thresholds) -> None:
    """A forged segment from another port cannot put words into a server's mouth."""
    from fwguard.detect.engine import Engine
    from fwguard.model.address import AddressSet

    allowed = {"p1": AddressSet.parse("192.0.2.10"), "p2": AddressSet.parse("192.0.2.66")}
    engine = Engine(thresholds, allowed=allowed)
    frames = [
        (SERVER, CLIENT, segment(5000, 6667, SYN, 99), "p1"),
        (CLIENT, SERVER, segment(6667, 5000, SYN | ACK, 499), ""),
        (SERVER, CLIENT, segment(5000, 6667, PSH | ACK, 100, b"NICK a\r\nUSER a 0 * :a\r\n"), "p2"),
        (CLIENT, SERVER, segment(6667, 5000, PSH | ACK, 500, b":srv 001 a :hi\r\n"), ""),
    ]
    said: list[Detection] = []
    for number, (source, goal, body, ingress) in enumerate(frames, 1):
        said += engine.feed(
            number, number / 10, 1, ether(source, goal, packet(source, goal, 6, body)), ingress
        )
    said += engine.finish()
    assert [("ip-spoof", "p2")] == [(one.detector.value, one.ingress) for one in said]
