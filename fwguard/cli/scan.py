"""`fwguard scan`: what the detectors say of captures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwguard.cli.configuration import clean, json_option, print_json
from fwguard.errors import InputError

if TYPE_CHECKING:
    from fwguard.detect.engine import Engine
    from fwguard.model.detection import Detection

_PROGRESS_PACKETS: Final = 1 << 16


@click.command(
    short_help="Say what abuse is in packet captures, and which packets prove it.",
    epilog="Example:  fwguard scan server.pcapng --inside 192.0.2.0/24 --inside 2001:db8:2::/48",
)
@click.argument("captures", nargs=-1, required=True, metavar="PCAP…")
@click.option(
    "--inside",
    multiple=True,
    metavar="PREFIX",
    help="Addresses that are held to account, again for each; forged sources are judged by them.",
)
@click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the words."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, captures: tuple[str, ...], inside: tuple[str, ...], language: str, as_json: bool
) -> None:
    """Run every detector over each PCAP (pcap or pcapng, - for standard input), on any port, v4 and v6.

    A capture knows no register: every mail, IRC, proxy, Tor, mining or video flow speaks. With --json one
    object a verdict. Ends with 1 when anything spoke, 0 when nothing did.
    """
    from fwguard.config import load_settings
    from fwguard.detect.engine import Engine
    from fwguard.model.address import AddressSet
    from fwguard.model.inventory import Language
    from fwguard.rules.detectors import read_detectors

    thresholds = read_detectors(load_settings().rules)
    ours = AddressSet.parse(*(part for text in inside for part in text.split(",") if part.strip()))
    spoken = Language(language)
    count = 0
    for path in captures:
        engine = Engine(thresholds, inside=ours)
        for detection in _scan(engine, path):
            count += 1
            if as_json:
                print_json(_to_json(path, detection, spoken))
            else:
                _show(path, detection, spoken)
    if not count and not as_json:
        click.echo("nothing found")
    ctx.exit(1 if count else 0)


def _scan(engine: Engine, path: str) -> Iterator[Detection]:
    """Yield what is found in one file, as it is found."""
    from fwguard.detect.capture import Capture

    shown = sys.stderr.isatty()
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as stream:
            capture = Capture(path, stream)
            feed = engine.feed
            for number, (time_s, link, frame) in enumerate(capture.frames(), 1):
                found = feed(number, time_s, link, frame)
                if found:
                    yield from found
                if shown and not number % _PROGRESS_PACKETS:
                    click.echo(f"\r{clean(path)}: {number} packets", nl=False, err=True)
            yield from engine.finish()
    except OSError as error:
        raise InputError(f"{error.strerror}", where=path, expected="a readable file") from None
    if shown and engine.packets >= _PROGRESS_PACKETS:
        click.echo("\r" + " " * 60 + "\r", nl=False, err=True)
    if capture.warning:
        click.echo(f"fwguard: warning: {clean(capture.warning)}", err=True)


def _to_json(path: str, detection: Detection, language: Any) -> dict[str, object]:
    from fwguard.detect.words import say

    return {
        "file": path,
        "detector": detection.detector.value,
        "server": detection.server,
        "peer": detection.peer,
        "port": detection.port,
        "proto": detection.protocol,
        "first_packet": detection.first_packet,
        "packets": list(detection.packets),
        "why": say(detection.reason, language),
        "clause": detection.clause,
        "server_port": detection.server_port,
        "peer_port": detection.peer_port,
        "first_s": round(detection.first_s, 6),
        "last_s": round(detection.last_s, 6),
    }


def _show(path: str, detection: Detection, language: Any) -> None:
    from fwguard.detect.words import say

    port = f":{detection.port}" if detection.port else ""
    packets = ", ".join(str(number) for number in detection.packets[:8])
    more = ", …" if len(detection.packets) > 8 else ""
    click.echo(f"{clean(path)}: ", nl=False)
    click.secho(detection.detector.value, fg="red", bold=True, nl=False)
    click.echo(
        f"  {clean(detection.server)} - {clean(detection.peer)}{port} {detection.protocol}"
        f"  {clean(say(detection.reason, language))}"
    )
    click.echo(f"    clause {detection.clause}; packets {packets}{more}")
