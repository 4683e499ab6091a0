"""The same attack to fail2ban, by the log that it leaves: how long from the last line to the action.

It runs with a configuration, socket and data of its own, in the foreground, and its action writes one line to a
file; no firewall is touched. Debian's filter for sshd, five failures as shipped. Absent, the benchmark says so.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

FAILURES: Final = 5
_START_S: Final = 20
_WAIT_S: Final = 10
_SHIPPED: Final = Path("/etc/fail2ban")


def run_log_watcher(folder: Path, *, attackers: int = 6) -> dict[str, Any]:
    """Return seconds from the line that completes the evidence to the action, the median and the most."""
    server = shutil.which("fail2ban-server")
    if server is None or not (_SHIPPED / "filter.d" / "sshd.conf").is_file():
        return {"fail2ban": "not installed: apt-get install fail2ban; nothing was compared"}
    log, bans = folder / "auth.log", folder / "bans"
    log.touch()
    bans.touch()
    _configure(folder, log, bans)
    asked = [server, "-f", "-c", str(folder), "-s", str(folder / "s"), "-p", str(folder / "p")]
    watcher = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not _wait(lambda: "bench" in _ask(folder, "status"), _START_S):
            return {"fail2ban": "did not start"}
        waited = [_attack(log, bans, f"198.51.100.{10 + number}") for number in range(attackers)]
    finally:
        watcher.terminate()
        try:
            watcher.wait(10)
        except subprocess.TimeoutExpired:
            watcher.kill()
            watcher.wait()
    seen = [one for one in waited if one is not None]
    version = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=30, check=False)
    return {
        "version": version.stdout.strip().split("\n")[0],
        "attackers": attackers,
        "banned": len(seen),
        "median_s": round(median(seen), 3) if seen else None,
        "most_s": round(max(seen), 3) if seen else None,
    }


def _configure(folder: Path, log: Path, bans: Path) -> None:
    (folder / "filter.d").symlink_to(_SHIPPED / "filter.d")
    (folder / "action.d").mkdir()
    (folder / "action.d" / "bench.conf").write_text(
        f"[Definition]\nactionstart =\nactionstop =\nactioncheck =\nactionban = echo <ip> >> {bans}\nactionunban =\n"
    )
    (folder / "fail2ban.conf").write_text(
        f"[Definition]\nloglevel = ERROR\nlogtarget = {folder / 'log'}\nsyslogsocket = auto\nsocket = {folder / 's'}\n"
        f"pidfile = {folder / 'p'}\ndbfile = None\ndbpurgeage = 1d\ndbmaxmatches = 10\n[DEFAULT]\n"
    )
    (folder / "jail.conf").write_text(
        f"[DEFAULT]\nbackend = auto\nusedns = no\n[bench]\nenabled = true\nfilter = sshd\nlogpath = {log}\n"
        f"maxretry = {FAILURES}\nfindtime = 600\nbantime = 600\naction = bench\n"
    )


def _ask(folder: Path, *words: str) -> str:
    asked = ["fail2ban-client", "-c", str(folder), "-s", str(folder / "s"), *words]
    return subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False).stdout


def _attack(log: Path, bans: Path, address: str) -> float | None:
    """Write the failures of one attacker; return how long after the last it was banned."""
    with log.open("a") as lines:
        for number in range(FAILURES):
            at = datetime.now().strftime("%b %d %H:%M:%S")
            lines.write(
                f"{at} host sshd[{number + 100}]: Failed password for root from {address} port {40000 + number} ssh2\n"
            )
    written = time.perf_counter()
    return time.perf_counter() - written if _wait(lambda: address in bans.read_text(), _WAIT_S) else None


def _wait(condition: Any, most_s: float) -> bool:
    end = time.perf_counter() + most_s
    while time.perf_counter() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False
