"""Accuracy of the detectors over a folder of labelled captures: recall, precision, and every disagreement.

The labels (`labels.jsonl`: pcap, l4, a, b, app) are a peer's opinion of each flow. A detector is held to a label
that says its protocol; it is wrong where a label names another protocol for certain; where a label says
only what carries it (TLS, QUIC, DTLS, STUN), or that a flow belongs to a company, it proves nothing. Labels that a
packet contradicts are in `disputed.py`, with that packet: for recall they count as they are, and a verdict on them
is no false alarm.
Run as `python -m fwguard.bench.accuracy FOLDER`; ends with 1 when a detector misses its mark: recall below 0.95, any
false alarm on content, any verdict on behaviour in an ordinary capture.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from fwguard.bench.disputed import MISBEHAVIOUR, Dispute, dispute_of
from fwguard.config import load_settings
from fwguard.detect.capture import Capture
from fwguard.detect.engine import Engine
from fwguard.detect.words import say
from fwguard.model.detection import BY_CONTENT, FROM_OUTSIDE, Detection, Detector
from fwguard.model.inventory import Language
from fwguard.rules.detectors import read_detectors

RECALL: Final = 0.95
MAX_LABELS: Final = 1_000_000

# What a part of a label says of a flow. `DNS.Zoom` is a question about Zoom, not Zoom.
_SAYS: Final[Mapping[str, Detector]] = {
    "SMTP": Detector.SMTP,
    "SMTPS": Detector.SMTP,
    "IRC": Detector.IRC,
    "SOCKS": Detector.SOCKS,
    "HTTP_Connect": Detector.HTTP_PROXY,
    "HTTP_Proxy": Detector.HTTP_PROXY,
    "Tor": Detector.TOR,
    "Mining": Detector.MINING,
    "RTP": Detector.VIDEOCHAT,
    "SRTP": Detector.VIDEOCHAT,
    "RTCP": Detector.VIDEOCHAT,
    "Zoom": Detector.VIDEOCHAT,
    "Teams": Detector.VIDEOCHAT,
    "Skype_Teams": Detector.VIDEOCHAT,
    "Skype_TeamsCall": Detector.VIDEOCHAT,
    "TeamsCall": Detector.VIDEOCHAT,
    "GoogleMeet": Detector.VIDEOCHAT,
    "GoogleCall": Detector.VIDEOCHAT,
    "WhatsAppCall": Detector.VIDEOCHAT,
    "FacebookVoip": Detector.VIDEOCHAT,
    "ViberVoip": Detector.VIDEOCHAT,
    "KakaoTalk_Voice": Detector.VIDEOCHAT,
    "AdobeConnect": Detector.VIDEOCHAT,
    "Fuze": Detector.VIDEOCHAT,
    "Webex": Detector.VIDEOCHAT,
    "GoTo": Detector.VIDEOCHAT,
}
_QUESTIONS: Final = frozenset(("DNS", "MDNS", "LLMNR"))
_CARRIERS: Final = frozenset(
    ("TLS", "QUIC", "DTLS", "STUN", "HTTP", "Unknown", "Google", "GoogleServices", "Discord")
)

# What needs an edge's state or another's word to speak.
_UNHEARD: Final = frozenset((*FROM_OUTSIDE, Detector.UNAPPROVED_OPENING))

Ends = tuple[str, str, frozenset[tuple[str, int]]]
"""Capture, protocol, and both ends of a flow whatever their order."""


@dataclass(slots=True)
class Tally:
    """How one detector did."""

    expected: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    disputed: int = 0  # a packet contradicts the label
    open: int = 0  # spoke where no label says anything for certain
    disagreements: list[str] = field(default_factory=list)


def read_labels(folder: Path) -> dict[Ends, str]:
    """Return the label of each flow."""
    labels: dict[Ends, str] = {}
    with (folder / "labels.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            ends = frozenset((_end(one["a"]), _end(one["b"])))
            labels[one["pcap"], one["l4"].lower(), ends] = one["app"]
            if len(labels) >= MAX_LABELS:
                break
    return labels


def _end(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if host.count("::") > 1:  # each zero group was written as nothing
        host = host.replace("::", ":0:")
        host += "0" if host.endswith(":") else ""
    return str(ip_address(host)), int(port)


def expected_of(label: str) -> Detector | None:
    """Return the detector that a label calls for."""
    parts = label.split(".")
    if parts[0] in _QUESTIONS:
        return None
    return next((_SAYS[part] for part in reversed(parts) if part in _SAYS), None)


def is_certain(label: str) -> bool:
    """Return whether a label names a protocol, and not only a carrier or a company."""
    return label.split(".")[-1] not in _CARRIERS


def scan(folder: Path) -> Iterator[tuple[str, int, list[Detection]]]:
    """Yield name, packets and detections of each capture of the folder."""
    thresholds = read_detectors(load_settings().rules)
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".pcap", ".pcapng", ".cap"):
            continue
        engine = Engine(thresholds)
        said: list[Detection] = []
        number = 0
        with path.open("rb") as stream:
            for number, (time_s, link, frame) in enumerate(Capture(path.name, stream).frames(), 1):
                said += engine.feed(number, time_s, link, frame)
        yield path.name, number, said + engine.finish()


def measure(folder: Path) -> tuple[dict[Detector, Tally], int, float]:
    """Return how each detector did, how many packets were read, and in how many seconds."""
    labels = read_labels(folder)
    tallies = {detector: Tally() for detector in Detector if detector not in _UNHEARD}
    spoken: dict[tuple[Detector, Ends], Detection] = {}
    packets, begun = 0, time.perf_counter()
    found: list[tuple[str, Detection]] = []
    for name, count, said in scan(folder):
        packets += count
        found += [(name, one) for one in said]
    seconds = time.perf_counter() - begun
    for name, one in found:
        if one.detector not in BY_CONTENT:
            tally = tallies[one.detector]
            known = MISBEHAVIOUR.get((name, one.detector))
            tally.right += known is not None
            tally.wrong += known is None
            told = f": {known}" if known else ""
            tally.disagreements.append(f"{name} packet {one.first_packet}: {one.server}: {_why(one)}{told}")
            continue
        ends = frozenset(((one.server, one.server_port), (one.peer, one.peer_port)))
        spoken[one.detector, (name, one.protocol, ends)] = one
    for (detector, flow), one in spoken.items():
        _compare(tallies[detector], detector, flow, one, labels.get(flow, ""))
    for flow, label in labels.items():
        detector = expected_of(label) or Detector.SMTP
        if expected_of(label) is None:
            continue
        tallies[detector].expected += 1
        if (detector, flow) in spoken:
            tallies[detector].found += 1
        else:
            tallies[detector].disagreements.append(
                f"{flow[0]}: silent on {_show(flow)}, labelled {label}{_said(_dispute(flow))}"
            )
    return tallies, packets, seconds


def _compare(tally: Tally, detector: Detector, flow: Ends, one: Detection, label: str) -> None:
    if expected_of(label) is detector:
        tally.right += 1
        return
    dispute = _dispute(flow)
    if label and is_certain(label) and dispute:
        tally.disputed += 1
    elif label and is_certain(label):
        tally.wrong += 1
    else:
        tally.open += 1
    tally.disagreements.append(
        f"{flow[0]} packet {one.packets[0] if one.packets else one.first_packet}: spoke on {_show(flow)}, "
        f"labelled {label or 'nothing'}: {_why(one)}{_said(dispute)}"
    )


def _dispute(flow: Ends) -> Dispute | None:
    return dispute_of(flow[0], frozenset(port for _, port in flow[2]))


def _said(dispute: Dispute | None) -> str:
    return f"; the label is wrong by packet {dispute.packet}: {dispute.why}" if dispute else ""


def _why(one: Detection) -> str:
    return say(one.reason, Language.EN)


def _show(flow: Ends) -> str:
    return f"{flow[1]} " + " - ".join(f"{host}:{port}" for host, port in sorted(flow[2]))


def report(folder: Path) -> tuple[str, bool]:
    """Return the table as text, and whether every detector reached its mark."""
    tallies, packets, seconds = measure(folder)
    rows = [
        f"{'detector':12}{'labelled':>9}{'found':>7}{'recall':>8}{'spoke':>7}{'wrong':>7}{'disputed':>9}{'unsaid':>8}{'precision':>11}"
    ]
    good = True
    for detector, tally in tallies.items():
        spoke = tally.right + tally.wrong + tally.disputed + tally.open
        certain = tally.right + tally.wrong
        recall = f"{tally.found / tally.expected:.3f}" if tally.expected else "-"
        precision = f"{tally.right / certain:.3f}" if certain else "-"
        rows.append(
            f"{detector.value:12}{tally.expected:>9}{tally.found:>7}{recall:>8}{spoke:>7}{tally.wrong:>7}"
            f"{tally.disputed:>9}{tally.open:>8}{precision:>11}"
        )
        good = good and tally.found >= RECALL * tally.expected and not tally.wrong
    rows.append("")
    rows.append(
        "wrong: a label names another protocol for certain, or behaviour in an ordinary capture; disputed: a packet "
        "contradicts the label; unsaid: no label, or one that names a carrier only"
    )
    for detector, tally in tallies.items():
        rows += [f"{detector.value}: {line}" for line in tally.disagreements]
    kinds = Counter(detector.value for detector in tallies if tallies[detector].disagreements)
    rows.append("")
    rows.append(
        f"{packets} packets in {seconds:.2f} s: {packets / seconds:,.0f} packets/s, {len(kinds)} detectors differ"
    )
    return "\n".join(rows), good


def main(arguments: list[str]) -> int:
    """Print the table of a folder."""
    folder = Path(arguments[0]) if len(arguments) == 1 else None
    if folder is None or not (folder / "labels.jsonl").is_file():
        print(
            "usage: python -m fwguard.bench.accuracy FOLDER (with captures and labels.jsonl)", file=sys.stderr
        )
        return 2
    text, good = report(folder)
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
