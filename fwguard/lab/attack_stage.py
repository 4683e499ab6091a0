"""Where an attack runs: servers in the lab's Internet, programs on a server, bounded in time, and all gone at the end.

Each program gets process and mount namespaces of its own inside a host's network namespace, and a timer; it ends
with everything it started when the thread that runs the attack does, however that ends.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from fwguard.errors import DeviceError, InputError
from fwguard.lab import attack_programs, namespaces
from fwguard.lab import plan as p
from fwguard.lab.namespaces import NETNS_DIR
from fwguard.lab.plan import ServerPlan
from fwguard.lab.platform import Lab

HERE: Final = "/mnt"  # where every program of an attack sees the attack's own directory
ATTACK_S: Final = 25.0  # all programs together: an attack that is cut half-way must not hang
LIMIT_S: Final = 15.0
READY_S: Final = 10.0
_LISTEN: Final = "0A"  # TCP_LISTEN of <linux/tcp_states.h>, as proc(5) writes it
_OUTPUT_BYTES: Final = 1 << 16
# A private copy of the mounts of namespaces would keep other labs' alive. The attack's files come to /mnt before
# /run, which they lie below, is covered: sshd and others write there.
_WRAP: Final = (
    f"umount -R -l {NETNS_DIR} 2>/dev/null; "
    'mount --bind "$1" /mnt && mount -t tmpfs -o size=16m fwguard-attack /run && mkdir /run/sshd && cd /mnt '
    '&& shift && exec "$@"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One program that ran. `ended`: "exit 0", "time limit", "ended by us" (a server), "saw …".

    `said` is the last line that it printed, when it ended with another code than 0.
    """

    host: str
    argv: tuple[str, ...]
    ended: str
    seconds: float
    said: str = ""


@dataclass(slots=True)
class _Serving:
    host: str
    argv: tuple[str, ...]
    child: subprocess.Popen[bytes]
    begun_s: float


class Stage:
    """One attack by `server` on the Internet's address of one family; a context manager that leaves nothing."""

    def __init__(self, lab: Lab, server: ServerPlan, *, port: int, v6: bool) -> None:
        self.lab = lab
        self.server = server
        self.port = port
        self.v6 = v6
        self.source = server.address6 if v6 else server.address4
        self.target = p.INTERNET6 if v6 else p.INTERNET4
        self.steps: list[Step] = []
        self._deadline_s = time.monotonic() + ATTACK_S
        self._serving: list[_Serving] = []
        _remove_left(lab.directory)
        self._directory = Path(tempfile.mkdtemp(prefix=f"attack.{os.getpid()}.", dir=lab.directory))
        self._directory.chmod(0o755)  # servers give up root and still read their files

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place, one in enumerate(self._serving):
            ended = "ended by us" if one.child.poll() is None else _ended(one.child.returncode)
            _kill(one.child)
            self._tell(one.host, one.argv, ended, one.begun_s, place=place)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Return the target as it stands in a URL."""
        return f"[{self.target}]" if self.v6 else self.target

    @property
    def family(self) -> tuple[str, ...]:
        """Return the flag by which nmap and nping take addresses of version 6."""
        return ("-6",) if self.v6 else ()

    def write(self, name: str, text: str, *, mode: int = 0o644) -> str:
        """Write a file for the programs; return its path as they see it."""
        target = self._directory / name
        target.write_text(text)
        target.chmod(mode)
        return f"{HERE}/{name}"

    def directory(self, name: str) -> str:
        """Make a directory for the programs; return its path as they see it."""
        (self._directory / name).mkdir(mode=0o700)
        return f"{HERE}/{name}"

    def serve(self, argv: Sequence[str], *, udp: bool = False) -> None:
        """Start a server in the lab's Internet, and return once it listens on the attack's port.

        Raises:
            InputError: something else listens there. DeviceError: it ended or is silent.
        """
        netns = self.lab.netns("internet")
        if _listens(netns, self.port, udp=udp):
            taken = ", ".join(str(one) for one in (p.INTERNET_UDP if udp else p.INTERNET_TCP))
            raise InputError(
                f"port {self.port} of the lab's Internet is taken", expected=f"one that is not {taken}"
            )
        begun_s = time.monotonic()
        child = self._start("internet", argv, keep=False)
        self._serving.append(_Serving("internet", tuple(argv), child, begun_s))
        while not _listens(netns, self.port, udp=udp):
            if child.poll() is not None or time.monotonic() - begun_s > READY_S:
                raise DeviceError(f"{argv[0]} does not listen on port {self.port}: {self._said()}")
            time.sleep(0.01)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        limit_s: float = LIMIT_S,
        until: str = "",
        hold_s: float = 0,
    ) -> str:
        """Run a program on the attacking server, to its end or until it prints `until`; return what it printed.

        `stdin` goes to its standard input, which stays open for `hold_s`.
        """
        begun_s = time.monotonic()
        limit_s = min(limit_s, self._deadline_s - begun_s)
        if limit_s <= 0:
            self._tell(self.server.name, argv, "not begun: time limit", begun_s)
            return ""
        child = self._start(self.server.name, argv, keep=True)
        try:
            if child.stdin is not None:
                try:
                    child.stdin.write(stdin.encode())
                    child.stdin.flush()
                except BrokenPipeError:
                    hold_s = 0
            printed, saw = _read(child, until.encode(), limit_s, hold_s)
            ended = f"saw {until!r}" if saw else _wait(child, limit_s - (time.monotonic() - begun_s))
        finally:
            _kill(child)
        text = printed.decode(errors="replace")
        failed = ended != "exit 0" and not saw
        said = (text.strip().splitlines() or [""])[-1][:200] if failed else ""
        self._tell(self.server.name, argv, ended, begun_s, said=said)
        return text

    def packets(self) -> tuple[int, int]:
        """Return how many packets the server's edge port has received from it and sent to it."""
        done = subprocess.run(
            ["ip", "-n", self.lab.netns("edge"), "-s", "-j", "link", "show", "dev", self.server.port],
            check=True, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        counted = json.loads(done.stdout)[0]["stats64"]
        return int(counted["rx"]["packets"]), int(counted["tx"]["packets"])

    def _start(self, host: str, argv: Sequence[str], *, keep: bool) -> subprocess.Popen[bytes]:
        program = argv[0] if argv[0].startswith("/") else attack_programs.find(argv[0])
        words = [
            "setpriv", "--pdeathsig", "KILL",
            "nsenter", f"--net={NETNS_DIR / self.lab.netns(host)}",
            "unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc",
            "sh", "-c", _WRAP, "sh", str(self._directory),
            "timeout", "--signal=KILL", f"{ATTACK_S + READY_S:.0f}", program, *argv[1:],
        ]  # fmt: skip
        with (self._directory / "printed").open("ab") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE if keep else subprocess.DEVNULL,
                stdout=subprocess.PIPE if keep else log,
                stderr=subprocess.STDOUT if keep else log,
                start_new_session=True, cwd="/", env=attack_programs.environment(HERE),
            )  # fmt: skip

    def _said(self) -> str:
        text = (self._directory / "printed").read_text(errors="replace").strip()
        return text[-400:] or "it printed nothing"

    def _tell(
        self,
        host: str,
        argv: Sequence[str],
        ended: str,
        begun_s: float,
        *,
        said: str = "",
        place: int | None = None,
    ) -> None:
        seconds = round(time.monotonic() - begun_s, 3)
        step = Step(host=host, argv=tuple(argv), ended=ended, seconds=seconds, said=said)
        self.steps.insert(len(self.steps) if place is None else place, step)


def _read(child: subprocess.Popen[bytes], until: bytes, limit_s: float, hold_s: float) -> tuple[bytes, bool]:
    """Return what a program printed until it closed its output, or printed `until`, or the time was over."""
    assert child.stdout is not None
    begun_s = time.monotonic()
    printed = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (passed := time.monotonic() - begun_s) < limit_s:
            if passed >= hold_s and child.stdin is not None and not child.stdin.closed:
                with suppress(BrokenPipeError):
                    child.stdin.close()
            wait_s = min(limit_s, hold_s if passed < hold_s else limit_s) - passed
            if not selector.select(max(wait_s, 0.001)):
                continue
            block = os.read(child.stdout.fileno(), 65536)
            printed = (printed + block)[-_OUTPUT_BYTES:]
            if not block or (until and until in printed):
                return printed, bool(block)
    return printed, False


def _wait(child: subprocess.Popen[bytes], left_s: float) -> str:
    try:
        return _ended(child.wait(max(left_s, 0.2)))
    except subprocess.TimeoutExpired:
        return "time limit"


def _ended(code: int | None) -> str:
    return "time limit" if code in (-signal.SIGKILL, 137) else f"exit {code}"


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a program with everything it started: its process 1 dies with `unshare`."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait(READY_S)
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


def _remove_left(directory: Path) -> None:
    """Remove the files of attacks whose process was killed."""
    for left in directory.glob("attack.*"):
        if not Path("/proc", left.name.split(".")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)


def _listens(netns: str, port: int, *, udp: bool) -> bool:
    """Tell whether anything in a namespace listens on a port (proc(5), /proc/net/tcp), without touching it."""

    def look() -> bool:
        for name in ("udp", "udp6") if udp else ("tcp", "tcp6"):
            for line in Path("/proc/thread-self/net", name).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port and (udp or fields[3] == _LISTEN):
                    return True
        return False

    return namespaces.inside(netns, look)
