"""The controller of a lab: set up, started in its namespace, spoken to by its command line, stopped or killed.

Everything here goes through the program's own doors (processes, the command line, a listening socket),
as an operator's would.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyotp
import yaml

from fwguard.errors import DeviceError, FwguardError
from fwguard.lab import mail_door
from fwguard.lab import plan as p
from fwguard.lab.people import DESK, OPERATOR_DOMAIN, Person
from fwguard.lab.platform import Lab

START_S: Final = 30.0
STOP_S: Final = 20.0
COMMAND_S: Final = 120.0
CODE_S: Final = 30  # RFC 6238 5.2


class CommandFailed(FwguardError):
    """A command of the controller did not end with 0; its words are the message."""

    def __init__(self, argv: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"fwguard {' '.join(argv)} ended with {code}: {said.strip()}")
        self.exit_code = code  # type: ignore[misc]  # that of the command, not ours


class ControlRoom:
    """The one controller of a lab. `settings` override what `fwguard.yaml` says."""

    def __init__(self, lab: Lab, *, settings: Mapping[str, Any] | None = None, port: int = 0) -> None:
        self.lab = lab
        self.directory = lab.directory / "controller"
        self.config = self.directory / "fwguard.yaml"
        self.log = self.directory / "controller.log"
        self._settings = dict(settings or {})
        self._listener = _listen(port)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}

    def set_up(self) -> None:
        """Write the settings, make keys and database, enrol the lab's inventory."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self._write_settings()
        self.command("init", "--inventory", str(self.lab.inventory))
        (self.lab.directory / "portal").write_text(self.url, encoding="ascii")

    def restart(self, **settings: Any) -> None:
        """Stop it if it runs, and start it again with some settings changed."""
        self.stop()
        self._settings.update(settings)
        self._write_settings()
        self.start()

    def _write_settings(self) -> None:
        settings = {
            "state_dir": str(self.directory / "state"),
            "portal_url": self.url,
            "smtp_host": p.MAIL_MGMT4,
            "smtp_port": 25,
            "authserv_id": mail_door.AUTHSERV_ID,
            "desk_address": DESK,
            "mail_domain": OPERATOR_DOMAIN,
            "lmtp_host": p.CONTROLLER4,
            "lmtp_port": p.LMTP_PORT,
            "mail_retry_s": 2,
            "confirm_s": 20,
            "poll_s": 5,
            **self._settings,
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")

    def start(self) -> None:
        """Start the controller and wait until it is up. Raises DeviceError with the end of its log."""
        ready = self.directory / "ready"
        ready.unlink(missing_ok=True)
        # The portal's socket is made here, so that a browser outside the namespace reaches it.
        fd = self._listener.fileno()
        # bash, since dash knows no descriptor above 9.
        handed = ["bash", "-c", f'exec 3<&{fd}; exec "$@"', "bash"] if fd != 3 else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.lab.command("controller", [*handed, *_fwguard("serve", "--ready-file", str(ready))]),
                env=self._environment() | {"LISTEN_FDS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(fd,),
            )
        deadline = time.monotonic() + START_S
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DeviceError(f"the controller does not come up:\n{self._end_of_log()}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Return the process of the controller. Raises DeviceError when it is not running."""
        if self._process is None or self._process.poll() is not None:
            raise DeviceError(f"the controller is not running:\n{self._end_of_log()}")
        return self._process.pid

    def kill(self) -> None:
        """End the controller as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the controller as an operator does (SIGTERM)."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Stop it, and give the portal's port back."""
        self.stop()
        self._listener.close()

    def command(self, *argv: str, actor: str = "", check: bool = True, state: Path | None = None) -> str:
        """Run a command of the program inside the controller's host; as a person, when one is named; on
        another state directory, as after a copy.

        Raises CommandFailed unless it ends with 0 and `check` is set.
        """
        done = self._run(argv, actor, state)
        if check and done.returncode:
            raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def rows(self, *argv: str, actor: str, state: Path | None = None) -> list[dict[str, Any]]:
        """Run a command that prints one JSON object a line, and return them.

        Raises CommandFailed when it ends with more than 1 (which answers "no", "differs", "found").
        """
        done = self._run([*argv, "--json"], actor, state)
        if done.returncode > 1:
            raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _run(self, argv: Sequence[str], actor: str, state: Path | None) -> subprocess.CompletedProcess[str]:
        environment = self._environment()
        if actor:
            environment["FWGUARD_TOKEN"] = self._token(actor)
        if state is not None:
            environment["FWGUARD_STATE_DIR"] = str(state)
        return subprocess.run(
            self.lab.command("controller", _fwguard(*argv)),
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def log_in(self, mail: str) -> None:
        """Log a person in, if they are not yet; a code of the second factor counts once."""
        self._token(mail)

    def _token(self, mail: str) -> str:
        if mail not in self._tokens:
            person = self.lab.person(mail)
            argv = ["login", "--user", person.login, "--password", person.password, "--print"]
            try:
                token = self.command(*argv, "--code", code_of(person))
            except CommandFailed:
                token = self.command(*argv, "--code", next_code_of(person))
            self._tokens[mail] = token.strip()
        return self._tokens[mail]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "FWGUARD_CONFIG": str(self.config),
        }

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
        self._process = None

    def _end_of_log(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-20:])


def code_of(person: Person) -> str:
    """Return what a person's authenticator shows now (RFC 6238)."""
    return pyotp.TOTP(person.totp).now()


def next_code_of(person: Person) -> str:
    """Wait for the next code and return it: one that was used is not taken a second time."""
    time.sleep(CODE_S - time.time() % CODE_S + 0.1)
    return code_of(person)


def _fwguard(*argv: str) -> list[str]:
    """Return the command of this very program."""
    return [sys.executable, "-m", "fwguard", *argv]


def _listen(port: int) -> socket.socket:
    """Bind the portal to loopback: the wished port, or any free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener
