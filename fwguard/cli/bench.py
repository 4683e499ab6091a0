"""`fwguard bench`: take the figures of the README anew, on this machine."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any, Final

import click

# name -> the module whose `run()` measures and returns plain data.
BENCHES: Final[Mapping[str, str]] = {
    "analysis": "fwguard.bench.analysis",
    "edge": "fwguard.bench.edge",
    "fleet": "fwguard.bench.fleet",
    "isolation": "fwguard.bench.isolation",
}
_WITH_CORPUS: Final = ("analysis", "isolation")


@click.command(epilog="Example: fwguard bench fleet --json > figures.json")
@click.argument("name", type=click.Choice([*BENCHES, "all"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line; with `all`, one by name.")
@click.option(
    "--corpus",
    metavar="FOLDER",
    help="For `analysis` (and `all`): real configurations; for `isolation`: captures with labels.",
)
def command(name: str, as_json: bool, corpus: str | None) -> None:
    """Measure, and print figures with the size of the machine and its load.

    `analysis` takes about a minute, and needs the extra `peers` for the ratio to Aerleon. `fleet` needs
    root: it builds a lab of its own, and takes about six minutes. `edge` needs root, iperf3 and iptables, and
    takes about two minutes. `isolation`
    takes about two minutes, and compares with nfstream (extra `peers`) and Debian's fail2ban where they are. Quiet
    machines give better figures: end what else is running, or read the load beside them.
    """
    figures: dict[str, Any] = {}
    for one in BENCHES if name == "all" else (name,):
        taken = one == "analysis" or (one == name and one in _WITH_CORPUS)
        options = {"corpus": corpus} if corpus and taken else {}
        figures[one] = importlib.import_module(BENCHES[one]).run(**options)
    shown = figures if name == "all" else figures[name]
    click.echo(json.dumps(shown, ensure_ascii=False, indent=None if as_json else 2))
