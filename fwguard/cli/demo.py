"""`fwguard demo`: a whole hosting platform on this machine, and the controller that guards it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType

import click

from fwguard.lab.control_room import ControlRoom
from fwguard.lab.platform import Lab
from fwguard.lab.story import STEPS, Played, Story, play

PORT = 8080
_GOOD, _BAD = "✓", "✗"


@click.command()
@click.option("--once", is_flag=True, help="Play the whole story, then end: 0 only if every step held.")
@click.option(
    "--run", metavar="ID", default=None, help="Name of the lab (1-8 of a-z, 0-9); random otherwise."
)
@click.option("--port", default=PORT, show_default=True, help="Of the portal on 127.0.0.1; another if taken.")
def command(once: bool, run: str | None, port: int) -> None:
    """Bring up the lab and its controller with one command. Needs root; stays up until Ctrl-C.

    \b
    Example: fwguard demo          then open the portal's address in a browser
    Example: fwguard demo --once   plays the story and says if every step held
    """
    started = time.monotonic()
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    if not once:
        signal.signal(signal.SIGINT, on_signal)
    lab = Lab.up(run, bound=True)
    room: ControlRoom | None = None
    try:
        room = ControlRoom(lab, port=port)
        room.set_up()
        room.start()
        click.echo(
            f"platform {lab.run_id} and its controller are up after {time.monotonic() - started:.1f} s"
        )
        story = Story(lab, room)
        held = all(_told(step) for step in play(story, STEPS if once else STEPS[:1]))
        if once:
            click.echo(
                f"{'every step held' if held else 'A STEP DID NOT HOLD'}, {time.monotonic() - started:.0f} s"
            )
            sys.exit(0 if held else 1)
        _invite(lab, room)
        stop.wait()
        click.echo("ending…")
    finally:
        if room is not None:
            room.close()
        lab.down()


def _told(step: Played) -> bool:
    click.secho(
        f"{_GOOD if step.held else _BAD} {step.seconds:5.1f} s  {step.title}",
        fg="green" if step.held else "red",
    )
    click.echo(f"           {step.found}")
    return step.held


def _invite(lab: Lab, room: ControlRoom) -> None:
    """Say where everything is and what to try."""
    click.echo(
        f"\nPortal    {room.url}\nLogins    (the code: any authenticator, or `oathtool --totp -b SECRET`)"
    )
    for person in lab.plan.people:
        click.echo(f"  {person.login:26} {person.role:9} {person.password}  {person.totp}")
    click.echo(f"""
Try, in another terminal (as root):
  .venv/bin/fwguard lab tamper fw-acme open-port     a client opens a port on its own firewall
  .venv/bin/fwguard lab mail alice@acme.example      what the client is told
  .venv/bin/fwguard lab shell fw-globex              be root on a client's firewall: nft, iptables, ip
  .venv/bin/fwguard lab status                       every host, address and person
Then ask for an opening as alice in the portal, and approve it as claire.
Log of the controller: {room.log}
Ctrl-C ends everything.""")
