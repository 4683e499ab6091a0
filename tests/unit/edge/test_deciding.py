"""From verdict to action."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edge_states import CONTROLS, port
from hypothesis import given, settings
from hypothesis import strategies as st

import fwguard.edge
from fwguard.edge.deciding import decide, kernel_cut
from fwguard.edge.grounds import Grounds
from fwguard.edge.history import History
from fwguard.edge.measure import CUTS, RUNG_SEVERITY, SEVERITY, Action, Measure
from fwguard.edge.measure_words import WORDS, say
from fwguard.model.address import AddressSet
from fwguard.model.answering import Answers, DetectorMode, Trust
from fwguard.model.controls import Ladder, Reason, Rung, ServiceKind
from fwguard.model.detection import Detection, Detector
from fwguard.model.detection import Reason as Why
from fwguard.model.edge import EdgeArchitecture, EdgeState, PortKind
from fwguard.model.edge_grants import ApprovedScan, ClientShare, EdgeIsolation, EdgeRegistration, Scope
from fwguard.model.inventory import Language, Role
from fwguard.model.ports import TCP, UDP
from fwguard.rules.detectors import read_detectors

ANSWERS = read_detectors(Path(__file__).parents[3] / "rules").answers
NOW_S = 1_700_000_000.0
OUTSIDE = "198.51.100.7"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def state(clients: int = 3, **changes: object) -> EdgeState:
    """Return an edge: each client has a firewall and two servers; the second server of the first sends mail."""
    ports = []
    for n in range(clients):
        ports += [
            port(10 * n + 1, f"o{n}", PortKind.FIREWALL_OUT, f"c{n}", f"192.0.{2 + n // 250}.{n % 250}", zone=2000 + n),
            port(10 * n + 2, f"i{n}", PortKind.FIREWALL_IN, f"c{n}", "10.20.0.1", zone=1000 + n),
            port(10 * n + 3, f"s{n}", PortKind.SERVER, f"c{n}", "10.20.0.11", "fd20::11", zone=1000 + n),
            port(10 * n + 4, f"m{n}", PortKind.SERVER, f"c{n}", "10.20.0.12", zone=1000 + n, role=Role.MAIL),
        ]  # fmt: skip
    whole = EdgeState(
        edge="edge1", epoch=1, generation=1, uplinks=("uplink",), uplink_bps=10**9, ports=tuple(ports),
        architectures=tuple(EdgeArchitecture(name=f"c{n}", client=f"c{n}") for n in range(clients)),
        shares=tuple(ClientShare(client=f"c{n}", number=16 + n, assured_bps=10**6) for n in range(clients)),
        controls=CONTROLS,
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def seen(detector: Detector = Detector.IRC, ingress: str = "s0", **changes: object) -> Detection:
    """Return what a detector says: a server that called an IRC network."""
    clause = {Detector.SMTP: "7.4", Detector.IRC: "7.5", Detector.SOCKS: "7.5", Detector.VIDEOCHAT: "7.5",
              Detector.UNAPPROVED_OPENING: "7.1.1", Detector.MINING: "7.3"}.get(detector, "7.1")  # fmt: skip
    one = Detection(
        detector=detector, server="10.20.0.11", peer=OUTSIDE, port=6667, protocol="tcp", reason=Why("irc"),
        clause=clause, first_packet=1, packets=(1, 2), first_s=NOW_S - 1, last_s=NOW_S, server_port=40000,
        peer_port=6667, ingress=ingress,
    )  # fmt: skip
    return replace(one, **changes)  # type: ignore[arg-type]


class Edge:
    """An edge's memory over several decisions."""

    def __init__(self, held: EdgeState | None = None, answers: Answers = ANSWERS) -> None:
        self.grounds = Grounds(held or state(), answers)
        self.history = History()

    def decide(self, detection: Detection, now_s: float = NOW_S) -> Measure:
        """Decide, and remember it."""
        measure = decide(detection, self.grounds, self.history, now_s)
        self.history.take(measure, window_s=self.grounds.answers.breaker_window_s)
        return measure


def trusted(percent: int, mode: DetectorMode = DetectorMode.ACT, *detectors: Detector) -> Answers:
    """Return answers that trust some detectors (all, when none is named) so far."""
    changed = {one: Trust(mode=mode, confidence_percent=percent) for one in detectors or Detector}
    return replace(ANSWERS, trust={**ANSWERS.trust, **changed})


# ---------------------------------------------------------------------- the ladder


def test_a_server_climbs_its_ladder() -> None:
    """Warned; then the port for ten minutes, the service for an hour, the server for a day, then until a person."""
    edge = Edge()
    at_s, got = NOW_S, []
    for _ in range(5):
        measure = edge.decide(seen(), at_s)
        lasting = measure.cut.until_s - at_s if measure.cut and measure.cut.until_s else None
        got.append((measure.action, lasting))
        edge.history.records[3] = replace(edge.history.of(3), standing=())  # taken back, without probation
        at_s += HOUR_S
    assert [
        (Action.WARN, None), (Action.PORT, 10 * MINUTE_S), (Action.SERVICE, HOUR_S), (Action.SERVER, DAY_S),
        (Action.SERVER, None),
    ] == got  # fmt: skip


def test_an_intrusion_cuts_the_server_at_once() -> None:
    """Clause 7.1 has one rung."""
    measure = Edge().decide(seen(Detector.PORTSCAN, port=0, server_port=0, peer_port=0))
    assert (Action.SERVER, 3, "s0", "c0", Reason.INTRUSION) == (
        measure.action, measure.port, measure.interface, measure.client, measure.reason,
    )  # fmt: skip


def test_after_a_warning_there_is_time_to_act() -> None:
    """Nothing follows in the grace period, and the first breach after it climbs."""
    edge = Edge()
    edge.decide(seen())
    during = edge.decide(seen(), NOW_S + ANSWERS.grace_s - 1)
    after = edge.decide(seen(), NOW_S + ANSWERS.grace_s)
    assert ((Action.NOTHING, "grace"), Action.PORT) == ((during.action, during.why.key), after.action)


def test_what_was_on_its_way_when_its_port_was_cut_is_no_further_breach() -> None:
    """Two flows to one port are one cut."""
    edge = Edge()
    edge.decide(seen())
    first = edge.decide(seen(), NOW_S + HOUR_S)
    second = edge.decide(seen(server_port=40001), NOW_S + HOUR_S)
    assert (Action.PORT, "cut-already") == (first.action, second.why.key)


def test_a_breach_on_probation_is_not_warned_of() -> None:
    """After a release the next one is answered one rung higher, and without grace."""
    edge = Edge()
    edge.decide(seen(Detector.PORTSCAN, port=0))
    edge.history.released(3, NOW_S + 600)
    measure = edge.decide(seen(), NOW_S + 700)
    assert Action.PORT is measure.action
    other = Edge()
    other.history.released(3, NOW_S)
    late = other.decide(seen(), NOW_S + ANSWERS.probation_s)
    assert Action.WARN is late.action


def test_old_breaches_are_forgotten() -> None:
    """What lies before the ladder's window does not count."""
    edge = Edge()
    edge.decide(seen())
    later = NOW_S + CONTROLS.registration.ladder.window_s + 1
    assert Action.WARN is edge.decide(seen(), later).action


def test_one_flow_is_cut_where_all_sorts_of_services_share_a_port() -> None:
    """A client's connection to 443 is cut, not 443."""
    edge = Edge()
    edge.decide(seen())
    measure = edge.decide(seen(port=443, peer_port=443), NOW_S + HOUR_S)
    assert measure.cut
    assert measure.cut.connection
    assert (Action.FLOW, OUTSIDE, 40000, 443) == (
        measure.action, measure.cut.connection.peer, measure.cut.connection.server_port,
        measure.cut.connection.peer_port,
    )  # fmt: skip


def test_a_service_is_all_its_ports() -> None:
    """Those by which it is known, and the one where it was found."""
    edge = Edge()
    at_s = NOW_S
    for _ in range(3):
        measure = edge.decide(seen(port=7777, peer_port=7777), at_s)
        edge.history.records[3] = replace(edge.history.of(3), standing=())
        at_s += HOUR_S
    assert measure.cut
    assert ((TCP, 6660, 6669), (TCP, 6697, 6697), (TCP, 7777, 7777)) == measure.cut.ranges


def test_a_clause_without_a_ladder_only_warns() -> None:
    """A hacked server (7.3) is a person's decision."""
    edge = Edge()
    got = [edge.decide(seen(Detector.MINING), NOW_S + n * HOUR_S).action for n in range(4)]
    assert [Action.WARN] * 4 == got


# ---------------------------------------------------------------------- what is granted


@pytest.mark.parametrize(
    ("held", "detection", "key"),
    [
        ({"monitoring": AddressSet.parse("198.51.100.0/24")}, seen(), "monitoring"),
        ({}, seen(Detector.SMTP, "m0", server="10.20.0.12", port=25, peer_port=25), "mail-server"),
        ({}, seen(Detector.SMTP, port=25, server_port=25, peer_port=40000), "receives-mail"),
        ({}, seen(Detector.SMTP, port=25, peer_port=25, peer="10.20.0.12"), "own-mail"),
        ({}, seen(ingress="uplink"), "no-port"),
        ({}, seen(ingress="gone"), "no-port"),
        ({}, seen(ingress="i0", server=OUTSIDE), "no-port"),
        (
            {"isolations": (EdgeIsolation(scope=Scope.PORT, port=3, reason=Reason.DANGER, clause="6.1", case=1),)},
            seen(), "isolated",
        ),
    ],
)  # fmt: skip
def test_what_is_granted_leads_to_nothing(held: dict[str, Any], detection: Detection, key: str) -> None:
    """Monitoring, mail servers, what passes through a firewall, who is isolated already."""
    measure = Edge(state(**held)).decide(detection)
    assert (Action.NOTHING, key) == (measure.action, measure.why.key)


@pytest.mark.parametrize(
    ("kind", "ports", "ends_in_s", "detection", "free"),
    [
        (ServiceKind.IRC, ((TCP, 7000, 7100),), None, seen(port=7010), True),
        (ServiceKind.IRC, (), None, seen(), True),
        (ServiceKind.IRC, (), None, seen(port=443), False),
        (ServiceKind.IRC, ((TCP, 7000, 7100),), None, seen(), False),
        (ServiceKind.IRC, (), -1, seen(), False),
        (ServiceKind.PROXY, (), None, seen(), False),
        (ServiceKind.PROXY, (), None, seen(Detector.SOCKS, port=1080), True),
        (ServiceKind.VIDEOCHAT, (), None, seen(Detector.VIDEOCHAT, port=3478, protocol="udp"), True),
        (ServiceKind.VIDEOCHAT, ((UDP, 1, 999),), None, seen(Detector.VIDEOCHAT, port=500), False),
    ],
)
def test_a_registration_covers_its_ports_until_its_end(
    kind: ServiceKind,
    ports: tuple[tuple[int, int, int], ...],
    ends_in_s: int | None,
    detection: Detection,
    free: bool,
) -> None:
    """Its kind, its ports or all known ones, its time; nothing else."""
    ends = None if ends_in_s is None else int(NOW_S) + ends_in_s
    held = EdgeRegistration(port=3, kind=kind, ports=ports, ends_at_s=ends, ticket="T7")
    measure = Edge(state(registrations=(held,))).decide(detection)
    assert (free, not free) == (measure.why.key == "registered", measure.action is Action.WARN)


def test_a_registration_is_of_the_firewall_outside_too() -> None:
    """There the server's packets bear the firewall's address."""
    held = EdgeRegistration(port=3, kind=ServiceKind.IRC, ticket="T7")
    measure = Edge(state(registrations=(held,))).decide(seen(ingress="o0", server="192.0.2.0"))
    assert "registered" == measure.why.key


@pytest.mark.parametrize(
    ("detector", "peer", "at_s", "free"),
    [
        (Detector.PORTSCAN, "203.0.113.9", 0, True),
        (Detector.HOSTSCAN, "203.0.113.9", 59, True),
        (Detector.PORTSCAN, "203.0.113.9", 60, False),
        (Detector.PORTSCAN, "203.0.113.9", -1, False),
        (Detector.PORTSCAN, "203.0.114.9", 0, False),
        (Detector.FLOOD, "203.0.113.9", 0, False),
    ],
)
def test_an_agreed_scan_is_free_within_its_window(
    detector: Detector, peer: str, at_s: int, free: bool
) -> None:
    """Its targets, its time, and scans only."""
    agreed = ApprovedScan(
        port=3,
        targets=AddressSet.parse("203.0.113.0/24"),
        starts_at_s=int(NOW_S),
        ends_at_s=int(NOW_S) + 60,
        ticket="T9",
    )
    measure = Edge(state(approved_scans=(agreed,))).decide(
        seen(detector, peer=peer, port=0, last_s=NOW_S + at_s)
    )
    assert (Action.NOTHING if free else Action.SERVER) is measure.action


# ---------------------------------------------------------------------- how far a verdict is believed


def test_a_detector_on_trial_says_what_it_would_have_done() -> None:
    """And leaves no trace in what counts."""
    edge = Edge(answers=trusted(99, DetectorMode.DRY_RUN, Detector.PORTSCAN))
    measure = edge.decide(seen(Detector.PORTSCAN, port=0))
    assert (Action.DRY_RUN, Action.SERVER, None) == (measure.action, measure.would, measure.cut)
    assert {} == edge.history.records


def test_a_detector_that_is_trusted_little_warns_and_calls_a_person() -> None:
    """It never cuts, and its warnings lead nobody up the ladder."""
    edge = Edge(answers=trusted(79))
    got = [edge.decide(seen(Detector.PORTSCAN, port=0), NOW_S + n * HOUR_S) for n in range(4)]
    assert [(Action.WARN, True)] * 4 == [(one.action, one.calls_person) for one in got]
    assert 0 == edge.history.breaches(3, "7.1", 0)


def test_a_detector_that_is_trusted_less_than_enough_cuts_no_server() -> None:
    """The service at most."""
    measure = Edge(answers=trusted(85)).decide(seen(Detector.BRUTEFORCE, port=22, peer_port=22))
    assert measure.cut
    assert (Action.SERVICE, ((TCP, 22, 22),)) == (measure.action, measure.cut.ranges)


def test_who_is_named_by_an_address_only_is_never_cut() -> None:
    """A report calls a person, once in a while, and is no breach."""
    edge = Edge(answers=trusted(100))
    report = seen(Detector.ABUSE_REPORT, "", server="192.0.2.1", clause="7.5")
    got = [edge.decide(report, NOW_S + n) for n in range(3)]
    assert [Action.WARN, Action.NOTHING, Action.NOTHING] == [one.action for one in got]
    assert (11, True) == (got[0].port, got[0].calls_person)
    assert Action.WARN is edge.decide(seen(ingress="o1", server="192.0.2.1"), NOW_S + 5).action


# ---------------------------------------------------------------------- the circuit breaker


def test_too_many_clients_at_once_stop_the_cutting() -> None:
    """The twenty-first within a minute is warned of and a person called; a minute later it goes on."""
    edge = Edge(state(30))
    scan = [seen(Detector.PORTSCAN, f"s{n}", port=0) for n in range(30)]
    got = [edge.decide(scan[n], NOW_S + n) for n in range(22)]
    assert [Action.SERVER] * 20 + [Action.WARN] * 2 == [one.action for one in got]
    assert ("breaker", True, Action.SERVER) == (got[20].why.key, got[20].calls_person, got[20].would)
    assert Action.SERVER is edge.decide(scan[20], NOW_S + 60).action


def test_a_large_edge_may_cut_a_tenth_of_its_clients() -> None:
    """The larger of the two counts."""
    assert (20, 20, 25, 1000) == tuple(ANSWERS.breaker_most(n) for n in (3, 200, 241, 10_000))


def test_what_the_kernel_cut_counts_too() -> None:
    """It stands already: a person is called where it is one too many."""
    edge = Edge(state(30))
    called = []
    for n in range(21):
        held = edge.grounds.by_interface[f"s{n}"]
        measure = kernel_cut(held, "7.1", edge.grounds, edge.history, NOW_S, what="scan")
        edge.history.take(measure, window_s=60)
        called.append(measure.calls_person)
    assert [False] * 20 + [True] == called
    assert Action.WARN is edge.decide(seen(Detector.PORTSCAN, "s25", port=0)).action
    assert "cut-already" == edge.decide(seen(Detector.PORTSCAN, "s3", port=0)).why.key


# ---------------------------------------------------------------------- what always holds

ADDRESSES = ["10.20.0.11", "10.20.0.12", "192.0.2.5", OUTSIDE, "02:00:5e:00:00:01", "fd20::11", ""]
WILD = st.tuples(
    st.sampled_from([*Detector]),
    st.integers(0, 29),  # client
    st.sampled_from("smoi-"),  # by which of its ports; - by none
    st.sampled_from(ADDRESSES),
    st.sampled_from([0, 22, 25, 443, 1080, 6667, 40000]),
    st.sampled_from(["tcp", "udp", "icmp", ""]),
    st.sampled_from(["7.1", "7.1.1", "7.3", "7.4", "7.5", "7.9"]),
    st.integers(-30, 90),  # time passes, or is set back
    st.integers(0, 9),  # 0: a release of that port before
)
# Breaches that nothing excuses, close together: where the breaker and the ladder are put to the test.
CLOSE = st.tuples(
    st.sampled_from([Detector.IRC, Detector.FLOOD, Detector.PORTSCAN]), st.integers(0, 7), st.just("s"),
    st.just("10.20.0.11"), st.sampled_from([7777, 8888]), st.just("tcp"), st.sampled_from(["7.1", "7.5"]),
    st.sampled_from([-30, 0, 0, 1, 7, 29, 31]), st.integers(0, 3),
)  # fmt: skip
EVENTS = st.lists(WILD, max_size=60) | st.lists(CLOSE, min_size=15, max_size=60)
LADDERS = st.sets(st.sampled_from(list(Rung)), min_size=1).map(
    lambda rungs: Ladder(rungs=tuple(one for one in Rung if one in rungs), window_s=DAY_S)
)


@settings(max_examples=250, deadline=None)
@given(
    events=EVENTS, ladder=LADDERS, clients_most=st.integers(1, 4), trust=st.integers(1, 100) | st.just(100),
    grace_s=st.sampled_from([1, 30, 900]),
)  # fmt: skip
def test_no_order_of_events_breaks_what_holds(
    events: list[tuple[Detector, int, str, str, int, str, str, int, int]],
    ladder: Ladder, clients_most: int, trust: int, grace_s: int,
) -> None:  # fmt: skip
    """The port is the packets' own, the ladder is not exceeded, the breaker holds, a restart changes nothing."""
    controls = replace(
        CONTROLS, intrusion=replace(CONTROLS.intrusion, ladder=ladder), mail=replace(CONTROLS.mail, ladder=ladder),
        registration=replace(CONTROLS.registration, ladder=ladder), firewall=replace(CONTROLS.firewall, ladder=ladder),
    )  # fmt: skip
    answers = replace(
        trusted(trust), breaker_clients=clients_most, breaker_percent=0, grace_s=grace_s, probation_s=40
    )
    edge = Edge(state(30, controls=controls), answers)
    restarted = History()
    now_s, latest_s = NOW_S, 0.0
    cuts: list[tuple[float, str]] = []
    for detector, client, which, server, number, protocol, clause, step_s, kind in events:
        now_s += step_s
        latest_s = max(latest_s, now_s)
        ingress = "" if which == "-" else f"{which}{client}"
        one = seen(
            detector, ingress, server=server, port=number, protocol=protocol, clause=clause, peer_port=number
        )
        number_of = edge.grounds.by_interface[ingress].number if ingress else 0
        if not kind and number_of:
            edge.history.released(number_of, now_s)
        restarted = History.from_bytes(edge.history.to_bytes())
        before = edge.history.breaches(number_of, clause, edge.history.at(now_s) - ladder.window_s)
        freed_s = edge.history.of(number_of).released_s
        probation = bool(freed_s) and edge.history.at(now_s) < freed_s + answers.probation_s
        assert decide(one, edge.grounds, restarted, now_s) == decide(one, edge.grounds, edge.history, now_s)
        measure = edge.decide(one, now_s)
        if measure.action not in CUTS:
            assert measure.cut is None
            continue
        assert measure.cut
        assert ingress and (ingress, number_of, number_of) == (
            measure.interface,
            measure.port,
            measure.cut.port,
        )
        allowed = edge.grounds.ladder(clause)
        assert (
            SEVERITY[measure.action]
            <= RUNG_SEVERITY[allowed.rung(before + probation)]
            <= RUNG_SEVERITY[allowed.rungs[-1]]
        )
        cuts.append((latest_s, measure.client))
        recent = {name for at_s, name in cuts if at_s > latest_s - answers.breaker_window_s}
        assert len(recent) <= clients_most


def test_every_reason_is_said_in_both_languages() -> None:
    """With the same facts, and each key in the code has its words."""
    code = (Path(fwguard.edge.__file__).parent / "deciding.py").read_text()
    used = set(re.findall(r'Reason\(\s*"([a-z-]+)"', code)) | {"mail-server", "receives-mail", "own-mail"}
    assert used == set(WORDS)
    for key, words in WORDS.items():
        fields = [set(re.findall(r"{(\w+)}", words[language])) for language in Language]
        assert fields[0] == fields[1], key
    measure = Edge().decide(seen())
    assert "breach number 1 of this clause; on probation: no" == say(measure.why, Language.EN)
