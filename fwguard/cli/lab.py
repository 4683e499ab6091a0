"""`fwguard lab`: a whole hosting platform on this machine, to look at, to work on, and to break."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import click

from fwguard.cli.configuration import clean
from fwguard.lab.attack import ATTACKS, Attacked
from fwguard.lab.attack import attack as attack_with
from fwguard.lab.platform import Lab
from fwguard.lab.tamper import WAYS, ways_of

run_option = click.option("--run", metavar="ID", help="Which lab, when several are up (1-8 of a-z, 0-9).")


@click.group(epilog="Example: fwguard lab up && fwguard lab status && fwguard lab down")
def command() -> None:
    """A whole hosting platform on this machine, in network namespaces. Needs root.

    Three clients with a firewall and servers each, the operator's edge, an Internet, a mail door.
    """


@command.command(epilog="Example: fwguard lab up --firewalls 20")
@click.option("--firewalls", default=3, show_default=True, metavar="N", help="How many client firewalls.")
@run_option
def up(firewalls: int, run: str | None) -> None:
    """Bring a platform up, after ending what dead ones left behind. Takes about a second."""
    lab = Lab.up(run, firewalls=firewalls)
    _show(lab.status())


@command.command(epilog="Example: fwguard lab down")
@run_option
def down(run: str | None) -> None:
    """End a platform: every process, namespace and file of it, also after a crash.

    With no --run: all but those that a living program (a demo, a test) holds.
    """
    ended = Lab.end(run)
    click.echo(f"ended: {', '.join(ended)}" if ended else "no lab was up")


@command.command(epilog="Example: fwguard lab status --json | jq .firewalls")
@run_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every host, person and door.")
def status(run: str | None, as_json: bool) -> None:
    """Show every host with its namespace, and every person with password and second factor."""
    found = Lab.attach(run).status()
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _show(found)


@command.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Example: fwguard lab shell fw-acme -- nft list ruleset",
)
@click.argument("host")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND]")
@run_option
def shell(host: str, argv: tuple[str, ...], run: str | None) -> None:
    """Become root inside HOST, or run COMMAND there.

    On a firewall this is what its client can do: its network, files and processes, and nobody else's.
    """
    words = Lab.attach(run).command(host, argv or ("sh", "-l"))
    sys.stdout.flush()
    os.execvp(words[0], words)  # noqa: S606 - no shell is the point


@command.command(
    epilog="Example: fwguard lab tamper fw-acme open-port",
    help="Change FIREWALL from inside, as its client can, in the way HOW; without one, list the ways.\n\n\b\n"
    + "\n".join(f"{way:<16} {words}" for way, words in WAYS.items()),
)
@click.argument("firewall")
@click.argument("how", required=False)
@run_option
def tamper(firewall: str, how: str | None, run: str | None) -> None:
    lab = Lab.attach(run)
    if how is None:
        for way in ways_of(lab.firewall(firewall).kind):
            click.echo(f"{way:<16} {WAYS[way]}")
        return
    lab.tamper(firewall, how)
    click.echo(f"{firewall}: {WAYS[how]}")


@command.command(
    epilog="Example: fwguard lab attack globex-web irc --port 8443",
    help="Let SERVER attack the lab's Internet in the way KIND, or without one list the kinds.\n\n"
    "Real programs in the lab's own namespaces; ends by itself and leaves nothing behind.\n\n\b\n"
    + "\n".join(f"{kind:<10} {planned.words}" for kind, planned in ATTACKS.items()),
)
@click.argument("server")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--port", type=click.IntRange(1, 65535), help="Any other than the usual one.")
@click.option("--v6", is_flag=True, help="Over IPv6.")
@run_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every program that ran.")
def attack(server: str, kind: str | None, port: int | None, v6: bool, run: str | None, as_json: bool) -> None:
    if kind is None:
        for name, planned in ATTACKS.items():
            click.echo(f"{name:<10} {planned.words}")
        return
    done = attack_with(Lab.attach(run), server, kind, port=port, v6=v6)
    if as_json:
        click.echo(json.dumps(done.to_json(), indent=1))
    else:
        _show_attack(done)


@command.command(epilog="Example: fwguard lab mail alice@acme.example")
@click.argument("address", required=False)
@run_option
def mail(address: str | None, run: str | None) -> None:
    """Show the mails that ADDRESS has received, or which addresses have received any."""
    lab = Lab.attach(run)
    if address is None:
        for mailbox in lab.mailboxes():
            click.echo(f"{mailbox}  {len(lab.mail(mailbox))}")
        return
    for received in lab.mail(address):
        for name in ("Date", "From", "To", "Subject"):
            click.echo(f"{name}: {received.get(name, '')}")
        body = received.get_body(("plain", "html"))
        click.echo(f"\n{body.get_content() if body else '(no text)'}\n{'-' * 72}")


def _show_attack(done: Attacked) -> None:
    where = f" port {done.port}" if done.port else ""
    click.echo(f"{done.kind}: {done.server} {done.source} to {done.target}{where}")
    for (host, _, ended), group in groupby(done.steps, lambda one: (one.host, one.argv[0], one.ended)):
        steps = list(group)
        times = f", {len(steps)} times" if len(steps) > 1 else ""
        said = f": {clean(steps[-1].said)}" if steps[-1].said else ""
        click.echo(f"  {host}: {' '.join(steps[0].argv)}")
        click.echo(f"    {ended} after {sum(one.seconds for one in steps):.1f} s{times}{said}")
    click.echo(
        f"  {done.packets_out} packets out and {done.packets_in} in by its port of the edge, {done.seconds:.1f} s"
    )


def _show(found: dict[str, Any]) -> None:
    click.echo(f"lab {found['run']} is up; its files are in {found['state_dir']}")
    click.echo(f"portal: {found['portal'] or 'not running (`fwguard demo` starts it)'}")
    hosts = [("HOST", "CLIENT", "KIND", "ADDRESS", "NAMESPACE", "PUBLIC")]
    for f in found["firewalls"]:
        kind = f"{f['dialect']}/{f['transport']}"
        hosts.append((f["name"], f["client"], kind, f["address"], f["netns"], " ".join(f["public"])))
    for s in found["servers"]:
        hosts.append((s["name"], s["client"], s["role"], s["address"], s["netns"], ""))
    for name in ("internet", "mail", "controller", "edge"):
        hosts.append((name, "", "", found[name].get("address", ""), found[name]["netns"], ""))
    _columns(hosts)
    people = [("LOGIN", "ROLE", "CLIENT", "PASSWORD", "SECOND FACTOR (base32)")]
    people += [(p["login"], p["role"], p["client"] or "", p["password"], p["totp"]) for p in found["people"]]
    _columns(people)


def _columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under each other, never cut: they are there to be copied."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    click.echo()
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
