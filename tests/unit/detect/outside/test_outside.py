"""Verdicts that others made: read into our own, and hostile input in all of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fwguard.detect.outside
from fwguard.detect.outside.arf import read_arf
from fwguard.detect.outside.crowdsec import read_decisions
from fwguard.detect.outside.eve import read_eve
from fwguard.detect.outside.reporting import Held, address, moment, port, words
from fwguard.detect.outside.webhook import check_signature, read_webhook
from fwguard.detect.outside.xarf import read_xarf
from fwguard.detect.words import WORDS, say
from fwguard.errors import InputError, NotAllowedError
from fwguard.model.detection import Detector
from fwguard.model.inventory import Language
from fwguard.model.thresholds import Thresholds
from fwguard.rules.detectors import read_detectors

THRESHOLDS: Thresholds = read_detectors(Path(__file__).parents[4] / "rules")
RECEIVED_S = 1_700_000_600.0  # 2023-11-14 22:23:20 UTC
ASKED: list[tuple[str, float]] = []


def who_had(text: str, at_s: float) -> Held | None:
    """Two servers held one address, one after the other; another has a v6 one."""
    ASKED.append((text, at_s))
    if text == "192.0.2.10":
        return Held("old", "s1") if at_s < 1_700_000_000 else Held("web", "s0")
    return Held("six", "s6") if text == "2001:db8::10" else None


def alert(**changes: Any) -> bytes:
    """Return a line of Suricata about 192.0.2.10."""
    record = {
        "timestamp": "2023-11-14T22:20:00.123456+0000", "flow_id": 1, "in_iface": "s0", "event_type": "alert",
        "src_ip": "192.0.2.10", "src_port": 40000, "dest_ip": "198.51.100.7", "dest_port": 22, "proto": "TCP",
        "alert": {"signature_id": 2001219, "signature": "ET SCAN Potential SSH Scan OUTBOUND", "severity": 2},
        **changes,
    }  # fmt: skip
    return json.dumps(record).encode()


# ---------------------------------------------------------------------- Suricata


def test_an_alert_accuses_who_sent_the_packet() -> None:
    """Bound to the port, since the sensor saw it at the very port behind which the address is."""
    one = read_eve(alert(), THRESHOLDS, who_had, RECEIVED_S)
    assert one
    assert (Detector.SURICATA, "192.0.2.10", "198.51.100.7", 22, "tcp", "s0", 40000, "7.1") == (
        one.detector, one.server, one.peer, one.port, one.protocol, one.ingress, one.server_port, one.clause,
    )  # fmt: skip
    said = say(one.reason, Language.EN)
    assert "Suricata, rule 2001219, of web: “ET SCAN Potential SSH Scan OUTBOUND”" == said


@pytest.mark.parametrize("seen_at", ["uplink", "s9", "", None, 7])
def test_a_sensor_elsewhere_names_an_address_only(seen_at: object) -> None:
    """Who forges the address of another has nobody bound to a port."""
    one = read_eve(alert(in_iface=seen_at), THRESHOLDS, who_had, RECEIVED_S)
    assert one
    assert "" == one.ingress


def test_a_rule_with_a_target_says_who_attacks() -> None:
    """The reply to an attack is sent by its victim."""
    line = alert(
        src_ip="198.51.100.7", src_port=22, dest_ip="192.0.2.10", dest_port=40000,
        alert={"signature": "x", "signature_id": 1, "source": {"ip": "192.0.2.10"}, "target": {"ip": "198.51.100.7"}},
    )  # fmt: skip
    one = read_eve(line, THRESHOLDS, who_had, RECEIVED_S)
    assert one
    assert ("192.0.2.10", "198.51.100.7", 22) == (one.server, one.peer, one.port)


@pytest.mark.parametrize(
    "line",
    [
        alert(src_ip="198.51.100.7", dest_ip="192.0.2.10"),
        alert(event_type="flow"),
        alert(alert="x"),
        alert(timestamp="2019-11-14T22:20:00.123456+0000"),
        alert(timestamp="2033-11-14T22:20:00.123456+0000"),
        alert(timestamp="soon"),
        alert(src_ip="nobody"),
    ],
)
def test_what_accuses_nobody_of_ours_gives_nothing(line: bytes) -> None:
    """Our servers as victims, other records, times that nobody can look up."""
    assert read_eve(line, THRESHOLDS, who_had, RECEIVED_S) is None


# ---------------------------------------------------------------------- CrowdSec


def test_decisions_about_our_addresses_are_verdicts() -> None:
    """Single addresses of either version; ranges and simulations are counted and left."""
    decision = {"origin": "lists", "type": "ban", "scenario": "crowdsecurity/ssh-bf", "duration": "3h"}
    listed = [
        {**decision, "scope": "Ip", "value": "192.0.2.10"},
        {**decision, "scope": "range", "value": "2001:db8::10/128"},
        {**decision, "scope": "Range", "value": "192.0.2.0/24"},
        {**decision, "scope": "Ip", "value": "192.0.2.10", "simulated": True},
        {**decision, "scope": "Ip", "value": "203.0.113.1"},
        {**decision, "scope": "Country", "value": "FR"},
        "noise",
    ]
    for answer in (listed, {"new": listed, "deleted": None}):
        found, left = read_decisions(json.dumps(answer).encode(), THRESHOLDS, who_had, RECEIVED_S)
        assert (["192.0.2.10", "2001:db8::10"], 4) == ([one.server for one in found], left)
        assert {("7.9", "", RECEIVED_S)} == {(one.clause, one.ingress, one.last_s) for one in found}
    assert ([], 0) == read_decisions(b"null", THRESHOLDS, who_had, RECEIVED_S)


# ---------------------------------------------------------------------- complaints by mail


def arf(fields: str, *, headers: str = "") -> bytes:
    """Return a complaint with these machine-readable fields."""
    return (
        f"From: <abuse@isp.example>\r\nSubject: abuse report\r\nMIME-Version: 1.0\r\n{headers}"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\n{fields}\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: <x@y.example>\r\nSubject: Earn money\r\n\r\nSpam\r\n--b--\r\n"
    ).encode()


def test_a_complaint_is_about_who_held_the_address_then() -> None:
    """The holder of that day, not of today."""
    for day, holder in (
        ("Tue, 14 Nov 2023 22:20:00 +0000", "web"),
        ("Mon, 6 Nov 2023 22:20:00 +0100", "old"),
    ):
        fields = f"Feedback-Type: abuse\r\nVersion: 1\r\nSource-IP: 192.0.2.10\r\nArrival-Date: {day}\r\n"
        one = read_arf(arf(fields), THRESHOLDS, who_had, RECEIVED_S)
        assert one
        assert f"complaint (abuse) by <abuse@isp.example> about {holder}: “abuse report”" == say(
            one.reason, Language.EN
        )
        assert (Detector.ABUSE_REPORT, "7.9", "") == (one.detector, one.clause, one.ingress)


@pytest.mark.parametrize(
    "fields",
    [
        "Feedback-Type: not-spam\r\nSource-IP: 192.0.2.10\r\nArrival-Date: Tue, 14 Nov 2023 22:20:00 +0000\r\n",
        "Feedback-Type: abuse\r\nArrival-Date: Tue, 14 Nov 2023 22:20:00 +0000\r\n",
        "Feedback-Type: abuse\r\nSource-IP: 192.0.2.10\r\n",
        "Feedback-Type: abuse\r\nSource-IP: 192.0.2.10\r\nArrival-Date: Tue, 14 Nov 1999 22:20:00 +0000\r\n",
        "Feedback-Type: abuse\r\nSource-IP: 203.0.113.1\r\nArrival-Date: Tue, 14 Nov 2023 22:20:00 +0000\r\n",
    ],
)
def test_a_complaint_without_who_and_when_accuses_nobody(fields: str) -> None:
    """Taken back, no address, no time, too long ago, not ours."""
    assert read_arf(arf(fields), THRESHOLDS, who_had, RECEIVED_S) is None


def test_the_date_of_the_mail_is_the_last_resort() -> None:
    """When the report has none."""
    data = arf(
        "Feedback-Type: fraud\r\nSource-IP: 192.0.2.10\r\n",
        headers="Date: Tue, 14 Nov 2023 22:21:00 +0000\r\n",
    )
    assert read_arf(data, THRESHOLDS, who_had, RECEIVED_S)


XARF_2 = (
    b"From: reports@isp.example\nSubject: login attack\nX-XARF: PLAIN\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nDear all: hello\n'
    b'--b\nContent-Type: text/plain; name="report.txt"\n\n---\nReported-From: reports@isp.example\n'
    b"Category: abuse\nReport-Type: login-attack\nService: ssh\nDate: Tue, 14 Nov 2023 22:20:00 +0000\n"
    b"Source-Type: ip-address\nSource: 192.0.2.10\nPort: 22\n--b--\n"
)


def xarf_json(value: object) -> bytes:
    """Return a mail with a JSON attachment."""
    return (
        b'From: r@isp.example\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nhello\n'
        b'--b\nContent-Type: application/json; name="xarf.json"\n\n'
        + json.dumps(value).encode()
        + b"\n--b--\n"
    )


@pytest.mark.parametrize(
    "data",
    [
        XARF_2,
        xarf_json({"Version": "3", "Report": {"ReportType": "login-attack", "Date": "2023-11-14T22:20:00Z",
                                              "SourceIp": "192.0.2.10", "DestinationPort": 22}}),
        xarf_json({"xarf_version": "4.0.0", "type": "login-attack", "timestamp": "2023-11-14T22:20:00Z",
                   "source_identifier": "192.0.2.10", "category": "connection"}),
    ],
)  # fmt: skip
def test_every_version_of_xarf_is_read(data: bytes) -> None:
    """Lines, and both JSON forms."""
    one = read_xarf(data, THRESHOLDS, who_had, RECEIVED_S)
    assert one
    assert ("192.0.2.10", 1_700_000_400.0) == (one.server, one.last_s)
    assert ("kind", "login-attack") in one.reason.facts
    assert ("held_by", "web") in one.reason.facts


# ---------------------------------------------------------------------- webhook


def test_a_signed_request_is_a_verdict() -> None:
    """Signed by one of the secrets, within five minutes."""
    body = json.dumps(
        {"address": "2001:db8::10", "at": 1_700_000_500, "what": "port scan\x1b[2J", "by": "honeypot",
         "peer": "198.51.100.7", "peer_port": 22, "protocol": "TCP"}
    ).encode()  # fmt: skip
    stamp = str(int(RECEIVED_S))
    good = hmac.new(b"two", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    check_signature(body, f"t={stamp},v1={good}", [b"one", b"two"], RECEIVED_S)
    one = read_webhook(body, THRESHOLDS, who_had, RECEIVED_S)
    assert one
    assert ("honeypot reports of six: “port scan.[2J”", 22, "tcp", "") == (
        say(one.reason, Language.EN), one.port, one.protocol, one.ingress,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "secrets", "later_s"),
    [("t={t},v1={good}", [b"one"], 0), ("t={t},v1={good}", [b""], 0), ("t={t},v1={good}", [b"two"], 301),
     ("t={t},v1=00", [b"two"], 0), ("", [b"two"], 0), ("t={t},v1={good}x", [b"two"], 0), ("v1={good}", [b"two"], 0)],
)  # fmt: skip
def test_an_unsigned_request_is_refused(header: str, secrets: list[bytes], later_s: int) -> None:
    """Another secret, none, too old, malformed."""
    stamp = str(int(RECEIVED_S))
    good = hmac.new(b"two", stamp.encode() + b".{}", hashlib.sha256).hexdigest()
    with pytest.raises(NotAllowedError):
        check_signature(b"{}", header.format(t=stamp, good=good), secrets, RECEIVED_S + later_s)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"address":"192.0.2.10"}', b'{"address":1,"at":1}', b"\xff"]
)
def test_a_request_without_who_and_when_is_refused(body: bytes) -> None:
    """With the field's name."""
    with pytest.raises(InputError, match="webhook"):
        read_webhook(body, THRESHOLDS, who_had, RECEIVED_S)


# ---------------------------------------------------------------------- hostile input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["192.0.2.10", "2001:db8::10", "::ffff:192.0.2.10", "2023-11-14T22:20:00Z", "alert"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["event_type", "alert", "src_ip", "dest_ip", "timestamp", "source", "ip", "in_iface", "new", "value",
             "scope", "address", "at", "Report", "SourceIp", "Date", "xarf_version", "source_identifier", "x"]
        ),
        inner, max_size=8,
    ),
    max_leaves=25,
)  # fmt: skip
READERS: list[Callable[[bytes], object]] = [
    lambda data: read_eve(data, THRESHOLDS, who_had, RECEIVED_S),
    lambda data: read_decisions(data, THRESHOLDS, who_had, RECEIVED_S),
    lambda data: read_webhook(data, THRESHOLDS, who_had, RECEIVED_S),
    lambda data: read_arf(data, THRESHOLDS, who_had, RECEIVED_S),
    lambda data: read_xarf(data, THRESHOLDS, who_had, RECEIVED_S),
]
FIELDS = "Feedback-Type: abuse\r\nSource-IP: 192.0.2.10\r\nArrival-Date: Tue, 14 Nov 2023 22:20:00 +0000\r\n"
GOOD = [alert(), XARF_2, arf(FIELDS),
        xarf_json({"xarf_version": "4", "timestamp": 1_700_000_400, "source_identifier": "192.0.2.10"})]  # fmt: skip


def take(data: bytes) -> None:
    """Have every reader read it: an answer or InputError, and only good addresses and times are looked up."""
    ASKED.clear()
    for read in READERS:
        try:
            read(data)
        except InputError:
            continue
    for text, at_s in ASKED:
        assert text == address(text)
        assert RECEIVED_S - 367 * 86400 < at_s <= RECEIVED_S + 300


@settings(max_examples=150, deadline=None)
@given(value=JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    """Of any shape, as such and in a mail."""
    take(json.dumps(value).encode())
    take(xarf_json(value))


@settings(max_examples=150, deadline=None)
@given(
    which=st.integers(0, 3), changes=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), max_size=6),
    noise=st.binary(max_size=200),
)  # fmt: skip
def test_damaged_reports_are_read_or_refused(
    which: int, changes: list[tuple[int, bytes]], noise: bytes
) -> None:
    """Bytes replaced anywhere, and noise alone."""
    data = GOOD[which]
    for at, change in changes:
        cut = at % len(data)
        data = data[:cut] + change + data[cut + len(change) :]
    take(data)
    take(noise)


@pytest.mark.timeout(60)
def test_what_is_huge_or_deep_takes_no_long_time() -> None:
    """Nesting, long lines, many parts, many headers, large numbers: refused or read within a second each."""
    deep_mail = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3000)
    )
    nasty = [
        b"[" * 60_000, b'{"a":' * 12_000, b"9" * 60_000, b'{"at":' + b"9" * 5000 + b"}",
        b'"' + b"\\u0000" * 9000 + b'"', b"Content-Type: multipart/x;\n" + b" a;a;a;a;a;a;a;\n" * 60_000 + b"\n",
        deep_mail, b"Content-Type: message/rfc822\n\n" * 3000, b"A: b\n" * 100_000, b"Content-Type: " + b"a;" * 100_000,
        b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 50_000,
        b"From: " + b'"\\' * 100_000 + b"\n\nx", b"Subject: =?utf-8?q?" + b"=?" * 100_000 + b"\n\nx", bytes(2 << 20),
        b"Content-Type: text/plain; name*0*=utf-8''" + b"%41" * 50_000 + b"\n\nx",
        b"Content-Type: text/plain; " + b"".join(b"name*%d=a; " % n for n in range(20_000)) + b"\n\nx",
        b"Date: " + b"1 " * 200_000 + b"\nContent-Type: message/feedback-report\n\n" + FIELDS.encode(),
    ]  # fmt: skip
    for data in nasty:
        begun = time.process_time()
        take(data)
        assert time.process_time() - begun < 2, data[:60]


def test_fields_are_taken_for_what_they_are() -> None:
    """One form for an address, short printable words, real ports, times within a year."""
    forms = ["::ffff:192.0.2.10", "[2001:DB8::0010]", "fe80::1%eth0", "192.0.2.010", 7, "x" * 99]
    assert ["192.0.2.10", "2001:db8::10", "", "", "", ""] == [address(one) for one in forms]
    assert [80, 80, 0, 0, 0, 0] == [port(one) for one in (80, "80", 0, 65536, True, "8e1")]
    assert ["a.b", "-", "7", 120] == [words("a\u202eb"), words(None), words(7), len(words("x" * 500))]
    assert [None, None, None] == [moment(one, RECEIVED_S) for one in (float("nan"), True, 1e300)]


def test_every_reason_has_words() -> None:
    """In both languages, by the table of all detectors."""
    room = Path(fwguard.detect.outside.__file__).parent
    used = {
        key
        for path in room.glob("*.py")
        for key in re.findall(r'Detector\.[A-Z_]+,\s*"([a-z-]+)"', path.read_text())
    }
    assert {"suricata", "crowdsec", "abuse-report", "webhook"} == used
    assert used <= WORDS.keys()
