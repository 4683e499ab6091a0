"""The platform of the lab: up, down, what is there, and what can be done on it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from fwguard.errors import DeviceError, InputError
from fwguard.lab import construction, mail_door, requirements, run_state, tamper, traffic
from fwguard.lab import plan as p
from fwguard.lab.box import PATH, inside_box
from fwguard.lab.firewall_kinds import KINDS
from fwguard.lab.namespaces import NETNS_DIR, is_in
from fwguard.lab.people import DESK, Person, outsiders
from fwguard.lab.plan import FirewallPlan, Plan
from fwguard.lab.run_state import RunState


class Lab:
    """One platform that is up. Any process may attach to it; it outlives the one that made it."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        kinds = frozenset(kind for kind in KINDS if kind in state.kinds)
        self.plan: Plan = p.plan(state.run, firewalls=state.firewalls, kinds=kinds)

    @classmethod
    def up(cls, run: str | None = None, *, firewalls: int = 3, bound: bool = False) -> Lab:
        """Build a platform; first end what dead runs left behind.

        `run` names it (1-8 of a-z0-9; random when None). `firewalls` counts all of them. A `bound` lab
        counts as dead when this process ends; others stay until `down`.

        Raises:
            NotAllowedError: not root. DeviceError: a program is missing or a part does not come up (then
            nothing is left). InputError: a bad name or number. ConflictError: the name is taken.
        """
        requirements.check()
        run_state.sweep()
        run = run or secrets.token_hex(3)
        plan = p.plan(run, firewalls=firewalls, kinds=frozenset(KINDS))
        state = run_state.begin(run, firewalls=firewalls, kinds=tuple(KINDS), bound=bound)
        try:
            state = state.with_inits(construction.build(plan, state.directory))
            state.save()
        except BaseException:
            run_state.destroy(run)
            raise
        return cls(state)

    @classmethod
    def attach(cls, run: str | None = None) -> Lab:
        """Return the lab that is up, or the one named.

        Raises:
            InputError: there is none, or several. NotAllowedError: not root.
        """
        requirements.check_rights()
        if run is None:
            there = [name for name in run_state.runs() if run_state.load(name).phase == "up"]
            if len(there) != 1:
                found = f"{len(there)} labs are up: {', '.join(there)}" if there else "no lab is up"
                raise InputError(found, expected="one; `fwguard lab up` makes it, `--run ID` names it")
            run = there[0]
        return cls(run_state.load(run))

    def down(self) -> None:
        """End every process, namespace and file of the platform. Repeatable."""
        run_state.destroy(self.state.run)

    @classmethod
    def end(cls, run: str | None = None) -> list[str]:
        """End a run, whatever is left of it, and all dead ones; return their names.

        With no name: every run that is not bound to a living process. Works without a readable state.
        Raises NotAllowedError: not root.
        """
        requirements.check_rights()
        ended = run_state.sweep()
        names = [run] if run else [name for name in run_state.runs() if not run_state.load(name).bound]
        for name in names:
            if name not in ended and run_state.exists(name):
                run_state.destroy(name)
                ended.append(name)
        return ended

    @property
    def run_id(self) -> str:
        """Return the run's name."""
        return self.state.run

    @property
    def directory(self) -> Path:
        """Return where the run keeps its files."""
        return self.state.directory

    @property
    def mail_directory(self) -> Path:
        """Return where the Maildirs are, one directory an address."""
        return self.directory / "mail"

    @property
    def inventory(self) -> Path:
        """Return the file for `fwguard init --inventory`."""
        return self.directory / "inventory.yaml"

    def mail(self, address: str) -> list[EmailMessage]:
        """Return the mails that an address has received, oldest first."""
        return mail_door.messages(self.mail_directory, address)

    def mailboxes(self) -> list[str]:
        """Return the addresses that have received mail."""
        return mail_door.mailboxes(self.mail_directory)

    def send(
        self,
        mail: bytes,
        *,
        sender: str,
        recipients: Sequence[str],
        login: Person | None = None,
        host: str = "internet",
    ) -> None:
        """Hand a mail to the operator's door from a host; with a login by authenticated submission.

        Raises:
            smtplib.SMTPException: the door refuses it.
        """
        mail_door.send(self.netns(host), mail, sender=sender, recipients=recipients, login=login)

    def person(self, mail: str) -> Person:
        """Return someone by address, an outsider too. Raises InputError when there is nobody."""
        for person in (*self.plan.people, *outsiders()):
            if person.mail == mail:
                return person
        raise InputError(f"nobody is {mail!r}", expected="an address of `fwguard lab status`")

    def netns(self, host: str) -> str:
        """Return the network namespace of a host. Raises InputError when there is no such host."""
        if host not in self.plan.hosts:
            raise InputError(f"no host {host!r}", expected=f"one of: {', '.join(self.plan.hosts)}")
        return self.plan.netns(host)

    def firewall(self, name: str) -> FirewallPlan:
        """Return a firewall by name. Raises InputError when there is none of this name."""
        for firewall in self.plan.firewalls:
            if firewall.name == name:
                return firewall
        names = ", ".join(firewall.name for firewall in self.plan.firewalls)
        raise InputError(f"no firewall {name!r}", expected=f"one of: {names}")

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` as root inside all namespaces of a host.

        Raises:
            InputError: no such host. DeviceError: the host's process 1 has ended.
        """
        netns = self.netns(host)
        if (init := self.state.inits.get(host)) is not None:
            if not is_in(init, netns):
                raise DeviceError(f"{host} is not running: `fwguard lab down` and `up` make a new one")
            return inside_box(init, list(argv))
        return ["nsenter", f"--net={NETNS_DIR / netns}", "--", *argv]

    def run(
        self, host: str, argv: Sequence[str], *, text: str = "", timeout_s: float = 30.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a host, with `text` on its standard input.

        Raises:
            subprocess.CalledProcessError: it failed, and `check` is set.
        """
        return subprocess.run(
            self.command(host, argv),
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=check,
            env={"PATH": PATH},
        )

    def tamper(self, firewall: str, how: str) -> None:
        """Change a firewall from inside as its client can, in one of the ways of `tamper.WAYS`.

        Raises:
            InputError: no such firewall or way. DeviceError: the firewall's own programs refuse.
        """
        done = self.run(firewall, ["sh"], text=tamper.script(self.firewall(firewall), how), check=False)
        if done.returncode:
            raise DeviceError(f"{firewall} refuses {how}: {done.stderr.strip() or done.returncode}")

    def connect(self, host: str, address: str, port: int, *, source: str = "", timeout_s: float = 1) -> bool:
        """Tell whether a TCP connection from a host comes to be, `source` being one of its addresses."""
        return traffic.can_connect(self.netns(host), address, port, timeout_s=timeout_s, source=source)

    def greeting(self, host: str, address: str, port: int, *, source: str = "", timeout_s: float = 1) -> str:
        """Return the line of the server that answers, which names it and the peer it sees; "" for none."""
        return traffic.greeting(self.netns(host), address, port, timeout_s=timeout_s, source=source)

    def datagram(self, host: str, address: str, port: int, *, source: str = "", timeout_s: float = 1) -> str:
        """Return the same line over UDP; "" when nothing comes back."""
        return traffic.datagram(self.netns(host), address, port, timeout_s=timeout_s, source=source)

    def status(self) -> dict[str, Any]:
        """Return every host, person and door of the platform, as `fwguard lab status --json` prints it."""
        portal = self.directory / "portal"
        return {
            "run": self.run_id,
            "state_dir": str(self.directory),
            "portal": portal.read_text().strip() if portal.exists() else None,
            "mail": {"netns": self.netns("mail"), "address": p.MAIL4, "address6": p.MAIL6, "port": 25,
                     "submission_port": mail_door.SUBMISSION_PORT, "mgmt_address": p.MAIL_MGMT4,
                     "authserv_id": mail_door.AUTHSERV_ID, "desk": DESK,
                     "mailboxes": str(self.mail_directory)},
            "edge": {"netns": self.netns("edge")},
            "internet": {"netns": self.netns("internet"), "address": p.INTERNET4, "address6": p.INTERNET6,
                         "partner": p.PARTNER4, "partner6": p.PARTNER6},
            "controller": {"netns": self.netns("controller"), "address": p.CONTROLLER4,
                           "address6": p.CONTROLLER6},
            "firewalls": [
                {"name": f.name, "client": f.client, "netns": self.netns(f.name), "transport": f.transport,
                 "dialect": f.dialect, "address": f.mgmt4, "port": f.management_port, "inside": p.GATEWAY4,
                 "public": [*f.public4, *f.public6], "init": self.state.inits.get(f.name)}
                for f in self.plan.firewalls
            ],
            "servers": [
                {"name": s.name, "client": s.client, "netns": self.netns(s.name), "address": s.address4,
                 "address6": s.address6, "role": s.role, "firewall": s.firewall, "tcp": list(s.tcp),
                 "udp": list(s.udp), "edge_port": s.port, "mac": s.mac}
                for s in self.plan.servers
            ],
            "people": [
                {"login": person.login, "mail": person.mail, "name": person.name, "role": person.role,
                 "client": person.client, "language": person.language, "password": person.password,
                 "totp": person.totp}
                for person in self.plan.people
            ],
        }  # fmt: skip
