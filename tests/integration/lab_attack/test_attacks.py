"""Every attack of the lab is heard at the edge: the right detector, for the right server, on any port, v4 and v6."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wiretap import THRESHOLDS, Wiretap

from fwguard.edge.deciding import decide
from fwguard.edge.grounds import Grounds
from fwguard.edge.history import History
from fwguard.edge.measure import Action
from fwguard.errors import InputError
from fwguard.lab import namespaces
from fwguard.lab import plan as p
from fwguard.lab.attack import ATTACKS, Attacked, attack, server_of
from fwguard.lab.attack_stage import HERE, Stage
from fwguard.lab.edge_state import edge_state_of
from fwguard.lab.platform import Lab
from fwguard.model.detection import Detection, Detector
from fwguard.rules.controls import read_controls

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("lab-attack")]

HEARD = {
    "irc": {Detector.IRC},
    "socks": {Detector.SOCKS},
    "proxy": {Detector.HTTP_PROXY},
    "tor": {Detector.TOR},
    "video": {Detector.VIDEOCHAT},
    "spam": {Detector.SMTP, Detector.SPAM_BURST},
    "portscan": {Detector.PORTSCAN},
    "hostscan": {Detector.HOSTSCAN},
    "flood": {Detector.FLOOD},
    "spoof": {Detector.IP_SPOOF},
    "arp": {Detector.ARP_SPOOF},
    "bruteforce": {Detector.BRUTEFORCE},
    "mining": {Detector.MINING},
}
# Those by content speak of one connection, whose port is the attack's.
AT_ITS_PORT = {"irc", "socks", "proxy", "tor", "video", "spam", "hostscan", "bruteforce", "mining"}
ATTACKERS = ("acme-web", "acme-db", "globex-web", "globex-db", "initech-web")
CONTROLS = read_controls(Path(__file__).parents[3] / "rules")
UNUSUAL = 21000


class Case(NamedTuple):
    """One attack."""

    kind: str
    server: str
    port: int | None
    v6: bool

    def __str__(self) -> str:
        return f"{self.kind}-{'v6' if self.v6 else 'v4'}-{self.port or 'usual'}"


def cases() -> Iterator[Case]:
    """Each kind on its usual port over v4, and on an unusual one over both; one by a declared mail server."""
    number = 0
    for kind in ATTACKS:
        for unusual, v6 in ((False, False), (True, False), (True, True)):
            if unusual and not v6 and kind == "arp":
                continue  # it has no port
            port = UNUSUAL + number if unusual and kind != "arp" else None
            yield Case(kind, ATTACKERS[number % len(ATTACKERS)], port, v6)
            number += 1
    yield Case("spam", "acme-mail", 2525, True)


CASES = tuple(cases())
Played = tuple[Attacked, list[Detection], list[str]]


@pytest.fixture(scope="module")
def stage() -> Iterator[Lab]:
    """A platform for attacks alone."""
    lab = Lab.up(f"a{secrets.token_hex(3)}", bound=True)
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def played(stage: Lab) -> Iterator[dict[Case, Future[Played]]]:
    """All attacks: those of one server one after the other, those of different servers at the same time."""
    state = edge_state_of(stage.plan, controls=CONTROLS)
    grounds = Grounds(state, THRESHOLDS.answers)

    def play(case: Case) -> Played:
        server = server_of(stage, case.server)
        with Wiretap(stage.netns("edge"), server) as tap:
            done = attack(stage, case.server, case.kind, port=case.port, v6=case.v6)
        said = tap.scan()
        accused = [port.server for one in said if (port := grounds.accused(one)) is not None]
        return done, said, accused

    pools = {name: ThreadPoolExecutor(1) for name in (*ATTACKERS, "acme-mail")}
    yield {case: pools[case.server].submit(play, case) for case in CASES}
    for pool in pools.values():
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_right_detector_speaks_for_the_right_server(
    played: dict[Case, Future[Played]], case: Case
) -> None:
    """It and no other, and the edge knows whose port it is."""
    done, said, accused = played[case].result(timeout=120)
    assert HEARD[case.kind] == {one.detector for one in said}, done
    assert [case.server] * len(said) == accused
    if case.kind in AT_ITS_PORT:
        assert {done.port} == {one.port for one in said}
    assert all(one.packets for one in said)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_attack_says_what_it_did(played: dict[Case, Future[Played]], case: Case) -> None:
    """Which programs, in which namespaces, how many packets; bounded in both packets and time."""
    done, _, _ = played[case].result(timeout=120)
    assert (case.server, case.kind) == (done.server, done.kind)
    assert (p.INTERNET6 if case.v6 else p.INTERNET4) == done.target
    assert {step.host for step in done.steps} <= {case.server, "internet"}
    assert 5 <= done.packets_out < 4000
    assert done.seconds < 35
    assert [] == [step for step in done.steps if "time limit" in step.ended]


def test_a_declared_mail_servers_mail_is_its_own_affair_but_a_burst_is_not(
    stage: Lab, played: dict[Case, Future[Played]]
) -> None:
    """The register decides on the session, the contract on the burst (clauses 7.4 and 7.1)."""
    grounds = Grounds(edge_state_of(stage.plan, controls=CONTROLS), THRESHOLDS.answers)
    _, said, _ = played[CASES[-1]].result(timeout=120)
    actions = {one.detector: decide(one, grounds, History(), one.last_s).action for one in said}
    assert Action.NOTHING is actions[Detector.SMTP]
    assert actions[Detector.SPAM_BURST] not in (Action.NOTHING, Action.DRY_RUN)


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_ordinary_traffic_makes_no_detector_speak(
    stage: Lab, played: dict[Case, Future[Played]], v6: bool
) -> None:
    """Web both ways, names, SSH, a database: silence. Mail of a declared mail server: nothing is done about it."""
    for future in played.values():
        future.exception(timeout=120)
    web, mail = server_of(stage, "acme-web"), server_of(stage, "acme-mail")
    edge = stage.netns("edge")
    with Wiretap(edge, web) as at_web, Wiretap(edge, mail) as at_mail:
        _browse(stage, v6=v6)
        _shell(stage, v6=v6)
        _database(stage, v6=v6)
        _mail(stage, v6=v6)
    assert len(at_web.frames) > 200
    assert [] == at_web.scan()
    said = at_mail.scan()
    assert {Detector.SMTP} == {one.detector for one in said}
    grounds = Grounds(edge_state_of(stage.plan, controls=CONTROLS), THRESHOLDS.answers)
    assert {Action.NOTHING} == {decide(one, grounds, History(), one.last_s).action for one in said}


def _browse(lab: Lab, *, v6: bool) -> None:
    """Pages from outside and from inside, and names asked for."""
    target, public = (p.INTERNET6, "2001:db8:0:1::1") if v6 else (p.INTERNET4, "192.0.2.10")
    query = bytes.fromhex("1234010000010000000000000377777707657861") + b"mple\x03com\x00\x00\x01\x00\x01"
    for _ in range(12):
        assert lab.greeting("acme-web", target, 80, timeout_s=5)
        assert lab.greeting("internet", public, 80, timeout_s=5)
        family = socket.AF_INET6 if v6 else socket.AF_INET
        with namespaces.socket_in(lab.netns("acme-web"), family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(query, (target, 53))
            assert asking.recv(512)


def _shell(lab: Lab, *, v6: bool) -> None:
    """Three sessions of an administrator whose key is known."""
    with Stage(lab, server_of(lab, "acme-web"), port=2200, v6=v6) as stage:
        for name in ("host_key", "own_key"):
            stage.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{HERE}/{name}"])
        conf = (
            f"Port 2200\nListenAddress {stage.target}\nHostKey {HERE}/host_key\nPidFile none\nUseDNS no\n"
            f"UsePAM no\nPermitRootLogin yes\nStrictModes no\nAuthorizedKeysFile {HERE}/own_key.pub\n"
        )
        stage.serve(["sshd", "-D", "-e", "-f", stage.write("sshd_config", conf)])
        for _ in range(3):
            said = stage.run(
                ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-i", f"{HERE}/own_key",
                 "-p", "2200", f"root@{stage.target}", "echo well; seq 2000 | tail -1"],
            )  # fmt: skip
            assert "well\n2000\n" == said


def _database(lab: Lab, *, v6: bool) -> None:
    """Debian's PostgreSQL, asked five times."""
    programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))))
    with Stage(lab, server_of(lab, "acme-web"), port=5433, v6=v6) as stage:
        begin = (
            f"mkdir {HERE}/db && chown postgres {HERE}/db && exec setpriv --reuid=postgres --regid=postgres "
            f"--clear-groups sh -c '{programs}/initdb -D {HERE}/db -A trust --no-sync >/dev/null && "
            f'echo "host all all all trust" >> {HERE}/db/pg_hba.conf && '
            f"exec {programs}/postgres -D {HERE}/db -p 5433 -h {stage.target} -k {HERE}/db -F'"
        )
        stage.serve(["/bin/sh", "-c", begin])
        for number in range(5):
            said = stage.run(
                [
                    "/usr/bin/psql",
                    "-h",
                    stage.target,
                    "-p",
                    "5433",
                    "-U",
                    "postgres",
                    "-Atc",
                    f"select {number} + 1",
                ]
            )
            assert f"{number + 1}\n" == said


def _mail(lab: Lab, *, v6: bool) -> None:
    """A few mails to people who exist, from the mail server."""
    with Stage(lab, server_of(lab, "acme-mail"), port=25, v6=v6) as stage:
        stage.serve([sys.executable, "-m", "fwguard.lab.mail_sink", stage.target, "25"])
        for number in range(4):
            stage.run(
                ["swaks", "--server", stage.target, "--helo", "mail.acme.example", "-6" if v6 else "-4",
                 "--from", "alice@acme.example", "--to", f"customer{number}0@shop.example"],
            )  # fmt: skip
        assert ["exit 0"] * 4 == [step.ended for step in stage.steps]


def test_nothing_is_left_behind(stage: Lab, played: dict[Case, Future[Played]]) -> None:
    """No process, no file."""
    for future in played.values():
        future.exception(timeout=120)
    names = [stage.netns(host) for host in ("internet", *(server.name for server in stage.plan.servers))]
    left = []
    for pid in namespaces.processes_in(names):
        left.append(Path(f"/proc/{pid}/comm").read_text().strip())
    assert [] == [name for name in left if not name.startswith("srv:")]
    assert [] == list(stage.directory.glob("attack.*"))


def test_a_port_that_is_taken_is_said_and_nothing_is_done(stage: Lab) -> None:
    """The Internet of the lab serves pages there."""
    with pytest.raises(InputError, match="port 443 of the lab's Internet is taken"):
        attack(stage, "globex-db", "irc", port=443)
    assert [] == list(stage.directory.glob("attack.*"))


def test_an_attack_whose_process_is_killed_ends_with_it(stage: Lab) -> None:
    """Its programs at once, its files before the next attack."""
    words = [sys.executable, "-m", "fwguard", "lab", "attack", "--run", stage.run_id, "globex-db", "video"]
    attacking = subprocess.Popen([*words, "--port", "31338"], stdout=subprocess.DEVNULL)
    names = [stage.netns("globex-db")]
    served = set(namespaces.processes_in(names))
    try:
        _until(lambda: set(namespaces.processes_in(names)) - served, "the attack has begun")
    finally:
        attacking.kill()
        attacking.wait(10)
    _until(lambda: not set(namespaces.processes_in(names)) - served, "its programs have ended")
    attack(stage, "globex-db", "mining", port=31339)
    assert [] == list(stage.directory.glob("attack.*"))


def _until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, f"not within 10 s: {what}"
        time.sleep(0.02)


def test_irc_on_the_port_of_name_servers(stage: Lab) -> None:
    """A server that gives up root before it listens may take a low port too."""
    with Wiretap(stage.netns("edge"), server_of(stage, "globex-db")) as tap:
        attack(stage, "globex-db", "irc", port=53, v6=True)
    assert {(Detector.IRC, 53)} == {(one.detector, one.port) for one in tap.scan()}


def test_the_command_line_tells_it_to_scripts(stage: Lab) -> None:
    """One JSON object; a server that is not there ends with the code of a wrong word."""
    words = [sys.executable, "-m", "fwguard", "lab", "attack", "--run", stage.run_id, "--json"]
    done = subprocess.run(
        [*words, "globex-db", "mining", "--port", "31337"], capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert ("globex-db", "mining", 31337, p.INTERNET4) == (
        found["server"], found["kind"], found["port"], found["target"]
    )  # fmt: skip
    assert ["ended by us", "exit 0"] == [step["ended"] for step in found["steps"]]
    assert 2 == subprocess.run([*words, "nobody", "mining"], capture_output=True, timeout=60).returncode
