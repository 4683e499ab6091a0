"""From when on a detector speaks, what clause it speaks under, and how much it may remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fwguard.model.answering import Answers
from fwguard.model.detection import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bounds on what is remembered; what is oldest goes first and is counted."""

    flows_most: int
    sources_most: int
    held_bytes_most: int  # of the streams of all flows together
    head_bytes: int  # kept of each direction of a flow until it is decided
    packets_most: int  # with payload, of each direction, until a flow is decided
    idle_s: int  # a flow that is silent for longer is over


@dataclass(frozen=True, slots=True, kw_only=True)
class PortScan:
    """Unanswered ports of one target: a burst within `window_s`, or many over `slow_window_s`."""

    ports_most: int
    window_s: int
    slow_ports_most: int
    slow_window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostScan:
    """Unanswered targets of one source at one port: a burst, or a sequential test of what fails.

    The test (Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis
    Testing", 2004) weighs how often first contacts succeed: `benign_percent` of an ordinary source's,
    `scanner_percent` of a scanner's.
    """

    targets_most: int
    window_s: int
    answer_s: int  # no answer for that long is a failure
    benign_percent: int
    scanner_percent: int
    doubt_ppm: int  # how many ordinary sources in a million the test may accuse
    private_weight_percent: int  # how much more a failure at a private address weighs
    refused_weight_percent: int  # and one that was refused instead of never answered


@dataclass(frozen=True, slots=True, kw_only=True)
class BruteForce:
    """Attempts to log in within `window_s`, per target and over all targets."""

    attempts_most: int
    targets_attempts_most: int
    failures_most: int  # refusals that are seen as such (SMTP 535)
    window_s: int
    short_s: int  # an SSH or RDP connection that ends within this time was an attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Packets a second from one source to one target."""

    syn_pps: int
    udp_pps: int
    icmp_pps: int
    answered_percent: int  # a target that answers more than that is not flooded
    amplified_ratio: int
    amplified_bytes: int
    amplified_window_s: int
    amplifier_ports: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamBurst:
    """Messages of one mail server within `window_s`: in all, to distinct targets, refused."""

    messages_most: int
    targets_most: int
    refused_most: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpSpoof:
    """Claims to an address that another holds, within `window_s`."""

    claims_most: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnapprovedAnswer:
    """Answers of one port that no approved opening covers, within `window_s`; then silence for as long."""

    answers_most: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All of `rules/detectors.yaml`. `names` are server names that tell a service (suffixes of labels)."""

    memory: Memory
    clauses: Mapping[Detector, str]
    names: Mapping[Detector, tuple[str, ...]]
    portscan: PortScan
    hostscan: HostScan
    bruteforce: BruteForce
    flood: Flood
    spam_burst: SpamBurst
    arp_spoof: ArpSpoof
    unapproved: UnapprovedAnswer
    answers: Answers
