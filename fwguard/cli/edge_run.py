"""`fwguard edge run|load|enrol`: the agent of an edge node, what a boot loads, and how an edge becomes ours."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from fwguard.cli.configuration import clean, json_option, print_json

if TYPE_CHECKING:
    from fwguard.edge.settings import EdgeSettings


def _settings(path: Path) -> EdgeSettings:
    from fwguard.edge.settings import read_settings

    return read_settings(path)


def config_option(function: Any) -> Any:
    """Add `--config`: the settings of the edge."""
    return click.option(
        "--config", type=click.Path(path_type=Path), default=Path("/etc/fwguard/edge.yaml"), show_default=True,
        envvar="FWGUARD_EDGE_CONFIG", help="The settings of this edge.",
    )(function)  # fmt: skip


@click.command(
    short_help="Become an edge of the controller, with a one-time token.",
    epilog="Example:  fwguard edge enrol --token-file /root/edge1.token",
)
@config_option
@click.option(
    "--token-file", type=click.File("r"), default="-", help="Where the token stands; - is standard input."
)
@json_option
def enrol(config: Path, token_file: Any, as_json: bool) -> None:
    """Make this edge's key, show it to the controller with the token, and pin the controller's key."""
    from fwguard.edge.agent import enrol as enrol_edge
    from fwguard.errors import InputError

    token = token_file.read(4096).strip()
    if not token:
        raise InputError("is empty", where=token_file.name, expected="the token that the controller gave")
    settings = _settings(config)
    identity = enrol_edge(settings, token)
    if as_json:
        print_json({"edge": identity.name, "public_key": identity.public_key})
    else:
        click.echo(f"{clean(identity.name)} is enrolled; its key is {identity.public_key}")


@click.command(
    short_help="Put the last good state into force, before the network is up.",
    epilog="Example:  fwguard edge load",
)
@config_option
@json_option
@click.pass_context
def load(ctx: click.Context, config: Path, as_json: bool) -> None:
    """Load the last good state and the cuts made on the spot; without one, nothing is forwarded.

    What a systemd unit runs before network-pre.target. Ends with 0 when a state is in force, 1 when nothing is
    forwarded (or what the kernel held already stays), 3 when the kernel took nothing: forwarding is then off.
    """
    from fwguard.edge.agent import Agent
    from fwguard.edge.tables_in_force import holds_tables
    from fwguard.errors import ConflictError, FwguardError

    _log_lines()
    try:
        agent = Agent(_settings(config))
        try:
            loaded = agent.load()
        finally:
            agent.close()
    except ConflictError:
        raise  # an agent runs, and holds what it holds
    except FwguardError:
        if not holds_tables():
            _stop_forwarding()
        raise
    epoch, generation = loaded.version or (None, None)
    if as_json:
        print_json({"epoch": epoch, "generation": generation, "why": loaded.why})
    elif loaded.version is not None:
        click.echo(f"in force: epoch {epoch}, generation {generation}")
    else:
        click.echo(clean(loaded.why), err=True)
    ctx.exit(0 if loaded.version is not None else 1)


@click.command(
    short_help="Run the agent until it is told to stop.",
    epilog="Example:  fwguard edge run --config /etc/fwguard/edge.yaml",
)
@config_option
@click.option("--ready-file", type=click.Path(path_type=Path), default=None, help="Written when all is up.")
def run(config: Path, ready_file: Path | None) -> None:
    """Enforce the last good state, pull newer ones, repair, detect, cut, tell (SIGTERM, Ctrl-C to stop).

    Whatever becomes of the agent, the kernel goes on enforcing what it last put there.
    """
    from fwguard.config import load_settings
    from fwguard.edge.agent import Agent, Running
    from fwguard.rules.detectors import read_detectors

    _log_lines()
    settings = _settings(config)
    thresholds = read_detectors(load_settings().rules)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    running = Running(Agent(settings), thresholds)
    # What is there now stays: a collection that walks over it all would stop every thread.
    gc.collect()
    gc.freeze()
    if ready_file is not None:
        ready_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    _notify("READY=1")
    stop.wait()
    _notify("STOPPING=1")
    running.stop()


def _notify(words: str) -> None:
    """Tell systemd: sd_notify(3)."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.connect("\0" + where[1:] if where.startswith("@") else where)
            door.send(words.encode())


def _stop_forwarding() -> None:
    """Let this host forward nothing: the last way to be closed when the kernel takes no ruleset."""
    for path in ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"):
        with suppress(OSError):
            Path(path).write_text("0", encoding="ascii")
    print("fwguard: forwarding is off until a state is in force and an operator puts it on", file=sys.stderr)


def _log_lines() -> None:
    """Write the log as one JSON object a line on standard error."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
