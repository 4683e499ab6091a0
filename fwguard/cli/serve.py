"""`fwguard serve`: the controller. Portal, mail door, watchers and work, in one process on one machine."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Final

import click
import structlog

from fwguard.config import Settings, load_settings
from fwguard.devices.open import open_watcher
from fwguard.devices.protocol import Watcher
from fwguard.errors import DeviceError, InputError
from fwguard.flows import edge_events, edge_state, guard, intake, posting, releasing, reviewing, service_life
from fwguard.flows.house import House, free_locks_of_the_dead, open_house
from fwguard.flows.sweeping import sweep
from fwguard.listen.lmtp import Envelope, LmtpDoor
from fwguard.listen.watching import Watching
from fwguard.store.checkpoints import checkpoint, keep_checkpoint, load_signing_key
from fwguard.store.inventory import FirewallRow, firewall_named
from fwguard.work.embedded import EmbeddedWork
from fwguard.work.protocol import Flow

log = structlog.get_logger(__name__)
SWEEP_S: Final = 2.0
PORTAL_THREADS: Final = 8  # beside those in which edges wait
FIRST_PASSED_FD: Final = 3  # sd_listen_fds(3)


def log_lines() -> None:
    """Write the log as one JSON object a line; a trace never shows local values, which may be secrets."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )


class Controller:
    """Everything that runs, started and stopped together."""

    def __init__(self, settings: Settings) -> None:
        self.house = open_house(settings)
        self.house.store.upgrade()
        self.work = EmbeddedWork(
            self._flows(self.house), threads=settings.workers, sweep=self._sweep, sweep_s=SWEEP_S
        )
        self.house.work = self.work
        self.watching = Watching(self._watcher, lambda name: self.work.poke("firewall", name))
        self.door = LmtpDoor(
            settings.lmtp_host, settings.lmtp_port, self._on_mail, max_bytes=settings.max_mail_bytes
        )

    def start(self) -> None:
        """Open the mail door, watch the firewalls, begin to work."""
        free_locks_of_the_dead(self.house)
        self.door.start()
        self.work.start()

    def stop(self) -> None:
        """Stop in the order that loses least: no new work, then the sessions, then the store."""
        self.door.stop()
        self.watching.stop()
        self.work.stop()
        self.house.sessions.close()
        self.house.store.dispose()

    def _flows(self, house: House) -> Mapping[str, Flow]:
        def bound(look: Callable[[str, House], float | None]) -> Flow:
            return lambda subject: look(subject, house)

        return {
            "firewall": bound(guard.look),
            "ticket": bound(reviewing.look),
            "mail": bound(intake.look),
            "outbox": bound(posting.look),
            "addresses": bound(service_life.look),
            "edge": bound(edge_state.look),
            "edge-events": bound(edge_events.look),
            "isolations": bound(releasing.look_ends),
            "checkpoint": self._checkpoint,
        }

    def _sweep(self) -> None:
        sweep(self.house)
        with self.house.store.reading() as session:
            self.watching.follow([name for (name,) in session.query(FirewallRow.name)])

    def _watcher(self, name: str) -> Watcher | None:
        with self.house.store.reading() as session:
            row = firewall_named(session, name)
            try:
                return open_watcher(self.house.endpoint(row))
            except InputError as error:
                raise DeviceError(str(error)) from error

    def _on_mail(self, envelope: Envelope) -> str | None:
        recipient = ", ".join(envelope.recipients)
        intake.keep(self.house, envelope.raw, sender=envelope.sender, recipient=recipient)
        return None

    def _checkpoint(self, _subject: str) -> float:
        """Sign where the log ends; the file is what an operator sends elsewhere."""
        settings = self.house.settings
        with self.house.store.reading() as session:
            made = checkpoint(session, load_signing_key(settings.state_dir), at=self.house.clock())
        if made is not None:
            keep_checkpoint(settings.state_dir, made)
        return float(settings.checkpoint_s)


def _passed_socket() -> socket.socket | None:
    """Return the listening socket that systemd (or the lab) hands over: sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") not in (None, "", str(os.getpid())) or not os.environ.get("LISTEN_FDS"):
        return None
    return socket.socket(fileno=FIRST_PASSED_FD)


@click.command()
@click.option("--no-portal", is_flag=True, help="Guard and deploy only.")
@click.option("--ready-file", type=click.Path(path_type=Path), default=None, help="Written when all is up.")
def command(no_portal: bool, ready_file: Path | None) -> None:
    """Run the controller until it is told to stop (SIGTERM, Ctrl-C).

    \b
    Example: FWGUARD_CONFIG=/etc/fwguard/fwguard.yaml fwguard serve
    """
    log_lines()
    settings = load_settings()
    controller = Controller(settings)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    controller.start()
    controller.work.poke("checkpoint", "", after_s=5.0)
    controller.work.poke("addresses", "", after_s=1.0)
    controller.work.poke("isolations", "", after_s=1.0)
    server = None
    if not no_portal:
        from fwguard.web.app import create_app
        from fwguard.web.serving import serve

        server = serve(
            create_app(controller.house), listener=_passed_socket(), host=settings.listen_address,
            port=settings.listen_port, threads=PORTAL_THREADS + settings.edges_waiting,
        )  # fmt: skip
        threading.Thread(target=server.run, name="portal", daemon=True).start()
    doors = None
    if settings.edge_port:
        from fwguard.web.edge_serving import serve_edges

        doors = serve_edges(controller.house)
        assert doors is not None  # noqa: S101  # there is a port
        threading.Thread(target=doors.serve_forever, name="edges", daemon=True).start()
    # What is there now stays: a collection that walks over it all stops every thread for 80 ms.
    gc.collect()
    gc.freeze()
    if ready_file is not None:
        ready_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    log.info("controller is up", portal=settings.portal_url, database=settings.database_url.split("@")[-1])
    stop.wait()
    if server is not None:
        server.close()
    if doors is not None:
        doors.shutdown()
        doors.server_close()
    controller.stop()
